//! A run as one page: everything is in it, no script runs and nothing is fetched. Light and dark follow the reader.

use std::{fmt::Write as _, io};

use jiff::Timestamp;

use crate::bench::{CellOutcome, Comparison, Outcome, Placement, Quantity, Summary, Waterfall, Way};

use super::bench::{columns, heading, machine, text};
use super::bench_charts::{bars, colour, distribution, series, waterfall};
use super::figures::{microseconds, placed};
use super::svg::Escaped;

const STYLE: &str = include_str!("bench_page.css");

/// Writes the page.
pub fn bench_html(
    outcome: &Outcome,
    summary: &Summary,
    host: &str,
    time_ns: u64,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let title = title(outcome);
    let time = Timestamp::from_nanosecond(time_ns.into()).unwrap_or_default();
    let mut page = String::new();
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n<p class=\"lead\">Measured by pcapsule bench on {}, {}</p>\n<p class=\"machine\">{}</p>\n",
        Escaped(host),
        time.strftime("%F %H:%M UTC"),
        Escaped(&machine(outcome)),
    );
    doubts(&mut page, outcome, summary);
    for found in &summary.waterfalls {
        explanation(&mut page, found);
    }
    for cell in &outcome.cells {
        section(&mut page, outcome, summary, cell);
    }
    circumstances(&mut page, outcome);
    page.push_str("</main>\n</body>\n</html>\n");
    out.write_all(page.as_bytes())
}

fn title(outcome: &Outcome) -> String {
    match outcome.ways.iter().find_map(Way::container) {
        Some(name) => format!("What the network of {} costs against host mode", Escaped(name)),
        None => "What container networks cost against host mode".to_owned(),
    }
}

/// Before any figure: what speaks against them, and what is missing.
fn doubts(page: &mut String, outcome: &Outcome, summary: &Summary) {
    let skipped = outcome
        .skipped
        .iter()
        .map(|skipped| format!("{} was not measured: {}", outcome.name(skipped.path), skipped.why));
    let partial = outcome.partial.then(|| "It was ended before everything was measured.".to_owned());
    let all: Vec<String> = partial.into_iter().chain(skipped).chain(summary.doubts.iter().cloned()).collect();
    if all.is_empty() {
        return;
    }
    page.push_str("<aside>\n<h2>Before you believe it</h2>\n<ul>\n");
    for doubt in all {
        let _ = writeln!(page, "<li>{}</li>", Escaped(&doubt));
    }
    page.push_str("</ul>\n</aside>\n");
}

fn explanation(page: &mut String, found: &Waterfall) {
    let what = match found.quantity {
        Quantity::RoundTrip => "What each thing adds to a round trip",
        Quantity::CpuPerGigabyte => "What each thing adds to the work for a gigabyte",
        Quantity::CpuPerOperation => "What each thing adds to the work for one",
    };
    let _ = writeln!(
        page,
        "<section>\n<h2>{what}</h2>\n<p>{}, {}. Each line has one thing more than the one above; the changes below are \
         each held against a way of their own.</p>\n<figure>\n{}\n</figure>\n</section>",
        found.test,
        placed(found.placement),
        waterfall(found)
    );
}

fn section(page: &mut String, outcome: &Outcome, summary: &Summary, cell: &CellOutcome) {
    let of_cell = |found: &&Comparison| (found.test, found.placement) == (cell.test, cell.placement);
    let found: Vec<&Comparison> = summary.comparisons.iter().filter(of_cell).collect();
    let place = match cell.placement {
        Placement::One => "one core",
        Placement::Two => "two cores",
        Placement::Free => "free",
    };
    let _ = writeln!(
        page,
        "<section>\n<h2>{} <small>{place}</small></h2>\n<p>{}.</p>\n<figure>\n{}\n</figure>",
        cell.test,
        Escaped(&heading(outcome, cell)),
        bars(outcome, cell, &found)
    );
    if let Some(picture) = distribution(outcome, &found) {
        let _ = writeln!(
            page,
            "<figure>\n<figcaption>Share of round trips that took no longer</figcaption>\n{picture}"
        );
        page.push_str("<ul class=\"legend\">\n");
        for (place, found) in series(&found).into_iter().enumerate() {
            let _ = writeln!(
                page,
                "<li><svg viewBox=\"0 0 24 8\" aria-hidden=\"true\"><line class=\"{}\" x1=\"0\" y1=\"4\" x2=\"24\" y2=\"4\"/></svg>{}</li>",
                colour(place),
                Escaped(&outcome.name(found.path))
            );
        }
        page.push_str("</ul>\n</figure>\n");
    }
    table(page, outcome, cell, &found);
    page.push_str("</section>\n");
}

/// Every figure of the table that a terminal shows.
fn table(page: &mut String, outcome: &Outcome, cell: &CellOutcome, found: &[&Comparison]) {
    let headings = columns(cell.test);
    page.push_str("<details>\n<summary>Figures</summary>\n<div class=\"wide\"><table>\n<tr>");
    for heading in &headings {
        let _ = write!(page, "<th>{}</th>", Escaped(&heading.to_lowercase()));
    }
    page.push_str("</tr>\n");
    for found in found {
        page.push_str("<tr>");
        let name = outcome.name(found.path);
        for heading in &headings {
            let _ = write!(page, "<td>{}</td>", Escaped(&text(heading, &name, found)));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n</details>\n");
}

/// What each path passes, and where it leads.
fn circumstances(page: &mut String, outcome: &Outcome) {
    page.push_str(
        "<section>\n<h2>What the paths are</h2>\n<div class=\"wide\"><table>\n\
         <tr><th>path</th><th>way</th><th>passes</th><th>set up in</th></tr>\n",
    );
    let of_cell = outcome.cells.first().map(|cell| cell.paths.as_slice()).unwrap_or_default();
    for path in of_cell.iter().map(|found| found.path) {
        let links = outcome.environment.links.iter().filter(|link| link.path == path);
        let passes: Vec<String> = links
            .map(|link| {
                let offloads = link.offloads.map_or_else(String::new, |offloads| {
                    let named = [("TSO", offloads.tso), ("GSO", offloads.gso), ("GRO", offloads.gro)];
                    let on: Vec<&str> = named.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
                    format!(", {}", if on.is_empty() { "no offloads".to_owned() } else { on.join(" ") })
                });
                format!("{} (MTU {}{offloads})", link.interface, link.mtu)
            })
            .collect();
        let set_up = outcome.set_up.iter().find(|set_up| set_up.path == path);
        let took =
            set_up.map_or_else(String::new, |set_up| format!("{} ms", microseconds(set_up.took_ns / 1000)));
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{took}</td></tr>",
            Escaped(&outcome.name(path)),
            Escaped(path.about()),
            Escaped(&passes.join("; "))
        );
    }
    page.push_str("</table></div>\n</section>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::Path;
    use crate::report::bench_fixture::{outcome, summary, waterfall};

    fn page() -> String {
        let mut summary = summary();
        summary.waterfalls = vec![waterfall()];
        summary.doubts.push("<b>bold</b>".to_owned());
        let mut out = Vec::new();
        bench_html(&outcome(), &summary, "test<host>", 1_700_000_000_000_000_000, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_page_has_every_plot_and_needs_nothing_else() {
        let page = page();
        assert_eq!(page.matches("<circle").count(), 5, "each sample that was taken");
        for word in ["a bar for each path", "share of round trips", "what each thing costs", "&lt;b&gt;bold"]
        {
            assert!(page.contains(word), "{word}");
        }
        for word in ["<script", "http:", "https:", "@import", "url(", "<link", "test<host>", "NaN", "inf\""] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(page.contains("prefers-color-scheme: dark") && page.contains("2023-11-14 22:13 UTC"));
    }

    /// Browsers forgive what is not closed; readers of ours may not.
    #[test]
    fn every_element_is_closed() {
        is_closed(&page());
    }

    fn is_closed(page: &str) {
        let mut open = Vec::new();
        for tag in page.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
            let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap();
            if tag.starts_with('!') || tag.ends_with('/') || name == "meta" {
                continue;
            }
            if tag.starts_with('/') {
                assert_eq!(open.pop(), Some(name), "{tag}");
            } else {
                open.push(name);
            }
        }
        assert_eq!(open, [""; 0]);
    }

    /// A container may be called anything by who starts it, as may what is wrong with a path.
    #[test]
    fn names_of_others_stay_words() {
        const NAME: &str = "<img src=x onerror='alert(1)'>\"&web";
        let mut outcome = outcome();
        outcome.ways = vec![Way::told(Path::Bridge, NAME, NAME, Some([172, 17, 0, 3].into()))];
        outcome.skipped[0].why = NAME.to_owned();
        outcome.environment.processor = Some(NAME.to_owned());
        outcome.environment.congestion_control = Some(NAME.to_owned());
        let mut summary = summary();
        summary.doubts = vec![NAME.to_owned()];
        let mut out = Vec::new();
        bench_html(&outcome, &summary, NAME, 0, &mut out).unwrap();
        let page = String::from_utf8(out).unwrap();
        assert!(!page.contains("<img") && !page.contains("'alert") && !page.contains("\"&web"));
        let whole = "&lt;img src=x onerror=&#39;alert(1)&#39;&gt;&quot;&amp;web";
        // The title twice, the host, the machine's two, the doubts' two, and the path: at its bar, its line, its figures.
        assert!(page.matches(whole).count() >= 10, "{page}");
        is_closed(&page);
    }

    #[test]
    fn the_way_of_every_path_is_told() {
        let page = page();
        assert!(page.contains("eth0 (MTU 1500, TSO GSO)") && page.contains("31.5 ms"), "{page}");
        assert!(page.contains(&Escaped(Path::Bridge.about()).to_string()));
    }
}
