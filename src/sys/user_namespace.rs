//! The user namespace of containers that a user runs without root (`user_namespaces(7)`): who owns it may do in it, and in
//! the network namespaces that belong to it, all that root may, and nothing more outside.
#![expect(unsafe_code, reason = "two ioctls without safe wrappers")]

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::Path,
    sync::OnceLock,
};

use caps::Capability;
use nix::{
    sched::{CloneFlags, setns},
    unistd::{Uid, geteuid},
};

/// What this process lacked before it joined one.
static LACKED: OnceLock<Vec<Capability>> = OnceLock::new();

/// A user namespace in which some of the user's processes are.
struct Candidate {
    file: File,
    /// Whether it has more users than its owner: as those of engines have, and those of browsers have not.
    has_users: bool,
    /// Processes in network namespaces other than ours.
    residents: usize,
}

/// Joins the user namespace that the user's own containers are in, for good; says whether there is one. Not for those who
/// may enter any. Of several, it is one with users of its own, then the one with the most processes.
///
/// To be called while there is one thread (`setns(2)`).
pub fn join_own() -> io::Result<bool> {
    if geteuid().is_root() || has(Capability::CAP_SYS_ADMIN) {
        return Ok(false);
    }
    let Some(chosen) = candidates().into_values().max_by_key(|found| (found.has_users, found.residents))
    else {
        return Ok(false);
    };
    let lacked = caps::all().into_iter().filter(|capability| !has(*capability)).collect();
    setns(&chosen.file, CloneFlags::CLONE_NEWUSER)?;
    // Rights that came with it have made our own files in /proc root's.
    nix::sys::prctl::set_dumpable(true)?;
    // Joined once: there is one thread, and after this the process may enter any it knows.
    let _ = LACKED.set(lacked);
    Ok(true)
}

/// Whether there is one to be joined.
pub fn has_own() -> bool {
    !candidates().is_empty()
}

/// Whether a capability that this thread seems to have is one in a user namespace only.
pub(super) fn is_local(capability: Capability) -> bool {
    LACKED.get().is_some_and(|lacked| lacked.contains(&capability))
}

fn has(capability: Capability) -> bool {
    caps::has_cap(None, caps::CapSet::Effective, capability).unwrap_or(false)
}

/// By inode number. What may not be looked at is another's.
fn candidates() -> BTreeMap<u64, Candidate> {
    let mut found: BTreeMap<u64, Candidate> = BTreeMap::new();
    let number = |path: &Path| fs::metadata(path).map(|metadata| metadata.ino()).ok();
    let own = |kind: &str| number(&Path::new("/proc/self/ns").join(kind));
    let (Some(own_user), Some(own_net)) = (own("user"), own("net")) else { return found };
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let is_process = entry.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit());
        let namespaces = entry.path().join("ns");
        let is_elsewhere = number(&namespaces.join("net")).is_some_and(|net| net != own_net);
        let Some(user) = number(&namespaces.join("user")).filter(|user| *user != own_user) else { continue };
        if !is_process || !is_elsewhere {
            continue;
        }
        if let Some(known) = found.get_mut(&user) {
            known.residents += 1;
        } else if let Some(candidate) = Candidate::of(&entry.path()) {
            found.insert(user, candidate);
        }
    }
    found
}

impl Candidate {
    /// That of a process, if it is ours to join and we are somebody in it.
    fn of(process: &Path) -> Option<Self> {
        let file = File::open(process.join("ns/user")).ok()?;
        let map = fs::read_to_string(process.join("uid_map")).ok()?;
        let is_ours = owner(&file)? == geteuid() && maps(&map, geteuid().as_raw());
        is_ours.then(|| Self { file, has_users: users(&map) > 1, residents: 1 })
    }
}

/// Asks with `NS_GET_OWNER_UID` (`ioctl_ns(2)`).
fn owner(namespace: &File) -> Option<Uid> {
    const NS_GET_OWNER_UID: libc::Ioctl = nix::request_code_none!(0xb7, 0x4);
    let mut uid: libc::uid_t = 0;
    // SAFETY: the kernel writes one uid_t to where the pointer leads, which lives for the whole call.
    let result = unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_OWNER_UID, &raw mut uid) };
    (result == 0).then(|| Uid::from_raw(uid))
}

/// The lines of a map: first user inside, first outside, how many.
fn ranges(map: &str) -> impl Iterator<Item = [u64; 3]> {
    map.lines().filter_map(|line| {
        let mut numbers = line.split_whitespace().map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some([next()?, next()?, next()?])
    })
}

fn maps(map: &str, uid: u32) -> bool {
    ranges(map).any(|[_, outside, count]| (outside..outside.saturating_add(count)).contains(&u64::from(uid)))
}

fn users(map: &str) -> u64 {
    ranges(map).fold(0, |sum, [_, _, count]| sum.saturating_add(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_read_as_the_kernel_writes_them() {
        let engine = "         0       1001          1\n         1     165536      65536\n";
        let browser = "      1001       1001          1\n";
        assert_eq!((users(engine), users(browser), users("")), (65537, 1, 0));
        for (uid, is_there) in [(1001, true), (165_536, true), (231_071, true), (231_072, false), (0, false)]
        {
            assert_eq!(maps(engine, uid), is_there, "{uid}");
        }
    }

    #[test]
    fn root_needs_none() {
        if geteuid().is_root() {
            assert!(!join_own().unwrap());
            assert!(!is_local(Capability::CAP_NET_RAW));
        }
    }
}
