//! Whose a socket is: the processes that hold it open, by /proc/PID/fd (`proc_pid_fd(5)`).

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A process that holds a socket open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Process id in our pid namespace.
    pub pid: u32,
    /// Command name, at most 15 bytes.
    pub command: Arc<str>,
}

/// The sockets that these processes hold open, by inode. A socket that was inherited or passed on has several holders,
/// in the order of `pids`. A process that has ended, or may not be looked at, holds nothing.
pub fn holders(pids: impl IntoIterator<Item = u32>) -> HashMap<u32, Vec<Holder>> {
    let mut found: HashMap<u32, Vec<Holder>> = HashMap::new();
    for pid in pids {
        let Ok((command, mut inodes)) = sockets_of(pid) else { continue };
        inodes.sort_unstable();
        inodes.dedup();
        for inode in inodes {
            found.entry(inode).or_default().push(Holder { pid, command: Arc::clone(&command) });
        }
    }
    found
}

/// The command, and the inodes of the sockets, each as often as it is open. The command is read last: a process
/// that begins another program keeps its sockets, but not its name.
fn sockets_of(pid: u32) -> io::Result<(Arc<str>, Vec<u32>)> {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let mut inodes = Vec::new();
    for entry in fs::read_dir(process.join("fd"))? {
        // A descriptor that was closed meanwhile is none.
        inodes.extend(fs::read_link(entry?.path()).ok().and_then(|target| socket_inode(&target)));
    }
    let command = fs::read(process.join("comm"))?;
    Ok((String::from_utf8_lossy(&command).trim_end_matches('\n').into(), inodes))
}

/// `socket:[4711]`.
fn socket_inode(target: &Path) -> Option<u32> {
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, os::fd::AsRawFd, process};

    use super::*;

    #[test]
    fn a_socket_open_twice_has_one_holder() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let _again = socket.try_clone().unwrap();
        let target = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
        let found = holders([process::id(), u32::MAX]);
        let [holder] = &found[&socket_inode(&target).unwrap()][..] else { panic!("{found:?}") };
        assert_eq!(holder.pid, process::id());
        assert_eq!(*holder.command, *fs::read_to_string("/proc/self/comm").unwrap().trim_end());
    }

    #[test]
    fn other_descriptors_are_no_sockets() {
        for target in ["/dev/null", "pipe:[12]", "anon_inode:[eventpoll]", "socket:[x]", "socket:[1"] {
            assert_eq!(socket_inode(Path::new(target)), None, "{target}");
        }
    }
}
