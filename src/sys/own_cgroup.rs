//! A control group of our own: made, filled, emptied by killing, removed.

use std::{
    fs, io,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use super::cgroup::{Error, Hierarchy};

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

    /// Makes it, and those around it.
    pub fn create(&self) -> io::Result<()> {
        fs::create_dir_all(&self.folder)
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

    /// Removes it, and what is around it if that is empty. Nothing to do where it is not there.
    pub fn remove(&self) -> io::Result<()> {
        match fs::remove_dir(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Others may be in it: then it stays.
        let _ = self.folder.parent().map(fs::remove_dir);
        Ok(())
    }

    /// With `cgroup.kill` (Linux 5.14), or else one by one.
    fn kill_once(&self) {
        if fs::write(self.folder.join("cgroup.kill"), "1").is_ok() {
            return;
        }
        for pid in self.processes() {
            let _ =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
    }

    fn is_populated(&self) -> bool {
        let events = fs::read_to_string(self.folder.join("cgroup.events")).unwrap_or_default();
        events.lines().any(|line| line == "populated 1")
    }

    fn processes(&self) -> Vec<i32> {
        let listing = fs::read_to_string(self.folder.join("cgroup.procs")).unwrap_or_default();
        // 0 is a process of another pid namespace, and to `kill` our own group.
        listing.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).collect()
    }
}
