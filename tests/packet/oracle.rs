//! tcpdump as the judge: where our lines claim to be its lines, they are.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use etherparse::{PacketBuilder, PacketBuilderStep, TcpOptionElement, ip_number};
use pcapsule::model::{Direction, Frame};
use pcapsule::packet::{LinkHeader, Names};
use pcapsule::report::{DumpFrom, HexDump, LineStyle, PacketLines, SequenceNumbers, TimeStyle};

use super::corpus;

/// A frame and its length on the wire.
type Sent = (Vec<u8>, u32);

/// The first packet's time; each later one comes 1.000001 s after the one before.
const START_SECOND: u32 = 1_700_000_000;
const TAP: &str = "tap -   ";

fn is_tcpdump_here() -> bool {
    let here = Command::new("tcpdump").arg("--version").output().is_ok();
    let required = std::env::var("PCAPSULE_REQUIRE").unwrap_or_default();
    assert!(
        here || !required.split(',').any(|word| word == "tcpdump"),
        "tcpdump is required and not installed"
    );
    if !here {
        eprintln!("skipped: tcpdump is not installed");
    }
    here
}

/// A classic capture file of Ethernet frames with microseconds (pcap-savefile(5)).
fn savefile(frames: &[Sent]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4, 4 << 16 | 2, 0, 0, 262_144, 1] {
        file.extend(u32::to_le_bytes(word));
    }
    for (position, (bytes, original_len)) in (0..).zip(frames) {
        for word in [START_SECOND + position, position, u32::try_from(bytes.len()).unwrap(), *original_len] {
            file.extend(word.to_le_bytes());
        }
        file.extend(bytes);
    }
    file
}

fn tcpdump(frames: &[Sent], options: &[&str]) -> String {
    let mut child = Command::new("tcpdump")
        .args(["-nn", "-r", "-"])
        .args(options)
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let file = savefile(frames);
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&file));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn pcapsule(frames: &[Sent], style: LineStyle) -> String {
    let mut lines = PacketLines::new(Vec::new(), style);
    for (position, (bytes, original_len)) in (0..).zip(frames) {
        let time_ns = (u64::from(START_SECOND) + position) * 1_000_000_000 + position * 1_000;
        let frame = Frame::whole(bytes, *original_len, time_ns, Direction::Unknown);
        lines.write(&frame, "tap", Names::NUMERIC).unwrap();
    }
    String::from_utf8(lines.into_inner()).unwrap().replace(TAP, "")
}

fn style() -> LineStyle {
    LineStyle {
        time: TimeStyle::None,
        zone: jiff::tz::TimeZone::UTC,
        sequence: SequenceNumbers::Absolute,
        ..LineStyle::default()
    }
}

/// Compares line by line, so that a failure shows the first line that differs.
fn assert_same(ours: &str, theirs: &str) {
    for (ours, theirs) in ours.lines().zip(theirs.lines()) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.lines().count(), theirs.lines().count());
}

/// Takes away the dump that tcpdump puts after a line whose words it does not know.
fn without_dumps(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with('\t')).map(|line| line.to_owned() + "\n").collect()
}

/// Takes away what we add to tcpdump's words: ` (quoting …)` and the like at the end of a line.
fn without_additions(text: &str) -> String {
    let additions = [" (quoting ", " (host ", " (lladdr ", " (Discover"];
    let line = |line| additions.iter().fold(line, |line: &str, mark| line.split(mark).next().unwrap_or(line));
    text.lines().map(|text| line(text).to_owned() + "\n").collect()
}

fn like_tcpdump(wanted: impl Fn(&str) -> bool) -> Vec<Sent> {
    let cases = corpus::cases().into_iter().filter(|case| case.as_tcpdump && wanted(case.name));
    let frames: Vec<Sent> = cases.map(|case| (case.bytes, case.original_len)).collect();
    assert!(frames.len() > 100);
    frames
}

fn whole(frames: Vec<Vec<u8>>) -> Vec<Sent> {
    frames
        .into_iter()
        .map(|bytes| (bytes.len(), bytes))
        .map(|(len, bytes)| (bytes, len.try_into().unwrap()))
        .collect()
}

/// A header from one of two ends to the other.
fn ip(from: u8, to: u8) -> PacketBuilderStep<etherparse::IpHeaders> {
    PacketBuilder::ethernet2([2, 0, 0, 0, 0, from], [2, 0, 0, 0, 0, to]).ipv4(
        [10, 0, 0, from],
        [10, 0, 0, to],
        64,
    )
}

/// A conversation: handshake, data, a hole acknowledged selectively, a retransmission, and the end.
fn conversation() -> Vec<Sent> {
    const CLIENT: u32 = 4_294_967_290; // soon to wrap around
    const SERVER: u32 = 1_000;
    let client = |seq: u32| ip(1, 2).tcp(40_000, 40_001, CLIENT.wrapping_add(seq), 500);
    let server = |seq: u32| ip(2, 1).tcp(40_001, 40_000, SERVER + seq, 600);
    let hole = [TcpOptionElement::SelectiveAcknowledgement(
        (CLIENT.wrapping_add(11), CLIENT.wrapping_add(21)),
        [None, None, None],
    )];
    let steps = vec![
        (client(0).syn().options(&[TcpOptionElement::MaximumSegmentSize(1460)]).unwrap(), 0),
        (server(0).syn().ack(CLIENT.wrapping_add(1)), 0),
        (client(1).ack(SERVER + 1), 0),
        (client(1).psh().ack(SERVER + 1), 10),
        (client(11).psh().ack(SERVER + 1), 10),
        (server(1).ack(CLIENT.wrapping_add(1)).options(&hole).unwrap(), 0),
        (client(1).psh().ack(SERVER + 1), 10),
        (server(1).psh().ack(CLIENT.wrapping_add(21)), 1000),
        (client(21).fin().ack(SERVER + 1001), 0),
        (server(1001).rst(), 0),
    ];
    let frame = |(step, payload): (PacketBuilderStep<etherparse::TcpHeader>, usize)| {
        let mut bytes = Vec::new();
        step.write(&mut bytes, &vec![b'.'; payload]).unwrap();
        bytes
    };
    whole(steps.into_iter().map(frame).collect())
}

#[test]
fn the_words_are_the_same() {
    if is_tcpdump_here() {
        let frames = like_tcpdump(|_| true);
        let theirs = without_dumps(&tcpdump(&frames, &["-t", "-S"]));
        assert_same(&without_additions(&pcapsule(&frames, style())), &theirs);
    }
}

#[test]
fn the_link_header_is_the_same() {
    if is_tcpdump_here() {
        // With `-e` tcpdump also shows LLC's and the tunnels' own link headers.
        let frames = like_tcpdump(|name| {
            !["spanning tree", "GRE", "IP in IP", "IPv6 in IP"].iter().any(|other| name.contains(other))
        });
        let theirs = without_dumps(&tcpdump(&frames, &["-t", "-S", "-e"]));
        let ours = pcapsule(&frames, LineStyle { link_header: LinkHeader::Show, ..style() });
        assert_same(&without_additions(&ours), &theirs);
    }
}

#[test]
fn a_conversation_has_the_same_relative_numbers() {
    if is_tcpdump_here() {
        let frames = conversation();
        let relative = LineStyle { sequence: SequenceNumbers::Relative, ..style() };
        assert_same(&pcapsule(&frames, relative), &tcpdump(&frames, &["-t"]));
        assert_same(&pcapsule(&frames, style()), &tcpdump(&frames, &["-t", "-S"]));
    }
}

#[test]
fn a_conversation_without_its_beginning_has_the_same_relative_numbers() {
    if is_tcpdump_here() {
        let frames = conversation().split_off(3);
        let relative = LineStyle { sequence: SequenceNumbers::Relative, ..style() };
        assert_same(&pcapsule(&frames, relative), &tcpdump(&frames, &["-t"]));
    }
}

#[test]
fn times_are_the_same() {
    if is_tcpdump_here() {
        let frames = conversation();
        for (time, option) in [
            (TimeStyle::TimeOfDay, "-S"), // without an option of its own
            (TimeStyle::None, "-t"),
            (TimeStyle::Epoch, "-tt"),
            (TimeStyle::Delta, "-ttt"),
            (TimeStyle::Date, "-tttt"),
        ] {
            let theirs = tcpdump(&frames, &["-S", option]);
            let theirs: String = theirs.lines().map(|line| line.trim_start().to_owned() + "\n").collect();
            assert_same(&pcapsule(&frames, LineStyle { time, ..style() }), &theirs);
        }
    }
}

#[test]
fn dumps_are_the_same() {
    if is_tcpdump_here() {
        let frames = conversation();
        for (dump, option) in [
            (HexDump::Hex(DumpFrom::Network), "-x"),
            (HexDump::Hex(DumpFrom::Link), "-xx"),
            (HexDump::HexAndText(DumpFrom::Network), "-X"),
            (HexDump::HexAndText(DumpFrom::Link), "-XX"),
        ] {
            assert_eq!(
                pcapsule(&frames, LineStyle { dump, ..style() }),
                tcpdump(&frames, &["-S", "-t", option])
            );
        }
    }
}

/// Two thousand TCP, UDP and ICMP packets with whatever fields, on ports that mean nothing to either.
#[test]
fn made_up_packets_have_the_same_lines() {
    if is_tcpdump_here() {
        let mut dice = Dice(1);
        let frames = whole((0..2000).map(|_| made_up(&mut dice)).collect());
        assert_same(&pcapsule(&frames, style()), &tcpdump(&frames, &["-S", "-t"]));
    }
}

/// Numbers that look random and are the same in each run (a multiply-with-carry generator).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 = (self.0 & 0xffff_ffff) * 4_294_957_665 + (self.0 >> 32);
        u32::try_from(self.0 & 0xffff_ffff).unwrap() % sides
    }

    fn word(&mut self) -> u16 {
        u16::try_from(self.roll(65_536)).unwrap()
    }

    fn port(&mut self) -> u16 {
        40_000 + u16::try_from(self.roll(1000)).unwrap()
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.roll(256)).unwrap()
    }
}

fn made_up(dice: &mut Dice) -> Vec<u8> {
    let payload: Vec<u8> = (0..dice.roll(40)).map(|_| dice.byte() | 0x80).collect();
    let mut transport = Vec::new();
    let protocol = match dice.roll(3) {
        0 => {
            let mut header =
                etherparse::TcpHeader::new(dice.port(), dice.port(), dice.roll(u32::MAX), dice.word());
            header.acknowledgment_number = dice.roll(u32::MAX);
            header.urgent_pointer = dice.word();
            let mut flag = || dice.roll(2) == 0;
            (header.syn, header.ack, header.fin, header.rst) = (flag(), flag(), flag(), flag());
            (header.psh, header.urg, header.ece, header.cwr) = (flag(), flag(), flag(), flag());
            header.write(&mut transport).unwrap();
            ip_number::TCP
        }
        1 => {
            let header =
                etherparse::UdpHeader::without_ipv4_checksum(dice.port(), dice.port(), payload.len())
                    .unwrap();
            header.write(&mut transport).unwrap();
            ip_number::UDP
        }
        _ => {
            transport.extend([if dice.roll(2) == 0 { 0 } else { 8 }, 0, 0, 0]);
            transport.extend([dice.byte(), dice.byte(), dice.byte(), dice.byte()]);
            ip_number::ICMP
        }
    };
    transport.extend(payload);
    let mut bytes = Vec::new();
    ip(dice.byte(), dice.byte()).write(&mut bytes, protocol, &transport).unwrap();
    bytes
}
