//! `pcapsule wireshark install`.

use std::{env, fs, path::Path, path::PathBuf, process::ExitCode};

use crate::cli::terminal;
use crate::cli::wireshark_args::InstallArgs;
use crate::sys;

use super::folders::{Folders, Place};
use super::plug::{self, Manner, Plug, Put};
use super::profile::{Deed, Profile};
use super::rights::{self, Grant};
use super::scope::Scope;
use super::tool::Tshark;
use super::{Error, profile};

pub(super) fn run(args: &InstallArgs) -> anyhow::Result<ExitCode> {
    // Before anything is changed.
    let grant = args.group.as_deref().map(Grant::to_group).transpose()?;
    let program = program()?;
    let tshark = Tshark::find()?;
    let scope = Scope::of(&args.scope);
    let place = tshark.folders.of(scope);
    warn_of_sudo(scope);
    let plug = Plug::in_folder(&place.extcap);
    put(&plug, &program, manner(args, scope, &program, &plug))?;
    if let Some(grant) = &grant {
        give(grant, &program_of(&plug)?)?;
    }
    if args.profile {
        install_profile(place)?;
    }
    warn_of_others(&tshark.folders, scope);
    if grant.is_none() {
        tell_rights(&plug);
    }
    terminal::tell(
        "Wireshark shows the containers once it is started anew, or after F5 (refresh interfaces)",
    );
    Ok(ExitCode::SUCCESS)
}

/// The file of this program.
fn program() -> Result<PathBuf, Error> {
    env::current_exe().and_then(fs::canonicalize).map_err(Error::Program)
}

/// The program that is behind what was installed.
fn program_of(plug: &Plug) -> Result<PathBuf, Error> {
    fs::canonicalize(plug.path()).map_err(Error::Program)
}

/// A link, unless something stands against it: what a group gets is a program of its own, and this one stays everybody's.
fn manner(args: &InstallArgs, scope: Scope, program: &Path, plug: &Plug) -> Manner {
    let is_private = scope == Scope::System && !plug::is_for_everybody(program);
    // What somebody gave to a group before stays the group's.
    let is_granted =
        plug.look().is_ok_and(|found| found == plug::Found::Copy) && Grant::of(plug.path()).is_some();
    if args.copy || args.group.is_some() || is_private || is_granted { Manner::Copy } else { Manner::Link }
}

fn put(plug: &Plug, program: &Path, manner: Manner) -> Result<(), Error> {
    if plug::is_one(program, plug.path())
        && fs::symlink_metadata(plug.path()).is_ok_and(|found| found.is_file())
    {
        terminal::tell(&format!("{} is this very program", plug.path().display()));
        return Ok(());
    }
    // A copy that takes the place of another one has its rights, too.
    let before = Grant::of(plug.path()).filter(|_| manner == Manner::Copy);
    let path = plug.path().display();
    match plug.put(program, manner)? {
        Put::AsItWas => terminal::tell(&format!("{path} is there already")),
        Put::Linked => terminal::tell(&format!("linked {path} to {}", program.display())),
        Put::Copied => {
            terminal::tell(&format!("copied {} to {path}", program.display()));
            if let Some(before) = before {
                give(&before, plug.path())?;
            }
        }
    }
    Ok(())
}

fn give(grant: &Grant, program: &Path) -> Result<(), Error> {
    grant.give(program)?;
    let group = grant.group();
    terminal::tell(&format!("members of {group} can capture with {}", program.display()));
    terminal::hint(&format!("to be one: sudo adduser $USER {group}, and log in again"));
    Ok(())
}

fn install_profile(place: &Place) -> Result<(), Error> {
    let profile = Profile::at(place);
    let done = profile.install()?;
    tell_left_alone(&done);
    if done.iter().any(|done| done.deed == Deed::Written) {
        terminal::tell(&format!("wrote the profile {}", profile.folder().display()));
        if let Some(dissector) = profile.dissector() {
            terminal::tell(&format!("wrote the dissector {}", dissector.display()));
        }
    } else {
        terminal::tell(&format!("the profile {} is there already", profile.folder().display()));
    }
    terminal::tell(
        "`wireshark -C pcapsule` starts with it; it can be chosen at the right end of the status bar",
    );
    Ok(())
}

/// Names the files that are somebody else's by now.
pub(super) fn tell_left_alone(done: &[profile::Done]) {
    for left in done.iter().filter(|done| done.deed == Deed::LeftAlone) {
        terminal::warn(&format!("{} is left as it is: somebody has changed it", left.path.display()));
    }
}

/// Who uses sudo has folders of his own, which root's are not.
fn warn_of_sudo(scope: Scope) {
    let is_for_another = env::var_os("SUDO_UID").is_some_and(|user| user != "0");
    if scope == Scope::User && sys::effective_user() == 0 && is_for_another {
        terminal::warn(
            "--user under sudo means root's own folders: leave sudo out to install it for yourself",
        );
    }
}

/// What is elsewhere is not heard of by this Wireshark, or counts before what was just installed.
fn warn_of_others(folders: &Folders, scope: Scope) {
    for other in folders.elsewhere(scope) {
        let plug = Plug::in_folder(&other);
        if matches!(
            plug.look(),
            Ok(plug::Found::Link { .. } | plug::Found::Copy | plug::Found::Dangling { .. })
        ) {
            let path = plug.path().display();
            terminal::warn(&format!("{path} is there too, where this version of Wireshark does not look"));
            terminal::hint(&format!("`{}` removes both", scope.command("uninstall")));
        }
    }
}

fn tell_rights(plug: &Plug) {
    let Some(missing) = rights::missing(plug.path()).filter(|missing| !missing.is_empty()) else { return };
    terminal::warn(&format!(
        "to capture from containers of others it lacks {}: Wireshark starts it with your rights",
        missing.join(", ")
    ));
    terminal::hint(&offer());
}

/// How to let somebody capture who is not root.
pub(super) fn offer() -> String {
    let command = format!("{} --group wireshark", Scope::System.command("install"));
    format!(
        "`{command}` lets a group capture as dumpcap's does; `pcapsule wireshark install --help` says what that grants"
    )
}
