//! How a capture ended, and what each tap saw.

use std::io;

use crate::capture::{SinkError, TapTotals};

/// Why it ended.
#[derive(Debug)]
pub enum StopReason {
    /// It was asked to.
    Asked,
    /// The packet limit.
    Packets,
    /// The time limit.
    Duration,
    /// The last tap ended.
    TapsEnded,
    /// The sink takes no more.
    Sink(SinkError),
    /// The kernel refused to wait for the taps.
    Wait(io::Error),
}

/// How it ended.
#[derive(Debug)]
pub struct Outcome {
    /// Why.
    pub reason: StopReason,
    /// What each tap saw, in the order they were armed.
    pub taps: Vec<TapOutcome>,
    /// What went wrong while the output was being closed, apart from the reason.
    pub closing: Option<SinkError>,
    /// How many of the delivered frames the sink took and could not write.
    pub unwritten: u64,
}

/// What one tap saw.
#[derive(Debug, Clone)]
pub struct TapOutcome {
    /// Its name.
    pub name: String,
    /// Its counts.
    pub totals: TapTotals,
    /// The kernel's room for frames that waited (bytes).
    pub buffer_bytes: usize,
}
