//! Who is connected to what: engines and the engine-less scan gather facts, `topology` joins them.
//!
//! `facts` is what was seen, `topology` the pure join of it; nothing here prints or captures.

mod facts;
mod runtime;
mod scan;
mod topology;

pub use facts::{EngineContainer, EngineNetwork, Facts, NamespaceFacts, ProcessFacts, RequestedMode};
pub use runtime::Origin;
pub use scan::{Error, Scan, scan};
pub use topology::Topology;
