//! `pcapsule net ls`: the sandboxes of this host.

use std::{io::Write as _, process::ExitCode};

use anyhow::Context as _;

use crate::cli::sandbox_args::SandboxListArgs;
use crate::cli::terminal::{self, Truncation};
use crate::cli::{look, sandbox};
use crate::report;

pub(super) fn run(args: &SandboxListArgs) -> anyhow::Result<ExitCode> {
    let live = sandbox::state()?.live();
    let mut out = terminal::stdout();
    if args.quiet {
        live.iter().try_for_each(|record| writeln!(out, "{}", record.name))
    } else if args.json {
        report::sandboxes_json(&live, (&crate::sys::system()?.host, look::now_ns()), &mut out)
    } else {
        report::sandboxes(&live, terminal::page(Truncation::ToFit).layout, &mut out)
    }
    .context("printing the list")?;
    Ok(ExitCode::SUCCESS)
}
