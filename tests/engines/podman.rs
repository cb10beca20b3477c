//! A real Podman, with storage and service of its own in a temporary directory; no network of the host is touched.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use pcapsule::discovery::engine::{Address, Engines, EventKind, Events, Notice};
use pcapsule::discovery::{EngineContainer, RequestedMode};
use pcapsule::model::{Engine, NetworkMode};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::{busybox, require};

/// Podman's directories and its service; all gone when dropped.
struct Podman {
    directory: tempfile::TempDir,
    service: Option<Child>,
}

impl Podman {
    fn start() -> Result<Self, String> {
        let directory =
            tempfile::Builder::new().prefix("pcs-engines-").tempdir().map_err(|cause| cause.to_string())?;
        // A plain user's hard limits suffice, where Podman's defaults may be forbidden.
        let limits = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n";
        std::fs::write(directory.path().join("containers.conf"), limits)
            .map_err(|cause| cause.to_string())?;
        let tar = busybox::archive(directory.path())?;
        let mut podman = Self { directory, service: None };
        podman.run(&["import", &tar.display().to_string(), busybox::IMAGE])?;
        // Proves that this machine lets it run anything at all.
        podman.run(&["run", "--rm", "--network", "none", busybox::IMAGE, "true"])?;
        let socket = format!("unix://{}", podman.socket().display());
        let mut service = podman.command(&["system", "service", "--time=0", &socket]);
        let service = service.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        podman.service = Some(service.map_err(|cause| format!("podman: {cause}"))?);
        Ok(podman)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let directory = self.directory.path();
        let mut command = Command::new("podman");
        for option in ["root", "runroot", "tmpdir", "network-config-dir"] {
            command.arg(format!("--{option}")).arg(directory.join(option));
        }
        command.args(["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "file"]);
        command.args(arguments).env("CONTAINERS_CONF", directory.join("containers.conf"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let output = self.command(arguments).output().map_err(|cause| format!("podman: {cause}"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("podman.sock")
    }

    /// Waits for the processes that tidy up behind each container: one that is late makes the directory anew.
    fn outlast_monitors(&self) {
        let directory = self.directory.path().display().to_string();
        let mentions = |process: std::fs::DirEntry| {
            std::fs::read(process.path().join("cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&directory))
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::fs::read_dir("/proc").unwrap().flatten().any(mentions) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    async fn engines(&self) -> Engines {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self.socket().exists() {
            assert!(Instant::now() < deadline, "podman's service made no socket");
            sleep(Duration::from_millis(20)).await;
        }
        Engines::at([Address::Unix(self.socket())])
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        if let Some(service) = &mut self.service {
            drop(service.kill());
            drop(service.wait());
        }
        drop(self.run(&["pod", "rm", "--all", "--force", "--time", "0"]));
        drop(self.run(&["rm", "--all", "--force", "--time", "0"]));
        self.outlast_monitors();
    }
}

#[tokio::test]
async fn list_details_pods_and_events_of_a_real_podman() {
    let Some(podman) = require("podman", Podman::start()) else { return };
    let engines = podman.engines().await;
    let mut events = engines.events();
    let listening = timeout(Duration::from_secs(5), events.next()).await.unwrap().unwrap();
    assert!(matches!(listening, Notice::Listening { engine: Engine::Podman, .. }), "{listening:?}");
    set_the_stage(&podman);

    let answers = engines.containers(Duration::from_secs(5)).await;
    assert_eq!(answers.warnings, Vec::<String>::new());
    assert_eq!(answers.containers.len(), 5, "four and the pod's own: {:#?}", answers.containers);
    for listed in &answers.containers {
        let oracle: Value = serde_json::from_str(&podman.run(&["inspect", &listed.id]).unwrap()).unwrap();
        agree(listed, &oracle[0]);
        assert_eq!(engines.inspect(&listed.id).await.unwrap().container.pid, listed.pid);
    }
    let named = |name: &str| answers.containers.iter().find(|c| c.name == name).unwrap();
    assert_eq!(named("inpod").pod.as_deref(), Some("shop"));
    let ports: Vec<_> = named("ranged").published.iter().map(ToString::to_string).collect();
    assert_eq!(ports, ["0.0.0.0:18093→83/tcp", "127.0.0.1:18091→81/udp", "127.0.0.1:18092→82/udp"]);
    let mode = async |name| engines.inspect(name).await.unwrap().container.network_mode;
    assert_eq!(mode("host").await, Some(RequestedMode::Mode(NetworkMode::Host)));
    assert!(matches!(mode("inpod").await, Some(RequestedMode::Container(_))));
    let usual = answers.networks.iter().find(|network| network.name == "podman").unwrap();
    assert_eq!(usual.bridge.as_ref().unwrap().as_str(), "podman0");

    let told = until_death(&mut events, &named("alone").id).await;
    assert!(told.contains(&EventKind::Create) && told.contains(&EventKind::Start), "{told:?}");
}

/// Containers without a network, in host mode, with port ranges, in a pod, and one that has ended.
fn set_the_stage(podman: &Podman) {
    let run = |arguments: &[&str]| podman.run(arguments).unwrap();
    let sleeper = [busybox::IMAGE, "sleep", "300"];
    let start = |options: &[&str]| run(&[&["run", "--detach"], options, &sleeper].concat());
    start(&["--name", "alone", "--network", "none", "--label", "tier=front"]);
    start(&["--name", "host", "--network", "host"]);
    let ports = ["--publish", "127.0.0.1:18091-18092:81-82/udp", "--publish", "18093:83"];
    run(&[&["create", "--name", "ranged"], &ports[..], &sleeper].concat());
    let infra = ["--infra-image", busybox::IMAGE, "--infra-command", "sleep 300"];
    run(&[&["pod", "create", "--name", "shop", "--network", "none"], &infra[..]].concat());
    start(&["--name", "inpod", "--pod", "shop"]);
    run(&["stop", "--time", "0", "alone"]);
}

/// What is told of the container until it has died.
async fn until_death(events: &mut Events, id: &str) -> Vec<EventKind> {
    let mut told = Vec::new();
    while !matches!(told.last(), Some(EventKind::Die { .. })) {
        let notice = timeout(Duration::from_secs(10), events.next()).await;
        match notice.unwrap_or_else(|_| panic!("no more events after {told:?}")) {
            Some(Notice::Event(event)) if event.container == id => told.push(event.kind),
            _ => {}
        }
    }
    told
}

/// What we read of a container and what podman prints of it.
fn agree(listed: &EngineContainer, oracle: &Value) {
    let word = |pointer: &str| oracle.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    assert_eq!((&listed.id[..], &listed.name[..]), (word("/Id"), word("/Name")));
    assert_eq!((listed.engine.clone(), listed.state.as_str()), (Engine::Podman, word("/State/Status")));
    assert_eq!(listed.image.as_deref(), Some(word("/ImageName")));
    assert_eq!(listed.pid.map_or(0, u64::from), oracle["State"]["Pid"].as_u64().unwrap());
    let labels = oracle["Config"]["Labels"].as_object().map_or(0, serde_json::Map::len);
    assert_eq!(listed.labels.len(), labels);
}
