//! Figures, ratios and what they come to as text, into any writer.

use std::io::{self, Write};

use crate::outcome::{Bar, Outcome, Series, Verdict};

/// One scenario: its figures, its ratios, its doubts.
pub(crate) fn outcome(out: &mut impl Write, outcome: &Outcome) -> io::Result<()> {
    writeln!(out, "\n{}: {}", outcome.name, outcome.load)?;
    let width = outcome.figures.iter().map(|figure| figure.contender.len()).max().unwrap_or(0);
    for figure in &outcome.figures {
        let name = &figure.contender;
        let spread = spread(&figure.values);
        writeln!(out, "  {name:<width$}  {spread} {}; {}", outcome.unit, figure.remark)?;
    }
    for doubt in &outcome.doubts {
        writeln!(out, "  doubt: {doubt}")?;
    }
    Ok(())
}

/// The ratios of all scenarios against their bars.
pub(crate) fn verdicts(out: &mut impl Write, outcomes: &[Outcome]) -> io::Result<()> {
    writeln!(
        out,
        "\n{:<14} {:<44} {:<36} {:<9} verdict",
        "scenario", "ratio", "median (min–max, rounds)", "bar"
    )?;
    for outcome in outcomes {
        for verdict in &outcome.verdicts {
            let Verdict { claim, ratios, bar, is_lower_bound } = verdict;
            let at_least = if *is_lower_bound { "+" } else { "" };
            let (spread, bar, verdict) = (spread(ratios) + at_least, words(*bar), judge(verdict));
            writeln!(out, "{:<14} {claim:<44} {spread:<36} {bar:<9} {verdict}", outcome.name)?;
        }
    }
    Ok(())
}

fn words(bar: Bar) -> String {
    match bar {
        Bar::AtMost(bar) => format!("≤ {bar:.2}"),
        Bar::AtLeast(bar) => format!("≥ {bar:.2}"),
        Bar::None => "–".to_owned(),
    }
}

fn judge(Verdict { ratios, bar, is_lower_bound, .. }: &Verdict) -> &'static str {
    let all = [ratios.min(), ratios.max()].map(|ratio| bar.is_met_by(ratio));
    match (bar.is_met_by(ratios.median()), all) {
        (None, _) => "",
        (Some(true), [Some(true), Some(true)]) => "met",
        (Some(true), _) => "met, but not in every round",
        (Some(false), _) if *is_lower_bound => "open: the generator came to its end",
        (Some(false), [Some(false), Some(false)]) => "missed",
        (Some(false), _) => "missed, but not in every round",
    }
}

fn spread(series: &Series) -> String {
    let [median, min, max] = [series.median(), series.min(), series.max()].map(short);
    format!("{median} ({min}–{max}, {})", series.0.len())
}

/// Three digits that count.
fn short(value: f64) -> String {
    match value.abs() {
        magnitude if magnitude >= 100.0 => format!("{value:.0}"),
        magnitude if magnitude >= 10.0 => format!("{value:.1}"),
        magnitude if magnitude >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
