//! Locks on files that end with their holder: who can take one knows that nobody else lives who held it.
//!
//! Write locks of open files (`fcntl(2)`, "Open file description locks"): they belong to the open file as those of
//! `flock(2)` do, but to take one takes the right to write. Who may only read can look, and neither hold one nor be in the
//! way of one.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::{
        fd::AsFd as _,
        unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    },
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, fcntl},
    libc::{self, flock},
};

/// A lock, held until it is dropped or the process ends.
#[derive(Debug)]
pub struct FileLock {
    file: File,
}

impl FileLock {
    /// Waits until it can be had. Makes the file, which is nobody else's to open.
    pub fn wait(path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        loop {
            match fcntl(file.as_fd(), FcntlArg::F_OFD_SETLKW(&whole(libc::F_WRLCK))) {
                Ok(_) => return Ok(Self { file }),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Makes the file, locked from its first moment on, for everybody to look at. Only one may do so at a time. None while
    /// somebody else has it.
    pub fn create(path: &Path) -> io::Result<Option<Self>> {
        if Self::is_held(path) {
            return Ok(None);
        }
        let beside = path.with_extension("new");
        let file = open(&beside)?;
        fcntl(file.as_fd(), FcntlArg::F_OFD_SETLK(&whole(libc::F_WRLCK)))?;
        // Not before it is locked: a lock of somebody who may read would be in the way of it.
        file.set_permissions(Permissions::from_mode(0o644))?;
        fs::rename(&beside, path)?;
        Ok(Some(Self { file }))
    }

    /// Whether the file that it locks is still the one of that path.
    pub fn is_at(&self, path: &Path) -> bool {
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        match (self.file.metadata(), fs::metadata(path)) {
            (Ok(own), Ok(there)) => identity(own) == identity(there),
            _ => false,
        }
    }

    /// Whether somebody holds it, without making the file or waiting. A reader may ask too.
    pub fn is_held(path: &Path) -> bool {
        let Ok(file) = File::open(path) else { return false };
        // What would be in the way of a lock for reading: a lock for writing.
        let mut asked = whole(libc::F_RDLCK);
        let answered = fcntl(file.as_fd(), FcntlArg::F_OFD_GETLK(&mut asked));
        answered.is_ok() && i32::from(asked.l_type) != libc::F_UNLCK
    }
}

/// The whole file. The process is none: the lock is not its.
fn whole(kind: libc::c_int) -> flock {
    let kind = kind.try_into().unwrap_or_default();
    let whence = libc::SEEK_SET.try_into().unwrap_or_default();
    flock { l_type: kind, l_whence: whence, l_start: 0, l_len: 0, l_pid: 0 }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)
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

    /// `flock(2)` and read locks are open to everybody who can read.
    #[test]
    fn who_may_only_read_cannot_pretend_to_live() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = FileLock::create(&path).unwrap().unwrap();
        let reader = File::open(&path).unwrap();
        assert_eq!(reader.metadata().unwrap().mode() & 0o777, 0o644);
        drop(held);
        assert_eq!(fcntl(reader.as_fd(), FcntlArg::F_OFD_SETLK(&whole(libc::F_WRLCK))), Err(Errno::EBADF));
        fcntl(reader.as_fd(), FcntlArg::F_OFD_SETLK(&whole(libc::F_RDLCK))).unwrap();
        assert!(!FileLock::is_held(&path));
        let _other = nix::fcntl::Flock::lock(reader, nix::fcntl::FlockArg::LockExclusive).unwrap();
        assert!(!FileLock::is_held(&path));
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
