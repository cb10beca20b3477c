//! Why a connection to a container does not work: facts in, findings out.
//!
//! `facts` is what was seen, `walk` leads a packet through it, `diagnose` chooses the connections to look at and judges
//! what came out. All that is pure. `gather` fills the facts and `probe` sends the few packets that settle a doubt.

mod diagnose;
pub mod facts;
mod finding;
pub mod firewall;
mod gather;
pub mod names;
pub mod packet;
mod probe;
mod question;
pub mod routing;
pub mod walk;

pub use diagnose::{Examination, Tried, diagnose, settle, worth_a_probe};
pub use facts::{Detail, Facts, Holder, Listener, Names, Space};
pub use finding::{Certainty, Code, Diagnosis, Finding, Hop};
pub use gather::Ground;
pub use names::servers;
pub use probe::{ProbeOutcome, Probed, Seen, lookup, probe};
pub use question::{Lookup, LookupAnswer, Origin, Question, Target};
pub use walk::{Asked, Connection, Start};

#[cfg(test)]
mod tests;
