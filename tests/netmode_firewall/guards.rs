//! What must not be reached: the sandbox by its own address from outside, and what is published on loopback.

use pcapsule::{netmode::Reach, sys::nft::Nft};

use crate::lab::{HOST, NEIGHBOUR, SANDBOX, SANDBOX6, Stack, on_host, publish, ruleset};

#[test]
fn a_neighbour_with_a_route_does_not_reach_the_sandbox_itself() {
    on_host(|lab| {
        lab.tcp_server("sandbox", "[::]:80");
        let direct = [format!("{SANDBOX}:80"), format!("[{SANDBOX6}]:80")];
        for address in &direct {
            lab.ask("neighbour", address).expect("without rules the route leads there");
        }
        let published = publish(Stack::Dual, &["8080:80"]);
        for address in &direct {
            assert!(lab.ask("neighbour", address).is_err(), "{address}");
        }
        assert!(lab.ask("neighbour", &format!("{HOST}:8080")).is_ok());
        drop(published);
        for address in &direct {
            lab.ask("neighbour", address).expect("the rules have gone");
        }
    });
}

#[test]
fn a_neighbour_does_not_reach_what_is_published_on_loopback() {
    on_host(|lab| {
        // A host that lets loopback addresses in, as some tools want it, and a neighbour who sends to them.
        lab.run("host", "sysctl -qw net.ipv4.conf.all.route_localnet=1");
        lab.run("neighbour", "sysctl -qw net.ipv4.conf.all.route_localnet=1");
        lab.run("neighbour", "ip addr del 127.0.0.1/8 dev lo");
        lab.run("neighbour", &format!("ip route add 127.0.0.1 via {HOST} src {NEIGHBOUR}"));
        lab.tcp_server("sandbox", "[::]:80");
        lab.tcp_server("host", "127.0.0.1:7000");
        assert!(lab.ask("neighbour", "127.0.0.1:7000").is_ok(), "the attack works where nobody guards");
        let _published = publish(Stack::V4, &["127.0.0.1:8080:80", "8081:80", "127.0.0.1:5300:53/udp"]);
        lab.udp_server("sandbox", "[::]:53");
        for port in [8080, 8081] {
            assert!(lab.ask("neighbour", &format!("127.0.0.1:{port}")).is_err(), "{port}");
            assert!(lab.ask("host", &format!("127.0.0.1:{port}")).is_ok(), "{port}");
        }
        assert!(lab.ask_udp("neighbour", "127.0.0.1:5300").is_err());
        assert!(lab.ask_udp("host", "127.0.0.1:5300").is_ok());
        assert!(lab.ask("neighbour", "127.0.0.1:7000").is_ok(), "what is not ours is left as it was");
        assert!(lab.ask("neighbour", &format!("{HOST}:8080")).is_err());
    });
}

#[test]
fn an_internal_sandbox_goes_nowhere_but_to_its_bridge() {
    on_host(|lab| {
        lab.tcp_server("neighbour", "[::]:80");
        lab.tcp_server("host", "[::]:81");
        // So that answers would find back without masquerade.
        assert!(lab.ask("sandbox", &format!("{NEIGHBOUR}:80")).is_ok());
        let mut nft = Nft::start().unwrap();
        nft.commit(&ruleset(Stack::Dual, Reach::Bridge, &[])).unwrap();
        assert!(lab.ask("sandbox", &format!("{NEIGHBOUR}:80")).is_err());
        assert!(lab.ask("sandbox", "10.88.0.1:81").is_ok());
    });
}
