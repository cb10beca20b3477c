//! What `inspect` prints of one container: who it is, its way to the network, counters, routes, DNS, sysctls.

use std::{collections::BTreeMap, io};

use serde::Serialize;

use crate::discovery::Topology;
use crate::model::{Container, Counters, LinkName, NetworkMode};

use super::grid::{Grid, Headings, Layout, Width};
use super::{ends, way};

/// A container, and what was gathered inside its namespace.
#[derive(Debug)]
pub struct Inspection<'a> {
    /// The host, as far as it was seen.
    pub topology: &'a Topology,
    /// The container.
    pub container: &'a Container,
    /// The routes of its namespace, in the kernel's order.
    pub routes: Vec<Route>,
    /// The neighbours its namespace knows.
    pub neighbours: Vec<Neighbour>,
    /// What the bridges know of the ports it is behind.
    pub forwarding: Vec<Forwarding>,
    /// How it resolves names.
    pub names: NameResolution,
    /// Settings of its namespace by their names, as `net.ipv4.ip_forward`.
    pub sysctls: BTreeMap<String, String>,
    /// The interface of the host's default route.
    pub uplink: Option<LinkName>,
}

/// One route, in the words of `ip route`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Route {
    /// A prefix, or `default`.
    pub destination: String,
    /// The next hop's address; none on the link itself.
    pub gateway: Option<String>,
    /// The interface.
    pub device: String,
    /// The preferred source address.
    pub source: Option<String>,
    /// Smaller wins.
    pub metric: Option<u32>,
}

impl Route {
    /// Whether it is taken where no other fits.
    pub fn is_default(&self) -> bool {
        matches!(self.destination.as_str(), "default" | "0.0.0.0/0" | "::/0")
    }

    /// As `ip route` prints it.
    fn text(&self) -> String {
        let mut words = vec![self.destination.clone()];
        words.extend(self.gateway.as_ref().map(|gateway| format!("via {gateway}")));
        words.push(format!("dev {}", self.device));
        words.extend(self.source.as_ref().map(|source| format!("src {source}")));
        words.extend(self.metric.map(|metric| format!("metric {metric}")));
        words.join(" ")
    }
}

/// A neighbour, in the words of `ip neigh`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Neighbour {
    /// Its address.
    pub address: String,
    /// The interface it is behind.
    pub device: String,
    /// Its hardware address, once known.
    pub mac: Option<String>,
    /// `known`, `incomplete`, `failed`, `permanent`, or the kernel's number.
    pub state: String,
}

impl Neighbour {
    fn text(&self) -> String {
        let mac = self.mac.as_deref().map(|mac| format!(" lladdr {mac}")).unwrap_or_default();
        format!("{} dev {}{mac} {}", self.address, self.device, self.state)
    }
}

/// Behind which port a bridge takes a hardware address to be, in the words of `bridge fdb`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forwarding {
    /// The hardware address.
    pub mac: String,
    /// The port.
    pub port: String,
    /// The bridge.
    pub bridge: String,
    /// `learned`, or `permanent` for the port's own and what was set by hand.
    pub origin: String,
}

impl Forwarding {
    fn text(&self) -> String {
        format!("{} dev {} master {} {}", self.mac, self.port, self.bridge, self.origin)
    }
}

/// What stands in the container's /etc/resolv.conf (resolv.conf(5)) and /etc/hosts (hosts(5)).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NameResolution {
    /// `nameserver` lines, as written.
    pub nameservers: Vec<String>,
    /// Domains of the `search` line.
    pub search: Vec<String>,
    /// Words of the `options` line.
    pub options: Vec<String>,
    /// Lines of /etc/hosts without comments.
    pub hosts: Vec<String>,
}

/// Writes everything about one container.
pub fn inspection(inspection: &Inspection<'_>, layout: Layout, out: &mut impl io::Write) -> io::Result<()> {
    let width = match layout.width {
        Width::Columns(width) => Some(width),
        Width::Unlimited | Width::Overlong => None,
    };
    heading(layout, inspection.container.name.as_str(), out)?;
    facts(&identity(inspection.container), out)?;
    writeln!(out)?;
    heading(layout, "way", out)?;
    for line in ways(inspection, width) {
        writeln!(out, "  {line}")?;
    }
    counters(inspection, layout, out)?;
    section(layout, "routes", inspection.routes.iter().map(Route::text), out)?;
    section(layout, "neighbours", inspection.neighbours.iter().map(Neighbour::text), out)?;
    section(layout, "bridge forwarding", inspection.forwarding.iter().map(Forwarding::text), out)?;
    section(layout, "dns", name_resolution(&inspection.names), out)?;
    let sysctls = inspection.sysctls.iter().map(|(name, value)| format!("{name} = {value}"));
    section(layout, "sysctls", sysctls, out)
}

fn heading(layout: Layout, text: &str, out: &mut impl io::Write) -> io::Result<()> {
    match layout.headings {
        Headings::Bold => writeln!(out, "\x1b[1m{text}\x1b[0m"),
        Headings::Plain => writeln!(out, "{text}"),
    }
}

/// A heading with lines below it, or nothing at all.
fn section(
    layout: Layout,
    title: &str,
    lines: impl IntoIterator<Item = String>,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let mut lines = lines.into_iter().peekable();
    if lines.peek().is_some() {
        writeln!(out)?;
        heading(layout, title, out)?;
    }
    lines.try_for_each(|line| writeln!(out, "  {line}"))
}

fn identity(container: &Container) -> Vec<(&'static str, Option<String>)> {
    let list = |items: &[String]| (!items.is_empty()).then(|| items.join(", "));
    let compose = container.project().map(|project| match container.service() {
        Some(service) => format!("{project}/{service}"),
        None => project.to_owned(),
    });
    vec![
        ("id", Some(container.id.clone())),
        ("engine", Some(container.engine.to_string())),
        ("image", container.image.clone()),
        ("state", Some(container.state.to_string())),
        ("mode", Some(container.mode.to_string())),
        ("pid", container.pid.map(|pid| pid.to_string())),
        ("namespace", container.namespace.map(|namespace| namespace.to_string())),
        ("held by", list(&container.namespace_paths)),
        ("shared with", list(&container.shares_with)),
        ("cgroup", container.cgroup.clone()),
        ("pod", container.pod.clone()),
        ("compose", compose),
    ]
}

fn facts(facts: &[(&str, Option<String>)], out: &mut impl io::Write) -> io::Result<()> {
    for (name, value) in facts {
        if let Some(value) = value {
            writeln!(out, "  {name:<11}  {value}")?;
        }
    }
    Ok(())
}

fn ways(inspection: &Inspection<'_>, width: Option<u16>) -> Vec<String> {
    let container = inspection.container;
    if container.mode == NetworkMode::Host {
        let uplink =
            inspection.uplink.as_ref().map(|uplink| format!(" ↔ uplink {uplink}")).unwrap_or_default();
        return vec![format!("the host's own interfaces{uplink}")];
    }
    if container.endpoints.is_empty() {
        let reason = if container.state.is_live() { "only loopback" } else { "none while it does not run" };
        return vec![reason.to_owned()];
    }
    let inner_width = width.map(|width| width.saturating_sub(2));
    let drawn = |endpoint| way::drawn(&way::hops(inspection, endpoint), inner_width);
    container
        .endpoints
        .iter()
        .flat_map(|endpoint| drawn(endpoint).lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// Both ends of each cable: what one sends the other receives, and a difference is loss between them.
fn counters(inspection: &Inspection<'_>, layout: Layout, out: &mut impl io::Write) -> io::Result<()> {
    if inspection.container.endpoints.is_empty() {
        return Ok(());
    }
    let mut grid = Grid::new(&["INTERFACE", "RX/TX", "PACKETS", "BYTES", "ERRORS", "DROPPED"]);
    for endpoint in &inspection.container.endpoints {
        push_counters(&mut grid, &endpoint.link.name.to_string(), &endpoint.link.counters);
        if let Some(link) = ends::host_end(inspection.topology, endpoint) {
            push_counters(&mut grid, &format!("↔ {}", link.name), &link.counters);
        }
    }
    writeln!(out)?;
    grid.write(layout, &[], out)
}

fn push_counters(grid: &mut Grid, name: &str, counted: &Counters) {
    let received = [counted.rx_packets, counted.rx_bytes, counted.rx_errors, counted.rx_dropped];
    let sent = [counted.tx_packets, counted.tx_bytes, counted.tx_errors, counted.tx_dropped];
    for (direction, numbers) in [("rx", received), ("tx", sent)] {
        let names = [name.to_owned(), direction.to_owned()];
        grid.push(names.into_iter().chain(numbers.map(|number| number.to_string())).collect());
    }
}

fn name_resolution(names: &NameResolution) -> Vec<String> {
    let line =
        |word: &str, items: &[String]| (!items.is_empty()).then(|| format!("{word} {}", items.join(" ")));
    let settings = [
        line("nameserver", &names.nameservers),
        line("search", &names.search),
        line("options", &names.options),
    ];
    settings
        .into_iter()
        .flatten()
        .chain(names.hosts.iter().map(|entry| format!("hosts: {}", entry.replace('\t', " "))))
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::report::fixture;

    pub(in crate::report) fn inspected<'a>(topology: &'a Topology, name: &str) -> Inspection<'a> {
        let route = |destination: &str, gateway: Option<&str>| Route {
            destination: destination.into(),
            gateway: gateway.map(str::to_owned),
            device: "eth0".into(),
            source: None,
            metric: None,
        };
        Inspection {
            topology,
            container: fixture::container(topology, name),
            routes: vec![route("default", Some("172.17.0.1")), route("172.17.0.0/16", None)],
            neighbours: vec![Neighbour {
                address: "172.17.0.1".to_owned(),
                device: "eth0".to_owned(),
                mac: Some("02:42:ac:11:00:01".to_owned()),
                state: "known".to_owned(),
            }],
            forwarding: vec![Forwarding {
                mac: "02:42:ac:11:00:02".to_owned(),
                port: "veth1a2b".to_owned(),
                bridge: "docker0".to_owned(),
                origin: "learned".to_owned(),
            }],
            names: NameResolution {
                nameservers: vec!["127.0.0.11".into()],
                hosts: vec!["172.17.0.2 web".into()],
                ..NameResolution::default()
            },
            sysctls: BTreeMap::from([("net.ipv4.ip_forward".into(), "1".into())]),
            uplink: Some("eth0".parse().unwrap()),
        }
    }

    fn text(name: &str, width: Width) -> String {
        let topology = fixture::topology();
        let mut out = Vec::new();
        let layout = Layout { width, headings: Headings::Plain };
        inspection(&inspected(&topology, name), layout, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_bridged_container_is_shown_with_its_whole_way() {
        insta::assert_snapshot!(text("web", Width::Columns(100)));
    }

    #[test]
    fn the_way_is_one_line_where_there_is_room() {
        let way = "  eth0 (172.17.0.2/16, 02:42:ac:11:00:02, mtu 1500) ↔ veth1a2b ↔ docker0 (172.17.0.1/16) ↔ NAT \
                   *:8080→80/tcp ↔ uplink eth0\n";
        assert!(text("web", Width::Unlimited).contains(way));
    }

    #[test]
    fn other_modes_have_their_own_ways() {
        assert!(text("agent", Width::Unlimited).contains("the host's own interfaces ↔ uplink eth0"));
        assert!(text("inner", Width::Unlimited).contains("↔ dind/veth9a0b ↔ docker0\n"));
        assert!(text("lan", Width::Unlimited).contains("↔ eth0 (parent)\n"));
        assert!(text("db", Width::Unlimited).contains("none while it does not run"));
    }
}
