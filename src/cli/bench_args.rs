//! What can be typed of `bench`, and the scenario that it makes.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use clap::Args;

use crate::bench::{Cell, Method, Path, Placement, Scenario, Test};

use super::units;

#[derive(Debug, Args)]
#[command(after_help = "\
Paths, each compared with host mode (loopback) in the same round:
  veth            namespace → veth → namespace, no bridge
  bridge          host → bridge → container
  container       container → bridge → container
  published       outside → published port, NAT → container
  published-host  host's own address → published port, NAT → container
  proxy           127.0.0.1 → published port, proxy in user space → container
  host-nat        loopback of a host that publishes ports: what its rules cost
  macvlan         macvlan → macvlan on one parent

Tests: tcp, tcp-down (server to client), tcp-both, udp, udp-gso, latency (requests by turns),
paced (the same at a fixed rate), connect (a connection for each request).

All of it is built in namespaces made for this, by `pcapsule run`, and taken down afterwards;
nothing of the host is changed. Each path has one short turn in each round, in random order.
Beside each median stands its 95 % interval, and a difference is called one only if it is larger
than both that and what `host` differs from itself.

Examples:
  pcapsule bench
  pcapsule bench --paths bridge,published --tests latency --placement one
  pcapsule bench --tests tcp --streams 2 --size 1m --method splice --duration 20
  pcapsule bench --json run.json")]
pub(super) struct BenchArgs {
    /// What to compare with host mode
    #[arg(long, value_name = "PATHS", value_delimiter = ',', value_parser = path)]
    #[arg(default_value = "veth,bridge,container,published,proxy")]
    paths: Vec<Path>,
    /// What to do on each path
    #[arg(long, value_name = "TESTS", value_delimiter = ',', default_value = "tcp,latency,connect,udp")]
    tests: Vec<Test>,
    /// Where both ends run: one (core), two (cores), free; without, what suits each test
    #[arg(long, value_name = "WHERE", value_delimiter = ',')]
    placement: Vec<Placement>,
    /// How long to measure in all; more rounds make narrower intervals
    #[arg(short, long, value_name = "TIME", default_value = "50s", value_parser = units::duration)]
    duration: Duration,
    /// How often to measure each path, instead of --duration
    #[arg(long, value_name = "N", value_parser = units::at_least_one::<NonZeroUsize>)]
    rounds: Option<NonZeroUsize>,
    /// How long one turn of a path is
    #[arg(long, value_name = "TIME", default_value = "100ms", value_parser = units::duration)]
    slice: Duration,
    /// TCP streams at once
    #[arg(long, value_name = "N", default_value = "1", value_parser = units::at_least_one::<NonZeroUsize>)]
    streams: NonZeroUsize,
    /// Bytes that a TCP stream writes at once; k and m for KiB and MiB
    #[arg(long, value_name = "BYTES", default_value = "128k", value_parser = write_size)]
    size: usize,
    /// Bytes of a request and of a response
    #[arg(long, value_name = "BYTES", default_value = "1", value_parser = message_size)]
    message_size: usize,
    /// Bytes of a datagram
    #[arg(long, value_name = "BYTES", default_value = "64", value_parser = datagram_size)]
    datagram_size: usize,
    /// Requests a second of the test `paced`
    #[arg(long, value_name = "N", default_value = "5000", value_parser = units::at_least_one::<NonZeroU32>)]
    rate: NonZeroU32,
    /// How TCP streams move their bytes: copy, trunc, sendfile, splice, vmsplice
    #[arg(long, value_name = "METHOD", default_value = "copy")]
    method: Method,
    /// TCP's congestion control; without, the system's
    #[arg(long, value_name = "NAME")]
    congestion: Option<String>,
    /// Repeats the order of a run
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Write one JSON document with every sample into FILE; - is stdout, instead of the table
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// No progress on stderr
    #[arg(short, long)]
    pub(super) quiet: bool,
}

/// What is left out at the beginning of a turn: TCP gets up to speed, caches warm up.
const SETTLE: Duration = Duration::from_millis(25);

impl BenchArgs {
    /// What is to be measured; `made_up` is the seed if none was given.
    pub(super) fn scenario(&self, made_up: u64) -> Scenario {
        let mut scenario = Scenario {
            paths: once_each(&self.paths),
            cells: self.cells(),
            rounds: 0,
            slice: self.slice,
            settle: SETTLE,
            streams: self.streams.get(),
            write_bytes: self.size,
            message_bytes: self.message_size,
            datagram_bytes: self.datagram_size,
            rate: self.rate.get(),
            method: self.method,
            congestion: self.congestion.clone(),
            seed: self.seed.unwrap_or(made_up),
        };
        scenario.rounds =
            self.rounds.map_or_else(|| scenario.rounds_within(self.duration), NonZeroUsize::get);
        scenario
    }

    fn cells(&self) -> Vec<Cell> {
        let placements = |test: Test| {
            if self.placement.is_empty() {
                test.usual_placements().to_vec()
            } else {
                once_each(&self.placement)
            }
        };
        let of_test = |test| placements(test).into_iter().map(move |placement| Cell { test, placement });
        once_each(&self.tests).into_iter().flat_map(of_test).collect()
    }
}

fn once_each<T: Copy + PartialEq>(words: &[T]) -> Vec<T> {
    let mut found = Vec::new();
    for word in words {
        if !found.contains(word) {
            found.push(*word);
        }
    }
    found
}

/// The base and its control are always there.
fn path(word: &str) -> Result<Path, String> {
    match word.parse() {
        Ok(Path::Host | Path::Control) => Err("host is measured in any case".to_owned()),
        Ok(path) => Ok(path),
        Err(unknown) => Err(unknown.to_string()),
    }
}

/// A bare number is in bytes: unlike sizes of files, those of writes are typed so.
fn write_size(text: &str) -> Result<usize, String> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        _ => (text, 1),
    };
    let bytes = digits.parse().ok().and_then(|number: usize| number.checked_mul(unit));
    bytes.filter(|bytes| (1..=64 << 20).contains(bytes)).ok_or_else(|| "a size is 1 to 64m bytes".to_owned())
}

fn message_size(text: &str) -> Result<usize, String> {
    within(text, 1, 1 << 16)
}

fn datagram_size(text: &str) -> Result<usize, String> {
    within(text, 8, 65_000)
}

fn within(text: &str, least: usize, most: usize) -> Result<usize, String> {
    let bytes = text.parse().ok().filter(|bytes| (least..=most).contains(bytes));
    bytes.ok_or_else(|| format!("{least} to {most} bytes are possible"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Typed {
        #[command(flatten)]
        args: BenchArgs,
    }

    fn scenario(words: &str) -> Scenario {
        let line = ["bench"].into_iter().chain(words.split_whitespace());
        Typed::parse_from(line).args.scenario(7)
    }

    #[test]
    fn without_options_it_takes_about_a_minute() {
        let usual = scenario("");
        assert!(usual.rounds >= 10, "{}", usual.rounds);
        assert!((40..=50).contains(&usual.length().as_secs()), "{:?}", usual.length());
        assert_eq!(usual.cells.len(), 5);
    }

    #[test]
    fn words_are_taken_once_and_in_their_order() {
        let asked =
            scenario("--paths bridge,veth,bridge --tests latency,tcp --placement two --rounds 3 --seed 9");
        assert_eq!(asked.paths, [Path::Bridge, Path::Veth]);
        assert_eq!(asked.cells.iter().map(|cell| cell.test).collect::<Vec<_>>(), [Test::Latency, Test::Tcp]);
        assert_eq!((asked.rounds, asked.seed), (3, 9));
    }

    #[test]
    fn sizes_of_writes_are_in_bytes() {
        assert_eq!(write_size("1400"), Ok(1400));
        assert_eq!(write_size("128k"), Ok(1 << 17));
        assert_eq!(write_size("1M"), Ok(1 << 20));
        for bad in ["", "0", "1g", "65m", "k"] {
            assert!(write_size(bad).is_err(), "{bad}");
        }
        assert!(path("host").is_err() && path("bridge").is_ok());
    }
}
