//! A control group of our own: made, filled, emptied by killing, removed.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::cgroup::{Error, Hierarchy};
use super::folder::make_with_parent;

/// How long killed processes may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// A group by its path below the mount point, whether it is there or not.
#[derive(Debug, Clone)]
pub struct OwnCgroup {
    folder: PathBuf,
}

impl OwnCgroup {
    /// The group of that path.
    pub fn at(path: &str) -> Result<Self, Error> {
        let folder = Hierarchy::find()?.mount().join(path.trim_start_matches('/'));
        Ok(Self { folder })
    }

    /// Makes it, and the one around it.
    pub fn create(&self) -> io::Result<()> {
        make_with_parent(&self.folder)
    }

    /// Moves a process, in our pid namespace, into it.
    pub fn admit(&self, pid: u32) -> io::Result<()> {
        fs::write(self.folder.join("cgroup.procs"), pid.to_string())
    }

    /// Kills every process in it and waits until they are gone. Nothing to do where it is not there.
    pub fn kill(&self) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.is_populated() {
            self.kill_once();
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            // A group tells of its last process's end by an event only to those who poll it; this is short.
            thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }

    /// Removes it, with those that were made in it, and what is around it if that is empty. Nothing to do where it is not
    /// there; one that is in use stays whole.
    pub fn remove(&self) -> io::Result<()> {
        if self.is_populated() {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        remove_tree(&self.folder)?;
        // Others may be in it: then it stays.
        let _ = self.folder.parent().map(fs::remove_dir);
        Ok(())
    }

    /// With `cgroup.kill` (Linux 5.14), or else one by one.
    fn kill_once(&self) {
        if fs::write(self.folder.join("cgroup.kill"), "1").is_ok() {
            return;
        }
        for pid in processes(&self.folder) {
            let _ =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
    }

    fn is_populated(&self) -> bool {
        let events = fs::read_to_string(self.folder.join("cgroup.events")).unwrap_or_default();
        events.lines().any(|line| line == "populated 1")
    }
}

/// Of the group and those in it.
fn processes(folder: &Path) -> Vec<i32> {
    let listing = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    // 0 is a process of another pid namespace, and to `kill` our own group.
    let own = listing.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0);
    own.chain(groups_in(folder).iter().flat_map(|group| processes(group))).collect()
}

/// Removes a group after those in it, which whoever ran there has made.
fn remove_tree(folder: &Path) -> io::Result<()> {
    groups_in(folder).iter().try_for_each(|group| remove_tree(group))?;
    match fs::remove_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn groups_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_group = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    entries.filter(is_group).map(|entry| entry.path()).collect()
}
