//! What is written down of each sandbox, so that nothing needs to be remembered: who keeps it, what it has, and which
//! steps were begun. The records of live keepers are the leases of addresses.
//!
//! `<state>/lock` is held by whoever chooses addresses or changes what sandboxes share. `<state>/<id>/lock` is held by
//! the keeper: a record whose lock can be taken is that of a dead run.

use std::{
    collections::BTreeSet,
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::model::{InterfaceAddress, LinkName, NamespaceId, PublishedPort};
use crate::sys::{FileLock, is_somebody_elses, make_with_parent, random_bytes};

use super::{reservation::Forward, ruleset::Reach, spec::Name, step::Step};

/// What can go wrong with what is written down.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Error {
    #[error("making the folder {}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("using the folder {}: others may change what is in it", path.display())]
    NotOurs { path: PathBuf },
    #[error("locking {}", path.display())]
    Lock { path: PathBuf, source: io::Error },
    #[error("reading {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("understanding {}: another version of pcapsule wrote it, which can undo it", path.display())]
    Foreign { path: PathBuf, source: serde_json::Error },
    #[error("writing {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("removing {}", path.display())]
    Remove { path: PathBuf, source: io::Error },
    #[error("drawing random numbers")]
    Random(#[source] io::Error),
}

impl Error {
    /// Whether there is nothing to read.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Twelve hexadecimal digits that no other run has.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    /// A new one.
    pub fn draw() -> Result<Self, Error> {
        let bytes = random_bytes::<6>().map_err(Error::Random)?;
        let number = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        Ok(Self(format!("{number:012x}")))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What its interface on the host is called.
    ///
    /// # Panics
    /// Never: an id is of twelve plain characters.
    pub fn veth(&self) -> LinkName {
        let digits = self.0.get(..8).unwrap_or(&self.0);
        format!("pc{digits}").parse().expect("it is short and plain")
    }

    /// A group of links that nobody else uses (`ip-link(8)`): 0 is everybody's.
    pub(super) fn group(&self) -> u32 {
        let digits = self.0.get(4..).unwrap_or_default();
        u32::from_str_radix(digits, 16).unwrap_or(u32::MAX).max(1)
    }

    /// What is written at its interface, so that it is known whose it is.
    pub fn alias(&self) -> String {
        format!("pcapsule:{}", self.0)
    }

    /// Its cgroup, below the mount point.
    pub fn cgroup(&self) -> String {
        format!("/pcapsule/{}", self.0)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What is written at a bridge that is made by pcapsule.
pub(super) const BRIDGE_ALIAS: &str = "pcapsule";

/// What is known of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Record {
    pub id: RunId,
    pub name: Name,
    /// The word of `--net`.
    pub mode: String,
    /// The process that undoes it.
    pub keeper: u32,
    /// The first process in it.
    pub process: Option<u32>,
    pub bridge: Option<LinkName>,
    pub addresses: Vec<InterfaceAddress>,
    /// Which port of the host leads to which of the sandbox.
    pub forwards: Vec<Forward>,
    pub cgroup: Option<String>,
    /// What runs in it; none if it outlives commands.
    pub command: Vec<String>,
    /// Nanoseconds since the epoch.
    pub created_ns: u64,
    pub steps: Vec<Step>,
}

impl Record {
    /// The published ports, as listings show them.
    pub fn published(&self) -> Vec<PublishedPort> {
        self.forwards.iter().flat_map(|forward| forward.published()).collect()
    }

    /// Whether it was made without a way out of its bridge.
    pub fn is_internal(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Rules { reach: Reach::Bridge, .. }))
    }

    /// Whether it needs that setting of the host.
    pub(super) fn needs(&self, setting: &str) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::HostSetting { name, .. } if name == setting))
    }
}

/// The folder of one host's records.
#[derive(Debug, Clone)]
pub struct State {
    root: PathBuf,
}

/// One who may choose addresses and change what is shared: nobody else may meanwhile.
#[derive(Debug)]
pub struct Exclusive {
    state: State,
    _lock: FileLock,
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        self.state.remove_if_empty();
    }
}

impl State {
    /// The folder for the sandboxes of that namespace, which is the host to them. Nothing is made yet.
    pub fn of(host: NamespaceId) -> Self {
        Self { root: folder_for(host.inode()) }
    }

    /// Those of namespaces that are no more, beside this one: whoever made sandboxes there was killed with everything in
    /// them. `alive` are the namespaces there are, by their inode numbers.
    pub fn of_gone_hosts(&self, alive: &BTreeSet<u64>) -> Vec<Self> {
        let Some(all) = self.root.parent() else { return Vec::new() };
        let entries = fs::read_dir(all).into_iter().flatten().flatten();
        let is_gone = |inode: &u64| !alive.contains(inode);
        let inodes = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_gone);
        let states = inodes.map(|inode| Self { root: all.join(inode.to_string()) });
        // An inode that nobody has, but with a keeper, is one that could not be seen.
        states.filter(|state| state.root != self.root && state.live().is_empty()).collect()
    }

    /// Waits for its turn.
    pub fn exclusive(&self) -> Result<Exclusive, Error> {
        loop {
            let made = make_with_parent(&self.root);
            if self.is_others() {
                return Err(Error::NotOurs { path: self.root.clone() });
            }
            made.map_err(|source| Error::Folder { path: self.root.clone(), source })?;
            let path = self.root.join("lock");
            match FileLock::wait(&path) {
                // Whoever was last may have removed it while we waited.
                Ok(lock) if lock.is_at(&path) => return Ok(Exclusive { state: self.clone(), _lock: lock }),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(Error::Lock { path, source }),
            }
        }
    }

    /// The records of live sandboxes, by name. What cannot be read is left out.
    pub fn live(&self) -> Vec<Record> {
        self.live_of(self.ids())
    }

    /// Those of all but one, in the same way.
    pub(super) fn others(&self, own: &RunId) -> Vec<Record> {
        self.live_of(self.ids().into_iter().filter(|id| id != own))
    }

    fn live_of(&self, ids: impl IntoIterator<Item = RunId>) -> Vec<Record> {
        let ids = ids.into_iter().filter(|id| self.is_live(id));
        let mut records: Vec<Record> = ids.filter_map(|id| self.read(&id).ok()).collect();
        records.sort_by(|a, b| (&a.name, a.id.as_str()).cmp(&(&b.name, b.id.as_str())));
        records
    }

    /// The runs of which something is written down, but nobody lives who would undo it.
    pub fn dead(&self) -> Vec<RunId> {
        self.ids().into_iter().filter(|id| !self.is_live(id)).collect()
    }

    /// Whether the run's keeper lives.
    pub fn is_live(&self, id: &RunId) -> bool {
        FileLock::is_held(&self.lock_of(id))
    }

    /// Makes the run's folder, and the caller its keeper for as long as it holds the lock.
    pub fn register(&self, id: &RunId) -> Result<FileLock, Error> {
        let folder = self.folder(id);
        fs::create_dir_all(&folder).map_err(|source| Error::Folder { path: folder, source })?;
        let path = self.lock_of(id);
        match FileLock::create(&path) {
            Ok(Some(lock)) => Ok(lock),
            Ok(None) => Err(Error::Lock { path, source: io::ErrorKind::WouldBlock.into() }),
            Err(source) => Err(Error::Lock { path, source }),
        }
    }

    /// Writes the record, whole or not at all.
    pub fn write(&self, record: &Record) -> Result<(), Error> {
        let path = self.folder(&record.id).join("record.json");
        match serde_json::to_vec(record) {
            Ok(text) => replace(&path, &text),
            Err(error) => Err(Error::Write { path, source: error.into() }),
        }
    }

    /// Reads one.
    pub fn read(&self, id: &RunId) -> Result<Record, Error> {
        let path = self.folder(id).join("record.json");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(source) => return Err(Error::Read { path, source }),
        };
        serde_json::from_slice(&text).map_err(|source| Error::Foreign { path, source })
    }

    /// Whether another live sandbox does so. One whose record another version wrote may do anything.
    pub(super) fn any_other(&self, own: &RunId, does_so: impl Fn(&Record) -> bool) -> bool {
        let others = self.ids().into_iter().filter(|id| id != own && self.is_live(id));
        others.map(|id| self.read(&id)).any(|record| match record {
            Ok(record) => does_so(&record),
            Err(error) => matches!(error, Error::Foreign { .. }),
        })
    }

    /// Which steps of the record were begun and not undone since.
    pub fn begun(&self, id: &RunId) -> Vec<usize> {
        let text = fs::read_to_string(self.folder(id).join("journal")).unwrap_or_default();
        let mut begun = Vec::new();
        for line in text.lines() {
            match line.split_once(' ').map(|(word, number)| (word, number.parse::<usize>())) {
                Some(("begin", Ok(number))) => begun.push(number),
                Some(("undone", Ok(number))) => begun.retain(|known| *known != number),
                _ => {}
            }
        }
        begun
    }

    /// As [`forget`](Self::forget), with what its host's sandboxes shared: it is gone with the host.
    pub(super) fn forget_all(&self, id: &RunId, exclusive: &Exclusive) -> Result<(), Error> {
        let path = self.shared();
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::Remove { path, source }),
            _ => self.forget(id, exclusive),
        }
    }

    /// Removes the run's folder, with everything in it, and that of the host after the last one.
    pub fn forget(&self, id: &RunId, _exclusive: &Exclusive) -> Result<(), Error> {
        let path = self.folder(id);
        match fs::remove_dir_all(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(Error::Remove { path, source });
            }
            _ => {}
        }
        self.remove_if_empty();
        Ok(())
    }

    /// To be called by whoever has the lock.
    fn remove_if_empty(&self) {
        if self.ids().is_empty() && !self.root.join("shared.json").exists() {
            // Those who wait for the lock look again whether it is still the one that others take.
            let _ = fs::remove_file(self.root.join("lock"));
            let _ = fs::remove_dir(&self.root);
            let _ = self.root.parent().map(fs::remove_dir);
        }
    }

    /// The folder of a run.
    pub fn folder(&self, id: &RunId) -> PathBuf {
        self.root.join(id.as_str())
    }

    /// Where it is written what sandboxes share.
    pub(super) fn shared(&self) -> PathBuf {
        self.root.join("shared.json")
    }

    fn lock_of(&self, id: &RunId) -> PathBuf {
        self.folder(id).join("lock")
    }

    /// Whether somebody else could have written what is there. `/run` is root's.
    fn is_others(&self) -> bool {
        let around = self.root.parent().filter(|around| *around != Path::new(USUAL));
        around.is_some_and(is_somebody_elses)
    }

    fn ids(&self) -> Vec<RunId> {
        if self.is_others() {
            return Vec::new();
        }
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        let is_id = |name: &String| name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        entries.filter_map(|entry| entry.file_name().into_string().ok()).filter(is_id).map(RunId).collect()
    }
}

/// Which steps were begun, line after line: written before each step, so that nothing is done that is not written.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Opens that of a run, to go on with it.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("journal");
        let file = OpenOptions::new().create(true).append(true).open(&path);
        match file {
            Ok(file) => Ok(Self { file, path }),
            Err(source) => Err(Error::Write { path, source }),
        }
    }

    /// Before a step.
    pub fn begin(&mut self, step: usize) -> Result<(), Error> {
        self.line("begin", step)
    }

    /// After its undo.
    pub fn undone(&mut self, step: usize) -> Result<(), Error> {
        self.line("undone", step)
    }

    fn line(&mut self, word: &str, step: usize) -> Result<(), Error> {
        let line = format!("{word} {step}\n");
        let written = self.file.write_all(line.as_bytes());
        written.map_err(|source| Error::Write { path: self.path.clone(), source })
    }
}

/// Writes a file in one go: readers see the old or the new one.
pub(super) fn replace(path: &Path, text: &[u8]) -> Result<(), Error> {
    let beside = path.with_extension("new");
    let write = |text| {
        // Whatever the umask is: who could write it would tell root what to set back.
        let mut file =
            OpenOptions::new().create(true).truncate(true).write(true).mode(0o644).open(&beside)?;
        file.write_all(text)
    };
    let written = write(text).and_then(|()| fs::rename(&beside, path));
    written.map_err(|source| Error::Write { path: path.to_owned(), source })
}

const USUAL: &str = "/run/pcapsule";

/// `/run/pcapsule`; where that may not be written, as in a user namespace of one's own, a place of the user's.
fn folder_for(inode: u64) -> PathBuf {
    let usual = Path::new(USUAL).join(inode.to_string());
    let nearest = usual.ancestors().find(|folder| folder.exists());
    // Those of root may be read by anybody.
    if usual.exists() || nearest.is_some_and(crate::sys::may_write) {
        return usual;
    }
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|own| crate::sys::may_write(own));
    let own = match own {
        Some(own) => own.join("pcapsule"),
        None => std::env::temp_dir().join(format!("pcapsule-{}", crate::sys::effective_user())),
    };
    own.join(inode.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> (tempfile::TempDir, State) {
        let folder = tempfile::tempdir().unwrap();
        let state = State { root: folder.path().join("pcapsule/4026531840") };
        (folder, state)
    }

    fn record(id: &RunId, name: &str) -> Record {
        Record {
            id: id.clone(),
            name: name.parse().unwrap(),
            mode: "none".to_owned(),
            keeper: 1,
            process: None,
            bridge: None,
            addresses: Vec::new(),
            forwards: Vec::new(),
            cgroup: None,
            command: Vec::new(),
            created_ns: 0,
            steps: Vec::new(),
        }
    }

    #[test]
    fn a_run_lives_as_long_as_its_lock_is_held() {
        let (_folder, state) = state();
        let id = RunId::draw().unwrap();
        let lock = state.register(&id).unwrap();
        state.write(&record(&id, "web")).unwrap();
        assert_eq!(state.live().iter().map(|record| record.name.as_str()).collect::<Vec<_>>(), ["web"]);
        assert!(state.register(&id).is_err(), "two keepers of one run");
        drop(lock);
        assert!(state.live().is_empty());
        assert_eq!(state.dead(), [id]);
    }

    #[test]
    fn the_journal_tells_what_is_begun_and_not_undone() {
        let (_folder, state) = state();
        let id = RunId::draw().unwrap();
        let _lock = state.register(&id).unwrap();
        let mut journal = Journal::open(&state.folder(&id)).unwrap();
        for step in 0..4 {
            journal.begin(step).unwrap();
        }
        journal.undone(3).unwrap();
        journal.undone(1).unwrap();
        assert_eq!(state.begun(&id), [0, 2]);
        // A line that was cut by a death is none.
        fs::write(state.folder(&id).join("journal"), "begin 0\nbegin 1\nbeg").unwrap();
        assert_eq!(state.begun(&id), [0, 1]);
    }

    /// In a folder of everybody's, another user may have been there first.
    #[test]
    fn what_others_could_have_written_is_not_read() {
        let (_folder, state) = state();
        let id = RunId::draw().unwrap();
        let _lock = state.register(&id).unwrap();
        state.write(&record(&id, "web")).unwrap();
        let around = state.root.parent().unwrap();
        fs::set_permissions(around, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        assert!(state.live().is_empty() && state.dead().is_empty());
        assert!(matches!(state.exclusive(), Err(Error::NotOurs { .. })));
    }

    #[test]
    fn the_last_one_leaves_no_folder() {
        let (folder, state) = state();
        let (one, other) = (RunId::draw().unwrap(), RunId::draw().unwrap());
        let locks = [&one, &other].map(|id| state.register(id).unwrap());
        let exclusive = state.exclusive().unwrap();
        state.forget(&one, &exclusive).unwrap();
        assert!(state.root.exists());
        state.forget(&other, &exclusive).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        drop(locks);
        // Who waited for a lock that is gone takes the new one.
        drop(exclusive);
        assert!(state.exclusive().is_ok());
    }

    /// While both versions are there, neither takes away what the other one's sandboxes use.
    #[test]
    fn a_record_of_another_version_is_one_of_somebody_who_needs_everything() {
        let (_folder, state) = state();
        let (own, other) = (RunId::draw().unwrap(), RunId::draw().unwrap());
        let lock = state.register(&other).unwrap();
        assert!(!state.any_other(&own, |_| true), "it has done nothing yet");
        state.write(&record(&other, "web")).unwrap();
        assert!(state.any_other(&own, |record| record.name.as_str() == "web"));
        assert!(!state.any_other(&own, |_| false) && !state.any_other(&other, |_| true));
        fs::write(state.folder(&other).join("record.json"), r#"{"id":"0123456789ab","shape":2}"#).unwrap();
        assert!(state.any_other(&own, |_| false));
        drop(lock);
        assert!(!state.any_other(&own, |_| true));
    }

    #[test]
    fn hosts_that_are_no_more_are_told_from_others() {
        let (_folder, state) = state();
        let beside = |inode: u64| State { root: state.root.with_file_name(inode.to_string()) };
        let id = RunId::draw().unwrap();
        let _alive = beside(3).register(&id).unwrap();
        beside(3).write(&record(&id, "kept")).unwrap();
        for inode in [1, 2] {
            drop(beside(inode).register(&id).unwrap());
        }
        let gone = state.of_gone_hosts(&BTreeSet::from([2]));
        assert_eq!(gone.iter().map(|gone| gone.root.clone()).collect::<Vec<_>>(), [beside(1).root]);
    }

    #[test]
    fn ids_make_names_that_links_can_have() {
        let id = RunId("4f2a9b01c3d4".to_owned());
        assert_eq!(id.veth().as_str(), "pc4f2a9b01");
        assert_eq!(
            (id.alias().as_str(), id.cgroup().as_str()),
            ("pcapsule:4f2a9b01c3d4", "/pcapsule/4f2a9b01c3d4")
        );
        assert_eq!(id.group(), 0x9b01_c3d4);
        assert_eq!(RunId("000000000000".to_owned()).group(), 1);
    }
}
