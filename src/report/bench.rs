//! What `bench` prints: a table for each test and placement, host mode first, every figure with its interval.

use std::io;

use crate::bench::{
    CellOutcome, Comparison, Cost, Outcome, Path, Percentiles, Summary, Test, Way, stats::Interval,
    stats::Verdict,
};

use super::figures::{figure, microseconds, placed};
use super::grid::{Grid, Layout, Step, bare};
use super::waterfall::waterfalls;

/// Writes all tables.
pub fn bench(
    outcome: &Outcome,
    summary: &Summary,
    layout: Layout,
    out: &mut impl io::Write,
) -> io::Result<()> {
    writeln!(out, "{}", machine(outcome))?;
    for way in outcome.ways.iter().filter(|way| way.path != Path::ThisHost) {
        writeln!(out, "{}", leads(outcome, way))?;
    }
    for cell in &outcome.cells {
        writeln!(out, "\n{}", heading(outcome, cell))?;
        let of_cell = |found: &&Comparison| (found.test, found.placement) == (cell.test, cell.placement);
        let comparisons: Vec<&Comparison> = summary.comparisons.iter().filter(of_cell).collect();
        table(outcome, cell, &comparisons, layout, out)?;
    }
    if !summary.waterfalls.is_empty() {
        writeln!(out)?;
    }
    waterfalls(&summary.waterfalls, layout, out)
}

/// What it ran on, and how.
pub(super) fn machine(outcome: &Outcome) -> String {
    let environment = &outcome.environment;
    let netfilter = match environment.bridge_netfilter {
        Some(true) => "on",
        Some(false) => "off",
        None => "not there",
    };
    format!(
        "Linux {}, {}, {} cores, {}, br_netfilter {netfilter}; {} rounds of {} ms, seed {}; 95 % intervals",
        environment.kernel,
        environment.processor.as_deref().unwrap_or("unknown processor"),
        environment.cores.len(),
        environment.congestion_control.as_deref().unwrap_or("unknown congestion control"),
        outcome.scenario.rounds,
        outcome.scenario.slice.as_millis(),
        outcome.scenario.seed,
    )
}

/// Where a container's way leads, and what its packets pass.
fn leads(outcome: &Outcome, way: &Way) -> String {
    let links = outcome.environment.links.iter().filter(|link| link.path == way.path);
    let passes: Vec<String> = links.map(|link| format!("{} (MTU {})", link.interface, link.mtu)).collect();
    let at = way.address.map(|address| format!(" at {address}")).unwrap_or_default();
    let through = if passes.is_empty() { String::new() } else { format!(", passes {}", passes.join(", ")) };
    format!("{}{at}{through}", outcome.name(way.path))
}

/// What was done, where, and what the figures are.
pub(super) fn heading(outcome: &Outcome, cell: &CellOutcome) -> String {
    let scenario = &outcome.scenario;
    let streams = if scenario.streams == 1 { String::new() } else { format!("{} × ", scenario.streams) };
    let bytes = scenario.write_bytes;
    let size =
        if bytes.is_multiple_of(1024) { format!("{} KiB", bytes / 1024) } else { format!("{bytes} B") };
    let stream = format!("{streams}{size} writes, {}, Gbit/s, CPU in core-seconds per GB", scenario.method);
    let rounds =
        format!("{} B requests by turns, µs, CPU in core-seconds per 100,000", scenario.message_bytes);
    let datagrams =
        format!("{} B datagrams, thousands/s, CPU in core-seconds per million", scenario.datagram_bytes);
    let what = match cell.test {
        Test::Tcp => format!("TCP client → server, {stream}"),
        Test::TcpDown => format!("TCP server → client, {stream}"),
        Test::TcpBoth => format!("TCP both ways, sum, {stream}"),
        Test::Latency => rounds,
        Test::Paced => format!("{} a second: {rounds}", scenario.rate),
        Test::Connect => {
            "a connection for each request, thousands/s, CPU in core-seconds per 100,000".to_owned()
        }
        Test::Udp | Test::UdpGso => datagrams,
        Test::UdpRate => format!(
            "{} B datagrams at the highest rate with less than 0.1 % lost, thousands/s, jitter in µs",
            scenario.datagram_bytes
        ),
    };
    format!("{}: {what}; {}", cell.test, placed(cell.placement))
}

const PATH: &str = "PATH";
const TO_HOST: &str = "TO HOST";
const MEDIAN: &str = "MEDIAN";
const CPU: &str = "CPU";
const SPLIT: &str = "CLIENT+SERVER+PROXY";
const SOFTIRQ: &str = "SOFTIRQ";
const P99: &str = "P99";
const P999: &str = "P99.9";
const MAX: &str = "MAX";
const LOSS: &str = "LOSS";
const REORDERED: &str = "REORDERED";
const JITTER: &str = "JITTER";
const AGAIN: &str = "RETRANS";

fn table(
    outcome: &Outcome,
    cell: &CellOutcome,
    comparisons: &[&Comparison],
    layout: Layout,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let headings = columns(cell.test);
    let mut grid = Grid::new(&headings);
    for found in comparisons {
        let name = outcome.name(found.path);
        let short = |heading: &&str| match *heading {
            // What explains a figure; the page and the document have its interval.
            SPLIT | SOFTIRQ => bare(&text(heading, &name, found)),
            _ => text(heading, &name, found),
        };
        grid.push(headings.iter().map(short).collect());
    }
    let steps = [
        Step::Drop(SOFTIRQ),
        Step::Drop(SPLIT),
        Step::Bare(P999),
        Step::Bare(LOSS),
        Step::Bare(P99),
        Step::Bare(CPU),
        Step::Drop(AGAIN),
        Step::Drop(MAX),
        Step::Drop(P999),
    ];
    grid.write(layout, &steps, out)
}

/// What there is to say of a test, column by column.
pub(super) fn columns(test: Test) -> Vec<&'static str> {
    let mut headings = vec![PATH, MEDIAN, TO_HOST];
    headings.extend(if test.is_time() { &[P99, P999, MAX][..] } else { &[] });
    headings.extend(match test {
        Test::Udp | Test::UdpGso => &[LOSS][..],
        Test::UdpRate => &[LOSS, REORDERED, JITTER],
        Test::Tcp | Test::TcpDown | Test::TcpBoth => &[AGAIN],
        Test::Latency | Test::Paced | Test::Connect => &[],
    });
    if test != Test::UdpRate {
        headings.extend([CPU, SPLIT, SOFTIRQ]);
    }
    headings
}

/// What stands under a heading.
pub(super) fn text(heading: &str, name: &str, found: &Comparison) -> String {
    let time = |of: fn(&Percentiles) -> Option<Interval>| {
        found.percentiles.as_ref().and_then(of).map(|time| spread(&divided(time, 1e3)))
    };
    let cost = |of: fn(Cost) -> Interval| found.cpu.map(|cost| spread(&of(cost)));
    let count = |count: Option<u64>| count.map(|count| count.to_string());
    let text = match heading {
        PATH => Some(name.to_owned()),
        MEDIAN => Some(spread(&scaled(found))),
        TO_HOST => Some(ratio(found)),
        P99 => time(|times| times.p99),
        P999 => time(|times| times.p999),
        MAX => found.percentiles.map(|times| microseconds(times.max)),
        LOSS => found.loss.map(|loss| share(&loss, if found.test == Test::UdpRate { 3 } else { 1 })),
        REORDERED => count(found.reordered),
        JITTER => found.jitter.map(|jitter| spread(&divided(jitter, 1e3))),
        AGAIN => count(found.retransmissions),
        CPU => cost(|cost| cost.total),
        SPLIT => found.cpu.map(split),
        SOFTIRQ => cost(|cost| cost.softirq),
        _ => None,
    };
    text.unwrap_or_default()
}

/// Both ends, and the proxy where there is one.
fn split(cost: Cost) -> String {
    let proxy = Some(cost.proxy).filter(|proxy| proxy.high > 0.0);
    let parts = [cost.client, cost.server].into_iter().chain(proxy);
    parts.map(|part| spread(&part)).collect::<Vec<_>>().join(" + ")
}

/// In the unit that the heading names.
pub(super) fn scaled(found: &Comparison) -> Interval {
    divided(found.value, size(found.test))
}

/// How large that unit is.
pub(super) fn size(test: Test) -> f64 {
    match test {
        Test::Tcp | Test::TcpDown | Test::TcpBoth => 1e9,
        Test::Latency | Test::Paced | Test::Connect | Test::Udp | Test::UdpGso | Test::UdpRate => 1e3,
    }
}

/// That unit.
pub(super) fn unit(test: Test) -> &'static str {
    match test {
        Test::Tcp | Test::TcpDown | Test::TcpBoth => "Gbit/s",
        Test::Latency | Test::Paced => "µs",
        Test::Connect => "thousand connections/s",
        Test::Udp | Test::UdpGso | Test::UdpRate => "thousand datagrams/s",
    }
}

fn divided(Interval { median, low, high, count }: Interval, unit: f64) -> Interval {
    Interval { median: median / unit, low: low / unit, high: high / unit, count }
}

fn share(share: &Interval, digits: usize) -> String {
    let [middle, low, high] = [share.median, share.low, share.high].map(|share| share * 100.0);
    format!("{middle:.digits$} ({low:.digits$}–{high:.digits$}) %")
}

pub(super) fn spread(interval: &Interval) -> String {
    format!("{} ({}–{})", figure(interval.median), figure(interval.low), figure(interval.high))
}

pub(super) fn ratio(found: &Comparison) -> String {
    let Some(ratio) = found.ratio else { return String::new() };
    let figures = format!("{:.2} ({:.2}–{:.2})", ratio.median, ratio.low, ratio.high);
    match found.verdict {
        Some(Verdict::NoDifferenceSeen { within }) => {
            format!("{figures}: no difference seen (±{:.0} %)", (within * 100.0).ceil())
        }
        Some(Verdict::TooFewRounds) => format!("{figures}: too few rounds"),
        _ => figures,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::bench_fixture::{outcome, summary};
    use crate::report::{Headings, Width};

    fn page(width: Width) -> String {
        let mut out = Vec::new();
        bench(&outcome(), &summary(), Layout { width, headings: Headings::Plain }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_figure_stands_with_its_interval() {
        insta::assert_snapshot!(page(Width::Unlimited));
    }

    #[test]
    fn ways_of_containers_bear_their_names() {
        let mut outcome = outcome();
        outcome.ways = vec![Way::told(Path::Bridge, "web", "db", Some([172, 17, 0, 3].into()))];
        let mut out = Vec::new();
        let layout = Layout { width: Width::Unlimited, headings: Headings::Plain };
        bench(&outcome, &summary(), layout, &mut out).unwrap();
        let page = String::from_utf8(out).unwrap();
        assert!(page.contains("\nweb → db at 172.17.0.3, passes eth0 (MTU 1500)\n"), "{page}");
        assert!(page.lines().any(|line| line.starts_with("web → db  ") && line.contains(" 16.8 ")), "{page}");
    }

    #[test]
    fn a_narrow_page_keeps_the_comparison() {
        // As wide as the table is without the intervals of what stands behind the ratio.
        let wide = page(Width::Columns(111));
        assert!(wide.contains(" 18.6 ") && wide.contains(" 1094 ") && !wide.contains('…'), "{wide}");
        assert!(page(Width::Columns(123)).contains(" 1.38 (1.37–1.39)"), "{}", page(Width::Columns(123)));
        let narrow = page(Width::Columns(72));
        assert!(narrow.contains("1.25 (1.23–1.27)") && !narrow.contains(SOFTIRQ), "{narrow}");
    }
}
