//! The two ends of a cable: from a container's interface outwards, and from an interface of the host inwards.

use crate::discovery::Topology;
use crate::model::{Container, Endpoint, HostSide, Link, LinkIndex, LinkKind, NamespaceId, NetworkMode};

/// The far end of a container's interface in one word: `veth1a2b`, `outer/veth1a2b` where containers nest,
/// `eth0 (parent)`, `?` where it could not be verified, empty where there is none.
pub(super) fn far_end(topology: &Topology, endpoint: &Endpoint) -> String {
    match &endpoint.host_side {
        HostSide::Pair { link, namespace, .. } => format!("{}{link}", place(topology, *namespace)),
        HostSide::Parent { link, namespace, .. } => {
            format!("{}{link} (parent)", place(topology, *namespace))
        }
        HostSide::Unconfirmed { .. } => "?".to_owned(),
        HostSide::None => String::new(),
    }
}

/// Nothing for the host, else `outer/`.
fn place(topology: &Topology, namespace: NamespaceId) -> String {
    if topology.host == Some(namespace) {
        return String::new();
    }
    owner(topology, namespace)
        .map_or_else(|| format!("{namespace}/"), |container| format!("{}/", container.name))
}

/// The container a namespace belongs to; of several that share it, the one that brought it.
pub(super) fn owner(topology: &Topology, namespace: NamespaceId) -> Option<&Container> {
    topology
        .containers
        .iter()
        .filter(|container| container.namespace == Some(namespace))
        .min_by_key(|container| container.mode == NetworkMode::Shared)
}

/// The interface of the host that is the far end of `endpoint`.
pub(super) fn host_end<'a>(topology: &'a Topology, endpoint: &Endpoint) -> Option<&'a Link> {
    match &endpoint.host_side {
        HostSide::Pair { index, namespace, .. } if topology.host == Some(*namespace) => {
            topology.host_link(*index)
        }
        _ => None,
    }
}

/// The container, and its interface, behind an interface of the host.
pub(super) fn behind(topology: &Topology, index: LinkIndex) -> Option<(&Container, &Endpoint)> {
    let is_far_end =
        |endpoint: &&Endpoint| host_end(topology, endpoint).is_some_and(|link| link.index == index);
    topology
        .containers
        .iter()
        .filter_map(|container| Some((container, container.endpoints.iter().find(is_far_end)?)))
        .min_by_key(|(container, _)| container.mode == NetworkMode::Shared)
}

/// The ports of a bridge of the host.
pub(super) fn ports(topology: &Topology, bridge: LinkIndex) -> impl Iterator<Item = &Link> {
    topology.host_links.iter().filter(move |link| link.master == Some(bridge))
}

/// Every bridge of the host.
pub(super) fn bridges(topology: &Topology) -> impl Iterator<Item = &Link> {
    topology.host_links.iter().filter(|link| link.kind == LinkKind::Bridge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn far_ends_are_named_from_where_they_are() {
        let topology = fixture::topology();
        let end_of = |name| {
            let container = fixture::container(&topology, name);
            far_end(&topology, &container.endpoints[0])
        };
        assert_eq!(end_of("web"), "veth1a2b");
        assert_eq!(end_of("inner"), "dind/veth9a0b");
        assert_eq!(end_of("lan"), "eth0 (parent)");
    }

    #[test]
    fn behind_a_shared_veth_is_the_container_that_brought_it() {
        let topology = fixture::topology();
        let found = behind(&topology, 7.try_into().unwrap()).unwrap();
        assert_eq!((found.0.name.as_str(), found.1.link.name.as_str()), ("web", "eth0"));
        assert!(behind(&topology, 2.try_into().unwrap()).is_none());
    }
}
