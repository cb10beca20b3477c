//! Containers come and go while a capture runs: they join it, go on in it, and leave their counters.

use std::{net::Ipv4Addr, path::Path};

use crate::lab::{
    Capture, Container, Conversation, Engine, at, eventually, rows, rows_of_torn, run, statistics, unique,
};

const PORT: u16 = 7000;
const OPTIONS: &[&str] = &["-U", "-f", "udp port 7000"];

#[test]
fn a_container_that_starts_later_joins_and_costs_the_others_nothing() {
    let Some(engine) = Engine::shared() else { return };
    let (network, label) = (engine.network(), unique());
    let member = |role| engine.container(role).network(network.name()).option("--label", &label).start();
    let first = member("first");
    let capture = Capture::of(&[&format!("label={label}")], OPTIONS);
    let late = member("late");
    let asked = ask_until_captured(&capture, &first, &late, &late.eth0());
    let ended = capture.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(count(&ended.file(), &first.eth0()), 2 * asked, "of {asked} questions and answers");
}

#[test]
fn a_container_that_restarts_goes_on_in_the_same_file() {
    let Some(engine) = Engine::shared() else { return };
    let (_network, [asker, web]) = engine.couple(["asker", "web"]);
    let capture = Capture::of(&[web.name()], OPTIONS);
    ask(&asker, &web);
    web.docker(&["restart", "--time", "0"], &[]);
    eventually("the restarted container is captured again", || {
        ask(&asker, &web);
        (rows_of_torn(&capture.file(), &at(&web.eth0()), &["frame.number"]).len() > 2).then_some(())
    });
    let ended = capture.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(count(&ended.file(), &web.eth0()) >= 4);
}

#[test]
fn a_container_that_ends_leaves_its_statistics() {
    let Some(engine) = Engine::shared() else { return };
    let (_network, [asker, web]) = engine.couple(["asker", "web"]);
    let capture = Capture::of(&[asker.name(), web.name()], OPTIONS);
    ask(&asker, &web);
    web.docker(&["rm", "--force"], &[]);
    eventually("the ended container's statistics are written", || {
        let counters = statistics(&capture.file());
        (counters.len() == 1 && counters[0].1.delivered == 2).then_some(())
    });
    let ended = capture.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(statistics(&ended.file()).len(), 2);
}

#[test]
fn a_network_that_is_joined_gets_a_tap() {
    let Some(engine) = Engine::shared() else { return };
    let network = engine.network();
    let web = engine.container("web").start();
    let asker = engine.container("asker").network(network.name()).start();
    let capture = Capture::of(&[web.name()], OPTIONS);
    run("docker", &["network", "connect", network.name(), web.name()]);
    let joined = ["-c", "ip -4 -o address show dev eth1 | sed 's/.*inet //; s,/.*,,'"];
    let address: Ipv4Addr = eventually("the second interface has an address", || {
        String::from_utf8(web.exec(&["sh", joined[0], joined[1]]).stdout).ok()?.trim().parse().ok()
    });
    let talk = Conversation::new(asker.namespace(), web.namespace(), address);
    eventually("the second interface is captured", || {
        talk.ask(PORT, b"hello");
        let tap = at(&format!("{}/eth1", web.name()));
        (!rows_of_torn(&capture.file(), &tap, &["frame.number"]).is_empty()).then_some(())
    });
    assert_eq!(capture.stop().code, Some(0));
}

#[test]
fn events_of_the_engine_are_rows_of_their_own() {
    let Some(engine) = Engine::shared() else { return };
    let label = unique();
    let first = engine.container("first").option("--label", &label).start();
    let capture = Capture::of(&[&format!("label={label}")], OPTIONS);
    let late = engine.container("late").option("--label", &label).start();
    ask_until_captured(&capture, &first, &late, &late.eth0());
    late.docker(&["rm", "--force"], &[]);
    let messages = || rows_of_torn(&capture.file(), "systemd_journal", &["systemd_journal.message"]).concat();
    for word in ["started", "ended"] {
        eventually("the event is in the file", || {
            messages().iter().any(|line| line.contains(late.name()) && line.contains(word)).then_some(())
        });
    }
    assert_eq!(capture.stop().code, Some(0));
}

fn ask(asker: &Container, asked: &Container) {
    Conversation::new(asker.namespace(), asked.namespace(), asked.address()).ask(PORT, b"hello");
}

/// Asks until the tap shows a packet; answers how often it asked.
fn ask_until_captured(capture: &Capture, asker: &Container, asked: &Container, tap: &str) -> usize {
    let talk = Conversation::new(asker.namespace(), asked.namespace(), asked.address());
    let mut count = 0;
    eventually("the new container is captured", || {
        talk.ask(PORT, b"hello");
        count += 1;
        (!rows_of_torn(&capture.file(), &at(tap), &["frame.number"]).is_empty()).then_some(count)
    })
}

fn count(file: &Path, tap: &str) -> usize {
    rows(file, &at(tap), &["frame.number"]).len()
}
