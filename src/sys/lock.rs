//! Locks on files that end with their holder (`flock(2)`): who can take one knows that nobody else lives who held it.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
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
    /// Waits until it can be had. Makes the file, which others may not open: who can read one can lock it.
    pub fn wait(path: &Path) -> io::Result<Self> {
        loop {
            match Flock::lock(open(path, 0o600)?, FlockArg::LockExclusive) {
                Ok(held) => return Ok(Self { held }),
                Err((_, Errno::EINTR)) => {}
                Err((_, error)) => return Err(error.into()),
            }
        }
    }

    /// Makes the file, locked from its first moment on: a reader's look ([`Self::is_held`]) is not in the way. Only one may
    /// do so at a time. None while somebody else has it.
    pub fn create(path: &Path) -> io::Result<Option<Self>> {
        if Self::is_held(path) {
            return Ok(None);
        }
        let beside = path.with_extension("new");
        let held = Flock::lock(open(&beside, 0o644)?, FlockArg::LockExclusiveNonblock);
        let held = held.map_err(|(_, error)| error)?;
        fs::rename(&beside, path)?;
        Ok(Some(Self { held }))
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

fn open(path: &Path, mode: u32) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(mode).open(path)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_lock_is_had_by_one_and_free_after_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        assert!(!FileLock::is_held(&path));
        let held = FileLock::wait(&path).unwrap();
        assert!(FileLock::is_held(&path) && FileLock::create(&path).unwrap().is_none());
        drop(held);
        assert!(!FileLock::is_held(&path) && FileLock::create(&path).unwrap().is_some());
    }

    #[test]
    fn who_may_only_read_cannot_hold_up_those_who_wait() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let _held = FileLock::wait(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_look_is_not_in_the_way_of_its_making() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        thread::scope(|scope| {
            let looker = scope.spawn(|| {
                while !path.with_extension("over").exists() {
                    FileLock::is_held(&path);
                }
            });
            let made: Vec<_> = (0..500).map(|_| FileLock::create(&path).map(|held| held.is_some())).collect();
            fs::write(path.with_extension("over"), "").unwrap();
            looker.join().unwrap();
            assert!(made.into_iter().all(|made| made.is_ok()));
        });
    }
}
