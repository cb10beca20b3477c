//! Fifty containers at once, one started and one restarted in mid-run; the order of their packets; and listing them no
//! slower than Docker does.

use std::{
    env, iter, thread,
    time::{Duration, Instant},
};

use crate::lab::{
    Cable, Capture, Container, Conversation, Engine, Requirement, at, eventually, rows, rows_of_torn, run,
    unique,
};

const CROWD: usize = 50;

#[test]
fn fifty_containers_are_captured_while_one_starts_and_one_restarts() {
    let Some(engine) = Engine::alone() else { return };
    let label = unique();
    let crowd = start(&engine, &label);
    let capture = Capture::of(&[&format!("label={label}")], &["-U", "-f", "udp port 7000"]);
    let late = engine.container("late").option("--label", &label).start();
    crowd[0].docker(&["restart", "--time", "0"], &[]);
    for asked in [&late, &crowd[0]] {
        eventually("it is captured", || {
            ask(&crowd[1], asked);
            (!rows_of_torn(&capture.file(), &at(&asked.eth0()), &["frame.number"]).is_empty()).then_some(())
        });
    }
    for asked in &crowd[2..] {
        ask(&late, asked);
    }
    let ended = capture.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let taps = rows(&ended.file(), "udp", &["frame.interface_name"]).concat();
    for asked in &crowd[2..] {
        assert_eq!(taps.iter().filter(|tap| **tap == asked.eth0()).count(), 2, "at {}", asked.eth0());
    }
}

#[test]
fn packets_of_fifty_interfaces_are_in_the_order_of_their_time() {
    let Some(cables) = (0..CROWD / 2).map(|_| Cable::lay()).collect::<Option<Vec<_>>>() else { return };
    let ends = cables.iter().flat_map(|cable| [cable.left_name(), cable.right_name()]);
    let selection: Vec<String> = ends.map(|name| format!("netns={name}")).collect();
    let selection: Vec<&str> = selection.iter().map(String::as_str).collect();
    let talks: Vec<_> =
        cables.iter().map(|cable| Conversation::new(cable.left(), cable.right(), Cable::RIGHT)).collect();
    let capture = Capture::of(&selection, &["-f", "udp port 7000"]);
    let begin = Instant::now();
    let mut asked = 0;
    for talk in talks.iter().cycle() {
        talk.ask(7000, b"hello");
        asked += 1;
        if begin.elapsed() > Duration::from_secs(2) {
            break;
        }
    }
    let ended = capture.stop();
    let times: Vec<f64> = rows(&ended.file(), "", &["frame.time_epoch"])
        .concat()
        .iter()
        .map(|time| time.parse().expect("seconds"))
        .collect();
    assert_eq!(times.len(), 4 * asked);
    assert!(times.is_sorted(), "{asked} questions: a packet is before an earlier one");
}

#[test]
fn fifty_containers_are_listed_no_slower_than_docker_inspects_them() {
    if !Requirement::all(&[Requirement::Release]) {
        return;
    }
    let Some(engine) = Engine::alone() else { return };
    let crowd = start(&engine, &unique());
    let release = env::var("PCAPSULE_RELEASE").unwrap();
    let inspect: Vec<&str> = iter::once("inspect").chain(crowd.iter().map(Container::id)).collect();
    let mut ours = Vec::new();
    let mut dockers = Vec::new();
    // Interleaved, so that both meet the same machine.
    for _ in 0..7 {
        ours.push(timed(&release, &["ls", "--json"]));
        dockers.push(timed("docker", &inspect));
    }
    ours.sort();
    dockers.sort();
    assert!(ours[3] <= dockers[3], "ls: {ours:?}, docker inspect: {dockers:?}");
}

/// Four at a time; the engine takes most of a second for each.
fn start(engine: &Engine, label: &str) -> Vec<Container> {
    thread::scope(|scope| {
        let starters: Vec<_> = (0..4)
            .map(|starter| {
                scope.spawn(move || {
                    let numbers = (starter..CROWD).step_by(4);
                    let recipe =
                        |number: usize| engine.container(&number.to_string()).option("--label", label);
                    numbers.map(|number| recipe(number).start()).collect::<Vec<_>>()
                })
            })
            .collect();
        starters.into_iter().flat_map(|starter| starter.join().expect("all start")).collect()
    })
}

fn ask(asker: &Container, asked: &Container) {
    Conversation::new(asker.namespace(), asked.namespace(), asked.address()).ask(7000, b"hello");
}

fn timed(program: &str, arguments: &[&str]) -> Duration {
    let start = Instant::now();
    run(program, arguments);
    start.elapsed()
}
