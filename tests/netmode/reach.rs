//! Published ports, from everywhere: the host by each of its addresses, the LAN, the sandbox itself, its neighbours.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::lab::{Host, Like, Sandbox, Server, Tcp, Transport, Udp, ask};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOOPBACK6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
const LAN: IpAddr = IpAddr::V4(Host::LAN);
const LAN6: IpAddr = IpAddr::V6(Host::LAN6);
const BRIDGE_NF: Like = Like { bridge_nf: true, ..NOTHING };
const NOTHING: Like = Like { docker: false, bridge_nf: false, router: false };

/// Case 19: from the host, by every address it has.
#[test]
fn the_host_reaches_it_by_every_address() {
    each_kind(&[], |host, sandbox, transport| {
        let gateway = sandbox.gateway().expect("a gateway");
        for address in [LOOPBACK, LOOPBACK6, LAN, LAN6, gateway, Ipv4Addr::new(127, 9, 9, 9).into()] {
            answers(sandbox, &host.place().net(), transport, (address, 8080).into());
        }
    });
}

/// Case 19: the same if the sandbox has IPv6 too.
#[test]
fn the_host_reaches_both_families() {
    each_kind(&["--ipv6"], |host, sandbox, transport| {
        for address in [LOOPBACK, LOOPBACK6, LAN, LAN6] {
            answers(sandbox, &host.place().net(), transport, (address, 8080).into());
        }
    });
}

/// Cases 18 and 19: from the LAN; the server sees who asks.
#[test]
fn the_lan_reaches_it_and_is_seen() {
    each_kind(&["--ipv6"], |host, sandbox, transport| {
        for (address, neighbour) in [(LAN, IpAddr::from(Host::NEIGHBOUR)), (LAN6, Host::NEIGHBOUR6.into())] {
            let seen = answers(sandbox, &host.neighbour().net(), transport, (address, 8080).into());
            assert_eq!(seen, neighbour, "the source address is kept");
        }
    });
}

/// Case 19: IPv6 from the LAN to a sandbox that has none goes through the proxy.
#[test]
fn the_lan_reaches_a_sandbox_without_ipv6_by_ipv6() {
    each_kind(&[], |host, sandbox, transport| {
        answers(sandbox, &host.neighbour().net(), transport, (LAN6, 8080).into());
    });
}

/// Cases 19 and 20: the sandbox itself, through the host's addresses.
#[test]
fn a_sandbox_reaches_its_own_port() {
    each_kind(&["--ipv6"], |_, sandbox, transport| {
        for address in [LAN, LAN6, sandbox.gateway().expect("a gateway")] {
            answers(sandbox, &sandbox.net(), transport, (address, 8080).into());
        }
    });
}

/// Case 20: the same where frames of a bridge pass through iptables.
#[test]
fn a_sandbox_reaches_its_own_port_through_bridge_netfilter() {
    on(BRIDGE_NF, &["--ipv6"], |_, sandbox, transport| {
        for address in [LAN, LAN6] {
            answers(sandbox, &sandbox.net(), transport, (address, 8080).into());
        }
    });
}

/// Case 19: another sandbox at the same bridge.
#[test]
fn a_sandbox_beside_it_reaches_it() {
    for like in [NOTHING, BRIDGE_NF, Like::DOCKER] {
        on(like, &["--ipv6"], |host, sandbox, transport| {
            let beside = Sandbox::up(host, &["--ipv6"]);
            for address in [LAN, LAN6] {
                answers(sandbox, &beside.net(), transport, (address, 8080).into());
            }
            for address in [sandbox.address().into(), IpAddr::from(sandbox.address6())] {
                answers(sandbox, &beside.net(), transport, (address, 80).into());
            }
        });
    }
}

/// Cases 19 and 31: a sandbox at another bridge.
#[test]
fn a_sandbox_of_another_network_reaches_it() {
    each_kind(&["--ipv6"], |host, sandbox, transport| {
        let foreign = Sandbox::up(host, &["--ipv6", "--bridge", "pcsother0"]);
        for address in [LAN, LAN6] {
            answers(sandbox, &foreign.net(), transport, (address, 8080).into());
        }
    });
}

/// Case 21.
#[test]
fn strict_reverse_path_filters_are_no_hindrance() {
    for like in [NOTHING, Like::DOCKER] {
        let Some(host) = Host::like(like) else { return };
        host.sh("sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1 net.ipv4.conf.lan0.rp_filter=1");
        let sandbox = Sandbox::up(&host, &["-p", "8080:80"]);
        let _server = sandbox.serve(Tcp, 80);
        for net in [host.place().net(), host.neighbour().net(), sandbox.net()] {
            answers(&sandbox, &net, Tcp, (LAN, 8080).into());
        }
        answers(&sandbox, &host.place().net(), Tcp, (LOOPBACK, 8080).into());
    }
}

/// Case 19: a host that did not forward does not begin to do so for others.
#[test]
fn forwarding_is_for_our_bridge_alone() {
    let Some(host) = Host::make() else { return };
    host.sh("ip link add other0 type veth peer name other1 && ip addr add 10.77.0.1/24 dev other0 && ip link set other0 up");
    let before = host.snapshot();
    let sandbox = Sandbox::up(&host, &["-p", "8080:80"]);
    assert_eq!(host.sysctl("ipv4/ip_forward"), "0");
    assert_eq!(host.sysctl("ipv4/conf/default/forwarding"), "0");
    let server = sandbox.serve(Tcp, 80);
    answers(&sandbox, &host.neighbour().net(), Tcp, (LAN, 8080).into());
    drop(server);
    sandbox.down();
    host.assert_as(&before);
}

/// On a host of its own and on one of Docker's.
#[track_caller]
fn each_kind(options: &[&str], check: impl Fn(&Host, &Sandbox, Transport)) {
    for like in [NOTHING, Like::DOCKER] {
        on(like, options, &check);
    }
}

/// A sandbox whose port 80 is published as 8080, tcp and udp, and a server behind each; nothing is left afterwards.
#[track_caller]
fn on(like: Like, options: &[&str], check: impl Fn(&Host, &Sandbox, Transport)) {
    let Some(host) = Host::like(like) else { return };
    let before = host.snapshot();
    let ports = ["-p", "8080:80", "-p", "8080:80/udp"];
    let sandbox = Sandbox::up(&host, &[&ports, options].concat());
    for transport in [Tcp, Udp] {
        let server: Server = sandbox.serve(transport, 80);
        check(&host, &sandbox, transport);
        drop(server);
    }
    sandbox.down();
    host.assert_as(&before);
}

/// Whom the server saw; it must be this sandbox's.
#[track_caller]
fn answers(sandbox: &Sandbox, from: &std::path::Path, transport: Transport, to: SocketAddr) -> IpAddr {
    let answer = ask(from, transport, to);
    let answer = answer.unwrap_or_else(|| panic!("nobody answers at {to} ({transport:?})"));
    assert_eq!(answer.by, sandbox.name(), "who answers at {to} ({transport:?})");
    answer.seen
}
