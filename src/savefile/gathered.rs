//! Bytes on their way to a file, gathered in memory that lies as the file will: at the same place within a page. So the
//! whole pages of it can be written without a further copy (`O_DIRECT`, open(2)).

use std::io;

/// The unit in which memory and files are laid out (bytes). A multiple of the block size of any disk.
pub const PAGE: usize = 4096;

/// What the kernel provides at once where it is asked for huge pages (bytes); other sizes are rare.
pub const HUGE_PAGE: usize = 2 << 20;

/// Whole blocks, in memory of their own.
#[derive(Debug, Default)]
pub struct Gathered {
    memory: Vec<u8>,
    /// Where the blocks begin; before that is filling.
    start: usize,
    /// Where they end; behind that is room.
    end: usize,
}

impl Gathered {
    /// Nothing yet, and room for so many bytes from where a huge page begins. The kernel provides the memory as it is
    /// used; what is before that, it never is: the allocator's own bytes there would keep the page from being huge.
    pub fn with_room(bytes: usize) -> Self {
        Self { memory: vec![0; bytes + HUGE_PAGE], start: 0, end: 0 }
    }

    /// The blocks.
    pub fn bytes(&self) -> &[u8] {
        &self.memory[self.start..self.end]
    }

    /// The memory behind them, where the next ones will lie.
    #[inline]
    pub fn room(&self) -> &[u8] {
        &self.memory[self.end..]
    }

    /// All the memory, with filling and room.
    pub fn memory(&mut self) -> &mut [u8] {
        &mut self.memory
    }

    /// Appends so many bytes, to be written by the caller: they may hold anything.
    #[inline]
    pub(super) fn append(&mut self, length: usize) -> &mut [u8] {
        let from = self.end;
        self.end += length;
        if self.end > self.memory.len() {
            self.memory.resize(self.end.max(2 * self.memory.len()), 0);
        }
        &mut self.memory[from..self.end]
    }

    /// Forgets the bytes, keeps their memory. What comes next is for that place in the file.
    pub(super) fn clear(&mut self, offset: u64) {
        let unit = if self.memory.len() > HUGE_PAGE { HUGE_PAGE } else { PAGE };
        let place = place_in_page(offset);
        self.start = (place + unit - self.memory.as_ptr().addr() % unit) % unit;
        self.end = 0;
        self.append(self.start);
    }
}

/// Where in its page a byte of the file lies.
#[expect(clippy::missing_panics_doc, reason = "it never does: a remainder of a page's size fits")]
pub fn place_in_page(offset: u64) -> usize {
    usize::try_from(offset % PAGE as u64).expect("a place in a page is a small number")
}

impl io::Write for Gathered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes.len()).copy_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_lies_as_the_file_does() {
        let mut gathered = Gathered::with_room(3 * PAGE);
        for offset in [0, 1, 4095, 4096, 123_457] {
            gathered.clear(offset);
            assert_eq!(gathered.bytes(), b"");
            gathered.append(5).copy_from_slice(b"block");
            assert_eq!(gathered.bytes(), b"block");
            let place = gathered.bytes().as_ptr().addr();
            assert_eq!(place % HUGE_PAGE, place_in_page(offset));
        }
    }

    #[test]
    fn more_than_there_is_room_for_fits_too() {
        let mut gathered = Gathered::default();
        gathered.append(3).copy_from_slice(b"abc");
        gathered.append(9).copy_from_slice(b"defghijkl");
        assert_eq!(gathered.bytes(), b"abcdefghijkl");
    }
}
