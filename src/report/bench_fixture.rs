//! A small run, for tests of its table and its document.

use std::time::Duration;

use crate::bench::stats::{Interval, Verdict};
use crate::bench::{
    Cell, CellOutcome, Comparison, Cost, Environment, Method, Outcome, Path, PathOutcome, Percentiles,
    Placement, Sample, Scenario, Skipped, Summary, Test,
};

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
            ..Environment::default()
        },
        cells: vec![CellOutcome { test: CELL.test, placement: CELL.placement, paths }],
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
        cpu: Some(Cost { client: 0.7, server: 0.68, proxy: 0.0, softirq: 0.41 }),
        percentiles: Some(Percentiles {
            count: 14_000,
            p50: 13_400,
            p90: 14_000,
            p99: Some(18_600),
            p999: None,
            max: 1_094_000,
        }),
        loss: None,
        retransmissions: None,
    };
    let unsure = Verdict::NoDifferenceSeen { within: 0.023 };
    let comparisons = vec![
        one(Path::Host, 13_400.0, None, None),
        one(Path::Control, 13_410.0, Some(1.0), None),
        one(Path::Bridge, 16_800.0, Some(1.25), Some(Verdict::Higher)),
        one(Path::Veth, 13_500.0, Some(1.003), Some(unsure)),
    ];
    Summary { comparisons, doubts: vec!["others were at work".to_owned()] }
}
