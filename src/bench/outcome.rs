//! Every sample that was taken, and what it was taken of. Summaries are computed from this, never kept instead.

use std::time::Duration;

use serde::Serialize;

use super::environment::Environment;
use super::path::{Path, SetUp, Skipped, Way};
use super::scenario::{Placement, Scenario, Test};
use super::times::Times;
use super::word::words;

words! {
    /// What there is of a turn to hold against others.
    Figure {
        /// What the test is about.
        Value = "value",
        /// The percentile of round trips.
        P99 = "p99",
        /// What the work cost of the processor.
        Cpu = "cpu",
    }
}

impl Figure {
    /// Whether that test has it.
    pub(super) fn is_of(self, test: Test) -> bool {
        match self {
            Self::Value => true,
            Self::P99 => test.is_time() || test == Test::Connect,
            Self::Cpu => test != Test::UdpRate,
        }
    }
}

/// All of a run.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Outcome {
    pub scenario: Scenario,
    pub environment: Environment,
    pub cells: Vec<CellOutcome>,
    /// What the paths of existing containers lead from and to.
    pub ways: Vec<Way>,
    /// How long each path took to be built.
    pub set_up: Vec<SetUp>,
    /// Paths that could not be built.
    pub skipped: Vec<Skipped>,
    /// Whether it was ended before all was measured.
    pub partial: bool,
}

/// One test at one placement.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct CellOutcome {
    pub test: Test,
    pub placement: Placement,
    /// All rounds, and what is between the turns.
    pub elapsed_ns: u64,
    /// Time on cores that processes other than ours spent meanwhile; none where some are hidden.
    pub others_ns: Option<u64>,
    pub paths: Vec<PathOutcome>,
}

/// One path in one cell.
#[derive(Debug, Serialize)]
pub struct PathOutcome {
    /// The path.
    pub path: Path,
    /// In the order of the rounds; null where a round was not taken.
    pub samples: Vec<Option<Sample>>,
    /// Why there are no more.
    pub failure: Option<String>,
    /// Times of round trips, of all rounds.
    #[serde(skip)]
    pub times: Option<Times>,
}

/// One turn of a path.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Sample {
    /// Bit/s of a stream, connections or datagrams a second, or the median time of a round trip in ns.
    pub value: f64,
    /// All that was moved, and how many requests or datagrams that was, what does not count in the value too.
    pub bytes: u64,
    pub operations: u64,
    /// From the first to the last of it.
    pub elapsed_ns: u64,
    /// Time on a core: of the threads of both ends, and of the proxy.
    pub client_cpu_ns: u64,
    pub server_cpu_ns: u64,
    pub proxy_cpu_ns: u64,
    /// Of all cores together, in steps of 10 ms: in softirq, not idle, and taken away by the
    /// hypervisor.
    pub softirq_ns: u64,
    pub busy_ns: u64,
    pub steal_ns: u64,
    /// Datagrams that did not arrive, and that arrived behind a later one.
    pub lost: Option<u64>,
    pub reordered: Option<u64>,
    /// How unevenly they arrived (RFC 3550).
    pub jitter_ns: Option<u64>,
    /// Segments sent again in this turn; the state of the first connection at its end.
    pub retransmissions: Option<u64>,
    pub congestion_window: Option<u32>,
    pub tcp_round_trip_ns: Option<u64>,
    /// Of round trips; none where too few are above.
    pub p99_ns: Option<u64>,
}

impl Sample {
    /// Time on a core of both ends and the proxy.
    pub fn cpu_ns(&self) -> u64 {
        self.client_cpu_ns + self.server_cpu_ns + self.proxy_cpu_ns
    }

    /// What was moved, in 10⁹ bytes of a stream, 100,000 requests, or a million datagrams; none where nothing was, and of a
    /// search for the highest rate, most of whose work is that of probes which do not count.
    #[expect(clippy::cast_precision_loss, reason = "amounts, not counts")]
    pub(super) fn work(&self, test: Test) -> Option<f64> {
        let (amount, unit) = match test {
            Test::Tcp | Test::TcpDown | Test::TcpBoth => (self.bytes, 1e9),
            Test::Latency | Test::Paced | Test::Connect => (self.operations, 1e5),
            Test::Udp | Test::UdpGso => (self.operations, 1e6),
            Test::UdpRate => return None,
        };
        (amount > 0).then(|| amount as f64 / unit)
    }

    /// Seconds for that, where so much was spent on it.
    pub(super) fn cost(&self, test: Test, spent_ns: u64) -> Option<f64> {
        Some(seconds(spent_ns) / self.work(test)?)
    }

    /// The share of datagrams that did not arrive.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub(super) fn loss(&self) -> Option<f64> {
        let lost = self.lost?;
        let sent = lost + self.operations;
        (sent > 0).then(|| lost as f64 / sent as f64)
    }

    /// In ns.
    #[expect(clippy::cast_precision_loss, reason = "a time in ns")]
    pub(super) fn jitter(&self) -> Option<f64> {
        self.jitter_ns.map(|jitter| jitter as f64)
    }
}

impl Outcome {
    /// What a reader calls a path: of existing containers by their names.
    pub fn name(&self, path: Path) -> String {
        match self.ways.iter().find(|way| way.path == path) {
            Some(way) if path != Path::ThisHost => format!("{} → {}", way.from, way.to),
            _ if path == Path::Control => "host again".to_owned(),
            _ => path.to_string(),
        }
    }
}

impl PathOutcome {
    /// The samples that there are.
    pub fn taken(&self) -> impl Iterator<Item = &Sample> {
        self.samples.iter().flatten()
    }
}

impl CellOutcome {
    /// What was measured of a path.
    pub fn path(&self, path: Path) -> Option<&PathOutcome> {
        self.paths.iter().find(|outcome| outcome.path == path)
    }

    /// Its values, by rounds.
    pub(super) fn values(&self, path: Path) -> Vec<Option<f64>> {
        self.figures(Figure::Value, path)
    }

    /// By rounds. A turn in which nothing came back has 0, which is a rate, and no time.
    #[expect(clippy::cast_precision_loss, reason = "a time in ns")]
    pub(super) fn figures(&self, figure: Figure, path: Path) -> Vec<Option<f64>> {
        let of = |sample: &Sample| match figure {
            Figure::Value => Some(sample.value).filter(|value| *value > 0.0 || !self.test.is_time()),
            Figure::P99 => sample.p99_ns.map(|time| time as f64),
            Figure::Cpu => sample.cost(self.test, sample.cpu_ns()),
        };
        let samples = self.path(path).map(|found| found.samples.as_slice()).unwrap_or_default();
        samples.iter().map(|sample| of(sample.as_ref()?)).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a time")]
pub(super) fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// In nanoseconds, as all times in documents are.
pub(super) fn ns(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
