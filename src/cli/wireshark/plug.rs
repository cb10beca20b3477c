//! pcapsule in a folder of extcap programs: what is there under its name, and putting it there or taking it away.
//!
//! Nothing is overwritten or removed that is not pcapsule: whether it is, is told by what the file holds.

use std::{
    fs::{self, File, Metadata},
    io::{self, Read},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process,
};

use super::Error;

/// Its name there: the first word of what Wireshark shows about it.
const NAME: &str = "pcapsule";

/// Every program of ours has this text in it, and so has no other file that is no copy of one.
const MARK: &str = "\u{1}pcapsule's own extcap, 6f0d3c1e-8a57-4b1c-9d1f-2f7b53a4c9e6\u{1}";

/// What an extcap folder has under our name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// A link to a pcapsule.
    Link {
        /// Where it leads in the end.
        target: PathBuf,
    },
    /// A pcapsule.
    Copy,
    /// A link to a program of our name that is no more.
    Dangling {
        /// Where it leads.
        target: PathBuf,
    },
    /// Something that this user may not read: a pcapsule that is for a group, maybe.
    Closed,
    /// Somebody else's.
    Foreign,
}

/// What putting it there came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    /// It was there just so.
    AsItWas,
    /// A link.
    Linked,
    /// A copy.
    Copied,
}

/// How the program is put into a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Link,
    Copy,
}

/// Our place in a folder of extcap programs.
#[derive(Debug, Clone)]
pub(super) struct Plug {
    path: PathBuf,
}

impl Plug {
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self { path: folder.join(NAME) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Looks at what is there.
    pub(super) fn look(&self) -> io::Result<Found> {
        let metadata = match fs::symlink_metadata(&self.path) {
            Err(error) if is_absent(&error) => return Ok(Found::Nothing),
            found => found?,
        };
        if metadata.is_symlink() {
            return self.look_behind();
        }
        if !metadata.is_file() {
            return Ok(Found::Foreign);
        }
        judged(&self.path, Found::Copy)
    }

    fn look_behind(&self) -> io::Result<Found> {
        match fs::canonicalize(&self.path) {
            Ok(target) if target.is_file() => judged(&target, Found::Link { target: target.clone() }),
            Ok(_) => Ok(Found::Foreign),
            Err(error) if is_absent(&error) => {
                let target = fs::read_link(&self.path)?;
                let is_ours = target.file_name().is_some_and(|name| name == NAME);
                Ok(if is_ours { Found::Dangling { target } } else { Found::Foreign })
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(Found::Closed),
            Err(error) => Err(error),
        }
    }

    /// Puts `program` there.
    pub(super) fn put(&self, program: &Path, manner: Manner) -> Result<Put, Error> {
        let found = self.look().map_err(|source| self.failed("looking at", source))?;
        match (&found, manner) {
            (Found::Foreign, _) => return Err(Error::Foreign(self.path.clone())),
            (Found::Closed, _) => return Err(self.failed("reading", io::ErrorKind::PermissionDenied.into())),
            (Found::Link { .. }, Manner::Link) if fs::read_link(&self.path).is_ok_and(|to| to == program) => {
                return Ok(Put::AsItWas);
            }
            (Found::Copy, Manner::Copy) if is_same(&self.path, program).unwrap_or(false) => {
                return Ok(Put::AsItWas);
            }
            _ => {}
        }
        let put = |source| self.failed("putting pcapsule at", source);
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder).map_err(put)?;
        // In place of the old one at once: whoever lists interfaces meanwhile finds one of them.
        let fresh = folder.join(format!(".{NAME}.{}", process::id()));
        let made = match manner {
            Manner::Link => symlink(program, &fresh),
            Manner::Copy => copy(program, &fresh),
        };
        if let Err(error) = made.and_then(|()| fs::rename(&fresh, &self.path)) {
            // What was not made cannot be removed.
            let _ = fs::remove_file(&fresh);
            return Err(put(error));
        }
        Ok(if manner == Manner::Link { Put::Linked } else { Put::Copied })
    }

    /// Takes it away if it is ours; says whether it was.
    pub(super) fn remove(&self) -> Result<bool, Error> {
        match self.look().map_err(|source| self.failed("looking at", source))? {
            Found::Nothing | Found::Foreign => Ok(false),
            Found::Closed => Err(self.failed("reading", io::ErrorKind::PermissionDenied.into())),
            Found::Link { .. } | Found::Copy | Found::Dangling { .. } => {
                fs::remove_file(&self.path).map_err(|source| self.failed("removing", source))?;
                Ok(true)
            }
        }
    }

    fn failed(&self, operation: &'static str, source: io::Error) -> Error {
        Error::File { operation, path: self.path.clone(), source }
    }
}

/// Whether others could change the program, or could not reach it: then a link to it is not for everybody.
pub(super) fn is_for_everybody(program: &Path) -> bool {
    let is_safe = |metadata: &Metadata| metadata.uid() == 0 && metadata.mode() & 0o022 == 0;
    program.ancestors().all(|path| {
        fs::metadata(path).is_ok_and(|metadata| {
            // In a folder where nobody may remove what is another's (1777) root's own stays root's.
            let is_sticky = metadata.is_dir() && metadata.mode() & 0o1000 != 0 && metadata.uid() == 0;
            (is_safe(&metadata) || is_sticky) && metadata.mode() & 0o001 != 0
        })
    })
}

fn copy(program: &Path, to: &Path) -> io::Result<()> {
    // Not `fs::copy`, which copies a set-user-id bit, too.
    let (mut from, mut file) = (File::open(program)?, File::create_new(to)?);
    io::copy(&mut from, &mut file)?;
    file.set_permissions(fs::Permissions::from_mode(0o755))
}

/// `ours` if the file is a pcapsule.
fn judged(file: &Path, ours: Found) -> io::Result<Found> {
    match is_pcapsule(file) {
        Ok(true) => Ok(ours),
        Ok(false) => Ok(Found::Foreign),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(Found::Closed),
        Err(error) => Err(error),
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Whether a file is a pcapsule, of whatever version.
fn is_pcapsule(path: &Path) -> io::Result<bool> {
    // The one that runs need not be searched.
    if std::env::current_exe().is_ok_and(|own| is_one(&own, path)) {
        return Ok(true);
    }
    let mut file = File::open(path)?;
    let (mark, mut rest) = (MARK.as_bytes(), Vec::new());
    let mut piece = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut piece)?;
        if count == 0 {
            return Ok(false);
        }
        rest.extend_from_slice(&piece[..count]);
        if holds(&rest, mark) {
            return Ok(true);
        }
        rest.drain(..rest.len().saturating_sub(mark.len()));
    }
}

fn holds(bytes: &[u8], mark: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == mark[0]) {
        rest = &rest[at..];
        if rest.starts_with(mark) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

/// Whether two paths lead to one file.
pub(super) fn is_one(left: &Path, right: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino())).ok();
    identity(left).is_some_and(|left| identity(right) == Some(left))
}

/// Whether two files hold the same.
fn is_same(left: &Path, right: &Path) -> io::Result<bool> {
    if fs::metadata(left)?.len() != fs::metadata(right)?.len() {
        return Ok(false);
    }
    Ok(fs::read(left)? == fs::read(right)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scene {
        root: tempfile::TempDir,
        plug: Plug,
    }

    impl Scene {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let plug = Plug::in_folder(&root.path().join("wireshark/extcap"));
            Self { root, plug }
        }

        /// A program of ours, but for the machine code.
        fn program(&self, name: &str, version: &str) -> PathBuf {
            let path = self.root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let far = "x".repeat((1 << 20) - 20);
            fs::write(&path, format!("{far}{MARK}{version}")).unwrap();
            path
        }

        fn stranger(&self) -> PathBuf {
            let path = self.root.path().join("stranger");
            fs::write(&path, "#!/bin/sh\n").unwrap();
            path
        }

        fn folder(&self) -> &Path {
            let folder = self.plug.path().parent().unwrap();
            fs::create_dir_all(folder).unwrap();
            folder
        }
    }

    #[test]
    fn a_link_is_put_there_once() {
        let scene = Scene::new();
        let program = fs::canonicalize(scene.program("pcapsule", "1")).unwrap();
        assert_eq!(scene.plug.look().unwrap(), Found::Nothing);
        assert_eq!(scene.plug.put(&program, Manner::Link).unwrap(), Put::Linked);
        assert_eq!(scene.plug.put(&program, Manner::Link).unwrap(), Put::AsItWas);
        assert_eq!(scene.plug.look().unwrap(), Found::Link { target: program.clone() });
        assert_eq!(fs::read_dir(scene.folder()).unwrap().count(), 1);
        assert!(scene.plug.remove().unwrap());
        assert!(!scene.plug.remove().unwrap());
        assert!(program.exists(), "what the link leads to stays");
    }

    #[test]
    fn a_copy_takes_the_place_of_an_older_one_and_of_a_link() {
        let scene = Scene::new();
        let (old, new) = (scene.program("old/pcapsule", "1"), scene.program("new/pcapsule", "2"));
        for (program, put) in [(&old, Put::Copied), (&old, Put::AsItWas), (&new, Put::Copied)] {
            assert_eq!(scene.plug.put(program, Manner::Copy).unwrap(), put, "{program:?}");
        }
        assert_eq!(scene.plug.look().unwrap(), Found::Copy);
        assert_eq!(scene.plug.put(&old, Manner::Link).unwrap(), Put::Linked);
        assert_eq!(scene.plug.put(&new, Manner::Copy).unwrap(), Put::Copied);
        assert!(fs::read_to_string(&old).unwrap().ends_with('1'), "not written through the link");
        assert_eq!(fs::metadata(scene.plug.path()).unwrap().mode() & 0o777, 0o755);
    }

    #[test]
    fn what_is_not_ours_is_neither_overwritten_nor_removed() {
        let scene = Scene::new();
        let (program, stranger) = (scene.program("pcapsule", "1"), scene.stranger());
        let lost = scene.root.path().join("nowhere/other");
        let plants: [&dyn Fn(&Path); 4] = [
            &|path| fs::write(path, "#!/bin/sh\n").unwrap(),
            &|path| symlink(&stranger, path).unwrap(),
            &|path| symlink(&lost, path).unwrap(),
            &|path| fs::create_dir(path).unwrap(),
        ];
        scene.folder();
        for plant in plants {
            plant(scene.plug.path());
            assert_eq!(scene.plug.look().unwrap(), Found::Foreign);
            for manner in [Manner::Link, Manner::Copy] {
                assert!(matches!(scene.plug.put(&program, manner), Err(Error::Foreign(_))));
            }
            assert!(!scene.plug.remove().unwrap());
            assert!(fs::symlink_metadata(scene.plug.path()).is_ok());
            fs::remove_file(scene.plug.path()).or_else(|_| fs::remove_dir(scene.plug.path())).unwrap();
        }
    }

    #[test]
    fn a_link_to_a_program_that_is_gone_is_ours_by_its_name() {
        let scene = Scene::new();
        let program = scene.program("old/pcapsule", "1");
        scene.plug.put(&program, Manner::Link).unwrap();
        fs::remove_file(&program).unwrap();
        assert_eq!(scene.plug.look().unwrap(), Found::Dangling { target: program });
        let newer = scene.program("new/pcapsule", "2");
        assert_eq!(scene.plug.put(&newer, Manner::Link).unwrap(), Put::Linked);
        assert!(scene.plug.remove().unwrap());
    }

    #[test]
    fn a_program_that_others_could_change_or_not_reach_is_not_for_everybody() {
        let scene = Scene::new();
        let program = scene.program("pcapsule", "1");
        // Temporary folders are their makers' alone (0700).
        assert!(!is_for_everybody(&program));
        assert!(!is_for_everybody(Path::new("/nonexistent/pcapsule")));
        assert!(is_for_everybody(Path::new("/usr/bin/env")));
    }
}
