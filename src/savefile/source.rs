//! A stream seen through a window that grows only as bytes arrive, so that a false length costs no memory.

use std::io::{self, Read};

use super::{Error, Fault, Part};

const FIRST_SIZE: usize = 256 * 1024;

/// A stream of which pieces are looked at or taken.
#[derive(Debug)]
pub(super) struct Source<R> {
    stream: R,
    buffer: Vec<u8>,
    /// The part of the buffer that was read from the stream and not yet taken.
    start: usize,
    end: usize,
    offset: u64,
}

impl<R: Read> Source<R> {
    pub(super) fn new(stream: R) -> Self {
        Self { stream, buffer: vec![0; FIRST_SIZE], start: 0, end: 0, offset: 0 }
    }

    /// Where the next byte stands in the stream.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// An error at the next byte.
    pub(super) const fn error(&self, part: Part, fault: Fault) -> Error {
        Error { offset: self.offset, part, fault }
    }

    /// Whether no byte is left.
    pub(super) fn is_at_end(&mut self, part: Part) -> Result<bool, Error> {
        self.fill(1).map(|present| present == 0).map_err(|fault| self.error(part, fault))
    }

    /// The next `needed` bytes, all of them; they stay.
    pub(super) fn peek(&mut self, part: Part, needed: usize) -> Result<&[u8], Error> {
        match self.fill(needed) {
            Ok(present) if present < needed => Err(self.error(part, Fault::Cut { present, needed })),
            Ok(_) => Ok(&self.buffer[self.start..self.start + needed]),
            Err(fault) => Err(self.error(part, fault)),
        }
    }

    /// The next bytes in groups of four; they stay.
    pub(super) fn peek_words<const N: usize>(&mut self, part: Part) -> Result<[[u8; 4]; N], Error> {
        let mut words = [[0; 4]; N];
        words.as_flattened_mut().copy_from_slice(self.peek(part, 4 * N)?);
        Ok(words)
    }

    /// The next `needed` bytes, all of them, and goes on behind them.
    pub(super) fn take(&mut self, part: Part, needed: usize) -> Result<&[u8], Error> {
        self.peek(part, needed)?;
        let taken = self.start..self.start + needed;
        self.start = taken.end;
        self.offset += needed as u64;
        Ok(&self.buffer[taken])
    }

    /// Reads until `wanted` bytes are present or the stream ends; how many are present.
    #[inline]
    fn fill(&mut self, wanted: usize) -> Result<usize, Fault> {
        let present = self.end - self.start;
        if present < wanted { self.read(wanted) } else { Ok(present) }
    }

    #[cold]
    fn read(&mut self, wanted: usize) -> Result<usize, Fault> {
        while self.end - self.start < wanted {
            if self.end == self.buffer.len() {
                self.make_room();
            }
            match self.stream.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Fault::Stream(error)),
            }
        }
        Ok(self.end - self.start)
    }

    fn make_room(&mut self) {
        if self.start == 0 {
            self.buffer.resize(self.buffer.len() * 2, 0);
        } else {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte at a time, and an interruption before each.
    struct Trickle(Vec<u8>, bool);

    impl Read for Trickle {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            if self.0.is_empty() {
                return Ok(0);
            }
            buffer[0] = self.0.remove(0);
            Ok(1)
        }
    }

    #[test]
    fn pieces_come_whole_however_the_stream_is_chopped() {
        let mut source = Source::new(Trickle((0..10).collect(), false));
        assert_eq!(source.peek(Part::Magic, 4).unwrap(), [0, 1, 2, 3]);
        assert_eq!(source.take(Part::Magic, 6).unwrap(), [0, 1, 2, 3, 4, 5]);
        let error = source.take(Part::PacketRecord, 5).unwrap_err();
        assert_eq!((error.offset, error.part), (6, Part::PacketRecord));
        assert!(matches!(error.fault, Fault::Cut { present: 4, needed: 5 }));
        assert_eq!(source.take(Part::Magic, 4).unwrap(), [6, 7, 8, 9]);
        assert!(source.is_at_end(Part::Magic).unwrap());
    }

    #[test]
    fn long_pieces_grow_the_window_and_false_ones_do_not() {
        let bytes: Vec<u8> = (0..=255).cycle().take(800_000).collect();
        let mut source = Source::new(&bytes[..]);
        assert_eq!(source.take(Part::Magic, 280_000).unwrap(), &bytes[..280_000]);
        assert_eq!(source.take(Part::Magic, 520_000).unwrap(), &bytes[280_000..]);
        assert!(source.take(Part::Magic, 1 << 30).is_err());
        assert!(source.buffer.len() <= 2 * 1024 * 1024);
    }
}
