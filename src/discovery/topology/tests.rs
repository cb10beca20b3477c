//! The join, case by case, on facts made by hand.

use std::collections::BTreeMap;

use crate::model::{
    Container, Counters, Engine, HostSide, InterfaceAddress, Link, LinkKind, LinkName, LowerLink, Mac,
    MediaType, Membership, NamespaceId, NetworkMode, State,
};

use super::Topology;
use crate::discovery::{EngineContainer, Facts, NamespaceFacts, ProcessFacts, RequestedMode};

const HOST: NamespaceId = NamespaceId::new(4, 1);
const WEB: NamespaceId = NamespaceId::new(4, 2);
const DB: NamespaceId = NamespaceId::new(4, 3);
const ID: &str = "4f1c0a9be7d2538864f1c0a9be7d2538864f1c0a9be7d2538864f1c0a9be7d25";
const OTHER_ID: &str = "b07ad6a1c3e9f05442b07ad6a1c3e9f05442b07ad6a1c3e9f05442b07ad6a1c3";

/// A link; `lower` is the far end's index and the namespace's number there.
fn link(index: u32, name: &str, kind: LinkKind, lower: Option<(u32, Option<i32>)>) -> Link {
    let lower = lower.map(|(index, netnsid)| LowerLink { index: index.try_into().unwrap(), netnsid });
    Link {
        index: index.try_into().unwrap(),
        name: name.parse().unwrap(),
        kind,
        media: MediaType::Ethernet,
        mac: Some(Mac::new([2, 0, 0, 0, 0, index.to_be_bytes()[3]])),
        mtu: 1500,
        up: true,
        carrier: true,
        master: None,
        lower,
        alias: None,
        counters: Counters::default(),
        addresses: Vec::new(),
    }
}

fn lo() -> Link {
    link(1, "lo", LinkKind::Loopback, None)
}

fn veth(index: u32, name: &str, far: u32, number: i32) -> Link {
    link(index, name, LinkKind::Veth, Some((far, Some(number))))
}

fn port(index: u32, name: &str, far: u32, number: i32, master: u32) -> Link {
    Link { master: master.try_into().ok(), ..veth(index, name, far, number) }
}

/// A namespace in the host's numbering: 0 is `WEB`, 1 is `DB`, 9 the host.
fn namespace(id: NamespaceId, links: Vec<Link>) -> NamespaceFacts {
    NamespaceFacts { id, paths: Vec::new(), links, netnsids: BTreeMap::from([(0, WEB), (1, DB), (9, HOST)]) }
}

fn process(pid: u32, namespace: NamespaceId, cgroup: &str) -> ProcessFacts {
    let command = "sleep".to_owned();
    ProcessFacts { pid, start_time: pid.into(), namespace, cgroup: cgroup.to_owned(), command }
}

/// The host with a bridge and a port towards `WEB`, whose eth0 is index 2.
fn bridged() -> Facts {
    let bridge = link(5, "br0", LinkKind::Bridge, None);
    Facts {
        host: Some(HOST),
        namespaces: vec![
            namespace(HOST, vec![lo(), bridge, port(6, "veth6", 2, 0, 5)]),
            namespace(WEB, vec![lo(), veth(2, "eth0", 6, 9)]),
        ],
        processes: vec![process(10, WEB, &format!("/docker/{ID}"))],
        ..Facts::default()
    }
}

fn only(facts: &Facts) -> Container {
    let mut containers = Topology::join(facts).containers;
    assert_eq!(containers.len(), 1, "{containers:#?}");
    containers.remove(0)
}

fn names(topology: &Topology) -> Vec<&str> {
    topology.containers.iter().map(|container| container.name.as_str()).collect()
}

fn far_names(container: &Container) -> Vec<Option<&str>> {
    container.endpoints.iter().map(|endpoint| endpoint.host_side.link().map(LinkName::as_str)).collect()
}

#[test]
fn a_container_without_its_engine_is_known_by_its_cgroup() {
    let container = only(&bridged());
    assert_eq!((container.name.as_str(), &container.engine), (&ID[..12], &Engine::Docker));
    assert_eq!((container.mode, container.pid), (NetworkMode::Bridge, Some(10)));
    assert_eq!(
        container.endpoints[0].host_side,
        HostSide::Pair {
            link: "veth6".parse().unwrap(),
            index: 6.try_into().unwrap(),
            namespace: HOST,
            bridge: Some("br0".parse().unwrap()),
        }
    );
}

#[test]
fn equal_indexes_in_two_containers_do_not_mix() {
    let mut facts = bridged();
    facts.namespaces[0].links.push(port(7, "veth7", 2, 1, 5));
    facts.namespaces.push(namespace(DB, vec![lo(), veth(2, "eth0", 7, 9)]));
    facts.processes.push(process(11, DB, &format!("/docker/{OTHER_ID}")));
    let topology = Topology::join(&facts);
    assert_eq!(
        topology.containers.iter().flat_map(far_names).collect::<Vec<_>>(),
        [Some("veth6"), Some("veth7")]
    );
}

#[test]
fn an_end_that_is_not_named_in_return_stays_unconfirmed() {
    let changed = |change: fn(&mut Facts)| {
        let mut facts = bridged();
        change(&mut facts);
        facts
    };
    let cases = [
        ("names another namespace", changed(|facts| facts.namespaces[0].links[2] = veth(6, "veth6", 2, 1))),
        ("names another index", changed(|facts| facts.namespaces[0].links[2] = veth(6, "veth6", 3, 0))),
        ("is gone", changed(|facts| drop(facts.namespaces[0].links.pop()))),
        ("cannot be read", changed(|facts| facts.namespaces[0].links.clear())),
        ("is in an unknown namespace", changed(|facts| facts.namespaces[1].netnsids.clear())),
    ];
    for (case, facts) in cases {
        let container = only(&facts);
        assert!(
            matches!(container.endpoints[0].host_side, HostSide::Unconfirmed { .. }),
            "{case}: {container:#?}"
        );
        assert_eq!(container.mode, NetworkMode::Other("unknown".to_owned()), "{case}");
    }
}

#[test]
fn a_nested_container_leads_to_the_outer_one() {
    let mut facts = bridged();
    let inner_bridge = link(3, "docker0", LinkKind::Bridge, None);
    facts.namespaces[1].links.extend([inner_bridge, port(6, "veth6in", 2, 1, 3)]);
    facts.namespaces.push(namespace(DB, vec![lo(), veth(2, "eth0", 6, 0)]));
    facts.processes.push(process(11, DB, &format!("/docker/{ID}/docker/{OTHER_ID}")));
    let topology = Topology::join(&facts);
    let (outer, inner) = (&topology.containers[0], &topology.containers[1]);
    assert_eq!(far_names(outer), [Some("veth6")], "what leads inwards is left out");
    assert_eq!(far_names(inner), [Some("veth6in")], "not the host's interface 6");
    assert_eq!(topology.around(inner), [outer]);
}

#[test]
fn a_router_that_nothing_leads_out_of_keeps_its_interfaces() {
    let facts = Facts {
        host: Some(HOST),
        namespaces: vec![
            namespace(HOST, vec![lo()]),
            namespace(WEB, vec![lo(), link(2, "br0", LinkKind::Bridge, None), port(3, "v3", 2, 1, 2)]),
            namespace(DB, vec![lo(), veth(2, "eth0", 3, 0)]),
        ],
        processes: vec![process(10, WEB, "/"), process(11, DB, "/")],
        ..Facts::default()
    };
    let topology = Topology::join(&facts);
    assert_eq!(far_names(&topology.containers[0]), [None, Some("eth0")]);
    assert_eq!(far_names(&topology.containers[1]), [Some("v3")]);
}

#[test]
fn children_of_a_parent_show_it() {
    for (kind, mode) in [(LinkKind::Macvlan, NetworkMode::Macvlan), (LinkKind::Ipvlan, NetworkMode::Ipvlan)] {
        let mut facts = bridged();
        facts.namespaces[1].links[1] = link(2, "eth0", kind, Some((5, Some(9))));
        let container = only(&facts);
        assert!(matches!(container.endpoints[0].host_side, HostSide::Parent { namespace: HOST, .. }));
        assert_eq!((far_names(&container), container.mode.clone()), (vec![Some("br0")], mode));
    }
}

#[test]
fn a_tap_a_lone_veth_and_nothing_have_their_words() {
    let mode = |links: Vec<Link>| {
        let mut facts = bridged();
        facts.namespaces[1].links = links;
        only(&facts).mode
    };
    assert_eq!(mode(vec![lo(), link(2, "tap0", LinkKind::Tun, None)]), NetworkMode::Tap);
    assert_eq!(mode(vec![lo()]), NetworkMode::None);
    let idle = Link { up: false, ..link(2, "tunl0", LinkKind::Other("ipip".to_owned()), None) };
    assert_eq!(mode(vec![lo(), idle]), NetworkMode::None);
    let mut facts = bridged();
    facts.namespaces[0].links[2].master = None;
    assert_eq!(only(&facts).mode, NetworkMode::Routed);
}

#[test]
fn host_mode_has_no_interfaces_and_plain_processes_are_no_containers() {
    let mut facts = bridged();
    facts.namespaces.pop();
    facts.namespaces[0].paths.push("/run/docker/netns/default".to_owned());
    facts.processes = vec![process(1, HOST, "/init.scope"), process(10, HOST, &format!("/docker/{ID}"))];
    let container = only(&facts);
    assert_eq!((&container.mode, container.endpoints.len()), (&NetworkMode::Host, 0));
    assert_eq!(container.namespace_paths, [""; 0]);
}

#[test]
fn joiners_are_shared_and_everybody_lists_the_others() {
    let mut facts = bridged();
    facts.processes.push(process(11, WEB, &format!("/docker/{OTHER_ID}")));
    let plain = Topology::join(&facts);
    assert_eq!(plain.containers[0].shares_with, [plain.containers[1].name.as_str()]);
    assert_eq!(plain.containers[1].mode, NetworkMode::Bridge);

    let joined = RequestedMode::Container(ID.to_owned());
    let joiner =
        EngineContainer { network_mode: Some(joined), ..EngineContainer::running(OTHER_ID, "sidecar") };
    let member = Membership {
        network: "app".to_owned(),
        bridge: None,
        addresses: Vec::new(),
        mac: Some(Mac::new([2, 0, 0, 0, 0, 2])),
        aliases: Vec::new(),
    };
    facts.engine_containers =
        vec![EngineContainer { networks: vec![member], ..EngineContainer::running(ID, "web") }, joiner];
    let topology = Topology::join(&facts);
    assert_eq!(names(&topology), ["sidecar", "web"]);
    let (sidecar, web) = (&topology.containers[0], &topology.containers[1]);
    assert_eq!((&sidecar.mode, &web.mode), (&NetworkMode::Shared, &NetworkMode::Bridge));
    assert_eq!(
        (&sidecar.shares_with, &web.shares_with),
        (&vec!["web".to_owned()], &vec!["sidecar".to_owned()])
    );
    assert_eq!(sidecar.endpoints[0].network.as_deref(), Some("app"), "told of the other one only");
}

#[test]
fn several_networks_are_told_apart_by_hardware_or_network_address() {
    let mut facts = bridged();
    let eth1 = Link {
        addresses: vec![InterfaceAddress { address: [10, 0, 0, 2].into(), prefix: 24 }],
        mac: None,
        ..veth(3, "eth1", 7, 9)
    };
    facts.namespaces[0].links.push(veth(7, "veth7", 3, 0));
    facts.namespaces[1].links.push(eth1);
    let member = |network: &str, mac, addresses: &[[u8; 4]]| Membership {
        network: network.to_owned(),
        bridge: None,
        addresses: addresses.iter().map(|address| (*address).into()).collect(),
        mac,
        aliases: Vec::new(),
    };
    let networks = vec![
        member("back", None, &[[10, 0, 0, 2]]),
        member("front", Some(Mac::new([2, 0, 0, 0, 0, 2])), &[[10, 0, 1, 2]]),
    ];
    facts.engine_containers = vec![EngineContainer { networks, ..EngineContainer::running(ID, "web") }];
    let networks: Vec<_> =
        only(&facts).endpoints.into_iter().filter_map(|endpoint| endpoint.network).collect();
    assert_eq!(networks, ["front", "back"]);
}

#[test]
fn the_pid_of_an_engine_counts_only_if_the_process_table_bears_it_out() {
    let container = |pid, facts: &Facts| {
        let told = EngineContainer { pid: Some(pid), ..EngineContainer::running(ID, "web") };
        let joined = Topology::join(&Facts { engine_containers: vec![told], ..facts.clone() });
        joined.containers.into_iter().find(|container| container.name == "web").unwrap()
    };
    let mut facts = bridged();
    facts.processes.push(process(12, WEB, &format!("/docker/{ID}")));
    assert_eq!(container(12, &facts).pid, Some(12), "the engine knows which is first");
    assert_eq!(container(77, &facts).pid, Some(10), "an unknown pid: the first one by cgroup");
    facts.processes.push(process(13, DB, &format!("/docker/{OTHER_ID}")));
    assert_eq!(container(13, &facts).pid, Some(10), "another container's process");
    facts.processes = vec![process(14, HOST, "/init.scope"), process(15, WEB, "/")];
    assert_eq!(container(14, &facts).pid, None, "a process of this host, not of the engine's");
    assert_eq!(container(15, &facts).namespace, Some(WEB), "a container without a cgroup of its own");
}

#[test]
fn ended_containers_keep_what_was_asked_for() {
    let mut facts = bridged();
    let exited = EngineContainer {
        state: State::Exited,
        network_mode: Some(RequestedMode::Mode(NetworkMode::Host)),
        pid: Some(10),
        ..EngineContainer::running(OTHER_ID, "job")
    };
    facts.engine_containers = vec![exited];
    let topology = Topology::join(&facts);
    let job = topology.containers.iter().find(|container| container.name == "job").unwrap();
    assert_eq!((&job.mode, job.pid, job.namespace), (&NetworkMode::Host, None, None));
}

#[test]
fn a_sandbox_path_stands_in_for_a_process_that_is_not_seen() {
    let mut facts = bridged();
    facts.processes.clear();
    facts.namespaces[1].paths.push("/run/docker/netns/0a1b".to_owned());
    let sandbox = Some("/var/run/docker/netns/0a1b".to_owned());
    facts.engine_containers = vec![EngineContainer { sandbox, ..EngineContainer::running(ID, "web") }];
    let container = only(&facts);
    assert_eq!((container.namespace, &container.mode), (Some(WEB), &NetworkMode::Bridge));
}

#[test]
fn namespaces_of_nobody_are_called_by_mount_or_process() {
    let mut facts = bridged();
    facts.processes = vec![process(11, DB, "/user.slice"), process(12, WEB, "/user.slice")];
    facts.namespaces[1].paths.push("/run/netns/blue".to_owned());
    facts.namespaces.push(namespace(DB, vec![lo()]));
    let topology = Topology::join(&facts);
    assert_eq!(names(&topology), ["blue", "sleep-3"]);
    assert!(topology.containers.iter().all(|container| container.engine == Engine::Namespace));
    assert_eq!(topology.containers[0].id, "2");
}

#[test]
fn a_sandbox_inside_a_container_is_no_entry_of_its_own() {
    let mut facts = bridged();
    facts.namespaces.push(namespace(DB, vec![lo()]));
    facts.processes.push(process(11, DB, &format!("/docker/{ID}")));
    assert_eq!(only(&facts).namespace, Some(WEB));
}
