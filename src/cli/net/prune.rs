//! `pcapsule net prune`: what dead runs have left, undone.

use std::{collections::BTreeSet, io::Write as _, process::ExitCode};

use anyhow::Context as _;

use crate::cli::{exit, sandbox, terminal};
use crate::netmode;
use crate::sys::{mounts, process::ProcessTable};

pub(super) fn run() -> anyhow::Result<ExitCode> {
    let state = sandbox::state()?;
    let mut names = netmode::collect_gone(&state, &namespaces()?)?;
    let mut faults = Vec::new();
    if !state.dead().is_empty() {
        let exclusive = state.exclusive()?;
        let (found, left) = netmode::collect(&state, &exclusive);
        names.extend(found);
        faults.extend(left);
    }
    let mut out = terminal::stdout();
    for name in &names {
        writeln!(out, "{name}").context("printing what was undone")?;
    }
    sandbox::tell_faults(&faults);
    Ok(ExitCode::from(if faults.is_empty() { exit::DONE } else { exit::FAULT }))
}

/// The network namespaces that somebody holds, by their inode numbers.
fn namespaces() -> anyhow::Result<BTreeSet<u64>> {
    let processes = ProcessTable::read().context("looking for namespaces")?.processes;
    let held = mounts::own().context("looking for namespaces")?;
    let of_processes = processes.iter().map(|process| process.namespace.inode());
    Ok(of_processes.chain(held.iter().map(|mount| mount.namespace.inode())).collect())
}
