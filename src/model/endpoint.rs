//! A container's interface and what it is joined to: the answer to "which veth is this container's?".

use serde::Serialize;

use super::{Link, LinkIndex, LinkName, NamespaceId};

/// One interface inside a container's namespace, joined with its far end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The namespace the interface is in.
    pub namespace: NamespaceId,
    /// The interface itself.
    pub link: Link,
    /// The engine's network behind it, where an engine said so.
    pub network: Option<String>,
    /// What is at the other end.
    pub host_side: HostSide,
}

/// The far end of a container's interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum HostSide {
    /// A pair whose two ends name each other by index **and** by namespace.
    Pair {
        /// The far end's name.
        link: LinkName,
        /// The far end's index in its namespace.
        index: LinkIndex,
        /// The namespace of the far end: the host's, or an outer container's where containers nest.
        namespace: NamespaceId,
        /// The bridge the far end is a port of.
        bridge: Option<LinkName>,
    },
    /// A macvlan, ipvlan or VLAN interface: no device of its own outside, only a parent.
    Parent {
        /// The parent's name.
        link: LinkName,
        /// The parent's index in its namespace.
        index: LinkIndex,
        /// The parent's namespace.
        namespace: NamespaceId,
    },
    /// A far end is named but could not be verified from both sides; the text says why.
    Unconfirmed {
        /// What did not agree.
        reason: String,
    },
    /// Nothing at the other end (loopback, tun, a dummy).
    None,
}

impl HostSide {
    /// The far interface's name, for a pair or a parent.
    pub fn link(&self) -> Option<&LinkName> {
        match self {
            Self::Pair { link, .. } | Self::Parent { link, .. } => Some(link),
            Self::Unconfirmed { .. } | Self::None => None,
        }
    }

    /// The bridge behind a pair.
    pub fn bridge(&self) -> Option<&LinkName> {
        match self {
            Self::Pair { bridge, .. } => bridge.as_ref(),
            _ => None,
        }
    }
}
