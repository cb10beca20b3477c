//! The plots of a run: bars with their intervals, the distribution of round trips, and what each thing costs.
#![expect(clippy::cast_precision_loss, reason = "places in a picture")]

use crate::bench::{
    CellOutcome, Comparison, Finding, Kind, Outcome, Path, PathOutcome, Quantity, Step, Waterfall,
    stats::Verdict,
};

use super::bench::{ratio, scaled, size, spread, unit};
use super::figures::figure;
use super::svg::{Anchor, Area, Svg, linear_ticks, log_ticks};

/// Of all pictures, in their own units; the page stretches them.
const WIDTH: f64 = 860.0;
const ROW: f64 = 30.0;
const TOP: f64 = 12.0;
const AXIS: f64 = 34.0;

/// What stands left of the bars, and right of them.
const LABELS: f64 = 150.0;
const NOTES: f64 = 250.0;

/// More than this say nothing more.
const MOST_DOTS: usize = 150;

/// Colours of lines that there are; more paths than that repeat them, dashed.
const COLOURS: usize = 8;

/// A place on a line, from values.
#[derive(Debug, Clone, Copy)]
struct Across {
    from: f64,
    length: f64,
    most: f64,
}

impl Across {
    fn at(self, value: f64) -> f64 {
        self.from + self.length * (value / self.most).clamp(0.0, 1.0)
    }
}

/// The class of a path's line.
pub(super) fn colour(place: usize) -> String {
    let dashed = if place >= COLOURS { " dashed" } else { "" };
    format!("line c{}{dashed}", place % COLOURS)
}

/// A bar for each path, with the interval of its median and its ratio to host mode.
/// A dot is a round: what is far from the others is shown, not thrown away.
pub(super) fn bars(outcome: &Outcome, cell: &CellOutcome, found: &[&Comparison]) -> String {
    let Some(test) = found.first().map(|found| found.test) else { return String::new() };
    let rows: Vec<_> = found.iter().map(|found| (*found, scaled(found))).collect();
    let ticks = linear_ticks(rows.iter().map(|(_, value)| value.high).fold(0.0, f64::max));
    let across =
        Across { from: LABELS, length: WIDTH - LABELS - NOTES, most: ticks.last().copied().unwrap_or(1.0) };
    let bottom = TOP + rows.len() as f64 * ROW;
    let mut svg = Svg::new(WIDTH, bottom + AXIS);
    axis(&mut svg, across, &ticks, (bottom, unit(test)));
    for (row, (found, value)) in rows.iter().enumerate() {
        let middle = TOP + (row as f64 + 0.5) * ROW;
        let name = outcome.name(found.path);
        let words = format!("{name}: {} {}", spread(value), unit(test));
        let area = Area {
            x: across.from,
            y: middle - 8.0,
            width: across.at(value.median) - across.from,
            height: 16.0,
        };
        svg.text("label", (LABELS - 8.0, middle + 4.0), Anchor::End, &shortened(&name));
        svg.rect(class_of(found), area, &words);
        for value in dots(cell.path(found.path)) {
            svg.dot("dot", (across.at(value / size(test)), middle + 11.0));
        }
        let (low, high) = (across.at(value.low), across.at(value.high));
        svg.line("whisker", (low, middle), (high, middle));
        for end in [low, high] {
            svg.line("whisker", (end, middle - 4.0), (end, middle + 4.0));
        }
        svg.text("note", (WIDTH - NOTES + 56.0, middle + 4.0), Anchor::End, &figure(value.median));
        svg.text("note", (WIDTH - NOTES + 72.0, middle + 4.0), Anchor::Start, &note(found));
    }
    svg.finish(&format!("{test}: a bar for each path, with 95 % intervals"))
}

/// The values of its rounds; of very many those at even steps from the least to the largest, both of which are there.
fn dots(path: Option<&PathOutcome>) -> Vec<f64> {
    let mut values: Vec<f64> =
        path.into_iter().flat_map(PathOutcome::taken).map(|sample| sample.value).collect();
    if values.len() > MOST_DOTS {
        values.sort_by(f64::total_cmp);
        let last = values.len() - 1;
        values = (0..MOST_DOTS).map(|dot| values[dot * last / (MOST_DOTS - 1)]).collect();
    }
    values
}

fn class_of(found: &Comparison) -> &'static str {
    match (found.path, found.verdict) {
        (Path::Host | Path::Control, _) => "bar base",
        (_, Some(Verdict::NoDifferenceSeen { .. } | Verdict::TooFewRounds)) => "bar same",
        _ => "bar path",
    }
}

fn note(found: &Comparison) -> String {
    match found.verdict {
        Some(Verdict::NoDifferenceSeen { within }) => {
            format!("no difference seen (±{:.0} %)", (within * 100.0).ceil())
        }
        Some(Verdict::TooFewRounds) => "too few rounds".to_owned(),
        _ if found.ratio.is_some() => format!("{} × host", ratio(found)),
        _ => String::new(),
    }
}

fn axis(svg: &mut Svg, across: Across, ticks: &[f64], (bottom, unit): (f64, &str)) {
    for tick in ticks {
        let x = across.at(*tick);
        svg.line("grid", (x, TOP), (x, bottom));
        svg.text("tick", (x, bottom + 14.0), Anchor::Middle, &plain(*tick));
    }
    svg.text("tick", (across.from + across.length / 2.0, bottom + 29.0), Anchor::Middle, unit);
}

/// As short as it can be said.
fn plain(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn shortened(name: &str) -> String {
    const LONGEST: usize = 22;
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    name.chars().take(LONGEST - 1).chain(['…']).collect()
}

/// The share of round trips that took no longer than a time: the time in powers, the share by how few are left.
pub(super) fn distribution(outcome: &Outcome, found: &[&Comparison]) -> Option<String> {
    const HEIGHT: f64 = 300.0;
    const LEFT: f64 = 70.0;
    let series: Vec<&Comparison> = series(found);
    let points = || series.iter().flat_map(|found| &found.distribution);
    let times = points().filter(|(share, _)| *share <= MOST_SHARE).map(|(_, ns)| *ns as f64 / 1e3);
    let (least, most) =
        times.fold((f64::INFINITY, 0.0_f64), |(low, high), time| (low.min(time), high.max(time)));
    if !(least > 0.0 && most > least) {
        return None;
    }
    let (least, most) = (least * 0.95, most * 1.05);
    let x =
        |us: f64| LEFT + (WIDTH - LEFT - 20.0) * (us.clamp(least, most) / least).ln() / (most / least).ln();
    let y = |share: f64| TOP + HEIGHT * (1.0 - nines(share) / nines(MOST_SHARE));
    let mut svg = Svg::new(WIDTH, TOP + HEIGHT + AXIS);
    for (share, words) in
        [(0.0, "0"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (MOST_SHARE, "99.99 %")]
    {
        svg.line("grid", (LEFT, y(share)), (WIDTH - 20.0, y(share)));
        svg.text("tick", (LEFT - 8.0, y(share) + 4.0), Anchor::End, words);
    }
    for tick in log_ticks(least, most) {
        svg.line("grid", (x(tick), TOP), (x(tick), TOP + HEIGHT));
        svg.text("tick", (x(tick), TOP + HEIGHT + 14.0), Anchor::Middle, &plain(tick));
    }
    svg.text("tick", (WIDTH / 2.0, TOP + HEIGHT + 29.0), Anchor::Middle, "µs");
    for (place, found) in series.iter().enumerate() {
        let points: Vec<(f64, f64)> = found
            .distribution
            .iter()
            .filter(|(share, _)| *share <= MOST_SHARE)
            .map(|(share, ns)| (x(*ns as f64 / 1e3), y(*share)))
            .collect();
        svg.path(&colour(place), &points, &outcome.name(found.path));
    }
    Some(svg.finish("share of round trips that took no longer than a time, for each path"))
}

/// The paths that have a line, in the order of their colours.
pub(super) fn series<'a>(found: &[&'a Comparison]) -> Vec<&'a Comparison> {
    let has_line = |found: &&&Comparison| !found.distribution.is_empty() && found.path != Path::Control;
    found.iter().filter(has_line).copied().collect()
}

const MOST_SHARE: f64 = 0.9999;

/// How many nines a share has.
fn nines(share: f64) -> f64 {
    -(1.0 - share.min(MOST_SHARE)).log10()
}

/// What each thing adds, one below the other.
pub(super) fn waterfall(found: &Waterfall) -> String {
    const LABELS: f64 = 312.0;
    const NOTES: f64 = 190.0;
    let (size, unit) = match found.quantity {
        Quantity::RoundTrip => (1e3, "µs a round trip"),
        Quantity::CpuPerGigabyte => (1e6, "core-milliseconds a GB"),
        Quantity::CpuPerOperation => (1e3, "core-µs each"),
    };
    let of_kind = |kind| found.steps.iter().filter(move |step| step.kind == kind);
    let way = of_kind(Kind::Step).map(|step| step.total.high).fold(found.base.high, f64::max);
    let all = found.steps.iter().map(|step| step.total.high).fold(way, f64::max);
    let ticks = linear_ticks(all.min(2.0 * way) / size);
    let across =
        Across { from: LABELS, length: WIDTH - LABELS - NOTES, most: ticks.last().copied().unwrap_or(1.0) };
    let rows = found.steps.len() + 1 + usize::from(of_kind(Kind::Change).next().is_some());
    let bottom = TOP + rows as f64 * ROW;
    let mut svg = Svg::new(WIDTH, bottom + AXIS);
    axis(&mut svg, across, &ticks, (bottom, unit));
    let mut row = Row { svg: &mut svg, across, size, middle: TOP + ROW / 2.0, labels: LABELS };
    row.base(found.base.median);
    for step in of_kind(Kind::Step) {
        row.step(step);
    }
    if of_kind(Kind::Change).next().is_some() {
        row.heading("one thing changed");
    }
    for step in of_kind(Kind::Change) {
        row.step(step);
    }
    svg.finish(&format!("{}: what each thing costs, {unit}", found.test))
}

/// Where the next bar of a waterfall goes.
struct Row<'a> {
    svg: &'a mut Svg,
    across: Across,
    size: f64,
    middle: f64,
    labels: f64,
}

impl Row<'_> {
    fn base(&mut self, base: f64) {
        let words = format!("host mode: {}", figure(base / self.size));
        self.bar("bar base", (0.0, base), &words);
        self.words("host mode: loopback", &figure(base / self.size));
    }

    fn heading(&mut self, words: &str) {
        self.svg.text("heading", (self.labels - 8.0, self.middle + 4.0), Anchor::End, words);
        self.middle += ROW;
    }

    fn step(&mut self, step: &Step) {
        let before = step.total.median - step.adds.median;
        let class = match step.finding {
            Finding::Costs => "bar worse",
            Finding::Saves => "bar better",
            Finding::NothingSeen { .. } => "bar same",
        };
        let adds = super::waterfall::adds(step, self.size);
        self.bar(class, (before, step.total.median), &format!("{}: {adds}", step.words));
        self.words(step.words, &adds);
    }

    fn bar(&mut self, class: &str, (from, to): (f64, f64), hint: &str) {
        let ends = [from, to].map(|value| self.across.at(value / self.size));
        let (left, right) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
        let area = Area { x: left, y: self.middle - 8.0, width: (right - left).max(1.5), height: 16.0 };
        self.svg.rect(class, area, hint);
        if to / self.size > self.across.most {
            let tip = self.across.from + self.across.length;
            let figure = figure(to / self.size);
            self.svg.text("off", (tip - 4.0, self.middle + 4.0), Anchor::End, &format!("{figure} ▶"));
        }
    }

    fn words(&mut self, left: &str, right: &str) {
        self.svg.text("label", (self.labels - 8.0, self.middle + 4.0), Anchor::End, left);
        let x = self.across.from + self.across.length + 12.0;
        self.svg.text("note", (x, self.middle + 4.0), Anchor::Start, right);
        self.middle += ROW;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Sample;

    #[test]
    fn of_very_many_rounds_the_odd_ones_are_drawn_too() {
        let of = |count: u32| {
            let sample = |number| Some(Sample { value: f64::from(number), ..Sample::default() });
            let samples = (0..count).map(sample).collect();
            dots(Some(&PathOutcome { path: Path::Bridge, samples, failure: None, times: None }))
        };
        assert_eq!(of(3), [0.0, 1.0, 2.0]);
        let many = of(1000);
        assert_eq!((many.len(), many[0], many[MOST_DOTS - 1]), (MOST_DOTS, 0.0, 999.0));
    }
}
