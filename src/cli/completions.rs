//! `pcapsule completions SHELL`.

use std::{io::Write as _, process::ExitCode};

use anyhow::Context as _;
use clap::CommandFactory as _;

use super::args::{Arguments, CompletionsArgs};
use super::terminal;

pub(super) fn run(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    // Into memory first: clap_complete panics where it cannot write, as into a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "pcapsule", &mut script);
    terminal::stdout().write_all(&script).context("printing the completion script")?;
    Ok(ExitCode::SUCCESS)
}
