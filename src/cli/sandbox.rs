//! What `run` and `net up` have in common: who the sandbox is, whose namespace it joins, and its keeper.

use std::{
    io::{self, Read as _},
    os::{fd::AsFd as _, unix::net::UnixStream},
    path::Path,
};

use anyhow::Context as _;

use crate::model::{Container, Selector};
use crate::netmode::{
    self, Commission, Fault, Identity, Infant, Inside, Life, Mode, Name, Plan, RunId, Spec, State, Words,
};
use crate::report;
use crate::sys::fork::{self, Child, End, Orphan};
use crate::sys::netns::Namespace;
use crate::sys::read_inside;

use super::exit;
use super::failure::Failure;
use super::look;
use super::run::wait_for;
use super::select::{self, Ended};
use super::terminal;

/// A sandbox that is about to be.
pub(super) struct Draft {
    pub(super) spec: Spec,
    pub(super) identity: Identity,
    pub(super) state: State,
    /// Files on names of the container that is joined.
    pub(super) words: Option<Words>,
}

impl Draft {
    /// Gives it an id, and a name if it has none. `about` is what a made up name begins with.
    pub(super) fn new(spec: Spec, about: &str) -> anyhow::Result<Self> {
        let id = RunId::draw()?;
        let name = spec.name.clone().unwrap_or_else(|| Name::made_up(about, id.as_str()));
        let state = state()?;
        Ok(Self { spec, identity: Identity { id, name }, state, words: None })
    }

    /// Where its first process lives. Finds the container to be joined.
    pub(super) fn inside(&mut self) -> anyhow::Result<Inside> {
        match &self.spec.mode {
            Mode::Host => Ok(Inside::Host),
            Mode::None | Mode::Bridge(_) | Mode::Macvlan(_) => Ok(Inside::New),
            Mode::Container(target) => {
                let (namespace, words) = join(target)?;
                self.words = Some(words);
                Ok(Inside::Joined(namespace))
            }
        }
    }

    /// Whether there is somebody to join, if it is to join one.
    pub(super) fn check_target(&self) -> anyhow::Result<()> {
        match &self.spec.mode {
            Mode::Container(target) => wait_for(find(target)).map(drop),
            _ => Ok(()),
        }
    }

    /// What a killed keeper could not do any more is done for it.
    pub(super) fn undo_for(&self, keeper: End) -> anyhow::Result<()> {
        if let End::Killed(signal) = keeper {
            terminal::complain(&format!(
                "the keeper was killed by signal {signal}; undoing everything for it"
            ));
            tell_faults(&netmode::finish_for(&self.state, &self.identity.id)?);
        }
        Ok(())
    }

    /// What its keeper has to do.
    pub(super) fn commission(&self, command: Vec<String>, life: Life) -> Commission<'_> {
        Commission {
            spec: &self.spec,
            identity: &self.identity,
            state: &self.state,
            command,
            life,
            words: self.words.clone(),
        }
    }
}

/// The records of the host that we are on.
pub(super) fn state() -> anyhow::Result<State> {
    Ok(State::of(Namespace::current()?.id()))
}

/// A process that keeps a sandbox, and the line to it: when ours ends, so does a sandbox that lives as long as a command.
pub(super) struct Keeper {
    pub(super) child: Child,
    pub(super) line: UnixStream,
}

impl Keeper {
    /// Forks it. It does `work` in a session of its own, tells what goes wrong itself, and ends with the exit code of that.
    pub(super) fn fork(
        work: impl FnOnce(UnixStream) -> Result<(), netmode::KeeperError>,
    ) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let parents = ours.as_fd();
        let child = fork::child(Orphan::Lives, move || {
            fork::close_in_child(parents);
            // Signals of the terminal are for the command.
            let _ = fork::leave_terminal();
            fork::let_everybody_read();
            match work(theirs) {
                Ok(()) => 0,
                Err(error) if error.is_wanted() => {
                    tell_faults(error.left());
                    exit::FAULT
                }
                Err(error) => {
                    let error = anyhow::Error::from(error);
                    let code = Failure::of(&error).tell();
                    tell_faults(error.downcast_ref().map_or(&[], netmode::KeeperError::left));
                    code
                }
            }
        })?;
        Ok(Self { child, line: ours })
    }

    /// Reads what it says; whether that is that the sandbox is whole. If it says nothing, it is about to end.
    pub(super) fn says_ready(&mut self) -> bool {
        let mut said = [0; netmode::READY.len()];
        self.line.read_exact(&mut said).is_ok()
    }

    /// Waits for its end.
    pub(super) fn wait(&mut self) -> io::Result<End> {
        self.child.wait()
    }
}

/// Tells where it is, as far as others can reach it.
pub(super) fn tell_where(draft: &Draft) {
    let Ok(record) = draft.state.read(&draft.identity.id) else { return };
    if record.addresses.is_empty() {
        return;
    }
    let addresses: Vec<String> = record.addresses.iter().map(ToString::to_string).collect();
    let bridge = record.bridge.as_ref().map(|bridge| format!(" on {bridge}")).unwrap_or_default();
    let ports = report::published(&record.published());
    let ports = if ports.is_empty() { ports } else { format!(", {ports}") };
    terminal::tell(&format!("{} is {}{bridge}{ports}", record.name, addresses.join(", ")));
}

/// Tells what could not be undone.
pub(super) fn tell_faults(faults: &[Fault]) {
    for fault in faults {
        let chain = std::iter::successors(Some(fault as &dyn std::error::Error), |error| error.source());
        let causes: Vec<String> = chain.map(ToString::to_string).collect();
        terminal::complain(&format!("failed {}", causes.join(": ")));
    }
}

/// Tells what the user should know.
pub(super) fn warn_of<'a>(notes: impl IntoIterator<Item = &'a String>) {
    for note in notes {
        terminal::warn(note);
    }
}

/// Keeps it, in the keeper's process.
pub(super) fn keep(
    commission: &Commission<'_>,
    infant: &mut Infant,
    line: UnixStream,
    is_ready: impl FnOnce(&Plan) -> io::Result<()>,
) -> Result<(), netmode::KeeperError> {
    netmode::keep(commission, infant, Some(line), is_ready)
}

/// The namespace of a container, and its files on names where they can be read.
fn join(name: &str) -> anyhow::Result<(Namespace, Words)> {
    let container = wait_for(find(name))?;
    let namespace = match (container.pid, container.namespace_paths.first()) {
        (Some(pid), _) => Namespace::of_process(pid)?,
        (None, Some(path)) => Namespace::open(Path::new(path))?,
        (None, None) => anyhow::bail!("joining {name}: it has neither a process nor a mount"),
    };
    // Its number may be another process's by now.
    let is_its_own = container.namespace.is_none_or(|seen| seen == namespace.id());
    anyhow::ensure!(is_its_own, "joining {name}: it has just ended");
    let read = |path| container.pid.and_then(|pid| read_inside(pid, Path::new(path)).ok());
    let words = Words { hosts: read("/etc/hosts"), resolv_conf: read("/etc/resolv.conf") };
    Ok((namespace, words))
}

/// The one container that is meant; of several in one namespace, the first.
async fn find(name: &str) -> anyhow::Result<Container> {
    let look = look::look(&look::engines()).await?;
    let selector: Selector = select::selector(name).map_err(anyhow::Error::msg)?;
    let selection = select::select(&look.topology, &[selector], Ended::Excluded, look::namespace_of)?;
    let containers = selection.without_cgroups()?.containers;
    let first: &Container = containers.first().copied().context("finding the container to join")?;
    let names: Vec<&str> = containers.iter().map(|container| container.name.as_str()).collect();
    let is_one = containers.iter().all(|container| container.namespace == first.namespace);
    anyhow::ensure!(is_one, "joining {name}: several are called so, {}; one can be joined", names.join(", "));
    Ok(first.clone())
}
