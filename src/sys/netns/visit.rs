//! Work inside a namespace of a rootless container of our own user, for which no privilege is needed: whoever made a user
//! namespace may enter it, and has every right there.
//!
//! No thread of a process that has others may change its user namespace (`setns(2)`). So the work is done by a process that
//! shares memory and open files with us, as after `vfork(2)`, while the calling thread stands still.
#![expect(unsafe_code, reason = "a process that shares our memory, and an ioctl without a safe wrapper")]

use std::{
    io,
    os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd},
    panic::{self, AssertUnwindSafe},
};

use nix::{
    sched::{CloneFlags, clone, setns},
    sys::wait::{WaitPidFlag, waitpid},
};

use super::Namespace;

/// As much as a thread has.
const STACK: usize = 2 << 20;

/// Does the work in the namespace, entered by way of the user namespace that owns it.
pub(super) fn by_owner<T>(namespace: &Namespace, work: impl FnOnce() -> T) -> io::Result<T> {
    let owner = owner_of(namespace)?;
    let (mut work, mut outcome) = (Some(work), None);
    let visit = || {
        let visited = panic::catch_unwind(AssertUnwindSafe(|| {
            setns(&owner, CloneFlags::CLONE_NEWUSER)?;
            setns(namespace, CloneFlags::CLONE_NEWNET)?;
            work.take().map(|work| work()).ok_or(nix::Error::EINVAL)
        }));
        outcome = Some(visited);
        0
    };
    let mut stack = vec![0; STACK];
    let flags = CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK | CloneFlags::CLONE_FILES;
    // SAFETY: with CLONE_VFORK this thread stands still until the other process has ended, which therefore may use this
    // thread's borrows and thread-local memory as if it were this thread; it has a stack of its own, which outlives it,
    // and no panic leaves it.
    let child = unsafe { clone(Box::new(visit), &mut stack, flags, None) }?;
    waitpid(child, Some(WaitPidFlag::__WALL))?;
    match outcome {
        Some(Ok(visited)) => Ok(visited?),
        Some(Err(panicked)) => panic::resume_unwind(panicked),
        // Killed before it could do anything.
        None => Err(io::ErrorKind::Interrupted.into()),
    }
}

/// The user namespace that owns it (`NS_GET_USERNS`, `ioctl_ns(2)`); refused where that is none of ours or below.
fn owner_of(namespace: &Namespace) -> io::Result<OwnedFd> {
    const NS_GET_USERNS: libc::Ioctl = nix::request_code_none!(0xb7, 0x1);
    // SAFETY: the request takes no argument and writes no memory; what it returns is owned by nobody else.
    unsafe {
        match libc::ioctl(namespace.as_fd().as_raw_fd(), NS_GET_USERNS) {
            -1 => Err(io::Error::last_os_error()),
            owner => Ok(OwnedFd::from_raw_fd(owner)),
        }
    }
}
