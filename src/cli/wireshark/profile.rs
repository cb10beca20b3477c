//! The profile: preferences, colour rules and filters that fit our files, and the dissector that makes fields of names.
//!
//! A list beside the files says what was written, so that what somebody changed since is neither overwritten nor removed.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use super::Error;
use super::folders::Place;

/// What belongs into the folder of the profile, by name.
const FILES: [(&str, &str); 5] = [
    ("preferences", include_str!("files/preferences")),
    ("colorfilters", include_str!("files/colorfilters")),
    ("dfilters", include_str!("files/dfilters")),
    ("dfilter_buttons", include_str!("files/dfilter_buttons")),
    (RECENT, include_str!("files/recent")),
];

/// How wide the columns are to begin with. Wireshark writes this one anew whenever it is closed, without anybody's doing.
const RECENT: &str = "recent";

/// The dissector; it is loaded whatever the profile, and keeps still about files of others.
const DISSECTOR: (&str, &str) = ("pcapsule.lua", include_str!("files/pcapsule.lua"));

/// The list of what was written.
const LIST: &str = "pcapsule.installed";

/// A profile in its folder, and the dissector in its own.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    folder: PathBuf,
    lua: Option<PathBuf>,
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) path: PathBuf,
    pub(super) deed: Deed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Written,
    AsItWas,
    Removed,
    /// Somebody has changed it, or it was there before us.
    LeftAlone,
}

/// How a file of the profile is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Missing,
    /// As this version writes it.
    Current,
    /// As an older version wrote it.
    Older,
    /// Somebody changed it.
    Changed,
}

impl Profile {
    pub(super) fn at(place: &Place) -> Self {
        Self { folder: place.profile(), lua: place.lua.clone() }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the dissector belongs; none where this Wireshark knows no Lua.
    pub(super) fn dissector(&self) -> Option<PathBuf> {
        self.lua.as_ref().map(|folder| folder.join(DISSECTOR.0))
    }

    /// Whether it was installed here.
    pub(super) fn is_installed(&self) -> bool {
        self.folder.join(LIST).is_file()
    }

    /// Each of its files as it is.
    pub(super) fn look(&self) -> io::Result<Vec<(PathBuf, Condition)>> {
        let list = self.list()?;
        let look = |(path, text): (PathBuf, &str)| Ok((path.clone(), condition(&path, text, &list)?));
        self.files().map(look).collect()
    }

    /// Writes what is missing or old. What somebody changed stays.
    pub(super) fn install(&self) -> Result<Vec<Done>, Error> {
        let list = self.list().map_err(|source| failed("reading", &self.folder.join(LIST), source))?;
        let (mut done, mut entries) = (Vec::new(), Vec::new());
        for (path, text) in self.files() {
            let found = condition(&path, text, &list).map_err(|source| failed("reading", &path, source))?;
            let deed = match found {
                Condition::Current => Deed::AsItWas,
                Condition::Changed => Deed::LeftAlone,
                Condition::Missing | Condition::Older => {
                    write(&path, text).map_err(|source| failed("writing", &path, source))?;
                    Deed::Written
                }
            };
            if deed == Deed::LeftAlone {
                // Still known by what we once wrote there, if we did.
                entries.extend(list.iter().filter(|entry| entry.path == path).cloned());
            } else {
                entries.push(Entry { digest: digest(text.as_bytes()), path: path.clone() });
            }
            done.push(Done { path, deed });
        }
        let path = self.folder.join(LIST);
        write(&path, &written(&entries)).map_err(|source| failed("writing", &path, source))?;
        Ok(done)
    }

    /// Removes what is as it was written, and then the folder if nothing else is in it.
    pub(super) fn uninstall(&self) -> Result<Vec<Done>, Error> {
        let path = self.folder.join(LIST);
        let list = self.list().map_err(|source| failed("reading", &path, source))?;
        let mut done = Vec::new();
        for Entry { digest: known, path } in list.into_iter().filter(Entry::may_be_ours) {
            let deed = match fs::read(&path) {
                Ok(bytes) if digest(&bytes) == known || is_rewritten(&path) => {
                    fs::remove_file(&path).map_err(|source| failed("removing", &path, source))?;
                    Deed::Removed
                }
                Ok(_) => Deed::LeftAlone,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(failed("reading", &path, source)),
            };
            done.push(Done { path, deed });
        }
        if path.is_file() {
            fs::remove_file(&path).map_err(|source| failed("removing", &path, source))?;
            // Something else in it keeps it.
            let _ = fs::remove_dir(&self.folder);
        }
        Ok(done)
    }

    fn files(&self) -> impl Iterator<Item = (PathBuf, &'static str)> {
        let own = FILES.into_iter().map(|(name, text)| (self.folder.join(name), text));
        own.chain(self.dissector().map(|path| (path, DISSECTOR.1)))
    }

    fn list(&self) -> io::Result<Vec<Entry>> {
        match fs::read_to_string(self.folder.join(LIST)) {
            Ok(text) => Ok(text.lines().filter_map(Entry::parse).collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

/// A file that was written, and what with.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    digest: u64,
    path: PathBuf,
}

impl Entry {
    /// Whether install would write a file of that name: the list lies where others may write, too.
    fn may_be_ours(&self) -> bool {
        let is_called = |name: &str| self.path.file_name().is_some_and(|found| found == name);
        let is_in_profile = self.path.parent().is_some_and(|folder| folder.ends_with("profiles/pcapsule"));
        is_called(DISSECTOR.0) || (is_in_profile && FILES.iter().any(|(name, _)| is_called(name)))
    }

    /// `0123456789abcdef /a/file`; a line that is something else is none.
    fn parse(line: &str) -> Option<Self> {
        let (digest, path) = line.split_once(' ')?;
        Some(Self { digest: u64::from_str_radix(digest, 16).ok()?, path: path.into() })
    }
}

fn written(entries: &[Entry]) -> String {
    let mut text =
        "# What pcapsule wrote here: `pcapsule wireshark uninstall` removes what is still the same.\n"
            .to_owned();
    for Entry { digest, path } in entries {
        let _ = writeln!(text, "{digest:016x} {}", path.display());
    }
    text
}

fn condition(path: &Path, text: &str, list: &[Entry]) -> io::Result<Condition> {
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Condition::Missing),
        read => read?,
    };
    let found = digest(&bytes);
    let is_known = list.iter().any(|entry| entry.path == path);
    let is_ours = list.iter().any(|entry| entry.path == path && entry.digest == found);
    Ok(match bytes == text.as_bytes() || (is_known && is_rewritten(path)) {
        true => Condition::Current,
        false if is_ours => Condition::Older,
        false => Condition::Changed,
    })
}

/// Whether Wireshark itself changes that file.
fn is_rewritten(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == RECENT)
}

/// In one step: whoever reads it meanwhile reads the old one or the new one.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let fresh = folder.join(format!(".pcapsule.{}", std::process::id()));
    // A file of its own: whoever else may write here could have put a link there.
    let write = || File::create_new(&fresh)?.write_all(text.as_bytes());
    write().and_then(|()| fs::rename(&fresh, path)).inspect_err(|_| {
        // What was not written cannot be removed.
        let _ = fs::remove_file(&fresh);
    })
}

/// Tells whether a file was changed, by accident or by its owner: FNV-1a.
fn digest(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn failed(operation: &'static str, path: &Path, source: io::Error) -> Error {
    Error::File { operation, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(root: &Path) -> Profile {
        Profile { folder: root.join("profiles/pcapsule"), lua: Some(root.join("plugins")) }
    }

    fn deeds(done: &[Done]) -> Vec<Deed> {
        done.iter().map(|done| done.deed).collect()
    }

    #[test]
    fn what_was_written_is_removed_and_nothing_is_left() {
        let root = tempfile::tempdir().unwrap();
        let profile = profile(root.path());
        assert_eq!(deeds(&profile.install().unwrap()), [Deed::Written; 6]);
        assert!(profile.is_installed());
        assert_eq!(deeds(&profile.install().unwrap()), [Deed::AsItWas; 6]);
        assert!(profile.look().unwrap().iter().all(|(_, condition)| *condition == Condition::Current));
        assert_eq!(deeds(&profile.uninstall().unwrap()), [Deed::Removed; 6]);
        assert!(!profile.folder().exists() && !profile.dissector().unwrap().exists());
        assert_eq!(profile.uninstall().unwrap(), []);
    }

    #[test]
    fn what_somebody_changed_stays() {
        let root = tempfile::tempdir().unwrap();
        let profile = profile(root.path());
        profile.install().unwrap();
        let changed = profile.folder().join("preferences");
        fs::write(&changed, "gui.window_title: mine\n").unwrap();
        let alone = |done: Vec<Done>| -> Vec<PathBuf> {
            done.into_iter().filter(|done| done.deed == Deed::LeftAlone).map(|done| done.path).collect()
        };
        assert_eq!(alone(profile.install().unwrap()), [&*changed]);
        assert_eq!(alone(profile.uninstall().unwrap()), [&*changed]);
        assert_eq!(fs::read_to_string(&changed).unwrap(), "gui.window_title: mine\n");
        assert_eq!(fs::read_dir(profile.folder()).unwrap().count(), 1);
    }

    #[test]
    fn what_wireshark_itself_rewrites_is_no_change_of_anybodys() {
        let root = tempfile::tempdir().unwrap();
        let profile = profile(root.path());
        profile.install().unwrap();
        fs::write(profile.folder().join(RECENT), "gui.zoom_level: 1\n").unwrap();
        assert!(profile.look().unwrap().iter().all(|(_, condition)| *condition == Condition::Current));
        assert_eq!(deeds(&profile.install().unwrap()), [Deed::AsItWas; 6]);
        assert_eq!(deeds(&profile.uninstall().unwrap()), [Deed::Removed; 6]);
        assert!(!profile.folder().exists());
    }

    #[test]
    fn what_was_there_before_us_stays() {
        let root = tempfile::tempdir().unwrap();
        let profile = profile(root.path());
        let before = profile.dissector().unwrap();
        fs::create_dir_all(before.parent().unwrap()).unwrap();
        fs::write(&before, "-- somebody else's\n").unwrap();
        profile.install().unwrap();
        profile.uninstall().unwrap();
        assert_eq!(fs::read_to_string(&before).unwrap(), "-- somebody else's\n");
    }

    #[test]
    fn a_list_that_names_files_of_others_removes_none() {
        let root = tempfile::tempdir().unwrap();
        let profile = profile(root.path());
        profile.install().unwrap();
        let others = ["secret", "recent", "profiles/pcapsule/mine"].map(|name| root.path().join(name));
        let entries = others.each_ref().map(|path| {
            fs::write(path, "theirs").unwrap();
            Entry { digest: digest(b"theirs"), path: path.clone() }
        });
        fs::write(profile.folder().join(LIST), written(&entries)).unwrap();
        assert_eq!(profile.uninstall().unwrap(), []);
        assert!(others.iter().all(|path| path.exists()));
    }

    #[test]
    fn a_link_in_the_way_is_not_written_through() {
        let root = tempfile::tempdir().unwrap();
        let (other, path) = (root.path().join("other"), root.path().join("preferences"));
        fs::write(&other, "theirs").unwrap();
        let way = root.path().join(format!(".pcapsule.{}", std::process::id()));
        std::os::unix::fs::symlink(&other, &way).unwrap();
        assert!(write(&path, "ours").is_err());
        assert_eq!(fs::read_to_string(&other).unwrap(), "theirs");
        write(&path, "ours").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "ours");
    }

    #[test]
    fn what_an_older_version_wrote_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        let profile = profile(root.path());
        profile.install().unwrap();
        let (path, text) = (profile.folder().join("colorfilters"), "# of an older version\n");
        fs::write(&path, text).unwrap();
        let entries = profile.list().unwrap().into_iter();
        let entries: Vec<Entry> =
            entries
                .map(|entry| {
                    if entry.path == path {
                        Entry { digest: digest(text.as_bytes()), ..entry }
                    } else {
                        entry
                    }
                })
                .collect();
        fs::write(profile.folder().join(LIST), written(&entries)).unwrap();
        assert_eq!(deeds(&profile.install().unwrap())[1], Deed::Written);
        assert_eq!(profile.look().unwrap()[1].1, Condition::Current);
    }
}
