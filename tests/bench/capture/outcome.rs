//! What a scenario comes to: figures of each contender with their spread, and ratios held against bars. Pure.

use serde::Serialize;

use crate::measure::Sample;

/// Repeated measurements of one thing, one a round.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Series(pub(crate) Vec<f64>);

/// All that a scenario found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    /// The load in words.
    pub(crate) load: String,
    pub(crate) unit: &'static str,
    pub(crate) figures: Vec<Figure>,
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) doubts: Vec<String>,
    pub(crate) samples: Vec<Sample>,
}

/// One contender's measurements.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    pub(crate) contender: String,
    pub(crate) values: Series,
    pub(crate) remark: String,
}

/// A ratio, formed inside each round, and what it is to be.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Verdict {
    pub(crate) claim: String,
    pub(crate) ratios: Series,
    pub(crate) bar: Bar,
    /// The generator came to its end before ours did: the ratio is at least this.
    pub(crate) is_lower_bound: bool,
}

/// What a ratio is to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Bar {
    AtMost(f64),
    AtLeast(f64),
    /// Shown for comparison.
    None,
}

impl Series {
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        match (sorted.len(), sorted.len() / 2) {
            (0, _) => f64::NAN,
            (len, middle) if len % 2 == 0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            (_, middle) => sorted[middle],
        }
    }

    pub(crate) fn min(&self) -> f64 {
        self.0.iter().copied().fold(f64::NAN, f64::min)
    }

    pub(crate) fn max(&self) -> f64 {
        self.0.iter().copied().fold(f64::NAN, f64::max)
    }

    /// This one against another, round by round.
    pub(crate) fn over(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(ours, theirs)| ours / theirs).collect())
    }
}

impl FromIterator<f64> for Series {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl Bar {
    /// Whether a ratio clears it; nothing to clear is none.
    pub(crate) fn is_met_by(self, ratio: f64) -> Option<bool> {
        match self {
            Self::AtMost(bar) => Some(ratio <= bar),
            Self::AtLeast(bar) => Some(ratio >= bar),
            Self::None => None,
        }
    }
}

impl Outcome {
    /// The ratio of two contenders' figures against a bar; none if one of them did not take part.
    pub(crate) fn compare(&mut self, ours: &str, theirs: &str, bar: Bar) {
        let values = |name: &str| {
            self.figures.iter().find(|figure| figure.contender == name).map(|figure| &figure.values)
        };
        if let Some((ours_values, theirs_values)) = values(ours).zip(values(theirs)) {
            let ratios = ours_values.over(theirs_values);
            self.verdicts.push(Verdict {
                claim: format!("{ours} / {theirs}"),
                ratios,
                bar,
                is_lower_bound: false,
            });
        }
    }
}
