//! What the kernel does not forward is served by the proxy.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    os::fd::AsFd,
    thread,
    time::Duration,
};

use pcapsule::sys::relay::reset_on_close;

use crate::lab::{GATEWAY, HOST, HOST6, NEIGHBOUR, Stack, on_host, publish};

#[test]
fn loopback_of_both_families_leads_to_a_sandbox_of_ipv4() {
    on_host(|lab| {
        lab.tcp_server("sandbox", "0.0.0.0:80");
        lab.udp_server("sandbox", "0.0.0.0:53");
        let _published = publish(Stack::V4, &["8080:80", "5300:53/udp"]);
        for host in ["127.0.0.1", "127.0.0.5", "[::1]"] {
            assert_eq!(
                lab.ask("host", &format!("{host}:8080")).unwrap(),
                format!("{GATEWAY} hello"),
                "{host}"
            );
            let answer = lab.ask_udp("host", &format!("{host}:5300")).unwrap();
            assert_eq!(answer, format!("{GATEWAY} hello"), "{host}");
        }
        let neighbour = lab.ask("neighbour", &format!("[{HOST6}]:8080")).unwrap();
        assert_eq!(neighbour, format!("{GATEWAY} hello"));
        let neighbour = lab.ask_udp("neighbour", &format!("[{HOST6}]:5300")).unwrap();
        assert_eq!(neighbour, format!("{GATEWAY} hello"));
    });
}

#[test]
fn loopback_of_ipv6_leads_to_the_sandboxs_ipv6() {
    on_host(|lab| {
        lab.tcp_server("sandbox", "[::]:80");
        lab.udp_server("sandbox", "[::]:53");
        let _published = publish(Stack::Dual, &["[::1]:8080:80", "[::1]:5300:53/udp"]);
        assert_eq!(lab.ask("host", "[::1]:8080").unwrap(), "fd00:88::1 hello");
        assert_eq!(lab.ask_udp("host", "[::1]:5300").unwrap(), "fd00:88::1 hello");
        assert!(lab.ask("host", "127.0.0.1:8080").is_err());
        assert!(lab.ask("neighbour", &format!("[{HOST6}]:8080")).is_err());
    });
}

#[test]
fn a_large_request_and_its_answer_pass_whole_though_nobody_reads_at_first() {
    const SIZE: usize = 24 << 20;
    on_host(|lab| {
        lab.tcp_server("sandbox", "0.0.0.0:80");
        let _published = publish(Stack::V4, &["127.0.0.1:8080:80"]);
        let words: Vec<u8> = (0..SIZE).map(|at| b'a' + u8::try_from(at % 23).unwrap()).collect();
        let answer = lab.ask_with("host", "127.0.0.1:8080", &words).unwrap();
        assert!(
            answer.as_bytes() == [format!("{GATEWAY} ").as_bytes(), &words].concat(),
            "not what was sent"
        );
    });
}

#[test]
fn a_slow_reader_slows_the_writer_down() {
    on_host(|lab| {
        let listener = lab.namespace("sandbox").within(|| TcpListener::bind("0.0.0.0:80")).unwrap().unwrap();
        let _published = publish(Stack::V4, &["127.0.0.1:8080:80"]);
        let mut client = TcpStream::connect("127.0.0.1:8080").unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        let piece = vec![7; 1 << 20];
        let mut sent = 0;
        while let Ok(length) = client.write(&piece) {
            sent += length;
            assert!(sent < 256 << 20, "somebody keeps it all");
        }
        client.shutdown(Shutdown::Write).unwrap();
        let mut received = Vec::new();
        server.read_to_end(&mut received).unwrap();
        assert_eq!(received.len(), sent);
    });
}

#[test]
fn many_connections_are_served_at_once() {
    const COUNT: usize = 300;
    on_host(|lab| {
        lab.tcp_server("sandbox", "0.0.0.0:80");
        let _published = publish(Stack::V4, &["127.0.0.1:8080:80"]);
        let mut clients: Vec<_> = (0..COUNT).map(|_| TcpStream::connect("127.0.0.1:8080").unwrap()).collect();
        for client in &mut clients {
            client.write_all(b"all here").unwrap();
        }
        for mut client in clients {
            client.shutdown(Shutdown::Write).unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            assert_eq!(answer, format!("{GATEWAY} all here"));
        }
    });
}

#[test]
fn where_nobody_listens_the_client_is_told_so() {
    on_host(|_| {
        let _published = publish(Stack::V4, &["127.0.0.1:8080:80"]);
        let mut client = TcpStream::connect("127.0.0.1:8080").unwrap();
        client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let error = client.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn the_end_of_the_proxy_ends_its_connections_and_frees_its_port() {
    on_host(|lab| {
        let listener = lab.namespace("sandbox").within(|| TcpListener::bind("0.0.0.0:80")).unwrap().unwrap();
        let published = publish(Stack::V4, &["127.0.0.1:8080:80"]);
        let client = TcpStream::connect("127.0.0.1:8080").unwrap();
        let (mut server, _) = listener.accept().unwrap();
        thread::scope(|scope| {
            let reading = scope.spawn(|| server.read(&mut [0]));
            drop(published);
            assert_eq!(reading.join().unwrap().unwrap_or(0), 0);
        });
        drop(client);
        // Connections of the last one still wait for their time to pass; that is no obstacle.
        let _again = publish(Stack::V4, &["127.0.0.1:8080:80"]);
    });
}

#[test]
fn a_reset_by_either_end_reaches_the_other() {
    on_host(|lab| {
        let listener = lab.namespace("sandbox").within(|| TcpListener::bind("0.0.0.0:80")).unwrap().unwrap();
        let _published = publish(Stack::V4, &["127.0.0.1:8080:80"]);
        let pair = || {
            let client = TcpStream::connect("127.0.0.1:8080").unwrap();
            let (server, _) = listener.accept().unwrap();
            [client, server].map(|end| {
                end.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                end
            })
        };
        let [client, mut server] = pair();
        reset(client);
        assert_eq!(server.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
        let [mut client, server] = pair();
        reset(server);
        assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    });
}

fn reset(connection: TcpStream) {
    reset_on_close(connection.as_fd()).unwrap();
    drop(connection);
}

#[test]
fn a_host_without_ipv6_serves_its_loopback_all_the_same() {
    on_host(|lab| {
        lab.run("host", "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1");
        lab.tcp_server("sandbox", "0.0.0.0:80");
        lab.udp_server("sandbox", "0.0.0.0:53");
        let _published = publish(Stack::V4, &["8080:80", "5300:53/udp"]);
        assert_eq!(lab.ask("host", "127.0.0.1:8080").unwrap(), format!("{GATEWAY} hello"));
        assert_eq!(lab.ask_udp("host", "127.0.0.1:5300").unwrap(), format!("{GATEWAY} hello"));
        assert_eq!(lab.ask("neighbour", &format!("{HOST}:8080")).unwrap(), format!("{NEIGHBOUR} hello"));
    });
}

#[test]
fn one_port_of_two_loopback_addresses_leads_to_two_ports() {
    on_host(|lab| {
        lab.tcp_server("sandbox", "0.0.0.0:80");
        lab.tcp_server("sandbox", "0.0.0.0:81");
        let _published = publish(Stack::V4, &["127.0.0.1:8080:80", "127.0.0.2:8080:81"]);
        for host in ["127.0.0.1", "127.0.0.2"] {
            assert!(lab.ask("host", &format!("{host}:8080")).is_ok(), "{host}");
        }
        assert!(lab.ask("host", "127.0.0.3:8080").is_err());
    });
}
