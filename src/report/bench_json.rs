//! The JSON of `bench`: every sample, and what they say. docs/json.md documents its names.

use std::io;

use serde::Serialize;

use crate::bench::{Comparison, Outcome, Summary};

use super::json::Document;

/// Writes the document on one line.
pub fn bench_json(
    outcome: &Outcome,
    summary: &Summary,
    host: &str,
    time_ns: u64,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let contents = Measured { outcome, comparisons: &summary.comparisons };
    let document = Document::new("pcapsule.bench", time_ns, host, &summary.doubts, contents);
    serde_json::to_writer(&mut *out, &document)?;
    writeln!(out)
}

#[derive(Debug, Serialize)]
struct Measured<'a> {
    #[serde(flatten)]
    outcome: &'a Outcome,
    comparisons: &'a [Comparison],
}
