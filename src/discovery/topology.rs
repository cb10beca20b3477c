//! Facts joined: which container has which interface, and what is at its other end. Pure.

use crate::model::{Container, Link, LinkIndex, NamespaceId};

use super::Facts;

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
    pub fn join(facts: &Facts) -> Self {
        let _ = facts;
        Self::default()
    }

    /// A link of the host's namespace.
    pub fn host_link(&self, index: LinkIndex) -> Option<&Link> {
        self.host_links.iter().find(|link| link.index == index)
    }
}
