//! Beside a trusted capture in each namespace: the same frames, each once, at the right interface, the right way.

use crate::lab::{
    BEGIN, Cable, Capture, Container, Conversation, END, Engine, Truth, at, frames, hex, rows, until_written,
};

#[test]
fn two_containers_at_once_are_captured_frame_by_frame() {
    let Some(engine) = Engine::shared() else { return };
    let network = engine.network();
    let [client, server] =
        ["client", "server"].map(|role| engine.container(role).network(network.name()).start());
    let folder = tempfile::tempdir().unwrap();
    let truths = [&client, &server]
        .map(|container| Truth::start(&container.namespace(), "eth0", folder.path().join(container.name())));
    let capture = Capture::of(&[client.name(), server.name()], &[]);
    talk(&client, &server);
    for truth in &truths {
        until_written(truth.file(), END);
    }
    let ended = capture.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for (container, truth) in [&client, &server].into_iter().zip(truths) {
        let ours = frames(&ended.file(), &at(&container.eth0()), &[]);
        let theirs = frames(&truth.stop(), "", &[]);
        assert!(theirs.len() > 20, "only {} frames to compare", theirs.len());
        assert_eq!(ours, theirs, "at {}", container.eth0());
    }
}

#[test]
fn two_trusted_captures_agree_so_that_a_difference_is_ours() {
    let Some(cable) = Cable::lay() else { return };
    let folder = tempfile::tempdir().unwrap();
    let truths = ["one", "two"].map(|name| Truth::start(&cable.left(), "eth0", folder.path().join(name)));
    let talk = Conversation::new(cable.left(), cable.right(), Cable::RIGHT);
    talk.ask(7000, BEGIN);
    talk.stream(7001, &vec![b'.'; 100_000]);
    talk.ask(7000, END);
    let [one, two] = truths.map(|truth| {
        until_written(truth.file(), END);
        frames(&truth.stop(), "", &[])
    });
    assert!(one.len() > 10, "only {} frames to compare", one.len());
    assert_eq!(one, two);
}

#[test]
fn each_frame_says_whether_it_entered_or_left_the_container() {
    let Some(engine) = Engine::shared() else { return };
    let network = engine.network();
    let [client, server] =
        ["client", "server"].map(|role| engine.container(role).network(network.name()).start());
    let capture = Capture::of(&[client.name(), server.name()], &["--at", "container,veth"]);
    talk(&client, &server);
    let ended = capture.stop();
    for container in [&client, &server] {
        let mac = container.mac();
        // The two ends of the cable see the same frame the same way: from the container's point of view.
        let taps = format!("frame.interface_name matches \"^{}[/@]\"", container.name());
        let seen = frames(&ended.file(), &taps, &["eth.src", "frame.packet_flags_direction"]);
        assert!(seen.len() > 40, "only {} frames", seen.len());
        for row in &seen {
            let direction = u32::from_str_radix(row[2].trim_start_matches("0x"), 16).unwrap();
            let expected = if row[1] == mac { OUTBOUND } else { INBOUND };
            assert_eq!(direction, expected, "{row:?} at {}", container.name());
        }
    }
}

/// Values of the direction bits in the flags option (pcapng, section 4.3.1).
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

#[test]
fn a_neighbour_with_the_same_addresses_and_ports_leaks_nothing() {
    let Some((ours, neighbours)) = Cable::lay().zip(Cable::lay()) else { return };
    let capture = Capture::of(&[&ours.left_selector()], &[]);
    let talks =
        [&ours, &neighbours].map(|cable| Conversation::new(cable.left(), cable.right(), Cable::RIGHT));
    for turn in 0..20 {
        talks[0].ask(7000, format!("ours {turn}").as_bytes());
        talks[1].ask(7000, format!("theirs {turn}").as_bytes());
    }
    let ended = capture.stop();
    let payloads = rows(&ended.file(), "udp", &["udp.payload"]).concat();
    let of =
        |word: &str| payloads.iter().filter(|payload| payload.starts_with(&hex(word.as_bytes()))).count();
    assert_eq!((of("ours"), of("theirs")), (40, 0));
}

#[test]
fn what_passed_before_the_signal_is_in_the_file() {
    let Some(cable) = Cable::lay() else { return };
    let talk = Conversation::new(cable.left(), cable.right(), Cable::RIGHT);
    let capture = Capture::of(&[&cable.left_selector()], &["-f", "udp port 7000"]);
    talk.flood(7000, 5000, 100);
    let ended = capture.stop();
    assert_eq!(rows(&ended.file(), "", &["frame.number"]).len(), 5000, "{}", ended.stderr);
}

/// Datagrams of several sizes, a connection, and an end mark.
fn talk(client: &Container, server: &Container) {
    let talk = Conversation::new(client.namespace(), server.namespace(), server.address());
    talk.ask(7000, BEGIN);
    for size in [0, 1, 600, 1300] {
        talk.ask(7000, &vec![b'.'; size]);
    }
    talk.stream(7001, &vec![b'.'; 100_000]);
    talk.ask(7000, END);
}
