//! User namespaces of the present user (`user_namespaces(7)`), as containers without root have them. Joins none: see `netns`.
#![expect(unsafe_code, reason = "an ioctl without a safe wrapper")]

use std::{
    fs::{self, File},
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::Path,
};

use nix::unistd::{Uid, geteuid};

/// Whether a process of the host is in a network namespace other than ours and in a user namespace that is the present
/// user's own, as those in his rootless containers are.
pub fn is_owner_of_containers() -> bool {
    let own = ["net", "user"].map(|kind| number(&Path::new("/proc/self/ns").join(kind)));
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes.map(|entry| entry.path().join("ns")).any(|namespaces| {
        let others = ["net", "user"].map(|kind| number(&namespaces.join(kind)));
        // What may not be looked at is somebody else's.
        let is_elsewhere = others.iter().zip(own).all(|(other, own)| other.is_some() && *other != own);
        is_elsewhere && File::open(namespaces.join("user")).is_ok_and(|file| owner(&file) == Some(geteuid()))
    })
}

fn number(namespace: &Path) -> Option<u64> {
    fs::metadata(namespace).map(|metadata| metadata.ino()).ok()
}

/// Asks with `NS_GET_OWNER_UID` (`ioctl_ns(2)`).
fn owner(namespace: &File) -> Option<Uid> {
    const NS_GET_OWNER_UID: libc::Ioctl = nix::request_code_none!(0xb7, 0x4);
    let mut uid: libc::uid_t = 0;
    // SAFETY: the kernel writes one uid_t to where the pointer leads, which lives for the whole call.
    let result = unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_OWNER_UID, &raw mut uid) };
    (result == 0).then(|| Uid::from_raw(uid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_namespace_has_an_owner_and_other_files_have_none() {
        let own = File::open("/proc/self/ns/user").unwrap();
        // None in a namespace whose owner is nobody here.
        assert!(owner(&own).is_some());
        assert_eq!(owner(&File::open("/proc/self/status").unwrap()), None);
    }
}
