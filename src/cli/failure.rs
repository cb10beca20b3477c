//! Whatever went wrong, as one line, a hint what to do, and an exit code.

use std::{error::Error, io, panic::PanicHookInfo, process::ExitCode};

use indicatif::HumanBytes;

use crate::bench;
use crate::capture::{DestinationError, InvalidRotation, OpenError, SinkError};
use crate::discovery;
use crate::netmode;
use crate::sys::{
    self, Capability, CgroupTapError, FilterError, SourceError, cgroup, ebpf, netlink, netns, process,
};

use super::{capture, exit, net, remote, sandbox_failure, select, terminal, wireshark};

/// The rights that looking and capturing need, with what each is for (capabilities(7)).
const RIGHTS: [(Capability, &str); 4] = [
    (Capability::CAP_NET_RAW, "to capture"),
    (Capability::CAP_NET_ADMIN, "to ask the kernel for links, to make them"),
    (Capability::CAP_SYS_ADMIN, "to make and enter namespaces, to load programs into the kernel"),
    (Capability::CAP_SYS_PTRACE, "to find those of other users"),
];

/// A failed command, ready to be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The chain of causes, outermost first.
    line: String,
    verdict: Verdict,
}

/// What a known error means to the user.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    code: u8,
    hints: Vec<String>,
}

impl Verdict {
    fn of(code: u8) -> Self {
        Self { code, hints: Vec::new() }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl Failure {
    /// Judged by the first error of the chain that is known, and by the capabilities that this thread lacks.
    pub(super) fn of(error: &anyhow::Error) -> Self {
        Self::without(&sys::missing(&RIGHTS.map(|(capability, _)| capability)), error)
    }

    fn without(missing: &[Capability], error: &anyhow::Error) -> Self {
        let asks_kernel = error.chain().any(is_of_the_kernel);
        let judge = |cause| judge(cause, missing, asks_kernel);
        let verdict = error.chain().find_map(judge).unwrap_or(Verdict::of(exit::FAULT));
        let causes: Vec<String> = error.chain().map(words).collect();
        Self { line: causes.join(": "), verdict }
    }

    /// Prints it on stderr, unless it is a success after all, and answers with the exit code.
    pub(super) fn report(self) -> ExitCode {
        ExitCode::from(self.tell())
    }

    /// As [`report`](Self::report), for processes that end otherwise than by `main`.
    pub(super) fn tell(self) -> u8 {
        if self.verdict.code != exit::DONE {
            terminal::complain(&self.sentence());
            self.verdict.hints.iter().for_each(|hint| terminal::hint(hint));
        }
        self.verdict.code
    }

    /// As [`report`](Self::report), in the one line that Wireshark shows.
    pub(super) fn report_in_one_line(self) -> ExitCode {
        if self.verdict.code != exit::DONE {
            let sentences: Vec<String> = [self.sentence()].into_iter().chain(self.verdict.hints).collect();
            terminal::last_words(&sentences.join("; ").replace(['\r', '\n'], " "));
        }
        ExitCode::from(self.verdict.code)
    }

    /// "failed opening x: no such file"; what does not begin with a doing ("x exists already") stands for itself.
    fn sentence(&self) -> String {
        let first = self.line.split(' ').next().unwrap_or_default();
        let is_doing = first.ends_with("ing") && first.bytes().all(|byte| byte.is_ascii_lowercase());
        if is_doing { format!("failed {}", self.line) } else { self.line.clone() }
    }
}

fn words(cause: &(dyn Error + 'static)) -> String {
    match cause.downcast_ref::<SinkError>() {
        Some(SinkError::Reserve { path, free, reserve }) => format!(
            "only {} are left on the disk of {}, less than the reserve of {}",
            HumanBytes(*free),
            path.display(),
            HumanBytes(*reserve)
        ),
        _ => cause.to_string(),
    }
}

/// Whether the kernel was asked for something that takes capabilities, unlike a file.
fn is_of_the_kernel(cause: &(dyn Error + 'static)) -> bool {
    cause.is::<discovery::Error>()
        || cause.is::<OpenError>()
        || cause.is::<SourceError>()
        || cause.is::<ebpf::Error>()
        || cause.is::<cgroup::Error>()
        || cause.is::<netlink::Error>()
        || cause.is::<netns::Error>()
        || cause.is::<process::Error>()
        || cause.is::<netmode::KeeperError>()
        || cause.is::<bench::Error>()
}

/// The place to map an error of any room to a code and a hint: one `downcast_ref` each, the telling ones first.
fn judge(cause: &(dyn Error + 'static), missing: &[Capability], asks_kernel: bool) -> Option<Verdict> {
    if let Some(error) = cause.downcast_ref::<select::Error>() {
        return Some(judge_selection(error, missing));
    }
    if let Some(error) = cause.downcast_ref::<remote::Error>() {
        let lacks = !matches!(
            error,
            remote::Error::Unreachable { .. }
                | remote::Error::BrokenOff { .. }
                | remote::Error::Failed { .. }
        );
        let verdict = Verdict::of(if lacks { exit::UNSUPPORTED } else { exit::FAULT });
        return Some(error.hint().into_iter().fold(verdict, Verdict::hint));
    }
    if cause.is::<net::Unknown>() {
        return Some(Verdict::of(exit::NO_TARGET).hint("`pcapsule net ls` lists the sandboxes"));
    }
    if let Some(error) = cause.downcast_ref::<capture::ViewerError>() {
        return Some(judge_viewer(error));
    }
    if let Some(error) = cause.downcast_ref::<wireshark::Error>() {
        let (code, hint) = error.judged();
        return Some(hint.into_iter().fold(Verdict::of(code), Verdict::hint));
    }
    if let Some(sandbox_failure::Judgement { code, hint }) = sandbox_failure::judge(cause) {
        let verdict = Verdict::of(code);
        return Some(hint.into_iter().fold(verdict, Verdict::hint));
    }
    if cause.downcast_ref().is_some_and(|no_way| !matches!(no_way, bench::NoWay::Nowhere)) {
        return Some(Verdict::of(exit::NO_TARGET));
    }
    if let Some(bench::Error::Namespace(netns::Error::Create(error))) = cause.downcast_ref()
        && error.kind() == io::ErrorKind::PermissionDenied
    {
        let hint =
            "as root, or as yourself with rights in a user namespace alone: `unshare -Urn pcapsule bench`";
        return Some(Verdict::of(exit::NOT_PERMITTED).hint(hint));
    }
    judge_capture(cause)
        .or_else(|| cause.downcast_ref::<io::Error>().and_then(|error| judge_io(error, missing, asks_kernel)))
}

fn judge_selection(error: &select::Error, missing: &[Capability]) -> Verdict {
    let for_looking: Vec<Capability> =
        missing.iter().copied().filter(|missing| *missing != Capability::CAP_NET_RAW).collect();
    if error.may_be_hidden() && !for_looking.is_empty() {
        let hidden = format!("not everything could be looked at: {}", rights(&for_looking));
        return Verdict::of(exit::NOT_PERMITTED).hint(error.hint()).hint(hidden);
    }
    let unsupported = matches!(error, select::Error::NoCgroup { .. });
    Verdict::of(if unsupported { exit::UNSUPPORTED } else { exit::NO_TARGET }).hint(error.hint())
}

/// What to do about the capabilities that are missing.
fn rights(missing: &[Capability]) -> String {
    if missing.is_empty() {
        return "no capability is missing: a security module or a seccomp filter may forbid it".to_owned();
    }
    let wanted = RIGHTS.iter().filter(|(capability, _)| missing.contains(capability));
    let named: Vec<String> =
        wanted.map(|(capability, purpose)| format!("{capability} ({purpose})")).collect();
    format!("run as root, or give the program {}; see 'Permissions' in the README", named.join(", "))
}

fn judge_capture(cause: &(dyn Error + 'static)) -> Option<Verdict> {
    if cause.is::<FilterError>() || cause.is::<InvalidRotation>() {
        return Some(Verdict::of(exit::USAGE));
    }
    if let Some(CgroupTapError::Untranslatable(_)) = cause.downcast_ref::<CgroupTapError>() {
        return Some(Verdict::of(exit::USAGE));
    }
    if let Some(error) = cause.downcast_ref::<ebpf::Error>() {
        return judge_program(error);
    }
    if let Some(cgroup::Error::NoHierarchy) = cause.downcast_ref::<cgroup::Error>() {
        let hint = "mount one beside version 1: `mount -t cgroup2 none /sys/fs/cgroup/unified`";
        return Some(Verdict::of(exit::UNSUPPORTED).hint(hint));
    }
    if let Some(cgroup::Error::NotOne(_)) = cause.downcast_ref::<cgroup::Error>() {
        return Some(Verdict::of(exit::NO_TARGET));
    }
    let destination = |error: &DestinationError| {
        let hint = match error {
            DestinationError::Terminal => "send it somewhere: `-w - | wireshark -k -i -`, or -w FILE",
            DestinationError::NotCapture(_) => "--force overwrites it all the same",
            DestinationError::Unreadable { .. } => return None,
        };
        Some(Verdict::of(exit::USAGE).hint(hint))
    };
    if let Some(error) = cause.downcast_ref::<DestinationError>() {
        return destination(error);
    }
    match cause.downcast_ref::<SinkError>()? {
        SinkError::Refused(error) => destination(error),
        SinkError::Reserve { .. } => {
            let hint = "everything captured until then is in the file; --reserve sets what is left alone";
            Some(Verdict::of(exit::UNSUPPORTED).hint(hint))
        }
        SinkError::DiskFull { .. } => Some(Verdict::of(exit::UNSUPPORTED)),
        SinkError::Closed | SinkError::Complete | SinkError::Io { .. } => None,
    }
}

fn judge_viewer(error: &capture::ViewerError) -> Verdict {
    match error {
        capture::ViewerError::Absent(_) => Verdict::of(exit::UNSUPPORTED)
            .hint("install it (apt install wireshark), or send the packets to another reader: -w - | …"),
        capture::ViewerError::NoScreen => Verdict::of(exit::UNSUPPORTED)
            .hint("where there is one: ssh HOST sudo pcapsule capture NAME -w - | wireshark -k -i -"),
        capture::ViewerError::Ended { .. } => Verdict::of(exit::FAULT),
    }
}

/// What is not forbidden, this kernel does not know.
fn judge_program(error: &ebpf::Error) -> Option<Verdict> {
    let hint = "host mode needs Linux 5.8 or later with CONFIG_CGROUP_BPF; see `uname -r`";
    let is_forbidden = error.cause().kind() == io::ErrorKind::PermissionDenied;
    (!is_forbidden).then(|| Verdict::of(exit::UNSUPPORTED).hint(hint))
}

fn judge_io(error: &io::Error, missing: &[Capability], asks_kernel: bool) -> Option<Verdict> {
    match error.kind() {
        // The reader has gone: `pcapsule ls | head -1`. What it wanted, it has.
        io::ErrorKind::BrokenPipe => Some(Verdict::of(exit::DONE)),
        io::ErrorKind::PermissionDenied if asks_kernel => {
            Some(Verdict::of(exit::NOT_PERMITTED).hint(rights(missing)))
        }
        io::ErrorKind::PermissionDenied => Some(Verdict::of(exit::NOT_PERMITTED)),
        io::ErrorKind::Unsupported => {
            Some(Verdict::of(exit::UNSUPPORTED).hint("this kernel lacks what is needed; see `uname -r`"))
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(Verdict::of(exit::UNSUPPORTED)),
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
        assert_eq!(failure.verdict, Verdict::of(exit::FAULT));
    }

    #[test]
    fn a_full_disk_is_something_that_is_lacking() {
        assert_eq!(failure(io::ErrorKind::StorageFull).verdict.code, exit::UNSUPPORTED);
    }

    #[test]
    fn a_closed_pipe_is_success() {
        assert_eq!(failure(io::ErrorKind::BrokenPipe).verdict.code, exit::DONE);
    }

    #[test]
    fn a_missing_right_of_the_kernel_is_named_alone() {
        let refused = || netlink::Error::Open(io::ErrorKind::PermissionDenied.into());
        let hint = |missing: &[Capability]| {
            let Verdict { code, hints } = Failure::without(missing, &refused().into()).verdict;
            assert_eq!(code, exit::NOT_PERMITTED);
            hints.join("; ")
        };
        let one = hint(&[Capability::CAP_SYS_ADMIN]);
        assert!(
            one.contains("CAP_SYS_ADMIN (to make and enter namespaces, ") && !one.contains("CAP_NET_RAW"),
            "{one}"
        );
        assert!(hint(&[]).contains("no capability is missing"));
    }

    #[test]
    fn a_lab_can_be_built_without_root() {
        let refused = netns::Error::Create(io::ErrorKind::PermissionDenied.into());
        let failure =
            Failure::of(&anyhow::Error::from(bench::Error::from(refused)).context("building the lab"));
        assert_eq!(failure.verdict.code, exit::NOT_PERMITTED);
        assert!(failure.verdict.hints[0].contains("unshare -Urn"), "{failure:?}");
    }

    #[test]
    fn a_container_without_a_way_is_no_target() {
        let code = |no_way: bench::NoWay| Failure::of(&no_way.into()).verdict.code;
        assert_eq!(code(bench::NoWay::NoHost("web".to_owned())), exit::NO_TARGET);
        assert_eq!(code(bench::NoWay::NoAddress("web".to_owned())), exit::NO_TARGET);
        assert_eq!(code(bench::NoWay::Nowhere), exit::FAULT);
    }

    #[test]
    fn a_file_that_may_not_be_opened_asks_for_no_capability() {
        let verdict = failure(io::ErrorKind::PermissionDenied).verdict;
        assert_eq!(verdict, Verdict::of(exit::NOT_PERMITTED));
    }

    fn unknown() -> anyhow::Error {
        select::Error::UnknownWord { word: "wbe".into(), advice: "nearest: web".into() }.into()
    }

    #[test]
    fn an_unknown_name_is_no_target() {
        let failure = Failure::without(&[Capability::CAP_NET_RAW], &unknown());
        assert_eq!(failure.line, "finding a container named 'wbe'");
        assert_eq!(failure.verdict, Verdict::of(exit::NO_TARGET).hint("nearest: web"));
    }

    #[test]
    fn an_unknown_name_is_not_permitted_where_not_everything_may_be_seen() {
        let verdict = Failure::without(&[Capability::CAP_SYS_PTRACE], &unknown()).verdict;
        assert_eq!(verdict.code, exit::NOT_PERMITTED);
        assert!(verdict.hints[1].contains("CAP_SYS_PTRACE"), "{verdict:?}");
    }

    #[test]
    fn only_a_doing_has_failed() {
        let sentence = |error: anyhow::Error| Failure::of(&error).sentence();
        assert_eq!(
            sentence(DestinationError::NotCapture("/etc/hostname".into()).into()),
            "/etc/hostname exists and is not a capture file"
        );
        let full = SinkError::Reserve { path: "a.pcap".into(), free: 60 << 30, reserve: 512 << 20 };
        assert_eq!(
            sentence(full.into()),
            "only 60.00 GiB are left on the disk of a.pcap, less than the reserve of 512.00 MiB"
        );
        assert_eq!(sentence(unknown()), "failed finding a container named 'wbe'");
    }
}
