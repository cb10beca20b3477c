//! Who may capture with an installed pcapsule: what it lacks when this user starts it, and giving it to a group.
//!
//! Wireshark starts its extcap programs as the user who runs Wireshark; dumpcap's rights do not count there.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::Context as _;

use crate::cli::terminal;
use crate::sys::{self, Capability, user};

use super::Error;
use super::tool::Answer;

/// What looking and capturing need; `wireshark install --help` says what each grants.
const NEEDED: [Capability; 4] = [
    Capability::CAP_NET_RAW,
    Capability::CAP_NET_ADMIN,
    Capability::CAP_SYS_ADMIN,
    Capability::CAP_SYS_PTRACE,
];

const PATIENCE: Duration = Duration::from_secs(10);

/// `pcapsule wireshark rights`: what this process lacks.
pub(super) fn print() -> anyhow::Result<ExitCode> {
    let missing = sys::missing(&NEEDED);
    let print = || missing.iter().try_for_each(|name| writeln!(terminal::stdout(), "{name}"));
    print().context("printing the capabilities")?;
    Ok(ExitCode::SUCCESS)
}

/// What the program lacks when the present user starts it, by its own account: file capabilities may be void, on a disk
/// mounted `nosuid`, say. None where it does not tell.
pub(super) fn missing(program: &Path) -> Option<Vec<String>> {
    let answer = Answer::of(Command::new(program).args(["wireshark", "rights"]), PATIENCE).ok()?;
    let names: Vec<String> = answer.stdout.lines().map(str::to_owned).collect();
    (answer.is_success() && names.iter().all(|name| name.starts_with("CAP_"))).then_some(names)
}

/// What a program may do, and who may run it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    capabilities: Vec<Capability>,
    gid: u32,
    mode: u32,
}

impl Grant {
    /// What was given to the program; none if nothing was.
    pub(super) fn of(program: &Path) -> Option<Self> {
        let capabilities = sys::file_capabilities(program).ok().filter(|found| !found.is_empty())?;
        let metadata = fs::metadata(program).ok()?;
        Some(Self { capabilities, gid: metadata.gid(), mode: metadata.mode() & 0o777 })
    }

    /// All that capturing takes, for the members of that group and nobody else, as with Debian's dumpcap.
    pub(super) fn to_group(name: &str) -> Result<Self, Error> {
        let found = user::group_by_name(name).map_err(|_| Error::NoGroup(name.to_owned()))?;
        let gid = found.ok_or_else(|| Error::NoGroup(name.to_owned()))?;
        Ok(Self { capabilities: NEEDED.to_vec(), gid, mode: 0o750 })
    }

    /// Gives it. In this order: at no time may somebody run it with capabilities who should not.
    pub(super) fn give(&self, program: &Path) -> Result<(), Error> {
        let failed = |source| Error::File {
            operation: "giving file capabilities to",
            path: program.to_owned(),
            source,
        };
        let steps = || -> io::Result<()> {
            user::give_to_group(program, self.gid)?;
            fs::set_permissions(program, fs::Permissions::from_mode(self.mode))?;
            sys::give_capabilities(program, &self.capabilities)
        };
        steps().map_err(failed)
    }

    /// The name of the group.
    pub(super) fn group(&self) -> String {
        user::group_name(self.gid)
    }

    /// Whether others than that group may run it.
    pub(super) fn is_for_all(&self) -> bool {
        self.mode & 0o001 != 0
    }

    /// Whether that is everything that capturing needs.
    pub(super) fn is_whole(&self) -> bool {
        NEEDED.iter().all(|needed| self.capabilities.contains(needed))
    }
}

/// The name of the group that a program is for, if only members of it may run it.
pub(super) fn group_of(program: &Path) -> Option<String> {
    let metadata = fs::metadata(program).ok()?;
    (metadata.mode() & 0o011 == 0o010).then(|| user::group_name(metadata.gid()))
}
