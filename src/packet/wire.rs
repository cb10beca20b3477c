//! A reader over captured bytes that also knows how long they were on the wire.
//!
//! Every read is checked; a read that goes past what was captured gives `None` and leaves the reader where it is.

/// What is left to read of one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wire<'a> {
    bytes: &'a [u8],
    length: usize,
}

impl<'a> Wire<'a> {
    /// Captured `bytes` of `length` that were sent.
    pub(crate) fn new(bytes: &'a [u8], length: usize) -> Self {
        Self { bytes, length: length.max(bytes.len()) }
    }

    /// The captured bytes that are left.
    pub(crate) const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// How many bytes were left on the wire; at least those captured.
    pub(crate) const fn length(self) -> usize {
        self.length
    }

    /// Whether more was sent than is here.
    pub(crate) const fn is_cut(self) -> bool {
        self.bytes.len() < self.length
    }

    /// Only the first `length` bytes, as a length field demands: what follows is padding.
    pub(crate) fn limited(self, length: usize) -> Self {
        let length = length.min(self.length);
        Self { bytes: self.bytes.get(..length).unwrap_or(self.bytes), length }
    }

    /// Splits off the next `length` bytes, captured or not.
    pub(crate) fn take(&mut self, length: usize) -> Self {
        let taken = self.limited(length);
        self.bytes = self.bytes.get(taken.length..).unwrap_or_default();
        self.length -= taken.length;
        taken
    }

    /// Passes over `length` bytes, captured or not.
    pub(crate) fn skip(&mut self, length: usize) {
        self.take(length);
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let array = *self.bytes.first_chunk()?;
        self.skip(N);
        Some(array)
    }

    /// The next `length` bytes, all of them captured.
    pub(crate) fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let slice = self.bytes.get(..length)?;
        self.skip(length);
        Some(slice)
    }

    /// The next byte.
    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    /// The next two bytes in network order.
    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next four bytes in network order.
    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_stop_at_what_was_captured() {
        let mut wire = Wire::new(&[1, 2, 3, 4, 5], 9);
        assert!(wire.is_cut());
        assert_eq!(wire.u16(), Some(0x0102));
        assert_eq!(wire.u32(), None);
        assert_eq!(wire.slice(3), Some(&[3, 4, 5][..]));
        assert_eq!((wire.u8(), wire.length()), (None, 4));
    }

    #[test]
    fn a_length_field_takes_padding_away_and_never_adds() {
        assert_eq!(Wire::new(&[1, 2, 3], 3).limited(2), Wire::new(&[1, 2], 2));
        assert_eq!(Wire::new(&[1, 2, 3], 3).limited(9), Wire::new(&[1, 2, 3], 3));
    }

    #[test]
    fn taking_what_is_cut_keeps_count_of_the_rest() {
        let mut wire = Wire::new(&[1, 2, 3], 10);
        let taken = wire.take(6);
        assert_eq!((taken.bytes(), taken.length()), (&[1, 2, 3][..], 6));
        assert_eq!((wire.bytes(), wire.length()), (&[][..], 4));
    }
}
