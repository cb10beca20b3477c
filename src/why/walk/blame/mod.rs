//! Stops put into words: which fault a stop on the way is, its evidence, and the command that repairs it. Pure.

mod links;
mod neighbours;
mod routes;
mod rules;

use crate::model::NamespaceId;
use crate::why::facts::{Facts, Space};
use crate::why::finding::{Certainty, Code, Finding};

pub(super) use links::{
    bridge_down, isolated, link_down, macvlan_host, no_far_end, no_hairpin, no_loopback, not_a_port,
    port_blocked, queue_drops,
};
pub(super) use neighbours::{misled, neighbour_wrong, nobody_has, twice, twin_mac};
pub(super) use routes::{
    diverted, foreign_answer, loopback_from_outside, loopback_to_outside, no_way, not_forwarding,
    reverse_path,
};
pub(super) use rules::rule;

/// A namespace that could not be looked at: nothing can be said about what lies behind it.
pub(super) fn unknown_space(name: &str) -> Finding {
    let sentence = format!("the way leads into {name}, of which nothing could be seen");
    Finding { certainty: Certainty::Likely, ..Finding::new(Code::LostOnTheWay, sentence) }
}

/// The same places again and again.
pub(super) fn in_circles() -> Finding {
    let sentence = "the routes and translations send the packet in circles";
    Finding { certainty: Certainty::Likely, ..Finding::new(Code::LostOnTheWay, sentence) }
}

/// What stands before a command so that it runs in that namespace.
pub(super) fn inside(facts: &Facts, namespace: NamespaceId) -> String {
    let Some(container) = facts.resident(namespace) else { return String::new() };
    match (container.pid, container.namespace_paths.first()) {
        (Some(pid), _) => format!("nsenter -t {pid} -n "),
        (None, Some(path)) => format!("nsenter --net={path} "),
        (None, None) => String::new(),
    }
}

/// Whether a namespace is the host's.
pub(super) fn is_host(facts: &Facts, space: &Space) -> bool {
    facts.topology.host == Some(space.id)
}
