//! A container's way to the network, hop by hop: interface ↔ veth ↔ bridge ↔ NAT ↔ uplink.

use crate::discovery::Topology;
use crate::model::{Endpoint, HostSide, Link};

use super::inspect::Inspection;
use super::{ends, table};

/// The hops of one interface, container end first.
pub(super) fn hops(inspection: &Inspection<'_>, endpoint: &Endpoint) -> Vec<String> {
    let topology = inspection.topology;
    let mut hops = vec![interface(&endpoint.link)];
    match &endpoint.host_side {
        HostSide::Unconfirmed { reason } => hops.push(format!("? ({reason})")),
        HostSide::None => return hops,
        HostSide::Parent { .. } => hops.push(ends::far_end(topology, endpoint)),
        HostSide::Pair { bridge, namespace, .. } => {
            hops.push(ends::far_end(topology, endpoint));
            let on_host = topology.host == Some(*namespace);
            hops.extend(
                bridge
                    .as_ref()
                    .map(|name| if on_host { bridge_hop(topology, name.as_str()) } else { name.to_string() }),
            );
            if on_host && leads_outside(inspection, endpoint) {
                hops.extend(nat(inspection));
                hops.extend(inspection.uplink.as_ref().map(|uplink| format!("uplink {uplink}")));
            }
        }
    }
    hops
}

/// On one line where that fits into `width` columns, else a line a hop.
pub(super) fn drawn(hops: &[String], width: Option<u16>) -> String {
    let line = hops.join(" ↔ ");
    match width {
        Some(width) if line.chars().count() > usize::from(width) => hops.join("\n  ↔ "),
        _ => line,
    }
}

fn interface(link: &Link) -> String {
    let addresses = Some(table::addresses(link)).filter(|text| !text.is_empty());
    let facts: Vec<String> = addresses
        .into_iter()
        .chain(link.mac.map(|mac| mac.to_string()))
        .chain([format!("mtu {}", link.mtu)])
        .collect();
    format!("{} ({})", link.name, facts.join(", "))
}

fn bridge_hop(topology: &Topology, name: &str) -> String {
    let addresses = topology.host_links.iter().find(|link| link.name.as_str() == name).map(table::addresses);
    match addresses {
        Some(addresses) if !addresses.is_empty() => format!("{name} ({addresses})"),
        _ => name.to_owned(),
    }
}

/// Engines publish ports, and send what leaves, by the interface that has the default route.
fn leads_outside(inspection: &Inspection<'_>, endpoint: &Endpoint) -> bool {
    inspection.routes.iter().any(|route| route.is_default() && route.device == endpoint.link.name.as_str())
}

fn nat(inspection: &Inspection<'_>) -> Option<String> {
    let ports = super::ports::published(&inspection.container.published);
    (!ports.is_empty()).then(|| format!("NAT {ports}"))
}
