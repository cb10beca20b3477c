//! What `bench compare` prints: a path a line, before and after, and what may be said of the change.

use std::io;

use serde::Serialize;

use crate::bench::{Change, RunComparison, stats::Interval, stats::Verdict};

use super::figures::figure;
use super::grid::{Grid, Layout, Step};
use super::json::Document;

const TEST: &str = "TEST";
const PATH: &str = "PATH";
const BEFORE: &str = "BEFORE";
const AFTER: &str = "AFTER";
const TO_HOST: &str = "TO HOST";
const CHANGE: &str = "CHANGE";

/// Writes the table.
pub fn comparison(found: &RunComparison, layout: Layout, out: &mut impl io::Write) -> io::Result<()> {
    let mut grid = Grid::new(&[TEST, PATH, BEFORE, AFTER, TO_HOST, CHANGE]);
    for change in &found.changes {
        grid.push(vec![
            format!("{} ({})", change.test, change.placement),
            if change.path == "control" { "host again".to_owned() } else { change.path.clone() },
            value(change, change.before),
            value(change, change.after),
            change.to_host.map_or_else(String::new, |to_host| {
                format!("{:.2} → {:.2}", to_host.before.median, to_host.after.median)
            }),
            said(change),
        ]);
    }
    grid.write(layout, &[Step::Drop(BEFORE), Step::Drop(AFTER)], out)
}

/// Writes the document on one line.
pub fn comparison_json(
    found: &RunComparison,
    host: &str,
    time_ns: u64,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let contents = Changes { changes: &found.changes };
    let document = Document::new("pcapsule.bench-compare", time_ns, host, &found.doubts, contents);
    serde_json::to_writer(&mut *out, &document)?;
    writeln!(out)
}

#[derive(Debug, Serialize)]
struct Changes<'a> {
    changes: &'a [Change],
}

fn value(change: &Change, interval: Interval) -> String {
    let (unit, size) = match change.test.as_str() {
        "tcp" | "tcp-down" | "tcp-both" => ("Gbit/s", 1e9),
        "latency" | "paced" => ("µs", 1e3),
        _ => ("k/s", 1e3),
    };
    format!("{} {unit}", figure(interval.median / size))
}

/// The change against host mode; of host mode itself that of the figure.
fn said(change: &Change) -> String {
    let interval = change.to_host.map_or(change.figures, |to_host| to_host.change);
    let percent = |ratio: f64| format!("{:+.0}", (ratio - 1.0) * 100.0);
    let figures =
        format!("{} % ({} to {})", percent(interval.median), percent(interval.low), percent(interval.high));
    match change.verdict {
        Verdict::NoDifferenceSeen { within } => {
            format!("no difference seen (±{:.0} %)", (within * 100.0).ceil())
        }
        Verdict::TooFewRounds => format!("too few rounds: {figures}"),
        _ if change.path == "host" || change.path == "control" => figures,
        _ if change.is_worse => format!("worse: {figures}"),
        _ => format!("better: {figures}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::ToHost;
    use crate::report::{Headings, Width};

    fn change(path: &str, to_host: Option<(f64, f64)>, verdict: Verdict, is_worse: bool) -> Change {
        let near = |median: f64| Interval { median, low: median * 0.98, high: median * 1.02, count: 20 };
        Change {
            test: "latency".to_owned(),
            placement: "one".to_owned(),
            path: path.to_owned(),
            before: near(15_000.0),
            after: near(16_500.0),
            figures: near(1.1),
            to_host: to_host.map(|(before, after)| ToHost {
                before: near(before),
                after: near(after),
                change: near(after / before),
            }),
            verdict,
            is_worse,
        }
    }

    fn found() -> RunComparison {
        RunComparison {
            changes: vec![
                change("host", None, Verdict::Higher, true),
                change("control", Some((1.0, 1.0)), Verdict::NoDifferenceSeen { within: 0.021 }, false),
                change("bridge", Some((1.2, 1.4)), Verdict::Higher, true),
                change("proxy", Some((7.0, 5.0)), Verdict::Lower, false),
            ],
            doubts: vec!["the machines differ".to_owned()],
        }
    }

    #[test]
    fn each_change_stands_with_what_may_be_said_of_it() {
        let mut out = Vec::new();
        let layout = Layout { width: Width::Unlimited, headings: Headings::Plain };
        comparison(&found(), layout, &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }

    #[test]
    fn the_document_has_every_change() {
        let mut out = Vec::new();
        comparison_json(&found(), "testhost", 7, &mut out).unwrap();
        let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(document["schema"], "pcapsule.bench-compare");
        assert_eq!(document["changes"].as_array().unwrap().len(), 4);
        assert_eq!(document["changes"][2]["to_host"]["change"]["count"], 20);
    }
}
