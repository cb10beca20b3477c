//! What is written down of each sandbox, so that nothing needs to be remembered: who keeps it, what it has, and which
//! steps were begun. The records of live keepers are the leases of addresses.
//!
//! `<state>/lock` is held by whoever chooses addresses or changes what sandboxes share. `<state>/<id>/lock` is held by
//! the keeper: a record whose lock can be taken is that of a dead run.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::model::{InterfaceAddress, LinkName, NamespaceId, PublishedPort};
use crate::sys::{FileLock, random_bytes};

use super::{reservation::Forward, spec::Name, step::Step};

/// What can go wrong with what is written down.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Error {
    #[error("making the folder {}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("locking {}", path.display())]
    Lock { path: PathBuf, source: io::Error },
    #[error("reading {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("writing {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("removing {}", path.display())]
    Remove { path: PathBuf, source: io::Error },
    #[error("drawing random numbers")]
    Random(#[source] io::Error),
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
}

/// The folder of one host's records.
#[derive(Debug, Clone)]
pub struct State {
    root: PathBuf,
}

/// One who may choose addresses and change what is shared: nobody else may meanwhile.
#[derive(Debug)]
pub struct Exclusive {
    _lock: FileLock,
}

impl State {
    /// The folder for the sandboxes of that namespace, which is the host to them. Nothing is made yet.
    pub fn of(host: NamespaceId) -> Self {
        Self { root: folder_for(host.inode()) }
    }

    /// Waits for its turn.
    pub fn exclusive(&self) -> Result<Exclusive, Error> {
        loop {
            fs::create_dir_all(&self.root)
                .map_err(|source| Error::Folder { path: self.root.clone(), source })?;
            let path = self.root.join("lock");
            match FileLock::wait(&path) {
                // Whoever was last may have removed it while we waited.
                Ok(lock) if lock.is_at(&path) => return Ok(Exclusive { _lock: lock }),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(Error::Lock { path, source }),
            }
        }
    }

    /// The records of live sandboxes, by name. What cannot be read is left out.
    pub fn live(&self) -> Vec<Record> {
        let ids = self.ids().into_iter().filter(|id| self.is_live(id));
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
        match FileLock::attempt(&path) {
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
        let failed = |source| Error::Read { path: path.clone(), source };
        let text = fs::read(&path).map_err(failed)?;
        serde_json::from_slice(&text).map_err(|error| failed(error.into()))
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

    /// Removes the run's folder, with everything in it, and that of the host after the last one.
    pub fn forget(&self, id: &RunId, _exclusive: &Exclusive) -> Result<(), Error> {
        let path = self.folder(id);
        match fs::remove_dir_all(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(Error::Remove { path, source });
            }
            _ => {}
        }
        if self.ids().is_empty() && !self.root.join("shared.json").exists() {
            // Those who wait for the lock look again whether it is still the one that others take.
            let _ = fs::remove_file(self.root.join("lock"));
            let _ = fs::remove_dir(&self.root);
            let _ = self.root.parent().map(fs::remove_dir);
        }
        Ok(())
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

    fn ids(&self) -> Vec<RunId> {
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
    let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, path));
    written.map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// `/run/pcapsule`; where that may not be written, as in a user namespace of one's own, a place of the user's.
fn folder_for(inode: u64) -> PathBuf {
    let usual = Path::new("/run/pcapsule").join(inode.to_string());
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
