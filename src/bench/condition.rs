//! A condition under which a run counts as failed, such as `tcp:bridge/host < 0.7`: read, and held against what was
//! measured. Pure.

use std::{fmt, str::FromStr};

use super::outcome::{CellOutcome, Outcome};
use super::path::Path;
use super::scenario::{Cell, Placement, Scenario, Test};
use super::stats::{FEWEST_ROUNDS, Interval, estimate, paired_ratios};

/// What a ratio must not be.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    test: Option<Test>,
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
#[error("{0}; a condition is [TEST[@PLACEMENT]:]PATH/PATH < NUMBER, or >, as in 'tcp:bridge/host < 0.7'")]
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
        let (test, placement) = place.map_or(Ok((None, None)), cell)?;
        Ok(Self { test, placement, path: path_of(path)?, base: path_of(base)?, relation, bound })
    }
}

/// `tcp`, or `tcp@one`.
fn cell(text: &str) -> Result<(Option<Test>, Option<Placement>), InvalidCondition> {
    let (test, placement) = text.split_once('@').map_or((text, None), |(test, at)| (test, Some(at)));
    let test =
        test.trim().parse().map_err(|unknown: super::UnknownWord| InvalidCondition(unknown.to_string()))?;
    let placement = placement.map(|word| word.trim().parse());
    let placement =
        placement.transpose().map_err(|unknown: super::UnknownWord| InvalidCondition(unknown.to_string()))?;
    Ok((Some(test), placement))
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(test) = self.test {
            write!(f, "{test}")?;
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
    /// What it speaks of that will not be measured; none if it can be judged.
    pub fn lacks(&self, scenario: &Scenario) -> Option<String> {
        let is_measured =
            |path: Path| matches!(path, Path::Host | Path::Control) || scenario.paths.contains(&path);
        if let Some(path) = [self.path, self.base].into_iter().find(|path| !is_measured(*path)) {
            return Some(format!("'{self}' cannot be judged: the path {path} is not measured"));
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
        let ratio = estimate(&paired_ratios(&cell.values(self.path), &cell.values(self.base)));
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
        for text in ["bridge/host < 0.7", "latency@one:proxy/bridge > 3", "tcp:veth/host < 0.95"] {
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
        CellOutcome { test: Test::Tcp, placement: Placement::Two, paths }
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
    fn a_condition_is_about_its_own_cells() {
        let at = |text: &str| {
            text.parse::<Condition>().unwrap().is_of(Cell { test: Test::Tcp, placement: Placement::Two })
        };
        assert!(at("bridge/host < 1") && at("tcp:bridge/host < 1") && at("tcp@two:bridge/host < 1"));
        assert!(!at("udp:bridge/host < 1") && !at("tcp@one:bridge/host < 1"));
    }
}
