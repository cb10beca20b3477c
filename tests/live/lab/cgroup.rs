//! A cgroup of our own in the version 2 hierarchy, and programs run inside it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use super::{Host, Requirement, eventually, unique};

/// A cgroup with one inside it, removed on drop.
pub(crate) struct Cgroup {
    path: PathBuf,
    name: String,
    _host: Host,
}

impl Cgroup {
    /// Makes it; none where a requirement is not met.
    pub(crate) fn make() -> Option<Self> {
        let needs = [Requirement::Cgroup2, Requirement::Tshark, Requirement::Tcpdump];
        if !Requirement::all(&needs) {
            return None;
        }
        let host = Host::shared();
        let name = unique();
        let path = hierarchy()?.join(&name);
        let made = Self { path, name, _host: host };
        made.make_again();
        Some(made)
    }

    /// `cgroup=/pcs41a7-3`.
    pub(crate) fn selector(&self) -> String {
        format!("cgroup=/{}", self.name)
    }

    /// What pcapsule calls the tap.
    pub(crate) fn tap(&self) -> String {
        format!("{}/cgroup", self.name)
    }

    /// Its directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs a bash script inside the inner one.
    #[track_caller]
    pub(crate) fn bash(&self, script: &str) -> Output {
        let enter = format!("echo $$ > {}/inside/cgroup.procs && {{ {script}\n}}", self.path.display());
        let output = Command::new("bash").args(["-c", &enter]).output().expect("bash starts");
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// So many datagrams of a thousand bytes to a port of this machine, by one socket.
    #[track_caller]
    pub(crate) fn send(&self, port: u16, count: usize) {
        let each = "printf '%01000d' 0 >&3";
        self.bash(&format!(
            "exec 3>/dev/udp/127.0.0.1/{port}; for ((i = 0; i < {count}; i++)); do {each}; done"
        ));
    }

    /// Removes it, as a unit that ends does.
    pub(crate) fn remove(&self) {
        for path in [self.path.join("inside"), self.path.clone()] {
            eventually("the cgroup is empty", || {
                (fs::remove_dir(&path).is_ok() || !path.exists()).then_some(())
            });
        }
    }

    /// Makes it anew.
    pub(crate) fn make_again(&self) {
        fs::create_dir_all(self.path.join("inside")).expect("a new cgroup");
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::remove_dir(self.path.join("inside"));
        let _ = fs::remove_dir(&self.path);
    }
}

/// Where the version 2 hierarchy is mounted.
pub(crate) fn hierarchy() -> Option<PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let line = table.lines().find(|line| line.contains(" - cgroup2 "))?;
    line.split(' ').nth(4).map(PathBuf::from)
}
