//! The process table, as far as it tells who is in which namespace and cgroup.
//!
//! Four small reads a process instead of a full parse, each one call to the kernel: hosts with thousands of processes are
//! scanned on every `ls`, and many times a second while containers come and go.

use std::{
    borrow::Cow,
    cmp::Reverse,
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::model::NamespaceId;

const INIT: u32 = 1;
/// Most files of /proc are shorter.
const ROOM: usize = 4096;

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
    /// Its cgroup paths below the mount point, the longest first: one in version 2, several in a hybrid hierarchy.
    pub cgroups: Vec<String>,
}

/// The processes that could be looked at.
#[derive(Debug, Clone, Default)]
pub struct ProcessTable {
    /// In the order of /proc.
    pub processes: Vec<Process>,
    /// How many more there are whose namespaces we may not see (`CAP_SYS_PTRACE`); init, which is the host's, left out.
    pub hidden: usize,
}

impl ProcessTable {
    /// Reads the table once; a process that ends meanwhile is in it or not.
    pub fn read() -> Result<Self, Error> {
        let proc = Path::new("/proc");
        let failed = |source| Error { path: proc.to_owned(), source };
        let device = namespace_device().map_err(failed)?;
        let (mut table, mut room) = (Self::default(), Vec::new());
        for entry in fs::read_dir(proc).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
            match Process::read_with(pid, device, &mut room) {
                Ok(process) => table.processes.extend(process),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied && pid != INIT => {
                    table.hidden += 1;
                }
                Err(_vanished) => {}
            }
        }
        Ok(table)
    }
}

impl Process {
    /// Reads one process; `None` for what does not parse.
    pub fn read(pid: u32) -> io::Result<Option<Self>> {
        Self::read_with(pid, namespace_device()?, &mut Vec::new())
    }

    fn read_with(pid: u32, device: u64, room: &mut Vec<u8>) -> io::Result<Option<Self>> {
        let directory = format!("/proc/{pid}");
        let network = namespace(&format!("{directory}/ns/net"))?;
        let mount_namespace = namespace(&format!("{directory}/ns/mnt"))?;
        let stat = parse_stat(&contents(&format!("{directory}/stat"), room)?);
        let cgroups = parse_cgroups(&contents(&format!("{directory}/cgroup"), room)?);
        Ok(stat.map(|(command, start_time)| Self {
            pid,
            start_time,
            command,
            namespace: NamespaceId::new(device, network),
            mount_namespace,
            cgroups,
        }))
    }
}

/// The device of the file system that all namespaces are files of.
fn namespace_device() -> io::Result<u64> {
    fs::metadata("/proc/self/ns/net").map(|file| file.dev())
}

/// The inode number that a link such as `net:[4026531833]` names. To follow it, the kernel would make the file.
fn namespace(link: &str) -> io::Result<u64> {
    let target = fs::read_link(link)?;
    let number = target.to_str().and_then(|text| text.split_once('[')?.1.strip_suffix(']')?.parse().ok());
    number.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// A file of /proc, of which one read gives as much as there is or room for (fs/seq_file.c).
fn contents<'r>(path: &str, room: &'r mut Vec<u8>) -> io::Result<Cow<'r, str>> {
    let mut file = File::open(path)?;
    room.resize(ROOM, 0);
    let length = file.read(room)?;
    room.truncate(length);
    if length == ROOM {
        file.read_to_end(room)?;
    }
    Ok(String::from_utf8_lossy(room))
}

/// Whether we see processes under the numbers that the kernel itself has for them (linux/nsfs.h, `PID_NS_INIT_INO`).
pub fn is_in_initial_pid_namespace() -> bool {
    const INITIAL: u64 = 0xEFFF_FFFC;
    fs::metadata("/proc/self/ns/pid").is_ok_and(|namespace| namespace.ino() == INITIAL)
}

/// Command and start time; the command stands in parentheses and may contain any character, parentheses too.
fn parse_stat(stat: &str) -> Option<(String, u64)> {
    const FIELDS_FROM_STATE_TO_START: usize = 19;
    let (head, fields) = stat.rsplit_once(')')?;
    let (_, command) = head.split_once('(')?;
    let start_time = fields.split_ascii_whitespace().nth(FIELDS_FROM_STATE_TO_START)?.parse().ok()?;
    Some((command.to_owned(), start_time))
}

/// The distinct paths of a `cgroups(7)` listing, whose lines are `hierarchy:controllers:path`.
fn parse_cgroups(listing: &str) -> Vec<String> {
    let mut paths: Vec<&str> = listing.lines().filter_map(|line| line.splitn(3, ':').nth(2)).collect();
    paths.sort_unstable_by_key(|path| (Reverse(path.len()), *path));
    paths.dedup();
    paths.into_iter().map(str::to_owned).collect()
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
    fn cgroups_of_all_hierarchies_are_read() {
        assert_eq!(parse_cgroups("0::/system.slice/a:b\n"), ["/system.slice/a:b"]);
        assert_eq!(parse_cgroups("12:pids:/docker/0a\n2:cpu:/docker/0a\n0::/\n"), ["/docker/0a", "/"]);
        assert_eq!(parse_cgroups(""), [] as [&str; 0]);
    }

    #[test]
    fn a_namespace_is_what_its_file_is() {
        let file = fs::metadata("/proc/self/ns/net").unwrap();
        let own = Process::read(std::process::id()).unwrap().unwrap();
        assert_eq!(own.namespace, NamespaceId::new(file.dev(), file.ino()));
        assert_eq!(own.mount_namespace, fs::metadata("/proc/self/ns/mnt").unwrap().ino());
    }

    #[test]
    fn a_file_that_is_longer_than_the_room_is_read_to_its_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for length in [0, 5, ROOM - 1, ROOM, ROOM + 1, 3 * ROOM] {
            fs::write(file.path(), "x".repeat(length)).unwrap();
            let mut room = Vec::new();
            assert_eq!(contents(file.path().to_str().unwrap(), &mut room).unwrap().len(), length);
        }
    }

    #[test]
    fn this_process_is_in_the_table() {
        let table = ProcessTable::read().unwrap();
        let own = Process::read(std::process::id()).unwrap().unwrap();
        assert!(table.processes.contains(&own));
    }
}
