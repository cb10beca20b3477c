//! What a run says: for each path its median with an interval, its ratio to host mode formed round by round, what it costs
//! of the processor, and what speaks against believing it. Pure.

use serde::Serialize;

use super::doubt;
use super::explain::{self, Waterfall};
use super::outcome::{CellOutcome, Outcome, PathOutcome, Sample, seconds};
use super::path::Path;
use super::scenario::{Placement, Test};
use super::stats::{Interval, Verdict, estimate, paired_ratios, ratio_of_sums, verdict};
use super::times::{Percentiles, Times};

/// What a run says.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Summary {
    pub comparisons: Vec<Comparison>,
    /// What each thing costs, where that was asked for.
    pub waterfalls: Vec<Waterfall>,
    /// Sentences: what speaks against the figures, and what to do about it.
    pub doubts: Vec<String>,
}

/// One path in one cell.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Comparison {
    pub test: Test,
    pub placement: Placement,
    pub path: Path,
    /// Bit/s, operations or datagrams a second, or ns.
    pub value: Interval,
    /// To `host` in the same round; none for `host` itself.
    pub ratio: Option<Interval>,
    pub verdict: Option<Verdict>,
    pub cpu: Option<Cost>,
    pub percentiles: Option<Percentiles>,
    /// Share of datagrams that did not arrive.
    pub loss: Option<Interval>,
    /// Datagrams that arrived behind a later one, in all rounds.
    pub reordered: Option<u64>,
    /// How unevenly they arrived, in ns.
    pub jitter: Option<Interval>,
    /// Of the times of round trips in ns: at least the share in front took no longer.
    pub distribution: Vec<(f64, u64)>,
    /// Segments sent again in all rounds.
    pub retransmissions: Option<u64>,
}

/// Seconds on cores for 10⁹ bytes of a stream, 100,000 requests, or a million datagrams, round by round.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Cost {
    /// Of both ends and the proxy.
    pub total: Interval,
    pub client: Interval,
    pub server: Interval,
    pub proxy: Interval,
    /// Of the whole machine and of all rounds together, as its clock is coarse. Most kernels charge it to who is interrupted,
    /// so that most of it is in the total.
    pub softirq: Interval,
}

/// Computes it.
pub fn summarize(outcome: &Outcome) -> Summary {
    let mut doubts = Vec::new();
    let mut comparisons = Vec::new();
    for cell in &outcome.cells {
        let found = compare(cell);
        doubts.extend(doubt::of_cell(cell, &found, &|path| outcome.name(path)));
        comparisons.extend(found);
    }
    doubts.extend(doubt::of_run(outcome));
    Summary { comparisons, waterfalls: explain::explain(outcome), doubts }
}

fn compare(cell: &CellOutcome) -> Vec<Comparison> {
    let base = cell.values(Path::Host);
    let ratio_of = |path: Path| estimate(&paired_ratios(&cell.values(path), &base));
    let control = ratio_of(Path::Control);
    let one = |path: &PathOutcome| {
        let value = estimate(&cell.values(path.path).into_iter().flatten().collect::<Vec<_>>())?;
        let ratio = (path.path != Path::Host).then(|| ratio_of(path.path)).flatten();
        let is_compared = !matches!(path.path, Path::Host | Path::Control);
        let verdict = ratio.filter(|_| is_compared).map(|ratio| verdict(ratio, control));
        Some(Comparison {
            test: cell.test,
            placement: cell.placement,
            path: path.path,
            value,
            ratio,
            verdict,
            cpu: cost(cell.test, path),
            percentiles: path.times.as_ref().map(Times::percentiles),
            loss: of_rounds(path, Sample::loss),
            reordered: path.taken().map(|sample| sample.reordered).sum(),
            jitter: of_rounds(path, Sample::jitter),
            distribution: path.times.as_ref().map(Times::distribution).unwrap_or_default(),
            retransmissions: path.taken().map(|sample| sample.retransmissions).sum(),
        })
    };
    cell.paths.iter().filter_map(one).collect()
}

/// Of what there is of it in the rounds.
fn of_rounds(path: &PathOutcome, figure: impl Fn(&Sample) -> Option<f64>) -> Option<Interval> {
    estimate(&path.taken().filter_map(figure).collect::<Vec<_>>())
}

fn cost(test: Test, path: &PathOutcome) -> Option<Cost> {
    let each = |spent: fn(&Sample) -> u64| of_rounds(path, |sample| sample.cost(test, spent(sample)));
    let softirq = |sample: &Sample| Some((seconds(sample.softirq_ns), sample.work(test)?));
    Some(Cost {
        total: each(Sample::cpu_ns)?,
        client: each(|sample| sample.client_cpu_ns)?,
        server: each(|sample| sample.server_cpu_ns)?,
        proxy: each(|sample| sample.proxy_cpu_ns)?,
        softirq: ratio_of_sums(&path.taken().filter_map(softirq).collect::<Vec<_>>(), SOFTIRQ_STEP)?,
    })
}

/// What /proc/stat is exact to, in seconds.
const SOFTIRQ_STEP: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: Path, values: &[f64]) -> PathOutcome {
        let sample = |value: &f64| Sample {
            value: *value,
            bytes: 500_000_000,
            client_cpu_ns: 100_000_000,
            server_cpu_ns: 50_000_000,
            proxy_cpu_ns: 25_000_000,
            retransmissions: Some(2),
            lost: Some(1),
            reordered: Some(3),
            jitter_ns: Some(40),
            operations: 3,
            ..Sample::default()
        };
        PathOutcome {
            path,
            samples: values.iter().map(|value| Some(sample(value))).collect(),
            failure: None,
            times: None,
        }
    }

    fn cell(bridge: &[f64]) -> CellOutcome {
        let host: Vec<f64> = (0..20).map(|round| 10.0 + f64::from(round % 4)).collect();
        let paths = vec![path(Path::Host, &host), path(Path::Control, &host), path(Path::Bridge, bridge)];
        CellOutcome { test: Test::Tcp, placement: Placement::Two, elapsed_ns: 0, others_ns: None, paths }
    }

    #[test]
    fn a_path_is_compared_with_host_of_the_same_round() {
        // Seven tenths of host in each round, though host itself moves about by a third.
        let bridge: Vec<f64> = (0..20).map(|round| 0.7 * (10.0 + f64::from(round % 4))).collect();
        let found = compare(&cell(&bridge));
        let ratio = found[2].ratio.unwrap();
        assert!((ratio.median - 0.7).abs() < 1e-9 && ratio.high - ratio.low < 1e-9, "{ratio:?}");
        assert_eq!(found[2].verdict, Some(Verdict::Lower));
        assert_eq!((found[0].ratio, found[1].verdict), (None, None));
    }

    /// Nothing came back in those turns: that is not faster than anything.
    #[test]
    fn a_turn_without_an_answer_is_no_time() {
        let mut cell = cell(&[20.0; 20]);
        cell.test = Test::Latency;
        for sample in cell.paths[2].samples.iter_mut().take(12).flatten() {
            sample.value = 0.0;
        }
        let found = &compare(&cell)[2];
        assert_eq!((found.value.count, found.ratio.unwrap().count), (8, 8));
        assert_eq!(found.verdict, Some(Verdict::Higher));
        // Of a rate it is one: nothing.
        cell.test = Test::Connect;
        assert_eq!(compare(&cell)[2].value.count, 20);
    }

    #[test]
    fn every_figure_has_an_interval() {
        let mut cell = cell(&[1.0; 20]);
        // Ten rounds take twice the time of the others, and lose three of four instead of one of four.
        for sample in cell.paths[2].samples.iter_mut().step_by(2).flatten() {
            sample.client_cpu_ns *= 2;
            sample.lost = Some(9);
        }
        let found = &compare(&cell)[2];
        let cost = found.cpu.unwrap();
        let bounds = |Interval { low, median, high, .. }| format!("{low:.2} {median:.2} {high:.2}");
        assert_eq!(bounds(cost.client), "0.20 0.30 0.40");
        assert_eq!(bounds(cost.total), "0.35 0.45 0.55");
        assert_eq!(bounds(cost.proxy), "0.05 0.05 0.05");
        assert_eq!(bounds(found.loss.unwrap()), "0.25 0.50 0.75");
        assert_eq!((found.reordered, found.jitter.map(|jitter| jitter.count)), (Some(60), Some(20)));
        assert_eq!((found.retransmissions, cost.total.count), (Some(40), 20));
    }

    /// As close to each other as they may be: the clock shows hundredths.
    #[test]
    fn softirq_is_no_finer_than_its_clock() {
        let mut cell = cell(&[1.0; 16]);
        for sample in cell.paths[2].samples.iter_mut().flatten() {
            sample.softirq_ns = 30_000_000;
        }
        let softirq = compare(&cell)[2].cpu.unwrap().softirq;
        let near = |found: f64, expected: f64| (found - expected).abs() < 1e-9;
        assert!(
            near(softirq.median, 0.06) && near(softirq.low, 0.055) && near(softirq.high, 0.065),
            "{softirq:?}"
        );
    }
}
