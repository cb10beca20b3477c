//! `--keylog`: TLS key logs on the host and in containers, followed on a thread of their own while a capture runs.
//!
//! The thread has the rights of the user and no more: a program that was given capabilities to capture does not read for
//! its user what the user may not read. Only into a container it may look (`CAP_SYS_PTRACE`).

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use anyhow::Context as _;

use crate::capture::{Command, Controls, KeyLog};
use crate::cli::{look, select, terminal};
use crate::discovery::Topology;
use crate::model::Selector;
use crate::sys::{self, Capability};

/// How long packets are held back for their keys: an endpoint logs a key when it has received the packet before the
/// first that needs it, or sends that very one.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// How often files are looked at: often enough for the key to be known long before the packet has waited its time.
const BEAT: Duration = Duration::from_millis(20);
/// So many beats a file that is open keeps its name without being looked up again.
const BEATS_A_NAME: u32 = 5;

/// Where a key log is: `/tmp/keys`, or `web:/tmp/keys` in a container.
#[derive(Debug, Clone)]
pub(in crate::cli) struct KeyLogPlace {
    container: Option<Selector>,
    path: PathBuf,
}

/// A place as it is typed.
pub(in crate::cli) fn key_log_place(text: &str) -> Result<KeyLogPlace, String> {
    if text.is_empty() {
        return Err("an empty word is no file".to_owned());
    }
    let Some(colon) = text.find(":/").filter(|_| !text.starts_with(['/', '.'])) else {
        return Ok(KeyLogPlace { container: None, path: text.into() });
    };
    let container = select::selector(&text[..colon])?;
    if container.is_interface() || matches!(container, Selector::Cgroup(_)) {
        return Err(format!("{container} is no container, so there is no file in it"));
    }
    Ok(KeyLogPlace { container: Some(container), path: text[colon + 1..].into() })
}

impl fmt::Display for KeyLogPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.container {
            Some(container) => write!(f, "{container}:{}", self.path.display()),
            None => write!(f, "{}", self.path.display()),
        }
    }
}

/// The containers that the places name, by id, each with its first process; kept up to date by whoever looks at the host.
#[derive(Debug, Clone, Default)]
pub(super) struct Homes(Arc<Mutex<Vec<Home>>>);

#[derive(Debug, Default, Clone)]
struct Home {
    container: Option<Selector>,
    processes: BTreeMap<String, u32>,
}

impl Homes {
    pub(super) fn of(places: &[KeyLogPlace]) -> Self {
        let home =
            |place: &KeyLogPlace| Home { container: place.container.clone(), processes: BTreeMap::new() };
        Self(Arc::new(Mutex::new(places.iter().map(home).collect())))
    }

    /// At first, a word that names nothing is a mistake. From then on it means what it means now.
    pub(super) fn settle(
        &self,
        topology: &Topology,
        ended: select::Ended,
        pinned: impl Fn(&Selector) -> Selector,
        may_come: impl Fn(&select::Error) -> bool,
    ) -> Result<(), select::Error> {
        for home in self.locked().iter_mut() {
            let Some(selector) = &mut home.container else { continue };
            match select::select(topology, std::slice::from_ref(selector), ended, look::namespace_of) {
                Err(error) if !may_come(&error) => return Err(error),
                _ => *selector = pinned(selector),
            }
        }
        self.update(topology);
        Ok(())
    }

    /// Another look at the host.
    pub(super) fn update(&self, topology: &Topology) {
        for home in self.locked().iter_mut() {
            let Some(selector) = &home.container else { continue };
            let here = topology.containers.iter().filter(|container| selector.matches(container));
            home.processes =
                here.filter_map(|container| Some((container.id.clone(), container.pid?))).collect();
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Vec<Home>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Key logs that are followed.
pub(super) struct KeyLogs {
    places: Vec<KeyLogPlace>,
    /// None where nothing is followed.
    start: Option<Sender<Controls>>,
    keys: Arc<AtomicU64>,
}

impl KeyLogs {
    /// Takes note of what the files hold by now, which is passed over. To be called before the first tap is open.
    pub(super) fn open(places: &[KeyLogPlace], homes: Homes) -> anyhow::Result<Self> {
        if places.is_empty() {
            return Ok(Self { places: Vec::new(), start: None, keys: Arc::default() });
        }
        let sources = places.iter().map(Source::new).collect();
        let (start, started) = channel();
        let (tell, told) = channel();
        let keys = Arc::new(AtomicU64::new(0));
        let mut reader = Reader { sources, homes, keys: Arc::clone(&keys) };
        thread::Builder::new()
            .name("keylog".to_owned())
            .spawn(move || {
                // Refused only where there is nothing to give up.
                let _ = sys::keep_only(rights());
                let _ = tell.send(reader.skip_present());
                reader.follow(&started);
            })
            .context("starting to follow key logs")?;
        told.recv().context("starting to follow key logs")??;
        Ok(Self { places: places.to_vec(), start: Some(start), keys })
    }

    /// From now on what comes up goes to the capture.
    pub(super) fn start(&self, controls: Controls) {
        if let Some(start) = &self.start {
            // It waits for nothing else.
            let _ = start.send(controls);
        }
    }

    /// Says what came of it.
    pub(super) fn tell(&self, is_quiet: bool) {
        if self.places.is_empty() {
            return;
        }
        let places: Vec<String> = self.places.iter().map(ToString::to_string).collect();
        match self.keys.load(Ordering::Relaxed) {
            0 => terminal::warn(&format!("no key came up in {}: TLS stays encrypted", places.join(", "))),
            keys if !is_quiet => terminal::tell(&format!("{keys} TLS keys from {}", places.join(", "))),
            _ => {}
        }
    }
}

/// What the reading thread keeps. Root is the user who may read everything.
fn rights() -> &'static [Capability] {
    if sys::effective_user() == 0 {
        &[Capability::CAP_SYS_PTRACE, Capability::CAP_DAC_READ_SEARCH]
    } else {
        &[Capability::CAP_SYS_PTRACE]
    }
}

/// The thread that reads.
struct Reader {
    sources: Vec<Source>,
    homes: Homes,
    keys: Arc<AtomicU64>,
}

/// One place; in containers, a file in each.
struct Source {
    place: KeyLogPlace,
    logs: BTreeMap<String, KeyLog>,
    /// The last trouble with it, told once.
    told: Option<String>,
}

impl Source {
    fn new(place: &KeyLogPlace) -> Self {
        let mut logs = BTreeMap::new();
        if place.container.is_none() {
            logs.insert(String::new(), KeyLog::default());
        }
        Self { place: place.clone(), logs, told: None }
    }

    fn skip_present(&mut self, home: &Home) -> io::Result<()> {
        for id in home.processes.keys() {
            self.logs.entry(id.clone()).or_default();
        }
        for (id, log) in &mut self.logs {
            log.skip_present(opened(&self.place.path, home.processes.get(id).copied()))?;
        }
        Ok(())
    }

    fn read(&mut self, home: &Home, looks_up_names: bool, keys: &mut Vec<u8>) {
        for id in home.processes.keys() {
            self.logs.entry(id.clone()).or_default();
        }
        let is_inside = self.place.container.is_some();
        for (id, log) in &mut self.logs {
            let process = home.processes.get(id).copied();
            let has_ended = is_inside && process.is_none();
            let looks_up = !has_ended && (looks_up_names || !log.is_open());
            let file = looks_up.then(|| opened(&self.place.path, process));
            if let Err(error) = log.read(file, keys) {
                let text = format!("reading keys from {}: {error}", self.place);
                if self.told.as_ref() != Some(&text) {
                    terminal::warn(&text);
                    self.told = Some(text);
                }
            }
            if has_ended {
                // What is held open in a container that has ended would keep its file system.
                log.close();
            }
        }
    }
}

/// The file of that path, as it is on the host or for that process.
fn opened(path: &Path, process: Option<u32>) -> io::Result<File> {
    process.map_or_else(|| sys::open_plain(path), |pid| sys::open_inside(pid, path))
}

impl Reader {
    fn skip_present(&mut self) -> anyhow::Result<()> {
        let homes = self.homes.locked().clone();
        for (source, home) in self.sources.iter_mut().zip(&homes) {
            source.skip_present(home).with_context(|| format!("opening the key log {}", source.place))?;
        }
        Ok(())
    }

    /// Follows for ever, once the capture runs.
    fn follow(&mut self, started: &Receiver<Controls>) {
        let Ok(controls) = started.recv() else { return };
        for beat in 0_u32.. {
            let homes = self.homes.locked().clone();
            let mut keys = Vec::new();
            for (source, home) in self.sources.iter_mut().zip(&homes) {
                source.read(home, beat.is_multiple_of(BEATS_A_NAME), &mut keys);
            }
            if !keys.is_empty() {
                let lines = keys.split(|byte| *byte == b'\n').count() as u64 - 1;
                self.keys.fetch_add(lines, Ordering::Relaxed);
                controls.send(Command::KeyLog(keys));
            }
            thread::sleep(BEAT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_path_or_one_in_a_container() {
        let place = |text: &str| {
            let KeyLogPlace { container, path } = key_log_place(text)?;
            Ok::<_, String>((container.map(|container| container.to_string()), path.display().to_string()))
        };
        for (text, container, path) in [
            ("/tmp/keys", None, "/tmp/keys"),
            ("keys", None, "keys"),
            ("a:b", None, "a:b"),
            ("./a:/b", None, "./a:/b"),
            ("/a:/b", None, "/a:/b"),
            ("web:/tmp/keys", Some("web"), "/tmp/keys"),
            ("service=web:/tmp/a:/b", Some("service=web"), "/tmp/a:/b"),
        ] {
            assert_eq!(place(text), Ok((container.map(str::to_owned), path.to_owned())), "{text}");
        }
        for text in ["", "if=eth0:/tmp/keys", "cgroup=x:/tmp/keys", "nonsense=web:/tmp/keys"] {
            assert!(place(text).is_err(), "{text}");
        }
    }
}
