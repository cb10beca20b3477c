//! The few packets that settle a doubt: questions to name servers, first packets of connections, and taps along the way that
//! say how far they got.

mod lookup;
mod segment;
mod syn;
mod taps;

pub use lookup::lookup;
pub use syn::probe;

use crate::model::{LinkIndex, NamespaceId};

use super::walk::Asked;

/// What became of the first packet of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// What came back.
    pub outcome: ProbeOutcome,
    /// What taps saw of it, in the order of the links; empty where none were set.
    pub seen: Vec<Seen>,
    /// Neighbours along the way that do not say what their hardware addresses are, as far as that was looked at.
    pub unanswered: Vec<Asked>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// Somebody accepts.
    Accepted,
    /// Somebody refuses.
    Refused,
    /// Nothing.
    Silence,
    /// It could not be sent, and why.
    Unsent(String),
}

/// What a tap saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// In that namespace.
    pub namespace: NamespaceId,
    /// At that link.
    pub link: LinkIndex,
    /// Whether the packet passed.
    pub there: bool,
    /// Whether an answer passed.
    pub back: bool,
}
