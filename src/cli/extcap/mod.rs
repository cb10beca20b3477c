//! Wireshark's plug-in protocol (extcap): containers in its list of interfaces. The binary is its own plug-in.
//!
//! `words` reads a call, `answers` is what Wireshark is told, in `sentence`s, of whom the `roster` lists; `capturing` is a
//! capture, `elsewhere` one on another host, and `toolbar` what the user can do beside it, by `control` messages. Everything that is not the answer to a
//! call goes to the toolbar's log: on stderr there is a line if the call failed, and nothing otherwise.

mod answers;
mod capturing;
mod control;
mod elsewhere;
mod roster;
mod sentence;
mod toolbar;
mod words;

use std::{
    ffi::OsString,
    io::Write as _,
    panic::{self, AssertUnwindSafe},
    path::Path,
    process::ExitCode,
    sync::mpsc,
    thread,
    time::Duration,
};

use crate::discovery::engine::PATIENCE;
use crate::sys::Filter;

use super::{
    exit,
    failure::{self, Failure},
    remote,
    run::wait_for,
    terminal,
};

use self::{
    answers::{CONTAINERS, PICK},
    roster::Roster,
    sentence::Sentence,
    words::Words,
};

/// How long engines have to answer when Wireshark starts, which waits for us.
const PATIENCE_OF_A_START: Duration = Duration::from_millis(40);
/// A filter whose names take longer to look up than that is not checked while it is being typed.
const PATIENCE_OF_A_TYPIST: Duration = Duration::from_millis(500);

/// Whether these words (the program's name first) come from Wireshark: by its options, or else by the name of a program
/// that is there for it alone.
pub(super) fn is_call(words: &[OsString]) -> bool {
    let mut words = words.iter().map(|word| word.to_string_lossy());
    let program = words.next().unwrap_or_default().into_owned();
    let options: Vec<_> = words.take_while(|word| word != "--").collect();
    // A command in the first place is ours, whatever follows it.
    let begins_with_option = options.first().is_none_or(|first| first.starts_with("--"));
    let has_option = options.iter().any(|word| word.starts_with("--extcap-"));
    begins_with_option && (has_option || (options.is_empty() && is_plug_in(Path::new(&program))))
}

fn is_plug_in(program: &Path) -> bool {
    let is_called_so = program.file_name().is_some_and(|name| name.to_string_lossy().contains("extcap"));
    is_called_so || program.parent().and_then(Path::file_name).is_some_and(|folder| folder == "extcap")
}

/// Answers a call. Prints its own failure.
pub(super) fn run(words: &[OsString]) -> ExitCode {
    let words = Words::parse(words.iter().skip(1).map(|word| word.to_string_lossy()));
    panic::set_hook(Box::new(failure::report_panic));
    match panic::catch_unwind(AssertUnwindSafe(|| answer(&words))) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => Failure::of(&error).report_in_one_line(),
        Err(_panic) => ExitCode::from(exit::BUG),
    }
}

fn answer(words: &Words) -> anyhow::Result<ExitCode> {
    let interface = words.value("extcap-interface").unwrap_or_default();
    if words.is_on("capture", false) {
        return capturing::run(words);
    }
    let sentences = if words.has("extcap-config") {
        config(interface, words.value("extcap-reload-option"))?
    } else if words.has("extcap-dlts") {
        answers::link_types()
    } else if words.has("extcap-capture-filter") {
        return complain_of(words.value("extcap-capture-filter").unwrap_or_default());
    } else {
        answers::interfaces(&roster(PATIENCE_OF_A_START)?, &remote::known_hosts())
    };
    print(&sentences)
}

/// The options, or the present choices of one of them.
fn config(interface: &str, reload: Option<&str>) -> anyhow::Result<Vec<Sentence>> {
    Ok(match reload.map(|option| option.trim_start_matches('-')) {
        Some(CONTAINERS) => answers::choices(&roster(PATIENCE)?),
        Some(_) => Vec::new(),
        // Wireshark shows nothing at all of a list that is empty to begin with.
        None if interface == PICK => answers::options(interface, &roster(PATIENCE_OF_A_START)?),
        None => answers::options(interface, &Roster::default()),
    })
}

fn roster(granted: Duration) -> anyhow::Result<Roster> {
    wait_for(async { Ok(Roster::read(granted).await) })
}

/// Says what is wrong with a filter, and nothing if it is right.
fn complain_of(filter: &str) -> anyhow::Result<ExitCode> {
    let (tell, told) = mpsc::channel();
    let filter = filter.to_owned();
    // libpcap asks the network for the names in it, and nobody may have to wait for that.
    thread::spawn(move || {
        let parsed = if filter.is_empty() { Ok(()) } else { Filter::parse(&filter).map(drop) };
        // After that time nobody listens.
        let _ = tell.send(parsed);
    });
    match told.recv_timeout(PATIENCE_OF_A_TYPIST) {
        Ok(Err(error)) => print(&[error.reason.replace(['\r', '\n'], " ")]),
        Ok(Ok(())) | Err(_) => Ok(ExitCode::SUCCESS),
    }
}

fn print<L: ToString>(lines: &[L]) -> anyhow::Result<ExitCode> {
    let text: String = lines.iter().map(|line| line.to_string() + "\n").collect();
    let mut stdout = terminal::stdout();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wireshark_is_told_from_people() {
        let is_call = |line: &str| is_call(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        for line in [
            "pcapsule --extcap-interfaces --extcap-version=4.0",
            "pcapsule --extcap-interfaces",
            "pcapsule --fifo /tmp/f --capture --extcap-interface pcapsule",
            "/usr/lib/wireshark/extcap/pcapsule",
            "pcapsule-extcap",
        ] {
            assert!(is_call(line), "{line}");
        }
        for line in [
            "pcapsule",
            "pcapsule --help",
            "pcapsule ls",
            "/usr/lib/wireshark/extcap/pcapsule ls",
            "/usr/lib/wireshark/extcap/pcapsule --version",
            "pcapsule run -- tshark --extcap-interfaces",
            "pcapsule --color never run -- x --extcap-config",
        ] {
            assert!(!is_call(line), "{line}");
        }
    }
}
