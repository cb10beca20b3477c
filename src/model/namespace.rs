//! The identity of a network namespace.

use std::fmt;

use serde::{Serialize, Serializer};

/// A network namespace, told apart by device and inode of its nsfs file (`namespaces(7)`).
///
/// Unique while anything holds the namespace open; the kernel may reuse an inode number afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamespaceId {
    device: u64,
    inode: u64,
}

impl NamespaceId {
    /// From `st_dev` and `st_ino` of `/proc/PID/ns/net` or a bind mount of it.
    pub const fn new(device: u64, inode: u64) -> Self {
        Self { device, inode }
    }

    /// `st_dev` of the nsfs file.
    pub const fn device(self) -> u64 {
        self.device
    }

    /// The number people know from `lsns` and `readlink /proc/PID/ns/net`.
    pub const fn inode(self) -> u64 {
        self.inode
    }
}

/// As the kernel writes it: `net:[4026531840]`.
impl fmt::Display for NamespaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "net:[{}]", self.inode)
    }
}

/// As its inode number.
impl Serialize for NamespaceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.inode)
    }
}
