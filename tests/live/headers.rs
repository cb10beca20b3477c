//! `--headers`: of each packet exactly its headers are kept, whatever is sent; tshark measures them.

use std::{
    io::Read as _,
    net::{IpAddr, TcpListener, UdpSocket},
    path::Path,
    thread,
};

use crate::{
    lab::{Cable, Capture, Cgroup, Conversation, at, rows, run},
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

/// At the sockets of a cgroup there is no link layer; the one in the file is made up, before headers that are real.
#[test]
fn at_a_cgroup_no_packet_has_more_or_less_than_its_headers_either() {
    let Some(group) = Cgroup::make() else { return };
    let datagrams = ["127.0.0.1:0", "[::1]:0"].map(|any| UdpSocket::bind(any).expect("a free port"));
    let listeners = ["127.0.0.1:0", "[::1]:0"].map(|any| TcpListener::bind(any).expect("a free port"));
    let [udp4, udp6] = datagrams.each_ref().map(|socket| socket.local_addr().expect("it is bound").port());
    let [tcp4, tcp6] = listeners.each_ref().map(|socket| socket.local_addr().expect("it is bound").port());
    let filter = format!("icmp or udp port {udp4} or udp port {udp6} or tcp port {tcp4} or tcp port {tcp6}");
    let [whole, cut] = [&[][..], &["--headers"]]
        .map(|options| Capture::of(&[&group.selector()], &[&["-f", &filter], options].concat()));
    thread::scope(|scope| {
        for listener in &listeners {
            scope.spawn(|| listener.accept().expect("the client comes").0.read_to_end(&mut Vec::new()));
        }
        for (address, udp, tcp) in [("127.0.0.1", udp4, tcp4), ("::1", udp6, tcp6)] {
            group.bash(&format!("printf '%0700d' 0 > /dev/udp/{address}/{udp}"));
            group.bash(&format!("head -c 400000 /dev/zero > /dev/tcp/{address}/{tcp}"));
        }
        group.bash("busybox ping -c 2 -s 500 127.0.0.1 >/dev/null");
    });
    let [whole, cut] = [whole, cut].map(Capture::stop);
    let fields = |first| {
        let others =
            ["frame.len", "ip.id", "ipv6.plen", "tcp.seq_raw", "tcp.hdr_len", "icmp.type", "udp.length"];
        [&[first], &others[..]].concat()
    };
    // The same packets as without the option, of the lengths that they had.
    let [packets, same] = [&cut, &whole].map(|ended| {
        let mut packets = rows(&ended.file(), "", &fields("frame.number")[1..]);
        packets.sort();
        packets
    });
    assert_eq!(packets, same);
    let mut kept = std::collections::BTreeSet::new();
    for row in rows(&cut.file(), "", &fields("frame.cap_len")) {
        let length = |text: &str| text.parse::<usize>().expect("a number");
        let ip = if row[3].is_empty() { 20 } else { 40 };
        let transport = if row[5].is_empty() { 8 } else { length(&row[5]) };
        assert_eq!(length(&row[0]), 14 + ip + transport, "{row:?}");
        let kind = if row[5].is_empty() { ["udp", "ping"][usize::from(row[7].is_empty())] } else { "tcp" };
        kept.insert((kind, ip, length(&row[1]) > SUPER_PACKET));
    }
    for expected in
        [("udp", 20, false), ("udp", 40, false), ("tcp", 20, true), ("tcp", 40, true), ("ping", 20, false)]
    {
        assert!(kept.contains(&expected), "no {expected:?} in {kept:?}");
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
