//! Routes that lead nowhere, or elsewhere; routing that is off; sources that are not believed.

use std::net::IpAddr;

use crate::model::{Container, Engine, HostSide, Link, LinkIndex};
use crate::sys::netlink::Route;
use crate::why::facts::{Facts, Space};
use crate::why::finding::{Code, Finding};
use crate::why::packet::{Packet, contains};
use crate::why::routing::{self, Answer, Direction};

use super::{inside, is_host};
use crate::why::walk::Connection;

/// No route, or one that refuses.
pub(in crate::why::walk) fn no_way(
    facts: &Facts,
    space: &Space,
    packet: &Packet,
    answer: &Answer<'_>,
) -> Finding {
    let who = facts.name_of(space.id);
    let to = packet.destination.ip();
    if let Direction::Refused(route) = answer.direction {
        let words = routing::words(space, route);
        return Finding::new(
            Code::RouteBlackhole,
            format!("a route of {who} refuses what goes to {to}: {words}"),
        )
        .if_certain(answer.certain)
        .seen(format!("route in {who}: {words}"))
        .repair(format!("{}ip route del {words}", inside(facts, space.id)));
    }
    if let Direction::RefusedByRule(rule) = answer.direction {
        let sentence =
            format!("a routing rule of {who} refuses what goes to {to} (priority {})", rule.priority);
        return Finding::new(Code::RouteBlackhole, sentence)
            .if_certain(answer.certain)
            .seen(format!("rule {} in {who}: {:?}", rule.priority, rule.outcome))
            .repair(format!("{}ip rule del priority {}", inside(facts, space.id), rule.priority));
    }
    if is_host(facts, space) {
        return without_network(facts, space, to)
            .unwrap_or_else(|| without_uplink(facts, space, to))
            .if_certain(answer.certain);
    }
    without_default(facts, space, to).if_certain(answer.certain)
}

/// The host itself has no way out.
fn without_uplink(facts: &Facts, space: &Space, to: IpAddr) -> Finding {
    let has_default = space.routes.iter().any(|route| {
        route.destination.prefix == 0
            && route.destination.address.is_ipv4() == to.is_ipv4()
            && route.table == 254
    });
    if has_default {
        return no_route(facts, space, to, Code::NoRoute);
    }
    let is_bridge = |link: &&Link| link.kind == crate::model::LinkKind::Bridge;
    let down = space.links.iter().find(|link| {
        !link.up && !is_bridge(link) && link.addresses.iter().any(|own| own.address.is_ipv4() == to.is_ipv4())
    });
    let finding = no_route(facts, space, to, Code::NoUplink);
    match down {
        Some(link) => Finding {
            code: Code::UplinkDown,
            sentence: format!("the host's interface {} is down, and with it the way to {to}", link.name),
            repair: Some(format!("ip link set {} up", link.name)),
            ..finding
        }
        .seen(format!("{}: up false", link.name)),
        None => finding,
    }
}

/// A container that has no way out.
fn without_default(facts: &Facts, space: &Space, to: IpAddr) -> Finding {
    let who = facts.name_of(space.id);
    let family = |address: IpAddr| address.is_ipv4() == to.is_ipv4();
    let links = space.links.iter().filter(|link| link.name.as_str() != "lo");
    if links.clone().next().is_none() {
        let sentence = format!("{who} has no network: its namespace has a loopback and nothing else");
        let finding = Finding::new(Code::NetworkNone, sentence).seen(format!("interfaces of {who}: lo"));
        return match facts.resident(space.id).and_then(|own| connected(own, &who)) {
            Some(repair) => finding.repair(repair),
            None => finding,
        };
    }
    let down = links.clone().find(|link| !link.up);
    let has_address = links.clone().any(|link| link.addresses.iter().any(|own| family(own.address)));
    if let Some(link) = down.filter(|link| link.up || space.routes.is_empty() || !any_up(space)) {
        return super::link_down(facts, space, link);
    }
    if !has_address {
        let word = if to.is_ipv4() { "IPv4" } else { "IPv6" };
        return Finding::new(Code::NoAddress, format!("{who} has no address of {word}, and {to} is one"))
            .seen_all(
                space.addresses().map(|(link, own)| format!("address of {who}: {own} on {}", link.name)),
            );
    }
    let internal = facts
        .topology
        .containers
        .iter()
        .filter(|container| container.namespace == Some(space.id))
        .flat_map(|container| &container.networks)
        .find(|member| facts.network(&member.network).is_some_and(|network| network.internal));
    if let Some(member) = internal {
        let sentence =
            format!("{who} is on the network {}, which is internal: it has no way to {to}", member.network);
        return Finding::new(Code::NetworkInternal, sentence)
            .seen(format!("network {}: internal", member.network))
            .seen(format!("no default route in {who}"))
            .repair(format!("docker network connect NETWORK {who}  # one without --internal"));
    }
    on_same_bridge(facts, space, to).unwrap_or_else(|| no_route(facts, space, to, Code::NoDefaultRoute))
}

/// What gives a network to a container that has none; nobody does to a bare namespace.
fn connected(own: &Container, who: &str) -> Option<String> {
    match own.engine {
        Engine::Namespace => None,
        Engine::Docker => {
            // Nobody is put on another network who is on that one.
            let is_on_none = own.networks.iter().any(|member| member.network == "none");
            let first =
                if is_on_none { format!("docker network disconnect none {who} && ") } else { String::new() };
            Some(format!("{first}docker network connect bridge {who}"))
        }
        _ => Some(format!("start {who} again with --net bridge")),
    }
}

/// Somebody on the same bridge, whom a container takes to be far away.
fn on_same_bridge(facts: &Facts, space: &Space, to: IpAddr) -> Option<Finding> {
    let own = facts.resident(space.id)?;
    let bridges = || own.endpoints.iter().filter_map(|endpoint| endpoint.host_side.bridge());
    let other = facts.topology.containers.iter().find(|other| {
        other.endpoints.iter().any(|endpoint| {
            endpoint.link.addresses.iter().any(|theirs| theirs.address == to)
                && endpoint.host_side.bridge().is_some_and(|bridge| bridges().any(|mine| mine == bridge))
        })
    })?;
    let theirs =
        other.endpoints.iter().flat_map(|endpoint| &endpoint.link.addresses).find(|one| one.address == to)?;
    let mine = own
        .endpoints
        .iter()
        .flat_map(|endpoint| &endpoint.link.addresses)
        .find(|one| one.address.is_ipv4() == to.is_ipv4())?;
    let sentence = format!(
        "{} takes {to} to be far away, by its address {mine}, but {} has {theirs} on the same bridge",
        own.name, other.name
    );
    Some(
        Finding::new(Code::WrongNetmask, sentence)
            .seen(format!("address of {}: {mine}", own.name))
            .seen(format!("address of {}: {theirs}", other.name)),
    )
}

fn any_up(space: &Space) -> bool {
    space.links.iter().any(|link| link.up && link.name.as_str() != "lo")
}

fn no_route(facts: &Facts, space: &Space, to: IpAddr, code: Code) -> Finding {
    let who = facts.name_of(space.id);
    let what = if code == Code::NoDefaultRoute { "no default route, and so no route" } else { "no route" };
    let gateway = gateway_for(facts, space).filter(|gateway| gateway.is_ipv4() == to.is_ipv4());
    let via = gateway.map_or_else(|| "GATEWAY".to_owned(), |gateway| gateway.to_string());
    Finding::new(code, format!("{who} has {what} to {to}"))
        .seen_all(
            space
                .routes
                .iter()
                .filter(|route| route.table == 254 && route.destination.address.is_ipv4() == to.is_ipv4())
                .take(8)
                .map(|route| format!("route in {who}: {}", routing::words(space, route))),
        )
        .seen(format!("no route in {who} fits {to}"))
        .repair(format!("{}ip route add default via {via}", inside(facts, space.id)))
}

/// The address of the bridge that a container is on.
fn gateway_for(facts: &Facts, space: &Space) -> Option<IpAddr> {
    let container = facts.resident(space.id)?;
    let bridge = container.endpoints.iter().find_map(|endpoint| endpoint.host_side.bridge())?;
    let link = facts.topology.host_links.iter().find(|link| link.name == *bridge)?;
    link.addresses.first().map(|own| own.address)
}

/// A container's address that the host has no route to: its bridge has lost its address.
fn without_network(facts: &Facts, space: &Space, to: IpAddr) -> Option<Finding> {
    let bridge = bridges_of(facts, space, to).next()?;
    let link = space.link_named(bridge.as_str())?;
    if !link.up {
        return Some(super::bridge_down(link));
    }
    Some(bridge_without_address(facts, link, to))
}

/// A bridge without the address that its members need.
pub(super) fn bridge_without_address(facts: &Facts, bridge: &Link, to: IpAddr) -> Finding {
    let name = &bridge.name;
    if let IpAddr::V4(v4) = to
        && v4.is_link_local()
        && !bridge.addresses.is_empty()
    {
        return gave_itself(facts, bridge, to);
    }
    let gateway = facts
        .network_of_bridge(name.as_str())
        .and_then(|network| network.gateways.iter().find(|gateway| gateway.is_ipv4() == to.is_ipv4()));
    let prefix = prefix_on(facts, bridge, to);
    let address = match (gateway, prefix) {
        (Some(gateway), Some(prefix)) => format!("{gateway}/{prefix}"),
        _ => "ADDRESS/PREFIX".to_owned(),
    };
    let own: Vec<String> = bridge.addresses.iter().map(ToString::to_string).collect();
    let own = if own.is_empty() { "none".to_owned() } else { own.join(", ") };
    let sentence = format!(
        "the bridge {name} has no address in the network of {to}: the host does not reach its members"
    );
    Finding::new(Code::BridgeWithoutAddress, sentence)
        .seen(format!("addresses of {name}: {own}"))
        .repair(format!("ip address add {address} dev {name}"))
}

/// Somebody on a bridge whose address is one of those that are taken where nobody gives any (RFC 3927).
fn gave_itself(facts: &Facts, bridge: &Link, address: IpAddr) -> Finding {
    let containers = facts.topology.containers.iter();
    let has = |container: &&crate::model::Container| {
        let links = container.endpoints.iter().map(|endpoint| &endpoint.link);
        links.flat_map(|link| &link.addresses).any(|own| own.address == address)
    };
    let who = containers.into_iter().find(has).map_or("somebody", |container| &container.name);
    let sentence = format!(
        "{who} has the address {address} alone, one of those that are taken where nobody gives any: it is not in the \
         network of the bridge {}",
        bridge.name
    );
    Finding::new(Code::NoAddress, sentence)
        .seen_all(bridge.addresses.iter().map(|own| format!("address of {}: {own}", bridge.name)))
        .repair(format!("give {who} an address of that network (by DHCP or by hand)"))
}

/// The length of the prefix that members of a bridge have.
fn prefix_on(facts: &Facts, bridge: &Link, address: IpAddr) -> Option<u8> {
    let endpoints = facts.topology.containers.iter().flat_map(|container| &container.endpoints);
    endpoints
        .filter(|endpoint| endpoint.host_side.bridge() == Some(&bridge.name))
        .flat_map(|endpoint| &endpoint.link.addresses)
        .find(|own| own.address.is_ipv4() == address.is_ipv4())
        .map(|own| own.prefix)
}

/// The bridges of a namespace behind which somebody has that address.
fn bridges_of<'a>(
    facts: &'a Facts,
    space: &'a Space,
    address: IpAddr,
) -> impl Iterator<Item = &'a crate::model::LinkName> {
    let endpoints = facts.topology.containers.iter().flat_map(|container| &container.endpoints);
    endpoints
        .filter(move |endpoint| endpoint.link.addresses.iter().any(|own| own.address == address))
        .filter_map(move |endpoint| match &endpoint.host_side {
            HostSide::Pair { namespace, bridge: Some(bridge), .. } if *namespace == space.id => Some(bridge),
            _ => None,
        })
}

/// A container's address that a route leads elsewhere: another network has the same addresses, or the bridge lacks its own.
pub(in crate::why::walk) fn diverted(
    facts: &Facts,
    space: &Space,
    packet: &Packet,
    (link, route): (LinkIndex, &Route),
    answer: &Answer<'_>,
) -> Result<(), Box<Finding>> {
    let to = packet.destination.ip();
    let Some(out) = space.link(link) else { return Ok(()) };
    let bridges: Vec<_> = bridges_of(facts, space, to).collect();
    if bridges.is_empty() || bridges.contains(&&out.name) {
        return Ok(());
    }
    // A member of several networks is reached by any of its bridges.
    let Some(bridge) = bridges.iter().find_map(|name| space.link_named(name.as_str())) else { return Ok(()) };
    if !bridge.up {
        return Err(Box::new(super::bridge_down(bridge)));
    }
    if !bridge.addresses.iter().any(|own| contains(*own, to)) {
        return Err(Box::new(bridge_without_address(facts, bridge, to)));
    }
    let who = facts.name_of(space.id);
    let words = routing::words(space, route);
    let by_rule = answer.rule.map(|rule| format!(" (by routing rule {})", rule.priority)).unwrap_or_default();
    let sentence = format!(
        "the route {words}{by_rule} of {who} overlaps the network of {}: what goes to {to} leaves by {} instead",
        bridge.name, out.name
    );
    let repair = match answer.rule {
        Some(rule) => format!("{}ip rule del priority {}", inside(facts, space.id), rule.priority),
        None => format!("{}ip route del {words}", inside(facts, space.id)),
    };
    Err(Box::new(
        Finding::new(Code::SubnetOverlap, sentence)
            .if_certain(answer.certain)
            .seen(format!("route in {who}: {words}"))
            .seen_all(bridge.addresses.iter().map(|own| format!("address of {}: {own}", bridge.name)))
            .repair(repair),
    ))
}

/// Routing is off.
pub(in crate::why::walk) fn not_forwarding(
    facts: &Facts,
    space: &Space,
    packet: &Packet,
    (setting, value): (&str, i64),
) -> Finding {
    let who = facts.name_of(space.id);
    let to = packet.destination.ip();
    if !is_host(facts, space) && !packet.translated {
        let sentence = format!(
            "the route of the sender leads by {who}, which passes no packets on ({setting} is {value}): it is no gateway to {to}"
        );
        return Finding::new(Code::WrongGateway, sentence)
            .seen(format!("{setting} = {value} in {who}"))
            .seen_all(
                space.addresses().map(|(link, own)| format!("address of {who}: {own} on {}", link.name)),
            );
    }
    if !is_host(facts, space) {
        let sentence =
            format!("{who} is sent a packet for {to}, which is not its own address, and passes none on");
        return Finding::new(Code::DnatWrongTarget, sentence).seen_all(
            space.addresses().map(|(link, own)| format!("address of {who}: {own} on {}", link.name)),
        );
    }
    Finding::new(Code::IpForwardOff, format!("{who} does not pass packets on: {setting} is {value}"))
        .seen(format!("{setting} = {value}"))
        .repair(format!("sysctl -w {setting}=1"))
}

/// `rp_filter` does not believe the sender.
pub(in crate::why::walk) fn reverse_path(
    facts: &Facts,
    space: &Space,
    link: &Link,
    source: IpAddr,
    (setting, strictness): (&str, i64),
    answer: &Answer<'_>,
) -> Finding {
    let who = facts.name_of(space.id);
    let back = match &answer.direction {
        Direction::Out { link, route, .. } => format!(
            "leaves by {} ({})",
            space.link(*link).map_or_else(String::new, |link| link.name.to_string()),
            routing::words(space, route)
        ),
        Direction::Local => "is its own address".to_owned(),
        _ => "has no route".to_owned(),
    };
    let sentence = format!(
        "rp_filter of {who} drops the packet at {}: it comes from {source}, and what goes there {back}",
        link.name
    );
    Finding::new(Code::RpFilterDrops, sentence)
        .if_certain(answer.certain)
        .seen(format!("{setting} and net.ipv4.conf.all.rp_filter: the greater is {strictness}"))
        .seen_all(
            space
                .counters
                .get("TcpExt.IPReversePathFilter")
                .map(|count| format!("IPReversePathFilter in {who}: {count}")),
        )
        .repair(format!(
            "{}sysctl -w {setting}=2 net.ipv4.conf.all.rp_filter=2  # or a route to {source} by {}",
            inside(facts, space.id),
            link.name
        ))
}

/// Translated to a loopback address, which the kernel takes from no link.
pub(in crate::why::walk) fn loopback_from_outside(who: &str, packet: &Packet) -> Finding {
    let sentence = format!(
        "a rule sends the packet to {}, a loopback address, which {who} takes from no interface",
        packet.destination
    );
    Finding::new(Code::DnatWrongTarget, sentence).seen("route_localnet is 0".to_owned())
}

/// Translated from loopback to somebody else, with a source that the kernel sends to no link.
pub(in crate::why::walk) fn loopback_to_outside(who: &str, link: &Link, packet: &Packet) -> Finding {
    let name = &link.name;
    let source = packet.source.map_or_else(String::new, |source| source.to_string());
    let sentence = format!(
        "a rule sends what goes to loopback on to {}, by {name}; but {who} sends nothing from {source} by {name} while \
         net.ipv4.conf.{name}.route_localnet is 0",
        packet.destination
    );
    Finding::new(Code::RouteLocalnetOff, sentence)
        .seen(format!("net.ipv4.conf.{name}.route_localnet = 0"))
        .repair(format!(
            "sysctl -w net.ipv4.conf.{name}.route_localnet=1 && iptables -t nat -A POSTROUTING -s 127.0.0.0/8 -o {name} -j \
             MASQUERADE"
        ))
}

/// An answer that comes from another address than was asked.
pub(in crate::why::walk) fn foreign_answer(
    facts: &Facts,
    connection: &Connection,
    source: Option<IpAddr>,
) -> Finding {
    let from = source.map_or_else(|| "somebody else".to_owned(), |source| source.to_string());
    let asked = connection.destination;
    let sentence = format!(
        "the answer goes to the asker directly on the bridge and comes from {from}, but {asked} was asked: the connection \
         must be masqueraded where it leaves by the bridge it came in by (hairpin)"
    );
    let bridge =
        facts.topology.host_links.iter().find(|link| {
            source.is_some_and(|source| link.addresses.iter().any(|own| contains(*own, source)))
        });
    let name = bridge.map_or_else(|| "BRIDGE".to_owned(), |link| link.name.to_string());
    let subnet = bridge
        .and_then(|link| link.addresses.iter().find(|own| own.address.is_ipv4() == asked.is_ipv4()))
        .map_or_else(|| "SUBNET".to_owned(), |own| crate::why::packet::network(*own).to_string());
    Finding::new(Code::HairpinMissing, sentence)
        .seen(format!("asked: {asked}; answered by: {from}"))
        .seen("no rule masquerades it")
        .repair(format!(
            "iptables -t nat -A POSTROUTING -s {subnet} -o {name} -m conntrack --ctstate DNAT -j MASQUERADE"
        ))
}
