//! Flows that the kernel remembers from before.

use pcapsule::{
    netmode::{forget_sandbox, forget_stale},
    sys::{
        conntrack::{Conntrack, Family, Which},
        nft::Nft,
    },
};

use crate::lab::{
    HOST, NEIGHBOUR, SANDBOX, Stack, addresses, ask_by, on_host, publications, publish, ruleset,
};
use pcapsule::netmode::Reach;

#[test]
fn a_client_of_udp_that_began_before_is_served_once_its_flow_is_forgotten() {
    on_host(|lab| {
        lab.udp_server("sandbox", "[::]:53");
        // Somebody else on the host has connections tracked already.
        lab.run("host", "nft add table inet theirs");
        lab.run("host", "nft add chain inet theirs in '{ type filter hook prerouting priority 0; }'");
        lab.run("host", "nft add rule inet theirs in ct state new counter");
        let client = lab.udp_socket("neighbour", "0.0.0.0:4000");
        let host = format!("{HOST}:5300");
        assert!(ask_by(&client, &host).is_err());

        // The host's port is not the sandbox's.
        let reserved = publications(&["5300:53/udp"]).reserve().unwrap();
        let mut nft = Nft::start().unwrap();
        nft.commit(&ruleset(Stack::V4, Reach::Everywhere, reserved.forwards())).unwrap();
        assert!(ask_by(&client, &host).is_err(), "the kernel forgot by itself");
        let sandbox = [SANDBOX.parse().unwrap()];
        assert_eq!(forget_stale(reserved.forwards(), &sandbox).unwrap(), 1);
        assert_eq!(ask_by(&client, &host).unwrap(), format!("{NEIGHBOUR} hello"));
        assert_eq!(forget_stale(reserved.forwards(), &sandbox).unwrap(), 0, "this one is right");
        assert_eq!(ask_by(&client, &host).unwrap(), format!("{NEIGHBOUR} hello"));
    });
}

#[test]
fn nothing_is_remembered_of_a_sandbox_that_is_gone_and_all_of_others() {
    on_host(|lab| {
        lab.tcp_server("sandbox", "[::]:80");
        lab.udp_server("sandbox", "[::]:53");
        lab.tcp_server("neighbour", "[::]:8080");
        let published = publish(Stack::Dual, &["8080:80", "5300:53/udp"]);
        for (from, to) in
            [("neighbour", HOST), ("host", "127.0.0.1"), ("host", "[::1]"), ("sandbox", NEIGHBOUR)]
        {
            assert!(lab.ask(from, &format!("{to}:8080")).is_ok(), "{from} {to}");
        }
        assert!(lab.ask_udp("neighbour", &format!("{HOST}:5300")).is_ok());
        // The same port, but nothing of ours.
        assert!(lab.ask("host", &format!("{NEIGHBOUR}:8080")).is_ok());
        let forwards = published.forwards.clone();
        drop(published);
        let sandbox: Vec<_> = addresses(Stack::Dual).iter().map(|address| address.address).collect();
        assert!(forget_sandbox(&forwards, &sandbox).unwrap() >= 5);
        let mut conntrack = Conntrack::open().unwrap();
        let mut left = Vec::new();
        for family in [Family::V4, Family::V6] {
            for protocol in [6, 17] {
                left.extend(conntrack.flows(Which::Protocol(family, protocol)).unwrap());
            }
        }
        let [flow] = &left[..] else { panic!("{left:?}") };
        assert_eq!(flow.destination, format!("{NEIGHBOUR}:8080").parse().unwrap());
    });
}
