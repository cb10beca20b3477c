//! What `bench --explain` prints: a thing a line, what it adds, and where that lies between host mode and all of it.

use std::io;

use crate::bench::{Finding, Kind, Quantity, Step, Waterfall};

use super::figures::{figure, placed};
use super::grid::{Grid, Layout};

const THING: &str = "THING";
const ADDS: &str = "ADDS";
const SUM: &str = "SUM";
const PICTURE: &str = "FROM HOST MODE";

/// Columns of a picture.
const WIDTH: usize = 32;

/// Writes one for each test and placement.
pub(super) fn waterfalls(found: &[Waterfall], layout: Layout, out: &mut impl io::Write) -> io::Result<()> {
    for (number, waterfall) in found.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        write_one(waterfall, layout, out)?;
    }
    Ok(())
}

fn write_one(waterfall: &Waterfall, layout: Layout, out: &mut impl io::Write) -> io::Result<()> {
    writeln!(out, "{}", heading(waterfall))?;
    let unit = unit(waterfall.quantity);
    let scale = Scale::of(waterfall);
    let mut grid = Grid::new(&[THING, ADDS, SUM, PICTURE]);
    let base = waterfall.base.median;
    grid.push(vec!["host mode: loopback".to_owned(), String::new(), figure(base / unit), scale.mark(base)]);
    for step in waterfall.steps.iter().filter(|step| step.kind == Kind::Step) {
        grid.push(row(step, unit, &scale));
    }
    if waterfall.steps.iter().any(|step| step.kind == Kind::Change) {
        grid.push(vec!["one thing changed:".to_owned(), String::new(), String::new(), " ".to_owned()]);
    }
    for step in waterfall.steps.iter().filter(|step| step.kind == Kind::Change) {
        grid.push(row(step, unit, &scale));
    }
    grid.write(layout, &[super::grid::Step::Drop(PICTURE), super::grid::Step::Drop(SUM)], out)
}

fn heading(waterfall: &Waterfall) -> String {
    let what = match waterfall.quantity {
        Quantity::RoundTrip => "what each thing adds to a round trip, µs",
        Quantity::CpuPerGigabyte => "what each thing adds to the work for a GB, core-milliseconds",
        Quantity::CpuPerOperation => "what each thing adds to the work for one, core-µs",
    };
    format!("{}: {what}; {}", waterfall.test, placed(waterfall.placement))
}

/// The unit of the figures, in that of the quantity.
fn unit(quantity: Quantity) -> f64 {
    match quantity {
        Quantity::RoundTrip | Quantity::CpuPerOperation => 1e3,
        Quantity::CpuPerGigabyte => 1e6,
    }
}

fn row(step: &Step, unit: f64, scale: &Scale) -> Vec<String> {
    let before = step.total.median - step.adds.median;
    let words = match step.kind {
        Kind::Step => format!("+ {}", step.words),
        Kind::Change => format!("  {}", step.words),
    };
    let total = step.total.median;
    let picture = match step.finding {
        Finding::NothingSeen { .. } => scale.mark(total),
        Finding::Costs | Finding::Saves => scale.bar(before, total),
    };
    vec![words, adds(step, unit), figure(total / unit), picture]
}

/// In units of the figures: what a step adds, with its interval, or that nothing was seen.
pub(super) fn adds(step: &Step, unit: f64) -> String {
    let signed = |value: f64| {
        let sign = if value < 0.0 { "−" } else { "+" };
        format!("{sign}{}", figure(value.abs() / unit))
    };
    let interval = step.adds;
    match step.finding {
        Finding::NothingSeen { within } => format!("nothing seen (±{})", figure(within / unit)),
        Finding::Costs | Finding::Saves => {
            format!("{} ({} to {})", signed(interval.median), signed(interval.low), signed(interval.high))
        }
    }
}

/// From the least to the largest sum of the way itself; what is far beyond it runs off.
#[derive(Debug)]
struct Scale {
    least: f64,
    most: f64,
}

impl Scale {
    fn of(waterfall: &Waterfall) -> Self {
        let base = waterfall.base.median;
        let sums = |kind| {
            let steps = waterfall.steps.iter().filter(move |step| step.kind == kind);
            steps.map(|step| step.total.median)
        };
        let least = sums(Kind::Step).fold(base, f64::min);
        let way = sums(Kind::Step).fold(base, f64::max);
        // Changes have room for as much again.
        let most = sums(Kind::Change).fold(way, f64::max).min(least + 2.0 * (way - least));
        Self { least, most }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a column of a picture"
    )]
    fn column(&self, value: f64) -> usize {
        let length = self.most - self.least;
        if length <= 0.0 {
            return 0;
        }
        (((value - self.least) / length).clamp(0.0, 1.0) * WIDTH as f64).round() as usize
    }

    /// Where a sum is.
    fn mark(&self, value: f64) -> String {
        format!("{}│", " ".repeat(self.column(value).min(WIDTH - 1)))
    }

    /// A bar between two sums; a loss is dark, a gain light, and what runs off ends in an arrow.
    fn bar(&self, from: f64, to: f64) -> String {
        let (start, end) = (self.column(from.min(to)).min(WIDTH - 1), self.column(from.max(to)));
        let mark = if to < from { "░" } else { "█" };
        let length = end.saturating_sub(start);
        if length == 0 {
            return self.mark(to);
        }
        let is_off = from.max(to) > self.least + (self.most - self.least) * 1.001;
        format!("{}{}{}", " ".repeat(start), mark.repeat(length), if is_off { "▶" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::bench_fixture::waterfall;
    use crate::report::{Headings, Width};

    #[test]
    fn things_stand_under_each_other_with_their_costs() {
        let mut out = Vec::new();
        let layout = Layout { width: Width::Unlimited, headings: Headings::Plain };
        waterfalls(&[waterfall()], layout, &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }

    #[test]
    fn what_is_far_too_much_runs_off() {
        let scale = Scale { least: 100.0, most: 200.0 };
        assert_eq!(scale.bar(100.0, 150.0), "█".repeat(16));
        assert_eq!(scale.bar(150.0, 150.1).trim_start(), "│");
        assert_eq!(scale.bar(175.0, 150.0).trim_start(), "░".repeat(8));
        assert!(scale.bar(150.0, 900.0).ends_with("█▶") && scale.mark(100.0) == "│");
    }
}
