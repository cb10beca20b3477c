//! What the kernel says of links, addresses, routes and neighbours, over rtnetlink and in our own words.
//!
//! Reads and listens only; `plumbing` changes things.

mod bridge_ports;
mod changes;
mod hooks;
mod links;
mod rules;
mod socket;
mod tables;

pub(super) use links::{decode_address, decode_link};
pub(super) use tables::decode_route;

pub use bridge_ports::{BridgePort, PortState};
pub use changes::{Change, Changes};
pub use hooks::{HookKind, LinkHook};
pub use rules::{RoutingRule, RuleOutcome};
pub use socket::{Error, Netlink, Query};
pub use tables::{ForwardingEntry, ForwardingOrigin, Neighbour, NeighbourState, NextHop, Route, RouteKind};
