//! Medians, and between what bounds they would come again (percentile bootstrap, 95 %, and never narrower than what holds
//! whatever the samples are like).

use std::f64::consts::LN_2;

use serde::Serialize;

use crate::bench::random::Random;

/// How often samples are drawn again.
const RESAMPLES: usize = 2000;

/// What the draws come from.
const SEED: u64 = 0x005e_ed0f_ca11;

/// A median with its 95 % interval, and how many samples it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Interval {
    pub median: f64,
    pub low: f64,
    pub high: f64,
    pub count: usize,
}

impl Interval {
    /// Whether a value is inside.
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// The farther of both bounds from a value.
    pub fn farthest_from(&self, value: f64) -> f64 {
        (self.low - value).abs().max((self.high - value).abs())
    }
}

/// The middle one, or half-way between the middle two; none of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The value below which that share (0 to 1) of the others lie, between two neighbours in proportion.
pub fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile_of_sorted(&sorted, share)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a place in a list of samples"
)]
fn quantile_of_sorted(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share.clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64))
}

/// The median of the samples with its interval; none of nothing. The same samples give the same interval.
pub fn estimate(values: &[f64]) -> Option<Interval> {
    let (middle, (low, high)) = (median(values)?, sure_bounds(values)?);
    let (mut random, mut again) = (Random::new(SEED), Again::of(values));
    let mut medians: Vec<f64> = (0..RESAMPLES).map(|_| again.median(&mut random)).collect();
    medians.sort_by(f64::total_cmp);
    let bound = |share| quantile_of_sorted(&medians, share).unwrap_or(middle);
    Some(Interval {
        median: middle,
        low: bound(TAIL).min(low),
        high: bound(1.0 - TAIL).max(high),
        count: values.len(),
    })
}

/// Samples, of which as many are drawn again with repetition.
#[derive(Debug)]
struct Again {
    sorted: Vec<f64>,
    /// How often each was drawn.
    drawn: Vec<usize>,
}

impl Again {
    fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Self { drawn: vec![0; sorted.len()], sorted }
    }

    /// The median of a draw. Counting is quicker than sorting: there are many figures, and thousands of draws for each.
    fn median(&mut self, random: &mut Random) -> f64 {
        let count = self.sorted.len();
        self.drawn.fill(0);
        (0..count).for_each(|_| self.drawn[random.below(count)] += 1);
        let at = |place| {
            let mut seen = 0;
            let is_there = |drawn: &usize| {
                seen += drawn;
                seen > place
            };
            self.sorted[self.drawn.iter().position(is_there).unwrap_or(0)]
        };
        f64::midpoint(at((count - 1) / 2), at(count / 2))
    }
}

/// What is outside of an interval at each end.
const TAIL: f64 = 0.025;

/// The two samples between which the true median is in 95 of 100 cases, however the samples are distributed: so few ways
/// there are for so many of them to fall on one side of it (as in the sign test). Five and fewer have no such two: the
/// least and the largest. Resampled medians alone hold it in 87 of 100 cases where there are seven samples, in 91 where
/// there are 23.
#[expect(clippy::cast_precision_loss, reason = "a count of samples")]
fn sure_bounds(values: &[f64]) -> Option<(f64, f64)> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len();
    // The share of the ways in which `below` samples are on one side, as a logarithm: it is too small for a number soon.
    let (mut log_share, mut sum, mut below) = (-(count as f64) * LN_2, 0.0, 0);
    while below < count / 2 {
        sum += log_share.exp();
        if sum > TAIL {
            break;
        }
        log_share += ((count - below) as f64 / (below + 1) as f64).ln();
        below += 1;
    }
    let place = below.saturating_sub(1);
    Some((*sorted.get(place)?, sorted[count - 1 - place]))
}

/// The ratio of two medians of runs that have no rounds in common; none where there is nothing, or nothing to divide by.
/// Where it is one of several, the interval is so wide that all of theirs together hold in 95 of 100 cases (Bonferroni).
#[expect(clippy::cast_precision_loss, reason = "a count of comparisons")]
pub fn ratio_of_medians(values: &[f64], base: &[f64], among: usize) -> Option<Interval> {
    let divided = |value: f64, base: f64| (base > 0.0).then(|| value / base);
    let middle = divided(median(values)?, median(base)?)?;
    let (mut random, mut again, mut again_base) = (Random::new(SEED), Again::of(values), Again::of(base));
    let mut ratio = || divided(again.median(&mut random), again_base.median(&mut random));
    // Farther out there are fewer to tell by.
    let resamples = RESAMPLES * among.clamp(1, 5);
    let mut ratios: Vec<f64> = (0..resamples).filter_map(|_| ratio()).collect();
    ratios.sort_by(f64::total_cmp);
    let bound = |share| quantile_of_sorted(&ratios, share).unwrap_or(middle);
    let (tail, count) = (TAIL / among.max(1) as f64, values.len().min(base.len()));
    Some(Interval { median: middle, low: bound(tail), high: bound(1.0 - tail), count })
}

/// The ratio of the sums of all rounds, where single rounds have counted too coarsely for a median: in `median`, and by rounds
/// drawn again. Each has two looks at a clock that goes in steps, in the unit of the first of a pair; together they are off by
/// the root of their number of such steps at most in 95 of 100 cases, and the interval is no narrower than that.
#[expect(clippy::cast_precision_loss, reason = "a count of samples")]
pub fn ratio_of_sums(rounds: &[(f64, f64)], step: f64) -> Option<Interval> {
    let ratio = |rounds: &mut dyn Iterator<Item = (f64, f64)>| {
        let (value, base) = rounds.fold((0.0, 0.0), |sum, round| (sum.0 + round.0, sum.1 + round.1));
        (base > 0.0).then(|| (value / base, base))
    };
    let count = rounds.len();
    let (middle, base) = ratio(&mut rounds.iter().copied())?;
    let mut random = Random::new(SEED);
    let mut again = || ratio(&mut (0..count).map(|_| rounds[random.below(count)]));
    let mut ratios: Vec<f64> = (0..RESAMPLES).filter_map(|_| Some(again()?.0)).collect();
    ratios.sort_by(f64::total_cmp);
    let bound = |share| quantile_of_sorted(&ratios, share).unwrap_or(middle);
    let off = step * (count as f64).sqrt() / base;
    Some(Interval {
        median: middle,
        low: bound(TAIL).min(middle - off).max(0.0),
        high: bound(1.0 - TAIL).max(middle + off),
        count,
    })
}

/// The ratio within each round that has both; what divides by nothing is left out.
pub fn paired_ratios(values: &[Option<f64>], base: &[Option<f64>]) -> Vec<f64> {
    let pairs = values.iter().zip(base).filter_map(|pair| match pair {
        (Some(value), Some(base)) if *base > 0.0 => Some(value / base),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 1e-9
    }

    #[test]
    fn the_median_is_in_the_middle() {
        for (values, expected) in
            [(vec![3.0, 1.0, 2.0], 2.0), (vec![4.0, 1.0, 2.0, 3.0], 2.5), (vec![7.0], 7.0)]
        {
            assert!(near(median(&values).unwrap(), expected), "{values:?}");
        }
        assert_eq!(median(&[]), None);
        assert!(near(quantile(&[0.0, 10.0], 0.25).unwrap(), 2.5));
    }

    #[test]
    fn equal_samples_have_no_spread() {
        let found = estimate(&[5.0; 20]).unwrap();
        assert!(near(found.low, 5.0) && near(found.high, 5.0) && found.count == 20);
    }

    #[test]
    fn an_outlier_does_not_move_the_median_far() {
        let mut values: Vec<f64> = (0..19).map(|n| 100.0 + f64::from(n % 3)).collect();
        values.push(10_000.0);
        let found = estimate(&values).unwrap();
        assert!(found.median < 102.0 && found.high < 103.0, "{found:?}");
    }

    /// The interval has to hold the true median in about 95 of 100 experiments, of few samples too.
    #[test]
    fn intervals_hold_what_they_promise() {
        let mut random = Random::new(99);
        for count in [5, 7, 13, 23, 30] {
            let mut held = 0;
            for _ in 0..400 {
                // Between 0 and 1, all alike: the true median is one half.
                let values: Vec<f64> =
                    (0..count).map(|_| f64::from(u32::try_from(random.below(1 << 20)).unwrap())).collect();
                let half = f64::from(1_u32 << 19);
                held += i32::from(estimate(&values).unwrap().contains(half));
            }
            assert!((372..=398).contains(&held), "{held} of 400 by {count} samples");
        }
    }

    #[test]
    fn a_draw_has_the_median_of_what_was_drawn() {
        let mut random = Random::new(3);
        for count in [1, 2, 3, 8, 9] {
            let values: Vec<f64> = (0..count).map(|n| f64::from(n * n)).collect();
            let mut again = Again::of(&values);
            for _ in 0..50 {
                let found = again.median(&mut random);
                let drawn: Vec<f64> = (values.iter().zip(&again.drawn))
                    .flat_map(|(value, times)| std::iter::repeat_n(*value, *times))
                    .collect();
                assert_eq!(drawn.len(), values.len());
                assert!(near(found, median(&drawn).unwrap()), "{found} of {drawn:?}");
            }
        }
    }

    /// The ranks of tables of the sign test.
    #[test]
    fn sure_bounds_are_those_of_the_sign_test() {
        for (count, low, high) in
            [(1, 0, 0), (5, 0, 4), (7, 0, 6), (9, 1, 7), (20, 5, 14), (25, 7, 17), (4000, 1937, 2062)]
        {
            let values: Vec<f64> = (0..count).map(f64::from).collect();
            assert_eq!(sure_bounds(&values), Some((f64::from(low), f64::from(high))), "{count}");
        }
        assert_eq!(sure_bounds(&[]), None);
    }

    #[test]
    fn a_ratio_of_two_runs_has_the_spread_of_both() {
        let (steady, wide) = ([10.0; 20], (0..20).map(|n| 15.0 + f64::from(n % 11)).collect::<Vec<_>>());
        let found = ratio_of_medians(&wide, &steady, 1).unwrap();
        assert!(near(found.median, median(&wide).unwrap() / 10.0) && found.low < found.median);
        let turned = ratio_of_medians(&steady, &wide, 1).unwrap();
        assert!(near(turned.median * found.median, 1.0) && turned.high > turned.median);
        assert_eq!(ratio_of_medians(&wide, &[], 1), None);
        assert_eq!(ratio_of_medians(&wide, &[0.0; 3], 1), None);
    }

    /// Rounds of 12 ms each, by a clock that shows hundredths: 10 or 20.
    #[test]
    fn what_is_counted_coarsely_is_taken_together() {
        let mut random = Random::new(11);
        let mut held = 0;
        for _ in 0..400 {
            let mut shown = || if random.below(10) < 2 { 20.0 } else { 10.0 };
            let rounds: Vec<(f64, f64)> = (0..11).map(|_| (shown(), 1.0)).collect();
            held += i32::from(ratio_of_sums(&rounds, 10.0).unwrap().contains(12.0));
        }
        assert!(held >= 380, "{held} of 400");
        let found = ratio_of_sums(&[(0.0, 2.0); 16], 10.0).unwrap();
        assert!(
            near(found.median, 0.0) && near(found.low, 0.0) && near(found.high, 40.0 / 32.0),
            "{found:?}"
        );
        assert_eq!((ratio_of_sums(&[], 1.0), ratio_of_sums(&[(1.0, 0.0)], 1.0)), (None, None));
    }

    #[test]
    fn ratios_are_of_one_round() {
        let path = [Some(5.0), None, Some(8.0), Some(1.0)];
        let host = [Some(10.0), Some(1.0), Some(4.0), Some(0.0)];
        assert_eq!(paired_ratios(&path, &host), [0.5, 2.0]);
    }
}
