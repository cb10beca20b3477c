//! Bind mounts that keep network namespaces open, in our own and in other mount namespaces.
//!
//! Reads mount tables only; opening what they name is the caller's choice.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use nix::sys::stat::makedev;

use crate::model::NamespaceId;

/// What can go wrong with a mount table.
#[derive(Debug, thiserror::Error)]
#[error("reading the mount table {}", path.display())]
pub struct Error {
    path: PathBuf,
    source: io::Error,
}

/// A network namespace bound to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceMount {
    /// The namespace.
    pub namespace: NamespaceId,
    /// A path that opens it from our own mount namespace. A later mount may hide it, so compare what it opens.
    pub path: PathBuf,
}

/// The network namespaces bound to files in our own mount namespace.
pub fn own() -> Result<Vec<NamespaceMount>, Error> {
    read(Path::new("/proc/self/mountinfo"), Path::new("/"))
}

/// The network namespaces bound to files in the mount namespace of a process, reached through its root.
pub fn of_process(pid: u32) -> Result<Vec<NamespaceMount>, Error> {
    let process = PathBuf::from(format!("/proc/{pid}"));
    read(&process.join("mountinfo"), &process.join("root"))
}

fn read(table: &Path, root: &Path) -> Result<Vec<NamespaceMount>, Error> {
    let text = fs::read(table).map_err(|source| Error { path: table.to_owned(), source })?;
    Ok(parse(&String::from_utf8_lossy(&text), root))
}

fn parse(table: &str, root: &Path) -> Vec<NamespaceMount> {
    table
        .lines()
        .filter_map(parse_line)
        .map(|(namespace, point)| NamespaceMount {
            namespace,
            path: root.join(point.trim_start_matches('/')),
        })
        .collect()
}

/// A line of `proc_pid_mountinfo(5)`: `36 35 0:4 net:[4026532000] /run/netns/x rw shared:1 - nsfs nsfs rw`.
fn parse_line(line: &str) -> Option<(NamespaceId, String)> {
    let (mount, filesystem) = line.split_once(" - ")?;
    if !filesystem.starts_with("nsfs ") {
        return None;
    }
    let mut fields = mount.split(' ').skip(2);
    let (major, minor) = fields.next()?.split_once(':')?;
    let inode = fields.next()?.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()?;
    let device = makedev(major.parse().ok()?, minor.parse().ok()?);
    Some((NamespaceId::new(device, inode), unescape(fields.next()?)))
}

/// Space, tab, line feed and backslash stand as octal in a mount table (`\040`).
pub(super) fn unescape(field: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(field.to_owned(), |text, (escape, plain)| text.replace(escape, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
24 1 0:22 / /proc rw,nosuid shared:12 - proc proc rw
310 29 0:4 net:[4026532193] /run/netns/a\\040b rw shared:5 master:2 - nsfs nsfs rw
311 29 0:4 mnt:[4026532194] /run/mnt rw - nsfs nsfs rw
312 29 0:4 net:[4026532195] /run/docker/netns/0a1b rw - nsfs nsfs rw
cut off line
";

    #[test]
    fn only_network_namespaces_are_taken() {
        let mounts = parse(TABLE, Path::new("/"));
        let expected = [(4_026_532_193, "/run/netns/a b"), (4_026_532_195, "/run/docker/netns/0a1b")].map(
            |(inode, path)| NamespaceMount {
                namespace: NamespaceId::new(4, inode),
                path: PathBuf::from(path),
            },
        );
        assert_eq!(mounts, expected);
    }

    #[test]
    fn other_mount_namespaces_are_reached_through_the_root_of_a_process() {
        let mounts = parse(TABLE, Path::new("/proc/7/root"));
        assert_eq!(mounts[1].path, Path::new("/proc/7/root/run/docker/netns/0a1b"));
    }
}
