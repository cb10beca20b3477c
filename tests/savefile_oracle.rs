//! What tshark, capinfos and tcpdump say of the files that the encoder writes, and what the reader says of theirs.
//!
//! Each test needs one tool; without it the test prints why it did nothing, or fails when `PCAPSULE_REQUIRE` names it or
//! tshark, which stands for them all.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and says why it is skipped"
)]

use std::{fs, io::Write, path::Path, process::Command};

use pcapsule::model::{Direction, Frame, InterfaceAddress, Mac};
use pcapsule::savefile::{
    Encoder, Format, Interface, InterfaceId, PacketOptions, Process, Reader, Record, Section, Statistics,
};
use tempfile::NamedTempFile;

const TIME_NS: u64 = 1_700_000_000_123_456_789;

/// 172.17.0.2:80 → 172.17.0.3:4660, UDP, 4 bytes; without Ethernet addresses, that are its first 12 bytes.
const REST: &[u8] = b"\x08\x00\x45\x00\x00\x20\x00\x01\x00\x00\x40\x11\x22\xa8\xac\x11\x00\x02\xac\x11\x00\x03\x00\x50\x12\x34\x00\x0c\x00\x00abcd";
const ADDRESSES: &[u8] = b"\x02\x42\xac\x11\x00\x03\x02\x42\xac\x11\x00\x02";
const VLAN_7: &[u8] = b"\x81\x00\x00\x07";

fn frame(insert: &'static [u8], direction: Direction, time_ns: u64) -> Frame<'static> {
    let original_len = u32::try_from(ADDRESSES.len() + insert.len() + REST.len()).unwrap();
    Frame { head: ADDRESSES, insert, tail: REST, original_len, time_ns, direction, owner: None }
}

/// Two containers; the second joins in mid-stream.
fn file(format: Format) -> NamedTempFile {
    let mut encoder = Encoder::new(format, 0);
    encoder.section(&Section {
        hardware: "x86_64".into(),
        os: "Linux 6.18".into(),
        application: "pcapsule 0.1.0".into(),
        comment: "pcapsule capture web db".into(),
    });
    let web = encoder.interface(&Interface {
        name: "web/eth0".into(),
        description: "nginx, docker 4f2a, bridge docker0".into(),
        mac: Some(Mac::new([2, 0x42, 0xac, 0x11, 0, 2])),
        addresses: vec![
            InterfaceAddress { address: "172.17.0.2".parse().unwrap(), prefix: 16 },
            InterfaceAddress { address: "fd00::2".parse().unwrap(), prefix: 64 },
        ],
        filter: "udp port 80".into(),
        speed: Some(10_000_000_000),
        link_type: pcapsule::savefile::LinkType::ETHERNET,
    });
    encoder.names([("172.17.0.2".parse().unwrap(), "web.app"), ("fd00::2".parse().unwrap(), "web.app")]);
    encoder.packet(web, &frame(b"", Direction::Out, TIME_NS), &PacketOptions::default());
    let db = encoder.interface(&Interface { name: "db/eth0".into(), ..Interface::default() });
    encoder.packet(
        db,
        &frame(VLAN_7, Direction::In, TIME_NS + 1),
        &PacketOptions {
            drops: 3,
            packet_id: Some(77),
            process: Some(Process { pid: 42, tid: 43 }),
            comment: "process=nginx ✓",
        },
    );
    encoder.event(TIME_NS, &[("MESSAGE", "db started\nwith two lines"), ("PRIORITY", "6")]);
    count(&mut encoder, web);
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(encoder.bytes()).unwrap();
    file
}

fn count(encoder: &mut Encoder, id: InterfaceId) {
    let statistics = Statistics {
        start_ns: Some(TIME_NS),
        end_ns: TIME_NS + 2,
        received: Some(11),
        dropped: Some(5),
        ..Statistics::default()
    };
    encoder.statistics(id, &statistics);
}

/// What the tool prints on stdout when called with these words; it must succeed and complain of nothing.
fn output(tool: &str, arguments: &[&str], file: &Path) -> Option<String> {
    let result = Command::new(tool).args(arguments).arg(file).env("TZ", "UTC").output();
    let Ok(output) = result else {
        let required = std::env::var("PCAPSULE_REQUIRE").unwrap_or_default();
        assert!(
            !required.split(',').any(|name| [tool, "tshark"].contains(&name)),
            "{tool} is required, not there"
        );
        println!("skipped: {tool} is not installed");
        return None;
    };
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool}: {complaint}");
    for word in ["malformed", "cut short", "damaged", "truncated", "corrupt"] {
        assert!(!complaint.contains(word), "{tool}: {complaint}");
    }
    Some(String::from_utf8(output.stdout).unwrap())
}

/// One line a frame, with the values of these fields.
fn tshark(file: &Path, fields: &[&str]) -> Option<Vec<String>> {
    let mut arguments = vec!["-N", "n", "-T", "fields", "-E", "separator=|"];
    arguments.extend(fields.iter().flat_map(|field| ["-e", field]));
    arguments.push("-r");
    output("tshark", &arguments, file).map(|text| text.lines().map(str::to_owned).collect())
}

#[test]
fn tshark_sees_interfaces_directions_times_and_comments() {
    let file = file(Format::Pcapng);
    let fields = [
        "frame.interface_name",
        "frame.packet_flags_direction",
        "frame.time_epoch",
        "frame.packet_id",
        "frame.comment",
        "vlan.id",
        "udp.dstport",
    ];
    let Some(lines) = tshark(file.path(), &fields) else { return };
    assert_eq!(lines[0], "web/eth0|0x00000002|1700000000.123456789||||4660");
    assert_eq!(lines[1], "db/eth0|0x00000001|1700000000.123456790|77|process=nginx ✓|7|4660");
}

#[test]
fn tshark_shows_names_and_events() {
    let file = file(Format::Pcapng);
    let Some(lines) = tshark(file.path(), &["ip.src_host", "_ws.col.Protocol", "_ws.col.Info"]) else {
        return;
    };
    assert!(lines[0].starts_with("web.app|UDP|"), "{lines:?}");
    assert_eq!(lines[2..].first().map(String::as_str), Some("|systemd Journal|db started\\nwith two lines"));
}

#[test]
fn capinfos_sees_sections_interfaces_and_counters() {
    let file = file(Format::Pcapng);
    let Some(text) = output("capinfos", &[], file.path()) else { return };
    for line in [
        "Capture hardware:    x86_64",
        "Capture oper-sys:    Linux 6.18",
        "Capture application: pcapsule 0.1.0",
        "Capture comment:     pcapsule capture web db",
        "Number of interfaces in file: 2",
        "Name = web/eth0",
        "Description = nginx, docker 4f2a, bridge docker0",
        "Time precision = nanoseconds (9)",
        "Filter string = udp port 80",
        "Number of stat entries = 1",
        "Number of packets = 1",
    ] {
        assert!(text.contains(line), "{line:?} is missing in\n{text}");
    }
}

#[test]
fn tcpdump_reads_both_formats() {
    for format in [Format::Pcapng, Format::Pcap] {
        let file = file(format);
        let Some(text) = output("tcpdump", &["-n", "-e", "-tt", "--nano", "-r"], file.path()) else { return };
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{format:?}: {text}");
        assert!(lines[0].starts_with("1700000000.123456789 02:42:ac:11:00:02 > 02:42:ac:11:00:03"), "{text}");
        assert!(lines[1].starts_with("1700000000.123456790") && lines[1].contains("vlan 7"), "{text}");
    }
}

/// A file that somebody else wrote from ours has the same packets.
#[test]
fn the_reader_reads_what_editcap_writes() {
    let ours = file(Format::Pcap);
    for kind in ["pcap", "nsecpcap", "pcapng"] {
        let theirs = NamedTempFile::new().unwrap();
        let input = ours.path().to_str().unwrap();
        let Some(_) = output("editcap", &["-F", kind, input], theirs.path()) else { return };
        let bytes = fs::read(theirs.path()).unwrap();
        let mut reader = Reader::new(&bytes[..]).unwrap();
        let mut lengths = Vec::new();
        while let Some(record) = reader.next_record().unwrap() {
            if let Record::Packet(packet) = record {
                assert_eq!(packet.time_ns / 1000, TIME_NS / 1000, "{kind}");
                lengths.push(packet.data.len());
            }
        }
        assert_eq!(lengths, [46, 50], "{kind}");
    }
}
