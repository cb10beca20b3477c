//! `--headers`: of each packet exactly its headers are kept, whatever is sent; tshark measures them.

use std::{net::IpAddr, path::Path};

use crate::{
    lab::{Cable, Capture, Conversation, at, rows, run},
    tags::{DOT1AD, DOT1Q},
};

/// Sent by TCP: enough for packets far above the MTU, which the kernel cuts up only where it must.
static STREAM: [u8; 400_000] = [b'.'; 400_000];
const SUPER_PACKET: usize = 3000;
const DATAGRAM: [u8; 700] = [b'.'; 700];
const VXLAN: usize = 14 + 20 + 8 + 8;

#[test]
fn no_packet_has_more_or_less_than_its_headers() {
    for engine in ["ring", "libpcap"] {
        let Some(cable) = Cable::lay() else { return };
        furnish(&cable);
        let options = ["--headers", "--engine", engine, "-f", "ip or ip6 or vlan"];
        let capture = Capture::of(&[&cable.left_selector()], &options);
        for tags in [&[DOT1Q][..], &[DOT1AD, DOT1Q]] {
            cable.right().injector("eth0").sendpacket(tagged(tags)).expect("the frame leaves");
        }
        for server in ["10.99.0.2", "10.98.0.2", "fd99::2"] {
            let server: IpAddr = server.parse().unwrap();
            let talk = Conversation::new(cable.left(), cable.right(), server);
            talk.stream(7000, &STREAM);
            talk.ask(7000, &DATAGRAM);
        }
        let ended = capture.stop();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let (file, eth0) = (ended.file(), at(&format!("{}/eth0", cable.left_name())));
        for (stretch, before_ip, ip) in [
            ("ip.addr == 10.99.0.2 && !vxlan && !vlan", 14, 20),
            ("ipv6 && (tcp || udp) && !vxlan", 14, 40),
            ("vxlan", VXLAN + 14, 20),
        ] {
            let packets = lengths(&file, &format!("{eth0} && {stretch}"), before_ip - 14);
            assert!(packets.contains(&(before_ip + ip + 8 + 700)), "{stretch}: {packets:?}");
            assert!(packets.iter().any(|length| *length > SUPER_PACKET), "{stretch}: {packets:?}");
        }
        assert_eq!(lengths(&file, "vlan", 0), [14 + 4 + 28 + 700, 14 + 8 + 28 + 700]);
        let description = run("capinfos", &["-I", file.to_str().unwrap()]);
        assert!(description.contains("headers only"), "{description}");
    }
}

/// An IPv6 network and a tunnel between the ends of a cable.
fn furnish(cable: &Cable) {
    for (end, own, other) in [(cable.left(), 1, 2), (cable.right(), 2, 1)] {
        let ip = |line: &str| end.ip(&line.split(' ').collect::<Vec<_>>());
        end.sysctl("net.ipv6.conf.eth0.disable_ipv6=0");
        ip(&format!("address add fd99::{own}/64 dev eth0 nodad"));
        ip(&format!("link add tunnel type vxlan id 42 dstport 4789 remote 10.99.0.{other} dev eth0"));
        ip(&format!("address add 10.98.0.{own}/24 dev tunnel"));
        ip("link set tunnel up");
    }
}

/// A datagram with these tags, outermost first.
fn tagged(tags: &[u16]) -> Vec<u8> {
    let mut frame = [[0xff; 6], [2, 0, 0, 0, 0, 1]].concat();
    for tag in tags {
        frame.extend(tag.to_be_bytes());
        frame.extend([0, 42]);
    }
    let [high, low] = u16::to_be_bytes(28 + 700);
    frame.extend([8, 0, 0x45, 0, high, low, 0, 1, 0, 0, 64, 17, 0, 0, 10, 99, 0, 9, 10, 99, 0, 1]);
    let [high, low] = u16::to_be_bytes(8 + 700);
    frame.extend([0x1b, 0x58, 0x1b, 0x58, high, low, 0, 0]);
    frame.extend(DATAGRAM);
    frame
}

/// The lengths on the wire, after a comparison of what was kept with what tshark says of the headers; `tunnel` is the
/// length of those before the innermost Ethernet header. No IP header here has options.
#[track_caller]
fn lengths(file: &Path, filter: &str, tunnel: usize) -> Vec<usize> {
    let fields = [
        "frame.cap_len",
        "frame.len",
        "vlan.id",
        "ieee8021ad.id",
        "ipv6.version",
        "tcp.hdr_len",
        "arp.opcode",
    ];
    let length = |text: &str| text.parse::<usize>().expect("a number");
    let check = |row: &Vec<String>| {
        let tags = row[2..4].iter().filter(|id| !id.is_empty()).count();
        let ip = if row[4].is_empty() { 20 } else { 40 };
        let transport = if row[5].is_empty() { 8 } else { length(&row[5]) };
        let above = if row[6].is_empty() { ip + transport } else { 28 };
        assert_eq!(length(&row[0]), tunnel + 14 + 4 * tags + above, "{filter}: {row:?}");
        length(&row[1])
    };
    rows(file, filter, &fields).iter().map(check).collect()
}
