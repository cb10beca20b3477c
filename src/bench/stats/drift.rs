//! Whether a series wandered off while it was taken: then its median is one of two machines.

use serde::Serialize;

use super::{Interval, estimate, median};

/// By what factor the last third of a series differs from the first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Drift(pub f64);

/// Fewer samples have no thirds.
const FEWEST: usize = 9;

/// Less is not worth a word.
const WORTH_SAYING: f64 = 0.1;

/// Compares the first third with the last; a drift is where their intervals are apart and the medians differ by more than
/// a tenth.
pub fn drift(values: &[f64]) -> Option<Drift> {
    if values.len() < FEWEST {
        return None;
    }
    let third = values.len() / 3;
    let (first, last) = (&values[..third], &values[values.len() - third..]);
    let (before, after): (Interval, Interval) = (estimate(first)?, estimate(last)?);
    let factor = median(last)? / median(first)?;
    let apart = before.high < after.low || after.high < before.low;
    (apart && (factor - 1.0).abs() > WORTH_SAYING).then_some(Drift(factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_drift_and_noise_is_not() {
        let noise = |n: i32| f64::from((n * 7) % 5);
        let steady: Vec<f64> = (0..30).map(|n| 100.0 + noise(n)).collect();
        let step: Vec<f64> = (0..30).map(|n| if n < 15 { 100.0 } else { 60.0 } + noise(n)).collect();
        assert_eq!(drift(&steady), None);
        assert!(drift(&step).is_some_and(|Drift(factor)| (0.55..0.65).contains(&factor)));
        assert_eq!(drift(&step[..8]), None);
    }
}
