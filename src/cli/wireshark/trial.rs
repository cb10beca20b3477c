//! What is installed, called as Wireshark calls it: does it answer, and does Wireshark list what it answered?

use std::{path::Path, time::Duration};

use crate::report::{Check, Verdict};

use super::folders::Version;
use super::plug::Plug;
use super::scope::Scope;
use super::tool::{Answer, Tshark, as_wireshark_calls};

/// How long an answer may take. Wireshark waits for it before its window shows anything.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than this is felt at every start.
const SLOW: Duration = Duration::from_millis(500);

const CHECK: &str = "self-test";

/// Calls the installed program, then lets tshark do so.
pub(super) fn run(plug: &Plug, tshark: &Tshark) -> Vec<Check> {
    let folder = &tshark.folders.of(Scope::System).extcap;
    let names = match list(plug.path(), folder, tshark.version) {
        Ok((check, names)) => (vec![check], names),
        Err(fault) => return vec![fault],
    };
    let (mut checks, names) = names;
    if let Some(first) = names.first() {
        checks.extend(link_types(plug.path(), folder, first));
    }
    checks.push(listed(plug, tshark, &names));
    checks
}

fn fault(text: impl Into<String>) -> Check {
    Check::new(CHECK, Verdict::Fault, text)
}

/// `--extcap-interfaces`: exit code 0, an interface at least, nothing on stderr.
fn list(program: &Path, folder: &Path, version: Version) -> Result<(Check, Vec<String>), Check> {
    let Version([major, minor, _]) = version;
    let asked = ["--extcap-interfaces".to_owned(), format!("--extcap-version={major}.{minor}")];
    let call = format!("{} {}", program.display(), asked.join(" "));
    let again = format!("run `{call}`");
    let answer = Answer::of(&mut as_wireshark_calls(program, folder, &asked), PATIENCE)
        .map_err(|error| fault(format!("`{call}`: {error}")).fix(hint_at(&error)))?;
    if !answer.is_success() {
        let text =
            format!("`{call}` failed ({}): Wireshark then leaves it out without a word", answer.failure());
        return Err(fault(text).fix(again));
    }
    let names = names(&answer.stdout);
    if names.is_empty() {
        let text = format!("`{call}` named no interface");
        return Err(fault(text).fix(reinstall()));
    }
    if let Some(said) = answer.stderr.lines().next() {
        let text = format!("`{call}` said on stderr, where Wireshark expects nothing: {said}");
        return Err(fault(text).fix(again));
    }
    let text = format!("{} interfaces in {} ms", names.len(), answer.took.as_millis());
    let check = if answer.took > SLOW {
        let slow =
            Check::new(CHECK, Verdict::Note, format!("{text}, which every start of Wireshark waits for"));
        slow.fix("see what takes long: pcapsule ls --log debug")
    } else {
        Check::new(CHECK, Verdict::Ok, text)
    };
    Ok((check, names))
}

/// `--extcap-dlts` and `--extcap-config`, without which Wireshark offers nothing to start.
fn link_types(program: &Path, folder: &Path, interface: &str) -> Option<Check> {
    let ask = |what: &str| {
        let words = [what, "--extcap-interface", interface];
        let answer = Answer::of(&mut as_wireshark_calls(program, folder, &words), PATIENCE);
        let call = format!("{} {}", program.display(), words.join(" "));
        match answer {
            Err(error) => Err(format!("`{call}`: {error}")),
            Ok(answer) if !answer.is_success() => Err(format!("`{call}` failed ({})", answer.failure())),
            Ok(answer) => Ok((call, answer.stdout)),
        }
    };
    let dlts = ask("--extcap-dlts").and_then(|(call, said)| {
        let is_there = said.lines().any(|line| line.starts_with("dlt {"));
        if is_there { Ok(()) } else { Err(format!("`{call}` named no link type")) }
    });
    let text = dlts.and_then(|()| ask("--extcap-config").map(|_| ())).err()?;
    Some(Check::new(CHECK, Verdict::Fault, text).fix(reinstall()))
}

/// Whether tshark has what the program has answered.
fn listed(plug: &Plug, tshark: &Tshark, names: &[String]) -> Check {
    const CHECK: &str = "tshark -D";
    let shown = match tshark.interfaces() {
        Ok(shown) => shown,
        Err(error) => return Check::new(CHECK, Verdict::Fault, error.to_string()).fix("run `tshark -D`"),
    };
    // Containers may have come and gone meanwhile: the first is always there.
    match names.first() {
        Some(first) if shown.contains(first) => {
            let count = names.iter().filter(|name| shown.contains(name)).count();
            Check::new(CHECK, Verdict::Ok, format!("lists {count} of them, first {first}"))
        }
        first => {
            let name = first.map_or("none", String::as_str);
            let text = format!("does not list {name}, which {} offers", plug.path().display());
            Check::new(CHECK, Verdict::Fault, text)
                .fix("see whether another program in an extcap folder offers the same name: tshark -D")
        }
    }
}

fn hint_at(error: &std::io::Error) -> String {
    if error.kind() == std::io::ErrorKind::PermissionDenied {
        "join the group that may run it, and log in again; or install it for yourself".to_owned()
    } else {
        reinstall()
    }
}

fn reinstall() -> String {
    "pcapsule wireshark install".to_owned()
}

/// The names in sentences like `interface {value=web}{display=web: nginx}`.
fn names(said: &str) -> Vec<String> {
    let sentences = said.lines().filter_map(|line| line.strip_prefix("interface "));
    let names = sentences.filter_map(|sentence| {
        let (_, rest) = sentence.split_once("{value=")?;
        rest.split_once('}').map(|(name, _)| name.to_owned())
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_out_of_sentences() {
        let said = "extcap {version=1}{display=x}\ninterface {value=all}{display=All}\nnoise {value=x}\n\
            interface {display=Web}{value=web-1}\ninterface {display=none}\n";
        assert_eq!(names(said), ["all", "web-1"]);
    }
}
