//! What is known of the host before anything is concluded: namespaces with all that decides a packet's way, containers,
//! networks. Plain values, so that each fault is a unit test.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, SocketAddr},
};

use crate::discovery::{EngineNetwork, Topology};
use crate::model::{Container, InterfaceAddress, Link, LinkIndex, NamespaceId, Protocol, PublishedPort};
use crate::sys::netlink::{BridgePort, ForwardingEntry, LinkHook, Neighbour, Route, RoutingRule};

use super::firewall::Ruleset;
use super::question::Lookup;

/// Everything one pass gathered.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Who is connected to what.
    pub topology: Topology,
    /// The engines' networks.
    pub networks: Vec<EngineNetwork>,
    /// The namespaces on the way, the host's among them.
    pub spaces: HashMap<NamespaceId, Space>,
    /// What engines tell of single containers, by id.
    pub details: HashMap<String, Detail>,
    /// What name servers said when they were asked.
    pub lookups: Vec<Lookup>,
    /// Whether there may be containers or published ports that nobody told of.
    pub incomplete: bool,
    /// What could not be seen, in sentences.
    pub unseen: Vec<String>,
}

/// What an engine tells of one container when asked for it alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detail {
    /// Host ports asked for, whether they are answered or not.
    pub asked_ports: Vec<PublishedPort>,
    /// Host ports asked for at every address of both families.
    pub asked_everywhere: Vec<(u16, Protocol)>,
    /// How often it has been restarted.
    pub restarts: u64,
    /// Why its last start failed.
    pub failure: Option<String>,
    /// Its host name, which other members of a network may use.
    pub hostname: Option<String>,
    /// Seconds since its first process started.
    pub age: Option<u64>,
}

/// One network namespace.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    /// Its identity.
    pub id: NamespaceId,
    /// Its links with their addresses.
    pub links: Vec<Link>,
    /// Its routes, of all tables.
    pub routes: Vec<Route>,
    /// The rules by which a table is chosen, in order.
    pub rules: Vec<RoutingRule>,
    /// Its neighbours.
    pub neighbours: Vec<Neighbour>,
    /// What its bridges know.
    pub forwarding: Vec<ForwardingEntry>,
    /// The ports of its bridges.
    pub ports: Vec<BridgePort>,
    /// What is at its interfaces and may drop frames.
    pub hooks: Vec<LinkHook>,
    /// Settings by their names.
    pub settings: BTreeMap<String, String>,
    /// Its rules.
    pub firewall: Ruleset,
    /// Its sockets that wait for connections or datagrams.
    pub listeners: Vec<Listener>,
    /// The names its processes go by: `/etc/resolv.conf` and `/etc/hosts`.
    pub names: Names,
    /// Counters of the namespace, as `TcpExt.ListenOverflows`.
    pub counters: BTreeMap<String, u64>,
}

/// A socket that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// What it speaks.
    pub protocol: Protocol,
    /// Where it waits.
    pub local: SocketAddr,
    /// Whether one of IPv6 takes no IPv4.
    pub v6_only: bool,
    /// The link by which alone it is asked (`SO_BINDTODEVICE`).
    pub device: Option<LinkIndex>,
    /// Connections that wait to be accepted.
    pub waiting: u32,
    /// How many may wait.
    pub backlog: u32,
    /// Whether none was accepted between two looks, although some waited.
    pub unattended: bool,
    /// Who holds it open.
    pub holders: Vec<Holder>,
}

/// A process that holds a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its id.
    pub pid: u32,
    /// Its name.
    pub command: String,
    /// Whether it is stopped (`T`) and so does nothing.
    pub stopped: bool,
    /// The container it belongs to, by id.
    pub container: Option<String>,
    /// Where it passes connections on, if it is an engine's proxy.
    pub proxy_to: Option<SocketAddr>,
}

/// How names are resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Whether the files could be read.
    pub read: bool,
    /// `nameserver` lines, as written.
    pub servers: Vec<String>,
    /// Domains of the `search` line.
    pub search: Vec<String>,
    /// Addresses and names of /etc/hosts.
    pub hosts: Vec<(IpAddr, Vec<String>)>,
}

impl Space {
    /// One with nothing in it.
    pub fn empty(id: NamespaceId) -> Self {
        Self {
            id,
            links: Vec::new(),
            routes: Vec::new(),
            rules: Vec::new(),
            neighbours: Vec::new(),
            forwarding: Vec::new(),
            ports: Vec::new(),
            hooks: Vec::new(),
            settings: BTreeMap::new(),
            firewall: Ruleset::default(),
            listeners: Vec::new(),
            names: Names::default(),
            counters: BTreeMap::new(),
        }
    }

    /// A link by its index.
    pub fn link(&self, index: LinkIndex) -> Option<&Link> {
        self.links.iter().find(|link| link.index == index)
    }

    /// A link by its name.
    pub fn link_named(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name.as_str() == name)
    }

    /// Its addresses, each with the link that has it.
    pub fn addresses(&self) -> impl Iterator<Item = (&Link, InterfaceAddress)> {
        self.links.iter().flat_map(|link| link.addresses.iter().map(move |address| (link, *address)))
    }

    /// Whether an address is this namespace's own.
    pub fn is_local(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.addresses().any(|(_, own)| own.address == address)
    }

    /// A setting that is a number.
    pub fn setting(&self, name: &str) -> Option<i64> {
        self.settings.get(name)?.trim().parse().ok()
    }

    /// The forwarding port of a bridge that this link is.
    pub fn port(&self, link: LinkIndex) -> Option<&BridgePort> {
        self.ports.iter().find(|port| port.link == link)
    }
}

impl Facts {
    /// The host's namespace.
    pub fn host(&self) -> Option<&Space> {
        self.spaces.get(&self.topology.host?)
    }

    /// A container by its id.
    pub fn container(&self, id: &str) -> Option<&Container> {
        self.topology.containers.iter().find(|container| container.id == id)
    }

    /// A container by its namespace, unless that is the host's: rather one of which an engine tells, than a process beside it.
    pub fn resident(&self, namespace: NamespaceId) -> Option<&Container> {
        if Some(namespace) == self.topology.host {
            return None;
        }
        let mut residents =
            self.topology.containers.iter().filter(|container| container.namespace == Some(namespace));
        let first = residents.clone().next();
        residents.find(|container| !container.networks.is_empty()).or(first)
    }

    /// What a namespace is called.
    pub fn name_of(&self, namespace: NamespaceId) -> String {
        match self.resident(namespace) {
            Some(container) => container.name.clone(),
            None if Some(namespace) == self.topology.host => "host".to_owned(),
            None => namespace.to_string(),
        }
    }

    /// An engine's network by its name.
    pub fn network(&self, name: &str) -> Option<&EngineNetwork> {
        self.networks.iter().find(|network| network.name == name)
    }

    /// The engine's network that a bridge stands for.
    pub fn network_of_bridge(&self, bridge: &str) -> Option<&EngineNetwork> {
        self.networks
            .iter()
            .find(|network| network.bridge.as_ref().is_some_and(|name| name.as_str() == bridge))
    }
}

impl Listener {
    /// Whether it takes what is sent to this address.
    pub fn takes(&self, address: IpAddr) -> bool {
        let (local, any_v6) = (self.local.ip(), self.local.ip().is_unspecified() && self.local.is_ipv6());
        match (local, address) {
            (_, IpAddr::V4(_)) if any_v6 => !self.v6_only,
            (IpAddr::V6(_), IpAddr::V6(_)) if any_v6 => true,
            (IpAddr::V4(own), IpAddr::V4(_)) if own.is_unspecified() => true,
            (IpAddr::V6(own), IpAddr::V4(wanted)) => own.to_ipv4_mapped() == Some(wanted),
            (own, wanted) => own == wanted,
        }
    }

    /// Whether nobody who holds it does anything.
    pub fn is_stopped(&self) -> bool {
        !self.holders.is_empty() && self.holders.iter().all(|holder| holder.stopped)
    }

    /// `httpd (pid 42)`, or no more than that it is there.
    pub fn holder_words(&self) -> String {
        match self.holders.first() {
            Some(holder) => format!("{} (pid {})", holder.command, holder.pid),
            None => "a process that cannot be seen".to_owned(),
        }
    }

    /// `0.0.0.0:80/tcp`
    pub fn words(&self) -> String {
        format!("{}/{}", self.local, self.protocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_take_their_families() {
        let listener = |local: &str, v6_only| Listener {
            protocol: Protocol::Tcp,
            local: local.parse().unwrap(),
            v6_only,
            device: None,
            waiting: 0,
            backlog: 128,
            unattended: false,
            holders: Vec::new(),
        };
        for (local, v6_only, address, takes) in [
            ("0.0.0.0:80", false, "10.0.0.1", true),
            ("0.0.0.0:80", false, "fd00::1", false),
            ("[::]:80", false, "10.0.0.1", true),
            ("[::]:80", true, "10.0.0.1", false),
            ("[::]:80", true, "fd00::1", true),
            ("127.0.0.1:80", false, "10.0.0.1", false),
            ("[::ffff:10.0.0.1]:80", false, "10.0.0.1", true),
            ("[::1]:80", false, "fd00::1", false),
        ] {
            assert_eq!(listener(local, v6_only).takes(address.parse().unwrap()), takes, "{local} {address}");
        }
    }
}
