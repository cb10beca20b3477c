//! `pcapsule ls`: one look, or one at every change.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Context as _;

use crate::discovery::Watch;
use crate::report::{self, Listing, Scope, StateColumn};

use super::args::ListArgs;
use super::look::{self, Look};
use super::screen::Screen;
use super::select::{self, Ended, Selection};
use super::terminal::{self, Truncation};

pub(super) async fn run(args: ListArgs) -> anyhow::Result<ExitCode> {
    if args.watch {
        watch(&args).await?;
    } else {
        let look = look::look(&look::engines()).await?;
        // Why something may be missing is said before that it is.
        let selection = selection(&args, &look).inspect_err(|_| warn(&look))?;
        let seen = listing(&args, &look, selection);
        print(&args, &seen, &mut terminal::stdout()).context("printing the list")?;
        if !args.json {
            warn(&look);
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn watch(args: &ListArgs) -> anyhow::Result<()> {
    let engines = look::engines();
    // Watching begins before looking, so that nothing falls between.
    let mut watch = Watch::start(&engines).context("watching the host")?;
    let mut look = look::look(&engines).await?;
    // A word that means nothing is a mistake at first; later it is a container that has just gone.
    selection(args, &look).inspect_err(|_| warn(&look))?;
    // In JSON the document holds the warnings.
    if !args.json {
        warn(&look);
    }
    let mut screen = if args.json { Screen::Documents } else { Screen::for_text(state_column(args)) };
    loop {
        let seen = listing(args, &look, selection(args, &look).unwrap_or_default());
        screen
            .show(&seen, terminal::page(truncation(args)), &mut terminal::stdout())
            .context("printing the list")?;
        tokio::select! {
            stirred = watch.settled() => match stirred {
                Some(_) => look = look::look(&engines).await?,
                None => return Ok(()),
            },
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

fn selection<'a>(args: &ListArgs, look: &'a Look) -> Result<Selection<'a>, select::Error> {
    let ended = if args.all { Ended::Included } else { Ended::Excluded };
    let everything = [crate::model::Selector::All];
    let selectors = if args.selectors.is_empty() { &everything[..] } else { &args.selectors };
    select::select(&look.topology, selectors, ended, look::namespace_of)
}

fn listing<'a>(args: &ListArgs, look: &'a Look, selection: Selection<'a>) -> Listing<'a> {
    Listing {
        topology: &look.topology,
        containers: selection.containers,
        interfaces: selection.interfaces,
        scope: if args.selectors.is_empty() { Scope::Host } else { Scope::Selection },
        host: &look.host,
        time_ns: look.time_ns,
    }
}

fn print(args: &ListArgs, seen: &Listing<'_>, out: &mut impl Write) -> io::Result<()> {
    if args.json {
        report::listing_json(seen, out)
    } else if args.quiet {
        report::names(seen, out)
    } else {
        report::listing(seen, terminal::page(truncation(args)).layout, state_column(args), out)
    }
}

fn warn(look: &Look) {
    look.topology.warnings.iter().for_each(|warning| terminal::warn(warning));
}

fn state_column(args: &ListArgs) -> StateColumn {
    if args.all { StateColumn::Shown } else { StateColumn::Hidden }
}

fn truncation(args: &ListArgs) -> Truncation {
    if args.no_trunc { Truncation::Never } else { Truncation::ToFit }
}
