//! Numbers, bytes and options taken from a piece of a file, in either byte order.

use std::{borrow::Cow, iter};

use super::Fault;

/// Which byte of a number comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    pub(super) const fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    pub(super) const fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    pub(super) const fn u64(self, bytes: [u8; 8]) -> u64 {
        match self {
            Self::Little => u64::from_le_bytes(bytes),
            Self::Big => u64::from_be_bytes(bytes),
        }
    }
}

/// The piece has fewer bytes than were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overrun;

impl From<Overrun> for Fault {
    fn from(Overrun: Overrun) -> Self {
        Self::Overrun
    }
}

/// What is left of a piece, taken from its front.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    order: ByteOrder,
}

impl<'a> Fields<'a> {
    pub(super) const fn new(bytes: &'a [u8], order: ByteOrder) -> Self {
        Self { rest: bytes, order }
    }

    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Overrun> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Overrun)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Overrun> {
        self.array().map(|bytes| self.order.u16(bytes))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Overrun> {
        self.array().map(|bytes| self.order.u32(bytes))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Overrun> {
        self.array().map(|bytes| self.order.u64(bytes))
    }

    /// A 64-bit number of which the upper half comes first in either byte order, as pcapng writes times.
    pub(super) fn halves(&mut self) -> Result<u64, Overrun> {
        let (high, low) = (self.u32()?, self.u32()?);
        Ok(u64::from(high) << 32 | u64::from(low))
    }

    /// `length` bytes and what fills them up to a multiple of four; the filling may be missing at the very end.
    pub(super) fn padded(&mut self, length: usize) -> Result<&'a [u8], Overrun> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Overrun)?;
        self.rest = rest.get(length.next_multiple_of(4) - length..).unwrap_or_default();
        Ok(taken)
    }

    /// The rest as a list of codes with values: options, or name records, which have the same form. The list ends
    /// at code 0, at the end of the piece, or at a value that runs beyond it.
    pub(super) fn options(mut self) -> impl Iterator<Item = (u16, Self)> {
        iter::from_fn(move || self.option().ok().filter(|(code, _)| *code != 0))
    }

    fn option(&mut self) -> Result<(u16, Self), Overrun> {
        let (code, length) = (self.u16()?, self.u16()?);
        Ok((code, Self::new(self.padded(length.into())?, self.order)))
    }

    /// The rest as text up to the first NUL byte (some programs write one), with U+FFFD for what is not UTF-8.
    pub(super) fn text(&self) -> Cow<'a, str> {
        let text = self.rest.split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_byte_order() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
        let mut little = Fields::new(&bytes, ByteOrder::Little);
        assert_eq!((little.u16(), little.u32(), little.u32()), (Ok(0x0201), Ok(0x0605_0403), Err(Overrun)));
        let mut big = Fields::new(&bytes, ByteOrder::Big);
        assert_eq!((big.u16(), big.u32(), big.u64()), (Ok(0x0102), Ok(0x0304_0506), Err(Overrun)));
        assert_eq!(Fields::new(&bytes, ByteOrder::Big).u64(), Ok(0x0102_0304_0506_0708));
        assert_eq!(Fields::new(&bytes, ByteOrder::Little).halves(), Ok(0x0403_0201_0807_0605));
    }

    #[test]
    fn options_end_at_zero_or_at_the_damage() {
        let one = vec![(5, &b"abc"[..])];
        for (bytes, expected) in [
            (&b"\x05\0\x03\0abc\0\0\0\0\0\x06\0\0\0"[..], one.clone()),
            (b"\x05\0\x03\0abc\0\x06\0\x09\0abc", one.clone()),
            (b"\x05\0\x03\0abc", one),
            (b"\x05\0\x03", vec![]),
        ] {
            let options = Fields::new(bytes, ByteOrder::Little).options();
            assert_eq!(options.map(|(code, value)| (code, value.rest())).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn texts_end_at_nul_and_are_mended() {
        for (bytes, text) in [(&b"web\0\0"[..], "web"), (b"", ""), (b"\xffa", "\u{fffd}a")] {
            assert_eq!(Fields::new(bytes, ByteOrder::Little).text(), text);
        }
    }
}
