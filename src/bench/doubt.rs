//! What speaks against believing a run: what failed, stood still or drifted, who else was at work, and circumstances that
//! others do not have. Sentences, each with what to do about it. Pure.

use super::outcome::{CellOutcome, Outcome, PathOutcome, Sample};
use super::path::Path;
use super::scenario::Placement;
use super::stats::{FEWEST_ROUNDS, Interval, drift};
use super::summary::Comparison;

/// What is odd in one cell.
pub(super) fn of_cell(
    cell: &CellOutcome,
    comparisons: &[Comparison],
    name_of: &dyn Fn(Path) -> String,
) -> Vec<String> {
    let (test, placement) = (cell.test, cell.placement);
    let mut doubts = Vec::new();
    for path in &cell.paths {
        let name = name_of(path.path);
        if let Some(failure) = &path.failure {
            // What nobody answers, somebody has dropped: a refusal would have come at once.
            let is_dropped = path.path.is_of_visit() && failure.ends_with("timed out");
            let is_held = path.path == Path::ToPublished && failure.contains("Address already in use");
            let hint = if is_dropped {
                "; a firewall, or the engine that keeps its networks apart, drops it"
            } else if is_held {
                "; its service holds the port: measure another container of the kind, with a command that only sleeps"
            } else {
                ""
            };
            doubts.push(format!("{test} ({placement}): {name} has failed: {failure}{hint}"));
        }
        let taken: Vec<f64> = path.taken().map(|sample| sample.value).collect();
        if let Some(found) = drift(&taken) {
            let percent = (found.0 - 1.0) * 100.0;
            doubts.push(format!(
                "{test} ({placement}): {name} drifted by {percent:+.0} % while it was measured; something else began or ended: run it again"
            ));
        }
        let stalls = taken.iter().filter(|value| **value <= 0.0).count();
        if stalls > 0 {
            doubts.push(format!(
                "{test} ({placement}): {name} stood still in {stalls} of {} turns",
                taken.len()
            ));
        }
    }
    let control = comparisons.iter().find(|comparison| comparison.path == Path::Control);
    let strays = |ratio: &Interval| ratio.count >= FEWEST_ROUNDS && !ratio.contains(1.0);
    if let Some(ratio) = control.and_then(|control| control.ratio).filter(strays) {
        doubts.push(format!(
            "{test} ({placement}): host differs from itself, {:.2} ({:.2} to {:.2}); no smaller difference is called one: a longer --duration helps",
            ratio.median, ratio.low, ratio.high
        ));
    }
    doubts
}

/// More than this share of a core is worth a word.
const FOREIGN: f64 = 0.15;
const STEAL: f64 = 0.02;

/// What is odd about all of it: others, and circumstances.
pub(super) fn of_run(outcome: &Outcome) -> Vec<String> {
    let mut doubts = neighbours(&outcome.cells, outcome.environment.softirq_apart == Some(true));
    doubts.extend(circumstances(outcome));
    doubts
}

/// What others did meanwhile. Where their processes cannot be seen, it is what the machine was busy with besides the ends and
/// the proxy: something of it is the machine's own way into sleep and out of it. Softirq is mostly the work of the ends'
/// packets; they are charged with it unless the kernel keeps it apart.
fn neighbours(cells: &[CellOutcome], softirq_apart: bool) -> Vec<String> {
    let samples = || cells.iter().flat_map(|cell| &cell.paths).flat_map(PathOutcome::taken);
    let sum = |of: fn(&Sample) -> u64| samples().map(of).sum::<u64>();
    let elapsed = sum(|sample| sample.elapsed_ns);
    let seen: Option<u64> = cells.iter().map(|cell| cell.others_ns).sum();
    let unseen = || {
        let own = sum(Sample::cpu_ns) + if softirq_apart { sum(|sample| sample.softirq_ns) } else { 0 };
        share(sum(|sample| sample.busy_ns).saturating_sub(own), elapsed)
    };
    let foreign =
        seen.map_or_else(unseen, |others| share(others, cells.iter().map(|cell| cell.elapsed_ns).sum()));
    let steal = share(sum(|sample| sample.steal_ns), elapsed);
    let mut doubts = Vec::new();
    if foreign > FOREIGN {
        doubts.push(format!(
            "others used {:.0} % of a core while this was measured; ratios hold better than figures: stop them for both",
            foreign * 100.0
        ));
    }
    if steal > STEAL {
        doubts.push(format!(
            "the hypervisor took {:.1} % of a core away; measure at another time",
            steal * 100.0
        ));
    }
    doubts
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// What the figures are of, where that is not what most people have.
fn circumstances(outcome: &Outcome) -> Vec<String> {
    let environment = &outcome.environment;
    let mut doubts = Vec::new();
    if outcome.scenario.rounds < FEWEST_ROUNDS {
        doubts.push(format!(
            "fewer than {FEWEST_ROUNDS} rounds say nothing of spread: no difference is called one"
        ));
    }
    if environment.cores.len() < 2 {
        doubts.push("there is one core: both ends share it, whatever is asked for".to_owned());
    }
    if environment.is_one_core && outcome.cells.iter().any(|cell| cell.placement == Placement::Two) {
        doubts.push("both ends' cores are threads of one core, and slow each other".to_owned());
    }
    if let Some(name) = environment.congestion_control.as_deref().filter(|name| *name != "cubic")
        && outcome.cells.iter().any(|cell| cell.test.is_stream())
    {
        doubts.push(format!(
            "TCP's congestion control is {name}, by which streams on one host may be slower than by cubic; --congestion cubic compares"
        ));
    }
    if environment.softirq_apart == Some(true) {
        doubts.push(
            "this kernel keeps softirq apart from the threads it interrupts: CPU is without it, and SOFTIRQ has it"
                .to_owned(),
        );
    }
    if let Some(governor) = environment.governor.as_deref().filter(|governor| *governor != "performance") {
        doubts.push(format!(
            "the cores' frequency governor is {governor}; 'performance' gives steadier figures"
        ));
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::scenario::Test;

    fn path(path: Path, values: &[f64]) -> PathOutcome {
        let samples =
            values.iter().map(|value| Some(Sample { value: *value, ..Sample::default() })).collect();
        PathOutcome { path, samples, failure: None, times: None }
    }

    fn cell(bridge: &[f64]) -> CellOutcome {
        let paths = vec![path(Path::Host, &[10.0; 20]), path(Path::Bridge, bridge)];
        CellOutcome { test: Test::Tcp, placement: Placement::Two, elapsed_ns: 0, others_ns: None, paths }
    }

    #[test]
    fn a_drift_a_stall_and_a_failure_are_told() {
        let mut values = [10.0; 20];
        values[..10].fill(30.0);
        values[19] = 0.0;
        let mut cell = cell(&values);
        cell.paths[1].failure = Some("it broke".to_owned());
        let doubts = of_cell(&cell, &[], &|path| path.to_string()).join("\n");
        for word in ["bridge has failed: it broke", "bridge drifted by -67 %", "stood still in 1 of 20 turns"]
        {
            assert!(doubts.contains(word), "{doubts}");
        }
        assert_eq!(doubts.lines().count(), 3);
    }

    #[test]
    fn what_nobody_answers_is_said_to_be_dropped() {
        let mut cell = cell(&[10.0; 20]);
        let mut lost = path(Path::ToContainer, &[]);
        lost.failure = Some("connecting to 172.18.0.2:80 on the path to-container: timed out".to_owned());
        cell.paths.push(lost);
        let doubts = of_cell(&cell, &[], &|path| format!("<{path}>")).join("\n");
        assert!(doubts.contains("<to-container> has failed") && doubts.contains("drops it"), "{doubts}");
    }

    #[test]
    fn what_other_processes_took_is_believed_first() {
        let cell = |others_ms: u64| CellOutcome {
            elapsed_ns: 1_000_000_000,
            others_ns: Some(others_ms * 1_000_000),
            ..cell(&[10.0; 20])
        };
        assert_eq!(neighbours(&[cell(100), cell(180)], false), [""; 0]);
        let told = neighbours(&[cell(100), cell(600)], false);
        assert!(told[0].starts_with("others used 35 % of a core"), "{told:?}");
    }

    /// 30 ms of each 100 are somebody else's, and 40 are in softirq: of the ends, who are charged with it by most kernels.
    #[test]
    fn softirq_is_taken_for_nobody_elses_by_either_kernel() {
        let share = |charged_ms: u64, busy_ms: u64, softirq_apart| {
            let mut cell = cell(&[10.0; 20]);
            for sample in cell.paths.iter_mut().flat_map(|path| &mut path.samples).flatten() {
                *sample = Sample {
                    client_cpu_ns: charged_ms * 1_000_000,
                    softirq_ns: 40_000_000,
                    busy_ns: busy_ms * 1_000_000,
                    elapsed_ns: 100_000_000,
                    ..Sample::default()
                };
            }
            neighbours(&[cell], softirq_apart)
        };
        for (charged, softirq_apart) in [(90, false), (50, true)] {
            let told = share(charged, 120, softirq_apart);
            assert!(told[0].starts_with("others used 30 % of a core"), "{told:?}");
            assert_eq!(share(charged, 95, softirq_apart), [""; 0]);
        }
    }
}
