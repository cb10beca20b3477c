//! `pcapsule run`: the front of a sandbox. It bears the command's process, has a keeper make the rest, and stands between
//! the two until the command has ended: signals in, exit status out.

use std::{
    os::fd::AsFd as _,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use crate::netmode::{self, Life, Onset, Starter, Way};
use crate::sys::fork::{self, End, Signals};
use crate::sys::interior::Program;

use super::exit;
use super::sandbox::{self, Draft, Keeper, keep};
use super::sandbox_args::RunArgs;
use super::terminal;

/// Signals by number (signal(7)); those for others are passed on.
const SIGNAL_HANG_UP: i32 = 1;
const SIGNAL_INTERRUPT: i32 = 2;
const SIGNAL_TERMINATE: i32 = 15;
const SIGNAL_KILL: i32 = 9;
const SIGNAL_CHILD: i32 = 17;
const SIGNAL_WINDOW: i32 = 28;
const ENDING: [i32; 4] = [SIGNAL_HANG_UP, SIGNAL_INTERRUPT, 3, SIGNAL_TERMINATE];

/// Within this time, two that ask to end are one: timeout(1) asks the process and then its group.
const ONE_REQUEST: Duration = Duration::from_secs(1);

pub(super) fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let spec = args.sandbox.spec().context("reading the options")?;
    let program = Program::new(&args.command).context("reading the command: it has a zero byte")?;
    let command: Vec<String> = args.command.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let about = Path::new(&command[0]).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut draft = Draft::new(spec, &about)?;
    let inside = draft.inside()?;
    let signals = Signals::hold().context("listening for signals")?;
    let (mut infant, starter) =
        netmode::bear(inside, Way::Command(program)).context("starting the first process")?;
    let keeper = Keeper::fork(|line| {
        let commission = draft.commission(command.clone(), Life::Command);
        keep(&commission, &mut infant, line, |plan| {
            sandbox::warn_of(&plan.notes);
            Ok(())
        })
    })
    .context("starting the keeper")?;
    let mut front = Front { draft, signals, starter, keeper, quiet: args.quiet, asked_to_end: None };
    Ok(ExitCode::from(front.run(&command[0])?))
}

struct Front {
    draft: Draft,
    signals: Signals,
    starter: Starter,
    keeper: Keeper,
    quiet: bool,
    /// When we were first asked to end.
    asked_to_end: Option<Instant>,
}

/// What the front has waited for.
enum News {
    Signal(fork::Arrival),
    /// The keeper says something, or has ended.
    Keeper,
}

impl Front {
    fn run(&mut self, command: &str) -> anyhow::Result<u8> {
        if let Some(code) = self.wait_until_ready()? {
            return Ok(code);
        }
        if !self.quiet {
            sandbox::tell_where(&self.draft);
        }
        let folder = self.draft.state.folder(&self.draft.identity.id);
        let end = match self.starter.start(&folder) {
            Onset::Started(faults) => {
                sandbox::warn_of(&faults);
                self.wait_for_command()?
            }
            Onset::Failed(error) => {
                terminal::complain(&format!("failed running {command}: {error}"));
                self.starter.child().wait().context("waiting for the command")?
            }
            Onset::Ended => self.starter.child().wait().context("waiting for the command")?,
        };
        self.conclude(end)
    }

    /// Until the sandbox is whole; an exit code if it never is.
    fn wait_until_ready(&mut self) -> anyhow::Result<Option<u8>> {
        loop {
            match self.next()? {
                News::Keeper if self.keeper.says_ready() => return Ok(None),
                News::Keeper => {
                    let end = self.keeper.wait().context("waiting for the keeper")?;
                    self.end_command()?;
                    self.draft.undo_for(end)?;
                    return Ok(Some(end.code()));
                }
                News::Signal(arrival) if ENDING.contains(&arrival.number) => {
                    self.hang_up();
                    let end = self.keeper.wait().context("waiting for the keeper")?;
                    self.end_command()?;
                    self.draft.undo_for(end)?;
                    return Ok(Some(end_as(End::Killed(arrival.number))));
                }
                News::Signal(_) => {}
            }
        }
    }

    fn wait_for_command(&mut self) -> anyhow::Result<End> {
        loop {
            if let Some(end) = self.starter.child().try_wait().context("waiting for the command")? {
                return Ok(end);
            }
            match self.next()? {
                News::Keeper => {
                    // It says nothing more: it has ended, and nobody else ends the command.
                    return self.end_command();
                }
                News::Signal(arrival) => self.pass_on(arrival),
            }
        }
    }

    /// What the terminal sends, the command has got already, but for its end: of that only the session's leader hears. Who
    /// asks again to end, after a while, wants it ended.
    fn pass_on(&mut self, arrival: fork::Arrival) {
        let number = arrival.number;
        let is_heard = !(arrival.by_process || number == SIGNAL_HANG_UP && fork::leads_session());
        if number == SIGNAL_CHILD || number == SIGNAL_WINDOW || is_heard {
            return;
        }
        let is_again = number == SIGNAL_TERMINATE
            && self.asked_to_end.get_or_insert_with(Instant::now).elapsed() > ONE_REQUEST;
        self.starter.child().signal(if is_again { SIGNAL_KILL } else { number });
    }

    /// Everything is undone; what of that fails, the keeper has said.
    fn conclude(&mut self, end: End) -> anyhow::Result<u8> {
        self.hang_up();
        let keeper = self.keeper.wait().context("waiting for the keeper")?;
        self.draft.undo_for(keeper)?;
        match keeper {
            End::Exited(0) => Ok(end_as(end)),
            _ if end.code() != 0 => Ok(end.code()),
            _ => Ok(exit::FAULT),
        }
    }

    fn hang_up(&self) {
        // It may have ended.
        let _ = self.keeper.line.shutdown(std::net::Shutdown::Write);
    }

    fn end_command(&mut self) -> anyhow::Result<End> {
        self.starter.child().signal(SIGNAL_KILL);
        self.starter.child().wait().context("waiting for the command")
    }

    fn next(&self) -> anyhow::Result<News> {
        loop {
            if let Some(arrival) = self.signals.next().context("reading signals")? {
                return Ok(News::Signal(arrival));
            }
            let ready = fork::wait_readable(&[self.signals.as_fd(), self.keeper.line.as_fd()])
                .context("waiting for the command")?;
            if ready[1] && !ready[0] {
                return Ok(News::Keeper);
            }
        }
    }
}

/// The exit code for an end. An interrupt ends us as it has ended the command: a shell that runs a script takes that for its
/// user's wish to end the script, and an exit code for the command's own affair.
fn end_as(end: End) -> u8 {
    if end == End::Killed(SIGNAL_INTERRUPT) {
        fork::end_by_interrupt();
    }
    end.code()
}
