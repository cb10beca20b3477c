//! The loads that programs are compared under, a file for each kind.

mod cpu;

use anyhow::Result;

use crate::{measure::Bench, outcome::Outcome, plan::Plan, tournament::Dice};

/// A named load.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&mut Stage<'_>) -> Result<Outcome>,
}

/// What a scenario plays on.
pub(crate) struct Stage<'a> {
    pub(crate) bench: &'a Bench,
    pub(crate) plan: &'a Plan,
    pub(crate) dice: &'a mut Dice,
}

/// All of them, in the order they run.
pub(crate) const ALL: &[Scenario] = &[
    Scenario { name: "cpu-64", run: cpu::small },
    Scenario { name: "cpu-512", run: cpu::middle },
    Scenario { name: "cpu-1514", run: cpu::full },
    Scenario { name: "cpu-64k", run: cpu::super_packets },
    Scenario { name: "cpu-64k-s128", run: cpu::super_packets_cut },
];
