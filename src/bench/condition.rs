//! A condition under which a run counts as failed, such as `tcp:bridge/host < 0.7` or `latency.p99:bridge/host > 2`: read,
//! and held against what was measured. Pure.

use std::{fmt, str::FromStr};

use super::outcome::{CellOutcome, Figure, Outcome};
use super::path::Path;
use super::scenario::{Cell, Placement, Scenario, Test};
use super::stats::{FEWEST_ROUNDS, Interval, estimate, paired_ratios};

/// What a ratio must not be.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    test: Option<Test>,
    figure: Figure,
    placement: Option<Placement>,
    path: Path,
    base: Path,
    relation: Relation,
    bound: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Below,
    Above,
}

/// Not a condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0}; a condition is [TEST[.FIGURE][@PLACEMENT]:]PATH/PATH < NUMBER, or >, as in 'tcp:bridge/host < 0.7'"
)]
pub struct InvalidCondition(String);

/// What a condition comes to in one cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ruling {
    /// The cell.
    pub cell: Cell,
    /// The ratio in question; none if there is none, as where a path has failed.
    pub ratio: Option<Interval>,
    /// Whether it is so.
    pub answer: Answer,
}

/// Whether something is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// All of the interval says so.
    Yes,
    /// None of it does.
    No,
    /// Some of it does.
    Unsure,
}

impl FromStr for Condition {
    type Err = InvalidCondition;

    fn from_str(text: &str) -> Result<Self, InvalidCondition> {
        let invalid = |why: String| InvalidCondition(why);
        let at = text.find(['<', '>']).ok_or_else(|| invalid(format!("'{text}' compares nothing")))?;
        let (left, right) = (text[..at].trim(), text[at + 1..].trim());
        let relation = if text[at..].starts_with('<') { Relation::Below } else { Relation::Above };
        let bound: f64 = right.parse().map_err(|_| invalid(format!("'{right}' is not a number")))?;
        if !bound.is_finite() || bound <= 0.0 {
            return Err(invalid(format!("a ratio is above 0, which {right} is not")));
        }
        let (place, paths) = left.split_once(':').map_or((None, left), |(place, paths)| (Some(place), paths));
        let (path, base) =
            paths.split_once('/').ok_or_else(|| invalid(format!("'{paths}' is not a ratio")))?;
        let path_of =
            |word: &str| word.trim().parse::<Path>().map_err(|unknown| invalid(unknown.to_string()));
        let condition = Self {
            test: None,
            figure: Figure::Value,
            placement: None,
            path: path_of(path)?,
            base: path_of(base)?,
            relation,
            bound,
        };
        place.map_or(Ok(condition.clone()), |place| condition.at(place))
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(test) = self.test {
            write!(f, "{test}")?;
            if self.figure != Figure::Value {
                write!(f, ".{}", self.figure)?;
            }
            if let Some(placement) = self.placement {
                write!(f, "@{placement}")?;
            }
            f.write_str(":")?;
        }
        let relation = match self.relation {
            Relation::Below => '<',
            Relation::Above => '>',
        };
        write!(f, "{}/{} {relation} {}", self.path, self.base, self.bound)
    }
}

impl Condition {
    /// `tcp`, `tcp@one`, or `tcp.cpu@one`.
    fn at(self, place: &str) -> Result<Self, InvalidCondition> {
        let unknown = |unknown: super::UnknownWord| InvalidCondition(unknown.to_string());
        let (place, placement) = place.split_once('@').map_or((place, None), |(place, at)| (place, Some(at)));
        let (test, figure) = place.split_once('.').map_or((place, "value"), |(test, figure)| (test, figure));
        Ok(Self {
            test: Some(test.trim().parse().map_err(unknown)?),
            figure: figure.trim().parse().map_err(unknown)?,
            placement: placement.map(|word| word.trim().parse()).transpose().map_err(unknown)?,
            ..self
        })
    }

    /// What it speaks of that will not be measured; none if it can be judged.
    pub fn lacks(&self, scenario: &Scenario) -> Option<String> {
        let is_measured =
            |path: Path| matches!(path, Path::Host | Path::Control) || scenario.paths.contains(&path);
        if let Some(path) = [self.path, self.base].into_iter().find(|path| !is_measured(*path)) {
            return Some(format!("'{self}' cannot be judged: the path {path} is not measured"));
        }
        if let Some(test) = self.test.filter(|test| !self.figure.is_of(*test)) {
            return Some(format!("'{self}' cannot be judged: {test} has no {}", self.figure));
        }
        let has_cell = scenario.cells.iter().any(|cell| self.is_of(*cell));
        (!has_cell).then(|| format!("'{self}' cannot be judged: that test is not made"))
    }

    /// Its answers in every cell it is about.
    pub fn judge(&self, outcome: &Outcome) -> Vec<Ruling> {
        let cells = outcome.cells.iter().filter(|cell| self.is_of(cell_of(cell)));
        cells.map(|cell| self.rule(cell)).collect()
    }

    fn is_of(&self, cell: Cell) -> bool {
        self.test.is_none_or(|test| test == cell.test)
            && self.placement.is_none_or(|placement| placement == cell.placement)
    }

    fn rule(&self, cell: &CellOutcome) -> Ruling {
        let figures = |path| cell.figures(self.figure, path);
        let ratio = estimate(&paired_ratios(&figures(self.path), &figures(self.base)));
        let answer = ratio.map_or(Answer::Unsure, |ratio| self.answer(ratio));
        Ruling { cell: cell_of(cell), ratio, answer }
    }

    fn answer(&self, ratio: Interval) -> Answer {
        if ratio.count < FEWEST_ROUNDS {
            return Answer::Unsure;
        }
        let is_so = |value: f64| match self.relation {
            Relation::Below => value < self.bound,
            Relation::Above => value > self.bound,
        };
        match (is_so(ratio.low), is_so(ratio.high)) {
            (true, true) => Answer::Yes,
            (false, false) => Answer::No,
            _ => Answer::Unsure,
        }
    }
}

fn cell_of(cell: &CellOutcome) -> Cell {
    Cell { test: cell.test, placement: cell.placement }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::outcome::{PathOutcome, Sample};

    #[test]
    fn what_is_read_is_shown_again() {
        for text in [
            "bridge/host < 0.7",
            "latency@one:proxy/bridge > 3",
            "tcp:veth/host < 0.95",
            "latency.p99@one:veth/host > 2",
        ] {
            assert_eq!(text.parse::<Condition>().unwrap().to_string(), text);
        }
        let tight: Condition = "tcp@two:bridge/host<.7".parse().unwrap();
        assert_eq!(tight.to_string(), "tcp@two:bridge/host < 0.7");
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        for (text, why) in [
            ("bridge/host", "compares nothing"),
            ("bridge < 0.7", "'bridge' is not a ratio"),
            ("bridge/host < much", "'much' is not a number"),
            ("bridge/host < -1", "a ratio is above 0"),
            ("bridge/host < nan", "a ratio is above 0"),
            ("brigde/host < 1", "'brigde' is none of host, control"),
            ("speed:bridge/host < 1", "'speed' is none of tcp"),
            ("tcp@both:bridge/host < 1", "'both' is none of one"),
            ("tcp.p98:bridge/host < 1", "'p98' is none of value, p99, cpu"),
        ] {
            let refusal = text.parse::<Condition>().unwrap_err().to_string();
            assert!(refusal.contains(why) && refusal.contains("as in"), "{refusal}");
        }
    }

    fn cell(bridge: &[f64]) -> CellOutcome {
        let path = |path, values: &[f64]| PathOutcome {
            path,
            samples: values.iter().map(|value| Some(Sample { value: *value, ..Sample::default() })).collect(),
            failure: None,
            times: None,
        };
        let paths = vec![path(Path::Host, &[10.0; 6]), path(Path::Bridge, bridge)];
        CellOutcome { test: Test::Tcp, placement: Placement::Two, elapsed_ns: 0, others_ns: None, paths }
    }

    #[test]
    fn only_what_is_sure_is_a_yes() {
        let condition: Condition = "bridge/host < 0.7".parse().unwrap();
        for (bridge, answer) in [
            (&[6.0, 6.1, 6.2, 6.1, 6.0, 6.1][..], Answer::Yes),
            (&[8.0, 8.1, 8.2, 8.1, 8.0, 8.1], Answer::No),
            (&[6.0, 8.0, 6.2, 7.9, 6.5, 7.5], Answer::Unsure),
            (&[6.0, 6.1, 6.2], Answer::Unsure),
        ] {
            assert_eq!(condition.rule(&cell(bridge)).answer, answer, "{bridge:?}");
        }
        let other: Condition = "veth/host < 0.7".parse().unwrap();
        let ruling = other.rule(&cell(&[6.0; 6]));
        assert_eq!((ruling.ratio, ruling.answer), (None, Answer::Unsure));
    }

    #[test]
    fn a_condition_may_be_about_another_figure() {
        let mut cell = cell(&[10.0; 6]);
        cell.test = Test::Latency;
        for sample in cell.paths.iter_mut().flat_map(|path| &mut path.samples).flatten() {
            sample.operations = 1;
            sample.client_cpu_ns = 10;
            sample.p99_ns = Some(10);
        }
        for sample in cell.paths[1].samples.iter_mut().flatten() {
            sample.client_cpu_ns = 15;
            sample.server_cpu_ns = 15;
            sample.p99_ns = Some(25);
        }
        let ratio = |text: &str| text.parse::<Condition>().unwrap().rule(&cell).ratio;
        let median = |text: &str| ratio(text).map(|ratio| (ratio.median * 10.0).round());
        assert_eq!(median("latency:bridge/host > 2"), Some(10.0));
        assert_eq!(median("latency.p99:bridge/host > 2"), Some(25.0));
        assert_eq!(median("latency.cpu:bridge/host > 2"), Some(30.0));
        // Too few round trips to have a p99.
        cell.paths[1].samples.iter_mut().flatten().for_each(|sample| sample.p99_ns = None);
        let ruling = "latency.p99:bridge/host > 2".parse::<Condition>().unwrap().rule(&cell);
        assert_eq!((ruling.ratio, ruling.answer), (None, Answer::Unsure));
    }

    #[test]
    fn a_condition_is_about_its_own_cells() {
        let at = |text: &str| {
            text.parse::<Condition>().unwrap().is_of(Cell { test: Test::Tcp, placement: Placement::Two })
        };
        assert!(at("bridge/host < 1") && at("tcp:bridge/host < 1") && at("tcp@two:bridge/host < 1"));
        assert!(!at("udp:bridge/host < 1") && !at("tcp@one:bridge/host < 1"));
    }
}
