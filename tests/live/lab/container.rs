//! One container: described, started, used, removed on drop.

use std::{
    net::Ipv4Addr,
    process::{Command, Output},
};

use super::{Namespace, engine::inspect, run, unique};

/// How a container is to be started.
pub(crate) struct Recipe {
    image: String,
    name: String,
    options: Vec<String>,
    command: Vec<String>,
}

impl Recipe {
    pub(super) fn new(image: &str, role: &str) -> Self {
        Self {
            image: image.to_owned(),
            name: format!("{}-{role}", unique()),
            options: Vec::new(),
            command: ["sleep", "3600"].map(str::to_owned).into(),
        }
    }

    /// An option of `docker run` and its value.
    pub(crate) fn option(mut self, option: &str, value: &str) -> Self {
        self.options.extend([option.to_owned(), value.to_owned()]);
        self
    }

    /// Gives it that very name, for a recording that shows it.
    pub(crate) fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Connects it to that network in place of the default bridge.
    pub(crate) fn network(self, name: &str) -> Self {
        self.option("--network", name)
    }

    /// Serves one small page on port 80.
    pub(crate) fn web(mut self) -> Self {
        self.command = ["httpd", "-f", "-p", "80", "-h", "/www"].map(str::to_owned).into();
        self
    }

    /// Starts it; back once the engine says it runs.
    #[track_caller]
    pub(crate) fn start(self) -> Container {
        let Self { image, name, options, command } = self;
        let mut line = vec!["run", "--detach", "--name", &name];
        line.extend(options.iter().map(String::as_str));
        line.push(&image);
        line.extend(command.iter().map(String::as_str));
        let id = run("docker", &line);
        Container { name, id }
    }
}

/// A running container, removed on drop.
pub(crate) struct Container {
    name: String,
    id: String,
}

impl Container {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its full id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// What pcapsule calls its first interface: `NAME/eth0`.
    pub(crate) fn eth0(&self) -> String {
        format!("{}/eth0", self.name)
    }

    /// Its first process.
    pub(crate) fn pid(&self) -> u32 {
        let pid = &inspect(&self.name)["State"]["Pid"];
        pid.as_u64().and_then(|pid| u32::try_from(pid).ok()).expect("the engine says its pid")
    }

    /// Its network namespace, while it runs.
    pub(crate) fn namespace(&self) -> Namespace {
        Namespace::of_process(self.pid())
    }

    /// Its address in its first network.
    pub(crate) fn address(&self) -> Ipv4Addr {
        self.network_word("IPAddress").parse().expect("the engine says an address")
    }

    /// Its hardware address in its first network.
    pub(crate) fn mac(&self) -> String {
        self.network_word("MacAddress")
    }

    fn network_word(&self, key: &str) -> String {
        let found = inspect(&self.name);
        let networks = found["NetworkSettings"]["Networks"].as_object().expect("networks");
        let first = networks.values().next().expect("a network");
        first[key].as_str().expect("a word").to_owned()
    }

    /// The host port that `container_port` is published at.
    pub(crate) fn published(&self, container_port: u16) -> u16 {
        let line = run("docker", &["port", &self.name, &container_port.to_string()]);
        let first = line.lines().next().expect("the port is published");
        first.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port number")
    }

    /// Runs a command in it.
    pub(crate) fn exec(&self, command: &[&str]) -> Output {
        let line = ["exec", &self.name];
        Command::new("docker").args(line).args(command).output().expect("docker starts")
    }

    /// `docker VERB [OPTION…] NAME [WORD…]`.
    #[track_caller]
    pub(crate) fn docker(&self, verb: &[&str], words: &[&str]) {
        run("docker", &[verb, &[&self.name], words].concat());
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "--force", "--volumes", &self.name]).output();
    }
}
