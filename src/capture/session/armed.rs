//! A tap in the capture loop.

use std::time::Instant;

use crate::capture::{OpenTap, sink::TapTotals};

use super::now_ns;

/// A tap that is listened to.
pub(super) struct Armed {
    pub(super) tap: OpenTap,
    pub(super) totals: TapTotals,
    /// Set once no further frame is let in: when the last one must have come.
    pub(super) last_call: Option<Instant>,
    /// Its interface was seen to go down; the kernel does not tell when it goes away after that.
    pub(super) went_down: bool,
}

/// The taps that live, with their numbers.
pub(super) fn numbered(taps: &mut [Option<Armed>]) -> impl Iterator<Item = (usize, &mut Armed)> {
    taps.iter_mut().enumerate().filter_map(|(number, armed)| Some((number, armed.as_mut()?)))
}

impl Armed {
    /// What was counted so far.
    pub(super) fn count(&mut self) -> TapTotals {
        let counters = self.tap.source.counters();
        self.totals.passed = counters.passed;
        self.totals.lost = counters.lost;
        self.totals.end_ns = now_ns();
        self.totals
    }
}
