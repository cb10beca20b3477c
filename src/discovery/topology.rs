//! Facts joined: which container has which interface, and what is at its other end. Pure.
//!
//! `residents` finds out who lives in which namespace, `wiring` which interface leads where, `mode` puts it in a word.

mod mode;
mod residents;
mod wiring;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use crate::model::{Container, Endpoint, HostSide, Link, LinkIndex, Membership, NamespaceId};

use super::{Facts, RequestedMode};
use wiring::Wiring;

/// The host's containers and links, joined.
#[derive(Debug, Clone, Default)]
pub struct Topology {
    /// The namespace pcapsule runs in.
    pub host: Option<NamespaceId>,
    /// Links of the host's namespace, by index.
    pub host_links: Vec<Link>,
    /// Every container, live or not, sorted by name.
    pub containers: Vec<Container>,
    /// What could not be seen and why, in sentences for the user.
    pub warnings: Vec<String>,
}

impl Topology {
    /// Joins what was seen.
    ///
    /// Containers that share a namespace each have all of its interfaces; whoever listens on several of them must
    /// take each interface once. Of a container that others are nested in, only the interfaces that lead outwards
    /// are listed, unless there are none.
    pub fn join(facts: &Facts) -> Self {
        let wiring = Wiring::of(facts);
        let mut containers = residents::containers(facts);
        containers.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        connect(&mut containers, facts, &wiring);
        tell_who_shares(&mut containers, facts.host);
        let host_links = facts.host.map(|host| wiring.links(host)).unwrap_or_default();
        Self {
            host: facts.host,
            host_links: host_links.to_vec(),
            containers,
            warnings: facts.warnings.clone(),
        }
    }

    /// A link of the host's namespace.
    pub fn host_link(&self, index: LinkIndex) -> Option<&Link> {
        self.host_links.iter().find(|link| link.index == index)
    }

    /// The containers around a nested one, the nearest first; empty for one that is connected to the host itself.
    pub fn around<'a>(&'a self, container: &'a Container) -> Vec<&'a Container> {
        let mut visited: HashSet<NamespaceId> = self.host.into_iter().chain(container.namespace).collect();
        let outer = |inner: &&Container| {
            let far = inner.endpoints.iter().filter_map(|endpoint| far_namespace(&endpoint.host_side));
            let next = far.into_iter().find(|namespace| visited.insert(*namespace))?;
            self.containers.iter().find(|container| container.namespace == Some(next))
        };
        std::iter::successors(Some(container), outer).skip(1).collect()
    }
}

fn far_namespace(side: &HostSide) -> Option<NamespaceId> {
    match side {
        HostSide::Pair { namespace, .. } | HostSide::Parent { namespace, .. } => Some(*namespace),
        HostSide::Unconfirmed { .. } | HostSide::None => None,
    }
}

/// Gives each container its interfaces, their networks and its mode.
fn connect(containers: &mut [Container], facts: &Facts, wiring: &Wiring<'_>) {
    let memberships = memberships_by_namespace(containers);
    let requests: HashMap<&str, &RequestedMode> = facts
        .engine_containers
        .iter()
        .filter_map(|container| Some((container.id.as_str(), container.network_mode.as_ref()?)))
        .collect();
    for container in containers {
        if let Some(namespace) = container.namespace.filter(|namespace| Some(*namespace) != facts.host) {
            container.endpoints = wiring.endpoints(namespace);
            let known = memberships.get(&namespace).map_or(&[][..], Vec::as_slice);
            for endpoint in &mut container.endpoints {
                endpoint.network = network_of(endpoint, known);
            }
        }
        container.mode =
            mode::of(container, requests.get(container.id.as_str()).copied(), facts.host, wiring);
    }
}

/// Of several containers in one namespace, an engine tells the networks of the first only.
fn memberships_by_namespace(containers: &[Container]) -> HashMap<NamespaceId, Vec<Membership>> {
    let mut memberships: HashMap<_, Vec<_>> = HashMap::new();
    for container in containers {
        if let Some(namespace) = container.namespace {
            memberships.entry(namespace).or_default().extend(container.networks.iter().cloned());
        }
    }
    memberships
}

/// By hardware address, which is unique within a namespace but not told by every driver; otherwise by address.
fn network_of(endpoint: &Endpoint, memberships: &[Membership]) -> Option<String> {
    let link = &endpoint.link;
    let by_mac = |membership: &&Membership| membership.mac.is_some() && membership.mac == link.mac;
    let by_address = |membership: &&Membership| {
        link.addresses.iter().any(|own| membership.addresses.contains(&own.address))
    };
    let mut members = memberships.iter();
    let found = members.clone().find(by_mac).or_else(|| members.find(by_address))?;
    Some(found.network.clone())
}

fn tell_who_shares(containers: &mut [Container], host: Option<NamespaceId>) {
    let mut names: HashMap<NamespaceId, Vec<(String, String)>> = HashMap::new();
    for container in containers.iter() {
        let Some(namespace) = container.namespace.filter(|namespace| Some(*namespace) != host) else {
            continue;
        };
        names.entry(namespace).or_default().push((container.id.clone(), container.name.clone()));
    }
    for container in containers {
        let inhabitants = container.namespace.and_then(|namespace| names.get(&namespace));
        let others = inhabitants.into_iter().flatten().filter(|(id, _)| *id != container.id);
        container.shares_with = others.map(|(_, name)| name.clone()).collect();
    }
}
