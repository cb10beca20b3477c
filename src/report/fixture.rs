//! A host with one of each: containers on bridges, in host mode, shared, nested, macvlan, ended. For tests.

use std::collections::BTreeMap;

use crate::discovery::Topology;
use crate::model::{
    Container, Counters, Endpoint, Engine, HostSide, Link, LinkIndex, LinkKind, LinkName, MediaType,
    NamespaceId, NetworkMode, Protocol, PublishedPort, State,
};

const HOST: NamespaceId = NamespaceId::new(4, 4_026_531_840);

pub(crate) fn topology() -> Topology {
    let dind = 3;
    let nested = HostSide::Pair {
        link: name("veth9a0b"),
        index: index(5),
        namespace: namespace(dind),
        bridge: Some(name("docker0")),
    };
    let parent = HostSide::Parent { link: name("eth0"), index: index(2), namespace: HOST };
    let web = [
        endpoint(1, "eth0", "172.17.0.2/16", "bridge", pair("veth1a2b", 7, "docker0")),
        endpoint(1, "eth1", "172.20.0.2/16", "shop_app", pair("veth3c4d", 9, "br-app")),
    ];
    let mut containers = vec![
        bare("agent", "9a10", "registry.example/agent@sha256:00ff", NetworkMode::Host, Some(HOST)),
        bare("db", "4f9b", "postgres:16", NetworkMode::Bridge, None),
        bare("dind", "77aa", "docker:dind", NetworkMode::Bridge, Some(namespace(dind))),
        bare("inner", "c0de", "alpine", NetworkMode::Bridge, Some(namespace(5))),
        bare("lan", "d00d", "busybox", NetworkMode::Macvlan, Some(namespace(4))),
        bare("side", "51de", "proxy:2", NetworkMode::Shared, Some(namespace(1))),
        bare("web", "4f2a", "nginx:1.27", NetworkMode::Bridge, Some(namespace(1))),
    ];
    containers[1].state = State::Exited;
    containers[1].pid = None;
    containers[2].endpoints =
        vec![endpoint(dind, "eth0", "172.17.0.3/16", "bridge", pair("veth5e6f", 11, "docker0"))];
    containers[3].endpoints = vec![endpoint(5, "eth0", "172.18.0.2/16", "bridge", nested)];
    containers[4].endpoints = vec![endpoint(4, "eth0", "192.0.2.9/24", "lan", parent)];
    containers[5].endpoints = web.to_vec();
    containers[5].shares_with = vec!["web".to_owned()];
    containers[6].endpoints = web.to_vec();
    containers[6].shares_with = vec!["side".to_owned()];
    containers[6].published = vec![published("0.0.0.0"), published("::")];
    containers[6].labels = BTreeMap::from([
        ("com.docker.compose.project".to_owned(), "shop".to_owned()),
        ("com.docker.compose.service".to_owned(), "web".to_owned()),
    ]);
    Topology {
        host: Some(HOST),
        host_links: host_links(),
        containers,
        warnings: vec!["podman: no answer".into()],
    }
}

pub(crate) fn container<'a>(topology: &'a Topology, name: &str) -> &'a Container {
    topology.containers.iter().find(|container| container.name == name).unwrap()
}

pub(crate) fn namespace(number: u64) -> NamespaceId {
    NamespaceId::new(4, 4_026_532_000 + number)
}

fn host_links() -> Vec<Link> {
    let port = |number, text, bridge| Link {
        master: Some(index(bridge)),
        ..link(number, text, LinkKind::Veth, &[])
    };
    vec![
        link(1, "lo", LinkKind::Loopback, &["127.0.0.1/8", "::1/128"]),
        link(2, "eth0", LinkKind::Hardware, &["192.0.2.1/24", "fe80::1/64"]),
        link(3, "docker0", LinkKind::Bridge, &["172.17.0.1/16"]),
        link(4, "br-app", LinkKind::Bridge, &["172.20.0.1/16"]),
        port(7, "veth1a2b", 3),
        port(9, "veth3c4d", 4),
        port(11, "veth5e6f", 3),
    ]
}

fn bare(name: &str, id: &str, image: &str, mode: NetworkMode, namespace: Option<NamespaceId>) -> Container {
    Container {
        id: id.repeat(16),
        name: name.to_owned(),
        engine: Engine::Docker,
        image: Some(image.to_owned()),
        state: State::Running,
        mode,
        pid: Some(4711),
        namespace,
        namespace_paths: Vec::new(),
        endpoints: Vec::new(),
        networks: Vec::new(),
        published: Vec::new(),
        labels: BTreeMap::new(),
        pod: None,
        cgroup: Some(format!("/docker/{}", id.repeat(16))),
        shares_with: Vec::new(),
    }
}

fn endpoint(inside: u64, link_name: &str, address: &str, network: &str, host_side: HostSide) -> Endpoint {
    Endpoint {
        namespace: namespace(inside),
        link: link(2, link_name, LinkKind::Veth, &[address, "fe80::42/64"]),
        network: Some(network.to_owned()),
        host_side,
    }
}

fn pair(link: &str, number: u32, bridge: &str) -> HostSide {
    HostSide::Pair { link: name(link), index: index(number), namespace: HOST, bridge: Some(name(bridge)) }
}

fn published(ip: &str) -> PublishedPort {
    PublishedPort {
        host_ip: ip.parse().unwrap(),
        host_port: 8080,
        container_port: 80,
        protocol: Protocol::Tcp,
    }
}

fn link(number: u32, text: &str, kind: LinkKind, addresses: &[&str]) -> Link {
    let address = |text: &&str| {
        let (address, prefix) = text.split_once('/').unwrap();
        crate::model::InterfaceAddress { address: address.parse().unwrap(), prefix: prefix.parse().unwrap() }
    };
    Link {
        index: index(number),
        name: name(text),
        kind,
        media: MediaType::Ethernet,
        mac: Some("02:42:ac:11:00:02".parse().unwrap()),
        mtu: 1500,
        up: true,
        carrier: true,
        master: None,
        lower: None,
        alias: None,
        counters: Counters {
            rx_packets: 10,
            rx_bytes: 1000,
            tx_packets: 12,
            tx_bytes: 1234,
            ..Counters::default()
        },
        addresses: addresses.iter().map(address).collect(),
    }
}

fn name(text: &str) -> LinkName {
    text.parse().unwrap()
}

fn index(number: u32) -> LinkIndex {
    number.try_into().unwrap()
}
