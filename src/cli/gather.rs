//! What `inspect` needs beyond a look: routes, name resolution and settings inside one container's namespace.

use std::{collections::BTreeMap, net::IpAddr, path::Path};

use crate::model::{Container, HostSide, Link, LinkIndex, LinkName, Mac, NamespaceId};
use crate::report::{Forwarding, Inspection, NameResolution, Neighbour, Route};
use crate::sys::netlink::{self, ForwardingEntry, ForwardingOrigin, NeighbourState, Netlink, RouteKind};
use crate::sys::netns::Namespace;
use crate::sys::{read_inside, sysctl};

use super::look::Look;

/// The main table (linux/rtnetlink.h, `RT_TABLE_MAIN`); the local one only repeats the addresses.
const MAIN_TABLE: u32 = 254;

/// Settings that decide whether packets get through.
const SYSCTLS: [&str; 9] = [
    "net.ipv4.ip_forward",
    "net.ipv4.conf.all.rp_filter",
    "net.ipv4.conf.default.rp_filter",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_mtu_probing",
    "net.ipv6.conf.all.disable_ipv6",
    "net.ipv6.conf.all.forwarding",
    "net.core.somaxconn",
];

/// Everything about one container. What cannot be seen is left out and said in a warning.
pub(super) async fn inspection<'a>(
    look: &'a Look,
    container: &'a Container,
) -> (Inspection<'a>, Vec<String>) {
    let mut warnings = Vec::new();
    let mut note = |what: &str, error: &dyn std::error::Error| {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        warnings.push(format!("the {what} of {} could not be read: {error}{cause}", container.name));
    };
    let held = container.namespace.and_then(|id| Some((id, look.ground.namespaces.get(&id)?)));
    let mut found = Inspection {
        topology: &look.topology,
        container,
        routes: Vec::new(),
        neighbours: Vec::new(),
        forwarding: forwarding(look, container).await,
        names: NameResolution::default(),
        sysctls: BTreeMap::new(),
        uplink: uplink(look).await,
    };
    if let Some((id, namespace)) = held {
        match tables(namespace, links(look, id)).await {
            Ok((routes, neighbours)) => (found.routes, found.neighbours) = (routes, neighbours),
            Err(error) => note("routes and neighbours", &error),
        }
        let names: Vec<String> =
            SYSCTLS.iter().map(ToString::to_string).chain(per_interface(container)).collect();
        // A setting that this kernel does not have is left out.
        found.sysctls = names
            .into_iter()
            .filter_map(|name| Some((name.clone(), sysctl::read(namespace, &name).ok()?)))
            .collect();
    }
    if let Some(pid) = container.pid {
        match name_resolution(pid) {
            Ok(names) => found.names = names,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => note("resolv.conf", &error),
        }
    }
    (found, warnings)
}

fn links(look: &Look, namespace: NamespaceId) -> &[Link] {
    look.ground.links.get(&namespace).map_or(&[], Vec::as_slice)
}

/// As `sysctl(8)` writes them: a dot in an interface's name becomes a slash.
fn per_interface(container: &Container) -> impl Iterator<Item = String> {
    let names = container.endpoints.iter().map(|endpoint| endpoint.link.name.as_str().replace('.', "/"));
    names.flat_map(|name| {
        [format!("net.ipv4.conf.{name}.rp_filter"), format!("net.ipv6.conf.{name}.disable_ipv6")]
    })
}

async fn uplink(look: &Look) -> Option<LinkName> {
    let mut netlink = Netlink::open().ok()?;
    let routes = netlink.routes().await.ok()?;
    let default = routes.iter().filter(|route| is_default(route)).min_by_key(|route| route.metric)?;
    let index = default.next_hops.first()?.link?;
    look.topology.host_link(index).map(|link| link.name.clone())
}

fn is_default(route: &netlink::Route) -> bool {
    route.table == MAIN_TABLE && route.destination.prefix == 0 && route.kind == RouteKind::Unicast
}

async fn tables(
    namespace: &Namespace,
    links: &[Link],
) -> Result<(Vec<Route>, Vec<Neighbour>), netlink::Error> {
    let mut netlink = Netlink::open_in(namespace)?;
    let routes = netlink.routes().await?;
    let routes = routes
        .iter()
        .filter(|route| route.table == MAIN_TABLE)
        .flat_map(|route| rows(route, links))
        .collect();
    let is_one = |found: &&netlink::Neighbour| {
        let address = found.address;
        !address.is_multicast() && !address.is_loopback() && !address.is_unspecified()
    };
    let neighbours = netlink.neighbours().await?;
    let neighbours = neighbours.iter().filter(is_one).map(|found| Neighbour {
        address: found.address.to_string(),
        device: name_of(links, found.link),
        mac: found.mac.map(|mac| mac.to_string()),
        state: match found.state {
            NeighbourState::Incomplete => "incomplete".to_owned(),
            NeighbourState::Known => "known".to_owned(),
            NeighbourState::Failed => "failed".to_owned(),
            NeighbourState::Permanent => "permanent".to_owned(),
            NeighbourState::Other(number) => number.to_string(),
        },
    });
    Ok((routes, neighbours.collect()))
}

/// What the host's bridges know of the container's ports; nothing where they cannot be asked.
async fn forwarding(look: &Look, container: &Container) -> Vec<Forwarding> {
    let Ok(mut netlink) = Netlink::open() else { return Vec::new() };
    let entries = netlink.forwarding().await.unwrap_or_default();
    let is_port = |index: LinkIndex| {
        container.endpoints.iter().any(|endpoint| match &endpoint.host_side {
            HostSide::Pair { index: port, namespace, .. } => {
                *port == index && Some(*namespace) == look.topology.host
            }
            _ => false,
        })
    };
    let is_unicast = |mac: Mac| mac.bytes()[0] & 1 == 0;
    let known = entries.iter().filter(|entry| is_port(entry.port) && is_unicast(entry.mac));
    let row = |entry: &ForwardingEntry| {
        Some(Forwarding {
            mac: entry.mac.to_string(),
            port: name_of(&look.topology.host_links, entry.port),
            bridge: name_of(&look.topology.host_links, entry.bridge?),
            origin: match entry.origin {
                ForwardingOrigin::Learned => "learned".to_owned(),
                ForwardingOrigin::Permanent => "permanent".to_owned(),
            },
        })
    };
    known.filter_map(row).collect()
}

fn name_of(links: &[Link], index: LinkIndex) -> String {
    let link = links.iter().find(|link| link.index == index);
    link.map_or_else(|| format!("if{index}"), |link| link.name.to_string())
}

fn rows(route: &netlink::Route, links: &[Link]) -> Vec<Route> {
    let destination =
        if route.destination.prefix == 0 { "default".to_owned() } else { route.destination.to_string() };
    let row = |gateway: Option<IpAddr>, device: Option<LinkIndex>| Route {
        destination: destination.clone(),
        gateway: gateway.map(|gateway| gateway.to_string()),
        device: device.map(|index| name_of(links, index)).unwrap_or_default(),
        source: route.source.map(|source| source.to_string()),
        metric: (route.metric > 0).then_some(route.metric),
    };
    route.next_hops.iter().map(|hop| row(hop.gateway, hop.link)).collect()
}

fn name_resolution(pid: u32) -> std::io::Result<NameResolution> {
    let resolver = read_inside(pid, Path::new("/etc/resolv.conf"))?;
    let mut names = NameResolution::default();
    for line in resolver.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => names.nameservers.extend(words.next().map(str::to_owned)),
            Some("search" | "domain") => names.search = words.map(str::to_owned).collect(),
            Some("options") => names.options.extend(words.map(str::to_owned)),
            _ => {}
        }
    }
    let hosts = read_inside(pid, Path::new("/etc/hosts")).unwrap_or_default();
    let without_comment = |line: &str| line.split('#').next().unwrap_or_default().trim().to_owned();
    names.hosts = hosts.lines().map(without_comment).filter(|line| !line.is_empty()).collect();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn each_interface_tells_whether_it_has_ipv6() {
        let topology = fixture::topology();
        let names: Vec<String> = per_interface(fixture::container(&topology, "web")).collect();
        for name in ["net.ipv4.conf.eth1.rp_filter", "net.ipv6.conf.eth0.disable_ipv6"] {
            assert!(names.iter().any(|found| found == name), "{names:?}");
        }
    }
}
