//! What was seen of the host before anything is joined: namespaces with their links, processes, engines' words.
//!
//! Plain values, so that every odd host is a unit test of the join.

use std::{collections::BTreeMap, net::IpAddr};

use crate::model::{Engine, Link, LinkName, Membership, NamespaceId, NetworkMode, PublishedPort, State};

/// Everything one look at the host gathered.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The namespace pcapsule itself runs in, first of all.
    pub host: Option<NamespaceId>,
    /// Every namespace found, the host's included.
    pub namespaces: Vec<NamespaceFacts>,
    /// Every process that could be read.
    pub processes: Vec<ProcessFacts>,
    /// Every container an engine named.
    pub engine_containers: Vec<EngineContainer>,
    /// What could not be seen and why, in sentences for the user.
    pub warnings: Vec<String>,
}

/// One network namespace and the links in it.
#[derive(Debug, Clone)]
pub struct NamespaceFacts {
    /// Its identity.
    pub id: NamespaceId,
    /// Bind mounts that hold it (`/run/netns/x`, `/run/docker/netns/…`).
    pub paths: Vec<String>,
    /// Its links with addresses; empty where they could not be read.
    pub links: Vec<Link>,
    /// What each `LowerLink::netnsid` in `links` means. Numbers that are missing here are namespaces nobody could name.
    pub netnsids: BTreeMap<i32, NamespaceId>,
}

/// One process, as /proc tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessFacts {
    /// Process id in our pid namespace.
    pub pid: u32,
    /// Start time in clock ticks since boot: with the pid, unique (proc_pid_stat(5), field 22).
    pub start_time: u64,
    /// Its network namespace.
    pub namespace: NamespaceId,
    /// Its cgroup path (`/docker/<id>`, `/system.slice/docker-<id>.scope`): of several hierarchies the one that names a
    /// container, otherwise the longest.
    pub cgroup: String,
    /// Command name, at most 15 bytes.
    pub command: String,
}

/// One container in an engine's words, before its process and namespace are known for sure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineContainer {
    /// Full id.
    pub id: String,
    /// Name without a leading slash.
    pub name: String,
    /// Who said so.
    pub engine: Engine,
    /// Image name.
    pub image: Option<String>,
    /// Engine's state word.
    pub state: State,
    /// What the engine was asked for (`HostConfig.NetworkMode`): `bridge`, `host`, `none`, `container:ID`, a network's name.
    pub network_mode: Option<RequestedMode>,
    /// First process, where the engine said so; 0 and dead ones left out.
    pub pid: Option<u32>,
    /// Path of the namespace in the engine's mount namespace (`SandboxKey`), where it said so.
    pub sandbox: Option<String>,
    /// Its networks.
    pub networks: Vec<Membership>,
    /// Published ports.
    pub published: Vec<PublishedPort>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Pod, for engines that have pods.
    pub pod: Option<String>,
}

#[cfg(test)]
impl EngineContainer {
    /// One of Docker's that runs, and of which nothing else was said.
    pub(crate) fn running(id: &str, name: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            engine: Engine::Docker,
            image: Some("nginx".to_owned()),
            state: State::Running,
            network_mode: None,
            pid: None,
            sandbox: None,
            networks: Vec::new(),
            published: Vec::new(),
            labels: BTreeMap::new(),
            pod: None,
        }
    }
}

/// The network mode as it was asked of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestedMode {
    /// `bridge`, `host`, `none`, or a driver's word.
    Mode(NetworkMode),
    /// `container:ID`: joined to that container (id or name).
    Container(String),
    /// A network of that name.
    Network(String),
}

/// What an engine says of one of its networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineNetwork {
    /// Its name.
    pub name: String,
    /// `bridge`, `macvlan`, …
    pub driver: String,
    /// The host's bridge, where the driver has one.
    pub bridge: Option<LinkName>,
    /// The gateway addresses.
    pub gateways: Vec<IpAddr>,
    /// Whether it was made to lead nowhere else (`--internal`).
    pub internal: bool,
    /// Whether its members may talk to each other.
    pub between_members: bool,
}
