//! The table of `ls`: a line for each interface of a container, then the interfaces that were asked for.

use std::io;

use crate::discovery::Topology;
use crate::model::{Container, Endpoint, Link, NetworkMode};

use super::grid::{Grid, Layout, Step, Width};
use super::{ends, links, ports};

/// What `ls` shows.
#[derive(Debug)]
pub struct Listing<'a> {
    /// The host, as far as it was seen.
    pub topology: &'a Topology,
    /// The containers to list.
    pub containers: Vec<&'a Container>,
    /// Interfaces of the host that were asked for by name.
    pub interfaces: Vec<&'a Link>,
    /// Whether anything was asked for.
    pub scope: Scope,
    /// The host's name.
    pub host: &'a str,
    /// When it was seen, in nanoseconds since the Unix epoch.
    pub time_ns: u64,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The whole host.
    Host,
    /// What some selectors pick.
    Selection,
}

/// Whether the table tells the state: needed where ended containers are listed too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum StateColumn {
    Shown,
    Hidden,
}

const HEADINGS: [&str; 10] =
    ["CONTAINER", "IMAGE", "STATE", "MODE", "NETWORK", "ADDRESS", "MAC", "HOST VETH", "BRIDGE", "PORTS"];

/// What gives way first on a narrow terminal: what one looks up least, and what `inspect` tells as well.
const STEPS: [Step; 10] = [
    Step::Shorten("IMAGE", 24),
    Step::Shorten("PORTS", 36),
    Step::Drop("MAC"),
    Step::Shorten("IMAGE", 12),
    Step::Drop("IMAGE"),
    Step::Drop("NETWORK"),
    Step::Shorten("PORTS", 22),
    Step::Drop("MODE"),
    Step::Drop("PORTS"),
    Step::Drop("BRIDGE"),
];

/// Writes the tables of `ls`.
pub fn listing(
    listing: &Listing<'_>,
    layout: Layout,
    state: StateColumn,
    out: &mut impl io::Write,
) -> io::Result<()> {
    if !listing.containers.is_empty() || listing.interfaces.is_empty() {
        containers(listing, layout, state, out)?;
    }
    if listing.interfaces.is_empty() {
        return Ok(());
    }
    if !listing.containers.is_empty() {
        writeln!(out)?;
    }
    links::write(listing.topology, &listing.interfaces, layout, out)
}

/// Writes the names alone, one a line, those of interfaces last.
pub fn names(listing: &Listing<'_>, out: &mut impl io::Write) -> io::Result<()> {
    for container in &listing.containers {
        writeln!(out, "{}", container.name)?;
    }
    for link in &listing.interfaces {
        writeln!(out, "{}", link.name)?;
    }
    Ok(())
}

fn containers(
    listing: &Listing<'_>,
    layout: Layout,
    state: StateColumn,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let mut grid = Grid::new(&HEADINGS);
    for container in &listing.containers {
        for (position, cells) in rows(listing.topology, container, layout.width).into_iter().enumerate() {
            let continues = position > 0 && layout.width != Width::Unlimited;
            grid.push(if continues { without_repetition(cells) } else { cells });
        }
    }
    if state == StateColumn::Hidden {
        grid.drop_column("STATE");
    }
    grid.write(layout, &STEPS, out)
}

/// A further line under a container: only what belongs to the interface.
fn without_repetition(mut cells: Vec<String>) -> Vec<String> {
    for (heading, cell) in HEADINGS.iter().zip(&mut cells) {
        if ["CONTAINER", "IMAGE", "STATE", "MODE", "PORTS"].contains(heading) {
            " ".clone_into(cell);
        }
    }
    cells
}

fn rows(topology: &Topology, container: &Container, width: Width) -> Vec<Vec<String>> {
    let interfaces = match container.mode {
        NetworkMode::Host => vec![elsewhere("(host)".to_owned())],
        NetworkMode::Shared if !container.shares_with.is_empty() => {
            vec![elsewhere(format!("(with {})", container.shares_with.join(", ")))]
        }
        _ if container.endpoints.is_empty() => vec![unconnected(container)],
        _ => container.endpoints.iter().map(|endpoint| endpoint_cells(topology, endpoint)).collect(),
    };
    let row = |interface: [String; 5]| {
        let mut cells = vec![
            container.name.clone(),
            image(container, width),
            container.state.to_string(),
            container.mode.to_string(),
        ];
        cells.extend(interface);
        cells.push(ports::published(&container.published));
        cells
    };
    interfaces.into_iter().map(row).collect()
}

/// The cells of interfaces that are not the container's own: only the address column says something.
fn elsewhere(whose: String) -> [String; 5] {
    let mut cells = [const { String::new() }; 5];
    cells[1] = whose;
    cells
}

/// The cells of a container that has ended or has no interface: the engine knows its networks all the same.
fn unconnected(container: &Container) -> [String; 5] {
    let networks: Vec<&str> = container.networks.iter().map(|found| found.network.as_str()).collect();
    let mut cells = elsewhere(String::new());
    cells[0] = networks.join(", ");
    cells
}

fn endpoint_cells(topology: &Topology, endpoint: &Endpoint) -> [String; 5] {
    [
        endpoint.network.clone().unwrap_or_default(),
        addresses(&endpoint.link),
        endpoint.link.mac.map(|mac| mac.to_string()).unwrap_or_default(),
        ends::far_end(topology, endpoint),
        endpoint.host_side.bridge().map(ToString::to_string).unwrap_or_default(),
    ]
}

/// Every address but the link-local ones, which each IPv6 interface has.
pub(super) fn addresses(link: &Link) -> String {
    let told = link.addresses.iter().filter(|found| match found.address {
        std::net::IpAddr::V6(address) => !address.is_unicast_link_local(),
        std::net::IpAddr::V4(_) => true,
    });
    told.map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// On a screen without digest, as nobody can read it there.
fn image(container: &Container, width: Width) -> String {
    let image = container.image.as_deref().unwrap_or_default();
    if !matches!(width, Width::Columns(_)) {
        return image.to_owned();
    }
    match image.strip_prefix("sha256:") {
        Some(digest) => digest.get(..12).unwrap_or(digest).to_owned(),
        None => image.split_once('@').map_or(image, |(name, _)| name).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Headings, fixture};

    fn text(width: Width, state: StateColumn, interfaces: &[&str]) -> String {
        let topology = fixture::topology();
        let asked = |link: &&Link| interfaces.contains(&link.name.as_str());
        let seen = Listing {
            topology: &topology,
            containers: if interfaces.is_empty() { topology.containers.iter().collect() } else { Vec::new() },
            interfaces: topology.host_links.iter().filter(asked).collect(),
            scope: Scope::Host,
            host: "testhost",
            time_ns: 0,
        };
        let mut out = Vec::new();
        listing(&seen, Layout { width, headings: Headings::Plain }, state, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_wide_terminal_shows_everything() {
        insta::assert_snapshot!(text(Width::Columns(200), StateColumn::Shown, &[]));
    }

    #[test]
    fn a_narrow_terminal_shows_the_way() {
        insta::assert_snapshot!(text(Width::Columns(80), StateColumn::Hidden, &[]));
    }

    #[test]
    fn piped_lines_are_complete() {
        let text = text(Width::Unlimited, StateColumn::Hidden, &[]);
        let line = text.lines().find(|line| line.contains("veth3c4d")).unwrap();
        assert!(line.starts_with("web "), "{line}");
    }

    #[test]
    fn an_ended_container_shows_its_networks() {
        let mut topology = fixture::topology();
        let membership = |network: &str| crate::model::Membership {
            network: network.to_owned(),
            bridge: None,
            addresses: Vec::new(),
            mac: None,
            aliases: Vec::new(),
        };
        topology.containers[1].networks = vec![membership("shop_app"), membership("bridge")];
        let cells = rows(&topology, fixture::container(&topology, "db"), Width::Unlimited).concat();
        assert_eq!(cells[4], "shop_app, bridge");
    }

    #[test]
    fn a_bridge_lists_its_ports_with_the_containers_behind() {
        insta::assert_snapshot!(text(Width::Columns(120), StateColumn::Hidden, &["docker0", "veth3c4d"]));
    }
}
