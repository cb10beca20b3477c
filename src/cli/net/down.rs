//! `pcapsule net down`: keepers told to undo their sandboxes, and waited for.

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;

use crate::cli::exit;
use crate::cli::sandbox;
use crate::cli::sandbox_args::DownArgs;
use crate::netmode::{self, Record, RunId, State};
use crate::sys::fork::ProcessHandle;

/// How long undoing may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// No such sandbox.
#[derive(Debug, thiserror::Error)]
#[error("finding a sandbox named '{0}'")]
pub(in crate::cli) struct Unknown(pub(in crate::cli) String);

pub(super) fn run(args: &DownArgs) -> anyhow::Result<ExitCode> {
    let state = sandbox::state()?;
    let live = state.live();
    let chosen: Vec<&Record> = if args.all {
        live.iter().collect()
    } else {
        let found: Result<Vec<_>, _> = args.names.iter().map(|name| find(&live, name)).collect();
        found?
    };
    let handles = chosen.iter().map(|record| tell(&state, record)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut is_left = false;
    for (record, keeper) in chosen.iter().zip(handles) {
        let ended = keeper.is_none_or(|keeper| keeper.wait(PATIENCE));
        anyhow::ensure!(ended, "waiting for the end of {}: its keeper is still busy", record.name);
        is_left |= finish(&state, &record.id)?;
    }
    Ok(ExitCode::from(if is_left { exit::FAULT } else { exit::DONE }))
}

fn find<'a>(live: &'a [Record], name: &str) -> Result<&'a Record, Unknown> {
    let by_name = live.iter().find(|record| record.name.as_str() == name);
    by_name
        .or_else(|| live.iter().find(|record| record.id.as_str() == name))
        .ok_or_else(|| Unknown(name.to_owned()))
}

/// All are told before one is waited for.
fn tell(state: &State, record: &Record) -> anyhow::Result<Option<ProcessHandle>> {
    let context = || format!("telling the keeper of {} to end", record.name);
    let keeper = ProcessHandle::open(record.keeper).with_context(context)?;
    // If it is still alive now, it was when its number was taken, which so was not another's.
    let keeper = keeper.filter(|_| state.is_live(&record.id));
    match &keeper {
        Some(keeper) => keeper.terminate().with_context(context)?,
        // It holds its lock and is no process of ours: one of another pid namespace.
        None => anyhow::ensure!(
            !state.is_live(&record.id),
            "{}: it is not in this pid namespace; end it where {} was started",
            context(),
            record.name
        ),
    }
    Ok(keeper)
}

/// What the keeper could not undo is tried once more, and told.
fn finish(state: &State, id: &RunId) -> anyhow::Result<bool> {
    if !state.folder(id).exists() {
        return Ok(false);
    }
    let faults = netmode::finish_for(state, id)?;
    sandbox::tell_faults(&faults);
    Ok(!faults.is_empty())
}
