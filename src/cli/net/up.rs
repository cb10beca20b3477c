//! `pcapsule net up`: a sandbox whose keeper stays when this process ends.

use std::{io::Write as _, process::ExitCode};

use anyhow::Context as _;

use crate::cli::sandbox::{self, Draft, Keeper, keep};
use crate::cli::sandbox_args::UpArgs;
use crate::cli::terminal;
use crate::netmode::{self, Life, Onset, Way};
use crate::sys::fork;

pub(super) fn run(args: &UpArgs) -> anyhow::Result<ExitCode> {
    fork::close_inherited();
    let spec = args.sandbox.spec().context("reading the options")?;
    let mut draft = Draft::new(spec, "sandbox")?;
    let inside = draft.inside()?;
    let mut keeper = Keeper::fork(|line| {
        let (mut infant, mut starter) =
            netmode::bear(inside, Way::Pause).map_err(netmode::KeeperError::Birth)?;
        let folder = draft.state.folder(&draft.identity.id);
        let commission = draft.commission(Vec::new(), Life::Own);
        let kept = keep(&commission, &mut infant, line, |plan| {
            let faults = match starter.start(&folder) {
                Onset::Started(faults) => faults,
                Onset::Failed(_) | Onset::Ended => Vec::new(),
            };
            sandbox::warn_of(plan.notes.iter().chain(&faults));
            fork::let_go_of_streams()
        });
        starter.end();
        kept
    })
    .context("starting the keeper")?;
    if keeper.says_ready() {
        if !args.quiet {
            let mut out = terminal::stdout();
            writeln!(out, "{}", draft.identity.name).context("printing the name")?;
            sandbox::tell_where(&draft);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let end = keeper.wait().context("waiting for the keeper")?;
    draft.undo_for(end)?;
    Ok(ExitCode::from(end.code()))
}
