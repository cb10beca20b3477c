//! Addresses to the names people use: `172.18.0.2` is `web.app`. Pure.

use std::{collections::BTreeMap, net::IpAddr};

use crate::model::{Container, Endpoint, LinkKind, NetworkMode};

use super::Topology;

/// A name for every address that belongs to one container or bridge only. An address that two of them have (on networks
/// that overlap) gets none: a wrong name is worse.
pub fn names(topology: &Topology) -> Vec<(IpAddr, String)> {
    let mut names = BTreeMap::<IpAddr, Option<String>>::new();
    let mut learn = |address: IpAddr, name: &str| {
        names
            .entry(address)
            .and_modify(|known| {
                if known.as_deref() != Some(name) {
                    *known = None;
                }
            })
            .or_insert_with(|| Some(name.to_owned()));
    };
    let owners = |container: &&Container| !matches!(container.mode, NetworkMode::Host | NetworkMode::Shared);
    for container in topology.containers.iter().filter(owners) {
        for endpoint in &container.endpoints {
            let name = name(container, endpoint);
            for address in &endpoint.link.addresses {
                learn(address.address, &name);
            }
        }
    }
    for bridge in topology.host_links.iter().filter(|link| link.kind == LinkKind::Bridge) {
        for address in &bridge.addresses {
            learn(address.address, bridge.name.as_str());
        }
    }
    names.into_iter().filter_map(|(address, name)| Some((address, name?))).collect()
}

/// `web.app`; on an engine's default network, whose members do not resolve each other by name, just `web`.
fn name(container: &Container, endpoint: &Endpoint) -> String {
    match endpoint.network.as_deref() {
        None | Some("bridge" | "podman") => container.name.clone(),
        Some(network) => format!("{}.{network}", container.name),
    }
}
