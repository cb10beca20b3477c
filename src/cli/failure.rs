//! Whatever went wrong, as one line, a hint what to do, and an exit code.

use std::{error::Error, io, panic::PanicHookInfo, process::ExitCode};

use crate::capture::{DestinationError, InvalidRotation, SinkError};
use crate::sys::FilterError;

use super::{exit, select, terminal};

/// The rights that looking and capturing need, with what each is for (capabilities(7)).
const CAPABILITIES: &str = "run as root, or give the program CAP_NET_RAW (to capture), CAP_NET_ADMIN (to ask the \
                            kernel for links), CAP_SYS_ADMIN (to enter namespaces) and CAP_SYS_PTRACE (to find \
                            those of other users); see 'Permissions' in the README";

/// A failed command, ready to be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The chain of causes, outermost first; reads on after "failed".
    line: String,
    verdict: Verdict,
}

/// What a known error means to the user.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    code: u8,
    hint: Option<String>,
}

impl Failure {
    /// Judged by the first error of the chain that is known.
    pub(super) fn of(error: &anyhow::Error) -> Self {
        let verdict = error.chain().find_map(judge).unwrap_or(Verdict { code: exit::FAULT, hint: None });
        let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
        Self { line: causes.join(": "), verdict }
    }

    /// Prints it on stderr, unless it is a success after all, and answers with the exit code.
    pub(super) fn report(self) -> ExitCode {
        if self.verdict.code != exit::DONE {
            terminal::complain(&format!("failed {}", self.line));
            if let Some(hint) = &self.verdict.hint {
                terminal::hint(hint);
            }
        }
        ExitCode::from(self.verdict.code)
    }
}

/// The place to map an error of any room to a code and a hint: one `downcast_ref` each, the telling ones first.
fn judge(cause: &(dyn Error + 'static)) -> Option<Verdict> {
    if let Some(error) = cause.downcast_ref::<select::Error>() {
        let code =
            if matches!(error, select::Error::HostMode(_)) { exit::UNSUPPORTED } else { exit::NO_TARGET };
        return Some(Verdict { code, hint: Some(error.hint()) });
    }
    judge_capture(cause).or_else(|| cause.downcast_ref::<io::Error>().and_then(judge_io))
}

fn judge_capture(cause: &(dyn Error + 'static)) -> Option<Verdict> {
    if cause.is::<FilterError>() || cause.is::<InvalidRotation>() {
        return Some(Verdict { code: exit::USAGE, hint: None });
    }
    let destination = |error: &DestinationError| {
        let hint = match error {
            DestinationError::Terminal => "send it somewhere: `-w - | wireshark -k -i -`, or -w FILE",
            DestinationError::NotCapture(_) => "--force overwrites it all the same",
            DestinationError::Unreadable { .. } => return None,
        };
        Some(Verdict { code: exit::USAGE, hint: Some(hint.to_owned()) })
    };
    if let Some(error) = cause.downcast_ref::<DestinationError>() {
        return destination(error);
    }
    match cause.downcast_ref::<SinkError>()? {
        SinkError::Refused(error) => destination(error),
        SinkError::Reserve { .. } => {
            let hint = "everything captured until then is in the file; --reserve sets what is left alone";
            Some(Verdict { code: exit::UNSUPPORTED, hint: Some(hint.to_owned()) })
        }
        SinkError::DiskFull { .. } => Some(Verdict { code: exit::UNSUPPORTED, hint: None }),
        SinkError::Closed | SinkError::Complete | SinkError::Io { .. } => None,
    }
}

fn judge_io(error: &io::Error) -> Option<Verdict> {
    let verdict = |code, hint: &str| Some(Verdict { code, hint: Some(hint.to_owned()) });
    match error.kind() {
        // The reader has gone: `pcapsule ls | head -1`. What it wanted, it has.
        io::ErrorKind::BrokenPipe => Some(Verdict { code: exit::DONE, hint: None }),
        io::ErrorKind::PermissionDenied => verdict(exit::NOT_PERMITTED, CAPABILITIES),
        io::ErrorKind::Unsupported => {
            verdict(exit::UNSUPPORTED, "this kernel lacks what is needed; see `uname -r`")
        }
        _ => None,
    }
}

/// The hook for panics: one line that asks for a report.
pub(super) fn report_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let message = panic.payload_as_str().unwrap_or("no message");
    terminal::complain(&format!(
        "a bug in pcapsule {} at {place}: {message}; please report this line and the command",
        env!("CARGO_PKG_VERSION"),
    ));
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    fn failure(kind: io::ErrorKind) -> Failure {
        let result: Result<(), _> = Err(io::Error::from(kind));
        Failure::of(&result.context("opening the network namespace of container web").unwrap_err())
    }

    #[test]
    fn the_line_is_the_chain_of_causes() {
        let failure = failure(io::ErrorKind::NotFound);
        assert_eq!(failure.line, "opening the network namespace of container web: entity not found");
        assert_eq!(failure.verdict, Verdict { code: exit::FAULT, hint: None });
    }

    #[test]
    fn a_closed_pipe_is_success() {
        assert_eq!(failure(io::ErrorKind::BrokenPipe).verdict.code, exit::DONE);
    }

    #[test]
    fn a_missing_right_names_the_capabilities() {
        let verdict = failure(io::ErrorKind::PermissionDenied).verdict;
        assert_eq!(verdict.code, exit::NOT_PERMITTED);
        assert!(verdict.hint.unwrap().contains("CAP_NET_RAW"));
    }

    #[test]
    fn an_unknown_name_is_no_target() {
        let error = select::Error::UnknownWord { word: "wbe".into(), nearest: vec!["web".into()] };
        let failure = Failure::of(&error.into());
        assert_eq!(failure.line, "finding a container named 'wbe'");
        assert_eq!(failure.verdict, Verdict { code: exit::NO_TARGET, hint: Some("nearest: web".into()) });
    }
}
