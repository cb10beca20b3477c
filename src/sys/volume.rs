//! How much room a file system has left.

use std::{io, os::fd::BorrowedFd, path::Path};

use nix::sys::statvfs::{Statvfs, fstatvfs, statvfs};

/// Free and total bytes of the file system that holds `path`, as an ordinary user may use them (`statvfs(3)`).
pub fn free_bytes(path: &Path) -> io::Result<(u64, u64)> {
    Ok(room(&statvfs(path)?))
}

/// The same of the file system that holds an open file, which takes no right to search the folders above it.
pub fn free_bytes_behind(file: BorrowedFd<'_>) -> io::Result<(u64, u64)> {
    Ok(room(&fstatvfs(file)?))
}

fn room(volume: &Statvfs) -> (u64, u64) {
    (volume.blocks_available() * volume.fragment_size(), volume.blocks() * volume.fragment_size())
}
