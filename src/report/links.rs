//! Interfaces of the host as a table: the container behind each; below a bridge, its ports.

use std::io;

use crate::discovery::Topology;
use crate::model::{Link, LinkKind};

use super::grid::{Grid, Layout, Step};
use super::{ends, table};

const HEADINGS: [&str; 7] = ["INTERFACE", "KIND", "STATE", "MTU", "ADDRESS", "BRIDGE", "CONTAINER"];

const STEPS: [Step; 4] = [Step::Drop("MTU"), Step::Drop("KIND"), Step::Drop("STATE"), Step::Drop("ADDRESS")];

/// Writes a line for each link, and below a bridge an indented one for each port.
pub(super) fn write(
    topology: &Topology,
    links: &[&Link],
    layout: Layout,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let mut grid = Grid::new(&HEADINGS);
    for link in links {
        grid.push(row(topology, link, ""));
        if link.kind == LinkKind::Bridge {
            for port in ends::ports(topology, link.index) {
                grid.push(row(topology, port, "  "));
            }
        }
    }
    grid.write(layout, &STEPS, out)
}

fn row(topology: &Topology, link: &Link, indent: &str) -> Vec<String> {
    let bridge = link.master.and_then(|master| topology.host_link(master));
    let behind = ends::behind(topology, link.index)
        .map(|(container, endpoint)| format!("{}/{}", container.name, endpoint.link.name));
    vec![
        format!("{indent}{}", link.name),
        link.kind.to_string(),
        state(link).to_owned(),
        link.mtu.to_string(),
        table::addresses(link),
        bridge.map(|bridge| bridge.name.to_string()).unwrap_or_default(),
        behind.unwrap_or_default(),
    ]
}

/// In the words of `ip link`: administratively down, or up with or without a carrier.
pub(super) fn state(link: &Link) -> &'static str {
    match (link.up, link.carrier) {
        (false, _) => "down",
        (true, false) => "no-carrier",
        (true, true) => "up",
    }
}
