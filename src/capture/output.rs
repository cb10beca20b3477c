//! The file or pipe that a savefile is written to: opened with care, filled with whole blocks only.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    os::fd::{AsFd, BorrowedFd},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::savefile::{Format, PAGE, place_in_page};
use crate::sys::{self, WriteThrough};

use super::SinkError;

/// How often the disk is asked for its room, at least.
const RESERVE_CHECK: Duration = Duration::from_secs(1);
/// And after how many bytes.
const RESERVE_CHECK_BYTES: u64 = 16 << 20;

/// Fewer bytes are not worth a request of their own to the disk.
pub(super) const DIRECT_BYTES: usize = 256 << 10;

/// Who may read a file that we make; one that is there already keeps its mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// As the process's umask has it.
    Usual,
    /// Its owner alone: it holds secrets.
    Owner,
}

/// An open savefile or pipe.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
    path: PathBuf,
    is_regular: bool,
    written: u64,
    /// Whether writing past the page cache was refused, or is not ours to ask for.
    needs_page_cache: bool,
    /// Packets of blocks that were given up.
    unwritten: u64,
    reserve: u64,
    checked_at: Instant,
    checked_bytes: u64,
}

impl Output {
    /// Standard output, as a descriptor of its own.
    pub(super) fn standard() -> Result<Self, SinkError> {
        let path = PathBuf::from("standard output");
        match io::stdout().as_fd().try_clone_to_owned() {
            // How it is written concerns all who share it with us.
            Ok(descriptor) => Ok(Self { needs_page_cache: true, ..Self::new(descriptor.into(), path, 0) }),
            Err(source) => Err(SinkError::Io { operation: "opening", path, source }),
        }
    }

    /// Makes the file, or empties it. `reserve` bytes of its disk are left alone; a file that may not be written for
    /// that is left as it was.
    pub(super) fn create(path: &Path, reserve: u64, readers: Readers) -> Result<Self, SinkError> {
        let failed = |source| SinkError::Io { operation: "creating", path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        if readers == Readers::Owner {
            options.mode(0o600);
        }
        let file = options.write(true).create(true).truncate(false).open(path).map_err(failed)?;
        let output = Self::new(file, path.to_owned(), reserve);
        if output.is_regular {
            let metadata = output.file.metadata().map_err(failed)?;
            // What it holds is room again once it is emptied. st_blocks is in units of 512 bytes: stat(3type).
            output.check_reserve(metadata.blocks().saturating_mul(512))?;
            // A file that was cut is written out by ext4 when it is closed: one that was empty need not be.
            if metadata.len() > 0 {
                output.file.set_len(0).map_err(failed)?;
            }
        }
        Ok(output)
    }

    pub(super) fn new(file: File, path: PathBuf, reserve: u64) -> Self {
        let is_regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        Self {
            file,
            path,
            is_regular,
            written: 0,
            needs_page_cache: !is_regular,
            unwritten: 0,
            reserve,
            checked_at: Instant::now(),
            checked_bytes: 0,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Packets that were to be appended and are not there as a whole.
    pub(super) fn unwritten(&self) -> u64 {
        self.unwritten
    }

    /// Whether a reader waits at the other end, who wants each packet soon and may hang up.
    pub(super) fn is_pipe(&self) -> bool {
        !self.is_regular
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Appends whole blocks. If the disk is full, what fits of them stays, and the file ends with a whole one.
    ///
    /// Past the page cache go whole pages of memory that lies as the file does, if they are many.
    pub(super) fn append(
        &mut self,
        blocks: &[u8],
        format: Format,
        way: WriteThrough,
    ) -> Result<(), SinkError> {
        let mut done = 0;
        while done < blocks.len() {
            let result = match self.write_piece(&blocks[done..], self.written + done as u64, way) {
                Ok(0) => Err(io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
                // Whoever gave us the pipe may have made it so, and a piece left out would tear the stream.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    sys::wait_writable(self.file.as_fd()).map(|()| 0)
                }
                result => result,
            };
            match result {
                Ok(count) => done += count,
                Err(error) => return Err(self.give_up(blocks, done, format, error)),
            }
        }
        self.written += blocks.len() as u64;
        self.look_at_reserve()
    }

    /// Leaves blocks out after a failure, and counts their packets.
    pub(super) fn leave_out(&mut self, blocks: &[u8], format: Format) {
        self.unwritten += Split::behind(blocks, 0, format, false).packets_lost;
    }

    /// Writes the first bytes of `rest`, which belong at `offset`.
    fn write_piece(&mut self, rest: &[u8], offset: u64, way: WriteThrough) -> io::Result<usize> {
        let in_page = place_in_page(offset);
        let lies_alike = rest.as_ptr().addr() % PAGE == in_page;
        let is_direct = way == WriteThrough::Disk && !self.needs_page_cache;
        if !is_direct || rest.len() < DIRECT_BYTES || !lies_alike {
            return self.file.write(rest);
        }
        if in_page > 0 {
            return self.file.write(&rest[..PAGE - in_page]);
        }
        let pages = rest.len() / PAGE * PAGE;
        match self.write_direct(&rest[..pages]) {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                self.needs_page_cache = true;
                self.file.write(rest)
            }
            result => result,
        }
    }

    fn write_direct(&mut self, pages: &[u8]) -> io::Result<usize> {
        sys::write_through(self.file.as_fd(), WriteThrough::Disk)?;
        let written = self.file.write(pages);
        sys::write_through(self.file.as_fd(), WriteThrough::PageCache)?;
        written
    }

    fn give_up(&mut self, blocks: &[u8], done: usize, format: Format, source: io::Error) -> SinkError {
        let path = self.path.clone();
        let split = Split::behind(blocks, done, format, self.written == 0);
        self.unwritten += split.packets_lost;
        if source.kind() == io::ErrorKind::BrokenPipe {
            return SinkError::Closed;
        }
        if self.is_regular {
            self.written += split.kept as u64;
            // A file that cannot even be cut ends with part of a block, which readers report and survive.
            let _ = self.take_back(done.saturating_sub(split.kept) as u64);
        }
        if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            SinkError::DiskFull { path }
        } else {
            SinkError::Io { operation: "writing", path, source }
        }
    }

    /// Cuts off the last bytes that were written: behind what was there before us, where a shell appends (`>>`).
    fn take_back(&mut self, bytes: u64) -> io::Result<()> {
        if bytes > 0 {
            let end = self.file.stream_position()?.saturating_sub(bytes);
            self.file.set_len(end)?;
            self.file.seek(SeekFrom::Start(end))?;
        }
        Ok(())
    }

    fn look_at_reserve(&mut self) -> Result<(), SinkError> {
        let is_due = self.written - self.checked_bytes >= RESERVE_CHECK_BYTES
            || self.checked_at.elapsed() >= RESERVE_CHECK;
        if !is_due {
            return Ok(());
        }
        self.checked_at = Instant::now();
        self.checked_bytes = self.written;
        self.check_reserve(0)
    }

    /// `freed` bytes of the disk are about to be given back.
    fn check_reserve(&self, freed: u64) -> Result<(), SinkError> {
        if !self.is_regular || self.reserve == 0 {
            return Ok(());
        }
        // A disk that does not say how much room it has is written to.
        let Ok((free, _)) = sys::free_bytes_behind(self.file.as_fd()) else { return Ok(()) };
        if free.saturating_add(freed) >= self.reserve {
            return Ok(());
        }
        Err(SinkError::Reserve { path: self.path.clone(), free, reserve: self.reserve })
    }
}

/// Blocks of which only the first bytes could be written.
#[derive(Debug, PartialEq, Eq)]
struct Split {
    /// The bytes of those that were written as a whole.
    kept: usize,
    /// The packets among the others.
    packets_lost: u64,
}

impl Split {
    /// Of `bytes`, `written` were. A classic file begins with a header of 24 bytes.
    fn behind(bytes: &[u8], written: usize, format: Format, at_start: bool) -> Self {
        const ENHANCED_PACKET_BLOCK: usize = 6;
        let word_at = |offset: usize| {
            let bytes: [u8; 4] = bytes.get(offset..offset + 4)?.try_into().ok()?;
            usize::try_from(u32::from_le_bytes(bytes)).ok()
        };
        let mut at = match format {
            Format::Pcap if at_start => 24,
            Format::Pcap | Format::Pcapng => 0,
        };
        let mut split = Self { kept: at.min(written), packets_lost: 0 };
        loop {
            let (length, is_packet) = match format {
                Format::Pcapng => (word_at(at + 4), word_at(at) == Some(ENHANCED_PACKET_BLOCK)),
                Format::Pcap => (word_at(at + 8).map(|captured| captured + 16), true),
            };
            let Some(length) = length.filter(|length| *length > 0) else { return split };
            at += length;
            if at <= written {
                split.kept = at;
            } else {
                split.packets_lost += u64::from(is_packet);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::fd::OwnedFd;

    use nix::fcntl::{FcntlArg, OFlag, fcntl};

    use super::*;

    #[test]
    fn a_file_refused_for_the_reserve_is_left_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("old.pcap");
        std::fs::write(&path, "an old capture").unwrap();
        assert!(matches!(Output::create(&path, u64::MAX, Readers::Usual), Err(SinkError::Reserve { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"an old capture");
        Output::create(&path, 1, Readers::Usual).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn a_file_with_secrets_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::create(&folder.path().join("secret"), 0, Readers::Owner).unwrap();
        assert_eq!(output.file.metadata().unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_a_file_holds_counts_as_room_for_its_successor() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut output = Output::create(file.path(), 0, Readers::Usual).unwrap();
        output.reserve = sys::free_bytes(file.path()).unwrap().0 + (1 << 40);
        assert!(output.check_reserve(0).is_err());
        assert!(output.check_reserve(1 << 41).is_ok());
    }

    #[test]
    fn what_was_there_before_stays_when_a_torn_block_is_cut_off() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "earlier").unwrap();
        let appending = OpenOptions::new().append(true).open(file.path()).unwrap();
        let mut output = Output::new(appending, file.path().to_owned(), 0);
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        output.give_up(&[], 0, Format::Pcapng, full());
        assert_eq!(std::fs::read(file.path()).unwrap(), b"earlier");
        let block = [&6_u32.to_le_bytes()[..], &12_u32.to_le_bytes(), &12_u32.to_le_bytes()].concat();
        let blocks = block.repeat(2);
        output.file.write_all(&blocks[..17]).unwrap();
        output.give_up(&blocks, 17, Format::Pcapng, full());
        assert_eq!(std::fs::read(file.path()).unwrap(), [b"earlier", &block[..]].concat());
        assert_eq!(output.unwritten(), 1);
    }

    #[test]
    fn a_pipe_that_does_not_block_is_waited_for() {
        let (mut reader, writer) = io::pipe().unwrap();
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let mut output = Output::new(File::from(OwnedFd::from(writer)), PathBuf::new(), 0);
        let blocks: Vec<u8> = (0..1_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
        let expected = blocks.clone();
        let writing =
            std::thread::spawn(move || output.append(&blocks, Format::Pcapng, WriteThrough::PageCache));
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        writing.join().unwrap().unwrap();
        assert!(read == expected, "{} bytes", read.len());
    }

    #[test]
    fn a_reader_that_leaves_a_pipe_that_does_not_block_is_noticed() {
        let (reader, writer) = io::pipe().unwrap();
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let mut output = Output::new(File::from(OwnedFd::from(writer)), PathBuf::new(), 0);
        let writing = std::thread::spawn(move || {
            output.append(&vec![0; 1_000_000], Format::Pcapng, WriteThrough::PageCache)
        });
        drop(reader);
        assert!(matches!(writing.join().unwrap(), Err(SinkError::Closed)));
    }

    #[test]
    fn a_cut_ends_behind_a_whole_block_and_counts_the_packets_after_it() {
        let block = |kind: u8, length: u32| {
            let mut bytes = vec![0; length as usize];
            bytes[0] = kind;
            bytes[4..8].copy_from_slice(&length.to_le_bytes());
            bytes
        };
        let bytes = [block(1, 28), block(6, 20), block(5, 12), block(6, 32)].concat();
        for (written, kept, packets_lost) in
            [(0, 0, 2), (27, 0, 2), (28, 28, 2), (47, 28, 2), (48, 48, 1), (91, 60, 1), (92, 92, 0)]
        {
            let split = Split::behind(&bytes, written, Format::Pcapng, true);
            assert_eq!(split, Split { kept, packets_lost }, "{written}");
        }
        let mut record = vec![0; 16 + 5];
        record[8] = 5;
        let bytes = [vec![0; 24], record.clone(), record].concat();
        for (written, kept, packets_lost) in [(3, 3, 2), (24, 24, 2), (44, 24, 2), (45, 45, 1), (66, 66, 0)] {
            let split = Split::behind(&bytes, written, Format::Pcap, true);
            assert_eq!(split, Split { kept, packets_lost }, "{written}");
        }
    }
}
