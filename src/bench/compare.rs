//! Two runs held against each other: what has changed, whether that is more than chance, and what else was different.
//! Pure: reads documents, not files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::stats::{Interval, Verdict, estimate, paired_ratios, ratio_of_medians, verdict};

/// The name and the versions of the documents that are read: they have the same samples.
const SCHEMA: &str = "pcapsule.bench";
const VERSIONS: std::ops::RangeInclusive<u64> = 1..=2;

/// A document that cannot be compared.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum InvalidRun {
    #[error("reading it as JSON")]
    Json(#[from] serde_json::Error),
    #[error("reading it as a document of `pcapsule bench --json`: its schema is '{0}'")]
    Schema(String),
    #[error("reading version {0} of the document: this program knows 1 and 2")]
    Version(u64),
}

/// A run as its document keeps it.
#[derive(Debug, Deserialize)]
pub struct Run {
    #[serde(default)]
    partial: bool,
    scenario: BTreeMap<String, Value>,
    environment: BTreeMap<String, Value>,
    cells: Vec<RunCell>,
    #[serde(default)]
    ways: Vec<RunWay>,
}

/// Where a path of a container that was there already led.
#[derive(Debug, Deserialize, PartialEq)]
struct RunWay {
    path: String,
    from: String,
    to: String,
}

#[derive(Debug, Deserialize)]
struct RunCell {
    test: String,
    placement: String,
    paths: Vec<RunPath>,
}

#[derive(Debug, Deserialize)]
struct RunPath {
    path: String,
    samples: Vec<Option<RunSample>>,
}

#[derive(Debug, Deserialize)]
struct RunSample {
    value: f64,
}

/// What two runs say of each other.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct RunComparison {
    pub changes: Vec<Change>,
    /// Sentences: what else was different, and what only one of them has.
    pub doubts: Vec<String>,
}

/// One path in one cell, before and after.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Change {
    pub test: String,
    pub placement: String,
    pub path: String,
    /// Bit/s, operations or datagrams a second, or ns.
    pub before: Interval,
    pub after: Interval,
    /// After by before: of the figures, and of the ratios to `host`, which another load moves less. The first speaks for
    /// `host` itself.
    pub figures: Interval,
    pub to_host: Option<ToHost>,
    /// Of `to_host`, or of the figures where there is none.
    pub verdict: Verdict,
    /// Whether that is for the worse.
    pub is_worse: bool,
}

/// The ratio to `host` before and after, and how they stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct ToHost {
    pub before: Interval,
    pub after: Interval,
    pub change: Interval,
}

impl RunComparison {
    /// Whether a path is worse against `host`.
    pub fn is_worse(&self) -> bool {
        self.changes.iter().any(|change| change.is_worse && is_judged(&change.path))
    }
}

impl Run {
    /// Reads a document.
    pub fn read(text: &str) -> Result<Self, InvalidRun> {
        let value: Value = serde_json::from_str(text)?;
        let schema = value["schema"].as_str().unwrap_or_default();
        if schema != SCHEMA {
            return Err(InvalidRun::Schema(schema.to_owned()));
        }
        let version = value["version"].as_u64().unwrap_or_default();
        if !VERSIONS.contains(&version) {
            return Err(InvalidRun::Version(version));
        }
        Ok(serde_json::from_value(value)?)
    }

    fn cell(&self, like: &RunCell) -> Option<&RunCell> {
        self.cells.iter().find(|cell| (&cell.test, &cell.placement) == (&like.test, &like.placement))
    }
}

impl RunCell {
    fn path(&self, name: &str) -> Option<&RunPath> {
        self.paths.iter().find(|path| path.path == name)
    }

    /// As of the run itself: where nothing came back there was no time.
    fn values(&self, name: &str) -> Vec<Option<f64>> {
        let samples = self.path(name).map(|path| path.samples.as_slice()).unwrap_or_default();
        let is_value = |value: &f64| *value > 0.0 || !self.is_time();
        samples.iter().map(|sample| Some(sample.as_ref()?.value).filter(is_value)).collect()
    }

    fn ratios(&self, name: &str) -> Vec<f64> {
        paired_ratios(&self.values(name), &self.values("host"))
    }

    /// How far `host` is from itself.
    fn stray(&self) -> Option<Interval> {
        estimate(&self.ratios("control"))
    }

    fn is_time(&self) -> bool {
        matches!(self.test.as_str(), "latency" | "paced")
    }
}

/// Compares them.
pub fn compare_runs(before: &Run, after: &Run) -> RunComparison {
    let (mut changes, mut lonely) = (Vec::new(), Vec::new());
    let among = compared(before, after);
    for cell in &before.cells {
        let Some(other) = after.cell(cell) else {
            lonely.push(format!("{} ({}) is in the first alone", cell.test, cell.placement));
            continue;
        };
        for path in &cell.paths {
            match change((cell, other), &path.path, among) {
                Some(change) => changes.push(change),
                None => lonely.push(format!(
                    "{} ({}): {} has figures in one of them at most",
                    cell.test, cell.placement, path.path
                )),
            }
        }
    }
    for cell in &after.cells {
        let Some(other) = before.cell(cell) else {
            lonely.push(format!("{} ({}) is in the second alone", cell.test, cell.placement));
            continue;
        };
        let alone = cell.paths.iter().filter(|path| other.path(&path.path).is_none());
        lonely.extend(
            alone.map(|path| {
                format!("{} ({}): {} is in the second alone", cell.test, cell.placement, path.path)
            }),
        );
    }
    let mut doubts = circumstances(before, after);
    doubts.extend(lonely);
    RunComparison { changes, doubts }
}

/// How many paths are held against `host` in both, in all cells.
fn compared(before: &Run, after: &Run) -> usize {
    let in_cell = |cell: &RunCell| {
        let has = |path: &&RunPath| after.cell(cell).is_some_and(|other| other.path(&path.path).is_some());
        cell.paths.iter().filter(|path| is_judged(&path.path)).filter(has).count()
    };
    before.cells.iter().map(in_cell).sum()
}

/// That the machine changed, or that `host` differs from itself, is no path's doing.
fn is_judged(path: &str) -> bool {
    !matches!(path, "host" | "control")
}

/// It is one among so many, of which one in twenty would be called a change by chance.
fn change((before, after): (&RunCell, &RunCell), path: &str, among: usize) -> Option<Change> {
    let (old, new) = (before.values(path), after.values(path));
    let taken = |values: &[Option<f64>]| values.iter().copied().flatten().collect::<Vec<_>>();
    let figures = ratio_of_medians(&taken(&new), &taken(&old), 1)?;
    let (old_ratios, new_ratios) = (before.ratios(path), after.ratios(path));
    let to_host = (path != "host").then(|| to_host(&old_ratios, &new_ratios)).flatten();
    let joint = to_host.and_then(|_| ratio_of_medians(&new_ratios, &old_ratios, among));
    let verdict = match joint {
        Some(joint) => verdict(joint, farther(before.stray(), after.stray())),
        None => verdict(figures, None),
    };
    let worse = if before.is_time() { Verdict::Higher } else { Verdict::Lower };
    Some(Change {
        test: before.test.clone(),
        placement: before.placement.clone(),
        path: path.to_owned(),
        before: estimate(&taken(&old))?,
        after: estimate(&taken(&new))?,
        figures,
        to_host,
        verdict,
        is_worse: verdict == worse,
    })
}

fn to_host(before: &[f64], after: &[f64]) -> Option<ToHost> {
    let change = ratio_of_medians(after, before, 1)?;
    Some(ToHost { before: estimate(before)?, after: estimate(after)?, change })
}

/// The one of two that is farther from 1.
fn farther(one: Option<Interval>, other: Option<Interval>) -> Option<Interval> {
    let distance = |interval: &Interval| (interval.median - 1.0).abs();
    one.into_iter().chain(other).max_by(|one, other| distance(one).total_cmp(&distance(other)))
}

/// What else is different: a change may be its doing.
fn circumstances(before: &Run, after: &Run) -> Vec<String> {
    const NO_MATTER: [&str; 6] = ["paths", "cells", "rounds", "seed", "load", "links"];
    let mut doubts = Vec::new();
    for (what, old, new) in [
        ("the settings", &before.scenario, &after.scenario),
        ("the machines", &before.environment, &after.environment),
    ] {
        for (name, old) in old.iter().filter(|(name, _)| !NO_MATTER.contains(&name.as_str())) {
            let new = new.get(name).unwrap_or(&Value::Null);
            if old != new {
                doubts.push(format!("{what} differ in {name}: {old}, then {new}"));
            }
        }
    }
    for old in &before.ways {
        if let Some(new) = after.ways.iter().find(|new| new.path == old.path && *new != old) {
            doubts.push(format!(
                "{} led from {} to {}, then from {} to {}",
                old.path, old.from, old.to, new.from, new.to
            ));
        }
    }
    for (run, which) in [(before, "first"), (after, "second")] {
        if run.partial {
            doubts.push(format!("the {which} was ended before all was measured"));
        }
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds of a machine whose speed wanders, with bridge at a share of host.
    fn run(share: f64, speed: f64, kernel: &str) -> Run {
        let wander = |round: usize| speed * [10.0, 11.0, 12.0, 13.0][round % 4];
        let samples = |share: f64, odd: f64| -> Vec<Value> {
            let value = |round: usize| wander(round) * share * (1.0 + odd * [0.0, 1.0, -1.0][round % 3]);
            (0..18).map(|round| serde_json::json!({"value": value(round)})).collect()
        };
        let path = |path: &str, samples: Vec<Value>| serde_json::json!({"path": path, "samples": samples});
        let document = serde_json::json!({
            "schema": "pcapsule.bench", "version": 1, "partial": false,
            "scenario": {"write_bytes": 131_072, "seed": 7},
            "environment": {"kernel": kernel, "load": [0.1, 0.2]},
            "cells": [{"test": "tcp", "placement": "two", "paths": [
                path("host", samples(1.0, 0.0)),
                path("control", samples(1.0, 0.004)),
                path("bridge", samples(share, 0.01)),
            ]}],
        });
        Run::read(&document.to_string()).unwrap()
    }

    fn of_bridge(found: &RunComparison) -> &Change {
        found.changes.iter().find(|change| change.path == "bridge").unwrap()
    }

    #[test]
    fn a_path_that_became_slower_is_told_from_a_machine_that_did() {
        let slower_path = compare_runs(&run(0.8, 1.0, "6.1"), &run(0.6, 1.0, "6.1"));
        let change = of_bridge(&slower_path);
        assert_eq!((change.verdict, change.is_worse), (Verdict::Lower, true));
        assert!(slower_path.is_worse());
        assert!((change.to_host.unwrap().change.median - 0.75).abs() < 0.01, "{change:?}");
        let slower_machine = compare_runs(&run(0.8, 1.0, "6.1"), &run(0.8, 0.7, "6.1"));
        let change = of_bridge(&slower_machine);
        assert!(matches!(change.verdict, Verdict::NoDifferenceSeen { .. }), "{change:?}");
        assert!((change.figures.median - 0.7).abs() < 0.01);
        let host = slower_machine.changes.iter().find(|change| change.path == "host").unwrap();
        assert_eq!((host.to_host, host.verdict), (None, Verdict::Lower));
        assert!(host.is_worse && !slower_machine.is_worse());
    }

    #[test]
    fn that_host_differs_from_itself_is_no_paths_fault() {
        let mut found = compare_runs(&run(0.8, 1.0, "6.1"), &run(0.8, 1.0, "6.1"));
        for change in &mut found.changes {
            change.is_worse = change.path == "control";
        }
        assert!(!found.is_worse());
    }

    /// By chance one in twenty is, so one of many has to be clearer than one alone.
    #[test]
    fn of_many_paths_one_is_not_called_worse_by_chance() {
        let samples = |values: &[f64]| -> Vec<Value> {
            values.iter().map(|value| serde_json::json!({"value": value})).collect()
        };
        let run = |paths: usize, values: &[f64]| {
            let path = |number| serde_json::json!({"path": format!("p{number}"), "samples": samples(values)});
            let mut all: Vec<Value> = (0..paths).map(path).collect();
            all.push(serde_json::json!({"path": "host", "samples": samples(&[1.0; 9])}));
            let document = serde_json::json!({
                "schema": "pcapsule.bench", "version": 1, "scenario": {}, "environment": {},
                "cells": [{"test": "tcp", "placement": "two", "paths": all}],
            });
            Run::read(&document.to_string()).unwrap()
        };
        let before = [0.96, 0.97, 0.98, 0.99, 1.0, 1.01, 1.02, 1.03, 1.04];
        let after = before.map(|value| value - 0.045);
        assert!(compare_runs(&run(1, &before), &run(1, &after)).is_worse());
        assert!(!compare_runs(&run(25, &before), &run(25, &after)).is_worse());
        assert!(compare_runs(&run(25, &before), &run(25, &[0.5; 9])).is_worse());
    }

    #[test]
    fn what_else_differs_is_said() {
        let mut after = run(0.8, 1.0, "6.18");
        after.scenario.insert("write_bytes".to_owned(), 1.into());
        after.scenario.insert("seed".to_owned(), 9.into());
        after.cells[0].paths[2].path = "veth".to_owned();
        after.partial = true;
        let way =
            |to: &str| RunWay { path: "to-container".to_owned(), from: "web".to_owned(), to: to.to_owned() };
        after.ways = vec![way("cache")];
        let mut before = run(0.8, 1.0, "6.1");
        before.ways = vec![way("db")];
        let doubts = compare_runs(&before, &after).doubts;
        assert_eq!(
            doubts,
            [
                "the settings differ in write_bytes: 131072, then 1",
                "the machines differ in kernel: \"6.1\", then \"6.18\"",
                "to-container led from web to db, then from web to cache",
                "the second was ended before all was measured",
                "tcp (two): bridge has figures in one of them at most",
                "tcp (two): veth is in the second alone",
            ]
        );
    }

    #[test]
    fn other_documents_are_refused() {
        assert!(matches!(Run::read("{"), Err(InvalidRun::Json(_))));
        let schema = Run::read("{\"schema\": \"pcapsule.ls\"}").unwrap_err();
        assert!(schema.to_string().contains("'pcapsule.ls'"));
        let of_version = |version| {
            let document = serde_json::json!({
                "schema": "pcapsule.bench", "version": version, "scenario": {}, "environment": {}, "cells": [],
            });
            Run::read(&document.to_string())
        };
        assert!(of_version(1).is_ok() && of_version(2).is_ok());
        assert!(matches!(of_version(3), Err(InvalidRun::Version(3))));
    }
}
