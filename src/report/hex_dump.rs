//! The bytes of a packet in hex, and as text beside it, in tcpdump's layout.

use std::fmt;

use crate::packet::{self, Text};

const BYTES_PER_ROW: usize = 16;

/// Whether the bytes follow a packet's line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HexDump {
    /// They do not.
    #[default]
    None,
    /// In hex (`-x`, `-xx`).
    Hex(DumpFrom),
    /// In hex, and printable ASCII beside it (`-X`, `-XX`).
    HexAndText(DumpFrom),
}

/// Where a dump begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DumpFrom {
    /// After Ethernet header and VLAN tags.
    Network,
    /// With the Ethernet header.
    Link,
}

impl HexDump {
    /// Writes `frame`, whose link layer takes `link_len` bytes: a row for each 16 bytes.
    pub(crate) fn write(self, out: &mut impl Text, frame: &[u8], link_len: usize) -> fmt::Result {
        let (Self::Hex(from) | Self::HexAndText(from)) = self else {
            return Ok(());
        };
        let skipped = match from {
            DumpFrom::Network => link_len,
            DumpFrom::Link => 0,
        };
        let bytes = frame.get(skipped..).unwrap_or_default();
        for (row, bytes) in bytes.chunks(BYTES_PER_ROW).enumerate() {
            self.write_row(out, row * BYTES_PER_ROW, bytes)?;
        }
        Ok(())
    }

    fn write_row(self, out: &mut impl Text, offset: usize, bytes: &[u8]) -> fmt::Result {
        write!(out, "\t{offset:#06x}: ")?;
        for pair in bytes.chunks(2) {
            out.write_char(' ')?;
            pair.iter().try_for_each(|byte| packet::hex_byte(out, *byte))?;
        }
        if let Self::HexAndText(_) = self {
            let missing = BYTES_PER_ROW - bytes.len();
            let blank = missing * 2 + missing / 2 + 2;
            write!(out, "{:blank$}", "")?;
            for &byte in bytes {
                let printable = byte.is_ascii_graphic() || byte == b' ';
                out.write_char(if printable { char::from(byte) } else { '.' })?;
            }
        }
        out.write_char('\n')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(dump: HexDump, frame: &[u8]) -> String {
        let mut text = String::new();
        dump.write(&mut text, frame, 2).unwrap();
        text
    }

    #[test]
    fn rows_are_laid_out_as_tcpdump_does() {
        let frame = b"LLabcdefghijklmnop\x1bz!";
        assert_eq!(shown(HexDump::None, frame), "");
        assert_eq!(
            shown(HexDump::HexAndText(DumpFrom::Network), frame),
            "\t0x0000:  6162 6364 6566 6768 696a 6b6c 6d6e 6f70  abcdefghijklmnop\n\
             \t0x0010:  1b7a 21                                  .z!\n"
        );
        assert_eq!(shown(HexDump::Hex(DumpFrom::Link), b"LLa"), "\t0x0000:  4c4c 61\n");
        assert_eq!(shown(HexDump::Hex(DumpFrom::Network), b"L"), "");
    }
}
