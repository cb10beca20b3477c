//! Waiting for room in a pipe that somebody made non-blocking.

use std::{io, os::fd::BorrowedFd};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

/// Waits until something can be written, or writing would tell why not (`poll(2)`). May be back too early.
pub fn wait_writable(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let mut interest = [PollFd::new(descriptor, PollFlags::POLLOUT)];
    match poll(&mut interest, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
