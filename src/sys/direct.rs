//! Writing past the page cache (`O_DIRECT`, open(2)).

use std::{io, os::fd::BorrowedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// Whose memory what is written goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteThrough {
    /// The kernel copies it into its page cache, and writes it to the disk when it sees fit.
    PageCache,
    /// The disk takes it from the caller's memory, while the caller waits. Memory, length and place in the file have to
    /// be multiples of the disk's block size.
    Disk,
}

/// Sets how the open file description is written from now on. Refused (`EINVAL`) by file systems that have no such way.
pub fn write_through(file: BorrowedFd<'_>, way: WriteThrough) -> io::Result<()> {
    let mut flags = OFlag::from_bits_retain(fcntl(file, FcntlArg::F_GETFL)?);
    flags.set(OFlag::O_DIRECT, way == WriteThrough::Disk);
    fcntl(file, FcntlArg::F_SETFL(flags))?;
    Ok(())
}
