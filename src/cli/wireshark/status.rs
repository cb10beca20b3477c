//! `pcapsule wireshark status`: what is installed, tested as Wireshark uses it.

use std::{
    env, fs,
    io::{self},
    path::Path,
    process::{Command, ExitCode},
    time::{Duration, SystemTime},
};

use anyhow::Context as _;

use crate::cli::wireshark_args::StatusArgs;
use crate::cli::{exit, terminal};
use crate::report::{self, Check, Verdict};
use crate::sys::{self, user};

use super::install::offer;
use super::plug::{self, Found, Plug};
use super::profile::{Condition, Profile};
use super::rights::{self, Grant};
use super::scope::Scope;
use super::tool::{self, Answer, Tshark};
use super::{Error, trial};

const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn run(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let (checks, code) = match Tshark::find() {
        Ok(tshark) => {
            let checks = look(&tshark);
            let is_faulty = checks.iter().any(|check| check.verdict == Verdict::Fault);
            (checks, if is_faulty { exit::FAULT } else { exit::DONE })
        }
        Err(error @ Error::NoTshark) => {
            let (code, fix) = error.judged();
            let check = Check::new("tshark", Verdict::Fault, error.to_string());
            (vec![Check { fix, ..check }], code)
        }
        Err(error) => return Err(error.into()),
    };
    print(args, &checks).context("printing the checks")?;
    Ok(ExitCode::from(code))
}

fn print(args: &StatusArgs, checks: &[Check]) -> io::Result<()> {
    if !args.json {
        return report::checks(checks, &mut terminal::stdout());
    }
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let time_ns = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
    report::checks_json(checks, (&sys::system()?.host, time_ns), &mut terminal::stdout())
}

fn look(tshark: &Tshark) -> Vec<Check> {
    let mut checks = vec![
        Check::new("tshark", Verdict::Ok, format!("{} ({})", tshark.version, tshark.path.display())),
        match tool::wireshark() {
            Some(path) => Check::new("wireshark", Verdict::Ok, path.display().to_string()),
            None => Check::new("wireshark", Verdict::Note, "not installed: there is tshark alone")
                .fix("apt install wireshark"),
        },
    ];
    let plugs = Scope::BOTH.map(|scope| Plug::in_folder(&tshark.folders.of(scope).extcap));
    let found = Scope::BOTH.into_iter().zip(&plugs).map(|(scope, plug)| installed(scope, plug));
    let (places, mut usable): (Vec<_>, Vec<_>) = found.unzip();
    let is_nowhere = places.iter().all(Option::is_none);
    checks.extend(places.into_iter().flatten());
    checks.extend(strays(tshark, is_nowhere));
    if is_nowhere {
        let folder = tshark.folders.of(Scope::User).extcap.display().to_string();
        let text = format!("not installed: nothing is in {folder} nor in everybody's folder");
        checks.push(Check::new("installed", Verdict::Fault, text).fix("pcapsule wireshark install"));
    }
    // Of two, one's own counts.
    if usable.iter().all(|usable| *usable) {
        let text = format!("{} counts before {}", plugs[0].path().display(), plugs[1].path().display());
        checks.push(Check::new("installed", Verdict::Note, text).fix(Scope::User.command("uninstall")));
        usable[1] = false;
    }
    for plug in plugs.iter().zip(usable).filter(|(_, usable)| *usable).map(|(plug, _)| plug) {
        checks.extend(trial::run(plug, tshark));
        checks.push(may_capture(plug));
    }
    checks.extend(Scope::BOTH.map(|scope| profile(scope, tshark)).into_iter().flatten());
    checks
}

/// What is in one of the right folders, and whether it is worth a trial; none if nothing is there.
fn installed(scope: Scope, plug: &Plug) -> (Option<Check>, bool) {
    const CHECK: &str = "installed";
    let path = plug.path().display().to_string();
    let again = || scope.command("install");
    let fault = |text: String, fix: String| (Some(Check::new(CHECK, Verdict::Fault, text).fix(fix)), false);
    match plug.look() {
        Ok(Found::Nothing) => (None, false),
        Ok(Found::Dangling { target }) => {
            fault(format!("{path} is a link to {}, which is no more", target.display()), again())
        }
        Ok(Found::Foreign) => {
            fault(format!("{path} is not pcapsule"), format!("move it away, then: {}", again()))
        }
        Ok(Found::Closed) => {
            let group = rights::group_of(plug.path());
            let text = format!("{path} may not be run by you");
            let fix =
                group.map_or_else(again, |group| format!("sudo adduser $USER {group}, and log in again"));
            fault(text, fix)
        }
        Ok(Found::Link { target }) => age(plug, &format!("{path} → {}", target.display()), scope),
        Ok(Found::Copy) => age(plug, &path, scope),
        Err(error) => fault(format!("{path}: {error}"), again()),
    }
}

/// Whether it is the version that looks at it.
fn age(plug: &Plug, text: &str, scope: Scope) -> (Option<Check>, bool) {
    const CHECK: &str = "installed";
    if !user::may_execute(plug.path()) {
        let fix = rights::group_of(plug.path()).map_or_else(
            || format!("chmod +x {}", plug.path().display()),
            |group| format!("sudo adduser $USER {group}, and log in again"),
        );
        let text = format!("{text}, which may not be run by you");
        return (Some(Check::new(CHECK, Verdict::Fault, text).fix(fix)), false);
    }
    let is_this = env::current_exe().is_ok_and(|own| plug::is_one(&own, plug.path()));
    let own = concat!("pcapsule ", env!("CARGO_PKG_VERSION"));
    let version = match (is_this, version_of(plug.path())) {
        (true, _) => own.to_owned(),
        (false, Ok(version)) => version,
        (false, Err(error)) => {
            let text = format!("{text} does not tell its version: {error}");
            return (Some(Check::new(CHECK, Verdict::Fault, text).fix(scope.command("install"))), true);
        }
    };
    if version == own {
        return (Some(Check::new(CHECK, Verdict::Ok, text)), true);
    }
    let text = format!("{text} is {version}, not {own}");
    (Some(Check::new(CHECK, Verdict::Fault, text).fix(scope.command("install"))), true)
}

fn version_of(program: &Path) -> io::Result<String> {
    let answer = Answer::of(Command::new(program).arg("--version"), PATIENCE)?;
    if answer.is_success() { Ok(answer.stdout.trim().to_owned()) } else { Err(answer.failure()) }
}

/// Installed where this version does not look.
fn strays(tshark: &Tshark, is_nowhere: bool) -> Vec<Check> {
    let mut checks = Vec::new();
    for scope in Scope::BOTH {
        for folder in tshark.folders.elsewhere(scope) {
            let plug = Plug::in_folder(&folder);
            if matches!(plug.look(), Ok(Found::Nothing | Found::Foreign) | Err(_)) {
                continue;
            }
            let right = tshark.folders.of(scope).extcap.display();
            let text = format!(
                "{} is in the wrong folder: Wireshark {} looks in {right}",
                plug.path().display(),
                tshark.version
            );
            let verdict = if is_nowhere { Verdict::Fault } else { Verdict::Note };
            let fix = format!("{}; {}", scope.command("uninstall"), scope.command("install"));
            checks.push(Check::new("folder", verdict, text).fix(fix));
        }
    }
    checks
}

/// Whether this user can capture with it.
fn may_capture(plug: &Plug) -> Check {
    const CHECK: &str = "rights";
    let Some(missing) = rights::missing(plug.path()) else {
        return Check::new(CHECK, Verdict::Note, "it does not tell which capabilities it lacks");
    };
    let program = fs::canonicalize(plug.path()).unwrap_or_else(|_| plug.path().to_owned());
    let grant = Grant::of(&program);
    if missing.is_empty() {
        let whose = match &grant {
            Some(grant) if sys::effective_user() != 0 => {
                format!("by file capabilities, for the group {}", grant.group())
            }
            _ => "as root".to_owned(),
        };
        let check = Check::new(CHECK, Verdict::Ok, format!("captures from every container, {whose}"));
        return match grant {
            Some(grant) if grant.is_for_all() => Check { verdict: Verdict::Note, ..check }
                .fix(format!("everybody may run it: keep it to a group, {}", offer())),
            _ => check,
        };
    }
    let text = format!("to capture from containers it lacks {}", missing.join(", "));
    let fix = match grant {
        Some(grant) if grant.is_whole() => {
            format!("{} has them, and they do not count: is its disk mounted nosuid?", program.display())
        }
        _ => offer(),
    };
    if sys::is_owner_of_containers() {
        return Check::new(
            CHECK,
            Verdict::Note,
            format!(
                "captures from your own rootless containers; for all others it lacks {}",
                missing.join(", ")
            ),
        )
        .fix(fix);
    }
    Check::new(CHECK, Verdict::Fault, text).fix(fix)
}

fn profile(scope: Scope, tshark: &Tshark) -> Option<Check> {
    const CHECK: &str = "profile";
    let profile = Profile::at(tshark.folders.of(scope));
    if !profile.is_installed() {
        return None;
    }
    let folder = profile.folder().display();
    let again = format!("{} --profile", scope.command("install"));
    let found = match profile.look() {
        Ok(found) => found,
        Err(error) => {
            return Some(Check::new(CHECK, Verdict::Fault, format!("{folder}: {error}")).fix(again));
        }
    };
    let first =
        |wanted| found.iter().find(|(_, condition)| *condition == wanted).map(|(path, _)| path.display());
    Some(if let Some(path) = first(Condition::Missing) {
        Check::new(CHECK, Verdict::Fault, format!("{path} is missing")).fix(again)
    } else if let Some(path) = first(Condition::Older) {
        Check::new(CHECK, Verdict::Note, format!("{path} is of an older version")).fix(again)
    } else if let Some(path) = first(Condition::Changed) {
        Check::new(CHECK, Verdict::Ok, format!("{folder}; {path} has been changed since"))
    } else {
        Check::new(CHECK, Verdict::Ok, format!("{folder}, dissector too"))
    })
}
