//! A file with everything in it, and its records in a form that can be kept.

use std::net::IpAddr;

use crate::model::{Direction, Frame, InterfaceAddress, Mac};
use crate::savefile::{
    Encoder, Error, Format, Interface, PacketOptions, Process, Reader, Section, Statistics,
};

pub(super) const TIME_NS: u64 = 1_700_000_000_123_456_789;

pub(super) fn section() -> Section {
    Section {
        hardware: "x86_64".into(),
        os: "Linux 6.18".into(),
        application: "pcapsule 0.1.0".into(),
        comment: "pcapsule capture web\nas root".into(),
    }
}

pub(super) fn interface() -> Interface {
    Interface {
        name: "web/eth0".into(),
        description: "nginx:1.27, docker 4f2a, bridge docker0 → web".into(),
        mac: Some(Mac::new([2, 0x42, 0xac, 0x11, 0, 2])),
        addresses: vec![address("172.17.0.2", 16), address("0.0.0.0", 0), address("fd00::2", 64)],
        filter: "tcp port 80".into(),
        speed: Some(10_000_000_000),
        link_type: crate::savefile::LinkType::ETHERNET,
    }
}

fn address(text: &str, prefix: u8) -> InterfaceAddress {
    InterfaceAddress { address: text.parse().unwrap(), prefix }
}

pub(super) fn names() -> Vec<(IpAddr, &'static str)> {
    vec![
        ("172.17.0.2".parse().unwrap(), "web.app"),
        ("fd00::2".parse().unwrap(), "web.app"),
        ("172.17.0.3".parse().unwrap(), "db"),
    ]
}

pub(super) fn options() -> PacketOptions<'static> {
    PacketOptions {
        drops: 3,
        packet_id: Some(0x1234_5678_9abc_def0),
        process: Some(Process { pid: 42, tid: 43 }),
        comment: "path=postrouting ✓",
    }
}

pub(super) fn statistics() -> Statistics {
    Statistics {
        start_ns: Some(TIME_NS),
        end_ns: TIME_NS + 5_000_000_001,
        received: Some(1 << 40),
        dropped: Some(1),
        accepted: Some(2),
        os_dropped: Some(3),
        delivered: Some(4),
    }
}

/// A frame in three pieces, `len` bytes in all; at least 3.
pub(super) fn frame(bytes: &[u8], direction: Direction) -> Frame<'_> {
    let (head, rest) = bytes.split_at(1);
    let (insert, tail) = rest.split_at(2);
    let original_len = u32::try_from(bytes.len()).unwrap() + 10;
    Frame { head, insert, tail, original_len, time_ns: TIME_NS, direction, owner: None }
}

/// Every call of the encoder, in an order that a capture might make.
pub(super) fn file(format: Format) -> Vec<u8> {
    let mut encoder = Encoder::new(format, 64);
    encoder.section(&section());
    let web = encoder.interface(&interface());
    encoder.names(names());
    encoder.packet(web, &frame(&[7; 61], Direction::In), &PacketOptions::default());
    encoder.event(TIME_NS, &[("MESSAGE", "db started"), ("DETAIL", "two\nlines")]);
    let db = encoder.interface(&Interface { name: "db/eth0".into(), ..Interface::default() });
    encoder.packet(db, &frame(&[8; 100], Direction::Out), &options());
    encoder.packet(db, &Frame::whole(&[], 0, TIME_NS, Direction::Unknown), &PacketOptions::default());
    encoder.statistics(web, &statistics());
    encoder.bytes().to_vec()
}

/// Every record as its debug text, and the error that ended them.
pub(super) fn read(bytes: &[u8]) -> (Vec<String>, Option<Error>) {
    let mut records = Vec::new();
    let mut reader = match Reader::new(bytes) {
        Ok(reader) => reader,
        Err(error) => return (records, Some(error)),
    };
    loop {
        match reader.next_record() {
            Ok(Some(record)) => records.push(format!("{record:?}")),
            Ok(None) => return (records, None),
            Err(error) => {
                assert!(reader.next_record().unwrap().is_none(), "one error is the end");
                return (records, Some(error));
            }
        }
    }
}
