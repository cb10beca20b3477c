//! Other programs, run with their failure as the test's failure, and waiting that has a deadline.

use std::{
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

/// How long anything may take that should be quick.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a program and returns what it printed, without the last line feed.
///
/// # Panics
/// When it cannot start or does not succeed.
#[track_caller]
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
    checked(&format!("{program} {}", arguments.join(" ")), &output)
}

/// The standard output of a program that succeeded.
#[track_caller]
pub(crate) fn checked(line: &str, output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{line}` ended with {}: {errors}", output.status);
    String::from_utf8_lossy(&output.stdout).trim_end_matches('\n').to_owned()
}

/// Polls until there is a value.
///
/// # Panics
/// After 20 seconds, naming what did not come.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, poll: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, poll).unwrap_or_else(|| panic!("not within {PATIENCE:?}: {what}"))
}

/// Polls until there is a value or the time is up.
pub(crate) fn within<T>(patience: Duration, mut poll: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(value) = poll() {
            return Some(value);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(Duration::from_millis(5));
    }
}
