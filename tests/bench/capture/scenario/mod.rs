//! The loads that programs are compared under, a file for each kind.

mod burst;
mod cpu;
mod ladder;
mod rate;
mod read;
mod slowdown;
mod taps;

use anyhow::Result;

use crate::{
    measure::{Bench, Sample},
    outcome::{Outcome, Series},
    plan::Plan,
    tournament::Dice,
};

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
    Scenario { name: "rate-64", run: rate::small },
    Scenario { name: "rate-512", run: rate::middle },
    Scenario { name: "rate-1514", run: rate::full },
    Scenario { name: "burst-64", run: burst::small },
    Scenario { name: "burst-1514", run: burst::full },
    Scenario { name: "taps-50", run: taps::busy },
    Scenario { name: "taps-200-idle", run: taps::idle },
    Scenario { name: "tcp-slowdown", run: slowdown::run },
    Scenario { name: "read", run: read::run },
];

/// What else is worth knowing of a contender's measurements.
fn in_passing(samples: &[Sample]) -> String {
    #[expect(clippy::cast_precision_loss, reason = "counts stay below 2^52")]
    let median =
        |of: fn(&Sample) -> u64| samples.iter().map(|sample| of(sample) as f64).collect::<Series>().median();
    let switches = median(|sample| sample.context_switches);
    let memory = samples.iter().map(Sample::peak_memory_mib).collect::<Series>().median();
    let ending = median(|sample| sample.ending_cpu_ns) / 1e6;
    format!("{switches:.0} context switches, {ending:.1} ms to end, {memory:.0} MiB")
}

/// Why one might not trust the figures: packets that are missing, others on these cores.
fn doubts(samples: &[Vec<Sample>]) -> Vec<String> {
    let losses = samples.iter().filter_map(|samples| {
        let incomplete = samples.iter().filter(|sample| !sample.is_complete()).count();
        let missing: u64 = samples.iter().map(|sample| sample.sent.saturating_sub(sample.written)).sum();
        let untold: u64 = samples.iter().map(Sample::untold).sum();
        let (name, rounds) = (&samples.first()?.contender, samples.len());
        (incomplete > 0).then(|| {
            format!("{name} did not write {missing} packets in {incomplete} of {rounds} rounds, {untold} of them untold")
        })
    });
    losses.chain(disturbances(samples)).collect()
}

/// Where others were busy on the cores of the measurement.
fn disturbances(samples: &[Vec<Sample>]) -> Vec<String> {
    let of_one = |samples: &Vec<Sample>| {
        let disturbed = samples.iter().filter(|sample| sample.is_disturbed()).count();
        let (name, rounds) = (&samples.first()?.contender, samples.len());
        (disturbed > 0)
            .then(|| format!("{name}: others were busy on these cores in {disturbed} of {rounds} rounds"))
    };
    samples.iter().filter_map(of_one).collect()
}
