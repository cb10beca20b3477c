//! What the live tests stand on: guards for containers, networks and namespaces, the capture under test, and oracles.
//!
//! Every guard undoes what it made when it is dropped, and the last test to leave compares the host with what the
//! first one found.

mod blocks;
mod brake;
mod capture;
mod cgroup;
mod command;
mod container;
mod engine;
mod host;
mod kernel;
mod namespace;
mod oracle;
mod requirement;
mod sshd;
mod traffic;
mod truth;

pub(crate) use blocks::{Account, accounts, accounts_in, keys_in, statistics};
pub(crate) use brake::{Brake, SlowDisk};
pub(crate) use capture::{Capture, Ended, has_written, pcapsule, until_written};
pub(crate) use cgroup::{Cgroup, hierarchy};
pub(crate) use command::{checked, eventually, run, within};
pub(crate) use container::{Container, Recipe};
pub(crate) use engine::{Engine, inspect};
pub(crate) use host::{Host, unique};
pub(crate) use kernel::{held_in_kernel, is_there};
pub(crate) use namespace::{Cable, Namespace, Outpost};
pub(crate) use oracle::{at, capinfos, frames, hex, rows, rows_of_torn};
pub(crate) use requirement::Requirement;
pub(crate) use sshd::Sshd;
pub(crate) use traffic::{BEGIN, Conversation, END};
pub(crate) use truth::Truth;
