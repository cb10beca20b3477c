//! Container engines, asked over their sockets: Docker Engine and Podman, local or over TCP.
//!
//! Thin and forgiving on purpose: three small GETs give the list, a field of an unexpected kind loses only itself,
//! and no engine can cost more time than the caller grants. Nothing is ever changed in an engine.
//!
//! - `location` finds the sockets, `address` is one of them, `client` speaks HTTP/1 over it;
//! - `fields` reads JSON leniently; `docker`, `podman` and `networks` turn answers into facts, `inspection` one container;
//! - `event` is what an engine tells of its own accord, `listener` keeps listening to it;
//! - `survey` asks one engine, `engines` all of them at once.

mod address;
mod client;
mod docker;
mod engines;
mod error;
mod event;
mod fields;
mod inspection;
mod listener;
mod location;
mod networks;
mod podman;
mod survey;

pub use address::{Address, UnusableAddress};
pub use engines::{Answers, Engines, PATIENCE};
pub use error::Error;
pub use event::{EngineEvent, EventKind};
pub use inspection::Inspection;
pub use listener::{Events, Notice};
