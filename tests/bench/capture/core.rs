//! The two cores of a measurement: one sends, on the other the program under test runs.

use anyhow::{Result, ensure};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    unistd::Pid,
};

/// A core, by its number in the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Core(usize);

impl Core {
    /// The last two that we may use: interrupts tend to go to the first.
    pub(crate) fn pair() -> Result<[Self; 2]> {
        let allowed = sched_getaffinity(Pid::from_raw(0))?;
        let usable: Vec<_> =
            (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or(false)).map(Self).collect();
        ensure!(usable.len() >= 2, "a measurement takes two cores: one sends, on the other the program runs");
        Ok([usable[usable.len() - 2], usable[usable.len() - 1]])
    }

    /// Its number.
    pub(crate) fn number(self) -> usize {
        self.0
    }

    /// Keeps the calling thread on it, and what it starts.
    pub(crate) fn pin(self) -> Result<()> {
        let mut set = CpuSet::new();
        set.set(self.0)?;
        Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
    }
}
