//! What one measurement comes to.

use std::time::Duration;

use serde::Serialize;

/// One set-up and one teardown of one contender.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sample {
    pub(crate) contender: String,
    pub(crate) set_up: Duration,
    /// Nothing where it was not measured by itself.
    pub(crate) teardown: Duration,
    /// Of all processes that stay while the sandbox is up.
    pub(crate) memory_mib: f64,
    pub(crate) processes: usize,
}

impl Sample {
    /// One with nothing measured yet.
    pub(crate) fn of(contender: String) -> Self {
        Self { contender, set_up: Duration::ZERO, teardown: Duration::ZERO, memory_mib: 0.0, processes: 0 }
    }
}
