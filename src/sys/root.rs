//! Files as a process sees them, read without ever leaving its root.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};

/// More than any file that is of interest here has.
const MOST_BYTES: u64 = 1 << 20;

/// Reads a text file below the root of a process. Symbolic links in it mean what they mean to that process
/// (`openat2(2)`, `RESOLVE_IN_ROOT`), and what is not a plain file is not waited for.
pub fn read_inside(pid: u32, path: &Path) -> io::Result<String> {
    let file = open_inside(pid, path)?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Opens a file below the root of a process, in the same way.
pub fn open_inside(pid: u32, path: &Path) -> io::Result<File> {
    let root = File::open(format!("/proc/{pid}/root"))?;
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT);
    Ok(File::from(openat2(&root, path, how)?))
}

/// Opens a file by its path; if it is a pipe, no writer is waited for.
pub fn open_plain(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_files_are_read_and_devices_are_not() {
        let me = std::process::id();
        assert!(read_inside(me, Path::new("/proc/self/status")).is_ok_and(|text| text.starts_with("Name:")));
        assert!(read_inside(me, Path::new("/dev/null")).is_err());
        assert!(read_inside(me, Path::new("/nonexistent")).is_err());
    }
}
