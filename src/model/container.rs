//! A container: what an engine, or the process table alone, knows of it, joined with its interfaces.

use std::{collections::BTreeMap, fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize, Serializer};

use super::{Endpoint, LinkName, Mac, NamespaceId};

/// Who runs the container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Engine {
    /// Docker Engine.
    Docker,
    /// Podman.
    Podman,
    /// containerd, directly or through nerdctl.
    Containerd,
    /// CRI-O.
    Crio,
    /// LXC or LXD.
    Lxc,
    /// systemd-nspawn or another machine known to systemd.
    Nspawn,
    /// pcapsule itself.
    Pcapsule,
    /// No engine: a network namespace with processes or a mount of its own (`ip netns`).
    Namespace,
    /// Another one, by its own word.
    Other(String),
}

impl Engine {
    /// The word used on the command line and in files.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Containerd => "containerd",
            Self::Crio => "cri-o",
            Self::Lxc => "lxc",
            Self::Nspawn => "nspawn",
            Self::Pcapsule => "pcapsule",
            Self::Namespace => "netns",
            Self::Other(word) => word,
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Engine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// How the container is connected.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NetworkMode {
    /// A veth into a bridge.
    Bridge,
    /// The host's own namespace.
    Host,
    /// A namespace with nothing but loopback.
    None,
    /// The namespace of another container (`--network container:NAME`, a pod).
    Shared,
    /// A macvlan interface on a parent.
    Macvlan,
    /// An ipvlan interface on a parent.
    Ipvlan,
    /// A tap or tun served by a process (rootless pasta, slirp4netns).
    Tap,
    /// A veth that is not a bridge port: routed.
    Routed,
    /// Anything else, by a word.
    Other(String),
}

impl NetworkMode {
    /// The word used in `mode=…` and in the table.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Bridge => "bridge",
            Self::Host => "host",
            Self::None => "none",
            Self::Shared => "shared",
            Self::Macvlan => "macvlan",
            Self::Ipvlan => "ipvlan",
            Self::Tap => "tap",
            Self::Routed => "routed",
            Self::Other(word) => word,
        }
    }
}

impl FromStr for NetworkMode {
    type Err = std::convert::Infallible;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Ok(match word {
            "bridge" => Self::Bridge,
            "host" => Self::Host,
            "none" => Self::None,
            "shared" | "container" => Self::Shared,
            "macvlan" => Self::Macvlan,
            "ipvlan" => Self::Ipvlan,
            "tap" => Self::Tap,
            "routed" => Self::Routed,
            other => Self::Other(other.to_owned()),
        })
    }
}

impl fmt::Display for NetworkMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for NetworkMode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Where the container is in its life. Engines invent words; unknown ones are kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Made, never started.
    Created,
    /// Has a process.
    Running,
    /// Has processes, frozen.
    Paused,
    /// Between an end and the next start.
    Restarting,
    /// Ended.
    Exited,
    /// Anything else, in the engine's word.
    Other(String),
}

impl State {
    /// The engine's word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
            Self::Other(word) => word,
        }
    }

    /// From an engine's word, in any case; Podman's "stopped" means exited.
    pub fn from_engine(word: &str) -> Self {
        match word.to_ascii_lowercase().as_str() {
            "created" | "configured" | "initialized" => Self::Created,
            "running" | "up" => Self::Running,
            "paused" => Self::Paused,
            "restarting" => Self::Restarting,
            "exited" | "stopped" | "dead" => Self::Exited,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Whether it has processes, and so a namespace to listen in.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The transport of a published port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

/// A port of the container that the host answers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PublishedPort {
    /// The host address listened on; unspecified means every address of that family.
    pub host_ip: IpAddr,
    /// The port on the host.
    pub host_port: u16,
    /// The port in the container.
    pub container_port: u16,
    /// The transport.
    pub protocol: Protocol,
}

/// `0.0.0.0:8080→80/tcp`, with brackets around IPv6.
impl fmt::Display for PublishedPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host_ip {
            IpAddr::V4(ip) => write!(f, "{ip}:{}", self.host_port)?,
            IpAddr::V6(ip) => write!(f, "[{ip}]:{}", self.host_port)?,
        }
        write!(f, "→{}/{}", self.container_port, self.protocol)
    }
}

/// What an engine says of a container's place in one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Membership {
    /// The network's name.
    pub network: String,
    /// The bridge the engine made for it, where that can be told.
    pub bridge: Option<LinkName>,
    /// Addresses the engine gave, without prefix.
    pub addresses: Vec<IpAddr>,
    /// The hardware address the engine gave.
    pub mac: Option<Mac>,
    /// Names under which other members can resolve it.
    pub aliases: Vec<String>,
}

/// A container, joined with its namespace and interfaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// The engine's full id; for a bare namespace its inode number or mount name.
    pub id: String,
    /// The name people use, without Docker's leading slash.
    pub name: String,
    /// Who runs it.
    pub engine: Engine,
    /// The image, where there is one.
    pub image: Option<String>,
    /// Where it is in its life.
    pub state: State,
    /// How it is connected.
    pub mode: NetworkMode,
    /// The first process, in our pid namespace; none once it has ended.
    pub pid: Option<u32>,
    /// Its network namespace; the host's own in host mode; none once it has ended.
    pub namespace: Option<NamespaceId>,
    /// Paths that keep the namespace open without a process (`/run/netns/x`).
    pub namespace_paths: Vec<String>,
    /// Its interfaces, loopback left out; in host mode none.
    pub endpoints: Vec<Endpoint>,
    /// What the engine says of its networks.
    pub networks: Vec<Membership>,
    /// Ports the host answers for.
    pub published: Vec<PublishedPort>,
    /// The engine's labels, Compose's among them.
    pub labels: BTreeMap<String, String>,
    /// The pod it belongs to, where the engine has pods.
    pub pod: Option<String>,
    /// The cgroup of its first process, below the mount point.
    pub cgroup: Option<String>,
    /// Names of other containers in the same namespace (host mode left out).
    pub shares_with: Vec<String>,
}

impl Container {
    /// The Compose project, by Docker's or Podman's label.
    pub fn project(&self) -> Option<&str> {
        self.label(&["com.docker.compose.project", "io.podman.compose.project"])
    }

    /// The Compose service, by Docker's or Podman's label.
    pub fn service(&self) -> Option<&str> {
        self.label(&["com.docker.compose.service", "io.podman.compose.service"])
    }

    /// The first twelve characters of the id, as `docker ps` prints it.
    pub fn short_id(&self) -> &str {
        self.id.get(..12).unwrap_or(&self.id)
    }

    fn label(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().find_map(|key| self.labels.get(*key)).map(String::as_str)
    }
}
