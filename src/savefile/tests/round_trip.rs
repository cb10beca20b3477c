//! What the encoder writes is what the reader gives.

use proptest::prelude::*;

use super::sample;
use crate::model::{Direction, Frame};
use crate::savefile::{
    Encoder, Event, Format, Interface, LinkType, Packet, PacketOptions, Process, Reader, Record, Section,
    TLS_KEY_LOG,
};

#[test]
fn pcapng_keeps_everything() {
    let file = sample::file(Format::Pcapng);
    let mut reader = Reader::new(&file[..]).unwrap();
    assert_eq!(reader.format(), Format::Pcapng);
    let mut next = |check: &dyn Fn(Record<'_>)| check(reader.next_record().unwrap().unwrap());

    next(&|record| assert_eq!(record, Record::Section(sample::section())));
    next(&|record| {
        let Record::Interface { id, interface } = record else { panic!("{record:?}") };
        assert_eq!((id.number(), interface), (0, &sample::interface()));
    });
    let names = sample::names().into_iter().map(|(address, name)| (address, name.to_owned())).collect();
    next(&|record| assert_eq!(record, Record::Names(Vec::clone(&names))));
    next(&|record| {
        let Record::Packet(packet) = record else { panic!("{record:?}") };
        assert_eq!((packet.data, packet.original_len, packet.time_ns), (&[7; 61][..], 71, sample::TIME_NS));
        assert_eq!((packet.direction, packet.interface.name.as_str()), (Direction::In, "web/eth0"));
        assert_eq!((packet.drops, packet.packet_id, packet.process, &*packet.comment), (0, None, None, ""));
    });
    next(&|record| {
        let fields = [("MESSAGE", "db started"), ("DETAIL", "two\nlines")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let time_ns = sample::TIME_NS / 1000 * 1000;
        assert_eq!(record, Record::Event(Event { time_ns, fields }));
    });
    next(&|record| assert!(matches!(record, Record::Interface { id, .. } if id.number() == 1)));
    next(&|record| {
        let Record::Packet(Packet { data, direction, drops, packet_id, process, comment, .. }) = record
        else {
            panic!("{record:?}")
        };
        assert_eq!((data, direction), (&[8; 64][..], Direction::Out));
        assert_eq!(PacketOptions { drops, packet_id, process, comment: &comment }, sample::options());
    });
    next(&|record| assert!(matches!(record, Record::Packet(packet) if packet.data.is_empty())));
    next(&|record| {
        let Record::Statistics { id, statistics } = record else { panic!("{record:?}") };
        assert_eq!((id.number(), statistics), (0, sample::statistics()));
    });
    assert!(reader.next_record().unwrap().is_none());
}

#[test]
fn pcap_keeps_the_packets() {
    let file = sample::file(Format::Pcap);
    let mut reader = Reader::new(&file[..]).unwrap();
    assert_eq!(reader.format(), Format::Pcap);
    assert!(matches!(
        reader.next_record().unwrap(),
        Some(Record::Interface { interface: Interface { link_type: LinkType::ETHERNET, .. }, .. })
    ));
    for (data, original_len) in [(&[7; 61][..], 71), (&[8; 64], 110), (&[], 0)] {
        let Some(Record::Packet(packet)) = reader.next_record().unwrap() else { panic!("a packet") };
        assert_eq!((packet.data, packet.original_len, packet.time_ns), (data, original_len, sample::TIME_NS));
    }
    assert!(reader.next_record().unwrap().is_none());
}

#[test]
fn a_second_file_stands_alone() {
    let mut encoder = Encoder::new(Format::Pcapng, 0);
    for _ in 0..2 {
        encoder.clear(0);
        encoder.section(&Section::default());
        let id = encoder.interface(&Interface::default());
        assert_eq!(id.number(), 0);
        encoder.packet(id, &Frame::whole(b"abcd", 4, 0, Direction::In), &PacketOptions::default());
        let (records, error) = sample::read(encoder.bytes());
        assert!(error.is_none());
        assert_eq!(records.len(), 3);
    }
}

#[test]
fn keys_read_back_and_have_no_place_in_a_classic_file() {
    for (format, expected) in [(Format::Pcapng, 3), (Format::Pcap, 1)] {
        let mut encoder = Encoder::new(format, 0);
        encoder.section(&Section::default());
        encoder.interface(&Interface::default());
        encoder.key_log(b"KEY 01 02\n");
        let (records, error) = sample::read(encoder.bytes());
        assert!(error.is_none(), "{error:?}");
        assert_eq!(records.len(), expected);
        let keys = format!("{:?}", Record::Secrets { kind: TLS_KEY_LOG, data: b"KEY 01 02\n" });
        assert_eq!(records.contains(&keys), format == Format::Pcapng);
    }
}

#[test]
fn texts_too_long_for_their_fields_are_cut() {
    let long = "ü".repeat(40_000);
    let mut encoder = Encoder::new(Format::Pcapng, 0);
    encoder.section(&Section { comment: long.clone(), ..Section::default() });
    let interface = Interface { name: long.clone(), filter: long.clone(), ..Interface::default() };
    let id = encoder.interface(&interface);
    encoder.names([("::1".parse().unwrap(), long.as_str()), ("::1".parse().unwrap(), "\0nothing")]);
    let options = PacketOptions { comment: &long, ..PacketOptions::default() };
    encoder.packet(id, &Frame::whole(b"abcd", 4, 0, Direction::In), &options);
    encoder.event(0, &[("MESSAGE", &long)]);

    let (records, error) = sample::read(encoder.bytes());
    assert!(error.is_none(), "{error:?}");
    assert_eq!(records.len(), 5);
    assert!(records.iter().all(|record| !record.contains('\u{fffd}')), "cut between letters");
}

#[test]
#[should_panic(expected = "declared in the file")]
fn packets_of_another_files_interface_are_a_bug() {
    let mut encoder = Encoder::new(Format::Pcapng, 0);
    encoder.section(&Section::default());
    let id = encoder.interface(&Interface::default());
    encoder.section(&Section::default());
    encoder.packet(id, &Frame::whole(b"", 0, 0, Direction::In), &PacketOptions::default());
}

proptest! {
    #[test]
    fn every_packet_reads_back(
        data in prop::collection::vec(any::<u8>(), 4..200),
        snaplen in 1..300_u32,
        time_ns: u64,
        drops: u64,
        packet_id: Option<u64>,
        process: Option<(u32, u32)>,
        comment in "[^\0]{0,20}",
        direction in prop::sample::select(vec![Direction::In, Direction::Out, Direction::Unknown]),
    ) {
        let process = process.map(|(pid, tid)| Process { pid, tid });
        let options = PacketOptions { drops, packet_id, process, comment: &comment };
        let mut encoder = Encoder::new(Format::Pcapng, snaplen);
        encoder.section(&Section::default());
        let id = encoder.interface(&Interface::default());
        let frame = Frame { time_ns, ..sample::frame(&data, direction) };
        encoder.packet(id, &frame, &options);
        prop_assert_eq!(encoder.bytes().len() % 4, 0);

        let mut reader = Reader::new(encoder.bytes()).unwrap();
        reader.next_record().unwrap();
        reader.next_record().unwrap();
        let record = reader.next_record().unwrap();
        let kept = &data[..data.len().min(snaplen as usize)];
        prop_assert_eq!(record, Some(Record::Packet(Packet {
            interface_id: id,
            interface: &Interface::default(),
            time_ns,
            original_len: frame.original_len,
            data: kept,
            direction,
            drops,
            packet_id,
            process,
            comment: comment.as_str().into(),
        })));
    }
}
