//! Locks on files that end with their holder (`flock(2)`): who can take one knows that nobody else lives who held it.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
};

/// A lock, held until it is dropped or the process ends.
#[derive(Debug)]
pub struct FileLock {
    held: Flock<File>,
}

impl FileLock {
    /// Waits until it can be had. Makes the file.
    pub fn wait(path: &Path) -> io::Result<Self> {
        loop {
            match Flock::lock(open(path)?, FlockArg::LockExclusive) {
                Ok(held) => return Ok(Self { held }),
                Err((_, Errno::EINTR)) => {}
                Err((_, error)) => return Err(error.into()),
            }
        }
    }

    /// None while somebody else has it. Makes the file.
    pub fn attempt(path: &Path) -> io::Result<Option<Self>> {
        match Flock::lock(open(path)?, FlockArg::LockExclusiveNonblock) {
            Ok(held) => Ok(Some(Self { held })),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, error)) => Err(error.into()),
        }
    }

    /// Whether the file that it locks is still the one of that path.
    pub fn is_at(&self, path: &Path) -> bool {
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        match (self.held.metadata(), fs::metadata(path)) {
            (Ok(own), Ok(there)) => identity(own) == identity(there),
            _ => false,
        }
    }

    /// Whether somebody holds it, without making the file or waiting. A reader may ask too.
    pub fn is_held(path: &Path) -> bool {
        let Ok(file) = File::open(path) else { return false };
        matches!(Flock::lock(file, FlockArg::LockSharedNonblock), Err((_, Errno::EWOULDBLOCK)))
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_had_by_one_and_free_after_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        assert!(!FileLock::is_held(&path));
        let held = FileLock::wait(&path).unwrap();
        assert!(FileLock::is_held(&path) && FileLock::attempt(&path).unwrap().is_none());
        drop(held);
        assert!(!FileLock::is_held(&path) && FileLock::attempt(&path).unwrap().is_some());
    }
}
