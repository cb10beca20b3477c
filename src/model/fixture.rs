//! Links and containers of which a test says what matters to it, and the rest is plain.

use std::collections::BTreeMap;

use super::{Container, Counters, Engine, Link, LinkKind, MediaType, NamespaceId, NetworkMode, State};

/// An Ethernet interface that is up, without addresses.
pub(crate) fn link(index: u32, name: &str, kind: LinkKind) -> Link {
    Link {
        index: index.try_into().unwrap(),
        name: name.parse().unwrap(),
        kind,
        media: MediaType::Ethernet,
        mac: None,
        mtu: 1500,
        up: true,
        carrier: true,
        master: None,
        lower: None,
        alias: None,
        counters: Counters::default(),
        addresses: Vec::new(),
    }
}

/// A running container of Docker's without interfaces.
pub(crate) fn container(name: &str, mode: NetworkMode, namespace: Option<NamespaceId>) -> Container {
    Container {
        id: format!("{name}-0123456789abcdef"),
        name: name.to_owned(),
        engine: Engine::Docker,
        image: Some("busybox".to_owned()),
        state: State::Running,
        mode,
        pid: None,
        namespace,
        namespace_paths: Vec::new(),
        endpoints: Vec::new(),
        networks: Vec::new(),
        published: Vec::new(),
        labels: BTreeMap::new(),
        pod: None,
        cgroup: None,
        shares_with: Vec::new(),
    }
}
