//! The first four bytes, by which a capture file is known.

use super::fields::ByteOrder;

/// The block type of a section header, the same in both byte orders.
pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
/// Classic pcap with microseconds.
const PCAP_MICROSECONDS: u32 = 0xa1b2_c3d4;
/// Classic pcap with nanoseconds.
pub(super) const PCAP_NANOSECONDS: u32 = 0xa1b2_3c4d;

/// Relatives of classic pcap with other packet headers.
const RELATIVES: [(u32, &str); 5] = [
    (0xa1b2_cd34, "the 'modified' pcap of old Linux distributions (Kuznetzov's patch)"),
    (0xa1b2_34cd, "the pcap of an old fork of libpcap"),
    (0xa12b_3c4d, "Navtel's pcap"),
    (0x1c00_01ac, "Ixia's hardware pcap"),
    (0x1c00_01ab, "Ixia's software pcap"),
];

/// What the first four bytes announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Magic {
    Pcapng,
    Pcap {
        order: ByteOrder,
        /// Nanoseconds in one unit of the fraction of a second.
        unit_ns: u32,
    },
    /// A capture file, but of a kind that is not read here; its name.
    Relative(&'static str),
}

impl Magic {
    pub(super) fn recognise(bytes: [u8; 4]) -> Option<Self> {
        [ByteOrder::Little, ByteOrder::Big].into_iter().find_map(|order| match order.u32(bytes) {
            SECTION_HEADER => Some(Self::Pcapng),
            PCAP_MICROSECONDS => Some(Self::Pcap { order, unit_ns: 1000 }),
            PCAP_NANOSECONDS => Some(Self::Pcap { order, unit_ns: 1 }),
            number => {
                RELATIVES.iter().find(|(magic, _)| *magic == number).map(|(_, name)| Self::Relative(name))
            }
        })
    }
}

/// Whether a file that begins with these bytes (four are enough) is a capture file of any kind, read here or not.
pub fn is_capture(magic: &[u8]) -> bool {
    magic.first_chunk().is_some_and(|bytes| Magic::recognise(*bytes).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capture_files_are_known_by_four_bytes() {
        for magic in [
            [0x0a, 0x0d, 0x0d, 0x0a],
            [0xd4, 0xc3, 0xb2, 0xa1],
            [0xa1, 0xb2, 0xc3, 0xd4],
            [0x4d, 0x3c, 0xb2, 0xa1],
            [0xa1, 0xb2, 0x3c, 0x4d],
            [0x34, 0xcd, 0xb2, 0xa1],
            [0xa1, 0xb2, 0xcd, 0x34],
        ] {
            assert!(is_capture(&magic), "{magic:02x?}");
        }
    }

    #[test]
    fn other_files_are_not() {
        for other in [&b""[..], b"\x0a\x0d\x0d", b"\x7fELF", b"#!/bin/sh", b"\0\0\0\0", b"\x0d\x0a\x0a\x0d"] {
            assert!(!is_capture(other), "{other:02x?}");
        }
    }
}
