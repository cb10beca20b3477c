//! Where to listen: the container's end, the host's end, the bridge, the loopback; and what NAT does in between.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpStream, UdpSocket},
    path::Path,
    process::{Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::lab::{Cable, Capture, Conversation, Engine, at, eventually, rows};

#[test]
fn a_published_port_is_seen_before_and_after_the_translation() {
    let Some(engine) = Engine::shared() else { return };
    let network = engine.network();
    let web =
        engine.container("web").network(network.name()).option("--publish", "127.0.0.1::80").web().start();
    let port = web.published(80);
    let capture = Capture::of(&[web.name(), "if=lo"], &["-f", "tcp"]);
    let page = fetch(port);
    let ended = capture.stop();
    assert!(page.contains("it works"), "{page}");
    let inside = rows(&ended.file(), &at(&web.eth0()), &["tcp.dstport", "http.request.method"]);
    assert!(inside.iter().any(|row| *row == ["80", "GET"]), "{inside:?}");
    let outside = rows(&ended.file(), &at("lo"), &["tcp.dstport"]).concat();
    assert!(outside.contains(&port.to_string()), "{outside:?}");
}

#[test]
fn one_datagram_is_seen_once_at_each_place_on_its_way() {
    let Some(engine) = Engine::shared() else { return };
    let network = engine.network();
    let [client, server] =
        ["client", "server"].map(|role| engine.container(role).network(network.name()).start());
    let capture = Capture::of(&[client.name()], &["--at", "container,veth,bridge,lo", "-f", "udp port 7000"]);
    Conversation::new(client.namespace(), server.namespace(), server.address()).ask(7000, b"hello");
    client.namespace().inside(|| {
        let socket = UdpSocket::bind("127.0.0.1:7000").unwrap();
        socket.send_to(b"to myself", "127.0.0.1:7000").unwrap();
    });
    let ended = capture.stop();
    let count = |filter: &str| rows(&ended.file(), filter, &["frame.number"]).len();
    assert_eq!(count(&at(&client.eth0())), 2);
    assert_eq!(count(&format!("frame.interface_name contains \"{}@veth\"", client.name())), 2);
    assert_eq!(count(&at(network.name())), 2, "at the bridge");
    let own = count(&at(&format!("{}/lo", client.name())));
    assert!((1..=2).contains(&own), "loopback shows a frame as it leaves, as it enters, or both: {own}");
}

#[test]
fn a_bridge_shows_the_traffic_of_every_port() {
    let Some(engine) = Engine::shared() else { return };
    let network = engine.network();
    let [client, server] =
        ["client", "server"].map(|role| engine.container(role).network(network.name()).start());
    let capture = Capture::of(&[&format!("bridge={}", network.name())], &["-f", "udp port 7000"]);
    Conversation::new(client.namespace(), server.namespace(), server.address()).ask(7000, b"hello");
    let ended = capture.stop();
    assert_eq!(rows(&ended.file(), "udp", &["frame.interface_name"]), [[network.name()], [network.name()]]);
}

#[test]
fn an_interface_that_is_deleted_ends_its_tap_and_no_other() {
    let Some((doomed, survivor)) = Cable::lay().zip(Cable::lay()) else { return };
    let capture =
        Capture::of(&[&doomed.left_selector(), &survivor.left_selector()], &["-f", "udp port 7000"]);
    Conversation::new(doomed.left(), doomed.right(), Cable::RIGHT).ask(7000, b"before");
    doomed.left().ip(&["link", "delete", "eth0"]);
    Conversation::new(survivor.left(), survivor.right(), Cable::RIGHT).ask(7000, b"after");
    let ended = capture.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(count_at(&ended.file(), doomed.left_name()), 2);
    assert_eq!(count_at(&ended.file(), survivor.left_name()), 2);
}

#[test]
fn an_interface_that_comes_back_under_its_old_index_is_another() {
    let Some(cable) = Cable::lay() else { return };
    for engine in ["ring", "libpcap"] {
        let ip = |line: &str| cable.left().ip(&line.split(' ').collect::<Vec<_>>());
        ip("link add doomed index 77 type bridge");
        ip("link set doomed up");
        let net = format!("--net=/run/netns/{}", cable.left_name());
        let program = [env!("CARGO_BIN_EXE_pcapsule"), "capture", "--no-follow", "--engine", engine];
        // Each program becomes the next, so that the signals reach the capture.
        let mut capture = Command::new("nsenter")
            .arg(net)
            .args(program)
            .args(["if=doomed", "--duration", "30s", "-w", "/dev/null", "--ready-fd", "2"])
            .stderr(Stdio::piped())
            .spawn()
            .expect("nsenter starts");
        let pid = Pid::from_raw(capture.id().cast_signed());
        let mut lines = BufReader::new(capture.stderr.take().expect("it is piped")).lines();
        assert!(lines.any(|line| line.is_ok_and(|line| line == "ready")), "{engine}");
        // Asleep, it cannot look in between.
        kill(pid, Signal::SIGSTOP).unwrap();
        ip("link delete doomed");
        ip("link add doomed index 77 type bridge");
        kill(pid, Signal::SIGCONT).unwrap();
        let status = eventually(&format!("{engine} ends with its interface"), || capture.try_wait().unwrap());
        assert!(status.success(), "{engine}: {status}");
        ip("link delete doomed");
    }
}

#[test]
fn by_libpcap_a_frame_on_loopback_is_seen_and_counted_once() {
    let Some(cable) = Cable::lay() else { return };
    let options = ["--engine", "libpcap", "--at", "container,lo", "-f", "udp port 7000"];
    let capture = Capture::of(&[&cable.left_selector()], &options);
    cable.left().inside(|| {
        let socket = UdpSocket::bind("127.0.0.1:7000").unwrap();
        for _ in 0..10 {
            socket.send_to(b"to myself", "127.0.0.1:7000").unwrap();
        }
    });
    let ended = capture.stop();
    let own = at(&format!("{}/lo", cable.left_name()));
    assert_eq!(rows(&ended.file(), &own, &["frame.number"]).len(), 10);
    assert!(ended.stderr.contains("10 packets received by filter"), "{}", ended.stderr);
}

fn count_at(file: &Path, name: &str) -> usize {
    rows(file, &at(&format!("{name}/eth0")), &["frame.number"]).len()
}

fn fetch(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("the port is published");
    stream.write_all(b"GET /index.html HTTP/1.0\r\n\r\n").expect("a request");
    let mut page = String::new();
    stream.read_to_string(&mut page).expect("an answer");
    page
}
