//! Cut, empty, hostile and foreign bytes: everything before the damage, then one error that says where and why.

use std::error::Error as _;

use proptest::prelude::*;

use super::sample::{self, read};
use crate::savefile::Format;

const SECTION: &[u8] =
    b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0";
const PCAP: &[u8] = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\xff\xff\0\0\x01\0\0\0";

const UNKNOWN: &str = "block of type 0x7 (Unknown Block)";

/// Compares the error with what a person should read, for bytes that follow a sound start.
#[track_caller]
fn expect(start: &[u8], bytes: &[u8], words: &str) {
    let error = read(&[start, bytes].concat()).1.expect("an error");
    assert_eq!(format!("{error}: {}", error.source().expect("a cause")), words);
}

#[test]
fn files_of_other_kinds_are_refused_in_words() {
    for (bytes, words) in [
        (&b""[..], "the file is empty"),
        (b"\x0a\x0d", "the file is cut short: 2 of 4 bytes are there"),
        (b"\x7fELF\x02", "[7f, 45, 4c, 46] does not begin a capture file"),
        (
            b"\x34\xcd\xb2\xa1",
            "the 'modified' pcap of old Linux distributions (Kuznetzov's patch) is not supported; Wireshark's editcap \
             converts it",
        ),
    ] {
        expect(&[], bytes, &format!("reading the first four bytes at byte 0: {words}"));
    }
}

#[test]
fn damaged_classic_pcap_is_named_by_place_and_cause() {
    expect(
        &[],
        &PCAP[..20],
        "reading the file header at byte 0: the file is cut short: 20 of 24 bytes are there",
    );
    for (bytes, words) in [
        (&[0; 15][..], "the file is cut short: 15 of 16 bytes are there"),
        (b"\0\0\0\0\0\0\0\0\x04\0\0\0\x04\0\0\0ab", "the file is cut short: 18 of 20 bytes are there"),
        (
            b"\0\0\0\0\0\0\0\0\x01\0\x04\0\x04\0\0\0ab",
            "it claims 262145 bytes, more than the 262144 that one can have",
        ),
    ] {
        expect(PCAP, bytes, &format!("reading a packet at byte 24: {words}"));
    }
}

#[test]
fn damaged_pcapng_is_named_by_place_and_cause() {
    for (bytes, block, words) in [
        (&b"\x06\0\0\0\x0c"[..], "block's type and length", "the file is cut short: 5 of 12 bytes are there"),
        (b"\x07\0\0\0\x20\0\0\0\0\0\0\0", UNKNOWN, "the file is cut short: 12 of 32 bytes are there"),
        (
            b"\x07\0\0\0\x0d\0\0\0\0\0\0\0",
            UNKNOWN,
            "it claims 13 bytes, but a block has at least 12, in multiples of 4",
        ),
        (
            b"\x07\0\0\0\0\0\0\0\0\0\0\0",
            UNKNOWN,
            "it claims 0 bytes, but a block has at least 12, in multiples of 4",
        ),
        (
            b"\x07\0\0\0\xfc\xff\xff\xff\0\0\0\0",
            UNKNOWN,
            "it claims 4294967292 bytes, more than the 16777216 that one can have",
        ),
        (b"\x07\0\0\0\x0c\0\0\0\x10\0\0\0", UNKNOWN, "it claims 12 bytes at its start and 16 at its end"),
        (
            b"\x01\0\0\0\x0c\0\0\0\x0c\0\0\0",
            "block of type 0x1 (Interface Description Block)",
            "its fields do not fit into it",
        ),
        (
            b"\x03\0\0\0\x10\0\0\0\0\0\0\0\x10\0\0\0",
            "block of type 0x3 (Simple Packet Block)",
            "it refers to interface 0, but 0 are declared",
        ),
        (
            b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x4d\x3c\x2b\x1b",
            "block of type 0xa0d0d0a (Section Header Block)",
            "[4d, 3c, 2b, 1b] tells no byte order",
        ),
    ] {
        expect(SECTION, bytes, &format!("reading a {block} at byte 28: {words}"));
    }
}

#[test]
fn another_major_version_is_refused() {
    let mut file = SECTION.to_vec();
    file[12] = 2;
    let words = "reading a block of type 0xa0d0d0a (Section Header Block) at byte 0: version 2 of the format is not known";
    expect(&[], &file, words);
}

#[test]
fn a_file_cut_anywhere_gives_a_prefix_of_its_records() {
    for format in [Format::Pcapng, Format::Pcap] {
        let file = sample::file(format);
        let (whole, error) = read(&file);
        assert!(error.is_none(), "{error:?}");
        for length in 0..file.len() {
            let (records, error) = read(&file[..length]);
            assert_eq!(records, whole[..records.len()], "{format:?} cut at {length}");
            match error {
                Some(error) => assert!(error.offset <= length as u64, "{error}"),
                None => assert!(records.len() < whole.len(), "{format:?} cut at {length} loses nothing"),
            }
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        start in prop::sample::select(vec![&b""[..], SECTION, PCAP]),
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        read(&[start, &bytes].concat());
    }

    #[test]
    fn altered_files_never_panic(
        format in prop::sample::select(vec![Format::Pcapng, Format::Pcap]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut file = sample::file(format);
        for (position, byte) in changes {
            *position.get_mut(&mut file) = byte;
        }
        read(&file);
    }

    #[test]
    fn hostile_block_bodies_never_panic(
        block_type in 0..12_u32,
        body in prop::collection::vec(any::<u8>(), 0..25_usize),
    ) {
        let body = [&body[..], &[0; 3][..body.len().next_multiple_of(4) - body.len()]].concat();
        let length = u32::try_from(body.len() + 12).unwrap().to_le_bytes();
        let interface = b"\x01\0\0\0\x14\0\0\0\x01\0\0\0\0\0\0\0\x14\0\0\0";
        let block = [&block_type.to_le_bytes()[..], &length, &body, &length].concat();
        let (records, _) = read(&[SECTION, interface, &block].concat());
        prop_assert!(records.len() >= 2);
    }
}
