//! Any bytes at all: decoding, the line, the JSON object and the flow must not panic, and the line must be printable.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pcapsule::model::Direction;
use pcapsule::packet::{LinkHeader, Names, PacketRecord, SequenceTracker, Stamp, Summary, decode};

fuzz_target!(|input: (u32, &[u8])| {
    let (original_len, bytes) = input;
    let packet = decode(bytes, original_len);
    let base = SequenceTracker::default().observe(&packet);
    let line = Summary::new(&packet).sequence(base).link_header(LinkHeader::Show).to_string();
    assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
    let stamp = Stamp { time_ns: 0, interface: "fuzz", direction: Direction::Unknown, pid: None, command: None };
    serde_json::to_string(&PacketRecord::new(&packet, stamp, Names::NUMERIC)).expect("plain values are JSON");
    packet.flow();
});
