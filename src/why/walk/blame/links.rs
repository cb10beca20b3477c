//! Links that are down, not where they belong, or keep frames back.

use crate::model::{Container, Link, LinkKind, LinkName};
use crate::why::facts::{Facts, Space};
use crate::why::finding::{Code, Finding};

use super::{inside, is_host};
use crate::why::walk::wire::Owner;

/// A link that is down.
pub(in crate::why::walk) fn link_down(facts: &Facts, space: &Space, link: &Link) -> Finding {
    if link.kind == LinkKind::Bridge {
        return bridge_down(link);
    }
    let who = facts.name_of(space.id);
    let code = match (&link.kind, is_host(facts, space)) {
        (LinkKind::Loopback, _) => Code::LoopbackDown,
        (kind, true) if kind.is_pair() => Code::VethDown,
        _ => Code::InterfaceDown,
    };
    let state = if link.up { "has no carrier: its other end is down" } else { "is down" };
    let behind = behind(facts, link).filter(|_| is_host(facts, space));
    let behind = behind.map(|name| format!(" (the host's end of {name})")).unwrap_or_default();
    Finding::new(code, format!("the interface {} of {who}{behind} {state}", link.name))
        .seen(format!("{} of {who}: up {}, carrier {}", link.name, link.up, link.carrier))
        .repair(format!("{}ip link set {} up", inside(facts, space.id), link.name))
}

/// The container behind a link of the host.
fn behind(facts: &Facts, link: &Link) -> Option<String> {
    let containers = facts.topology.containers.iter();
    let joined = |container: &&Container| {
        container.endpoints.iter().any(|endpoint| endpoint.host_side.link() == Some(&link.name))
    };
    containers.into_iter().find(joined).map(|container| container.name.clone())
}

/// A bridge that is down.
pub(in crate::why::walk) fn bridge_down(bridge: &Link) -> Finding {
    Finding::new(Code::BridgeDown, format!("the bridge {} is down", bridge.name))
        .seen(format!("{}: up {}", bridge.name, bridge.up))
        .repair(format!("ip link set {} up", bridge.name))
}

/// A namespace without loopback.
pub(in crate::why::walk) fn no_loopback(who: &str) -> Finding {
    Finding::new(Code::InterfaceDown, format!("{who} has no loopback interface that could be seen"))
}

/// One end of a pair whose other end nobody knows.
pub(in crate::why::walk) fn no_far_end(who: &str, link: &Link) -> Finding {
    let sentence = format!("the other end of {} of {who} is nowhere to be seen", link.name);
    Finding::new(Code::LostOnTheWay, sentence)
        .if_certain(false)
        .seen(format!("{} of {who}: carrier {}", link.name, link.carrier))
}

/// A container's cable whose far end should be a port of its network's bridge, and is not.
pub(in crate::why::walk) fn not_a_port(
    facts: &Facts,
    space: &Space,
    far_space: &Space,
    far_link: &Link,
) -> Option<Finding> {
    let container = facts.resident(space.id)?;
    let bridge = bridge_meant(facts, container, far_space)?;
    Some(veth_not_on_bridge(&container.name, &far_link.name, bridge))
}

/// The bridge that a container's network stands for, where its cable is a port of none.
fn bridge_meant<'a>(facts: &Facts, container: &'a Container, far_space: &Space) -> Option<&'a LinkName> {
    if !is_host(facts, far_space) {
        return None;
    }
    let joined = |bridge: &LinkName| {
        container.endpoints.iter().any(|endpoint| endpoint.host_side.bridge() == Some(bridge))
    };
    let meant = container.networks.iter().filter_map(|member| member.bridge.as_ref());
    meant.into_iter().find(|bridge| !joined(bridge) && far_space.link_named(bridge.as_str()).is_some())
}

/// The sentence about it.
pub(super) fn veth_not_on_bridge(container: &str, port: &LinkName, bridge: &LinkName) -> Finding {
    let sentence = format!("{port}, the host's end of {container}, is not a port of the bridge {bridge}");
    Finding::new(Code::VethNotOnBridge, sentence)
        .seen(format!("{port}: no master"))
        .seen(format!("{container} belongs to {bridge}"))
        .repair(format!("ip link set {port} master {bridge}"))
}

/// A macvlan and its parent do not talk.
pub(in crate::why::walk) fn macvlan_host(who: &str, link: &Link, parent: &LinkName) -> Finding {
    let sentence = format!(
        "{who} is a {} of {parent}: it never reaches the host by the same interface, nor the host it",
        link.kind
    );
    Finding::new(Code::MacvlanFromHost, sentence)
        .seen(format!("{} of {who}: {} on {parent}", link.name, link.kind))
        .repair(format!(
            "ip link add NAME link {parent} type {} mode bridge  # an interface for the host beside it",
            link.kind
        ))
}

/// Two ports that are kept from each other.
pub(in crate::why::walk) fn isolated(bridge: &Link, container: &Container) -> Finding {
    let sentence = format!(
        "the ports of the two on the bridge {} are isolated: no frame passes between them",
        bridge.name
    );
    Finding::new(Code::PortsIsolated, sentence)
        .seen(format!("port of {}: isolated", container.name))
        .repair("bridge link set dev PORT isolated off")
}

/// Out by the port it came in by.
pub(in crate::why::walk) fn no_hairpin(space: &Space, owner: Owner<'_>) -> Finding {
    let port = space.link(owner.port).map_or_else(|| "the port".to_owned(), |link| link.name.to_string());
    let sentence = format!(
        "{} asks for its own published port, and {port} does not send back what came in by it: its hairpin mode is off",
        owner.container.name
    );
    Finding::new(Code::HairpinMissing, sentence)
        .seen(format!("{port}: hairpin off"))
        .repair(format!("bridge link set dev {port} hairpin on"))
}

/// A port that the spanning tree holds back.
pub(in crate::why::walk) fn port_blocked(bridge: &Link, port: &Link) -> Finding {
    let sentence = format!("the port {} of the bridge {} does not pass frames on", port.name, bridge.name);
    Finding::new(Code::BridgePortBlocked, sentence)
        .seen(format!("{}: not forwarding", port.name))
        .repair(format!("bridge link set dev {} state 3", port.name))
}

/// A queueing discipline that drops everything.
pub(in crate::why::walk) fn queue_drops(who: &str, link: &Link) -> Finding {
    let sentence =
        format!("the queueing discipline blackhole at {} of {who} drops whatever is sent there", link.name);
    Finding::new(Code::TcDrops, sentence)
        .seen(format!("qdisc blackhole dev {} of {who}", link.name))
        .repair(format!("tc qdisc del dev {} root", link.name))
}
