//! What Wireshark shows of a capture beside the bytes: names, descriptions, counters, and one link type for all.

use std::process::Command;

use crate::lab::{Capture, Conversation, Engine, capinfos, checked, rows, statistics};

#[test]
fn addresses_have_the_containers_names() {
    let Some(engine) = Engine::shared() else { return };
    let network = engine.network();
    let [client, server] =
        ["client", "server"].map(|role| engine.container(role).network(network.name()).start());
    let capture = Capture::of(&[client.name(), server.name()], &["-f", "udp port 7000"]);
    Conversation::new(client.namespace(), server.namespace(), server.address()).ask(7000, b"hello");
    let ended = capture.stop();
    let output = Command::new("tshark")
        .args(["-N", "n", "-T", "fields", "-e", "ip.src_host", "-e", "ip.dst_host", "-r"])
        .arg(ended.file())
        .output();
    let names = checked("tshark", &output.unwrap());
    for container in [&client, &server] {
        assert!(names.contains(container.name()), "{names}");
    }
}

#[test]
fn an_interface_says_where_it_is() {
    let Some(engine) = Engine::shared() else { return };
    let network = engine.network();
    let web = engine.container("web").network(network.name()).start();
    let capture = Capture::of(&[web.name()], &["--at", "container,veth,bridge"]);
    let ended = capture.stop();
    let summary = capinfos(&ended.file());
    for word in [&web.eth0(), engine.image(), network.name(), "docker", &web.id()[..12], "Ethernet"] {
        assert!(summary.contains(word), "no {word} in {summary}");
    }
    assert!(summary.contains("Number of interfaces in file: 3"), "{summary}");
    assert!(summary.contains("Capture application:") && summary.contains("pcapsule"), "{summary}");
}

#[test]
fn the_statistics_are_those_of_the_tap() {
    let Some(engine) = Engine::shared() else { return };
    let (_network, [client, server]) = engine.couple(["client", "server"]);
    let capture = Capture::of(&[server.name()], &["-f", "udp port 7000"]);
    let talk = Conversation::new(client.namespace(), server.namespace(), server.address());
    talk.flood(7000, 10, 10);
    talk.flood(7001, 5, 10);
    let ended = capture.stop();
    let counters = statistics(&ended.file());
    assert_eq!(counters.len(), 1, "{counters:?}");
    assert_eq!((counters[0].1.delivered, counters[0].1.dropped), (10, 0));
    assert!(counters[0].1.received >= 10);
}

#[test]
fn loopback_shares_the_one_link_type_of_the_file() {
    let Some(engine) = Engine::shared() else { return };
    let web = engine.container("web").start();
    let capture = Capture::of(&[web.name()], &["--at", "container,lo", "-f", "icmp"]);
    web.exec(&["ping", "-c", "1", "127.0.0.1"]);
    let ended = capture.stop();
    assert!(capinfos(&ended.file()).contains("File encapsulation:  Ethernet"));
    let taps = rows(&ended.file(), "icmp", &["frame.interface_name"]).concat();
    assert!(taps.iter().all(|tap| *tap == format!("{}/lo", web.name())), "{taps:?}");
    checked("tcpdump", &Command::new("tcpdump").arg("-r").arg(ended.file()).output().unwrap());
}

#[test]
fn a_name_in_pcap_makes_a_classic_file() {
    let Some(engine) = Engine::shared() else { return };
    let (_network, [client, server]) = engine.couple(["client", "server"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("classic.pcap");
    let capture = Capture::to(&file, &[client.name(), server.name()], &["-f", "udp port 7000"]);
    Conversation::new(client.namespace(), server.namespace(), server.address()).ask(7000, b"hello");
    assert_eq!(capture.stop().code, Some(0));
    let summary = capinfos(&file);
    assert!(summary.contains("nanosecond"), "{summary}");
    assert_eq!(rows(&file, "udp", &["frame.number"]).len(), 4);
}
