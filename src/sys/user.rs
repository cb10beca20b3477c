//! Users and groups of this machine, and becoming one.

use std::{io, path::Path, path::PathBuf};

use nix::unistd::{self, Gid, Group, Uid, User};

/// A user, as the machine knows him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// His name.
    pub name: String,
    /// His home.
    pub home: PathBuf,
    /// His number.
    pub uid: u32,
    /// The number of his own group.
    pub gid: u32,
}

impl Person {
    /// The user of that number; none if there is none.
    pub fn by_number(uid: u32) -> io::Result<Option<Self>> {
        let found = User::from_uid(Uid::from_raw(uid))?;
        Ok(found.map(|user| Self {
            name: user.name,
            home: user.dir,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        }))
    }

    /// Whether he is in that group, by what the machine's list says (a session begun earlier may not know it yet).
    pub fn is_in(&self, gid: u32) -> io::Result<bool> {
        Ok(self.groups()?.contains(&Gid::from_raw(gid)))
    }

    /// Becomes this user for good, with all his groups, in a process of one thread that may do so.
    pub fn become_for_good(&self) -> io::Result<()> {
        unistd::setgroups(&self.groups()?)?;
        unistd::setgid(Gid::from_raw(self.gid))?;
        unistd::setuid(Uid::from_raw(self.uid))?;
        Ok(())
    }

    fn groups(&self) -> io::Result<Vec<Gid>> {
        let name = std::ffi::CString::new(self.name.as_str())?;
        Ok(unistd::getgrouplist(&name, Gid::from_raw(self.gid))?)
    }
}

/// The number of the group of that name; none if there is none.
pub fn group_by_name(name: &str) -> io::Result<Option<u32>> {
    Ok(Group::from_name(name)?.map(|group| group.gid.as_raw()))
}

/// The name of the group of that number, or the number.
pub fn group_name(gid: u32) -> String {
    let group = Group::from_gid(Gid::from_raw(gid));
    group.ok().flatten().map_or_else(|| gid.to_string(), |group| group.name)
}

/// The number of the user who runs this process, whatever rights it has.
pub fn real_user() -> u32 {
    unistd::getuid().as_raw()
}

/// Gives the file to root and that group.
pub fn give_to_group(file: &Path, gid: u32) -> io::Result<()> {
    Ok(unistd::chown(file, Some(Uid::from_raw(0)), Some(Gid::from_raw(gid)))?)
}

/// Whether the calling process may run that program.
pub fn may_execute(file: &Path) -> bool {
    unistd::access(file, unistd::AccessFlags::X_OK).is_ok()
}

/// Becomes the leader of a group of processes of its own: what the terminal sends to those in its foreground (Ctrl-C)
/// does not reach it.
pub fn leave_foreground() -> io::Result<()> {
    unistd::setpgid(unistd::Pid::from_raw(0), unistd::Pid::from_raw(0))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_known_and_in_its_own_group() {
        let root = Person::by_number(0).unwrap().expect("there is root");
        assert_eq!((root.name.as_str(), root.gid), ("root", 0));
        assert!(root.is_in(0).unwrap());
        assert_eq!(Person::by_number(u32::MAX - 1).unwrap(), None);
        assert_eq!(group_by_name("no-such-group-anywhere").unwrap(), None);
        assert_eq!(group_name(u32::MAX - 1), (u32::MAX - 1).to_string());
    }
}
