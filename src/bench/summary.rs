//! What a run says: for each path its median with an interval, its ratio to host mode formed round by round, what it costs
//! of the processor, and what speaks against believing it. Pure.

use hdrhistogram::Histogram;
use serde::Serialize;

use super::explain::{self, Waterfall};
use super::outcome::{CellOutcome, Outcome, PathOutcome, Sample};
use super::path::Path;
use super::scenario::{Placement, Test};
use super::stats::{FEWEST_ROUNDS, Interval, Verdict, drift, estimate, paired_ratios, verdict};

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
    /// Seconds on a core for 10⁹ bytes of a stream, 100,000 requests, or a million datagrams.
    pub cpu: Option<Cost>,
    pub percentiles: Option<Percentiles>,
    /// Share of datagrams that did not arrive.
    pub loss: Option<f64>,
    /// Datagrams that arrived behind a later one, in all rounds.
    pub reordered: Option<u64>,
    /// How unevenly they arrived, in ns.
    pub jitter: Option<Interval>,
    /// Of the times of round trips in ns: at least the share in front took no longer.
    pub distribution: Vec<(f64, u64)>,
    /// Segments sent again in all rounds.
    pub retransmissions: Option<u64>,
}

/// Time on cores for an amount of work; that in softirq is, as the kernel accounts for it, in part that of the ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Cost {
    pub client: f64,
    pub server: f64,
    pub proxy: f64,
    pub softirq: f64,
}

impl Cost {
    /// Of both ends and the proxy.
    pub fn total(&self) -> f64 {
        self.client + self.server + self.proxy
    }
}

/// Times of round trips in ns, over all rounds; a percentile that too few are above is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Percentiles {
    pub count: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: Option<u64>,
    pub p999: Option<u64>,
    pub max: u64,
}

/// As many have to be above a percentile.
const FEWEST_ABOVE: f64 = 10.0;

impl Percentiles {
    #[expect(clippy::cast_precision_loss, reason = "a count of samples")]
    fn of(times: &Histogram<u64>) -> Option<Self> {
        let count = times.len();
        let at = |share: f64| {
            (count as f64 * (1.0 - share) >= FEWEST_ABOVE).then(|| times.value_at_quantile(share))
        };
        (count > 0).then(|| Self {
            count,
            p50: times.value_at_quantile(0.5),
            p90: times.value_at_quantile(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: times.max(),
        })
    }
}

/// Nearer and nearer to the slowest: each step halves what is left in a few.
fn distribution(times: &Histogram<u64>) -> Vec<(f64, u64)> {
    const STEPS_A_HALF: u32 = 5;
    let points = times.iter_quantiles(STEPS_A_HALF);
    points.map(|point| (point.quantile(), point.value_iterated_to())).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a time in ns")]
fn jitter(path: &PathOutcome) -> Option<Interval> {
    estimate(&path.taken().filter_map(|sample| Some(sample.jitter_ns? as f64)).collect::<Vec<_>>())
}

/// Computes it.
pub fn summarize(outcome: &Outcome) -> Summary {
    let mut doubts = Vec::new();
    let mut comparisons = Vec::new();
    for cell in &outcome.cells {
        let found = compare(cell);
        doubts.extend(doubts_of(cell, &found, &|path| outcome.name(path)));
        comparisons.extend(found);
    }
    doubts.extend(neighbours(&outcome.cells, outcome.environment.softirq_apart == Some(true)));
    doubts.extend(circumstances(outcome));
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
            percentiles: path.times.as_ref().and_then(Percentiles::of),
            loss: loss(path),
            reordered: path.taken().map(|sample| sample.reordered).sum(),
            jitter: jitter(path),
            distribution: path.times.as_ref().map(distribution).unwrap_or_default(),
            retransmissions: retransmissions(path),
        })
    };
    cell.paths.iter().filter_map(one).collect()
}

#[expect(clippy::cast_precision_loss, reason = "amounts, not counts")]
fn cost(test: Test, path: &PathOutcome) -> Option<Cost> {
    let (of, unit): (fn(&Sample) -> u64, f64) = match test {
        Test::Tcp | Test::TcpDown | Test::TcpBoth => (|sample| sample.bytes, 1e9),
        Test::Latency | Test::Paced | Test::Connect => (|sample| sample.operations, 1e5),
        Test::Udp | Test::UdpGso => (|sample| sample.operations, 1e6),
        // Most of the work is that of probes which do not count.
        Test::UdpRate => return None,
    };
    let each = |spent: fn(&Sample) -> u64| {
        let (work, time) =
            path.taken().fold((0, 0), |(work, time), sample| (work + of(sample), time + spent(sample)));
        (work > 0).then(|| time as f64 / 1e9 / (work as f64 / unit))
    };
    Some(Cost {
        client: each(|sample| sample.client_cpu_ns)?,
        server: each(|sample| sample.server_cpu_ns)?,
        proxy: each(|sample| sample.proxy_cpu_ns)?,
        softirq: each(|sample| sample.softirq_ns)?,
    })
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn loss(path: &PathOutcome) -> Option<f64> {
    let mut sums = (0, 0);
    for sample in path.taken() {
        sums = (sums.0 + sample.lost?, sums.1 + sample.operations);
    }
    let (lost, arrived) = sums;
    (lost + arrived > 0).then(|| lost as f64 / (lost + arrived) as f64)
}

fn retransmissions(path: &PathOutcome) -> Option<u64> {
    path.taken().map(|sample| sample.retransmissions).sum()
}

/// What is odd in one cell.
fn doubts_of(
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

/// What others did meanwhile. Softirq is mostly the work of the ends' packets; they are charged with it unless the kernel keeps
/// it apart.
fn neighbours(cells: &[CellOutcome], softirq_apart: bool) -> Vec<String> {
    let samples = || cells.iter().flat_map(|cell| &cell.paths).flat_map(PathOutcome::taken);
    let sum = |of: fn(&Sample) -> u64| samples().map(of).sum::<u64>();
    let own = sum(Sample::cpu_ns) + if softirq_apart { sum(|sample| sample.softirq_ns) } else { 0 };
    let foreign = share(sum(|sample| sample.busy_ns).saturating_sub(own), sum(|sample| sample.elapsed_ns));
    let steal = share(sum(|sample| sample.steal_ns), sum(|sample| sample.elapsed_ns));
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
        && outcome.cells.iter().any(|cell| matches!(cell.test, Test::Tcp | Test::TcpDown | Test::TcpBoth))
    {
        doubts.push(format!(
            "TCP's congestion control is {name}, by which streams on one host may be slower than by cubic; --congestion cubic compares"
        ));
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
        CellOutcome { test: Test::Tcp, placement: Placement::Two, paths }
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
        let doubts = doubts_of(&cell, &compare(&cell), &|path| path.to_string()).join("\n");
        assert!(doubts.contains("bridge stood still in 12 of 20 turns"), "{doubts}");
        // Of a rate it is one: nothing.
        cell.test = Test::Connect;
        assert_eq!(compare(&cell)[2].value.count, 20);
    }

    #[test]
    fn costs_are_of_all_the_work() {
        let cost = compare(&cell(&[1.0; 20]))[2].cpu.unwrap();
        assert!((cost.total() - 0.35).abs() < 1e-9 && (cost.proxy - 0.05).abs() < 1e-9, "{cost:?}");
        let bridge = path(Path::Bridge, &[1.0; 2]);
        assert_eq!((loss(&bridge), retransmissions(&bridge)), (Some(0.25), Some(4)));
        let found = &compare(&cell(&[1.0; 20]))[2];
        assert_eq!((found.reordered, found.jitter.map(|jitter| jitter.count)), (Some(60), Some(20)));
    }

    #[test]
    fn a_drift_a_stall_and_a_failure_are_told() {
        let mut values = [10.0; 20];
        values[..10].fill(30.0);
        values[19] = 0.0;
        let mut cell = cell(&values);
        cell.paths[2].failure = Some("it broke".to_owned());
        let doubts = doubts_of(&cell, &compare(&cell), &|path| path.to_string()).join("\n");
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
        let doubts = doubts_of(&cell, &compare(&cell), &|path| format!("<{path}>")).join("\n");
        assert!(doubts.contains("<to-container> has failed") && doubts.contains("drops it"), "{doubts}");
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

    #[test]
    fn percentiles_need_enough_above_them() {
        let mut times = Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap();
        for time in 1..=2000_u64 {
            times.record(time * 1000).unwrap();
        }
        let found = Percentiles::of(&times).unwrap();
        assert!(found.p99.is_some() && found.p999.is_none(), "{found:?}");
        assert_eq!(found.count, 2000);
        let points = distribution(&times);
        assert!(points.is_sorted() && points.len() < 200, "{points:?}");
        let middle = points.iter().find(|(share, _)| *share >= 0.5).unwrap().1;
        assert!((990_000..1_010_000).contains(&middle), "{middle}");
    }
}
