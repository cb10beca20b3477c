//! pcapsule: a network debugging companion for containers.
//!
//! The rooms, in reading order (lowest first; a room imports only from lower levels, held by `tests/it/layering.rs`):
//!
//! - [`model`]: the nouns all rooms share. No I/O.
//! - [`packet`]: bytes to layers, flow key and a one-line summary. Pure.
//! - [`savefile`]: pcap and pcapng, written and read.
//! - [`sys`]: the kernel seam, and the only room with `unsafe`: netlink, namespaces, the packet ring, filters.
//! - [`discovery`]: engines, and the engine-less scan, joined into container ↔ veth ↔ bridge.
//! - [`capture`]: taps, the capture loop, limits, rotation.
//! - [`meter`]: how much each container sends and receives, read from the kernel's counters again and again.
//! - [`netmode`]: sandboxes on a bridge of our own, and the ports they publish.
//! - [`mod@bench`]: what the ways between containers and others cost against host mode, measured side by side.
//! - [`mod@why`]: why a connection to a container does not work, by leading a packet through what is known of the host.
//! - [`report`]: results as tables, text and JSON, into any writer.
//! - [`cli`]: what the user types and sees; the only room that knows stdout and exit codes.

pub mod bench;
pub mod capture;
pub mod cli;
pub mod discovery;
pub mod meter;
pub mod model;
pub mod netmode;
pub mod packet;
pub mod report;
pub mod savefile;
pub mod sys;
pub mod why;
