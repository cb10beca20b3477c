//! What can be published, and to whom a port belongs.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket},
    time::Duration,
};

use crate::lab::{Host, Like, Sandbox, Tcp, Udp, ask, client, datagram, inside, is_silent, said};

/// Case 18: each way of writing it.
#[test]
fn each_way_of_writing_a_port_is_understood() {
    let any = IpAddr::from(Host::LAN);
    let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
    for (text, transport, inner, reached, not) in [
        ("8080:80", Tcp, 80, SocketAddr::from((any, 8080)), None),
        ("8080:80/tcp", Tcp, 80, (any, 8080).into(), None),
        ("8080:80/udp", Udp, 80, (any, 8080).into(), None),
        ("0.0.0.0:8080:80", Tcp, 80, (any, 8080).into(), Some((IpAddr::from(Host::LAN6), 8080))),
        ("[::]:8080:80", Tcp, 80, (Host::LAN6, 8080).into(), Some((any, 8080))),
        ("127.0.0.1:8080:80", Tcp, 80, (loopback, 8080).into(), Some((any, 8080))),
        ("[::1]:8080:80", Tcp, 80, (Ipv6Addr::LOCALHOST, 8080).into(), Some((loopback, 8080))),
        ("198.51.100.1:8080:80", Tcp, 80, (any, 8080).into(), Some((loopback, 8080))),
        ("8000-8009:80-89", Tcp, 87, (any, 8007).into(), Some((any, 8010))),
        ("8000-8009:8000-8009", Tcp, 8003, (any, 8003).into(), Some((any, 7999))),
        ("127.0.0.1:8000-8009:80-89/udp", Udp, 89, (loopback, 8009).into(), Some((loopback, 8010))),
    ] {
        let Some(host) = Host::make() else { return };
        let before = host.snapshot();
        let sandbox = Sandbox::up(&host, &["--ipv6", "-p", text]);
        let server = sandbox.serve(transport, inner);
        let answer = ask(&host.place().net(), transport, reached);
        assert_eq!(answer.map(|answer| answer.by).as_deref(), Some(sandbox.name()), "{text}: {reached}");
        if let Some(not) = not {
            assert!(is_silent(&host.place().net(), transport, not), "{text}: {not:?}");
        }
        drop(server);
        sandbox.down();
        host.assert_as(&before);
    }
}

/// Case 18: a port that the program chooses, and says.
#[test]
fn a_port_without_a_number_on_the_host_is_chosen_and_told() {
    let Some(host) = Host::make() else { return };
    let sandbox = Sandbox::up(&host, &["-p", "80"]);
    let _server = sandbox.serve(Tcp, 80);
    let sockets = host.snapshot();
    let port = sockets.part("sockets").iter().find_map(|line| {
        let local = line.split_whitespace().nth(4)?;
        local.rsplit_once(':')?.1.parse::<u16>().ok()
    });
    let port = port.expect("a listening socket");
    let row = host.listed(sandbox.name()).expect("it is listed").to_string();
    assert!(row.contains(&port.to_string()), "{row} does not tell {port}");
    assert!(ask(&host.neighbour().net(), Tcp, (Host::LAN, port)).is_some());
}

/// Case 18: what is none.
#[test]
fn impossible_ports_are_refused() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    for wrong in [
        "0:80",
        "8080:0",
        "65536:80",
        "8080:65536",
        "8000-8009:80-88",
        "8009-8000:80-89",
        "8080:80/icmp",
        "8080:80/",
        "nonsense",
        "8080:",
        "1.2.3:8080:80",
        "[::1:8080:80",
        "8080:80:90:100",
        "",
    ] {
        let refused = host.pcapsule(&["net", "up", "-p", wrong]);
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}: {}", said(&refused));
    }
    let twice = host.pcapsule(&["net", "up", "-p", "8080:80", "-p", "8080:81"]);
    assert!(!twice.status.success(), "one port of the host for two of the sandbox");
    host.assert_as(&before);
}

/// Case 18: an address that the host does not have.
#[test]
fn a_port_of_somebody_elses_address_is_refused() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let refused = host.pcapsule(&["net", "up", "-p", "192.0.2.77:8080:80"]);
    assert!(!refused.status.success() && said(&refused).contains("192.0.2.77"), "{}", said(&refused));
    host.assert_as(&before);
}

/// Case 25: whoever comes second fails, at once and without a trace.
#[test]
fn a_port_in_use_is_refused() {
    let Some(host) = Host::make() else { return };
    let tcp = inside(&host.place().net(), || TcpListener::bind("0.0.0.0:8080")).expect("a free port");
    let udp = inside(&host.place().net(), || UdpSocket::bind("127.0.0.1:8081")).expect("a free port");
    let before = host.snapshot();
    for (port, number) in [
        ("8080:80", "8080"),
        ("127.0.0.1:8080:80", "8080"),
        ("8081:80/udp", "8081"),
        ("8000-8100:80-180", "8080"),
    ] {
        let refused = host.pcapsule(&["net", "up", "-p", "9090:90", "-p", port]);
        assert!(!refused.status.success(), "{port} is in use");
        assert!(said(&refused).contains(number) && said(&refused).contains("in use"), "{}", said(&refused));
        host.assert_as(&before);
    }
    drop((tcp, udp));
}

/// Case 25: between two sandboxes.
#[test]
fn a_port_of_another_sandbox_is_refused() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let first = Sandbox::up(&host, &["-p", "8080:80"]);
    let one = host.snapshot_of_living();
    let refused = host.pcapsule(&["net", "up", "-p", "8080:80"]);
    assert!(!refused.status.success() && said(&refused).contains("8080"), "{}", said(&refused));
    host.assert_as(&one);
    first.assert_published();
    first.down();
    host.assert_as(&before);
}

/// Case 25: the port is bound, so that other programs hear of it.
#[test]
fn a_published_port_is_in_use_for_others() {
    let Some(host) = Host::make() else { return };
    let sandbox = Sandbox::up(&host, &["-p", "8080:80", "-p", "8081:81/udp"]);
    for address in ["0.0.0.0", "127.0.0.1", "[::]", "198.51.100.1"] {
        let net = host.place().net();
        let tcp = inside(&net, || TcpListener::bind(format!("{address}:8080"))).map(drop);
        assert_eq!(tcp.expect_err("it is bound").kind(), ErrorKind::AddrInUse, "tcp {address}");
        let udp = inside(&net, || UdpSocket::bind(format!("{address}:8081"))).map(drop);
        assert_eq!(udp.expect_err("it is bound").kind(), ErrorKind::AddrInUse, "udp {address}");
    }
    sandbox.down();
    inside(&host.place().net(), || TcpListener::bind("0.0.0.0:8080")).expect("it is free again");
}

/// Case 28: the client goes on from its port, and the next sandbox has another address.
#[test]
fn udp_reaches_the_next_sandbox_from_the_same_client() {
    for like in [Like::default(), Like::DOCKER] {
        let Some(host) = Host::like(like) else { return };
        let before = host.snapshot();
        for net in [host.neighbour().net(), host.place().net()] {
            let asker = inside(&net, || client((Host::LAN, 5353).into())).expect("a socket");
            let mut blocker = None;
            for round in 0..3 {
                // Somebody in the way, lest the address be the same each time.
                let sandbox = Sandbox::up(&host, &["-p", "5353:53/udp"]);
                let server = sandbox.serve(Udp, 53);
                let answer = datagram(&asker, Duration::from_secs(3));
                let answer = answer.unwrap_or_else(|error| panic!("round {round}: {error}"));
                assert_eq!(answer.split(' ').next(), Some(sandbox.name()), "round {round}");
                drop(server);
                sandbox.down();
                // While nobody is there the client goes on.
                let _ = datagram(&asker, Duration::from_millis(50));
                blocker = Some(blocker.unwrap_or_else(|| Sandbox::up(&host, &[])));
            }
            drop(blocker);
        }
        host.assert_as(&before);
    }
}

/// Case 29: one port inside, two addresses outside; and both transports of one number.
#[test]
fn one_port_on_two_addresses_and_both_transports() {
    let Some(host) = Host::make() else { return };
    host.sh("ip addr add 198.51.100.11/24 dev lan0");
    let before = host.snapshot();
    let [lan, second] = ["198.51.100.1:8080:80", "198.51.100.11:8080:80"];
    let sandbox = Sandbox::up(&host, &["-p", lan, "-p", second, "-p", "198.51.100.1:8080:81/udp"]);
    let servers = [sandbox.serve(Tcp, 80), sandbox.serve(Udp, 81)];
    for to in [Host::LAN, Ipv4Addr::new(198, 51, 100, 11)] {
        assert!(ask(&host.neighbour().net(), Tcp, (to, 8080)).is_some(), "{to}");
    }
    assert!(ask(&host.neighbour().net(), Udp, (Host::LAN, 8080)).is_some());
    drop(servers);
    // Another one beside it on the same number goes without taking this one's rules along.
    let beside = Sandbox::up(&host, &["-p", "198.51.100.11:8080:80/udp"]);
    beside.down();
    sandbox.assert_published();
    sandbox.down();
    host.assert_as(&before);
}

/// Each client of a port that the proxy serves has a socket, and no memory to speak of.
#[test]
fn many_clients_of_udp_take_little_memory() {
    const CLIENTS: usize = 300;
    let Some(host) = Host::make() else { return };
    let sandbox = Sandbox::up(&host, &["-p", "127.0.0.1:5353:53/udp"]);
    let _server = sandbox.serve(Udp, 53);
    let keeper = host.listed(sandbox.name()).expect("it is listed")["keeper"].clone();
    let kib = || {
        let line = host.sh(&format!("grep VmData: /proc/{keeper}/status"));
        line.split_whitespace().nth(1).and_then(|word| word.parse::<usize>().ok()).expect("a number")
    };
    let ask = || {
        let asker =
            inside(&host.place().net(), || client((Ipv4Addr::LOCALHOST, 5353).into())).expect("a socket");
        let answer = datagram(&asker, Duration::from_secs(3)).expect("it is answered");
        assert_eq!(answer.split(' ').next(), Some(sandbox.name()));
        asker
    };
    let first = ask();
    let before = kib();
    let others: Vec<_> = (1..CLIENTS).map(|_| ask()).collect();
    let grown = kib() - before;
    assert!(grown < 8 * CLIENTS, "{grown} KiB for {CLIENTS} clients");
    drop((first, others));
}

/// Case 30: the rules do not grow with the ports, nor do the processes.
#[test]
fn a_thousand_ports_are_few_rules() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let count = |host: &Host| {
        let snapshot = host.snapshot();
        let rules = snapshot.part("nft list ruleset").iter().filter(|line| is_rule(line)).count();
        (rules, snapshot.part("processes").len())
    };
    let one = Sandbox::up(&host, &["-p", "8000:80"]);
    let of_one = count(&host);
    one.down();
    for ports in ["8000-8999:8000-8999", "8000-8999:1000-1999"] {
        let many = Sandbox::up(&host, &["-p", ports]);
        let of_many = count(&host);
        assert!(of_many.0 <= of_one.0 + 4, "{ports}: {} rules, {} for one port", of_many.0, of_one.0);
        assert_eq!(of_many.1, of_one.1, "{ports}: processes");
        let inner = if ports.ends_with("1999") { 1999 } else { 8999 };
        let server = many.serve(Tcp, inner);
        for (net, to) in [(host.neighbour().net(), Host::LAN), (host.place().net(), Ipv4Addr::LOCALHOST)] {
            assert!(ask(&net, Tcp, (to, 8999)).is_some(), "{ports}: {to}");
        }
        drop(server);
        many.down();
        host.assert_as(&before);
    }
}

fn is_rule(line: &str) -> bool {
    ["dnat", "masquerade", "drop", "accept", "snat", "redirect"].iter().any(|word| line.contains(word))
}
