//! Times of round trips: how all of them are distributed, and percentiles, each of as many rounds together as it takes for
//! some to be above it. Pure.

use hdrhistogram::Histogram;
use serde::Serialize;

use super::stats::{FEWEST_ROUNDS, Interval, estimate};

/// As many have to be above a percentile.
const FEWEST_ABOVE: f64 = 10.0;

/// Of one path in one cell, in ns.
#[derive(Debug, Clone)]
pub struct Times {
    all: Histogram<u64>,
    rounds: usize,
    tails: [Tail; 4],
}

/// A percentile of rounds that follow each other.
#[derive(Debug, Clone)]
struct Tail {
    share: f64,
    /// Rounds that together have too few above it so far.
    gathered: Option<Histogram<u64>>,
    values: Vec<f64>,
}

/// Percentiles in ns, each the median of those of single rounds; where these have fewer than ten above, of so many rounds
/// together that they have, and none if that makes fewer than five. How many there were is in their `count`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Percentiles {
    /// Round trips.
    pub count: u64,
    pub p50: Option<Interval>,
    pub p90: Option<Interval>,
    pub p99: Option<Interval>,
    pub p999: Option<Interval>,
    /// The slowest of all, which says nothing of another run.
    pub max: u64,
}

impl Times {
    /// Of the first round.
    pub(super) fn new(first: Histogram<u64>) -> Self {
        let tail = |share| Tail { share, gathered: None, values: Vec::new() };
        let mut tails = [0.5, 0.9, 0.99, 0.999].map(tail);
        for tail in &mut tails {
            tail.add(&first);
        }
        Self { all: first, rounds: 1, tails }
    }

    /// Adds the next round, whose histogram has the same bounds.
    pub(super) fn add(&mut self, next: &Histogram<u64>) {
        self.tails.iter_mut().for_each(|tail| tail.add(next));
        _ = self.all.add(next);
        self.rounds += 1;
    }

    pub(super) fn percentiles(&self) -> Percentiles {
        let [p50, p90, p99, p999] = self.tails.each_ref().map(|tail| tail.estimate(self.rounds));
        Percentiles { count: self.all.len(), p50, p90, p99, p999, max: self.all.max() }
    }

    /// Pairs: a share, and what so many took at most. Nearer and nearer to the slowest: each step halves what is left in a
    /// few.
    pub(super) fn distribution(&self) -> Vec<(f64, u64)> {
        const STEPS_A_HALF: u32 = 5;
        let points = self.all.iter_quantiles(STEPS_A_HALF);
        points.map(|point| (point.quantile(), point.value_iterated_to())).collect()
    }
}

impl Tail {
    #[expect(clippy::cast_precision_loss, reason = "a time in ns")]
    fn add(&mut self, round: &Histogram<u64>) {
        let mut rounds = self.gathered.take();
        if let Some(rounds) = &mut rounds {
            _ = rounds.add(round);
        }
        match percentile(rounds.as_ref().unwrap_or(round), self.share) {
            Some(value) => self.values.push(value as f64),
            None => self.gathered = rounds.or_else(|| Some(round.clone())),
        }
    }

    /// Where there are few rounds, it has to be of each of them.
    fn estimate(&self, rounds: usize) -> Option<Interval> {
        estimate(&self.values).filter(|found| found.count >= FEWEST_ROUNDS.min(rounds))
    }
}

/// None if too few are above it.
#[expect(clippy::cast_precision_loss, reason = "a count of samples")]
pub(super) fn percentile(times: &Histogram<u64>, share: f64) -> Option<u64> {
    (times.len() as f64 * (1.0 - share) >= FEWEST_ABOVE - 1e-6).then(|| times.value_at_quantile(share))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times from 1 µs up, one of each, by a factor.
    fn round(count: u64, factor: u64) -> Histogram<u64> {
        let mut times = Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap();
        for time in 1..=count {
            times.record(time * 1000 * factor).unwrap();
        }
        times
    }

    fn rounds(count: usize, trips: u64) -> Percentiles {
        let factor = |round: usize| [3, 1, 2][round % 3];
        let mut times = Times::new(round(trips, factor(0)));
        (1..count).for_each(|number| times.add(&round(trips, factor(number))));
        times.percentiles()
    }

    fn counts(found: &Percentiles) -> [Option<usize>; 4] {
        [found.p50, found.p90, found.p99, found.p999].map(|found| Some(found?.count))
    }

    #[test]
    fn a_percentile_is_the_median_of_those_of_the_rounds() {
        let found = rounds(9, 1000);
        let near = |found: f64, expected: f64| (found / expected - 1.0).abs() < 0.002;
        let (p99, p50) = (found.p99.unwrap(), found.p50.unwrap());
        assert!(near(p99.median, 1_980_000.0) && near(p50.median, 1_000_000.0), "{found:?}");
        // Of three speeds by turns, the slowest and the fastest may well be the middle ones of another run.
        assert!(near(p99.low, 990_000.0) && near(p99.high, 2_970_000.0), "{p99:?}");
        assert_eq!((found.count, found.max / 1_000_000), (9000, 3));
    }

    #[test]
    fn rounds_are_taken_together_until_enough_are_above() {
        // 10 of 1000 are above their p99; it takes ten such rounds for as many to be above p99.9.
        assert_eq!(counts(&rounds(9, 1000)), [Some(9), Some(9), Some(9), None]);
        assert_eq!(counts(&rounds(49, 1000)), [Some(49), Some(49), Some(49), None]);
        assert_eq!(counts(&rounds(50, 1000)), [Some(50), Some(50), Some(50), Some(5)]);
        assert_eq!(counts(&rounds(10, 500)), [Some(10), Some(10), Some(5), None]);
    }

    /// One percentile of all of them would be an interval of no width.
    #[test]
    fn of_few_rounds_a_percentile_is_of_each_or_none() {
        assert_eq!(counts(&rounds(2, 1000)), [Some(2), Some(2), Some(2), None]);
        assert_eq!(counts(&rounds(2, 500)), [Some(2), Some(2), None, None]);
        assert_eq!(counts(&rounds(1, 5)), [None; 4]);
    }

    #[test]
    fn the_distribution_is_of_all() {
        let times = Times::new(round(2000, 1));
        let points = times.distribution();
        assert!(points.is_sorted() && points.len() < 200, "{points:?}");
        let middle = points.iter().find(|(share, _)| *share >= 0.5).unwrap().1;
        assert!((990_000..1_010_000).contains(&middle), "{middle}");
    }
}
