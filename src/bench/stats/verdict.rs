//! Whether a path differs from the base, said only where the samples, and the comparison of the base with itself, allow.

use serde::Serialize;

use super::Interval;

/// What may be said of a ratio.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Verdict {
    /// No difference was seen; one of up to this share may be there all the same.
    NoDifferenceSeen {
        within: f64,
    },
    Lower,
    Higher,
    /// Fewer rounds than have an interval.
    TooFewRounds,
}

/// Fewer say nothing about spread: one sample is an interval of no width.
pub const FEWEST_ROUNDS: usize = 5;

/// Judges a ratio by its interval. `control` is the ratio of the base to itself: what is not farther from 1 than that
/// strays from it is no difference.
pub fn verdict(ratio: Interval, control: Option<Interval>) -> Verdict {
    if ratio.count < FEWEST_ROUNDS {
        return Verdict::TooFewRounds;
    }
    let stray = control.map_or(0.0, |control| (control.median - 1.0).abs());
    let unsure = Verdict::NoDifferenceSeen { within: ratio.farthest_from(1.0).max(stray) };
    if ratio.high < 1.0 - stray {
        Verdict::Lower
    } else if ratio.low > 1.0 + stray {
        Verdict::Higher
    } else {
        unsure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(low: f64, median: f64, high: f64) -> Interval {
        Interval { median, low, high, count: 30 }
    }

    #[test]
    fn a_difference_is_called_outside_the_interval_alone() {
        assert_eq!(verdict(ratio(0.6, 0.7, 0.8), None), Verdict::Lower);
        assert_eq!(verdict(ratio(1.1, 1.2, 1.3), None), Verdict::Higher);
        let Verdict::NoDifferenceSeen { within } = verdict(ratio(0.98, 1.0, 1.03), None) else { panic!() };
        assert!((within - 0.03).abs() < 1e-9);
    }

    #[test]
    fn of_few_rounds_nothing_is_said() {
        for (count, expected) in [(1, Verdict::TooFewRounds), (4, Verdict::TooFewRounds), (5, Verdict::Lower)]
        {
            assert_eq!(verdict(Interval { count, ..ratio(0.7, 0.7, 0.7) }, None), expected);
        }
    }

    #[test]
    fn where_the_base_differs_from_itself_nothing_smaller_is_called() {
        let control = Some(ratio(0.9, 0.95, 0.99));
        assert!(matches!(verdict(ratio(0.94, 0.96, 0.98), control), Verdict::NoDifferenceSeen { .. }));
        assert_eq!(verdict(ratio(0.6, 0.7, 0.8), control), Verdict::Lower);
    }
}
