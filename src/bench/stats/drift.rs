//! Whether a series wandered off while it was taken: then its median is one of two machines.

use serde::Serialize;

use super::{Interval, estimate, median};

/// By what factor the second half of a series differs from the first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Drift(pub f64);

/// Halves of fewer are apart by chance too often: of three all are above the three others once in ten times, of five once
/// in 126.
const FEWEST: usize = 10;

/// Less is not worth a word.
const WORTH_SAYING: f64 = 0.1;

/// Compares the first half with the second; a drift is where their intervals are apart and the medians differ by more than
/// a tenth.
pub fn drift(values: &[f64]) -> Option<Drift> {
    if values.len() < FEWEST {
        return None;
    }
    let half = values.len() / 2;
    let (first, last) = (&values[..half], &values[values.len() - half..]);
    let (before, after): (Interval, Interval) = (estimate(first)?, estimate(last)?);
    let factor = median(last)? / median(first)?;
    let apart = before.high < after.low || after.high < before.low;
    (apart && (factor - 1.0).abs() > WORTH_SAYING).then_some(Drift(factor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::random::Random;

    #[test]
    fn a_step_is_drift_and_noise_is_not() {
        let noise = |n: i32| f64::from((n * 7) % 5);
        let steady: Vec<f64> = (0..30).map(|n| 100.0 + noise(n)).collect();
        let step: Vec<f64> = (0..30).map(|n| if n < 15 { 100.0 } else { 60.0 } + noise(n)).collect();
        assert_eq!(drift(&steady), None);
        assert!(drift(&step).is_some_and(|Drift(factor)| (0.55..0.65).contains(&factor)));
        assert_eq!(drift(&step[..8]), None);
    }

    #[test]
    fn chance_is_seldom_taken_for_drift() {
        let mut random = Random::new(5);
        for count in [9, 10, 12, 30] {
            let mut sample = || 1000.0 + f64::from(u32::try_from(random.below(1000)).unwrap());
            let mut series = || (0..count).map(|_| sample()).collect::<Vec<_>>();
            let found = (0..400).filter(|_| drift(&series()).is_some()).count();
            assert!(found <= 8, "{found} of 400 series of {count}");
        }
    }
}
