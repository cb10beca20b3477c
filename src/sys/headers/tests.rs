//! The program on frames: against etherparse, and against the kernel, which cuts datagrams between two sockets by it.

use std::os::{fd::AsFd as _, unix::net::UnixDatagram};

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use proptest::prelude::*;

use super::*;
use crate::sys::{MAX_SNAPLEN, bpf::Program, filter::Filter, ring::socket::attach_filter};

const PAYLOAD: usize = 900;

/// How many bytes of a frame are kept.
fn kept(media: MediaType, frame: &[u8]) -> usize {
    let len = u32::try_from(frame.len()).unwrap();
    let kept = Program::from(keep_headers(media, MAX_SNAPLEN)).run(frame, len);
    frame.len().min(kept as usize)
}

fn bytes(pieces: &[&[u8]]) -> Vec<u8> {
    pieces.concat()
}

fn ethernet(tags: &[u16], ether_type: u16, rest: &[u8]) -> Vec<u8> {
    let mut frame = vec![2; 12];
    for tag in tags {
        frame.extend(tag.to_be_bytes());
        frame.extend([0, 42]);
    }
    frame.extend(ether_type.to_be_bytes());
    bytes(&[&frame, rest])
}

fn ipv4(option_words: u8, fragment: u16, protocol: u8, rest: &[u8]) -> Vec<u8> {
    let header_len = 20 + 4 * usize::from(option_words);
    let mut header = vec![0x45 + option_words, 0];
    header.extend(u16::try_from(header_len + rest.len()).unwrap().to_be_bytes());
    header.extend([0, 1]);
    header.extend(fragment.to_be_bytes());
    header.extend([64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    header.resize(header_len, 1);
    bytes(&[&header, rest])
}

fn ipv6(protocol: u8, rest: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(rest.len()).unwrap().to_be_bytes();
    bytes(&[&[0x60, 0, 0, 0, high, low, protocol, 64], &[0xfd; 32], rest])
}

/// An extension header: the protocol that follows it, and in the fields of the other kinds, how long it is.
fn extension(kind: u8, next: u8, words: u8) -> Vec<u8> {
    match kind {
        44 => vec![next, 0, 0, 0, 0, 0, 0, 7],
        51 => bytes(&[&[next, words + 1], &vec![0; 10 + 4 * usize::from(words)]]),
        _ => bytes(&[&[next, words], &vec![0; 6 + 8 * usize::from(words)]]),
    }
}

fn tcp(option_words: u8, payload: usize) -> Vec<u8> {
    let mut header =
        vec![0x30, 0x39, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, (5 + option_words) << 4, 0x10, 1, 0, 0, 0, 0, 0];
    header.resize(20 + 4 * usize::from(option_words), 1);
    header.resize(header.len() + payload, b'x');
    header
}

fn udp(port: u16, rest: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + rest.len()).unwrap();
    bytes(&[&[0x30, 0x39], &port.to_be_bytes(), &len.to_be_bytes(), &[0, 0], rest])
}

fn icmp(kind: u8, rest: &[u8]) -> Vec<u8> {
    bytes(&[&[kind, 0, 0, 0, 0, 0, 0, 1], rest])
}

/// Where the payload begins, by etherparse.
fn payload_offset(frame: &[u8]) -> usize {
    let packet = SlicedPacket::from_ethernet(frame).unwrap();
    let payload = match (&packet.transport, &packet.net) {
        (Some(TransportSlice::Tcp(tcp)), _) => tcp.payload(),
        (Some(TransportSlice::Udp(udp)), _) => udp.payload(),
        (Some(TransportSlice::Icmpv4(icmp)), _) => icmp.payload(),
        (Some(TransportSlice::Icmpv6(icmp)), _) => icmp.payload(),
        (None, Some(NetSlice::Ipv4(ip))) => ip.payload().payload,
        (None, Some(NetSlice::Ipv6(ip))) => ip.payload().payload,
        other => panic!("not among those that are made here: {other:?}"),
    };
    frame.len() - payload.len()
}

/// Protocol number and bytes of a transport header and its payload.
fn transports() -> impl Strategy<Value = (u8, Vec<u8>)> {
    prop_oneof![
        (0_u8..=10, 0..PAYLOAD).prop_map(|(words, payload)| (6, tcp(words, payload))),
        (0..PAYLOAD).prop_map(|payload| (17, udp(53, &vec![b'x'; payload]))),
        (0..PAYLOAD).prop_map(|payload| (1, icmp(8, &vec![b'x'; payload]))),
        (0..PAYLOAD).prop_map(|payload| (58, icmp(129, &vec![b'x'; payload]))),
    ]
}

fn frames() -> impl Strategy<Value = Vec<u8>> {
    let tags = prop::collection::vec(prop::sample::select(vec![0x8100_u16, 0x88a8]), 0..=3);
    let v4 = (0_u8..=10, prop_oneof![Just(0x4000_u16), 1_u16..0x1fff], transports())
        .prop_map(|(options, fragment, (protocol, rest))| (0x0800, ipv4(options, fragment, protocol, &rest)));
    // In the order of RFC 8200, 4.1, the only one that etherparse reads; and it stops at "more fragments".
    let extensions = prop::sample::subsequence(vec![0_u8, 60, 43, 44, 51], 0..=5);
    let v6 = (extensions, prop::collection::vec(0_u8..9, 5), transports()).prop_map(
        |(kinds, words, transport)| {
            let (protocol, mut rest) = transport;
            let mut next = protocol;
            for (kind, words) in kinds.iter().zip(words).rev() {
                rest = bytes(&[&extension(*kind, next, words), &rest]);
                next = *kind;
            }
            (0x86dd, ipv6(next, &rest))
        },
    );
    (tags, prop_oneof![v4, v6]).prop_map(|(tags, (ether_type, rest))| ethernet(&tags, ether_type, &rest))
}

/// Two sockets; the kernel cuts by the program what arrives at the second.
fn cutting(program: &mut [sock_filter]) -> (UnixDatagram, UnixDatagram) {
    let (sender, receiver) = UnixDatagram::pair().unwrap();
    attach_filter(receiver.as_fd(), program).unwrap();
    (sender, receiver)
}

proptest! {
    #[test]
    fn the_payload_goes_and_the_headers_stay(frame in frames()) {
        let headers = payload_offset(&frame);
        prop_assert_eq!(kept(MediaType::Ethernet, &frame), headers);
        let tags_and_ethernet = frame.iter().skip(12).step_by(4).take_while(|byte| [0x81, 0x88].contains(*byte)).count() * 4 + 14;
        prop_assert_eq!(kept(MediaType::RawIp, &frame[tags_and_ethernet..]), headers - tags_and_ethernet);
        // However little of it there is, it is there as far as the headers go: the kernel never drops it.
        for len in 1..headers {
            prop_assert_eq!(kept(MediaType::Ethernet, &frame[..len]), len);
        }
    }

    #[test]
    fn the_kernel_cuts_every_frame_as_reckoned(
        frames in prop::collection::vec(prop_oneof![frames(), prop::collection::vec(any::<u8>(), 1..200)], 16),
    ) {
        for media in [MediaType::Ethernet, MediaType::RawIp] {
            let (sender, receiver) = cutting(&mut keep_headers(media, MAX_SNAPLEN));
            let mut buffer = [0; 4096];
            for frame in &frames {
                sender.send(frame).unwrap();
                prop_assert_eq!(receiver.recv(&mut buffer).unwrap(), kept(media, frame), "{:02x?}", frame);
            }
        }
    }
}

#[test]
fn what_is_no_payload_stays() {
    let x = [b'x'; PAYLOAD];
    let v4 = |protocol, rest: &[u8]| ethernet(&[], 0x0800, &ipv4(0, 0, protocol, rest));
    let v6 = |protocol, rest: &[u8]| ethernet(&[], 0x86dd, &ipv6(protocol, rest));
    let quoted = ipv4(0, 0, 6, &tcp(0, PAYLOAD));
    for (what, frame, expected) in [
        ("ARP", ethernet(&[], 0x0806, &[1; 46]), 60),
        ("spanning tree", ethernet(&[], 38, &[0x42; 46]), 60),
        ("an unknown type", ethernet(&[], 0x9999, &x), 14 + 128),
        ("more tags than anybody uses", ethernet(&[0x8100; 4], 0x0800, &x), 14 + 3 * 4 + 128),
        ("an error and the headers it quotes", v4(1, &icmp(3, &quoted)), 34 + 8 + 40),
        ("an error of IPv6", v6(58, &icmp(3, &x)), 54 + 8 + 60),
        ("a neighbour solicitation", v6(58, &icmp(135, &[0; 24])), 54 + 32),
        ("a multicast report of IPv4", v4(2, &[0x22; 16]), 34 + 16),
        ("a protocol nobody knows", v4(200, &x), 34 + 128),
        ("an association's data", v4(132, &x), 34 + 28),
        ("a signed packet of IPv4", v4(51, &bytes(&[&extension(51, 17, 3), &udp(53, &x)])), 34 + 24 + 8),
        ("a packet without a next header", v6(59, &x), 54 + 128),
        ("a first fragment", ethernet(&[], 0x0800, &ipv4(0, 0x2000, 17, &udp(53, &x))), 34 + 8),
        ("a first fragment of IPv6", v6(44, &bytes(&[&[17, 0, 0, 1, 0, 0, 0, 7], &udp(53, &x)])), 54 + 8 + 8),
        ("a later fragment", v6(44, &bytes(&[&[17, 0, 0, 9, 0, 0, 0, 7], &x])), 54 + 8),
        ("a header length that is none", v4(6, &[0; PAYLOAD]), 34 + 128),
    ] {
        assert_eq!(kept(MediaType::Ethernet, &frame), expected, "{what}");
    }
}

#[test]
fn what_lies_in_a_tunnel_has_its_headers_too() {
    let inner = ipv4(0, 0, 6, &tcp(3, PAYLOAD));
    let inner_v6 = ipv6(17, &udp(53, &[b'x'; PAYLOAD]));
    let v4 = |protocol, rest: &[u8]| ethernet(&[], 0x0800, &ipv4(0, 0, protocol, rest));
    let vxlan = |port, frame: &[u8]| v4(17, &udp(port, &bytes(&[&[8, 0, 0, 0, 0, 0, 42, 0], frame])));
    for (what, frame, expected) in [
        ("VXLAN", vxlan(4789, &ethernet(&[0x8100], 0x0800, &inner)), 50 + 18 + 20 + 32),
        ("VXLAN on Linux' own port", vxlan(8472, &ethernet(&[], 0x86dd, &inner_v6)), 50 + 14 + 40 + 8),
        ("IP in IP", v4(4, &inner), 34 + 20 + 32),
        ("IPv6 in IPv4", v4(41, &inner_v6), 34 + 40 + 8),
        ("GRE", v4(47, &bytes(&[&[0, 0, 8, 0], &inner])), 34 + 4 + 20 + 32),
        ("GRE with a key", v4(47, &bytes(&[&[0x20, 0, 0x86, 0xdd, 0, 0, 0, 7], &inner_v6])), 34 + 8 + 48),
        (
            "GRE with all it can have, and Ethernet",
            v4(47, &bytes(&[&[0xb0, 0, 0x65, 0x58], &[0; 12], &ethernet(&[], 0x0800, &inner)])),
            34 + 16 + 14 + 52,
        ),
        ("GRE of another version", v4(47, &bytes(&[&[0x30, 1, 0x88, 0x0b], &inner])), 34 + 128),
        ("a tunnel in a tunnel", v4(4, &ipv4(0, 0, 4, &inner)), 34 + 20 + 128),
    ] {
        assert_eq!(kept(MediaType::Ethernet, &frame), expected.min(frame.len()), "{what}");
    }
}

#[test]
fn a_snapshot_length_still_cuts() {
    let frame = ethernet(&[], 0x0800, &ipv4(0, 0, 6, &tcp(10, PAYLOAD)));
    for (snaplen, expected) in [(1, 1), (60, 60), (94, 94), (95, 94), (MAX_SNAPLEN, 94)] {
        let program = Program::from(keep_headers(MediaType::Ethernet, snaplen));
        assert_eq!(program.run(&frame, u32::try_from(frame.len()).unwrap()), expected);
    }
}

#[test]
fn most_of_what_the_kernel_takes_is_left_to_the_filter() {
    const BPF_MAXINSNS: usize = 4096;
    let len = keep_headers(MediaType::Ethernet, MAX_SNAPLEN).len();
    assert!(len < BPF_MAXINSNS / 3, "{len}");
}

#[test]
fn a_filter_decides_first() {
    let long = "port 1 or port 2 or port 3 or net 10.0.0.0/8 and not (tcp[13] & 7 != 0) or ip6 proto 17";
    for expression in ["udp", "tcp port 80", "ip6 or udp[4:2] > 100", long] {
        let filter = Filter::parse(expression).unwrap();
        let program =
            filter.on(MediaType::Ethernet).unwrap().followed_by(&keep_headers(MediaType::Ethernet, 70));
        let (sender, receiver) = cutting(&mut program.clone());
        receiver.set_nonblocking(true).unwrap();
        for frame in [
            ethernet(&[], 0x0800, &ipv4(0, 0, 6, &tcp(0, PAYLOAD))),
            ethernet(&[], 0x0800, &ipv4(0, 0, 17, &udp(53, &[b'x'; PAYLOAD]))),
            ethernet(&[], 0x86dd, &ipv6(17, &udp(1, &[b'x'; PAYLOAD]))),
            ethernet(&[], 0x0806, &[0; 28]),
        ] {
            let len = u32::try_from(frame.len()).unwrap();
            let wanted =
                if filter.passes(&frame, len) { kept(MediaType::Ethernet, &frame).min(70) } else { 0 };
            assert_eq!(Program::from(program.clone()).run(&frame, len), u32::try_from(wanted).unwrap());
            sender.send(&frame).unwrap();
            assert_eq!(receiver.recv(&mut [0; 2048]).unwrap_or(0), wanted, "{expression}");
        }
    }
}
