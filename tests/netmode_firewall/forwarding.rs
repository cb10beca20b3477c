//! Published ports are reached from outside, from the host itself and from the sandbox, and the client's address stays.

use crate::lab::{GATEWAY, HOST, HOST6, NEIGHBOUR, NEIGHBOUR6, SANDBOX, SANDBOX6, Stack, on_host, publish};

#[test]
fn a_neighbour_reaches_a_port_and_is_seen_by_its_own_address() {
    on_host(|lab| {
        lab.tcp_server("sandbox", "[::]:80");
        lab.udp_server("sandbox", "[::]:53");
        let _published = publish(Stack::Dual, &["8080:80", "5300:53/udp"]);
        assert_eq!(lab.ask("neighbour", &format!("{HOST}:8080")).unwrap(), format!("{NEIGHBOUR} hello"));
        assert_eq!(lab.ask("neighbour", &format!("[{HOST6}]:8080")).unwrap(), format!("{NEIGHBOUR6} hello"));
        assert_eq!(lab.ask_udp("neighbour", &format!("{HOST}:5300")).unwrap(), format!("{NEIGHBOUR} hello"));
        assert_eq!(
            lab.ask_udp("neighbour", &format!("[{HOST6}]:5300")).unwrap(),
            format!("{NEIGHBOUR6} hello")
        );
    });
}

#[test]
fn the_host_reaches_a_port_by_each_of_its_addresses() {
    on_host(|lab| {
        lab.tcp_server("sandbox", "[::]:80");
        let _published = publish(Stack::Dual, &["8080:80"]);
        for host in [HOST, GATEWAY] {
            assert_eq!(lab.ask("host", &format!("{host}:8080")).unwrap(), format!("{host} hello"));
        }
        assert_eq!(lab.ask("host", &format!("[{HOST6}]:8080")).unwrap(), format!("{HOST6} hello"));
    });
}

#[test]
fn the_sandbox_reaches_its_own_port_with_and_without_bridge_netfilter() {
    on_host(|lab| {
        lab.tcp_server("sandbox", "[::]:80");
        lab.udp_server("sandbox", "[::]:53");
        let _published = publish(Stack::Dual, &["8080:80", "5300:53/udp"]);
        for called in [false, true] {
            if !lab.call_rules_for_bridged(called) {
                continue;
            }
            for host in [HOST, GATEWAY] {
                let answer = lab.ask("sandbox", &format!("{host}:8080")).unwrap();
                assert_eq!(answer, format!("{GATEWAY} hello"), "{called} {host}");
                let answer = lab.ask_udp("sandbox", &format!("{host}:5300")).unwrap();
                assert_eq!(answer, format!("{GATEWAY} hello"), "{called} {host}");
            }
            let answer = lab.ask("sandbox", &format!("[{HOST6}]:8080")).unwrap();
            assert_eq!(answer, "fd00:88::1 hello", "{called}");
        }
    });
}

#[test]
fn a_port_at_one_address_answers_there_alone() {
    on_host(|lab| {
        lab.tcp_server("sandbox", "[::]:80");
        lab.run("host", "ip addr add 192.0.2.5/24 dev lan0");
        let _published = publish(Stack::V4, &["192.0.2.5:8080:80"]);
        assert_eq!(lab.ask("neighbour", "192.0.2.5:8080").unwrap(), format!("{NEIGHBOUR} hello"));
        assert_eq!(lab.ask("host", "192.0.2.5:8080").unwrap(), format!("{HOST} hello"));
        assert!(lab.ask("neighbour", &format!("{HOST}:8080")).is_err());
        assert!(lab.ask("host", "127.0.0.1:8080").is_err());
    });
}

#[test]
fn every_port_of_shifted_and_kept_ranges_leads_to_its_own() {
    on_host(|lab| {
        for port in [80, 81, 89, 9000, 9001, 9009] {
            lab.tcp_server("sandbox", &format!("[::]:{port}"));
        }
        let _published = publish(Stack::Dual, &["8000-8009:80-89", "9000-9009:9000-9009"]);
        for port in [8000, 8001, 8009, 9000, 9001, 9009] {
            for host in [HOST.to_owned(), format!("[{HOST6}]")] {
                let answer = lab.ask("neighbour", &format!("{host}:{port}")).unwrap();
                assert!(answer.ends_with(" hello"), "{host} {port}: {answer}");
            }
        }
        assert!(lab.ask("neighbour", &format!("{HOST}:8005")).is_err(), "nobody listens there");
    });
}

#[test]
fn the_sandbox_goes_out_by_the_hosts_address() {
    on_host(|lab| {
        lab.tcp_server("neighbour", "[::]:80");
        lab.udp_server("neighbour", "[::]:53");
        let _published = publish(Stack::Dual, &[]);
        assert_eq!(lab.ask("sandbox", &format!("{NEIGHBOUR}:80")).unwrap(), format!("{HOST} hello"));
        assert_eq!(lab.ask_udp("sandbox", &format!("{NEIGHBOUR}:53")).unwrap(), format!("{HOST} hello"));
        assert_eq!(lab.ask("sandbox", &format!("[{NEIGHBOUR6}]:80")).unwrap(), format!("{HOST6} hello"));
    });
}

#[test]
fn foreign_traffic_through_the_host_is_not_translated() {
    on_host(|lab| {
        lab.tcp_server("neighbour", "[::]:8080");
        lab.tcp_server("sandbox", "[::]:80");
        let _published = publish(Stack::V4, &["8080:80"]);
        // The same port, but of another machine: of the sandbox's and of the host's clients.
        assert_eq!(lab.ask("sandbox", &format!("{NEIGHBOUR}:8080")).unwrap(), format!("{HOST} hello"));
        assert_eq!(lab.ask("host", &format!("{NEIGHBOUR}:8080")).unwrap(), format!("{HOST} hello"));
        // A second address on the bridge is not the sandbox's: it goes out as it is.
        lab.run("sandbox", "ip addr add 10.88.0.3/24 dev eth0");
        lab.run("sandbox", "ip route replace default via 10.88.0.1 src 10.88.0.3");
        assert_eq!(lab.ask("sandbox", &format!("{NEIGHBOUR}:8080")).unwrap(), "10.88.0.3 hello");
    });
}

#[test]
fn the_host_itself_reaches_the_sandbox_directly() {
    on_host(|lab| {
        lab.tcp_server("sandbox", "[::]:80");
        let _published = publish(Stack::Dual, &[]);
        assert_eq!(lab.ask("host", &format!("{SANDBOX}:80")).unwrap(), format!("{GATEWAY} hello"));
        assert_eq!(lab.ask("host", &format!("[{SANDBOX6}]:80")).unwrap(), "fd00:88::1 hello");
    });
}
