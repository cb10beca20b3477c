//! How much room a file system has left.

use std::{io, path::Path};

/// Free and total bytes of the file system that holds `path`, as an ordinary user may use them (`statvfs(3)`).
pub fn free_bytes(path: &Path) -> io::Result<(u64, u64)> {
    let volume = nix::sys::statvfs::statvfs(path)?;
    Ok((volume.blocks_available() * volume.fragment_size(), volume.blocks() * volume.fragment_size()))
}
