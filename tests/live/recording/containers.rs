//! Scenes between Docker containers.

use std::net::TcpStream;

use crate::lab::{Container, Conversation, Engine, at, eventually, rows_of_torn};

use super::studio::Studio;

pub(super) fn record(engine: &Engine, studio: &Studio) {
    let network = engine.network_named("shop", &["--ipv6", "--subnet", "fd5a:7063:6170::/64"]);
    let member = |name| engine.container(name).named(name).network(network.name());
    let web = member("web").option("--publish", "127.0.0.1::80").web().start();
    let client = member("client").start();
    handshake(studio, &web);
    names_and_http(studio, &client);
    refusal_and_echoes(studio, &client);
    client_hello(studio, &web, &client);
    late_joiner(studio, &client, || member("late").option("--label", "recording=late").start());
}

fn handshake(studio: &Studio, web: &Container) {
    let happens = "a connection through a published port, opened and closed: on the host's loopback and in the container";
    let port = web.published(80);
    let filter = format!("tcp port 80 or tcp port {port}");
    studio.record("01-published-port", happens, &["web", "if=lo", "-f", &filter], |_| {
        drop(TcpStream::connect(("127.0.0.1", port)).expect("the port is published"));
    });
}

fn names_and_http(studio: &Studio, client: &Container) {
    let happens = "a container asks the engine's DNS for another, on its loopback";
    studio.record("02-dns", happens, &["client", "--at", "container,lo", "-f", "udp"], |_| {
        client.exec(&["nslookup", "-type=a", "web"]);
    });
    let happens = "a page fetched by one container from another";
    studio.record("03-http", happens, &["client", "-f", "tcp port 80"], |_| {
        client.exec(&["wget", "-q", "-O", "-", "http://web/"]);
    });
}

fn refusal_and_echoes(studio: &Studio, client: &Container) {
    let happens = "a connection to a port where nobody listens";
    studio.record("04-refused", happens, &["client", "-f", "tcp"], |_| {
        client.exec(&["wget", "-q", "-O", "-", "http://web:81/"]);
    });
    let happens = "an ICMP echo and its reply, after the ARP that finds the other";
    studio.record("05-echo", happens, &["client", "-f", "arp or icmp"], |_| {
        client.namespace().ip(&["neigh", "flush", "all"]);
        client.exec(&["ping", "-4", "-c", "1", "web"]);
    });
    let happens = "IPv6 neighbour discovery, then an ICMPv6 echo and its reply";
    studio.record("06-neighbour-discovery", happens, &["client", "-f", "icmp6"], |_| {
        client.namespace().ip(&["-6", "neigh", "flush", "all"]);
        client.exec(&["ping", "-6", "-c", "1", "web"]);
    });
}

fn client_hello(studio: &Studio, web: &Container, client: &Container) {
    let happens = "the first words of a TLS client, with the name it asks for; the server hangs up";
    studio.record("07-tls-client-hello", happens, &["client", "-f", "tcp port 443"], |_| {
        web.docker(&["exec", "--detach"], &["sh", "-c", "sleep 1 | nc -l -p 443"]);
        eventually("the server listens", || {
            let sockets = web.exec(&["netstat", "-ltn"]);
            String::from_utf8_lossy(&sockets.stdout).contains(":443").then_some(())
        });
        client.exec(&["timeout", "5", "wget", "-q", "-O", "-", "https://web/"]);
    });
}

fn late_joiner(studio: &Studio, client: &Container, start: impl FnOnce() -> Container) {
    let happens =
        "a container that starts during the capture: its interface and its start, as an event, in mid-file";
    let line = ["client", "label=recording=late", "-f", "udp port 7000"];
    studio.record("08-late-joiner", happens, &line, |file| {
        let late = start();
        let talk = Conversation::new(client.namespace(), late.namespace(), late.address());
        eventually("the late one is captured", || {
            talk.ask(7000, b"welcome");
            (!rows_of_torn(file, &at("late/eth0"), &["frame.number"]).is_empty()).then_some(())
        });
    });
}
