//! What the kernel says of links, addresses, routes and neighbours, over rtnetlink and in our own words.
//!
//! Reads and listens only; changing anything is somebody else's task.

mod changes;
mod links;
mod socket;
mod tables;

pub use changes::{Change, Changes};
pub use socket::{Error, Netlink, Query};
pub use tables::{ForwardingEntry, ForwardingOrigin, Neighbour, NeighbourState, NextHop, Route, RouteKind};
