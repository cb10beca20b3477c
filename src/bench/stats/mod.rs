//! What samples say, and how sure that is: medians, intervals by resampling, ratios formed round by round, a verdict that
//! knows 'no difference seen', and signs that the machine was not steady. Pure.

mod drift;
mod interval;
mod verdict;

pub use drift::{Drift, drift};
pub use interval::{Interval, estimate, median, paired_ratios, quantile, ratio_of_medians, ratio_of_sums};
pub use verdict::{FEWEST_ROUNDS, Verdict, verdict};
