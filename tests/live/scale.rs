//! Five hundred namespaces, each with a veth to the host, are listed in under a second.

use std::{
    env,
    io::Write as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::lab::{Host, Requirement, unique};

const NAMESPACES: usize = 500;

#[test]
fn five_hundred_namespaces_are_listed_within_a_second() {
    if !Requirement::all(&[Requirement::Release, Requirement::Netns]) {
        return;
    }
    let _host = Host::alone();
    let town = Town::build();
    let mut times = Vec::new();
    let mut listed = Vec::new();
    for _ in 0..5 {
        let begin = Instant::now();
        listed = Command::new(env::var("PCAPSULE_RELEASE").unwrap())
            .args(["ls", "--json"])
            .output()
            .unwrap()
            .stdout;
        times.push(begin.elapsed());
    }
    times.sort();
    eprintln!("ls of {NAMESPACES} namespaces: {times:?}");
    let document: Value = serde_json::from_slice(&listed).unwrap();
    let containers = document["containers"].as_array().unwrap();
    for number in 0..NAMESPACES {
        let name = town.name(number);
        let found =
            containers.iter().find(|container| container["name"] == name.as_str()).expect("it is listed");
        let far_end = &found["interfaces"][0]["far_end"]["link"];
        assert_eq!(far_end.as_str(), Some(town.veth(number).as_str()), "{found}");
    }
    assert!(times[2] < Duration::from_secs(1), "{times:?}");
}

/// The namespaces, gone when dropped.
struct Town {
    prefix: String,
}

impl Town {
    fn build() -> Self {
        let town = Self { prefix: unique() };
        town.batch(|town, number| {
            let (name, veth) = (town.name(number), town.veth(number));
            format!("netns add {name}\nlink add {veth} type veth peer name eth0 netns {name}\n")
        });
        town
    }

    fn name(&self, number: usize) -> String {
        format!("{}-n{number}", self.prefix)
    }

    fn veth(&self, number: usize) -> String {
        format!("{}v{number}", self.prefix)
    }

    fn batch(&self, lines: impl Fn(&Self, usize) -> String) {
        let script: String = (0..NAMESPACES).map(|number| lines(self, number)).collect();
        let mut ip = Command::new("ip")
            .args(["-force", "-batch", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("ip starts");
        ip.stdin.take().expect("it is piped").write_all(script.as_bytes()).expect("ip reads");
        ip.wait().expect("ip ends");
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        // The host's ends go at once; those of a namespace that is deleted would linger for a while.
        self.batch(|town, number| {
            format!("link delete {}\nnetns delete {}\n", town.veth(number), town.name(number))
        });
    }
}
