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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fixture::{container, link};
    use crate::model::{HostSide, InterfaceAddress, Link, NamespaceId};

    fn addressed(link: Link, address: &str) -> Link {
        Link { addresses: vec![InterfaceAddress { address: address.parse().unwrap(), prefix: 24 }], ..link }
    }

    fn member(name: &str, mode: NetworkMode, network: Option<&str>, address: &str) -> Container {
        let namespace = NamespaceId::new(4, 1);
        let endpoint = Endpoint {
            namespace,
            link: addressed(link(2, "eth0", LinkKind::Veth), address),
            network: network.map(str::to_owned),
            host_side: HostSide::None,
        };
        Container { endpoints: vec![endpoint], ..container(name, mode, Some(namespace)) }
    }

    #[test]
    fn an_address_is_named_once_or_not_at_all() {
        let topology = Topology {
            host_links: vec![addressed(link(3, "docker0", LinkKind::Bridge), "172.17.0.1")],
            containers: vec![
                member("web", NetworkMode::Bridge, Some("app"), "172.18.0.2"),
                member("sidecar", NetworkMode::Shared, Some("app"), "172.18.0.2"),
                member("plain", NetworkMode::Bridge, Some("bridge"), "172.17.0.2"),
                member("one", NetworkMode::Bridge, None, "10.0.0.1"),
                member("two", NetworkMode::Bridge, None, "10.0.0.1"),
            ],
            ..Topology::default()
        };
        let names: Vec<(String, String)> =
            names(&topology).into_iter().map(|(ip, name)| (ip.to_string(), name)).collect();
        let expected = [("172.17.0.1", "docker0"), ("172.17.0.2", "plain"), ("172.18.0.2", "web.app")];
        assert_eq!(names, expected.map(|(ip, name)| (ip.to_owned(), name.to_owned())));
    }
}
