//! The process table, as far as it tells who is in which namespace and cgroup.
//!
//! Three small reads a process instead of a full parse: hosts with thousands of processes are scanned on every `ls`.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::model::NamespaceId;

/// What can go wrong with the table as a whole; single processes that vanish or hide are no error.
#[derive(Debug, thiserror::Error)]
#[error("listing the processes in {}", path.display())]
pub struct Error {
    path: PathBuf,
    source: io::Error,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Process id in our pid namespace.
    pub pid: u32,
    /// Start time in clock ticks since boot: with the pid, unique (`proc_pid_stat(5)`, field 22).
    pub start_time: u64,
    /// Command name, at most 15 bytes.
    pub command: String,
    /// Its network namespace.
    pub namespace: NamespaceId,
    /// Inode number of its mount namespace.
    pub mount_namespace: u64,
    /// Its most specific cgroup path, below the mount point.
    pub cgroup: String,
}

/// The processes that could be looked at.
#[derive(Debug, Clone, Default)]
pub struct ProcessTable {
    /// In the order of /proc.
    pub processes: Vec<Process>,
    /// How many more there are whose namespaces we may not see (`CAP_SYS_PTRACE`).
    pub hidden: usize,
}

impl ProcessTable {
    /// Reads the table once; a process that ends meanwhile is in it or not.
    pub fn read() -> Result<Self, Error> {
        let proc = Path::new("/proc");
        let failed = |source| Error { path: proc.to_owned(), source };
        let mut table = Self::default();
        for entry in fs::read_dir(proc).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            match Process::read(pid) {
                Ok(process) => table.processes.extend(process),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => table.hidden += 1,
                Err(_vanished) => {}
            }
        }
        Ok(table)
    }
}

impl Process {
    /// Reads one process; `None` for what does not parse.
    pub fn read(pid: u32) -> io::Result<Option<Self>> {
        let directory = format!("/proc/{pid}");
        let network = fs::metadata(format!("{directory}/ns/net"))?;
        let mounts = fs::metadata(format!("{directory}/ns/mnt"))?;
        let stat = fs::read(format!("{directory}/stat"))?;
        let cgroups = fs::read_to_string(format!("{directory}/cgroup"))?;
        Ok(parse_stat(&String::from_utf8_lossy(&stat)).map(|(command, start_time)| Self {
            pid,
            start_time,
            command,
            namespace: NamespaceId::new(network.dev(), network.ino()),
            mount_namespace: mounts.ino(),
            cgroup: most_specific_cgroup(&cgroups).to_owned(),
        }))
    }
}

/// Command and start time; the command stands in parentheses and may contain any character, parentheses too.
fn parse_stat(stat: &str) -> Option<(String, u64)> {
    const FIELDS_FROM_STATE_TO_START: usize = 19;
    let (head, fields) = stat.rsplit_once(')')?;
    let (_, command) = head.split_once('(')?;
    let start_time = fields.split_ascii_whitespace().nth(FIELDS_FROM_STATE_TO_START)?.parse().ok()?;
    Some((command.to_owned(), start_time))
}

/// The longest path of a `cgroups(7)` listing: in version 2 the only one. In a hybrid hierarchy the version 2 line often
/// still names the engine's service, while the version 1 lines name the container.
fn most_specific_cgroup(listing: &str) -> &str {
    listing
        .lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .fold("/", |longest, path| if path.len() > longest.len() { path } else { longest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_may_contain_parentheses() {
        let fields = (4..=24).map(|field| field.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(parse_stat(&format!("12 (a) b (c) S {fields}\n")), Some(("a) b (c".to_owned(), 22)));
        assert_eq!(parse_stat("12 (cut) S 1 2"), None);
    }

    #[test]
    fn the_most_specific_cgroup_wins() {
        assert_eq!(
            most_specific_cgroup("0::/system.slice/docker-0a.scope\n"),
            "/system.slice/docker-0a.scope"
        );
        assert_eq!(most_specific_cgroup("12:pids:/docker/0a\n1:name=systemd:/\n0::/\n"), "/docker/0a");
        assert_eq!(most_specific_cgroup("0::/a:b\n"), "/a:b");
        assert_eq!(most_specific_cgroup(""), "/");
    }

    #[test]
    fn this_process_is_in_the_table() {
        let table = ProcessTable::read().unwrap();
        let own = Process::read(std::process::id()).unwrap().unwrap();
        assert!(table.processes.contains(&own));
    }
}
