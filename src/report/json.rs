//! The JSON of `ls`. Its names are an interface: docs/json.md documents them, and `version` counts what breaks readers.

use std::{collections::BTreeMap, io};

use serde::Serialize;

use crate::discovery::Topology;
use crate::model::{
    Container, Counters, Endpoint, Engine, HostSide, InterfaceAddress, Link, LinkKind, Mac, Membership,
    NamespaceId, NetworkMode, PublishedPort, State,
};

use super::table::{Listing, Scope};
use super::{ends, links};

/// Writes the document of `ls` on one line.
pub fn listing_json(listing: &Listing<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let document = Document::new(
        "pcapsule.ls",
        listing.time_ns,
        listing.host,
        &listing.topology.warnings,
        Listed::of(listing),
    );
    serde_json::to_writer(&mut *out, &document)?;
    writeln!(out)
}

/// What is around the contents of every document.
#[derive(Debug, Serialize)]
pub(super) struct Document<'a, T> {
    schema: &'static str,
    version: u32,
    time_ns: u64,
    host: &'a str,
    #[serde(flatten)]
    contents: T,
    warnings: &'a [String],
}

impl<'a, T: Serialize> Document<'a, T> {
    pub(super) fn new(
        schema: &'static str,
        time_ns: u64,
        host: &'a str,
        warnings: &'a [String],
        contents: T,
    ) -> Self {
        Self { schema, version: 1, time_ns, host, contents, warnings }
    }

    /// Once its names have broken readers.
    pub(super) fn of_version(self, version: u32) -> Self {
        Self { version, ..self }
    }
}

#[derive(Debug, Serialize)]
struct Listed<'a> {
    containers: Vec<ContainerJson<'a>>,
    /// Those asked for; all of the host where nothing was.
    bridges: Vec<BridgeJson<'a>>,
    /// Those asked for that are not bridges.
    interfaces: Vec<HostLinkJson<'a>>,
}

impl<'a> Listed<'a> {
    fn of(listing: &Listing<'a>) -> Self {
        let topology = listing.topology;
        let (asked_bridges, others): (Vec<&Link>, Vec<&Link>) =
            listing.interfaces.iter().partition(|link| link.kind == LinkKind::Bridge);
        let bridges = match listing.scope {
            Scope::Host => ends::bridges(topology).collect(),
            Scope::Selection => asked_bridges,
        };
        Self {
            containers: listing.containers.iter().map(|found| ContainerJson::of(topology, found)).collect(),
            bridges: bridges.into_iter().map(|bridge| BridgeJson::of(topology, bridge)).collect(),
            interfaces: others.into_iter().map(|link| HostLinkJson::of(topology, link)).collect(),
        }
    }
}

/// A container and its interfaces.
#[derive(Debug, Serialize)]
pub(super) struct ContainerJson<'a> {
    id: &'a str,
    name: &'a str,
    engine: &'a Engine,
    image: Option<&'a str>,
    state: &'a State,
    mode: &'a NetworkMode,
    pid: Option<u32>,
    namespace: Option<NamespaceId>,
    namespace_paths: &'a [String],
    cgroup: Option<&'a str>,
    pod: Option<&'a str>,
    project: Option<&'a str>,
    service: Option<&'a str>,
    labels: &'a BTreeMap<String, String>,
    shares_with: &'a [String],
    interfaces: Vec<InterfaceJson<'a>>,
    networks: &'a [Membership],
    published: &'a [PublishedPort],
}

impl<'a> ContainerJson<'a> {
    pub(super) fn of(topology: &'a Topology, container: &'a Container) -> Self {
        Self {
            id: &container.id,
            name: &container.name,
            engine: &container.engine,
            image: container.image.as_deref(),
            state: &container.state,
            mode: &container.mode,
            pid: container.pid,
            namespace: container.namespace,
            namespace_paths: &container.namespace_paths,
            cgroup: container.cgroup.as_deref(),
            pod: container.pod.as_deref(),
            project: container.project(),
            service: container.service(),
            labels: &container.labels,
            shares_with: &container.shares_with,
            interfaces: container.endpoints.iter().map(|found| InterfaceJson::of(topology, found)).collect(),
            networks: &container.networks,
            published: &container.published,
        }
    }
}

/// An interface inside a container.
#[derive(Debug, Serialize)]
struct InterfaceJson<'a> {
    #[serde(flatten)]
    link: LinkJson<'a>,
    network: Option<&'a str>,
    far_end: FarEndJson<'a>,
}

#[derive(Debug, Serialize)]
struct FarEndJson<'a> {
    #[serde(flatten)]
    host_side: &'a HostSide,
    /// The outer container, where containers nest.
    container: Option<&'a str>,
    counters: Option<&'a Counters>,
}

impl<'a> InterfaceJson<'a> {
    fn of(topology: &'a Topology, endpoint: &'a Endpoint) -> Self {
        let outside = match &endpoint.host_side {
            HostSide::Pair { namespace, .. } | HostSide::Parent { namespace, .. } => Some(*namespace),
            HostSide::Unconfirmed { .. } | HostSide::None => None,
        };
        let outer = outside
            .filter(|namespace| topology.host != Some(*namespace))
            .and_then(|namespace| ends::owner(topology, namespace));
        Self {
            link: LinkJson::of(&endpoint.link),
            network: endpoint.network.as_deref(),
            far_end: FarEndJson {
                host_side: &endpoint.host_side,
                container: outer.map(|container| container.name.as_str()),
                counters: ends::host_end(topology, endpoint).map(|link| &link.counters),
            },
        }
    }
}

#[derive(Debug, Serialize)]
struct LinkJson<'a> {
    name: &'a str,
    index: u32,
    kind: &'a LinkKind,
    /// `up`, `no-carrier` or `down`.
    state: &'static str,
    mac: Option<Mac>,
    mtu: u32,
    addresses: &'a [InterfaceAddress],
    counters: &'a Counters,
}

impl<'a> LinkJson<'a> {
    fn of(link: &'a Link) -> Self {
        Self {
            name: link.name.as_str(),
            index: link.index.number(),
            kind: &link.kind,
            state: links::state(link),
            mac: link.mac,
            mtu: link.mtu,
            addresses: &link.addresses,
            counters: &link.counters,
        }
    }
}

/// An interface of the host, with what is behind it.
#[derive(Debug, Serialize)]
struct HostLinkJson<'a> {
    #[serde(flatten)]
    link: LinkJson<'a>,
    bridge: Option<&'a str>,
    container: Option<&'a str>,
    /// The name of the other end inside that container.
    container_interface: Option<&'a str>,
}

impl<'a> HostLinkJson<'a> {
    fn of(topology: &'a Topology, link: &'a Link) -> Self {
        let behind = ends::behind(topology, link.index);
        Self {
            link: LinkJson::of(link),
            bridge: link
                .master
                .and_then(|master| topology.host_link(master))
                .map(|bridge| bridge.name.as_str()),
            container: behind.map(|(container, _)| container.name.as_str()),
            container_interface: behind.map(|(_, endpoint)| endpoint.link.name.as_str()),
        }
    }
}

#[derive(Debug, Serialize)]
struct BridgeJson<'a> {
    #[serde(flatten)]
    link: LinkJson<'a>,
    ports: Vec<HostLinkJson<'a>>,
}

impl<'a> BridgeJson<'a> {
    fn of(topology: &'a Topology, bridge: &'a Link) -> Self {
        let ports = ends::ports(topology, bridge.index).map(|port| HostLinkJson::of(topology, port));
        Self { link: LinkJson::of(bridge), ports: ports.collect() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::fixture;

    fn document(containers: &[&str], interfaces: &[&str]) -> Value {
        let topology = fixture::topology();
        let listing = Listing {
            topology: &topology,
            containers: containers.iter().map(|name| fixture::container(&topology, name)).collect(),
            interfaces: topology
                .host_links
                .iter()
                .filter(|link| interfaces.contains(&link.name.as_str()))
                .collect(),
            scope: if containers.len() + interfaces.len() == 0 { Scope::Host } else { Scope::Selection },
            host: "testhost",
            time_ns: 1_700_000_000_000_000_000,
        };
        let mut out = Vec::new();
        listing_json(&listing, &mut out).unwrap();
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn the_document_keeps_its_names() {
        insta::assert_snapshot!(
            serde_json::to_string_pretty(&document(&["web", "inner"], &["docker0"])).unwrap()
        );
    }

    #[test]
    fn all_bridges_unless_something_is_asked_for() {
        assert_eq!(document(&[], &[])["bridges"].as_array().unwrap().len(), 2);
        assert_eq!(document(&["web"], &[])["bridges"], Value::Array(vec![]));
        assert_eq!(document(&["web"], &["docker0"])["bridges"][0]["name"], "docker0");
        let asked = document(&[], &["veth1a2b"]);
        assert_eq!(asked["bridges"], Value::Array(vec![]));
        assert_eq!(asked["interfaces"][0]["container"], "web");
    }
}
