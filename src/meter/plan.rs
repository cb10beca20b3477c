//! By which counters a container is measured. Pure.

use crate::model::{Container, HostSide, LinkIndex, NamespaceId, NetworkMode};
use crate::sys::CgroupId;

/// How a container is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counting {
    /// By the counters of its interfaces and of its namespace.
    Interfaces {
        /// Its namespace.
        namespace: NamespaceId,
        /// Its interfaces, without loopback.
        links: Vec<LinkIndex>,
        /// The other ends of these, which drop packets too.
        far_ends: Vec<(NamespaceId, LinkIndex)>,
    },
    /// By a program on its cgroup and by its sockets, because it shares its namespace with others.
    Cgroup {
        /// The namespace its sockets are in.
        namespace: NamespaceId,
        /// The cgroup.
        group: CgroupId,
    },
    /// Not at all.
    Nothing,
}

impl Counting {
    /// The namespaces whose counters tell of it.
    pub(super) fn namespaces(&self) -> Vec<NamespaceId> {
        match self {
            Self::Interfaces { namespace, far_ends, .. } => {
                let far = far_ends.iter().map(|(namespace, _)| *namespace);
                std::iter::once(*namespace).chain(far).collect()
            }
            Self::Cgroup { namespace, .. } => vec![*namespace],
            Self::Nothing => Vec::new(),
        }
    }

    /// The interfaces whose counters tell of it: its own, then their far ends.
    pub(super) fn links(&self) -> Vec<(NamespaceId, LinkIndex)> {
        match self {
            Self::Interfaces { namespace, links, far_ends } => {
                links.iter().map(|index| (*namespace, *index)).chain(far_ends.iter().copied()).collect()
            }
            Self::Cgroup { .. } | Self::Nothing => Vec::new(),
        }
    }

    /// The cgroup that has to be counted for it.
    pub(super) fn group(&self) -> Option<CgroupId> {
        match self {
            Self::Cgroup { group, .. } => Some(*group),
            _ => None,
        }
    }
}

/// Whether a container's namespace tells nothing of it alone.
pub fn shares_its_namespace(container: &Container) -> bool {
    container.mode == NetworkMode::Host || !container.shares_with.is_empty()
}

/// Of a container whose cgroup can be counted if `group` is its number. One that shares its namespace with other
/// containers is measured by that namespace if need be, but never one that shares the host's.
pub(super) fn counting(container: &Container, group: Option<CgroupId>) -> Counting {
    let Some(namespace) = container.namespace else { return Counting::Nothing };
    match group {
        Some(group) if shares_its_namespace(container) => Counting::Cgroup { namespace, group },
        None if container.mode == NetworkMode::Host => Counting::Nothing,
        _ => Counting::Interfaces {
            namespace,
            links: container.endpoints.iter().map(|endpoint| endpoint.link.index).collect(),
            far_ends: container
                .endpoints
                .iter()
                .filter_map(|endpoint| far_end(&endpoint.host_side))
                .collect(),
        },
    }
}

/// The far end of a pair is the container's own; the parent of a macvlan interface is not.
fn far_end(side: &HostSide) -> Option<(NamespaceId, LinkIndex)> {
    match side {
        HostSide::Pair { index, namespace, .. } => Some((*namespace, *index)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Endpoint, LinkKind, fixture};

    const HOST: NamespaceId = NamespaceId::new(4, 1);
    const OWN: NamespaceId = NamespaceId::new(4, 7);

    fn endpoint(host_side: HostSide) -> Endpoint {
        Endpoint { namespace: OWN, link: fixture::link(2, "eth0", LinkKind::Veth), network: None, host_side }
    }

    #[test]
    fn a_container_with_a_namespace_of_its_own_is_measured_by_its_interfaces() {
        let mut web = fixture::container("web", NetworkMode::Bridge, Some(OWN));
        let index = 9.try_into().unwrap();
        let pair = HostSide::Pair { link: "veth1".parse().unwrap(), index, namespace: HOST, bridge: None };
        let parent = HostSide::Parent { link: "eth0".parse().unwrap(), index, namespace: HOST };
        web.endpoints = vec![endpoint(pair), endpoint(parent)];
        let expected = Counting::Interfaces {
            namespace: OWN,
            links: vec![2.try_into().unwrap(); 2],
            far_ends: vec![(HOST, index)],
        };
        assert_eq!(counting(&web, Some(CgroupId(5))), expected);
        assert_eq!(expected.namespaces(), [OWN, HOST]);
        assert_eq!(
            expected.links(),
            [(OWN, 2.try_into().unwrap()), (OWN, 2.try_into().unwrap()), (HOST, index)]
        );
    }

    #[test]
    fn one_that_shares_is_measured_by_its_cgroup() {
        let agent = fixture::container("agent", NetworkMode::Host, Some(HOST));
        let group = CgroupId(5);
        assert_eq!(counting(&agent, Some(group)), Counting::Cgroup { namespace: HOST, group });
        assert_eq!(counting(&agent, None), Counting::Nothing, "the host's interfaces are not its own");
        let mut side = fixture::container("side", NetworkMode::Shared, Some(OWN));
        side.shares_with = vec!["web".to_owned()];
        assert_eq!(counting(&side, Some(group)), Counting::Cgroup { namespace: OWN, group });
        assert!(matches!(counting(&side, None), Counting::Interfaces { .. }));
        let ended = fixture::container("ended", NetworkMode::Host, None);
        assert_eq!(counting(&ended, Some(group)), Counting::Nothing);
    }
}
