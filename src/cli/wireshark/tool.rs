//! Wireshark's own programs, asked things: which version, which folders, which interfaces; no answer takes for ever.

use std::{
    ffi::OsStr,
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::sys;

use super::Error;
use super::folders::{Folders, Version};

/// How long tshark may take: it starts every program in its extcap folders.
const PATIENCE: Duration = Duration::from_secs(30);

/// More is not read of an answer.
const LONGEST_ANSWER: u64 = 4 << 20;

/// A tshark that was found and has told about itself.
#[derive(Debug)]
pub(super) struct Tshark {
    pub(super) path: PathBuf,
    pub(super) version: Version,
    pub(super) folders: Folders,
}

impl Tshark {
    /// Finds it and asks it for its version and its folders.
    pub(super) fn find() -> Result<Self, Error> {
        let path = sys::find_program("tshark").ok_or(Error::NoTshark)?;
        let ask = |words: &[&str]| -> Result<String, Error> {
            let told = |source| Error::Ask { words: words.join(" "), source };
            let answer = Answer::of(Command::new(&path).args(words), PATIENCE).map_err(told)?;
            if answer.is_success() { Ok(answer.stdout) } else { Err(told(answer.failure())) }
        };
        let version = ask(&["--version"])?;
        let first = version.lines().next().unwrap_or_default();
        let version = Version::parse(first).ok_or_else(|| Error::Version(first.to_owned()))?;
        let folders = ask(&["-G", "folders"])?;
        let folders = Folders::parse(&folders, version).ok_or(Error::Folders(version))?;
        Ok(Self { path, version, folders })
    }

    /// The names of the interfaces that it lists (`-D`).
    pub(super) fn interfaces(&self) -> io::Result<Vec<String>> {
        let answer = Answer::of(Command::new(&self.path).arg("-D"), PATIENCE)?;
        // Without the right to capture at ordinary interfaces it lists the others all the same.
        Ok(answer.stdout.lines().filter_map(listed).map(str::to_owned).collect())
    }
}

/// `web` of `12. web (web: nginx)`.
fn listed(line: &str) -> Option<&str> {
    let (number, rest) = line.split_once(". ")?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| rest.split_once(" (").map_or(rest, |(name, _)| name))
}

/// How a program that was asked something ended, and what it said.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: ExitStatus,
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) took: Duration,
}

impl Answer {
    /// Starts the program, waits no longer than that, and ends it if it takes longer.
    pub(super) fn of(command: &mut Command, patience: Duration) -> io::Result<Self> {
        let begin = Instant::now();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if begin.elapsed() > patience {
                // It may have ended just now.
                let _ = child.kill();
                child.wait()?;
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("no answer within {} s", patience.as_secs()),
                ));
            }
            thread::sleep(Duration::from_millis(2));
        };
        let took = begin.elapsed();
        let text = |reader: thread::JoinHandle<String>| reader.join().unwrap_or_default();
        Ok(Self { status, stdout: text(stdout), stderr: text(stderr), took })
    }

    pub(super) fn is_success(&self) -> bool {
        self.status.success()
    }

    /// What went wrong, in its own last words.
    pub(super) fn failure(&self) -> io::Error {
        let last = self.stderr.lines().rfind(|line| !line.trim().is_empty());
        io::Error::other(
            last.map_or_else(|| self.status.to_string(), |line| format!("{}: {line}", self.status)),
        )
    }
}

fn collect(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(stream) = stream {
            // What was said before it broke is enough.
            let _ = stream.take(LONGEST_ANSWER).read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Wireshark with its window, if it is there.
pub(super) fn wireshark() -> Option<PathBuf> {
    sys::find_program("wireshark")
}

/// A command of a program that is called as Wireshark calls one: from the global folder of extcap programs, if it is there.
pub(super) fn as_wireshark_calls(program: &Path, folder: &Path, words: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(program);
    command.args(words);
    if folder.is_dir() {
        command.current_dir(folder);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_out_of_the_list() {
        for (line, name) in [
            ("1. eth0", Some("eth0")),
            ("12. pcapsule (all containers)", Some("pcapsule")),
            ("3. lo (Loopback)", Some("lo")),
            ("Running as user \"root\". This could be dangerous.", None),
            ("", None),
        ] {
            assert_eq!(listed(line), name, "{line}");
        }
    }

    #[test]
    fn an_answer_that_does_not_come_is_not_waited_for() {
        let patience = Duration::from_millis(50);
        let failed = Answer::of(Command::new("sleep").arg("60"), patience).unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn an_answer_has_all_that_was_said() {
        let script = "echo out; echo err >&2; exit 3";
        let answer = Answer::of(Command::new("sh").args(["-c", script]), PATIENCE).unwrap();
        assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), ("out\n", "err\n"));
        assert!(!answer.is_success() && answer.failure().to_string().ends_with(": err"));
    }
}
