//! Files that whoever started us left open and named by number.
#![expect(unsafe_code, reason = "a number becomes an owned descriptor")]

use std::{
    fs::File,
    io,
    os::fd::{BorrowedFd, FromRawFd, RawFd},
};

use nix::fcntl::{FcntlArg, fcntl};

/// The open file of that number, to be closed when dropped. To be asked for once a number: see the crate's command
/// line, where numbers come from. Those of the standard streams are duplicated, not taken.
pub fn inherited_file(number: RawFd) -> io::Result<File> {
    if number < 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the borrow lasts for one call only, which fails if nothing is open under that number.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let flags = fcntl(borrowed, FcntlArg::F_GETFD)?;
    if number <= 2 {
        return borrowed.try_clone_to_owned().map(File::from);
    }
    debug_assert!(flags >= 0);
    // SAFETY: it is open, and by the contract above nobody else in this program owns it.
    Ok(unsafe { File::from_raw_fd(number) })
}
