//! Scenes that need a network of their own: loss, a small MTU, tags, a cut.

use std::net::Ipv4Addr;

use crate::{
    lab::{Cable, Conversation, run},
    tags::{DOT1AD, DOT1Q, Tag, send},
};

use super::studio::Studio;

pub(super) fn record(studio: &Studio) {
    let cable = || Cable::between(["left", "right"].map(str::to_owned)).expect("namespaces to record in");
    retransmission(studio, &cable());
    small_mtu(studio, &cable());
    tags(studio, &cable());
    snapped(studio, &cable());
}

fn talk(cable: &Cable) -> Conversation {
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT)
}

fn retransmission(studio: &Studio, cable: &Cable) {
    let happens = "a segment that is lost on the way and sent again";
    let nft = |words: &str| {
        let net = format!("--net={}", cable.right().path().display());
        run("nsenter", &[&net, "nft", words]);
    };
    nft("add table ip lossy");
    nft("add chain ip lossy input { type filter hook input priority 0; }");
    // The first segment with data is within the quota, the second is not.
    nft("add rule ip lossy input tcp dport 7001 tcp flags & psh == psh quota until 200 bytes drop");
    studio.record("09-retransmission", happens, &[&cable.left_selector(), "-f", "tcp"], |_| {
        talk(cable).stream(7001, &[b'.'; 100]);
    });
}

fn small_mtu(studio: &Studio, cable: &Cable) {
    let happens = "a datagram too big for the way behind a router, which says so, and its fragments";
    let (left, router) = (cable.left(), cable.right());
    for line in ["link add small mtu 600 type veth peer name far", "addr add 10.99.1.1/24 dev small"] {
        router.ip(&line.split(' ').collect::<Vec<_>>());
    }
    for link in ["small", "far"] {
        router.ip(&["link", "set", link, "up"]);
    }
    // What lies below /proc/sys/net is the namespace of whoever opens it.
    let forward = router.inside(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1"));
    forward.expect("a router may forward");
    left.ip(&["route", "add", "10.99.1.0/24", "via", &Cable::RIGHT.to_string()]);
    let beyond = Ipv4Addr::new(10, 99, 1, 2);
    studio.record("10-fragmentation-needed", happens, &[&cable.left_selector(), "-f", "ip"], |_| {
        let socket = left.inside(|| std::net::UdpSocket::bind("0.0.0.0:0").expect("a free port"));
        for _ in 0..2 {
            // The second send reports the ICMP error that the first one caused.
            let _ = socket.send_to(&[b'.'; 1000], (beyond, 7000));
        }
    });
}

fn tags(studio: &Studio, cable: &Cable) {
    let line = [&cable.left_selector(), "-f", "vlan"];
    studio.record("11-vlan", "an ARP question with a VLAN tag", &line, |_| {
        send(cable, &[Tag { ether_type: DOT1Q, id: 42 }]);
    });
    studio.record("12-qinq", "an ARP question with a service tag and a customer tag (QinQ)", &line, |_| {
        send(cable, &[Tag { ether_type: DOT1AD, id: 7 }, Tag { ether_type: DOT1Q, id: 42 }]);
    });
}

fn snapped(studio: &Studio, cable: &Cable) {
    let happens = "datagrams of which 60 bytes were kept";
    studio.record("13-snapped", happens, &[&cable.left_selector(), "-s", "60", "-f", "udp"], |_| {
        talk(cable).ask(7000, &[b'.'; 500]);
    });
}
