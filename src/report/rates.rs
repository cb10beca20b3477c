//! What containers do in a second, as a table under lines that sum it up.

use std::io;

use jiff::{Timestamp, tz::TimeZone};

use crate::meter::{Counting, Metered, PerSecond, Total, total};

use super::grid::{Grid, Layout, Step};

/// One reading of the counters of some containers.
#[derive(Debug)]
pub struct Rates<'a> {
    /// The containers, in the order to show them.
    pub containers: &'a [Metered<'a>],
    /// The host's name.
    pub host: &'a str,
    /// When they were read, in nanoseconds since the Unix epoch.
    pub time_ns: u64,
    /// What cannot be counted and why, in sentences for the user.
    pub warnings: &'a [String],
}

/// Above the cells of a container; those of numbers are as wide as their numbers may become.
pub const RATE_HEADINGS: [&str; 9] =
    ["CONTAINER", "MODE", "IN B/s", "OUT B/s", "IN pkt/s", "OUT pkt/s", "CONNS", "DROPS/s", "RETRANS/s"];

/// Where numbers begin among the cells.
const FIRST_NUMBER: usize = 2;

const STEPS: [Step; 5] = [
    Step::Shorten("CONTAINER", 24),
    Step::Drop("IN pkt/s"),
    Step::Drop("OUT pkt/s"),
    Step::Drop("MODE"),
    Step::Shorten("CONTAINER", 12),
];

/// Writes the table of `top`.
pub fn rates_table(
    rates: &Rates<'_>,
    zone: &TimeZone,
    layout: Layout,
    out: &mut impl io::Write,
) -> io::Result<()> {
    for line in rates_summary(rates, zone) {
        writeln!(out, "{line}")?;
    }
    let mut grid = Grid::new(&RATE_HEADINGS);
    for metered in rates.containers {
        let mut cells = rate_cells(metered);
        for (heading, cell) in RATE_HEADINGS.iter().zip(&mut cells).skip(FIRST_NUMBER) {
            *cell = format!("{cell:>width$}", width = heading.len());
        }
        grid.push(cells.into());
    }
    grid.write(layout, &STEPS, out)
}

/// The time and how many containers there are; then what those do that have a namespace of their own, and those that are
/// told apart by their cgroups.
pub fn rates_summary(rates: &Rates<'_>, zone: &TimeZone) -> [String; 3] {
    let time = Timestamp::from_nanosecond(rates.time_ns.into()).unwrap_or_default();
    let time = time.to_zoned(zone.clone()).strftime("%H:%M:%S");
    let by_cgroup = |metered: &&Metered<'_>| !matches!(metered.counting, Counting::Interfaces { .. });
    let (sharing, own): (Vec<&Metered<'_>>, Vec<_>) = rates.containers.iter().partition(by_cgroup);
    let sum = |name: &str, Total { containers, received, sent }: Total| {
        format!("{name}: {containers}, in {} B/s, out {} B/s", number(received), number(sent))
    };
    let own = sum("in a namespace of their own", total(own));
    let sharing = sum("in host mode, or sharing a namespace", total(sharing));
    [format!("{time} {}, {}", rates.host, counted(rates.containers.len())), own, sharing]
}

fn counted(containers: usize) -> String {
    format!("{containers} {}", if containers == 1 { "container" } else { "containers" })
}

/// The cells of a container, under [`RATE_HEADINGS`]; `-` where it cannot be counted.
pub fn rate_cells(metered: &Metered<'_>) -> [String; 9] {
    let interval = &metered.interval;
    let rate =
        |amount: Option<u64>| amount.map_or_else(|| "-".to_owned(), |amount| number(interval.rate(amount)));
    let traffic = interval.traffic;
    [
        metered.container.name.clone(),
        metered.container.mode.to_string(),
        rate(traffic.map(|traffic| traffic.received.bytes)),
        rate(traffic.map(|traffic| traffic.sent.bytes)),
        rate(traffic.map(|traffic| traffic.received.packets)),
        rate(traffic.map(|traffic| traffic.sent.packets)),
        interval.connections.map_or_else(|| "-".to_owned(), |count| count.to_string()),
        rate(interval.drops),
        rate(interval.retransmissions),
    ]
}

/// Three digits, cut and not rounded, and a power of a thousand: `0`, `0.2`, `17`, `1.25k`, `302M`. What is not nothing
/// never shows as `0`.
fn number(PerSecond(mut thousandths): PerSecond) -> String {
    const POWERS: [&str; 6] = ["", "k", "M", "G", "T", "P"];
    let mut power = 0;
    while thousandths >= 1_000_000 {
        thousandths /= 1000;
        power += 1;
    }
    let word = POWERS[power];
    let (whole, rest) = (thousandths / 1000, thousandths % 1000);
    match (whole, power) {
        (0, _) if rest == 0 => "0".to_owned(),
        (0, _) => format!("0.{}", (rest / 100).max(1)),
        (1..10, 0) if rest >= 100 => format!("{whole}.{}", rest / 100),
        (1..10, 1..) => format!("{whole}.{:02}{word}", rest / 10),
        (10..100, 1..) => format!("{whole}.{}{word}", rest / 100),
        _ => format!("{whole}{word}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::rates_fixture::{measured, metered};
    use crate::report::{Headings, Width};

    fn text(width: Width) -> String {
        let measured = measured();
        let containers = metered(&measured);
        let rates = Rates { containers: &containers, host: "testhost", time_ns: 1 << 60, warnings: &[] };
        let mut out = Vec::new();
        let layout = Layout { width, headings: Headings::Plain };
        rates_table(&rates, &TimeZone::UTC, layout, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_wide_page_shows_all() {
        insta::assert_snapshot!(text(Width::Unlimited));
    }

    #[test]
    fn a_narrow_page_shows_bytes_and_faults() {
        insta::assert_snapshot!(text(Width::Columns(72)));
    }

    #[test]
    fn numbers_have_three_digits() {
        for (thousandths, text) in [
            (0, "0"),
            (1, "0.1"),
            (500, "0.5"),
            (1000, "1"),
            (9_999, "9.9"),
            (10_000, "10"),
            (999_999, "999"),
            (1_000_000, "1.00k"),
            (1_259_999, "1.25k"),
            (10_000_000, "10.0k"),
            (99_999_999, "99.9k"),
            (100_000_000, "100k"),
            (302_000_000_000, "302M"),
            (u64::MAX, "18.4P"),
        ] {
            assert_eq!(number(PerSecond(thousandths)), text, "{thousandths}");
        }
    }
}
