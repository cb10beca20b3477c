//! Who is connected to what: engines and the engine-less scan gather facts, `topology` joins them.
//!
//! `engine` asks Docker and Podman, `facts` is what was seen, `topology` the pure join of it; nothing here prints or
//! captures.

pub mod engine;
mod facts;
mod names;
mod runtime;
mod scan;
mod topology;
mod watch;

pub use facts::{EngineContainer, EngineNetwork, Facts, NamespaceFacts, ProcessFacts, RequestedMode};
pub use names::names;
pub use runtime::Origin;
pub use scan::{Error, Scan, scan, scan_residents};
pub use topology::Topology;
pub use watch::{Occurrence, Watch};
