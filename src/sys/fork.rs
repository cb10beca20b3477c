//! Processes of our own: born by a fork, waited for, told things by signals.
//!
//! A fork copies the calling thread alone, so it is taken only while there is no other one.
#![expect(unsafe_code, reason = "fork and kill have no safe form")]

use std::{
    fs, io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    panic::{self, AssertUnwindSafe},
    process,
    sync::OnceLock,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, SigmaskHow, Signal, pthread_sigmask},
        signalfd::{SfdFlags, SignalFd, siginfo},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::{ForkResult, Pid, fork, getppid},
};

/// A child.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    end: Option<End>,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With that exit status.
    Exited(u8),
    /// By that signal.
    Killed(i32),
}

impl End {
    /// As a shell puts it: a signal as 128 and its number.
    pub fn code(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Killed(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        }
    }
}

/// What becomes of a child whose parent ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphan {
    /// It is killed by the kernel.
    Dies,
    /// It goes on.
    Lives,
}

/// Forks; the child does `work` and ends with the status that it returns.
pub fn child(orphan: Orphan, work: impl FnOnce() -> u8) -> io::Result<Child> {
    if fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("a fork while other threads run"));
    }
    let parent = process::id();
    // SAFETY: this is the only thread, so that no lock is held by one that the child lacks.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(Child { pid: child, end: None }),
        ForkResult::Child => {
            let code = panic::catch_unwind(AssertUnwindSafe(|| {
                if orphan == Orphan::Dies && die_with(parent).is_err() { 1 } else { work() }
            }));
            // Neither destructors nor exit handlers: what they would end is the parent's.
            // SAFETY: ends the process, and nothing else.
            unsafe { libc::_exit(code.map_or(70, i32::from)) }
        }
    }
}

/// Lets the calling process be killed with the thread that is its parent.
fn die_with(parent: u32) -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    // It may have ended before that.
    let now = u32::try_from(getppid().as_raw()).ok();
    if now == Some(parent) { Ok(()) } else { Err(Errno::ESRCH.into()) }
}

impl Child {
    /// Its number.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// Whether it has ended, without waiting.
    pub fn try_wait(&mut self) -> io::Result<Option<End>> {
        self.wait_with(WaitPidFlag::WNOHANG)
    }

    /// Waits until it ends.
    pub fn wait(&mut self) -> io::Result<End> {
        loop {
            if let Some(end) = self.wait_with(WaitPidFlag::empty())? {
                return Ok(end);
            }
        }
    }

    /// Sends it a signal, by number; it may have ended.
    pub fn signal(&self, number: i32) {
        if self.end.is_none() {
            // SAFETY: no memory is involved; the number cannot be another process's while it is not waited for.
            unsafe { libc::kill(self.pid.as_raw(), number) };
        }
    }

    fn wait_with(&mut self, flags: WaitPidFlag) -> io::Result<Option<End>> {
        if self.end.is_some() {
            return Ok(self.end);
        }
        let end = loop {
            match waitpid(self.pid, Some(flags)) {
                Err(Errno::EINTR) => {}
                Ok(WaitStatus::Exited(_, code)) => break Some(End::Exited(code.to_le_bytes()[0])),
                Ok(WaitStatus::Signaled(_, signal, _)) => break Some(End::Killed(signal as i32)),
                Ok(_) => break None,
                Err(error) => return Err(error.into()),
            }
        };
        self.end = end;
        Ok(end)
    }
}

/// A process of somebody, held so that its number cannot become another's (`pidfd_open(2)`).
#[derive(Debug)]
pub struct ProcessHandle {
    descriptor: OwnedFd,
}

impl ProcessHandle {
    /// None where there is no such process.
    pub fn open(pid: u32) -> io::Result<Option<Self>> {
        // SAFETY: the call takes numbers only.
        let number = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.cast_signed(), 0) };
        match i32::try_from(number) {
            // SAFETY: the kernel has just given it to us.
            Ok(number) if number >= 0 => {
                Ok(Some(Self { descriptor: unsafe { OwnedFd::from_raw_fd(number) } }))
            }
            _ => match io::Error::last_os_error() {
                error if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
                error => Err(error),
            },
        }
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) -> io::Result<()> {
        // SAFETY: no memory is handed over: the third argument is null.
        let sent = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.descriptor.as_raw_fd(),
                libc::SIGTERM,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
        match io::Error::last_os_error() {
            _ if sent == 0 => Ok(()),
            error if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            error => Err(error),
        }
    }

    /// Waits for its end, and says whether it came in time.
    pub fn wait(&self, limit: std::time::Duration) -> bool {
        let limit = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
        poll(&mut [PollFd::new(self.descriptor.as_fd(), PollFlags::POLLIN)], limit)
            .is_ok_and(|ready| ready > 0)
    }
}

impl AsFd for ProcessHandle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Signals that are read instead of acted on, in this process from now on, and in children until [`Signals::release`].
#[derive(Debug)]
pub struct Signals {
    descriptor: SignalFd,
}

/// A signal that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its number.
    pub number: i32,
    /// Sent by a process; otherwise by the kernel, as by the terminal to everybody in its foreground.
    pub by_process: bool,
}

/// What was blocked before any signals were held.
static ORIGINAL_MASK: OnceLock<SigSet> = OnceLock::new();

const READ_SIGNALS: [Signal; 8] = [
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
    Signal::SIGCHLD,
];

impl Signals {
    /// Those by which a process is told to end or to do something, and the ends of children.
    pub fn hold() -> io::Result<Self> {
        let set: SigSet = READ_SIGNALS.into_iter().collect();
        let before = set.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        ORIGINAL_MASK.get_or_init(|| before);
        // Where our parent ignores the ends of its children, so would we: they would end unheard (wait(2)).
        // SAFETY: the default action needs no handler.
        unsafe { nix::sys::signal::signal(Signal::SIGCHLD, nix::sys::signal::SigHandler::SigDfl) }?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        Ok(Self { descriptor: SignalFd::with_flags(&set, flags)? })
    }

    /// The next one; none if there is none now.
    pub fn next(&self) -> io::Result<Option<Arrival>> {
        let arrival = |info: siginfo| Arrival {
            number: i32::try_from(info.ssi_signo).unwrap_or_default(),
            by_process: info.ssi_code <= 0,
        };
        Ok(self.descriptor.read_signal()?.map(arrival))
    }

    /// In a child that becomes another program: signals act as they do in any, and a closed pipe kills again, which
    /// Rust's runtime has switched off.
    pub fn release() -> io::Result<()> {
        let mask = ORIGINAL_MASK.get().copied().unwrap_or(SigSet::empty());
        pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&mask), None)?;
        // SAFETY: the default action needs no handler.
        unsafe { nix::sys::signal::signal(Signal::SIGPIPE, nix::sys::signal::SigHandler::SigDfl) }?;
        Ok(())
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Ends the calling process by SIGINT, whatever was done about it before. Comes back only where that is impossible.
pub fn end_by_interrupt() {
    // SAFETY: the default action needs no handler.
    let _ = unsafe { nix::sys::signal::signal(Signal::SIGINT, nix::sys::signal::SigHandler::SigDfl) };
    let _ = SigSet::from(Signal::SIGINT).thread_unblock();
    let _ = nix::sys::signal::raise(Signal::SIGINT);
}

/// In a child, closes what is only the parent's: an end of a pipe is heard by the other one only after the last copy.
/// The owner's copy of the value must not be used, nor dropped, in the child.
pub fn close_in_child(parents: BorrowedFd<'_>) {
    let _ = nix::unistd::close(parents.as_raw_fd());
}

/// Closes everything but the standard streams that whoever started us left open: it is none of ours, and somebody may wait
/// for its end. For a process that has opened nothing itself yet.
pub fn close_inherited() {
    // SAFETY: by the contract above no value in this program owns any of them. Where the kernel does not know this call
    // (before 5.9), they stay open.
    unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0) };
}

/// Lets go of the terminal and the folder of whoever started us: the standard streams lead nowhere.
pub fn let_go_of_streams() -> io::Result<()> {
    nix::unistd::chdir("/")?;
    let nowhere = fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    nix::unistd::dup2_stdin(&nowhere)?;
    nix::unistd::dup2_stdout(&nowhere)?;
    nix::unistd::dup2_stderr(&nowhere)?;
    Ok(())
}

/// Waits for a signal that ends the process.
pub fn pause_for_good() -> io::Result<()> {
    Signals::release()?;
    loop {
        nix::unistd::pause();
    }
}

/// Becomes the leader of a session of its own: no terminal sends it signals.
pub fn leave_terminal() -> io::Result<()> {
    nix::unistd::setsid()?;
    Ok(())
}

/// Lets everybody read what the process makes from now on, and nobody else write it, whatever the user's umask is.
pub fn let_everybody_read() {
    nix::sys::stat::umask(nix::sys::stat::Mode::S_IWGRP | nix::sys::stat::Mode::S_IWOTH);
}

/// Whether the calling process leads its session: the kernel tells it alone that the terminal is gone (`setsid(2)`).
pub fn leads_session() -> bool {
    nix::unistd::getsid(None) == Ok(Pid::this())
}

/// Waits until one of them can be read or is closed; says which.
pub fn wait_readable(descriptors: &[BorrowedFd<'_>]) -> io::Result<Vec<bool>> {
    wait_readable_for(descriptors, None)
}

/// As [`wait_readable`], but no longer than that.
pub fn wait_readable_for(
    descriptors: &[BorrowedFd<'_>],
    limit: Option<std::time::Duration>,
) -> io::Result<Vec<bool>> {
    let mut asked: Vec<PollFd<'_>> =
        descriptors.iter().map(|descriptor| PollFd::new(*descriptor, PollFlags::POLLIN)).collect();
    let limit =
        limit.map_or(PollTimeout::NONE, |limit| PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX));
    match poll(&mut asked, limit) {
        Err(Errno::EINTR) | Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(asked.iter().map(|asked| asked.any().unwrap_or_default()).collect())
}

/// Kills the process that has started the calling one: for tests of what is left behind.
#[cfg(debug_assertions)]
pub fn kill_parent() {
    let parent = Pid::parent();
    // Of a process whose own parent has died already, somebody else is the parent now.
    if parent.as_raw() > 1 {
        let _ = nix::sys::signal::kill(parent, Signal::SIGKILL);
    }
}

/// Kills the calling process at once, as nobody else could: for tests of what is left behind.
#[cfg(debug_assertions)]
pub fn kill_self() {
    let _ = nix::sys::signal::kill(Pid::this(), Signal::SIGKILL);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_is_refused_while_other_threads_run() {
        // The thread of this test is not the program's first one.
        let refused = child(Orphan::Dies, || 0).unwrap_err();
        assert_eq!(refused.to_string(), "a fork while other threads run");
    }

    #[test]
    fn an_end_is_told_as_a_shell_tells_it() {
        assert_eq!(End::Exited(7).code(), 7);
        assert_eq!(End::Killed(libc::SIGKILL).code(), 137);
    }

    #[test]
    fn a_process_that_is_gone_has_no_handle() {
        let mut short = process::Command::new("true").spawn().unwrap();
        let pid = short.id();
        let handle = ProcessHandle::open(pid).unwrap().unwrap();
        assert!(handle.wait(std::time::Duration::from_secs(10)));
        short.wait().unwrap();
        assert!(ProcessHandle::open(pid).unwrap().is_none());
        assert!(handle.terminate().is_ok(), "to end is what it has done");
    }
}
