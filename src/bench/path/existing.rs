//! The ways of a container that is there already: to its host, to another container, to the outside. Pure: which
//! namespaces, which address, and which interfaces must see it.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
};

use serde::Serialize;

use crate::discovery::Topology;
use crate::model::{Container, Endpoint, HostSide, Link, LinkName, NamespaceId, Protocol, PublishedPort};
use crate::sys::netns::Namespace;

use super::Path;

/// Where a way leads.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Goal<'a> {
    Host,
    Outside,
    /// From outside to the port that it publishes itself.
    Published,
    Container(&'a Container),
}

/// A way of an existing container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Way {
    /// What it is called.
    pub path: Path,
    /// The container that connects.
    pub from: String,
    /// What it connects to: another container, `host` or `outside`.
    pub to: String,
    /// The address it connects to; none of one that is made for the measurement.
    pub address: Option<IpAddr>,
    /// The port that it publishes, if that is the way.
    #[serde(skip)]
    pub(in crate::bench) published: Option<PublishedPort>,
    #[serde(skip)]
    pub(in crate::bench) client: NamespaceId,
    #[serde(skip)]
    pub(in crate::bench) server: Option<NamespaceId>,
    /// Interfaces that all of it passes.
    #[serde(skip)]
    pub(in crate::bench) passes: Vec<(NamespaceId, LinkName)>,
}

/// Existing containers to be measured, and their namespaces held open.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The host's own namespace.
    pub host: Namespace,
    /// The ways, each of a path of its own.
    pub ways: Vec<Way>,
    /// Every namespace that a way names.
    pub namespaces: HashMap<NamespaceId, Namespace>,
}

/// Why there is no such way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum NoWay {
    #[error("measuring container {0}: it does not run")]
    Ended(String),
    #[error("measuring container {0}: it has no address that the other end could reach")]
    NoAddress(String),
    #[error("measuring the way from {0} to the host: none of its interfaces leads to an address of the host")]
    NoHost(String),
    #[error(
        "measuring the way from outside to {0}: it publishes no TCP port at an address of the host's (IPv4)"
    )]
    NotPublished(String),
    #[error("measuring a container: this host's own network namespace cannot be told")]
    Nowhere,
}

impl Way {
    /// The way from a container to a goal.
    pub fn find(topology: &Topology, from: &Container, goal: Goal<'_>) -> Result<Self, NoWay> {
        let host = topology.host.ok_or(NoWay::Nowhere)?;
        let client = namespace_of(from)?;
        match goal {
            Goal::Host if client == host => Ok(Self::loopback(Path::ToHost, from, "host", host)),
            Goal::Host => Self::to_host(topology, host, from),
            Goal::Outside => Ok(Self {
                path: Path::ToOutside,
                from: from.name.clone(),
                to: "outside".to_owned(),
                address: None,
                published: None,
                client,
                server: None,
                passes: Vec::new(),
            }),
            Goal::Published => Self::to_published(from, client),
            Goal::Container(to) => {
                let server = namespace_of(to)?;
                if server == client {
                    Ok(Self::loopback(Path::ToContainer, from, &to.name, client))
                } else if server == host {
                    let way = Self::to_host(topology, host, from)?;
                    Ok(Self { path: Path::ToContainer, to: to.name.clone(), ..way })
                } else {
                    Self::to_container(from, to, (client, server))
                }
            }
        }
    }

    /// The other way round: the container listens where its service would.
    fn to_published(container: &Container, namespace: NamespaceId) -> Result<Self, NoWay> {
        let is_open = |port: &&PublishedPort| {
            port.protocol == Protocol::Tcp && port.host_ip.is_ipv4() && !port.host_ip.is_loopback()
        };
        let published = container.published.iter().find(is_open);
        let published = published.ok_or_else(|| NoWay::NotPublished(container.name.clone()))?;
        let passes = match container.endpoints.as_slice() {
            [only] => vec![(only.namespace, only.link.name.clone())],
            // Which network the engine leads it through is not told.
            _ => Vec::new(),
        };
        Ok(Self {
            path: Path::ToPublished,
            from: "outside".to_owned(),
            to: container.name.clone(),
            address: None,
            published: Some(*published),
            client: namespace,
            server: None,
            passes,
        })
    }

    /// The container that it is about, if one is.
    pub fn container(&self) -> Option<&str> {
        match self.path {
            Path::ThisHost => None,
            Path::ToPublished => Some(&self.to),
            _ => Some(&self.from),
        }
    }

    /// One as a run tells it, for tests of what is told: between nowhere and nowhere.
    #[cfg(test)]
    pub(crate) fn told(path: Path, from: &str, to: &str, address: Option<IpAddr>) -> Self {
        let nowhere = NamespaceId::new(0, 0);
        Self { from: from.to_owned(), address, ..Self::around(path, to, nowhere) }
    }

    /// Over the loopback of this host, with all its rules.
    pub fn within_host(topology: &Topology) -> Result<Self, NoWay> {
        let host = topology.host.ok_or(NoWay::Nowhere)?;
        Ok(Self { from: "host".to_owned(), ..Self::around(Path::ThisHost, "host", host) })
    }

    fn loopback(path: Path, from: &Container, to: &str, namespace: NamespaceId) -> Self {
        Self { from: from.name.clone(), ..Self::around(path, to, namespace) }
    }

    fn around(path: Path, to: &str, namespace: NamespaceId) -> Self {
        Self {
            path,
            from: String::new(),
            to: to.to_owned(),
            address: Some(Ipv4Addr::LOCALHOST.into()),
            published: None,
            client: namespace,
            server: Some(namespace),
            passes: vec![(namespace, "lo".parse().expect("it is an interface name"))],
        }
    }

    fn to_host(topology: &Topology, host: NamespaceId, from: &Container) -> Result<Self, NoWay> {
        let found = from.endpoints.iter().find_map(|endpoint| {
            let link = host_link(topology, host, &endpoint.host_side)?;
            Some((endpoint, link, common_address(&endpoint.link, link)?))
        });
        let (endpoint, link, address) = found.ok_or_else(|| NoWay::NoHost(from.name.clone()))?;
        Ok(Self {
            path: Path::ToHost,
            from: from.name.clone(),
            to: "host".to_owned(),
            address: Some(address),
            published: None,
            client: endpoint.namespace,
            server: Some(host),
            passes: vec![(endpoint.namespace, endpoint.link.name.clone()), (host, link.name.clone())],
        })
    }

    fn to_container(
        from: &Container,
        to: &Container,
        (client, server): (NamespaceId, NamespaceId),
    ) -> Result<Self, NoWay> {
        let together = from.endpoints.iter().flat_map(|near| to.endpoints.iter().map(move |far| (near, far)));
        let shared = together.filter(|(near, far)| is_one_bridge(near, far)).find_map(|(near, far)| {
            let passes = vec![(client, near.link.name.clone()), (server, far.link.name.clone())];
            Some((common_address(&near.link, &far.link)?, passes))
        });
        // Without a network in common, the host may pass it on, or drop it: that is seen when it is tried.
        let routed = || {
            to.endpoints
                .iter()
                .find_map(|far| Some((usable(&far.link).next()?, vec![(server, far.link.name.clone())])))
        };
        let (address, passes) = shared.or_else(routed).ok_or_else(|| NoWay::NoAddress(to.name.clone()))?;
        Ok(Self {
            path: Path::ToContainer,
            from: from.name.clone(),
            to: to.name.clone(),
            address: Some(address),
            published: None,
            client,
            server: Some(server),
            passes,
        })
    }
}

fn namespace_of(container: &Container) -> Result<NamespaceId, NoWay> {
    container.namespace.ok_or_else(|| NoWay::Ended(container.name.clone()))
}

/// The host's interface with which a container has a network in common.
fn host_link<'a>(topology: &'a Topology, host: NamespaceId, side: &HostSide) -> Option<&'a Link> {
    let name = match side {
        HostSide::Pair { namespace, bridge: Some(bridge), .. } if *namespace == host => bridge,
        HostSide::Pair { namespace, link, .. } | HostSide::Parent { namespace, link, .. }
            if *namespace == host =>
        {
            link
        }
        _ => return None,
    };
    topology.host_links.iter().find(|link| link.name == *name)
}

fn is_one_bridge(near: &Endpoint, far: &Endpoint) -> bool {
    let bridge = |endpoint: &Endpoint| match &endpoint.host_side {
        HostSide::Pair { bridge: Some(bridge), namespace, .. } => Some((bridge.clone(), *namespace)),
        _ => None,
    };
    bridge(near).is_some_and(|bridge_of_near| bridge(far) == Some(bridge_of_near))
}

/// An address of the far link that the near one can use: of a family that it has too.
fn common_address(near: &Link, far: &Link) -> Option<IpAddr> {
    usable(far).find(|address| usable(near).any(|own| own.is_ipv4() == address.is_ipv4()))
}

/// Its addresses that are good beyond the link, IPv4 first.
fn usable(link: &Link) -> impl Iterator<Item = IpAddr> {
    let is_good = |address: &IpAddr| match address {
        IpAddr::V4(address) => !address.is_loopback(),
        IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
    };
    let mut found: Vec<IpAddr> = link.addresses.iter().map(|own| own.address).filter(is_good).collect();
    found.sort_by_key(IpAddr::is_ipv6);
    found.into_iter()
}
