//! What can be typed of `bench`, and the scenario that it makes.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use clap::{Args, Subcommand};

use crate::bench::{
    Bridged, Cell, Condition, Method, Path, Placement, Scenario, Test, rungs, shows_bridged_packets,
};
use crate::model::Selector;

use super::{offer::offer, select, units};

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

Tests: tcp, tcp-down (server to client), tcp-both, udp, udp-gso, udp-rate (the highest rate with
less than 0.1 % lost), latency (requests by turns), paced (the same at a fixed rate), connect (a
connection for each request).

All of it is built in namespaces made for this, by `pcapsule run`, and taken down afterwards;
nothing of the host is changed. Each path has one short turn in each round, in random order.
Beside each median stands its 95 % interval, and a difference is called one only if it is larger
than both that and what `host` differs from itself.

--container measures a container that is there already, of any engine: sockets are opened in its
network namespace. Nothing is needed in its image, it is not restarted, and nothing stays behind;
but it shares its network with the measurement meanwhile. Firewalls that stand in the way are
part of what is measured. For --to outside a cable is laid from the host to a namespace. From
there --to published goes to the first TCP port that the container publishes, by the engine's own
rules; nothing may listen at that port in the container, so take one whose command only sleeps.

--explain measures the way to a published port rung by rung, each with one thing more: a small
MTU, a cable, a bridge, netfilter's hooks, rules, connection tracking, NAT; and routing, a
proxy, a thousand rules, offloads off and a large MTU, each alone.

--fail-if holds ratios against a bound, for CI: exit code 1 if all of the interval says so.
[TEST[.p99|.cpu][@PLACEMENT]:]PATH/PATH < NUMBER, or >; of times the larger ratio is the slower
one.

Examples:
  pcapsule bench
  pcapsule bench --container web
  pcapsule bench --container web --to db,host,outside --html web.html
  pcapsule bench --explain
  pcapsule bench --paths bridge,published --tests latency --placement one
  pcapsule bench --tests tcp --streams 2 --size 1m --method splice --duration 20
  pcapsule bench --json run.json --fail-if 'tcp:bridge/host < 0.5'
  pcapsule bench compare before.json after.json")]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct BenchArgs {
    #[command(subcommand)]
    pub(super) command: Option<BenchCommand>,
    /// What to compare with host mode: veth,bridge,container,published,proxy unless --container or
    /// --explain is given
    #[arg(long, value_name = "PATHS", value_delimiter = ',', hide_possible_values = true)]
    #[arg(value_parser = offer(path, OFFERED.map(Path::word)))]
    paths: Vec<Path>,
    /// Measure this container, which is there already
    #[arg(long, value_name = "SELECTOR", value_parser = select::selector)]
    pub(super) container: Option<Selector>,
    /// From there to what: `host`, `outside`, another container; or `published`: from outside to it
    #[arg(long, value_name = "WHERE", value_delimiter = ',', default_value = "host", requires = "container")]
    #[arg(hide_possible_values = true, value_parser = offer(To::from_str, ["host", "outside"]))]
    pub(super) to: Vec<To>,
    /// Say what each thing on the way to a published port costs
    #[arg(long, conflicts_with = "container")]
    explain: bool,
    /// What to do on each path: tcp,latency,connect,udp, or with --explain latency,tcp
    #[arg(long, value_name = "TESTS", value_delimiter = ',', hide_possible_values = true)]
    #[arg(value_parser = offer(Test::from_str, Test::ALL.iter().map(|test| test.word())))]
    tests: Vec<Test>,
    /// Where both ends run: one (core), two (cores), free; without, what suits each test
    #[arg(long, value_name = "WHERE", value_delimiter = ',', hide_possible_values = true)]
    #[arg(value_parser = offer(Placement::from_str, Placement::ALL.iter().map(|place| place.word())))]
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
    #[arg(long, value_name = "METHOD", default_value = "copy", hide_possible_values = true)]
    #[arg(value_parser = offer(Method::from_str, Method::ALL.iter().map(|method| method.word())))]
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
    /// Write one page with plots into FILE; it needs nothing else
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// End with code 1 if this is so, as in 'tcp:bridge/host < 0.7'; can be given several times
    #[arg(long, value_name = "CONDITION")]
    pub(super) fail_if: Vec<Condition>,
    /// No progress on stderr
    #[arg(short, long)]
    pub(super) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// Say what has changed between two runs, and whether that is more than chance
    Compare(CompareArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Each path's ratio to host mode is compared, which a machine that was slower as a whole does not
change; of `host` itself the figures. No difference is called one that is within the interval, or
within what `host` differed from itself in either run. What else was different (settings, kernel,
processor) is said on stderr.

Examples:
  pcapsule bench --json before.json
  pcapsule bench --json after.json
  pcapsule bench compare before.json after.json
  pcapsule bench compare before.json after.json --fail-if-worse")]
pub(super) struct CompareArgs {
    /// What `bench --json` has written first
    #[arg(value_name = "BEFORE")]
    pub(super) before: PathBuf,
    /// And later
    #[arg(value_name = "AFTER")]
    pub(super) after: PathBuf,
    /// End with code 1 if a path has become worse against host mode
    #[arg(long)]
    pub(super) fail_if_worse: bool,
    /// Print one JSON document instead of a table
    #[arg(long)]
    pub(super) json: bool,
}

/// Where a container's way is to lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum To {
    Host,
    Outside,
    Published,
    Container(Selector),
}

impl FromStr for To {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "host" => Ok(Self::Host),
            "outside" => Ok(Self::Outside),
            "published" => Ok(Self::Published),
            word => select::selector(word).map(Self::Container),
        }
    }
}

impl To {
    fn path(&self) -> Path {
        match self {
            Self::Host => Path::ToHost,
            Self::Outside => Path::ToOutside,
            Self::Published => Path::ToPublished,
            Self::Container(_) => Path::ToContainer,
        }
    }
}

const USUAL_PATHS: [Path; 5] = [Path::Veth, Path::Bridge, Path::Container, Path::Published, Path::Proxy];
const USUAL_TESTS: [Test; 4] = [Test::Tcp, Test::Latency, Test::Connect, Test::Udp];
const EXPLAINING_TESTS: [Test; 2] = [Test::Latency, Test::Tcp];

/// What is left out at the beginning of a turn: TCP gets up to speed, caches warm up.
const SETTLE: Duration = Duration::from_millis(25);

impl BenchArgs {
    /// What is to be measured; `made_up` is the seed if none was given.
    pub(super) fn scenario(&self, made_up: u64) -> Scenario {
        let mut scenario = Scenario {
            paths: self.all_paths(),
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

    /// Options that do not go together, in words.
    pub(super) fn refusal(&self) -> Option<String> {
        let containers = self.to.iter().filter(|to| matches!(to, To::Container(_))).count();
        if containers > 1 {
            return Some("--to takes one other container at a time".to_owned());
        }
        let is_stdout = |path: &Option<PathBuf>| path.as_ref().is_some_and(|path| path.as_os_str() == "-");
        if is_stdout(&self.json) && is_stdout(&self.html) {
            return Some("one of --json and --html can go to stdout".to_owned());
        }
        let scenario = self.scenario(0);
        self.fail_if.iter().find_map(|condition| condition.lacks(&scenario))
    }

    fn all_paths(&self) -> Vec<Path> {
        let mut paths = Vec::new();
        if self.container.is_some() {
            paths.push(Path::ThisHost);
            paths.extend(self.to.iter().map(To::path));
        }
        if self.explain {
            let bridged = if shows_bridged_packets() { Bridged::Shown } else { Bridged::Unseen };
            paths.extend(rungs(bridged));
        }
        if paths.is_empty() && self.paths.is_empty() {
            paths.extend(USUAL_PATHS);
        }
        paths.extend(&self.paths);
        once_each(&paths)
    }

    fn cells(&self) -> Vec<Cell> {
        let placements = |test: Test| match (self.placement.is_empty(), self.explain) {
            // Where each end has a core of its own, waking it hides what is asked for.
            (true, true) => vec![Placement::One],
            (true, false) => test.usual_placements().to_vec(),
            (false, _) => once_each(&self.placement),
        };
        let tests = match (self.tests.is_empty(), self.explain) {
            (true, true) => EXPLAINING_TESTS.to_vec(),
            (true, false) => USUAL_TESTS.to_vec(),
            (false, _) => once_each(&self.tests),
        };
        let of_test = |test| placements(test).into_iter().map(move |placement| Cell { test, placement });
        tests.into_iter().flat_map(of_test).collect()
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

/// The paths that can be asked for by name; those of `--explain` and `--container` come with these.
const OFFERED: [Path; 8] = [
    Path::Veth,
    Path::Bridge,
    Path::Container,
    Path::Published,
    Path::PublishedHost,
    Path::Proxy,
    Path::HostNat,
    Path::Macvlan,
];

/// The base and its control are always there.
fn path(word: &str) -> Result<Path, String> {
    match word.parse() {
        Ok(Path::Host | Path::Control) => Err("host is measured in any case".to_owned()),
        Ok(path) if path.is_of_visit() => Err("--container measures the ways of a container".to_owned()),
        Ok(path) => Ok(path),
        Err(_) => Err(format!("'{word}' is none of {}", OFFERED.map(Path::word).join(", "))),
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
    fn a_container_is_measured_beside_host_mode_alone() {
        let asked = scenario("--container web --to db,outside,host --rounds 3");
        assert_eq!(asked.paths, [Path::ThisHost, Path::ToContainer, Path::ToOutside, Path::ToHost]);
        let beside = scenario("--container web --paths bridge");
        assert_eq!(beside.paths, [Path::ThisHost, Path::ToHost, Path::Bridge]);
        assert!(path("to-host").is_err());
    }

    #[test]
    fn an_explanation_is_about_one_core() {
        let asked = scenario("--explain");
        assert!(asked.paths.contains(&Path::Rules) && asked.paths.contains(&Path::Proxy));
        assert!(asked.cells.iter().all(|cell| cell.placement == Placement::One));
        assert!(asked.rounds >= 10, "{}", asked.rounds);
    }

    #[test]
    fn what_cannot_be_done_together_is_refused() {
        for (words, refused) in [
            ("--container web --to db,cache", Some("one other container")),
            ("--json - --html -", Some("can go to stdout")),
            ("--paths veth --fail-if bridge/host<1", Some("the path bridge is not measured")),
            ("--tests udp --fail-if tcp:bridge/host<1", Some("that test is not made")),
            ("--fail-if tcp:bridge/veth<1", None),
        ] {
            let line = ["bench"].into_iter().chain(words.split_whitespace());
            let refusal = Typed::parse_from(line).args.refusal();
            match refused {
                Some(words) => assert!(refusal.is_some_and(|refusal| refusal.contains(words)), "{words}"),
                None => assert_eq!(refusal, None),
            }
        }
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
