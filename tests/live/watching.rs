//! `ls --watch`: a new container shows within 200 ms of the engine's word that it started.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use crate::lab::{Engine, inspect};

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
        let mut child = Command::new(env!("CARGO_BIN_EXE_pcapsule"))
            .args(["ls", "--watch", "--json"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("pcapsule starts");
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
