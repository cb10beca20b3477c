//! Where text is put: a formatter, a string, or a line that is put together in place.

use std::fmt;

/// Takes text, and for numbers and addresses, which are a few ASCII characters each, may know a way that is faster than one
/// after the other.
pub trait Text: fmt::Write {
    /// Writes the first of the `N` bytes that `fill` sets, as many as it says. All are ASCII.
    fn write_ascii<const N: usize>(&mut self, fill: impl FnOnce(&mut [u8; N]) -> usize) -> fmt::Result {
        let mut bytes = [0; N];
        let length = fill(&mut bytes);
        bytes.iter().take(length).try_for_each(|byte| self.write_char(char::from(*byte)))
    }
}

impl Text for fmt::Formatter<'_> {}

impl Text for String {}
