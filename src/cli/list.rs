//! `pcapsule ls`: one look, or one at every change.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

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
    // A name that means nothing is a mistake at first; later it is a container that has just gone. A description may
    // be one of containers that are still to come.
    forgiving(args, &look, |error| matches!(error, select::Error::NoMatch(_)))
        .inspect_err(|_| warn(&look))?;
    // In JSON the document holds the warnings.
    if !args.json {
        warn(&look);
    }
    let mut screen = if args.json { Screen::Documents } else { Screen::for_text(state_column(args)) };
    let listen = |kind| signal(kind).context("listening for signals");
    let (mut interrupted, mut resized) =
        (listen(SignalKind::interrupt())?, listen(SignalKind::window_change())?);
    loop {
        let seen = listing(args, &look, forgiving(args, &look, |_| true)?);
        screen
            .show(&seen, terminal::page(truncation(args)), &mut terminal::stdout())
            .context("printing the list")?;
        tokio::select! {
            stirred = watch.settled() => match stirred {
                Some(_) => look = look::look(&engines).await?,
                None => return Ok(()),
            },
            // Shown again, on the page as large as it is now.
            Some(()) = resized.recv() => {}
            () = terminal::reader_gone() => return Ok(()),
            _ = interrupted.recv() => {
                // Behind the ^C that the terminal shows.
                return screen.leave(&mut terminal::stdout()).context("printing the list");
            }
        }
    }
}

/// What the words select, leaving out those whose error is forgiven.
fn forgiving<'a>(
    args: &ListArgs,
    look: &'a Look,
    forgiven: impl Fn(&select::Error) -> bool,
) -> Result<Selection<'a>, select::Error> {
    if args.selectors.is_empty() {
        return selection(args, look);
    }
    let found =
        select::select_forgiving(&look.topology, &args.selectors, ended(args), look::namespace_of, forgiven);
    found?.without_cgroups()
}

fn selection<'a>(args: &ListArgs, look: &'a Look) -> Result<Selection<'a>, select::Error> {
    let everything = [crate::model::Selector::All];
    let selectors = if args.selectors.is_empty() { &everything[..] } else { &args.selectors };
    select::select(&look.topology, selectors, ended(args), look::namespace_of)?.without_cgroups()
}

fn ended(args: &ListArgs) -> Ended {
    if args.all { Ended::Included } else { Ended::Excluded }
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
