//! Bytes on their way to a file, gathered in memory that lies as the file will: at the same place within a page. So the
//! whole pages of it can be written without a further copy (`O_DIRECT`, open(2)).

use std::{io, mem::MaybeUninit};

/// The unit in which memory and files are laid out (bytes). A multiple of the block size of any disk.
pub const PAGE: usize = 4096;

/// Whole blocks, in memory of their own.
#[derive(Debug, Default)]
pub struct Gathered {
    memory: Vec<u8>,
    /// Where it begins; before that is filling.
    start: usize,
}

impl Gathered {
    /// The blocks.
    pub fn bytes(&self) -> &[u8] {
        self.memory.get(self.start..).unwrap_or_default()
    }

    /// Makes room for so many bytes, and shows the memory, not used yet, that they will lie in.
    pub fn reserve(&mut self, bytes: usize) -> &mut [MaybeUninit<u8>] {
        self.memory.reserve(bytes);
        self.memory.spare_capacity_mut()
    }

    /// To append to, and to change what was appended.
    pub(super) fn memory(&mut self) -> &mut Vec<u8> {
        &mut self.memory
    }

    /// Forgets the bytes, keeps their memory. What comes next is for that place in the file.
    pub(super) fn clear(&mut self, offset: u64) {
        let in_page = |place: usize| place % PAGE;
        let wanted = place_in_page(offset);
        self.start = in_page(wanted + PAGE - in_page(self.memory.as_ptr().addr()));
        self.memory.clear();
        self.memory.resize(self.start, 0);
    }
}

/// Where in its page a byte of the file lies.
#[expect(clippy::missing_panics_doc, reason = "it never does: a remainder of a page's size fits")]
pub fn place_in_page(offset: u64) -> usize {
    usize::try_from(offset % PAGE as u64).expect("a place in a page is a small number")
}

impl io::Write for Gathered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.memory.extend_from_slice(bytes);
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
        let mut gathered = Gathered::default();
        gathered.memory().reserve(3 * PAGE);
        for offset in [0, 1, 4095, 4096, 123_457] {
            gathered.clear(offset);
            assert_eq!(gathered.bytes(), b"");
            gathered.memory().extend_from_slice(b"block");
            assert_eq!(gathered.bytes(), b"block");
            let place = gathered.bytes().as_ptr().addr();
            assert_eq!(place % PAGE, place_in_page(offset));
        }
    }
}
