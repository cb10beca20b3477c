//! What pcapsule does when it is the other end.

use std::{
    io::{self, IsTerminal as _, Read as _},
    thread,
};

use crate::cli::args::{Arguments, Command};
use crate::sys;

use super::Error;

/// Checks that both ends speak alike, and lets the end of stdin be an interrupt: whoever called has gone or wants us to
/// end. A terminal is different: it sends its own signals, and stdin is its keyboard.
pub(in crate::cli) fn begin(there: &str) -> Result<(), Error> {
    let here = env!("CARGO_PKG_VERSION");
    if series(here) != series(there) {
        // Said at the other end, where "here" is there.
        return Err(Error::Version { here: there.to_owned(), there: here.to_owned() });
    }
    if io::stdin().is_terminal() {
        return Ok(());
    }
    thread::Builder::new()
        .name("lifeline".to_owned())
        .spawn(|| {
            // It needs no right, and would keep those that others give up.
            let _ = sys::keep_only(&[]);
            let mut ignored = [0; 64];
            while !matches!(io::stdin().read(&mut ignored), Ok(0) | Err(_)) {}
            sys::interrupt_ourselves();
        })
        .map(drop)
        .map_err(Error::Lifeline)
}

/// Versions of one series understand each other's options: `0.1`.
fn series(version: &str) -> Option<&str> {
    version.rsplit_once('.').map(|(series, _)| series)
}

/// What was to be written to a file goes to stdout, in the format that the file's name asked for.
pub(in crate::cli) fn send_to_stdout(arguments: &mut Arguments) {
    if let Command::Capture(args) = &mut arguments.command {
        args.save.send_to_stdout();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_one_series_go_together() {
        let here = env!("CARGO_PKG_VERSION");
        let patched = format!("{}.77", series(here).unwrap());
        assert_eq!(series(here), series(&patched));
        for other in ["99.1.0", "nonsense", ""] {
            assert!(matches!(begin(other), Err(Error::Version { .. })), "{other}");
        }
    }
}
