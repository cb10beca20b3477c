//! Rules that stop packets: whose they are, and what they are there for.

use crate::model::{Engine, LinkKind, NetworkMode};
use crate::why::facts::{Facts, Space};
use crate::why::finding::{Code, Finding};
use crate::why::firewall::{Action, Chain, Condition, Family, Field, Maker, Point, Rule, Stop, Value};
use crate::why::packet::{Packet, Part};

use super::{inside, is_host};

/// A packet that a rule, or a chain's policy, has stopped.
pub(in crate::why::walk) fn rule(
    facts: &Facts,
    space: &Space,
    point: Point,
    packet: &Packet,
    stop: Stop<'_>,
) -> Finding {
    let (code, what) = kind(facts, space, point, packet, stop);
    let prefix = inside(facts, space.id);
    let told = if stop.told { "rejects" } else { "drops" };
    let who = facts.name_of(space.id);
    let place = format!("{} ({})", stop.chain, point.as_str());
    let sentence = match stop.rule {
        Some(rule) => {
            let handle = rule.handle.map(|handle| format!(", handle {handle}")).unwrap_or_default();
            format!("{what}: a rule of {who} {told} the packet ({}{handle}): {}", stop.chain, rule.text)
        }
        None => {
            format!("{what}: no rule of {who} accepts the packet, and the policy of {} drops it", stop.chain)
        }
    };
    let mut finding = Finding::new(code, sentence).if_certain(stop.certain);
    finding = match stop.rule {
        Some(rule) => {
            let counted = rule.packets.map(|count| format!("; {count} packets so far")).unwrap_or_default();
            let handle = rule.handle.map(|handle| format!(", handle {handle}")).unwrap_or_default();
            finding
                .seen(format!("rule in {place}{handle}: {}{counted}", rule.text))
                .repair(format!("{prefix}{}", removal(stop.chain, rule)))
        }
        None => finding.seen(format!("policy of {place}: drop")).repair(acceptance(
            stop.chain,
            packet,
            (point, &prefix),
        )),
    };
    if let Some(Action::Queue { .. }) = stop.rule.map(|rule| &rule.action) {
        finding = finding.seen("no program reads the queue that the rule hands packets to".to_owned());
    }
    finding = finding.seen(format!("packet: {}", words(packet)));
    match code {
        Code::IccOff => finding.repair(
            "put both on a network without com.docker.network.bridge.enable_icc=false, or accept their connection in \
             DOCKER-USER",
        ),
        Code::DifferentNetworks => finding.repair(joined(facts, packet)),
        Code::NetworkInternal => finding.repair("docker network connect NETWORK CONTAINER  # one without --internal"),
        _ => finding,
    }
}

fn kind(facts: &Facts, space: &Space, point: Point, packet: &Packet, stop: Stop<'_>) -> (Code, &'static str) {
    if !is_host(facts, space) {
        return (Code::ContainerRuleDrops, "the container's own rules");
    }
    if stop.chain.family == Family::Bridge {
        return (Code::BridgeRuleDrops, "the rules of the bridge");
    }
    let by_bridge = packet.input.as_deref().and_then(|name| space.link_named(name));
    let from_bridge = by_bridge.is_some_and(|link| link.kind == LinkKind::Bridge);
    if from_bridge && !packet.translated && stop.rule.is_some_and(guards_a_container) {
        return (Code::DifferentNetworks, "the two are on different networks, which are kept apart");
    }
    match point {
        Point::Ingress | Point::Egress => (Code::IngressRuleDrops, "the rules at an interface"),
        Point::Output => (Code::OutputDrop, "the host's firewall does not let it out"),
        Point::Prerouting if space.is_local(packet.destination.ip()) && packet.translated => {
            (Code::ForwardRuleDrops, "the host's firewall")
        }
        Point::Prerouting | Point::Postrouting if !space.is_local(packet.destination.ip()) => {
            (Code::ForwardRuleDrops, "the host's firewall")
        }
        Point::Prerouting | Point::Input => (Code::InputDrop, "the host's firewall does not let it in"),
        Point::Forward | Point::Postrouting => forwarded(facts, packet, stop),
    }
}

fn forwarded(facts: &Facts, packet: &Packet, stop: Stop<'_>) -> (Code, &'static str) {
    let (input, output) = (packet.input.as_deref(), packet.output.as_deref());
    let network = |name: Option<&str>| name.and_then(|name| facts.network_of_bridge(name));
    let is_bridge = |name: Option<&str>| network(name).is_some();
    if input.is_some() && input == output {
        let off = network(input).is_some_and(|network| !network.between_members);
        if off || stop.rule.is_some_and(asks_links_alone) {
            return (Code::IccOff, "communication between the containers of this network is off");
        }
    }
    let internal = [input, output].iter().any(|name| network(*name).is_some_and(|network| network.internal));
    let isolates = stop.chain.name.contains("ISOLATION")
        || stop.chain.name.contains("isolation")
        || stop.rule.is_some_and(|rule| rule.text.contains("ISOLATION"));
    if internal && (isolates || stop.rule.is_none()) && packet.part == Part::Opening {
        return (Code::NetworkInternal, "the network is internal: nothing gets in or out");
    }
    if isolates && is_bridge(input) && is_bridge(output) {
        return (Code::DifferentNetworks, "the two are on different networks, which the engine keeps apart");
    }
    match stop.rule {
        Some(_) => (Code::ForwardRuleDrops, "the host's firewall"),
        None => (Code::ForwardPolicyDrop, "the host's firewall"),
    }
}

/// Whether a rule keeps one address for its own bridge, as engines make them: whatever comes by another is dropped.
fn guards_a_container(rule: &Rule) -> bool {
    let asks = |wanted: Field, inverted: bool| {
        rule.conditions.iter().any(|condition| {
            matches!(condition, Condition::Is { field, negated, .. } if *field == wanted && *negated == inverted)
        })
    };
    asks(Field::Input, true) && asks(Field::Destination, false)
}

/// What brings the two ends of a packet onto one network.
fn joined(facts: &Facts, packet: &Packet) -> String {
    let at = |address| {
        facts.topology.containers.iter().find(|container| {
            let mut links = container.endpoints.iter().flat_map(|endpoint| &endpoint.link.addresses);
            container.mode != NetworkMode::Shared && links.any(|own| own.address == address)
        })
    };
    let ends = packet.source.and_then(at).zip(at(packet.destination.ip()));
    let Some((from, to)) = ends.filter(|(from, to)| from.engine == to.engine) else {
        return "docker network connect NETWORK CONTAINER".to_owned();
    };
    let bridge = to.endpoints.iter().find_map(|endpoint| endpoint.host_side.bridge());
    match (&to.engine, to.networks.first(), bridge) {
        (Engine::Docker | Engine::Podman, Some(member), _) => {
            format!("{} network connect {} {}", to.engine, member.network, from.name)
        }
        (Engine::Pcapsule, _, Some(bridge)) => {
            format!("start {} again with --bridge {bridge}", from.name)
        }
        _ => format!("put {} and {} on one network", from.name, to.name),
    }
}

/// Whether a rule asks for interfaces and nothing else, as those against inter-container communication do.
fn asks_links_alone(rule: &Rule) -> bool {
    let link = |condition: &Condition| {
        matches!(condition, Condition::Is { field: Field::Input | Field::Output, negated: false, values }
            if values.iter().all(|value| matches!(value, Value::Name(_))))
    };
    rule.conditions.len() == 2 && rule.conditions.iter().all(link)
}

/// The command that takes a rule out.
fn removal(chain: &Chain, rule: &Rule) -> String {
    match (chain.maker, rule.handle) {
        (Maker::Nft, Some(handle)) => format!(
            "nft delete rule {} {} {} handle {handle}",
            chain.family.as_str(),
            chain.table,
            chain.name
        ),
        (Maker::Nft, None) => {
            format!("nft -a list chain {} {} {}", chain.family.as_str(), chain.table, chain.name)
        }
        _ => {
            let table = if chain.table == "filter" { String::new() } else { format!("-t {} ", chain.table) };
            let specification = rule.text.strip_prefix("-A ").unwrap_or(&rule.text);
            format!("{} {table}-D {specification}", chain.program())
        }
    }
}

/// The commands that let the packet pass a chain whose policy drops it; and its answers, where they pass the same chain.
fn acceptance(chain: &Chain, packet: &Packet, (point, prefix): (Point, &str)) -> String {
    let (protocol, port) = (packet.protocol, packet.destination.port());
    let address = packet.destination.ip();
    let is_nft = chain.maker == Maker::Nft;
    let answers = if is_nft {
        "ct state established,related".to_owned()
    } else {
        "-m conntrack --ctstate RELATED,ESTABLISHED".to_owned()
    };
    let first = match (packet.part, is_nft) {
        (Part::Opening, true) => {
            let family = if packet.is_v4() { "ip" } else { "ip6" };
            Some(format!("{family} daddr {address} {protocol} dport {port}"))
        }
        (Part::Opening, false) => Some(format!("-d {address} -p {protocol} --dport {port}")),
        _ => None,
    };
    let needs_answers = point == Point::Forward || first.is_none();
    let accept = |which: String| {
        if is_nft {
            let Chain { table, name, family, .. } = chain;
            return format!("{prefix}nft insert rule {} {table} {name} {which} accept", family.as_str());
        }
        let table = if chain.table == "filter" { String::new() } else { format!("-t {} ", chain.table) };
        format!("{prefix}{} {table}-I {} {which} -j ACCEPT", chain.program(), chain.name)
    };
    let wanted = first.into_iter().chain(needs_answers.then_some(answers));
    wanted.map(accept).collect::<Vec<_>>().join(" && ")
}

/// The packet, as far as rules ask about it.
fn words(packet: &Packet) -> String {
    let source = packet.source.map_or_else(|| "outside".to_owned(), |source| source.to_string());
    let source = packet.source_port.map_or(source.clone(), |port| format!("{source}:{port}"));
    let part = match packet.part {
        Part::Opening => "first packet",
        Part::Answer => "answer",
        Part::Complaint => "ICMP \"too big\"",
    };
    let link = |name: &Option<String>, word: &str| {
        name.as_ref().map(|name| format!(", {word} by {name}")).unwrap_or_default()
    };
    format!(
        "{part} {source} → {}/{}{}{}",
        packet.destination,
        packet.protocol,
        link(&packet.input, "in"),
        link(&packet.output, "out")
    )
}
