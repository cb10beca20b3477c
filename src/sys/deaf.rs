//! Children that the signals typed at a terminal do not reach: whoever started them passes on what they mean.
#![expect(unsafe_code, reason = "what a child does before it becomes another program is up to us")]

use std::{io, os::unix::process::CommandExt as _, process::Command};

use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::unistd::Pid;

/// Lets the program ignore SIGINT, SIGQUIT and SIGHUP. It stays in our group of processes, so that it may ask questions
/// at the terminal.
pub fn make_deaf(command: &mut Command) {
    let ignore = || {
        for number in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP] {
            // SAFETY: no handler is installed, and none replaced that anybody would miss: the program is another soon.
            unsafe { signal(number, SigHandler::SigIgn) }.map_err(io::Error::from)?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec, sigaction(2) alone is called, which signal-safety(7) lists; nothing is allocated.
    unsafe { command.pre_exec(ignore) };
}

/// Sends SIGINT to this process, as `^C` would.
pub fn interrupt_ourselves() {
    // It cannot fail: the process is there, and its own.
    let _ = kill(Pid::this(), Signal::SIGINT);
}
