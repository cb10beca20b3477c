//! `ls --watch`: a new container shows within 200 ms of the engine's word that it started; a watch ends when nobody
//! reads it.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use crate::lab::{Cable, Engine, Host, Requirement, inspect, run, unique, within};

const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn a_new_container_shows_within_200_ms() {
    let Some(engine) = Engine::alone() else { return };
    let watch = Watch::start();
    let mut delays: Vec<Duration> = (0..7)
        .map(|turn| {
            let container = engine.container(&turn.to_string()).start();
            let shown = watch.until_shown(container.name());
            shown.saturating_sub(started_at(container.name()))
        })
        .collect();
    delays.sort();
    assert!(delays[3] <= Duration::from_millis(200), "{delays:?}");
}

#[test]
fn a_watch_ends_when_nobody_reads_it_any_more() {
    let Some(_cable) = Cable::lay() else { return };
    for options in [&[][..], &["--json"]] {
        let mut child = watching(options);
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout is piped")).read_line(&mut line).unwrap();
        let ended = within(PATIENCE, || child.try_wait().expect("it is our child"));
        let _ = child.kill();
        assert_eq!(ended.and_then(|status| status.code()), Some(0), "{options:?}");
        assert!(!options.is_empty() || has_time(&line), "{line}");
    }
}

/// `+ 12:34:56.789 web …`
fn has_time(line: &str) -> bool {
    let time = line.strip_prefix("+ ").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    time.len() == 12 && time.split([':', '.']).all(|part| part.parse::<u16>().is_ok())
}

#[test]
fn a_watch_of_a_description_waits_for_what_fits_it() {
    if !Requirement::all(Requirement::NAMESPACES) {
        return;
    }
    let _host = Host::shared();
    let name = unique();
    let mut child = watching(&[&format!("name={name}*")]);
    let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let (tell, lines) = mpsc::channel();
    thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
    assert!(lines.recv_timeout(Duration::from_secs(1)).is_err(), "nothing fits yet");
    assert!(child.try_wait().expect("it is our child").is_none(), "it waits");
    run("ip", &["netns", "add", &name]);
    // The kernel tells of links, not of an empty namespace.
    run("ip", &["link", "add", &name, "type", "veth", "peer", "name", "eth0", "netns", &name]);
    let line = lines.recv_timeout(PATIENCE);
    // The kernel takes its time to tidy a namespace up, and the far end with it.
    run("ip", &["link", "delete", &name]);
    run("ip", &["netns", "delete", &name]);
    let _ = child.kill();
    let _ = child.wait();
    let line = line.expect("it shows");
    assert!(line.starts_with("+ ") && line.contains(&name), "{line}");
}

fn watching(options: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pcapsule"));
    command.args(["ls", "--watch"]).args(options).stdout(Stdio::piped());
    command.spawn().expect("pcapsule starts")
}

/// When the engine says the container started, since the Unix epoch.
fn started_at(name: &str) -> Duration {
    let started = inspect(name)["State"]["StartedAt"].as_str().expect("a time").to_owned();
    let started: jiff::Timestamp = started.parse().expect("RFC 3339");
    Duration::from_nanos(started.as_nanosecond().try_into().expect("after 1970"))
}

/// A running `ls --watch --json`: a document for each change, with the time it was read here.
struct Watch {
    child: Child,
    documents: Receiver<(Duration, Value)>,
}

impl Watch {
    fn start() -> Self {
        let mut child = watching(&["--json"]);
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let (tell, documents) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
                let document = serde_json::from_str(&line).expect("a document a line");
                if tell.send((now, document)).is_err() {
                    return;
                }
            }
        });
        documents.recv_timeout(PATIENCE).expect("the first document shows what is there");
        Self { child, documents }
    }

    /// The time of the first document that shows the container running with an address.
    fn until_shown(&self, name: &str) -> Duration {
        loop {
            let (time, document) = self.documents.recv_timeout(PATIENCE).expect("the container shows");
            let containers = document["containers"].as_array().expect("a list");
            let found = containers.iter().find(|container| container["name"] == name);
            if found.is_some_and(|container| container["interfaces"][0]["addresses"][0].is_string()) {
                return time;
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
