//! `-H ssh://host`: the command is run by pcapsule on another host, through the user's own `ssh`.
//!
//! `host` is who is called, `hosts` those that the user has written down, `ssh` the command line for it, `errand` the run
//! from here, `end` what is done there. The
//! words go over as they were typed; the hidden `--remote-end` tells the other end that it is one: it sends what `-w`
//! names to its stdout, and ends when its stdin does, so that nothing goes on there when nobody is here any more.

mod end;
mod errand;
mod host;
mod hosts;
mod ssh;

use clap::Args;

pub(super) use self::{
    end::{begin, send_to_stdout},
    errand::{Errand, run},
    host::RemoteHost,
    hosts::{KnownHost, known_hosts},
    ssh::Screen,
};
use super::args::{Arguments, Command};
use super::capture_args::CaptureArgs;

/// Where a command is run.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Elsewhere")]
pub(super) struct RemoteArgs {
    /// Run it with pcapsule on that host, through ssh: ssh://[user@]host[:port]. Files are written here
    #[arg(short = 'H', long, value_name = "URL", env = "PCAPSULE_HOST", hide_env_values = true)]
    pub(super) host: Option<RemoteHost>,
    /// The program there, as its shell takes it: /opt/bin/pcapsule, or 'sudo -n pcapsule'
    #[arg(long, value_name = "COMMAND", default_value = "pcapsule", hide_default_value = true)]
    pub(super) remote_path: String,
}

/// What can go wrong between the two ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("listening for the end of whoever called")]
    Lifeline(#[source] std::io::Error),
    #[error("running ssh")]
    Ssh(#[source] std::io::Error),
    #[error("running pcapsule on {host}: {}", said.as_deref().unwrap_or("ssh did not get there"))]
    Unreachable { host: String, said: Option<String> },
    #[error("capturing on {host}: {}", said.as_deref().unwrap_or("it failed there"))]
    Failed { host: String, said: Option<String> },
    #[error("running pcapsule on {host}: there is no '{program}'")]
    NotThere { host: String, program: String },
    #[error("pcapsule is version {here} here and {there} on the host that was called")]
    Version { here: String, there: String },
    #[error(
        "receiving the capture from {host}: it broke off; {bytes} bytes of whole packets are in the file"
    )]
    BrokenOff { host: String, bytes: u64 },
}

impl Error {
    /// What to do about it.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Ssh(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Some("install an ssh client (Debian: openssh-client)".to_owned())
            }
            Self::Ssh(_) | Self::Lifeline(_) | Self::BrokenOff { .. } | Self::Failed { .. } => None,
            Self::Unreachable { host, .. } => Some(format!("does `ssh {host} true` work, without asking?")),
            Self::NotThere { .. } => {
                Some("install pcapsule there, or say where it is: --remote-path /opt/bin/pcapsule".to_owned())
            }
            Self::Version { .. } => Some("install the same version at both ends".to_owned()),
        }
    }
}

/// Who runs a command: the host that was called, and the program there. None: this one.
pub(super) fn wanted(arguments: &mut Arguments) -> Option<RemoteArgs> {
    if arguments.remote_end.is_some() {
        return None;
    }
    behind(&mut arguments.command).filter(|own| own.host.is_some()).map(|own| own.clone())
}

/// What was typed behind a command that can be run elsewhere.
fn behind(command: &mut Command) -> Option<&mut RemoteArgs> {
    match command {
        Command::Ls(args) => Some(&mut args.remote),
        Command::Inspect(args) => Some(&mut args.remote),
        Command::Capture(args) => Some(&mut args.remote),
        Command::Top(args) => Some(&mut args.remote),
        _ => None,
    }
}

/// Takes a `-H` before the command for one behind it; refuses it where none could be.
pub(super) fn take_host(arguments: &mut Arguments) -> Result<(), String> {
    if arguments.host.is_none() || arguments.remote_end.is_some() {
        return Ok(());
    }
    let Some(own) = behind(&mut arguments.command) else {
        return Err("-H goes with ls, inspect, capture and top: other commands are run here".to_owned());
    };
    if let Some(host) = arguments.host.take() {
        own.host = Some(host);
    }
    Ok(())
}

/// Why this capture cannot be run elsewhere as it was typed.
pub(super) fn refusal(args: &CaptureArgs) -> Option<String> {
    args.remote.host.as_ref()?;
    if args.ready_fd.is_some() {
        return Some(
            "--ready-fd names a descriptor of this machine, which the host of -H has not".to_owned(),
        );
    }
    if args.wireshark {
        let instead = "`pcapsule capture … -H … -w - | wireshark -k -i -` does";
        return Some(format!("--wireshark does not go with -H; {instead}"));
    }
    let option = args.save.rotating()?;
    Some(format!("{option} does not go with -H: what another host sends is written to one file here"))
}
