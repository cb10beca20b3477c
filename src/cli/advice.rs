//! What somebody may have meant by a word that names nothing here. Pure.

use std::net::IpAddr;

use crate::discovery::Topology;
use crate::model::{Container, LinkKind, LinkName, NetworkMode, Pattern, Selector};

/// What a filter begins with, or holds; see pcap-filter(7).
const FILTER_WORDS: [&str; 26] = [
    "and",
    "arp",
    "broadcast",
    "dst",
    "ether",
    "greater",
    "host",
    "icmp",
    "icmp6",
    "ip",
    "ip6",
    "less",
    "multicast",
    "net",
    "not",
    "or",
    "port",
    "portrange",
    "proto",
    "rarp",
    "sctp",
    "src",
    "tcp",
    "udp",
    "vlan",
    "vxlan",
];

/// How many names are told.
const TOLD: usize = 5;

/// For a bare word that is no container's name or id.
pub(super) fn on_word(topology: &Topology, word: &str) -> String {
    if word.contains(['*', '?']) {
        return format!("name={word} selects by a pattern");
    }
    if word.split_whitespace().next().is_some_and(|first| FILTER_WORDS.contains(&first)) {
        return "a filter goes after `--`: pcapsule capture NAME -- tcp port 80".to_owned();
    }
    if let Some(owner) = word.parse().ok().and_then(|address| owner_of(topology, address)) {
        return format!("{word} is an address of {owner}");
    }
    let meant = meant(topology, word);
    if !meant.is_empty() {
        return format!("try {}", meant.join(" or "));
    }
    let names = topology.containers.iter().map(|container| container.name.as_str());
    let nearest = nearest(word, names);
    if nearest.is_empty() { everybody(topology) } else { format!("nearest: {}", nearest.join(", ")) }
}

/// For an interface that the host does not have.
pub(super) fn on_link(topology: &Topology, name: &LinkName) -> String {
    let network = Selector::Network(Pattern::new(name.as_str()));
    if topology.containers.iter().any(|container| network.matches(container)) {
        return format!("{network} selects the containers of that network");
    }
    let names = topology.host_links.iter().map(|link| link.name.as_str());
    let nearest = nearest(name.as_str(), names);
    if nearest.is_empty() {
        "`ip link` lists the interfaces".to_owned()
    } else {
        format!("nearest: {}", nearest.join(", "))
    }
}

/// For a selector that fits no container.
pub(super) fn on_selector(topology: &Topology, selector: &Selector) -> String {
    let text = selector.to_string();
    let Some((key, word)) = text.split_once('=') else { return everybody(topology) };
    let all = topology.containers.iter();
    let known: Vec<&str> = match selector {
        Selector::Name(_) => all.map(|found| found.name.as_str()).collect(),
        Selector::Image(_) => all.filter_map(|found| found.image.as_deref()).collect(),
        Selector::Network(_) => {
            all.flat_map(|found| &found.networks).map(|member| member.network.as_str()).collect()
        }
        Selector::Project(_) => all.filter_map(Container::project).collect(),
        Selector::Service(_) => all.filter_map(Container::service).collect(),
        Selector::Pod(_) => all.filter_map(|found| found.pod.as_deref()).collect(),
        Selector::Mode(_) => all.map(|found| found.mode.as_str()).collect(),
        _ => Vec::new(),
    };
    let nearest = nearest(word, known.into_iter());
    if nearest.is_empty() {
        return everybody(topology);
    }
    let selectors: Vec<String> = nearest.iter().map(|name| format!("{key}={name}")).collect();
    format!("nearest: {}", selectors.join(", "))
}

/// The names there are, when nothing better comes to mind.
pub(super) fn everybody(topology: &Topology) -> String {
    let mut names: Vec<&str> = topology.containers.iter().map(|found| found.name.as_str()).collect();
    names.dedup();
    match names.len() {
        0 => "no container was found at all".to_owned(),
        count if count > TOLD => {
            format!("found: {} and {} more", names[..TOLD].join(", "), count - TOLD)
        }
        _ => format!("found: {}", names.join(", ")),
    }
}

/// The selectors by which the word would have found something.
fn meant(topology: &Topology, word: &str) -> Vec<String> {
    let pattern = || Pattern::new(word);
    let mode: NetworkMode = word.parse().unwrap_or_else(|never| match never {});
    let by_containers = [
        Selector::Network(pattern()),
        Selector::Project(pattern()),
        Selector::Service(pattern()),
        Selector::Pod(pattern()),
        Selector::Image(pattern()),
        Selector::Mode(mode),
    ];
    let finds = |selector: &Selector| topology.containers.iter().any(|found| selector.matches(found));
    let mut meant: Vec<String> =
        by_containers.iter().filter(|selector| finds(selector)).map(ToString::to_string).collect();
    meant.extend(topology.host_links.iter().find(|link| link.name.as_str() == word).map(|link| {
        let key = if link.kind == LinkKind::Bridge { "bridge" } else { "if" };
        format!("{key}={word}")
    }));
    meant
}

/// The container that has the address, else the interface of the host: `web`, `the host: if=eth0`.
fn owner_of(topology: &Topology, address: IpAddr) -> Option<String> {
    let has = |container: &&Container| {
        let links = container.endpoints.iter().flat_map(|endpoint| &endpoint.link.addresses);
        links.into_iter().any(|found| found.address == address)
            || container.networks.iter().any(|membership| membership.addresses.contains(&address))
    };
    // Of several that share a namespace, the one that brought it.
    let containers = topology.containers.iter().filter(has);
    let container = containers.min_by_key(|container| container.mode == NetworkMode::Shared);
    container.map(|container| format!("container {}", container.name)).or_else(|| {
        let mut links = topology.host_links.iter();
        let link = links.find(|link| link.addresses.iter().any(|found| found.address == address))?;
        Some(format!("the host: try if={}", link.name))
    })
}

/// At most three names that a person may have meant, the likeliest first.
fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    const ALIKE: f64 = 0.5;
    let mut scored: Vec<(f64, &str)> = names
        .map(|name| {
            let contained = if name.contains(word) { 0.7 } else { 0.0 };
            (strsim::normalized_damerau_levenshtein(word, name).max(contained), name)
        })
        .filter(|(score, _)| *score >= ALIKE)
        .collect();
    scored.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
    scored.dedup_by_key(|(_, name)| *name);
    scored.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_word_of_another_kind_is_told_as_what_it_is() {
        let mut topology = fixture::topology();
        topology.containers[6].networks.push(crate::model::Membership {
            network: "shop_app".to_owned(),
            bridge: None,
            addresses: vec!["10.9.9.9".parse().unwrap()],
            mac: None,
            aliases: Vec::new(),
        });
        for (word, advice) in [
            ("web-*", "name=web-* selects by a pattern"),
            ("tcp", "a filter goes after `--`: pcapsule capture NAME -- tcp port 80"),
            ("udp port 53", "a filter goes after `--`: pcapsule capture NAME -- tcp port 80"),
            ("172.17.0.2", "172.17.0.2 is an address of container web"),
            ("10.9.9.9", "10.9.9.9 is an address of container web"),
            ("192.0.2.1", "192.0.2.1 is an address of the host: try if=eth0"),
            ("shop_app", "try network=shop_app"),
            ("shop", "try project=shop"),
            ("nginx", "try image=nginx"),
            ("docker0", "try bridge=docker0"),
            ("eth0", "try if=eth0"),
            ("macvlan", "try mode=macvlan"),
            ("wbe", "nearest: web"),
            ("zzzz", "found: agent, db, dind, inner, lan and 2 more"),
        ] {
            assert_eq!(on_word(&topology, word), advice, "{word}");
        }
        for (selector, advice) in [
            ("network=shop_ap", "nearest: network=shop_app"),
            ("project=shp", "nearest: project=shop"),
            ("mode=macvaln", "nearest: mode=macvlan"),
            ("name=wbe*", "nearest: name=web"),
            ("label=x", "found: agent, db, dind, inner, lan and 2 more"),
        ] {
            assert_eq!(on_selector(&topology, &selector.parse().unwrap()), advice, "{selector}");
        }
        let advice = on_link(&topology, &"shop_app".parse().unwrap());
        assert_eq!(advice, "network=shop_app selects the containers of that network");
        assert_eq!(on_word(&Topology::default(), "web"), "no container was found at all");
    }
}
