//! Our own sandboxes, and the plan of one: a table, text, JSON.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use serde::Serialize;

use crate::netmode::{Plan, Record, Step};

use super::grid::{Grid, Layout, Step as Give};
use super::ports;

const HEADINGS: [&str; 7] = ["NAME", "MODE", "ADDRESS", "BRIDGE", "PORTS", "PID", "COMMAND"];

/// The table of `net ls`.
pub fn sandboxes(records: &[Record], layout: Layout, out: &mut impl Write) -> io::Result<()> {
    let mut grid = Grid::new(&HEADINGS);
    for record in records {
        grid.push(vec![
            record.name.to_string(),
            record.mode.clone(),
            joined(&record.addresses),
            record.bridge.as_ref().map(ToString::to_string).unwrap_or_default(),
            ports::published(&record.published()),
            record.process.map(|pid| pid.to_string()).unwrap_or_default(),
            record.command.join(" "),
        ]);
    }
    grid.write(layout, &[Give::Shorten("COMMAND", 20), Give::Drop("PID")], out)
}

/// The document of `net ls --json`.
pub fn sandboxes_json(
    records: &[Record],
    (host, time_ns): (&str, u64),
    out: &mut impl Write,
) -> io::Result<()> {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        version: u32,
        time_ns: u64,
        host: &'a str,
        sandboxes: &'a [Record],
        warnings: [String; 0],
    }
    let schema = "pcapsule.sandboxes";
    let document = Document { schema, version: 1, time_ns, host, sandboxes: records, warnings: [] };
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}

/// The text of `net plan`: the steps in order, what undoes each below it.
pub fn plan(plan: &Plan, out: &mut impl Write) -> io::Result<()> {
    let mut text = String::new();
    for (number, step) in plan.steps.iter().enumerate() {
        let _ = writeln!(text, "{:>2}  {step}\n      undo: {}", number + 1, step.undo());
    }
    out.write_all(text.as_bytes())
}

/// The document of `net plan --json`.
pub fn plan_json(plan: &Plan, (host, time_ns): (&str, u64), out: &mut impl Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        version: u32,
        time_ns: u64,
        host: &'a str,
        #[serde(flatten)]
        plan: &'a Plan,
        steps: Vec<Line<'a>>,
        warnings: &'a [String],
    }
    #[derive(Serialize)]
    struct Line<'a> {
        number: usize,
        r#do: String,
        undo: String,
        #[serde(flatten)]
        step: &'a Step,
    }
    let line = |(number, step): (usize, &'_ Step)| (number + 1, step.to_string(), step.undo());
    let steps = plan.steps.iter().enumerate().map(|found| {
        let (number, r#do, undo) = line(found);
        Line { number, r#do, undo, step: found.1 }
    });
    let (schema, steps, warnings) = ("pcapsule.plan", steps.collect(), plan.notes.as_slice());
    let document = Document { schema, version: 1, time_ns, host, plan, steps, warnings };
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}

fn joined<T: ToString>(values: &[T]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
