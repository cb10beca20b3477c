//! `pcapsule wireshark uninstall`: exactly what is ours, wherever a Wireshark of any version would look.

use std::{iter, process::ExitCode};

use crate::cli::terminal;
use crate::cli::wireshark_args::UninstallArgs;

use super::install::tell_left_alone;
use super::plug::{Found, Plug};
use super::profile::{Deed, Profile};
use super::scope::Scope;
use super::tool::Tshark;

pub(super) fn run(args: &UninstallArgs) -> anyhow::Result<ExitCode> {
    let scope = Scope::of(&args.scope);
    let tshark = Tshark::find()?;
    let place = tshark.folders.of(scope);
    let mut is_removed = false;
    for folder in iter::once(place.extcap.clone()).chain(tshark.folders.elsewhere(scope)) {
        let plug = Plug::in_folder(&folder);
        if plug.remove()? {
            is_removed = true;
            terminal::tell(&format!("removed {}", plug.path().display()));
        } else if plug.look().is_ok_and(|found| found == Found::Foreign) {
            terminal::warn(&format!("{} is not pcapsule, and is left alone", plug.path().display()));
        }
    }
    let profile = Profile::at(place);
    let done = profile.uninstall()?;
    for removed in done.iter().filter(|done| done.deed == Deed::Removed) {
        is_removed = true;
        terminal::tell(&format!("removed {}", removed.path.display()));
    }
    tell_left_alone(&done);
    if !done.is_empty() && profile.folder().exists() {
        terminal::tell(&format!("{} stays: others have files in it", profile.folder().display()));
    }
    if !is_removed {
        terminal::tell(&format!("nothing of pcapsule is in {scope} folders of Wireshark"));
    }
    Ok(ExitCode::SUCCESS)
}
