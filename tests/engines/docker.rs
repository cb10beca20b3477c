//! A real Docker engine; its own `docker inspect` is the second opinion.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use futures_util::StreamExt;
use pcapsule::discovery::engine::{Address, EngineEvent, Engines, EventKind, Events, Inspection, Notice};
use pcapsule::discovery::{EngineContainer, RequestedMode};
use pcapsule::model::{Engine, NetworkMode, State};
use serde_json::Value;
use tokio::time::timeout;

use crate::{busybox, require, run};

const SOCKET: &str = "/var/run/docker.sock";

fn docker<const N: usize>(arguments: [&str; N]) -> String {
    run("docker", arguments).unwrap()
}

fn engines() -> Engines {
    Engines::at([Address::Unix(SOCKET.into())])
}

/// The image, while any test uses it.
struct Image;

impl Image {
    fn import() -> Result<Arc<Self>, String> {
        static SHARED: Mutex<Weak<Image>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap();
        if let Some(image) = shared.upgrade() {
            return Ok(image);
        }
        run("docker", ["version"])?;
        let directory = tempfile::tempdir().map_err(|cause| cause.to_string())?;
        let tar = busybox::archive(directory.path())?;
        run("docker", ["import".as_ref(), tar.as_os_str(), busybox::IMAGE.as_ref()])?;
        let image = Arc::new(Self);
        *shared = Arc::downgrade(&image);
        Ok(image)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        drop(run("docker", ["rmi", "--force", busybox::IMAGE]));
    }
}

/// Containers and a network of one test, all with its prefix, removed at its end.
struct Stage {
    prefix: String,
    _image: Arc<Image>,
}

impl Stage {
    fn new(test: &str, image: Arc<Image>) -> Self {
        Self { prefix: format!("pcs-engines-{test}-{}", std::process::id()), _image: image }
    }

    fn name(&self, short: &str) -> String {
        format!("{}-{short}", self.prefix)
    }

    /// Starts a container that sleeps.
    fn start(&self, short: &str, options: &[&str]) -> String {
        let name = self.name(short);
        let command = ["run", "--detach", "--name", &name].into_iter().chain(options.iter().copied());
        run("docker", command.chain([busybox::IMAGE, "sleep", "300"])).unwrap()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let filter = format!("name={}", self.prefix);
        for (list, remove) in [
            (["ps", "--all", "--quiet", "--filter", filter.as_str()].as_slice(), ["rm", "--force"]),
            (["network", "ls", "--quiet", "--filter", filter.as_str()].as_slice(), ["network", "rm"]),
        ] {
            for id in run("docker", list).unwrap_or_default().lines() {
                drop(run("docker", remove.into_iter().chain([id])));
            }
        }
    }
}

#[tokio::test]
async fn list_and_details_agree_with_docker_inspect() {
    let Some(image) = require("docker", Image::import()) else { return };
    let stage = Stage::new("list", image);
    let network = stage.name("net");
    docker(["network", "create", "--ipv6", "--subnet", "fd70:6373:e::/64", &network]);
    stage.start("web", &["--publish", "80", "--publish", "127.0.0.1::81/udp", "--label", "tier=front"]);
    stage.start("app", &["--network", &network, "--network-alias", "application", "--dns", "192.0.2.53"]);
    stage.start("host", &["--network", "host", "--add-host", "db:192.0.2.9"]);
    stage.start("none", &["--network", "none"]);
    stage.start("side", &["--network", &format!("container:{}", stage.name("web"))]);
    docker(["create", "--name", &stage.name("fresh"), busybox::IMAGE, "true"]);
    docker(["pause", &stage.name("none")]);

    let answers = engines().containers(Duration::from_secs(5)).await;
    let ours: Vec<_> = answers.containers.iter().filter(|c| c.name.starts_with(&stage.prefix)).collect();
    assert_eq!(ours.len(), 6, "{ours:#?}");
    for listed in &ours {
        let oracle: Value = serde_json::from_str(&docker(["inspect", &listed.id])).unwrap();
        let details = engines().inspect(&listed.id).await.unwrap();
        agree(listed, &details, &oracle[0]);
    }
    let named = |short: &str| *ours.iter().find(|c| c.name == stage.name(short)).unwrap();
    let web = named("web");
    assert_eq!(named("side").network_mode, Some(RequestedMode::Container(web.id.clone())));
    assert_eq!(web.network_mode, Some(RequestedMode::Mode(NetworkMode::Bridge)));
    assert_eq!(named("host").network_mode, Some(RequestedMode::Mode(NetworkMode::Host)));
    assert_eq!(named("app").network_mode, Some(RequestedMode::Network(network.clone())));
    assert_eq!((&named("none").state, &named("fresh").state), (&State::Paused, &State::Created));
    let known = answers.networks.iter().find(|known| known.name == network).unwrap();
    assert_eq!(known.bridge, named("app").networks[0].bridge);

    let app = engines().inspect(&stage.name("app")).await.unwrap();
    assert!(app.container.networks[0].aliases.contains(&"application".to_owned()), "{app:?}");
    assert_eq!((app.dns, app.restart_count), (vec!["192.0.2.53".to_owned()], Some(0)));
    let host = engines().inspect(&stage.name("host")).await.unwrap();
    assert_eq!(host.extra_hosts, ["db:192.0.2.9"]);
}

/// What we read of a container and what docker prints of it.
fn agree(listed: &EngineContainer, details: &Inspection, oracle: &Value) {
    let word = |pointer: &str| oracle.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let inspected = &details.container;
    for ours in [listed, inspected] {
        assert_eq!((&ours.id[..], format!("/{}", ours.name)), (word("/Id"), word("/Name").to_owned()));
        assert_eq!((ours.engine.clone(), ours.state.as_str()), (Engine::Docker, word("/State/Status")));
        assert_eq!(ours.image.as_deref(), Some(word("/Config/Image")));
        assert_eq!(ours.labels.len(), oracle["Config"]["Labels"].as_object().unwrap().len());
        for membership in &ours.networks {
            let entry = &oracle["NetworkSettings"]["Networks"][&membership.network];
            let told = ["IPAddress", "GlobalIPv6Address"].map(|key| entry[key].as_str().unwrap());
            let told: Vec<_> = told.into_iter().filter(|address| !address.is_empty()).collect();
            assert_eq!(membership.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(), told);
            assert_eq!(
                membership.mac.map(|mac| mac.to_string()).unwrap_or_default(),
                entry["MacAddress"].as_str().unwrap()
            );
            if let Some(bridge) = &membership.bridge {
                assert!(
                    Path::new("/sys/class/net").join(bridge.as_str()).join("bridge").exists(),
                    "{bridge}"
                );
            }
        }
    }
    assert_eq!(listed.published, inspected.published);
    assert_eq!(printed(listed), docker_port(&listed.id));
    assert_eq!(inspected.pid.map_or(0, u64::from), oracle["State"]["Pid"].as_u64().unwrap());
    assert_eq!(inspected.sandbox.as_deref().unwrap_or_default(), word("/NetworkSettings/SandboxKey"));
    assert_eq!(details.hostname.as_deref().unwrap_or_default(), word("/Config/Hostname"));
    assert_eq!(details.warnings, Vec::<String>::new());
}

/// Published ports as `docker port` prints them.
fn printed(container: &EngineContainer) -> BTreeSet<String> {
    let line = |port: &pcapsule::model::PublishedPort| {
        let host = std::net::SocketAddr::new(port.host_ip, port.host_port);
        format!("{}/{} -> {host}", port.container_port, port.protocol)
    };
    container.published.iter().map(line).collect()
}

fn docker_port(id: &str) -> BTreeSet<String> {
    docker(["port", id]).lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn events_tell_a_containers_life() {
    let Some(image) = require("docker", Image::import()) else { return };
    let stage = Stage::new("events", image);
    let network = stage.name("net");
    docker(["network", "create", &network]);
    let mut events = engines().events();
    let listening = timeout(Duration::from_secs(5), events.next()).await.unwrap().unwrap();
    assert!(matches!(listening, Notice::Listening { engine: Engine::Docker, .. }), "{listening:?}");

    let id = stage.start("one", &["--network", "none"]);
    docker(["network", "disconnect", "none", &id]);
    docker(["network", "connect", &network, &id]);
    docker(["pause", &id]);
    docker(["unpause", &id]);
    docker(["rename", &id, &stage.name("two")]);
    docker(["rm", "--force", &id]);
    let told = until(&mut events, &id, &EventKind::Destroy).await;

    let expected = [
        EventKind::Create,
        EventKind::Start,
        EventKind::Connect { network: Some(network.clone()) },
        EventKind::Pause,
        EventKind::Unpause,
        EventKind::Rename { from: Some(stage.name("one")), to: stage.name("two") },
        EventKind::Die { exit_code: Some(137) },
        EventKind::Disconnect { network: Some(network) },
        EventKind::Destroy,
    ];
    let mut rest = told.iter();
    for kind in expected {
        assert!(rest.any(|event| event.kind == kind), "{kind:?} in its turn: {told:#?}");
    }
    assert!(told.iter().all(|event| event.time_ns > 1_600_000_000_000_000_000), "{told:#?}");

    // A container of its own: Docker waits half a minute for a check that a pause interrupts.
    let id =
        stage.start("checked", &["--network", "none", "--health-cmd", "true", "--health-interval", "1s"]);
    until(&mut events, &id, &EventKind::Health { status: Some("healthy".into()) }).await;
    assert_eq!(engines().inspect(&id).await.unwrap().health.as_deref(), Some("healthy"));
}

/// The container's events up to the last one wanted.
async fn until(events: &mut Events, id: &str, last: &EventKind) -> Vec<EngineEvent> {
    let mut told: Vec<EngineEvent> = Vec::new();
    while told.last().is_none_or(|event| event.kind != *last) {
        let notice = timeout(Duration::from_secs(20), events.next()).await;
        match notice.unwrap_or_else(|_| panic!("no more events after {told:#?}")) {
            Some(Notice::Event(event)) if event.container == id => told.push(event),
            Some(Notice::Event(_)) => {}
            other => panic!("an event: {other:?}"),
        }
    }
    told
}
