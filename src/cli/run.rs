//! From the command line to the exit code: parse, log, run one command, turn whatever went wrong into words.

use std::{
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{CommandFactory, Parser, error::ErrorKind};

use super::args::{Arguments, Command};
use super::failure::{self, Failure};
use super::{capture, completions, exit, inspect, list, man, read, terminal};

/// Runs the program with the arguments of this process. Prints its own failures.
pub fn run() -> ExitCode {
    let arguments = match parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let wrong = error.use_stderr();
            // Nobody is left to tell if this cannot be printed.
            let _ = error.print();
            return ExitCode::from(if wrong { exit::USAGE } else { exit::DONE });
        }
    };
    terminal::choose_colour(arguments.global.color);
    panic::set_hook(Box::new(failure::report_panic));
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| {
        start_logging(arguments.global.log.as_deref())?;
        dispatch(arguments.command)
    }));
    match outcome {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => Failure::of(&error).report(),
        Err(_panic) => ExitCode::from(exit::BUG),
    }
}

fn parse() -> Result<Arguments, clap::Error> {
    let arguments = Arguments::try_parse()?;
    if let Command::Capture(args) = &arguments.command
        && let Some(reason) = args.refusal()
    {
        return Err(Arguments::command().error(ErrorKind::ArgumentConflict, reason));
    }
    Ok(arguments)
}

fn start_logging(filter: Option<&str>) -> anyhow::Result<()> {
    let Some(filter) = filter else { return Ok(()) };
    let filter = filter
        .parse::<tracing_subscriber::EnvFilter>()
        .with_context(|| format!("understand the log filter '{filter}'"))?;
    let colour = terminal::colour_on_stderr();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour).init();
    Ok(())
}

fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Ls(args) => wait_for(list::run(args)),
        Command::Inspect(args) => wait_for(inspect::run(args)),
        Command::Capture(args) => wait_for(capture::run(*args)),
        Command::Read(args) => wait_for(read::run(args)),
    }
}

fn wait_for(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    // One thread: capabilities belong to threads, and what this one gives up no other still has.
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start waiting for the kernel")?
        .block_on(command)
}
