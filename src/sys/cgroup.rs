//! Control groups of the version 2 hierarchy (Documentation/admin-guide/cgroup-v2.rst): where it is mounted, and one
//! group held open. In a hybrid hierarchy it stands beside version 1, often without any controller; programs can hang
//! on its groups all the same.

use std::{
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::MetadataExt as _,
    },
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

/// Why there is no group.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Error {
    #[error("reading where control groups are mounted")]
    Mounts(#[source] io::Error),
    #[error("finding control groups of version 2: this host has mounted none")]
    NoHierarchy,
    #[error("opening the cgroup {}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("opening {} as a cgroup of version 2: it is something else", .0.display())]
    NotOne(PathBuf),
    #[error("reading the cgroup of process {pid}")]
    OfProcess { pid: u32, source: io::Error },
}

impl Error {
    /// Whether the group has been removed meanwhile.
    pub fn is_gone(&self) -> bool {
        let (Self::Open { source, .. } | Self::OfProcess { source, .. }) = self else { return false };
        matches!(source.raw_os_error(), Some(libc::ENOENT | libc::ENODEV | libc::ESRCH))
    }
}

/// The version 2 hierarchy of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    mount: PathBuf,
}

/// A number that the kernel gives to no other group while this one is held open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CgroupId(pub u64);

/// A group, held open. It may be removed all the same.
#[derive(Debug, Clone)]
pub struct Cgroup {
    directory: Arc<File>,
    full_path: PathBuf,
    path: String,
    id: CgroupId,
}

impl Hierarchy {
    /// Finds where it is mounted, once: it does not move while a program runs.
    pub fn find() -> Result<&'static Self, Error> {
        static FOUND: OnceLock<Hierarchy> = OnceLock::new();
        if let Some(found) = FOUND.get() {
            return Ok(found);
        }
        let table = fs::read("/proc/self/mountinfo").map_err(Error::Mounts)?;
        let mount = mount_point(&String::from_utf8_lossy(&table)).ok_or(Error::NoHierarchy)?;
        Ok(FOUND.get_or_init(|| Self { mount }))
    }

    /// Where it is mounted.
    pub fn mount(&self) -> &Path {
        &self.mount
    }

    /// Opens a group by its path: below the mount point, or with it.
    pub fn open(&self, path: &str) -> Result<Cgroup, Error> {
        let below = Path::new(path).strip_prefix(&self.mount).unwrap_or(Path::new(path));
        let below = below.strip_prefix("/").unwrap_or(below);
        let full_path = self.mount.join(below);
        let failed = |source| Error::Open { path: full_path.clone(), source };
        let directory = File::open(&full_path).map_err(failed)?;
        let metadata = directory.metadata().map_err(failed)?;
        let hierarchy = fs::metadata(&self.mount).map_err(failed)?;
        if metadata.dev() != hierarchy.dev() || !metadata.is_dir() {
            return Err(Error::NotOne(full_path));
        }
        let path = format!("/{}", below.display());
        Ok(Cgroup { directory: Arc::new(directory), full_path, path, id: CgroupId(metadata.ino()) })
    }

    /// The path of a process's group, below the mount point.
    pub fn path_of_process(&self, pid: u32) -> Result<String, Error> {
        let failed = |source| Error::OfProcess { pid, source };
        let listing = fs::read_to_string(format!("/proc/{pid}/cgroup")).map_err(failed)?;
        let own = listing.lines().find_map(|line| line.strip_prefix("0::"));
        own.map(|path| path.trim_end_matches(" (deleted)").to_owned()).ok_or(Error::NoHierarchy)
    }
}

impl Cgroup {
    /// Its path below the mount point: `/docker/4f2a…`, `/` for the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its number, which `bpf_skb_cgroup_id` tells too.
    pub fn id(&self) -> CgroupId {
        self.id
    }

    /// Whether it is still there.
    pub fn exists(&self) -> bool {
        fs::metadata(&self.full_path).is_ok_and(|metadata| metadata.ino() == self.id.0)
    }

    /// How deep it lies: 0 is the root.
    pub fn depth(&self) -> usize {
        self.path.split('/').filter(|segment| !segment.is_empty()).count()
    }

    /// A file that the kernel marks (`EPOLLERR`) when the last process of the group ends. The root has none.
    pub fn events(&self) -> io::Result<File> {
        File::open(self.full_path.join("cgroup.events"))
    }

    /// Its number and those of the groups inside it.
    pub fn family(&self) -> Vec<CgroupId> {
        let mut family = Vec::new();
        let mut folders = vec![self.full_path.clone()];
        while let Some(folder) = folders.pop() {
            let Ok(metadata) = fs::metadata(&folder) else { continue };
            family.push(CgroupId(metadata.ino()));
            // A folder has a link for itself, one for its name, and one for each folder inside it.
            if metadata.nlink() > 2 {
                folders.extend(folders_in(&folder));
            }
        }
        family
    }

    /// Its processes and those of groups inside it, in our pid namespace. What cannot be read is left out.
    pub fn processes(&self) -> Vec<u32> {
        let mut pids = Vec::new();
        let mut folders = vec![self.full_path.clone()];
        while let Some(folder) = folders.pop() {
            let listing = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
            pids.extend(listing.lines().filter_map(|line| line.parse::<u32>().ok()).filter(|pid| *pid != 0));
            folders.extend(folders_in(&folder));
        }
        pids
    }
}

impl AsFd for Cgroup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

fn folders_in(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let inside = fs::read_dir(folder).into_iter().flatten().flatten();
    inside.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
}

/// The first whole version 2 mount in a table of `proc_pid_mountinfo(5)`; a part of the hierarchy that is mounted for a
/// container is none.
fn mount_point(table: &str) -> Option<PathBuf> {
    table.lines().find_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        (filesystem.starts_with("cgroup2 ") && root == "/")
            .then(|| PathBuf::from(super::mounts::unescape(point)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pure_and_hybrid_hierarchies_are_found() {
        let line =
            |point: &str, kind: &str| format!("30 23 0:26 / {point} rw,nosuid shared:4 - {kind} {kind} rw\n");
        let hybrid = line("/sys/fs/cgroup/memory", "cgroup") + &line("/sys/fs/cgroup/unified", "cgroup2");
        assert_eq!(mount_point(&hybrid), Some("/sys/fs/cgroup/unified".into()));
        assert_eq!(mount_point(&line("/sys/fs/cgroup", "cgroup2")), Some("/sys/fs/cgroup".into()));
        assert_eq!(mount_point(&line("/sys/fs/cgroup/memory", "cgroup")), None);
        assert_eq!(mount_point("30 23 0:26 /docker/4f2a /mnt rw - cgroup2 cgroup2 rw\n"), None);
    }
}
