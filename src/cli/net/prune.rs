//! `pcapsule net prune`: what dead runs have left, undone.

use std::{io::Write as _, process::ExitCode};

use anyhow::Context as _;

use crate::cli::{exit, sandbox, terminal};
use crate::netmode;

pub(super) fn run() -> anyhow::Result<ExitCode> {
    let state = sandbox::state()?;
    if state.dead().is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let exclusive = state.exclusive()?;
    let (names, faults) = netmode::collect(&state, &exclusive);
    let mut out = terminal::stdout();
    for name in &names {
        writeln!(out, "{name}").context("printing what was undone")?;
    }
    sandbox::tell_faults(&faults);
    Ok(ExitCode::from(if faults.is_empty() { exit::DONE } else { exit::FAULT }))
}
