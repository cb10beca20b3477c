//! What must not be reachable: ports of the loopback from the LAN, addresses of sandboxes from outside, networks from each
//! other, and the outside where the network is internal.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::lab::{Host, Like, Sandbox, Tcp, Udp, ask, is_silent};

/// Case 22: neither by the LAN address nor by a route to the loopback address.
#[test]
fn a_port_of_the_loopback_is_not_reachable_from_the_lan() {
    for like in [Like::default(), Like::DOCKER] {
        for address in ["127.0.0.1", "127.0.0.2"] {
            let Some(host) = Host::like(like) else { return };
            let before = host.snapshot();
            let ports = ["tcp", "udp"].map(|kind| format!("{address}:8080:80/{kind}"));
            let sandbox = Sandbox::up(&host, &["-p", &ports[0], "-p", &ports[1]]);
            let loopback: Ipv4Addr = address.parse().expect("an address");
            host.neighbour().sh(&format!(
                "sysctl -qw net.ipv4.conf.all.route_localnet=1 net.ipv4.conf.lan0.rp_filter=0
                 ip addr del 127.0.0.1/8 dev lo
                 ip route flush table local 127.0.0.0/8 2>/dev/null || true
                 ip route add {address}/32 via {}",
                Host::LAN
            ));
            for transport in [Tcp, Udp] {
                let server = sandbox.serve(transport, 80);
                assert!(
                    ask(&host.place().net(), transport, (loopback, 8080)).is_some(),
                    "the host reaches it"
                );
                for to in [IpAddr::from(Host::LAN), loopback.into()] {
                    assert!(is_silent(&host.neighbour().net(), transport, (to, 8080)), "{transport:?} {to}");
                }
                drop(server);
            }
            sandbox.down();
            host.assert_as(&before);
        }
    }
}

/// Case 22: not even where the administrator lets loopback addresses be routed.
#[test]
fn a_host_that_routes_loopback_addresses_is_no_way_in() {
    let Some(host) = Host::make() else { return };
    host.sh("sysctl -qw net.ipv4.conf.all.route_localnet=1 net.ipv4.conf.lan0.rp_filter=0");
    let sandbox = Sandbox::up(&host, &["-p", "127.0.0.1:8080:80"]);
    let _server = sandbox.serve(Tcp, 80);
    host.neighbour().sh(&format!(
        "sysctl -qw net.ipv4.conf.all.route_localnet=1
         ip addr del 127.0.0.1/8 dev lo
         ip route add 127.0.0.1/32 via {}",
        Host::LAN
    ));
    assert!(ask(&host.place().net(), Tcp, (Ipv4Addr::LOCALHOST, 8080)).is_some(), "the host reaches it");
    assert!(is_silent(&host.neighbour().net(), Tcp, (Ipv4Addr::LOCALHOST, 8080)));
}

/// Case 22 in IPv6.
#[test]
fn a_port_of_the_ipv6_loopback_is_not_reachable_from_the_lan() {
    let Some(host) = Host::make() else { return };
    let sandbox = Sandbox::up(&host, &["--ipv6", "-p", "[::1]:8080:80"]);
    let _server = sandbox.serve(Tcp, 80);
    assert!(ask(&host.place().net(), Tcp, (Ipv6Addr::LOCALHOST, 8080)).is_some(), "the host reaches it");
    for to in [IpAddr::from(Host::LAN), Host::LAN6.into()] {
        assert!(is_silent(&host.neighbour().net(), Tcp, (to, 8080)), "{to}");
    }
}

/// Case 23.
#[test]
fn two_loopback_addresses_have_a_port_each() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let one = Sandbox::up(&host, &["-p", "127.0.0.2:8080:80", "-p", "127.0.0.2:8080:80/udp"]);
    let two = Sandbox::up(&host, &["-p", "127.0.0.3:8080:80", "-p", "127.0.0.3:8080:80/udp"]);
    for transport in [Tcp, Udp] {
        let servers = [one.serve(transport, 80), two.serve(transport, 80)];
        for (last, sandbox) in [(2, &one), (3, &two)] {
            let answer = ask(&host.place().net(), transport, (Ipv4Addr::new(127, 0, 0, last), 8080));
            assert_eq!(answer.expect("somebody answers").by, sandbox.name());
        }
        drop(servers);
    }
    one.down();
    two.down();
    host.assert_as(&before);
}

/// Case 24: with a route to it, neither its published port nor another; and the LAN is none the worse.
#[test]
fn the_address_of_a_sandbox_is_not_reachable_from_outside() {
    for like in [Like::default(), Like { router: true, ..Like::default() }, Like::DOCKER] {
        let Some(host) = Host::like(like) else { return };
        let before = host.snapshot();
        let sandbox = Sandbox::up(&host, &["--ipv6", "-p", "8080:80", "-p", "8080:80/udp"]);
        let addresses = [IpAddr::from(sandbox.address()), sandbox.address6().into()];
        for address in addresses {
            host.route_from_neighbour(&format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 }));
        }
        for transport in [Tcp, Udp] {
            let servers = [sandbox.serve(transport, 80), sandbox.serve(transport, 7777)];
            for to in addresses.into_iter().flat_map(|address| [(address, 80), (address, 7777)]) {
                assert!(ask(&host.place().net(), transport, to).is_some(), "the host itself reaches {to:?}");
                assert!(is_silent(&host.neighbour().net(), transport, to), "{transport:?} {to:?} {like:?}");
            }
            assert!(ask(&host.neighbour().net(), transport, (Host::LAN, 8080)).is_some(), "{transport:?}");
            drop(servers);
        }
        sandbox.down();
        host.assert_as(&before);
    }
}

/// Case 31: members of two networks do not reach each other but through published ports, in neither family.
#[test]
fn two_networks_do_not_reach_each_other() {
    for like in [Like::default(), Like { router: true, ..Like::default() }, Like::DOCKER] {
        let Some(host) = Host::like(like) else { return };
        let before = host.snapshot();
        let one = Sandbox::up(&host, &["--ipv6", "-p", "8080:80"]);
        let other = Sandbox::up(&host, &["--ipv6", "--bridge", "pcsother0"]);
        let server = one.serve(Tcp, 80);
        for to in [IpAddr::from(one.address()), one.address6().into()] {
            assert!(is_silent(&other.net(), Tcp, SocketAddr::from((to, 80))), "{to} {like:?}");
        }
        for to in [IpAddr::from(Host::LAN), Host::LAN6.into()] {
            assert!(ask(&other.net(), Tcp, SocketAddr::from((to, 8080))).is_some(), "{to} {like:?}");
        }
        drop(server);
        one.down();
        other.down();
        host.assert_as(&before);
    }
}

/// Case 24: what is published on one of the host's addresses is on no other.
#[test]
fn a_port_of_one_address_is_on_no_other() {
    let Some(host) = Host::make() else { return };
    host.sh("ip addr add 198.51.100.11/24 dev lan0");
    let before = host.snapshot();
    let sandbox = Sandbox::up(&host, &["-p", "198.51.100.11:8080:80"]);
    let server = sandbox.serve(Tcp, 80);
    for net in [host.place().net(), host.neighbour().net()] {
        assert!(ask(&net, Tcp, (Ipv4Addr::new(198, 51, 100, 11), 8080)).is_some());
        assert!(is_silent(&net, Tcp, (Host::LAN, 8080)));
        assert!(is_silent(&net, Tcp, (Host::LAN6, 8080)));
    }
    assert!(is_silent(&host.place().net(), Tcp, (Ipv4Addr::LOCALHOST, 8080)));
    drop(server);
    sandbox.down();
    host.assert_as(&before);
}
