//! A network namespace held open, and work done inside it.
//!
//! The calling thread never changes its namespace: whatever has to happen inside one happens on a thread that is
//! thrown away afterwards (`setns(2)` changes the thread, not the process).

mod visit;

use std::{
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    os::unix::fs::MetadataExt,
    panic,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use nix::{
    sched::{CloneFlags, setns, unshare},
    sys::resource::{Resource, getrlimit, setrlimit},
};

use crate::model::NamespaceId;

/// What can go wrong with a namespace.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Error {
    #[error("opening the network namespace {}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("opening {} as a network namespace: it is something else", .0.display())]
    NotNetwork(PathBuf),
    #[error("entering the network namespace {namespace}")]
    Enter { namespace: NamespaceId, source: io::Error },
    #[error("starting a thread for the network namespace {namespace}")]
    Thread { namespace: NamespaceId, source: io::Error },
    #[error("creating a network namespace")]
    Create(#[source] io::Error),
    #[error("raising the limit of open files")]
    FileLimit(#[source] io::Error),
}

impl Error {
    /// Whether what was to be opened has ended or been unmounted meanwhile.
    pub fn is_gone(&self) -> bool {
        let Self::Open { source, .. } = self else { return false };
        matches!(source.raw_os_error(), Some(libc::ENOENT | libc::ESRCH))
    }
}

/// A network namespace that lives, and keeps its [`NamespaceId`], for as long as this value or a clone of it.
#[derive(Debug, Clone)]
pub struct Namespace {
    file: Arc<OwnedFd>,
    id: NamespaceId,
}

impl Namespace {
    /// Opens what a path names: `/proc/PID/ns/net` or a bind mount of it, such as `/run/netns/x`.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Open { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !is_network_namespace(&file) {
            return Err(Error::NotNetwork(path.to_owned()));
        }
        let id = NamespaceId::new(metadata.dev(), metadata.ino());
        Ok(Self { file: Arc::new(file.into()), id })
    }

    /// Opens the namespace that a process is in.
    pub fn of_process(pid: u32) -> Result<Self, Error> {
        Self::open(&PathBuf::from(format!("/proc/{pid}/ns/net")))
    }

    /// Opens the namespace that the calling thread is in.
    pub fn current() -> Result<Self, Error> {
        Self::open(Path::new("/proc/thread-self/ns/net"))
    }

    /// Makes a new one, which has nothing but a loopback that is down, and lives as long as this value.
    pub fn create() -> Result<Self, Error> {
        let make = || {
            unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| Error::Create(errno.into()))?;
            Self::current()
        };
        let made = thread::Builder::new().name("netns".to_owned()).spawn(make).map_err(Error::Create)?;
        made.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked))
    }

    /// Its identity.
    pub fn id(&self) -> NamespaceId {
        self.id
    }

    /// Runs `work` inside the namespace, on a thread of its own, and waits for it.
    ///
    /// Sockets opened there stay in the namespace when they are handed back. Needs `CAP_SYS_ADMIN` over the user
    /// namespace that owns it and over our own (`setns(2)`), unless the calling thread is in it already; or nothing at all
    /// where the calling user made that user namespace, as it is with rootless containers. A panic in
    /// `work` goes on in the caller.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, Error> {
        let namespace = self.id;
        if Self::current().is_ok_and(|current| current.id == namespace) {
            return Ok(work());
        }
        thread::scope(|scope| {
            let thread = thread::Builder::new()
                .name("netns".to_owned())
                .spawn_scoped(scope, || {
                    match setns(self, CloneFlags::CLONE_NEWNET) {
                        Ok(()) => Ok(work()),
                        Err(refused @ nix::Error::EPERM) => {
                            visit::by_owner(self, work).map_err(|_| refused.into())
                        }
                        Err(errno) => Err(errno.into()),
                    }
                    .map_err(|source| Error::Enter { namespace, source })
                })
                .map_err(|source| Error::Thread { namespace, source })?;
            thread.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked))
        })
    }

    /// Starts a thread that is in the namespace until it ends. The result of `work` comes by joining it.
    pub fn inhabit<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<thread::JoinHandle<Result<T, Error>>, Error> {
        let (place, namespace) = (self.clone(), self.id);
        let live = move || {
            setns(&place, CloneFlags::CLONE_NEWNET)
                .map_err(|errno| Error::Enter { namespace, source: errno.into() })?;
            Ok(work())
        };
        let started = thread::Builder::new().name(name.to_owned()).spawn(live);
        started.map_err(|source| Error::Thread { namespace, source })
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Lets the process hold as many files open as it may ever have, and says how many that is.
///
/// Holding 500 namespaces takes more than the usual soft limit of 1024 leaves once each has a tap as well.
pub fn raise_open_file_limit() -> Result<u64, Error> {
    let failed = |errno: nix::Error| Error::FileLimit(errno.into());
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(failed)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(failed)?;
    }
    Ok(hard)
}

/// Asks with `NS_GET_NSTYPE` (`ioctl_ns(2)`), which only a namespace file answers.
#[expect(unsafe_code, reason = "an ioctl without a safe wrapper")]
fn is_network_namespace(file: &File) -> bool {
    const NS_GET_NSTYPE: libc::Ioctl = nix::request_code_none!(0xb7, 0x3);
    // SAFETY: the request takes no argument and writes no memory; the descriptor is open for the whole call.
    let kind = unsafe { libc::ioctl(file.as_raw_fd(), NS_GET_NSTYPE) };
    kind == libc::CLONE_NEWNET
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_namespace_is_that_of_this_process() {
        let current = Namespace::current().unwrap();
        assert_eq!(current.id(), Namespace::of_process(std::process::id()).unwrap().id());
    }

    #[test]
    fn other_files_are_not_network_namespaces() {
        for path in ["/proc/self/ns/mnt", "/proc/self/stat", "/dev/null"] {
            assert!(matches!(Namespace::open(Path::new(path)), Err(Error::NotNetwork(_))), "{path}");
        }
        assert!(matches!(Namespace::open(Path::new("/nonexistent")), Err(Error::Open { .. })));
    }

    #[test]
    fn the_limit_of_open_files_rises_to_the_hard_one() {
        let limit = raise_open_file_limit().unwrap();
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (limit, limit));
    }
}
