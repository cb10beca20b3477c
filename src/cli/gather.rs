//! What `inspect` needs beyond a look: routes, name resolution and settings inside one container's namespace.

use std::{collections::BTreeMap, net::IpAddr, path::Path};

use crate::model::{Container, Link, LinkIndex, LinkName, NamespaceId};
use crate::report::{Inspection, NameResolution, Route};
use crate::sys::netlink::{self, Netlink, RouteKind};
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
        names: NameResolution::default(),
        sysctls: BTreeMap::new(),
        uplink: uplink(look).await,
    };
    if let Some((id, namespace)) = held {
        match routes(namespace, links(look, id)).await {
            Ok(routes) => found.routes = routes,
            Err(error) => note("routes", &error),
        }
        let names: Vec<String> =
            SYSCTLS.iter().map(ToString::to_string).chain(per_link(links(look, id))).collect();
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

fn per_link(links: &[Link]) -> impl Iterator<Item = String> {
    links.iter().map(|link| format!("net.ipv4.conf.{}.rp_filter", link.name.as_str().replace('.', "/")))
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

async fn routes(namespace: &Namespace, links: &[Link]) -> Result<Vec<Route>, netlink::Error> {
    let routes = Netlink::open_in(namespace)?.routes().await?;
    Ok(routes.iter().filter(|route| route.table == MAIN_TABLE).flat_map(|route| rows(route, links)).collect())
}

fn rows(route: &netlink::Route, links: &[Link]) -> Vec<Route> {
    let destination =
        if route.destination.prefix == 0 { "default".to_owned() } else { route.destination.to_string() };
    let name = |index: LinkIndex| {
        links
            .iter()
            .find(|link| link.index == index)
            .map_or_else(|| format!("if{index}"), |link| link.name.to_string())
    };
    let row = |gateway: Option<IpAddr>, device: Option<LinkIndex>| Route {
        destination: destination.clone(),
        gateway: gateway.map(|gateway| gateway.to_string()),
        device: device.map(name).unwrap_or_default(),
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
