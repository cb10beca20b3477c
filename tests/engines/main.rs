//! Engines as they are: sockets that misbehave, a real Docker, a real Podman.
//!
//! A test that needs an engine says why it is skipped, and fails instead when PCAPSULE_REQUIRE names that engine.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and says why it is skipped")]

mod busybox;
mod docker;
mod fake;
mod followed;
mod podman;
mod sockets;

use std::{ffi::OsStr, process::Command};

/// Runs a command to its end and gives what it printed, without the last line end.
fn run<I: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = I>) -> Result<String, String> {
    let output =
        Command::new(program).args(arguments).output().map_err(|cause| format!("{program}: {cause}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    } else {
        Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim_end()))
    }
}

/// What the test needs, or none after saying why it cannot run.
fn require<T>(what: &str, found: Result<T, String>) -> Option<T> {
    let required = std::env::var("PCAPSULE_REQUIRE").unwrap_or_default();
    match found {
        Ok(found) => Some(found),
        Err(reason) if required.split(',').any(|word| word == what) => panic!("{what} is required: {reason}"),
        Err(reason) => {
            println!("skipped: {reason}");
            None
        }
    }
}
