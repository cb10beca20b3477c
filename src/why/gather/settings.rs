//! Settings and counters of a namespace, all read on one visit.

use std::{collections::BTreeMap, fs};

use crate::model::Link;
use crate::sys::netns::Namespace;
use crate::sys::sysctl;

const WHOLE: [&str; 9] = [
    "net.ipv4.ip_forward",
    "net.ipv6.conf.all.forwarding",
    "net.ipv4.conf.all.rp_filter",
    "net.ipv4.conf.all.route_localnet",
    "net.ipv6.conf.all.disable_ipv6",
    "net.bridge.bridge-nf-call-iptables",
    "net.bridge.bridge-nf-call-ip6tables",
    "net.netfilter.nf_conntrack_count",
    "net.netfilter.nf_conntrack_max",
];

/// Of each interface.
const EACH: [&str; 4] = [
    "net.ipv4.conf.LINK.forwarding",
    "net.ipv4.conf.LINK.rp_filter",
    "net.ipv4.conf.LINK.route_localnet",
    "net.ipv6.conf.LINK.force_forwarding",
];

/// Settings by name, and counters by name.
pub(super) fn read(
    namespace: &Namespace,
    links: &[Link],
) -> (BTreeMap<String, String>, BTreeMap<String, u64>) {
    let names: Vec<String> = WHOLE
        .iter()
        .map(ToString::to_string)
        .chain(links.iter().flat_map(|link| {
            let name = link.name.as_str().replace('.', "/");
            EACH.map(move |setting| setting.replace("LINK", &name))
        }))
        .collect();
    let visit = || {
        let settings = names
            .iter()
            .filter_map(|name| Some((name.clone(), sysctl::own(name)?)))
            .collect::<BTreeMap<_, _>>();
        let statistics = fs::read_to_string("/proc/thread-self/net/netstat").unwrap_or_default();
        (settings, counters(&statistics))
    };
    namespace.within(visit).unwrap_or_default()
}

/// `/proc/net/netstat`: a line of names, and one of numbers, for each group.
fn counters(text: &str) -> BTreeMap<String, u64> {
    let lines: Vec<&str> = text.lines().collect();
    let mut counters = BTreeMap::new();
    for pair in lines.chunks_exact(2) {
        let (names, values) = (pair[0].split_whitespace(), pair[1].split_whitespace());
        let mut both = names.zip(values);
        let Some((group, _)) = both.next() else { continue };
        let group = group.trim_end_matches(':');
        counters
            .extend(both.filter_map(|(name, value)| Some((format!("{group}.{name}"), value.parse().ok()?))));
    }
    counters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_named_by_group() {
        let found = counters("TcpExt: ListenOverflows ListenDrops\nTcpExt: 3 4\nIpExt: InOctets\nIpExt: 9\n");
        assert_eq!(found["TcpExt.ListenDrops"], 4);
        assert_eq!(found["IpExt.InOctets"], 9);
    }
}
