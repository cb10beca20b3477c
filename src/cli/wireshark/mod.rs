//! `pcapsule wireshark`: pcapsule among Wireshark's interfaces, and a profile that shows what is in its files.
//!
//! `tool` asks tshark, `folders` reads its answer, `plug` puts the program there, `profile` the profile, `rights` tells
//! who may capture, `trial` calls what is installed as Wireshark does. The protocol itself is not here.

mod folders;
mod install;
mod plug;
mod profile;
mod rights;
mod scope;
mod status;
mod tool;
mod trial;
mod uninstall;

use std::{error::Error as _, io, path::PathBuf, process::ExitCode};

use super::exit;
use super::wireshark_args::{WiresharkArgs, WiresharkCommand};

use self::folders::Version;

/// Why something about Wireshark cannot be done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// There is nobody to ask.
    #[error("there is no tshark, which knows the folders of this Wireshark")]
    NoTshark,
    /// It did not answer.
    #[error("asking tshark ({words})")]
    Ask {
        /// What it was asked.
        words: String,
        /// How it ended.
        source: io::Error,
    },
    /// It answered something else.
    #[error("tshark does not tell its version: '{0}'")]
    Version(String),
    /// It named too few folders.
    #[error("tshark {0} does not tell the folders of extcap programs")]
    Folders(Version),
    /// Somebody else's file is in our place.
    #[error("{} is there already, and is not pcapsule", .0.display())]
    Foreign(PathBuf),
    /// The program has no name in the file system.
    #[error("finding out which file this program is")]
    Program(#[source] io::Error),
    /// No such group.
    #[error("there is no group named '{0}'")]
    NoGroup(String),
    /// Something failed at a file.
    #[error("{operation} {}", path.display())]
    File {
        /// What was to be done.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl Error {
    /// The exit code, and what to do.
    pub(super) fn judged(&self) -> (u8, Option<String>) {
        match self {
            Self::NoTshark => (exit::UNSUPPORTED, Some("install it: apt install tshark".to_owned())),
            Self::Version(_) | Self::Folders(_) => (exit::UNSUPPORTED, None),
            Self::Foreign(_) => {
                (exit::FAULT, Some("move it away, or remove it, if it is not needed".to_owned()))
            }
            Self::NoGroup(name) => (exit::FAULT, Some(format!("make it: sudo groupadd --system {name}"))),
            Self::File { .. } if self.is_refusal() => (
                exit::NOT_PERMITTED,
                Some("as root: sudo pcapsule wireshark …; or --user for yourself".to_owned()),
            ),
            Self::Ask { .. } | Self::Program(_) | Self::File { .. } => (exit::FAULT, None),
        }
    }

    fn is_refusal(&self) -> bool {
        let cause = self.source().and_then(|source| source.downcast_ref::<io::Error>());
        cause.is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    }
}

pub(super) fn run(args: &WiresharkArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        WiresharkCommand::Install(args) => install::run(args),
        WiresharkCommand::Uninstall(args) => uninstall::run(args),
        WiresharkCommand::Status(args) => status::run(args),
        WiresharkCommand::Rights => rights::print(),
    }
}
