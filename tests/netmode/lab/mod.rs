//! What the tests of the network modes stand on: machines of their own, a look at all that could be changed, servers and
//! clients, and the program under test.

#[path = "../../live/lab/command.rs"]
mod command;
mod docker;
mod host;
mod place;
mod requirement;
mod sandbox;
mod snapshot;
mod wire;

pub(crate) use command::{checked, eventually, run, within};
pub(crate) use host::{Host, Like};
pub(crate) use place::{Place, inside};
pub(crate) use requirement::{Requirement, hierarchy};
pub(crate) use sandbox::{Running, Sandbox, said};
pub(crate) use snapshot::Snapshot;
pub(crate) use wire::{Server, Tcp, Transport, Udp, ask, client, datagram, is_silent};
