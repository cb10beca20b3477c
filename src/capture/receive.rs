//! A capture that somebody else writes, taken from a stream into a file: whole blocks only, so that a connection that
//! breaks leaves a whole file.

use std::{
    fs::File,
    io::{self, Read},
    path::PathBuf,
    sync::Arc,
};

use crate::savefile::{self, Format};
use crate::sys::WriteThrough;

use super::{
    output::{Output, Readers},
    sink::SinkError,
};

const PIECE: usize = 256 << 10;
/// No block is longer; readers refuse longer ones (wiretap, libpcap: 16 MiB).
const LONGEST_BLOCK: usize = 16 << 20;
/// The header of a classic file, and of a packet in it.
const PCAP_HEADER: usize = 24;
const PCAP_RECORD: usize = 16;

/// Where a stream goes.
#[derive(Debug, Clone)]
pub struct Reception {
    /// The file or pipe. It is made when the first bytes are there, and not before.
    pub path: PathBuf,
    /// What is expected.
    pub format: Format,
    /// Bytes of the disk that are left alone.
    pub reserve: u64,
    /// Who may read it.
    pub readers: Readers,
    /// That path, where it is a pipe that is open: to open it once more would wait for ever if its reader has left.
    pub pipe: Option<Arc<File>>,
}

/// Why a stream could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// It could not be read.
    #[error("reading the capture that is sent")]
    Read(#[source] io::Error),
    /// It is no capture.
    #[error("reading the capture that is sent: it is none, but begins with '{0}'")]
    NotCapture(String),
    /// It has a block that cannot be.
    #[error("reading the capture that is sent: it has a block of {0} bytes")]
    Damaged(usize),
    /// It could not be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
}

impl Reception {
    /// Takes the stream to its end. Answers with how many bytes there were, and how many of an unfinished block that
    /// were left out.
    pub fn receive(&self, mut input: impl Read) -> Result<(u64, usize), ReceiveError> {
        let mut output: Option<Output> = None;
        let mut waiting = Vec::new();
        let mut total = 0;
        loop {
            let known = waiting.len();
            waiting.resize(known + PIECE, 0);
            let length = match input.read(&mut waiting[known..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => 0,
                Ok(0) => {
                    waiting.truncate(known);
                    return Ok((total, waiting.len()));
                }
                result => result.map_err(ReceiveError::Read)?,
            };
            waiting.truncate(known + length);
            if total == 0 && !begins_a_capture(&waiting)? {
                continue;
            }
            let whole = self.whole(&waiting, total == 0)?;
            if whole > 0 {
                let output = match &mut output {
                    Some(output) => output,
                    None => output.insert(self.output()?),
                };
                output.append(&waiting[..whole], self.format, WriteThrough::PageCache)?;
                waiting.drain(..whole);
                total += whole as u64;
            }
        }
    }

    fn output(&self) -> Result<Output, SinkError> {
        let Some(pipe) = &self.pipe else { return Output::create(&self.path, self.reserve, self.readers) };
        let path = self.path.clone();
        match pipe.try_clone() {
            Ok(pipe) => Ok(Output::new(pipe, path, self.reserve)),
            Err(source) => Err(SinkError::Io { operation: "opening", path, source }),
        }
    }

    /// How many of the bytes are whole blocks.
    fn whole(&self, bytes: &[u8], is_start: bool) -> Result<usize, ReceiveError> {
        let word_at = |at: usize| {
            let bytes: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
            usize::try_from(u32::from_le_bytes(bytes)).ok()
        };
        let mut at = if self.format == Format::Pcap && is_start { PCAP_HEADER } else { 0 };
        if at > bytes.len() {
            return Ok(0);
        }
        loop {
            let length = match self.format {
                Format::Pcapng => word_at(at + 4),
                Format::Pcap => word_at(at + 8).map(|captured| captured.saturating_add(PCAP_RECORD)),
            };
            let Some(length) = length else { return Ok(at) };
            if !(12..=LONGEST_BLOCK).contains(&length) {
                return Err(ReceiveError::Damaged(length));
            }
            if at + length > bytes.len() {
                return Ok(at);
            }
            at += length;
        }
    }
}

/// Whether that is known yet. What is no capture, a shell may have printed at its start.
fn begins_a_capture(bytes: &[u8]) -> Result<bool, ReceiveError> {
    let Some(magic) = bytes.first_chunk::<4>() else { return Ok(false) };
    if savefile::is_capture(magic) {
        return Ok(true);
    }
    let line = String::from_utf8_lossy(bytes);
    let shown = line.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(60);
    Err(ReceiveError::NotCapture(shown.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Direction, Frame};
    use crate::savefile::{Encoder, Interface, PacketOptions, Section};

    fn capture(format: Format) -> Vec<u8> {
        let mut encoder = Encoder::new(format, 0);
        encoder.section(&Section::default());
        let id = encoder.interface(&Interface::default());
        for time in 0..3 {
            let frame = Frame::whole(&[7; 50], 50, time, Direction::Out);
            encoder.packet(id, &frame, &PacketOptions::default());
        }
        encoder.bytes().to_vec()
    }

    /// Gives a few bytes at a time.
    struct Drops<'a>(&'a [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(self.0.len()).min(buffer.len());
            let (here, rest) = self.0.split_at(length);
            buffer[..length].copy_from_slice(here);
            self.0 = rest;
            Ok(length)
        }
    }

    #[test]
    fn a_stream_becomes_the_same_file_whatever_its_pieces() {
        let folder = tempfile::tempdir().unwrap();
        for format in [Format::Pcapng, Format::Pcap] {
            let sent = capture(format);
            let path = folder.path().join("f");
            let reception =
                Reception { path: path.clone(), format, reserve: 0, readers: Readers::Usual, pipe: None };
            for piece in [1, 3, 28, 1000] {
                let taken = reception.receive(Drops(&sent, piece)).unwrap();
                assert_eq!(taken, (sent.len() as u64, 0));
                assert_eq!(std::fs::read(&path).unwrap(), sent);
            }
            let cut = &sent[..sent.len() - 5];
            let (taken, torn) = reception.receive(cut).unwrap();
            assert_eq!((taken + torn as u64, torn > 0), (cut.len() as u64, true));
            assert_eq!(std::fs::read(&path).unwrap().len() as u64, taken, "the torn block is left out");
        }
    }

    #[test]
    fn what_is_no_capture_leaves_the_old_file_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, "old").unwrap();
        let reception = Reception {
            path: path.clone(),
            format: Format::Pcapng,
            reserve: 0,
            readers: Readers::Usual,
            pipe: None,
        };
        let error = reception.receive(&b"Welcome to web1!\nand more"[..]).unwrap_err();
        assert!(matches!(&error, ReceiveError::NotCapture(line) if line == "Welcome to web1!"), "{error:?}");
        assert_eq!(reception.receive(&b""[..]).unwrap(), (0, 0));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        let mut damaged = capture(Format::Pcapng);
        damaged[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(reception.receive(&damaged[..]), Err(ReceiveError::Damaged(_))));
    }
}
