//! A small run, for tests of its table and its document.

use std::time::Duration;

use crate::bench::stats::{Interval, Verdict};
use crate::bench::{
    Cell, CellOutcome, Comparison, Cost, Environment, Finding, Kind, Method, Outcome, Path, PathOutcome,
    Percentiles, Placement, Quantity, Sample, Scenario, Seen, SetUp, Skipped, Step, Summary, Test, Waterfall,
};
use crate::sys::offload::Offloads;

const CELL: Cell = Cell { test: Test::Latency, placement: Placement::One };

/// Round trips on three paths, of which one has failed half-way.
pub(crate) fn outcome() -> Outcome {
    let sample = Sample {
        value: 13_400.0,
        bytes: 7000,
        operations: 7000,
        elapsed_ns: 125_000_000,
        ..Sample::default()
    };
    let path = |path, failure: Option<&str>| PathOutcome {
        path,
        samples: vec![Some(sample.clone()), failure.is_none().then(|| sample.clone())],
        failure: failure.map(str::to_owned),
        times: None,
    };
    let paths = vec![path(Path::Host, None), path(Path::Control, None), path(Path::Bridge, Some("it broke"))];
    Outcome {
        scenario: scenario(),
        environment: Environment {
            kernel: "6.1.0".to_owned(),
            processor: Some("Some Processor".to_owned()),
            cores: vec![0, 1],
            congestion_control: Some("cubic".to_owned()),
            bridge_netfilter: Some(true),
            load: vec![0.25, 0.5],
            links: vec![Seen {
                path: Path::Bridge,
                interface: "eth0".parse().unwrap(),
                mtu: 1500,
                offloads: Some(Offloads { tso: true, gso: true, gro: false }),
            }],
            ..Environment::default()
        },
        ways: Vec::new(),
        set_up: vec![SetUp { path: Path::Bridge, took_ns: 31_500_000 }],
        cells: vec![CellOutcome {
            test: CELL.test,
            placement: CELL.placement,
            elapsed_ns: 900_000_000,
            others_ns: Some(10_000_000),
            paths,
        }],
        skipped: vec![Skipped { path: Path::Macvlan, why: "the kernel has none".to_owned() }],
        partial: false,
    }
}

fn scenario() -> Scenario {
    Scenario {
        paths: vec![Path::Bridge],
        cells: vec![CELL],
        rounds: 2,
        slice: Duration::from_millis(100),
        settle: Duration::from_millis(25),
        streams: 1,
        write_bytes: 131_072,
        message_bytes: 1,
        datagram_bytes: 64,
        rate: 5000,
        method: Method::Copy,
        congestion: None,
        seed: 7,
    }
}

/// What is said of it.
pub(crate) fn summary() -> Summary {
    let interval = |median: f64, spread: f64| {
        let (low, high) = (median * (1.0 - spread), median * (1.0 + spread));
        Interval { median, low, high, count: 2 }
    };
    let one = |path, value, ratio: Option<f64>, verdict| Comparison {
        test: CELL.test,
        placement: CELL.placement,
        path,
        value: interval(value, 0.01),
        ratio: ratio.map(|ratio| interval(ratio, 0.02)),
        verdict,
        cpu: Some(Cost {
            total: interval(1.38, 0.01),
            client: interval(0.7, 0.01),
            server: interval(0.68, 0.01),
            proxy: interval(0.0, 0.0),
            softirq: interval(0.41, 0.25),
        }),
        percentiles: Some(Percentiles {
            count: 14_000,
            p50: Some(interval(13_400.0, 0.01)),
            p90: Some(interval(14_000.0, 0.01)),
            p99: Some(interval(18_600.0, 0.05)),
            p999: None,
            max: 1_094_000,
        }),
        loss: None,
        reordered: None,
        jitter: None,
        distribution: vec![(0.0, 12_900), (0.5, 13_400), (0.99, 18_600), (1.0, 1_094_000)],
        retransmissions: None,
    };
    let unsure = Verdict::NoDifferenceSeen { within: 0.023 };
    let comparisons = vec![
        one(Path::Host, 13_400.0, None, None),
        one(Path::Control, 13_410.0, Some(1.0), None),
        one(Path::Bridge, 16_800.0, Some(1.25), Some(Verdict::Higher)),
        one(Path::Veth, 13_500.0, Some(1.003), Some(unsure)),
    ];
    Summary { comparisons, waterfalls: Vec::new(), doubts: vec!["others were at work".to_owned()] }
}

/// Three steps, of which one costs nothing, and two changes.
pub(crate) fn waterfall() -> Waterfall {
    let near =
        |median: f64, spread: f64| Interval { median, low: median - spread, high: median + spread, count: 9 };
    let step = |path, without, words, kind, (adds, total): (f64, f64), finding| Step {
        words,
        kind,
        path,
        without,
        adds: near(adds, 100.0),
        total: near(total, 200.0),
        finding,
    };
    let nothing = Finding::NothingSeen { within: 160.0 };
    Waterfall {
        test: Test::Latency,
        placement: Placement::One,
        quantity: Quantity::RoundTrip,
        base: near(13_400.0, 50.0),
        steps: vec![
            step(Path::Veth, Path::Host, "a cable", Kind::Step, (60.0, 13_460.0), nothing),
            step(Path::BareBridge, Path::Veth, "a bridge", Kind::Step, (1600.0, 15_060.0), Finding::Costs),
            step(Path::Nat, Path::BareBridge, "NAT", Kind::Step, (3000.0, 18_060.0), Finding::Costs),
            step(Path::Proxy, Path::Bridge, "a proxy", Kind::Change, (90_000.0, 105_000.0), Finding::Costs),
            step(Path::Jumbo, Path::Nat, "large packets", Kind::Change, (-2000.0, 16_060.0), Finding::Saves),
        ],
    }
}
