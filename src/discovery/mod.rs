//! Who is connected to what: engines and the engine-less scan gather facts, `topology` joins them.
//!
//! `engine` asks Docker and Podman, `facts` is what was seen, `topology` the pure join of it; nothing here prints or
//! captures.

pub mod engine;
mod facts;
mod topology;

pub use facts::{EngineContainer, EngineNetwork, Facts, NamespaceFacts, ProcessFacts, RequestedMode};
pub use topology::Topology;
