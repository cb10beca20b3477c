//! Files that are in memory and have no name.

use std::{fs::File, io};

use nix::sys::memfd::{MFdFlags, memfd_create};

/// An empty file in memory; `about` shows in /proc alone.
pub fn unnamed_file(about: &str) -> io::Result<File> {
    Ok(memfd_create(about, MFdFlags::MFD_CLOEXEC)?.into())
}
