//! nftables, by a held `nft -i`: the tables it makes with `flags owner` are nobody else's, and end with it.
//!
//! One process for as long as the rules are wanted. It loads while other work goes on, and dies with the thread that
//! started it, so that no end of ours leaves rules behind (`nft(8)`, "owner"; Linux 5.12).
#![expect(unsafe_code, reason = "what a child does between fork and exec")]

use std::{
    fs::File,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::{fs::FileExt, process::CommandExt},
    },
    path::PathBuf,
    process::{Child, ChildStderr, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::memfd::{MFdFlags, memfd_create},
};

use super::tool;

/// Far beyond what any batch takes: after that nft is stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// A batch can be quoted back by nft in full.
const LONGEST_WORDS: usize = 600;

/// What a batch says of a table that is to be nobody else's.
const OWNER: &str = "flags owner";

/// What can go wrong with nft.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Error {
    #[error("finding the program nft, in PATH or /usr/sbin (package nftables)")]
    Missing,
    #[error("starting {}", program.display())]
    Start { program: PathBuf, source: io::Error },
    #[error("talking to nft")]
    Talk(#[source] io::Error),
    #[error(
        "making a table that belongs to this program, for which nft 0.9.9 and Linux 5.12 are needed: {words}"
    )]
    NoOwner { words: String },
    #[error("applying the rules; nft says: {words}")]
    Refused { words: String },
    #[error("applying the rules: nft has ended{words}")]
    Ended { words: String },
    #[error("applying the rules: nft does not answer")]
    Silent,
    #[error("listing the rules; nft says: {words}")]
    Unreadable { words: String },
}

impl Error {
    /// Whether the kernel wants a capability that we do not have (`CAP_NET_ADMIN`).
    pub fn is_not_permitted(&self) -> bool {
        matches!(self, Self::Refused { words } | Self::Ended { words } | Self::Unreadable { words } if words.contains("not permitted"))
    }
}

/// The rules of the calling thread's namespace, all families, as nft's JSON (`libnftables-json(5)`). Reads only.
pub fn listing() -> Result<String, Error> {
    let program = tool::find("nft").ok_or(Error::Missing)?;
    let failed = |source| Error::Start { program: program.clone(), source };
    let listed = Command::new(&program)
        .args(["-j", "list", "ruleset"])
        .stdin(Stdio::null())
        .output()
        .map_err(failed)?;
    if listed.status.success() {
        return Ok(String::from_utf8_lossy(&listed.stdout).into_owned());
    }
    Err(Error::Unreadable { words: shortened(&String::from_utf8_lossy(&listed.stderr)) })
}

/// A running nft in one network namespace. Dropping it ends it, and the kernel removes the tables it owns.
#[derive(Debug)]
pub struct Nft {
    child: Child,
    stdin: ChildStdin,
    stderr: ChildStderr,
    /// What nft reads a batch from: a file in memory, open in both processes under the same number.
    batch: File,
    commits: u32,
    begun: Option<Begun>,
    /// What nft has said that was not looked at yet.
    heard: Vec<u8>,
}

/// A batch that nft has not answered yet.
#[derive(Debug)]
struct Begun {
    /// What its answer ends with.
    marker: String,
    wants_owner: bool,
}

impl Nft {
    /// Starts it in the namespace of the calling thread, whose end is its end, and returns at once.
    pub fn start() -> Result<Self, Error> {
        let program = tool::find("nft").ok_or(Error::Missing)?;
        let failed = |source| Error::Start { program: program.clone(), source };
        let batch = memfd_create("rules", MFdFlags::MFD_CLOEXEC).map_err(|error| failed(error.into()))?;
        let mut child = spawn(&mut Command::new(&program), &batch).map_err(failed)?;
        let (Some(stdin), Some(stderr)) = (child.stdin.take(), child.stderr.take()) else {
            return Err(failed(io::ErrorKind::BrokenPipe.into()));
        };
        Ok(Self { child, stdin, stderr, batch: batch.into(), commits: 0, begun: None, heard: Vec::new() })
    }

    /// Applies a batch, whole or not at all; returns once the kernel has it.
    ///
    /// Commands are lines as in a file for `nft -f`.
    pub fn commit(&mut self, text: &str) -> Result<(), Error> {
        self.begin(text)?;
        self.finish()
    }

    /// Hands over a batch, to be applied while other things are done. Not before the last one is finished.
    pub fn begin(&mut self, text: &str) -> Result<(), Error> {
        self.batch
            .set_len(0)
            .and_then(|()| self.batch.write_all_at(text.as_bytes(), 0))
            .map_err(Error::Talk)?;
        self.commits += 1;
        // Nft tells of success by silence. So it is asked for nonsense next: its complaint about that is the end of
        // what it had to say about the batch.
        let marker = format!("pcapsule_end_{}", self.commits);
        let lines = format!("include \"/proc/self/fd/{}\"\n{marker}\n", self.batch.as_raw_fd());
        match self.stdin.write_all(lines.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(Error::Talk(error)),
            // A broken pipe: it says why before its end.
            _ => {}
        }
        self.begun = Some(Begun { marker, wants_owner: text.contains(OWNER) });
        Ok(())
    }

    /// Waits until the kernel has the batch that was begun, if one was.
    pub fn finish(&mut self) -> Result<(), Error> {
        let Some(Begun { marker, wants_owner }) = self.begun.take() else { return Ok(()) };
        let said = self.hear_until(&marker)?;
        if said.contains("rror") { Err(refusal(&said, wants_owner)) } else { Ok(()) }
    }

    /// Begins its end, and with it that of its tables, without waiting for it: dropping waits. The kernel takes a while
    /// to be sure that no packet is in the rules any more, in which other things can be undone.
    pub fn begin_end(&mut self) {
        // That it has ended already is the same.
        let _ = self.child.kill();
    }

    /// The process, which is ours.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What nft says before it repeats the marker.
    fn hear_until(&mut self, marker: &str) -> Result<String, Error> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(said) = before_marker(&String::from_utf8_lossy(&self.heard), marker) {
                self.heard.clear();
                return Ok(said);
            }
            self.hear(deadline)?;
        }
    }

    fn hear(&mut self, deadline: Instant) -> Result<(), Error> {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(self.stderr.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) => return Err(Error::Silent),
            Ok(_) => {}
            Err(nix::errno::Errno::EINTR) => return Ok(()),
            Err(error) => return Err(Error::Talk(error.into())),
        }
        let mut piece = [0; 16 << 10];
        let length = self.stderr.read(&mut piece).map_err(Error::Talk)?;
        if length == 0 {
            let words = shortened(&String::from_utf8_lossy(&self.heard));
            let words = if words.is_empty() { words } else { format!(": {words}") };
            return Err(Error::Ended { words });
        }
        self.heard.extend_from_slice(&piece[..length]);
        Ok(())
    }
}

impl Drop for Nft {
    fn drop(&mut self) {
        // Killed rather than asked: it has nothing to finish, and the kernel removes its tables before it is reaped.
        self.begin_end();
        let _ = self.child.wait();
    }
}

fn spawn(command: &mut Command, batch: &OwnedFd) -> io::Result<Child> {
    let (batch, parent) = (batch.as_raw_fd(), nix::unistd::getpid());
    // No history or settings of the user's are read or written, and no directory is kept busy. Signals of the terminal
    // are not for it.
    command
        .arg("-i")
        .current_dir("/")
        .env_clear()
        .env("HOME", "/dev/null")
        .env("INPUTRC", "/dev/null")
        .env("TERM", "dumb");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
    // SAFETY: only system calls that are safe after fork; nothing is allocated and no lock is taken.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
            if nix::unistd::getppid() != parent {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
            // Where the kernel does not know this call, what is inherited is only what whoever started us left open.
            libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
            let batch = std::os::fd::BorrowedFd::borrow_raw(batch);
            fcntl(batch, FcntlArg::F_SETFD(FdFlag::empty()))?;
            Ok(())
        });
    }
    command.spawn()
}

/// What stands before nft's complaint about the marker; none while that is not whole.
///
/// A complaint is a line that says what is wrong, the line it is about, and a line of carets below the place.
fn before_marker(heard: &str, marker: &str) -> Option<String> {
    let lines: Vec<&str> = heard.lines().collect();
    let at = lines.iter().position(|line| line.trim_end() == marker)?;
    let carets = lines.get(at + 1)?;
    if !heard.ends_with('\n') || !carets.contains('^') {
        return None;
    }
    let said = &lines[..at];
    let complaint = said.iter().rposition(|line| line.contains("rror")).unwrap_or(at);
    Some(said[..complaint].join("\n"))
}

fn refusal(said: &str, wants_owner: bool) -> Error {
    const REASONS: [&str; 3] = ["syntax error", "Operation not supported", "Invalid argument"];
    let words = shortened(said);
    let about_owner = wants_owner && said.lines().any(|line| line.contains(OWNER));
    if about_owner && REASONS.iter().any(|reason| said.contains(reason)) {
        Error::NoOwner { words }
    } else {
        Error::Refused { words }
    }
}

/// Nft's words on one line, without the place of the file in memory and the carets.
fn shortened(said: &str) -> String {
    let lines = said.lines().map(str::trim);
    let telling = lines.filter(|line| {
        !line.is_empty() && !line.starts_with("In file included") && line.contains(|c| !"^~ ".contains(c))
    });
    let words = telling
        .map(|line| line.split_once("Error: ").map_or(line, |(_, fault)| fault))
        .collect::<Vec<_>>()
        .join(": ");
    match words.char_indices().nth(LONGEST_WORDS) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLAINT: &str = "Error: syntax error, unexpected newline, expecting string\nend_1\n      ^\n";

    #[test]
    fn silence_before_the_marker_is_success() {
        assert_eq!(before_marker(COMPLAINT, "end_1").as_deref(), Some(""));
    }

    #[test]
    fn an_unfinished_complaint_is_waited_for() {
        for length in 0..COMPLAINT.len() {
            assert_eq!(before_marker(&COMPLAINT[..length], "end_1"), None, "{length}");
        }
        assert_eq!(before_marker(COMPLAINT, "end_2"), None);
    }

    #[test]
    fn what_nft_says_becomes_one_line() {
        let said = "In file included from <cmdline>:1:1-26:\n/proc/self/fd/3:2:5-8: Error: No such file or directory\n\
                    add rule inet x y accept\n              ^\n";
        let before = before_marker(&format!("{said}{COMPLAINT}"), "end_1").unwrap();
        let Error::Refused { words } = refusal(&before, false) else { panic!("{before}") };
        assert_eq!(words, "No such file or directory: add rule inet x y accept");
    }

    #[test]
    fn a_refused_owner_is_told_from_other_refusals() {
        let old_nft = "Error: syntax error, unexpected string\nadd table inet x { flags owner; }\n   ^^^^^";
        assert!(matches!(refusal(old_nft, true), Error::NoOwner { .. }));
        let old_kernel =
            "Error: Could not process rule: Invalid argument\nadd table inet x { flags owner; }\n  ^^^^^";
        assert!(matches!(refusal(old_kernel, true), Error::NoOwner { .. }));
        let other = "Error: Could not process rule: Operation not supported\nadd chain inet x y\n     ^^^";
        assert!(matches!(refusal(other, true), Error::Refused { .. }));
    }
}
