//! Whose address it is: nobody's, two people's, or believed to be another's.

use std::net::IpAddr;

use crate::model::{HostSide, Link, LinkIndex, Mac};
use crate::why::facts::{Facts, Space};
use crate::why::finding::{Code, Finding};
use crate::why::packet::{Packet, Part, contains, network};

use super::inside;
use super::links::veth_not_on_bridge;
use super::routes::bridge_without_address;
use crate::why::walk::wire::Owner;

/// One address, several owners on one bridge.
pub(in crate::why::walk) fn twice(
    bridge: &Link,
    address: IpAddr,
    owners: &[Owner<'_>],
    is_bridges_own: bool,
) -> Option<Finding> {
    let mut names: Vec<String> = owners
        .iter()
        .map(|owner| {
            let mac = owner.endpoint.link.mac.map(|mac| format!(", {mac}")).unwrap_or_default();
            format!("{} ({}{mac})", owner.container.name, owner.endpoint.link.name)
        })
        .collect();
    if is_bridges_own {
        names.insert(0, format!("the bridge {}", bridge.name));
    }
    if names.len() < 2 {
        return None;
    }
    let sentence = format!("{address} is there twice on {}: {}", bridge.name, names.join(" and "));
    let second = owners.last().map_or_else(String::new, |owner| owner.container.name.clone());
    Some(
        Finding::new(Code::DuplicateAddress, sentence)
            .seen_all(names.into_iter().map(|name| format!("{address} is an address of {name}")))
            .repair(format!("give {second} another address")),
    )
}

/// Nobody on the bridge has the address of the next hop.
pub(in crate::why::walk) fn nobody_has(
    facts: &Facts,
    space: &Space,
    bridge: &Link,
    packet: &Packet,
    next: IpAddr,
    ingress: Option<LinkIndex>,
    sender: Option<Owner<'_>>,
) -> Finding {
    if let Some(finding) = beside_the_bridge(facts, space, bridge, next) {
        return finding;
    }
    let is_destination = next == packet.destination.ip();
    if ingress.is_some() && !is_destination {
        return no_gateway(facts, bridge, next, sender);
    }
    if let Some(finding) = lost_address(facts, bridge, next) {
        return finding;
    }
    if let Some(finding) = beyond_the_prefix(bridge, next, sender) {
        return finding;
    }
    if packet.part == Part::Answer {
        let own =
            bridge.addresses.iter().find(|own| contains(**own, next)).map(|own| network(*own).to_string());
        let sentence = format!(
            "the answer goes to {next}, which the network of {} is taken to contain{}: the client's own network overlaps it",
            bridge.name,
            own.as_ref().map(|own| format!(" ({own})")).unwrap_or_default()
        );
        return Finding::new(Code::SubnetOverlap, sentence)
            .seen(format!("nobody on {} has {next}", bridge.name))
            .repair("give the container's network other addresses (docker network create --subnet …)");
    }
    if !is_private(next) && ingress.is_some() {
        let words = bridge.addresses.iter().map(|own| format!("address of {}: {own}", bridge.name));
        let sentence = format!(
            "the network of {} overlaps the address {next}: the packet for it stays on the bridge, where nobody has it",
            bridge.name
        );
        return Finding::new(Code::SubnetOverlap, sentence)
            .seen_all(words)
            .seen(format!("nobody on {} has {next}", bridge.name))
            .repair("give the container's network other addresses (docker network create --subnet …)");
    }
    if packet.translated {
        let sentence = format!(
            "a rule sends the connection to {}, an address that nobody on {} has",
            packet.destination, bridge.name
        );
        return Finding::new(Code::DnatWrongTarget, sentence)
            .seen(format!("nobody on {} has {next}", bridge.name))
            .repair("remove the stale rule, or start the container again");
    }
    Finding::new(
        Code::NoAnswer,
        format!("no interface behind the bridge {} has the address {next}", bridge.name),
    )
    .if_certain(false)
    .seen(format!("nobody on {} has {next} at the interface there", bridge.name))
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// Somebody has the address, but is not on this bridge.
fn beside_the_bridge(facts: &Facts, space: &Space, bridge: &Link, address: IpAddr) -> Option<Finding> {
    for container in &facts.topology.containers {
        for endpoint in &container.endpoints {
            let has = endpoint.link.addresses.iter().any(|own| own.address == address);
            match &endpoint.host_side {
                HostSide::Pair { link, namespace, bridge: None, .. } if has && *namespace == space.id => {
                    return Some(veth_not_on_bridge(&container.name, link, &bridge.name));
                }
                HostSide::Pair { namespace, bridge: Some(other), .. }
                    if has && *namespace == space.id && *other != bridge.name =>
                {
                    let sentence = format!(
                        "{} with {address} is on the bridge {other}, not on {}: the two are on different networks",
                        container.name, bridge.name
                    );
                    return Some(
                        Finding::new(Code::DifferentNetworks, sentence)
                            .seen(format!("{} of {}: on {other}", endpoint.link.name, container.name)),
                    );
                }
                _ => {}
            }
        }
    }
    None
}

fn no_gateway(facts: &Facts, bridge: &Link, next: IpAddr, sender: Option<Owner<'_>>) -> Finding {
    let who = sender.map_or_else(|| "the sender".to_owned(), |owner| owner.container.name.clone());
    let own = bridge.addresses.iter().find(|own| own.address.is_ipv4() == next.is_ipv4());
    let is_meant =
        facts.network_of_bridge(bridge.name.as_str()).is_some_and(|network| network.gateways.contains(&next));
    match own {
        None => bridge_without_address(facts, bridge, next)
            .seen(format!("the default route of {who} leads to {next}")),
        Some(_) if is_meant => bridge_without_address(facts, bridge, next)
            .seen(format!("the default route of {who} leads to {next}")),
        Some(own) => {
            let sentence = format!(
                "the route of {who} leads to the gateway {next}, which nobody on {} has; the bridge itself is {}",
                bridge.name, own.address
            );
            let pid = sender.and_then(|owner| owner.container.pid);
            let enter = pid.map(|pid| format!("nsenter -t {pid} -n ")).unwrap_or_default();
            Finding::new(Code::WrongGateway, sentence)
                .seen(format!("address of {}: {own}", bridge.name))
                .seen(format!("nobody on {} has {next}", bridge.name))
                .repair(format!("{enter}ip route replace default via {}", own.address))
        }
    }
}

/// The engine says that somebody on this bridge has the address, and nobody has.
fn lost_address(facts: &Facts, bridge: &Link, address: IpAddr) -> Option<Finding> {
    let meant = facts.topology.containers.iter().find(|container| {
        container.state.is_live()
            && container.networks.iter().any(|member| {
                member.addresses.contains(&address) && member.bridge.as_ref() == Some(&bridge.name)
            })
    })?;
    let own: Vec<String> = meant
        .endpoints
        .iter()
        .flat_map(|endpoint| {
            endpoint.link.addresses.iter().map(|own| format!("{own} on {}", endpoint.link.name))
        })
        .collect();
    let has = if own.is_empty() { "no address at all".to_owned() } else { own.join(", ") };
    let sentence = format!("{} should have the address {address}, and has {has}", meant.name);
    let code = if own.is_empty() { Code::NoAddress } else { Code::AddressDiffers };
    Some(
        Finding::new(code, sentence)
            .seen(format!("the engine gave {address} to {}", meant.name))
            .seen(format!("addresses of {}: {has}", meant.name))
            .repair(format!("docker restart {}", meant.name)),
    )
}

/// The sender takes an address to be near that is not.
fn beyond_the_prefix(bridge: &Link, next: IpAddr, sender: Option<Owner<'_>>) -> Option<Finding> {
    let sender = sender?;
    let own = sender.endpoint.link.addresses.iter().find(|own| contains(**own, next))?;
    let right = bridge.addresses.iter().find(|right| right.address.is_ipv4() == next.is_ipv4())?;
    if contains(*right, next) || own.prefix >= right.prefix {
        return None;
    }
    let sentence = format!(
        "{} takes {next} to be on its own network, by its address {own}; that of the bridge {} is {right}",
        sender.container.name, bridge.name
    );
    Some(
        Finding::new(Code::WrongNetmask, sentence)
            .seen(format!("address of {}: {own}", sender.container.name))
            .seen(format!("address of {}: {right}", bridge.name)),
    )
}

/// Two interfaces on one bridge with one hardware address.
pub(in crate::why::walk) fn twin_mac(bridge: &Link, mac: Mac, one: Owner<'_>, other: Owner<'_>) -> Finding {
    let (first, second) = (&one.container.name, &other.container.name);
    let sentence = format!(
        "{first} and {second} have the same hardware address {mac} on {}: frames reach whoever sent last",
        bridge.name
    );
    Finding::new(Code::DuplicateMac, sentence)
        .seen(format!("{} of {first}: {mac}", one.endpoint.link.name))
        .seen(format!("{} of {second}: {mac}", other.endpoint.link.name))
        .repair(format!("give {second} another hardware address (docker run --mac-address)"))
}

/// A forwarding entry that leads to another port.
pub(in crate::why::walk) fn misled(bridge: &Link, mac: Mac, port: &Link, owner: Owner<'_>) -> Finding {
    let sentence = format!(
        "the bridge {} is told that {mac} is behind {}, but it is {}'s",
        bridge.name, port.name, owner.container.name
    );
    Finding::new(Code::NeighbourWrong, sentence)
        .seen(format!("forwarding entry {mac} dev {} master {} permanent", port.name, bridge.name))
        .repair(format!("bridge fdb del {mac} dev {} master", port.name))
}

/// A neighbour entry that was set by hand, and is wrong.
pub(in crate::why::walk) fn neighbour_wrong(
    facts: &Facts,
    space: &Space,
    link: &Link,
    next: IpAddr,
    (believed, right): (Mac, Mac),
) -> Finding {
    let (who, enter) = (facts.name_of(space.id), inside(facts, space.id));
    let sentence = format!("{who} is told that {next} has the hardware address {believed}; it has {right}");
    Finding::new(Code::NeighbourWrong, sentence)
        .seen(format!("neighbour {next} dev {} lladdr {believed} PERMANENT in {who}", link.name))
        .repair(format!("{enter}ip neigh del {next} dev {}", link.name))
}
