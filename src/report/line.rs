//! The line that is being put together, a character at a time: each costs a comparison and a store.

use std::fmt::{self, Write as _};

use crate::packet::Text;

/// Text that grows at its end, in memory that is kept for the next line.
#[derive(Debug, Default)]
pub(super) struct Line {
    memory: Vec<u8>,
    length: usize,
}

impl Line {
    /// Begins a new one.
    pub(super) fn clear(&mut self) {
        self.length = 0;
    }

    /// The text so far, UTF-8.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.memory[..self.length]
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        self.memory.resize(2 * (self.length + more), 0);
    }

    /// A character that is more than a byte, or for which there is no room.
    #[cold]
    fn write_other(&mut self, character: char) -> fmt::Result {
        self.write_str(character.encode_utf8(&mut [0; 4]))
    }
}

impl fmt::Write for Line {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        if end > self.memory.len() {
            self.grow(text.len());
        }
        self.memory[self.length..end].copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }

    #[expect(clippy::inline_always, reason = "the compiler would call it: half of the time of a character")]
    #[inline(always)]
    fn write_char(&mut self, character: char) -> fmt::Result {
        match self.memory.get_mut(self.length) {
            Some(place) if character.is_ascii() => {
                *place = character as u8;
                self.length += 1;
                Ok(())
            }
            _ => self.write_other(character),
        }
    }
}

impl Text for Line {
    #[inline]
    fn write_ascii<const N: usize>(&mut self, fill: impl FnOnce(&mut [u8; N]) -> usize) -> fmt::Result {
        if self.memory.len() - self.length < N {
            self.grow(N);
        }
        let place = self.memory[self.length..].first_chunk_mut().ok_or(fmt::Error)?;
        self.length += fill(place).min(N);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_any_length_and_script_is_kept() {
        let mut line = Line::default();
        for round in 1..40 {
            line.clear();
            let text = "a–ü𝄞".repeat(round);
            text.chars().try_for_each(|character| line.write_char(character)).unwrap();
            line.write_str(&text).unwrap();
            assert_eq!(line.bytes(), text.repeat(2).as_bytes());
        }
    }
}
