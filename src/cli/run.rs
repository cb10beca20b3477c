//! From the command line to the exit code: parse, log, run one command, turn whatever went wrong into words.

use std::{
    env, io,
    panic::{self, AssertUnwindSafe},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{
    CommandFactory, Parser,
    error::{ContextKind, ContextValue, ErrorKind},
};
use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use super::args::{Arguments, Command};
use super::failure::{self, Failure};
use super::{
    bench, capture, completions, exit, extcap, inspect, list, man, net, read, remote, run_command, terminal,
    top, why, wireshark,
};

/// Runs the program with the arguments of this process. Prints its own failures.
pub fn run() -> ExitCode {
    let words: Vec<_> = env::args_os().collect();
    if extcap::is_call(&words) {
        return extcap::run(&words);
    }
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
    start_logging(arguments.global.log.clone());
    conclude(|| run_where_wanted(arguments))
}

fn parse() -> Result<Arguments, clap::Error> {
    let words: Vec<_> = env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let mut arguments = Arguments::try_parse().map_err(|error| with_tip(error, &words))?;
    if let Command::Read(args) = &mut arguments.command {
        args.take_words();
    }
    if let Err(reason) = remote::take_host(&mut arguments) {
        return Err(refusal(&[], reason));
    }
    let refused = match &arguments.command {
        Command::Capture(args) => args.refusal().map(|reason| (vec!["capture"], reason)),
        Command::Run(args) => args.sandbox.refusal().map(|reason| (vec!["run"], reason)),
        Command::Net(args) => args.refusal(),
        Command::Bench(args) => args.refusal().map(|reason| (vec!["bench"], reason)),
        _ => None,
    };
    match refused {
        Some((path, reason)) => Err(refusal(&path, reason)),
        None => Ok(arguments),
    }
}

/// Options that do not go together, told as clap tells it.
fn refusal(path: &[&str], reason: String) -> clap::Error {
    let mut commands = Arguments::command();
    commands.build();
    let command = path.iter().fold(&mut commands, |command, name| {
        command.find_subcommand_mut(name).expect("it has just been parsed")
    });
    command.error(ErrorKind::ArgumentConflict, reason)
}

/// Options that tcpdump has and we have not: what to type instead of clap's guess.
fn with_tip(mut error: clap::Error, words: &[String]) -> clap::Error {
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else { return error };
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    let value = |example: &str| {
        let mut after = words.iter().skip_while(|word| !word.starts_with(option.as_str()));
        let joined = after.next().and_then(|word| word.get(2..)).filter(|rest| !rest.is_empty());
        let value = joined.or(after.next().map(String::as_str)).filter(|value| !value.starts_with('-'));
        value.unwrap_or(example).to_owned()
    };
    let is_run = words.get(1).is_some_and(|command| command == "run");
    let tip = match option.as_str() {
        option if is_run => match run_tip(option) {
            Some(tip) => tip.to_owned(),
            None => return error,
        },
        "-i" | "--interface" => {
            format!("an interface of the host is a selector: pcapsule capture if={}", value("eth0"))
        }
        "-r" => format!("a file is read by `pcapsule read {}`", value("FILE")),
        "-D" | "--list-interfaces" => {
            "`pcapsule ls` lists containers, `pcapsule ls if=NAME` an interface".to_owned()
        }
        "-A" => "-X prints each packet in hex and ASCII".to_owned(),
        "-Q" | "--direction" => "-f inbound and -f outbound take one direction".to_owned(),
        _ => return error,
    };
    error.remove(ContextKind::SuggestedArg);
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    error
}

/// What `docker run` has and `pcapsule run` does not need.
fn run_tip(option: &str) -> Option<&'static str> {
    match option {
        "-i" | "-t" | "--interactive" | "--tty" => Some("the command has your terminal without being asked"),
        "--rm" => Some("everything is undone at the end anyway"),
        "-d" | "--detach" => {
            Some("`pcapsule net up` makes a sandbox that stays; `pcapsule run --net container:NAME` joins it")
        }
        _ => None,
    }
}

fn start_logging(filter: Option<Targets>) {
    let Some(filter) = filter else { return };
    let lines =
        tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(terminal::colour_on_stderr());
    tracing_subscriber::registry().with(lines).with(filter).init();
}

/// Runs a command to its exit code, also where it fails or panics.
fn conclude(command: impl FnOnce() -> anyhow::Result<ExitCode>) -> ExitCode {
    panic::set_hook(Box::new(failure::report_panic));
    match panic::catch_unwind(AssertUnwindSafe(command)) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => Failure::of(&error).report(),
        Err(_panic) => ExitCode::from(exit::BUG),
    }
}

fn run_where_wanted(mut arguments: Arguments) -> anyhow::Result<ExitCode> {
    if let Some(remote) = remote::wanted(&mut arguments) {
        return wait_for(remote::run(remote, arguments.command));
    }
    if let Some(version) = &arguments.remote_end {
        remote::begin(version)?;
        remote::send_to_stdout(&mut arguments);
    }
    dispatch(arguments.command)
}

fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Ls(args) => wait_for(list::run(args)),
        Command::Inspect(args) => wait_for(inspect::run(args)),
        Command::Capture(args) => wait_for(capture::run(*args)),
        Command::Read(args) => read::run(&args),
        Command::Top(args) => wait_for(top::run(args)),
        Command::Why(args) => wait_for(why::run(*args)),
        Command::Bench(args) => bench::run(&args),
        Command::Run(args) => run_command::run(&args),
        Command::Net(args) => net::run(&args),
        Command::Wireshark(args) => wireshark::run(&args),
    }
}

pub(super) fn wait_for<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    // One thread: capabilities belong to threads, and what this one gives up no other still has.
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting to wait for the kernel")?
        .block_on(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_bug_of_ours() {
        let code = conclude(|| panic!("planted"));
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(exit::BUG)));
    }
}
