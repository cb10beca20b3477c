//! The sockets of a namespace as we read them, against what `ss` of iproute2 says of the same ones.

use std::{
    collections::BTreeSet,
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
};

use pcapsule::sys::{
    netns,
    sock_diag::{Detail, InetSocket, Query, SockDiag, States, Transport},
};

use crate::lab::{Cable, Namespace, run};

#[test]
fn sockets_are_told_as_ss_tells_them() {
    let Some(cable) = Cable::lay() else { return };
    let left = cable.left();
    let held = left.inside(sockets_of_all_kinds);
    for (transport, option, count) in [(Transport::Tcp, "-t", 6), (Transport::Udp, "-u", 3)] {
        let ours = told(&left, Query { transport, states: States::All, detail: Detail::Counters });
        let expected = ss(&left, option);
        let lines: BTreeSet<String> = ours.iter().map(line).collect();
        assert_eq!(lines, expected, "{transport}");
        assert_eq!(lines.len(), count, "{transport}: {lines:?}");
        assert!(ours.iter().all(|socket| socket.drops == Some(0)), "{ours:?}");
        assert!(ours.iter().all(|socket| socket.cgroup.is_some()), "{ours:?}");
        let retransmissions = (transport == Transport::Tcp).then_some(0);
        assert!(ours.iter().all(|socket| socket.retransmissions == retransmissions), "{ours:?}");
    }
    let tcp = |states| told(&left, Query { transport: Transport::Tcp, states, detail: Detail::Plain }).len();
    assert_eq!((tcp(States::Waiting), tcp(States::Connected)), (2, 4));
    drop(held);
}

/// Listeners and both ends of a connection of each family, and datagram sockets with and without another end.
fn sockets_of_all_kinds() -> (Vec<TcpListener>, Vec<TcpStream>, Vec<UdpSocket>) {
    let listeners =
        ["127.0.0.1:0", "[::1]:0"].map(|address| TcpListener::bind(address).expect("a free port"));
    let mut streams = Vec::new();
    for listener in &listeners {
        let address = listener.local_addr().expect("it is bound");
        streams.push(TcpStream::connect(address).expect("it listens"));
        streams.push(listener.accept().expect("the client came").0);
    }
    let datagrams =
        ["127.0.0.1:0", "[::1]:0", "[::]:0"].map(|address| UdpSocket::bind(address).expect("a free port"));
    datagrams[1].connect("[::1]:9").expect("an address of the same family");
    (listeners.into(), streams, datagrams.into())
}

fn told(namespace: &Namespace, query: Query) -> Vec<InetSocket> {
    let namespace = netns::Namespace::open(namespace.path()).expect("it is there");
    let mut found = Vec::new();
    let mut diag = SockDiag::open_in(&namespace).expect("it can be entered");
    diag.sockets(query, |socket| found.push(socket)).expect("the kernel answers");
    found
}

fn line(socket: &InetSocket) -> String {
    let inode = socket.inode.unwrap_or_default();
    let ends = [socket.local, socket.remote].map(as_ss_writes_it);
    format!("{} {} ino:{inode} sk:{:x}", ends[0], ends[1], socket.cookie.0)
}

/// A port or an IPv6 address that is 0 is `*`.
fn as_ss_writes_it(address: SocketAddr) -> String {
    let port = if address.port() == 0 { "*".to_owned() } else { address.port().to_string() };
    match address {
        SocketAddr::V4(address) => format!("{}:{port}", address.ip()),
        SocketAddr::V6(address) => format!("[{}]:{port}", address.ip()),
    }
}

/// `ss` also tells the inode and the cookie of each.
fn ss(namespace: &Namespace, option: &str) -> BTreeSet<String> {
    let net = format!("--net={}", namespace.path().display());
    let text = run("nsenter", &[&net, "ss", "--no-header", "--all", "--numeric", "--extended", option]);
    let word = |line: &str, key: &str| {
        line.split_whitespace().find(|word| word.starts_with(key)).unwrap_or_default().to_owned()
    };
    let row = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let ends = [columns[3], columns[4]].map(|end| end.replace("*:", "[::]:"));
        format!("{} {} {} {}", ends[0], ends[1], word(line, "ino:"), word(line, "sk:"))
    };
    text.lines().map(row).collect()
}
