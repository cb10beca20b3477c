//! `pcapsule man`: the manual in roff, made from the help texts.

use std::{fs, process::ExitCode};

use anyhow::Context as _;
use clap::CommandFactory as _;

use super::args::{Arguments, ManArgs};
use super::terminal;

pub(super) fn run(args: &ManArgs) -> anyhow::Result<ExitCode> {
    let command = Arguments::command();
    match &args.dir {
        Some(dir) => fs::create_dir_all(dir)
            .and_then(|()| clap_mangen::generate_to(command, dir))
            .with_context(|| format!("writing the manual pages into {}", dir.display()))?,
        None => {
            clap_mangen::Man::new(command)
                .render(&mut terminal::stdout())
                .context("printing the manual page")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
