//! Why a connection to a container does not work: facts in, findings out.
//!
//! `facts` is what was seen, `walk` leads a packet through it, `diagnose` chooses the connections to look at and judges
//! what came out. All that is pure. `gather` fills the facts and `probe` sends the few packets that settle a doubt.

mod facts;
mod finding;
mod firewall;
mod packet;
mod routing;
mod walk;

pub use facts::{Detail, Facts, Holder, Listener, Names, Space};
pub use finding::{Certainty, Code, Diagnosis, Finding, Hop};
