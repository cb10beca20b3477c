//! Which network a sandbox gets, and which address in it.

use std::net::Ipv4Addr;

use crate::lab::{Host, Like, Sandbox, eventually, said};

/// Case 13: neither what is on a link, nor a nameserver's, nor an engine's.
#[test]
fn a_network_in_use_is_not_chosen() {
    let Some(host) = Host::make() else { return };
    let usual = network_of_a_new_one(&host);
    host.sh(&format!("ip link add other0 type veth peer name other1 && ip addr add {usual} dev other0"));
    for state in ["down", "up"] {
        host.sh(&format!("ip link set other0 {state}"));
        let second = network_of_a_new_one(&host);
        assert!(
            !same_network(&usual, &second),
            "{usual} is on a link that is {state}, and {second} is chosen"
        );
    }
    let second = network_of_a_new_one(&host);
    let nameserver = second.split('/').next().expect("an address");
    host.sh(&format!(
        "echo nameserver {nameserver} >/run/resolv.conf; mount --bind /run/resolv.conf /etc/resolv.conf"
    ));
    let third = network_of_a_new_one(&host);
    assert!(!same_network(&second, &third), "{second} has a nameserver, and {third} is chosen");
}

/// Case 13: asked for in spite of that, it is refused.
#[test]
fn an_overlap_asked_for_is_refused() {
    let Some(host) = Host::like(Like::DOCKER) else { return };
    let before = host.snapshot();
    for subnet in ["198.51.100.0/24", "198.51.100.128/25", "198.51.0.0/16", "172.17.5.0/24"] {
        let refused = host.pcapsule(&["net", "up", "--subnet", subnet]);
        assert!(!refused.status.success(), "{subnet} is taken");
        assert!(said(&refused).contains(subnet), "{}", said(&refused));
        host.assert_as(&before);
    }
}

/// Case 14.
#[test]
fn routes_of_a_vpn_do_not_count() {
    let Some(host) = Host::make() else { return };
    let usual = network_of_a_new_one(&host);
    host.sh("ip route add 0.0.0.0/1 via 198.51.100.2; ip route add 128.0.0.0/1 via 198.51.100.2");
    assert_eq!(network_of_a_new_one(&host), usual);
}

/// Case 15: the network is full.
#[test]
fn a_full_network_is_told() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let only = Sandbox::up(&host, &["--subnet", "10.55.0.0/30"]);
    let full = host.snapshot_of_living();
    let refused = host.pcapsule(&["net", "up", "--subnet", "10.55.0.0/30"]);
    assert!(!refused.status.success(), "there is no second address");
    assert!(said(&refused).contains("10.55.0.0/30"), "{}", said(&refused));
    host.assert_as(&full);
    only.down();
    host.assert_as(&before);
}

/// Case 15: a network of two addresses serves, for one (RFC 3021).
#[test]
fn a_network_of_two_addresses_serves() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let sandbox = Sandbox::up(&host, &["--subnet", "10.55.0.0/31", "-p", "8080:80"]);
    sandbox.assert_published();
    sandbox.down();
    host.assert_as(&before);
}

/// Case 15: networks that are none.
#[test]
fn impossible_networks_are_refused() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    for options in [
        &["--subnet", "10.55.0.0/32"][..],
        &["--subnet", "10.55.0.0/0"],
        &["--subnet", "10.55.0.0/33"],
        &["--subnet", "224.0.0.0/24"],
        &["--subnet", "127.5.0.0/16"],
        &["--subnet", "10.55.0.0"],
        &["--subnet", "10.55.0.0/24", "--ip", "10.56.0.7"],
        &["--subnet", "10.55.0.0/24", "--ip", "10.55.0.0"],
        &["--subnet", "10.55.0.0/24", "--ip", "10.55.0.255"],
    ] {
        let refused = host.pcapsule(&[&["net", "up"], options].concat());
        assert_eq!(refused.status.code(), Some(2), "{options:?}: {}", said(&refused));
        host.assert_as(&before);
    }
}

/// Case 16: an address, a name, once.
#[test]
fn what_is_taken_is_not_given_again() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let first = Sandbox::up(&host, &["--subnet", "10.55.0.0/24", "--ip", "10.55.0.7"]);
    assert_eq!(first.address(), Ipv4Addr::new(10, 55, 0, 7));
    let one = host.snapshot_of_living();
    for options in [&["--ip", "10.55.0.7"][..], &["--name", first.name()]] {
        let refused = host.pcapsule(&[&["net", "up", "--subnet", "10.55.0.0/24"], options].concat());
        assert!(!refused.status.success(), "{options:?} is taken");
        host.assert_as(&one);
    }
    first.down();
    host.assert_as(&before);
    let again = Sandbox::up(&host, &["--subnet", "10.55.0.0/24", "--ip", "10.55.0.7"]);
    again.down();
    host.assert_as(&before);
}

/// Case 15: leases do not outlive their sandboxes, however often.
#[test]
fn addresses_come_back() {
    let Some(host) = Host::make() else { return };
    for _ in 0..4 {
        Sandbox::up(&host, &["--subnet", "10.55.0.0/29"]).down();
        Sandbox::up(&host, &["--subnet", "10.55.0.0/29"]).down();
    }
    let [one, two] = [(); 2].map(|()| Sandbox::up(&host, &["--subnet", "10.55.0.0/29"]));
    assert_ne!(one.address(), two.address());
}

/// The network of a sandbox that is made for that, as its address and prefix.
fn network_of_a_new_one(host: &Host) -> String {
    let sandbox = Sandbox::up(host, &[]);
    let network = sandbox.network();
    sandbox.down();
    eventually("the bridge is gone", || (!host.sh("ip link").contains("pcapsule0")).then_some(()));
    network
}

fn same_network(one: &str, other: &str) -> bool {
    let network = |text: &str| {
        let (address, prefix) = text.split_once('/').expect("an address and a prefix");
        let address: Ipv4Addr = address.parse().expect("an address");
        let prefix: u32 = prefix.parse().expect("a prefix");
        u32::from(address) & (u32::MAX << (32 - prefix))
    };
    network(one) == network(other)
}
