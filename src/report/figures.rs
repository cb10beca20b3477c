//! Figures of `bench` as they are read: three digits that say something, and words for where the ends were.

use crate::bench::Placement;

/// Three digits that say something.
pub(super) fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a time to be read")]
pub(super) fn microseconds(ns: u64) -> String {
    figure(ns as f64 / 1e3)
}

/// Where both ends were.
pub(super) fn placed(placement: Placement) -> &'static str {
    match placement {
        Placement::One => "both ends on one core",
        Placement::Two => "each end on a core of its own",
        Placement::Free => "ends wherever the kernel puts them",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits() {
        let shown = [0.0123, 1.234, -12.34, 123.4, 1234.5].map(figure);
        assert_eq!(shown, ["0.012", "1.23", "-12.3", "123", "1234"]);
    }
}
