//! Files of other programs, byte by byte: other byte orders, clocks, block types and lenient spots.

use super::sample::read;
use crate::model::Direction;
use crate::savefile::{LinkType, Packet, Reader, Record};

/// The number's bytes in the order of the file under test.
type Order = fn(u32) -> [u8; 4];
const BIG: Order = u32::to_be_bytes;
const LITTLE: Order = u32::to_le_bytes;

fn block(order: Order, block_type: u32, body: &[u8]) -> Vec<u8> {
    let length = order(u32::try_from(body.len()).unwrap() + 12);
    [&order(block_type)[..], &length, body, &length].concat()
}

fn words(order: Order, words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| order(*word)).collect()
}

/// Two 16-bit numbers that share a word.
fn pair(order: Order, first: u32, second: u32) -> u32 {
    if order(1) == BIG(1) { first << 16 | second } else { second << 16 | first }
}

fn section(order: Order) -> Vec<u8> {
    block(order, 0x0a0d_0d0a, &words(order, &[0x1a2b_3c4d, pair(order, 1, 0), u32::MAX, u32::MAX]))
}

/// An interface of link type 101 with this snapshot length and these options.
fn interface(order: Order, snaplen: u32, options: &[u32]) -> Vec<u8> {
    block(order, 1, &words(order, &[&[pair(order, 101, 0), snaplen], options].concat()))
}

/// Calls `check` with the first packet of a file.
fn first_packet(file: &[u8], check: impl FnOnce(&Packet<'_>)) {
    let mut reader = Reader::new(file).unwrap();
    loop {
        if let Record::Packet(packet) = reader.next_record().unwrap().expect("a packet") {
            return check(&packet);
        }
    }
}

#[test]
fn both_byte_orders_and_other_clocks() {
    for order in [BIG, LITTLE] {
        // Binary resolution 2^-1 s and an offset of 10 s.
        let resolution =
            u32::from_be_bytes(if order(1) == BIG(1) { [0x81, 0, 0, 0] } else { [0, 0, 0, 0x81] });
        let offset = if order(1) == BIG(1) { [0, 10] } else { [10, 0] };
        let clock = [pair(order, 9, 1), resolution, pair(order, 14, 8), offset[0], offset[1], 0];
        let mut body = words(order, &[0, 0, 3, 2, 9]);
        body.extend_from_slice(b"ab\0\0");
        body.extend(words(order, &[pair(order, 2, 4), 0x0000_0102, 0]));
        let file = [section(order), interface(order, 0, &clock), block(order, 6, &body)].concat();
        first_packet(&file, |packet| {
            assert_eq!((packet.data, packet.original_len), (&b"ab"[..], 9));
            assert_eq!(packet.time_ns, 11_500_000_000);
            assert_eq!((packet.direction, packet.interface.link_type), (Direction::Out, LinkType::new(101)));
        });
    }
}

#[test]
fn simple_packets_are_cut_at_the_snapshot_length() {
    for (snaplen, original_len, data) in [(4, 6, &b"abcd"[..]), (0, 4, b"abcd"), (9, 3, b"abc")] {
        let body = [&words(LITTLE, &[original_len])[..], b"abcd"].concat();
        let file = [section(LITTLE), interface(LITTLE, snaplen, &[]), block(LITTLE, 3, &body)].concat();
        first_packet(&file, |packet| {
            assert_eq!((packet.data, packet.original_len, packet.time_ns), (data, original_len, 0));
        });
    }
}

#[test]
fn obsolete_packets_have_their_drops_in_the_header() {
    for (drops, expected) in [(7, 7), (0xffff, 0)] {
        let mut body = words(BIG, &[pair(BIG, 0, drops), 0, 5, 4, 60]);
        body.extend_from_slice(b"abcd");
        let file = [section(BIG), interface(BIG, 0, &[]), block(BIG, 2, &body)].concat();
        first_packet(&file, |packet| {
            assert_eq!((packet.data, packet.drops, packet.time_ns), (&b"abcd"[..], expected, 5_000));
        });
    }
}

#[test]
fn a_section_of_the_other_byte_order_starts_interfaces_anew() {
    let file = [section(BIG), interface(BIG, 0, &[]), section(LITTLE), interface(LITTLE, 0, &[])].concat();
    let (records, error) = read(&file);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(records.len(), 4);
    assert_eq!(records[1], records[3]);
}

#[test]
fn unknown_blocks_are_named_and_passed_over() {
    let secrets = [&words(LITTLE, &[0x544c_534b, 3])[..], b"abc\0"].concat();
    let file = [section(LITTLE), block(LITTLE, 0x0bad, b"abcd"), block(LITTLE, 10, &secrets)].concat();
    let (records, error) = read(&file);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(records[1], format!("{:?}", Record::Unknown { block_type: 0x0bad }));
    assert_eq!(records[2], format!("{:?}", Record::Secrets { kind: 0x544c_534b, data: b"abc" }));
}

#[test]
fn malformed_options_and_names_cost_only_themselves() {
    // A comment that claims 99 bytes; a name record of an EUI-48, one too short, one with two names.
    let mut names = words(LITTLE, &[pair(LITTLE, 3, 4), 0, pair(LITTLE, 1, 2), 0, pair(LITTLE, 1, 8)]);
    names.extend_from_slice(&[10, 0, 0, 1, b'a', 0, b'b', 0]);
    let file =
        [section(LITTLE), interface(LITTLE, 0, &[pair(LITTLE, 1, 99)]), block(LITTLE, 4, &names)].concat();
    let (records, error) = read(&file);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(records[2], r#"Names([(10.0.0.1, "a"), (10.0.0.1, "b")])"#);
}

#[test]
fn classic_pcap_in_four_variants() {
    for (magic, order, time_ns) in [
        (0xa1b2_c3d4, BIG, 2_000_003_000),
        (0xa1b2_c3d4, LITTLE, 2_000_003_000),
        (0xa1b2_3c4d, BIG, 2_000_000_003),
        (0xa1b2_3c4d, LITTLE, 2_000_000_003),
    ] {
        // The upper half of the link type tells of a frame check sequence.
        let mut file = words(order, &[magic, pair(order, 2, 4), 0, 0, 65_535, 0x4400_0071, 2, 3, 2, 60]);
        file.extend_from_slice(b"ab");
        first_packet(&file, |packet| {
            assert_eq!((packet.data, packet.original_len, packet.time_ns), (&b"ab"[..], 60, time_ns));
            assert_eq!(packet.interface.link_type, LinkType::new(0x71));
        });
    }
}
