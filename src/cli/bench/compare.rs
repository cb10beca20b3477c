//! `pcapsule bench compare`: two documents, what has changed, and whether that is more than chance.

use std::{fs, path::Path, process::ExitCode};

use anyhow::Context as _;

use crate::bench::{Run, compare_runs};
use crate::cli::bench_args::CompareArgs;
use crate::cli::exit;
use crate::cli::terminal::{self, Truncation};
use crate::report;
use crate::sys;

pub(super) fn run(args: &CompareArgs) -> anyhow::Result<ExitCode> {
    let (before, after) = (read(&args.before)?, read(&args.after)?);
    let found = compare_runs(&before, &after);
    if args.json {
        let host = sys::system().context("asking for the host's name")?.host;
        report::comparison_json(&found, &host, super::now_ns(), &mut terminal::stdout())
            .context("printing the document")?;
    } else {
        let layout = terminal::page(Truncation::ToFit).layout;
        report::comparison(&found, layout, &mut terminal::stdout()).context("printing the changes")?;
        found.doubts.iter().for_each(|doubt| terminal::warn(doubt));
    }
    Ok(ExitCode::from(if args.fail_if_worse && found.is_worse() { exit::FAULT } else { exit::DONE }))
}

fn read(path: &Path) -> anyhow::Result<Run> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Run::read(&text).with_context(|| format!("reading {}", path.display()))
}
