//! What a process does to be inside: a namespace of its own or another's, files of its own in /etc, and the command.
//!
//! For processes that have been forked for this and have one thread.

use std::{
    ffi::{CString, OsString},
    io,
    os::unix::ffi::OsStringExt as _,
    path::Path,
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
    unistd::execvp,
};

use super::{fork::Signals, netns::Namespace};

/// Moves the calling process into a network namespace of its own.
pub fn new_network() -> io::Result<()> {
    Ok(unshare(CloneFlags::CLONE_NEWNET)?)
}

/// Moves the calling process into another network namespace.
pub fn join_network(namespace: &Namespace) -> io::Result<()> {
    Ok(setns(namespace, CloneFlags::CLONE_NEWNET)?)
}

/// Gives the calling process mounts of its own, which nobody else sees; those of others still come in.
pub fn own_mounts() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let none = None::<&str>;
    Ok(mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SLAVE, none)?)
}

/// Shows `file` where `place` is, a symbolic link followed. Nothing is done where `place` is not.
pub fn show_instead(file: &Path, place: &Path) -> io::Result<()> {
    let none = None::<&str>;
    match mount(Some(file), place, none, MsFlags::MS_BIND, none) {
        Err(nix::errno::Errno::ENOENT) => Ok(()),
        done => Ok(done?),
    }
}

/// Lets /sys/class/net tell of the network namespace that the process is in now, by a sysfs of its own that hides a folder
/// which every sysfs has, meanwhile. The rest of /sys, with what is mounted in it, stays. Needs mounts of its own.
pub fn show_own_links() -> io::Result<()> {
    const TOLD: [&str; 2] = ["class/net", "devices/virtual/net"];
    let folder = Path::new("/sys/fs");
    let none = None::<&str>;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("sysfs"), folder, Some("sysfs"), flags, none)?;
    let shown =
        TOLD.iter().try_for_each(|part| show_instead(&folder.join(part), &Path::new("/sys").join(part)));
    umount2(folder, MntFlags::MNT_DETACH)?;
    shown
}

/// A command to become.
#[derive(Debug, Clone)]
pub struct Program {
    words: Vec<CString>,
}

impl Program {
    /// None if there are no words, or one has a zero byte.
    pub fn new(words: &[OsString]) -> Option<Self> {
        let words: Result<Vec<_>, _> =
            words.iter().map(|word| CString::new(word.clone().into_vec())).collect();
        words.ok().filter(|words| !words.is_empty()).map(|words| Self { words })
    }

    /// Becomes it; returns only where that fails.
    pub fn become_it(&self) -> io::Error {
        if let Err(error) = Signals::release() {
            return error;
        }
        match execvp(&self.words[0], &self.words) {
            Err(error) => error.into(),
        }
    }

    /// The exit status that a shell gives for that failure: 127 not found, 126 otherwise.
    pub fn shell_code(error: &io::Error) -> u8 {
        if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_a_word_and_no_zero_byte() {
        assert!(Program::new(&["true".into()]).is_some());
        assert!(Program::new(&[]).is_none());
        assert!(Program::new(&["a\0b".into()]).is_none());
    }

    #[test]
    fn failures_have_the_status_a_shell_gives_them() {
        let code = |number| Program::shell_code(&io::Error::from_raw_os_error(number));
        assert_eq!((code(libc::ENOENT), code(libc::EACCES), code(libc::ENOEXEC)), (127, 126, 126));
    }
}
