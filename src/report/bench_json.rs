//! The JSON of `bench`: every sample, and what they say. docs/json.md documents its names.

use std::io;

use serde::Serialize;

use crate::bench::{Comparison, Outcome, Summary, Waterfall};

use super::json::Document;

/// Writes the document on one line.
pub fn bench_json(
    outcome: &Outcome,
    summary: &Summary,
    host: &str,
    time_ns: u64,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let contents = Measured { outcome, comparisons: &summary.comparisons, waterfalls: &summary.waterfalls };
    let document = Document::new("pcapsule.bench", time_ns, host, &summary.doubts, contents).of_version(2);
    serde_json::to_writer(&mut *out, &document)?;
    writeln!(out)
}

#[derive(Debug, Serialize)]
struct Measured<'a> {
    #[serde(flatten)]
    outcome: &'a Outcome,
    comparisons: &'a [Comparison],
    waterfalls: &'a [Waterfall],
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::bench_fixture::{outcome, summary};

    #[test]
    fn the_document_keeps_its_names() {
        let mut out = Vec::new();
        bench_json(&outcome(), &summary(), "testhost", 7, &mut out).unwrap();
        let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
    }
}
