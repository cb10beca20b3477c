//! What a container makes of a name: its hosts file, the engine's name server, the servers of its resolv.conf. Pure.

use std::net::{IpAddr, SocketAddr};

use crate::model::{Container, Engine, NetworkMode};

use super::facts::{Facts, Space};
use super::finding::{Code, Finding};
use super::question::{Lookup, LookupAnswer};

/// Docker's name server, as its containers see it.
const EMBEDDED: &str = "127.0.0.11";

/// Docker's network on which it serves no names.
const WITHOUT_NAMES: &str = "bridge";

/// What a name means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// These addresses.
    Addresses(Vec<IpAddr>),
    /// Nobody has been asked, and it cannot be told.
    Unknown,
}

/// What a name means to a container, or why it means nothing.
pub fn resolve(facts: &Facts, from: &Container, space: &Space, name: &str) -> Result<Meaning, Box<Finding>> {
    if let Ok(address) = name.parse() {
        return Ok(Meaning::Addresses(vec![address]));
    }
    let in_hosts = space.names.hosts.iter().find(|(_, names)| names.iter().any(|known| known == name));
    if let Some((address, _)) = in_hosts {
        return Ok(Meaning::Addresses(vec![*address]));
    }
    if !space.names.read {
        return Ok(Meaning::Unknown);
    }
    broken(facts, from, space, name)?;
    let lookups: Vec<&Lookup> =
        facts.lookups.iter().filter(|lookup| lookup.namespace == space.id && lookup.name == name).collect();
    if let Some(addresses) = lookups.iter().find_map(|lookup| match &lookup.answer {
        LookupAnswer::Addresses(addresses) if !addresses.is_empty() => Some(addresses.clone()),
        _ => None,
    }) {
        return Ok(Meaning::Addresses(addresses));
    }
    // The first answer of a server counts, of whatever kind; a failure is passed on to the next.
    let denied = lookups
        .iter()
        .any(|lookup| matches!(lookup.answer, LookupAnswer::NoSuchName | LookupAnswer::Addresses(_)));
    let heard = lookups.iter().map(|lookup| format!("{} asked for {name}: {}", lookup.server, lookup.answer));
    let heard: Vec<String> = heard.collect();
    if denied {
        return Err(Box::new(not_resolved(facts, from, name).seen_all(heard)));
    }
    if !lookups.is_empty() {
        return Err(Box::new(silent(from, &lookups, name).seen_all(heard)));
    }
    unasked(facts, from, name)
}

/// The addresses of the name servers that a namespace asks.
pub fn servers(space: &Space) -> Vec<SocketAddr> {
    let addresses = space.names.servers.iter().filter_map(|word| word.parse::<IpAddr>().ok());
    addresses.take(3).map(|address| SocketAddr::new(address, 53)).collect()
}

/// A resolv.conf that cannot work.
fn broken(facts: &Facts, from: &Container, space: &Space, name: &str) -> Result<(), Box<Finding>> {
    let who = &from.name;
    let lines = if space.names.servers.is_empty() {
        "/etc/resolv.conf: no nameserver".to_owned()
    } else {
        format!("/etc/resolv.conf: nameserver {}", space.names.servers.join(", "))
    };
    let finding = |sentence: String| {
        Box::new(
            Finding::new(Code::ResolvConfBroken, sentence)
                .seen(lines.clone())
                .repair(format!("docker restart {who}  # writes /etc/resolv.conf anew")),
        )
    };
    let servers = servers(space);
    if servers.is_empty() {
        return Err(finding(format!(
            "the resolv.conf of {who} names no server, so that it resolves no name"
        )));
    }
    let embedded: IpAddr = EMBEDDED.parse().expect("it is an address");
    let nobody = |server: &SocketAddr| {
        let loopback = server.ip().is_loopback() && server.ip() != embedded;
        let served = space.listeners.iter().any(|listener| {
            listener.protocol == crate::model::Protocol::Udp
                && listener.local.port() == server.port()
                && listener.takes(server.ip())
        });
        loopback && !served
    };
    if servers.iter().all(nobody) {
        let sentence = format!(
            "the resolv.conf of {who} names {}, its own loopback, where no server is",
            servers[0].ip()
        );
        return Err(finding(sentence));
    }
    let bypassed = on_named_network(from) && !servers.iter().any(|server| server.ip() == embedded);
    if bypassed && is_container_name(facts, name) {
        let sentence = format!(
            "the resolv.conf of {who} does not name {EMBEDDED}, the engine's server, which alone knows the containers' names"
        );
        return Err(finding(sentence));
    }
    Ok(())
}

/// Whether the engine serves names to a container.
fn on_named_network(container: &Container) -> bool {
    container.engine == Engine::Docker
        && container
            .networks
            .iter()
            .any(|member| ![WITHOUT_NAMES, "host", "none"].contains(&member.network.as_str()))
}

fn is_container_name(facts: &Facts, name: &str) -> bool {
    facts.topology.containers.iter().any(|container| {
        container.name == name
            || container.networks.iter().any(|member| member.aliases.iter().any(|alias| alias == name))
    })
}

/// Why a container's name means nothing to another one, and what would help.
fn unnamed(facts: &Facts, from: &Container, owner: &Container, name: &str) -> (String, String) {
    let (who, whose) = (&from.name, &owner.name);
    // No engine puts such a container on a network.
    match owner.mode {
        NetworkMode::Host => {
            return (
                format!("{whose} is in host mode, and no network knows its name"),
                format!("start {who} again with --add-host {name}:host-gateway"),
            );
        }
        NetworkMode::Shared => {
            let holder = owner.namespace.and_then(|namespace| facts.resident(namespace));
            let holder = holder.filter(|holder| holder.id != owner.id);
            let holder = holder.map_or("another container", |holder| holder.name.as_str());
            return (
                format!("{whose} shares the network of {holder}, and has no name of its own there"),
                format!("ask for {holder} instead"),
            );
        }
        _ => {}
    }
    let own = || from.networks.iter().map(|member| member.network.as_str());
    let shared = owner.networks.iter().find(|member| own().any(|network| network == member.network));
    let reason = match shared {
        Some(member) if member.network == WITHOUT_NAMES => {
            format!("{whose} is on the default bridge with it, where the engine resolves no names")
        }
        Some(member) => format!("{whose} has another name on {}", member.network),
        None => format!(
            "{whose} is on {}, and {who} on {}",
            words(owner.networks.iter().map(|member| member.network.as_str())),
            words(own())
        ),
    };
    let named = own().find(|network| ![WITHOUT_NAMES, "host", "none"].contains(network));
    let repair = match named.filter(|_| shared.is_none()) {
        Some(network) => format!("docker network connect {network} {whose}"),
        None => {
            format!("docker network connect NETWORK {whose}  # one that both are on, not the default bridge")
        }
    };
    (reason, repair)
}

/// Nobody knows the name: why not, as far as that can be told.
fn not_resolved(facts: &Facts, from: &Container, name: &str) -> Finding {
    let who = &from.name;
    let owner = facts.topology.containers.iter().find(|container| {
        container.id != from.id
            && (container.name == name
                || container.networks.iter().any(|member| member.aliases.iter().any(|alias| alias == name)))
    });
    let own: Vec<&str> = from.networks.iter().map(|member| member.network.as_str()).collect();
    let (reason, repair) = match owner {
        Some(owner) => unnamed(facts, from, owner, name),
        None => (
            "no container on its networks has that name or alias, nor does any name server know it"
                .to_owned(),
            format!("docker network connect --alias {name} NETWORK CONTAINER"),
        ),
    };
    Finding::new(Code::NameNotResolved, format!("{who} cannot resolve the name {name}: {reason}"))
        .seen(format!("networks of {who}: {}", words(own.iter().copied())))
        .seen_all(owner.filter(|owner| !owner.networks.is_empty()).map(|owner| {
            let networks = owner.networks.iter().map(|member| {
                format!("{} ({})", member.network, words(member.aliases.iter().map(String::as_str)))
            });
            format!(
                "networks of {} with its aliases: {}",
                owner.name,
                networks.collect::<Vec<_>>().join(", ")
            )
        }))
        .repair(repair)
}

fn words<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// No server has answered.
fn silent(from: &Container, lookups: &[&Lookup], name: &str) -> Finding {
    let server = lookups[0].server.ip();
    let (code, what) = match lookups[0].answer {
        LookupAnswer::Unreachable => (Code::DnsRefused, "nobody listens at"),
        LookupAnswer::Failed(_) => (Code::DnsSilent, "no address comes from"),
        _ => (Code::DnsSilent, "no answer comes from"),
    };
    let sentence =
        format!("{} cannot resolve the name {name}: {what} the name server {server} that it asks", from.name);
    Finding::new(code, sentence).repair("name another server: docker run --dns ADDRESS")
}

/// What can be said without asking.
fn unasked(facts: &Facts, from: &Container, name: &str) -> Result<Meaning, Box<Finding>> {
    let mut addresses = Vec::new();
    for container in facts.topology.containers.iter().filter(|container| container.state.is_live()) {
        for member in &container.networks {
            let shared = from.networks.iter().any(|own| own.network == member.network);
            let named = container.name == name
                || container.short_id() == name
                || member.aliases.iter().any(|alias| alias == name);
            if shared && named && member.network != WITHOUT_NAMES {
                addresses.extend(&member.addresses);
            }
        }
    }
    if !addresses.is_empty() {
        return Ok(Meaning::Addresses(addresses));
    }
    if is_container_name(facts, name) && from.engine == Engine::Docker {
        return Err(Box::new(not_resolved(facts, from, name)));
    }
    Ok(Meaning::Unknown)
}
