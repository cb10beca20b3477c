//! The process that keeps a sandbox: has it set up, waits for its end, and undoes everything.

use std::{
    io::{self, Write as _},
    os::{fd::AsFd as _, unix::net::UnixStream},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::sys::fork::{ProcessHandle, Signals, wait_readable};
use crate::sys::nft;
use crate::sys::plumbing::{self, Plumbing};
use crate::sys::{Capability, missing};

use super::{
    apply::{self, Fault, SetUpError},
    facts::{self, Facts, Identity},
    holdings::Holdings,
    infant::Infant,
    plan::{self, Plan},
    publication::Publications,
    record::{self, Record, RunId, State},
    site::{Site, Words},
    spec::{Mode, Spec},
};

/// Why there is no sandbox, or something is left of it.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Error {
    #[error("making a sandbox: not permitted")]
    Lacks(Vec<Capability>),
    #[error(transparent)]
    Plumbing(#[from] plumbing::Error),
    #[error(transparent)]
    Record(#[from] record::Error),
    #[error(transparent)]
    Facts(#[from] facts::Error),
    #[error(transparent)]
    Plan(#[from] plan::Error),
    #[error(transparent)]
    SetUp(#[from] SetUpError),
    #[error(transparent)]
    Nft(#[from] nft::Error),
    #[error("starting the first process")]
    Birth(#[source] io::Error),
    #[error("waiting for the end of the sandbox")]
    Wait(#[source] io::Error),
    #[error("undoing everything: {} of it is left", .0.len())]
    Left(Vec<Fault>),
}

impl Error {
    /// Whether nothing is wrong, but somebody wanted it to end.
    pub fn is_wanted(&self) -> bool {
        matches!(self, Self::SetUp(error) if error.is_wanted())
    }

    /// What could not be undone.
    pub fn left(&self) -> &[Fault] {
        match self {
            Self::SetUp(error) => &error.faults,
            Self::Left(faults) => faults,
            _ => &[],
        }
    }
}

/// How long a sandbox lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// As long as the front, which runs a command in it.
    Command,
    /// Until it is told to end.
    Own,
}

/// What a keeper is to keep.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Commission<'a> {
    pub spec: &'a Spec,
    pub identity: &'a Identity,
    pub state: &'a State,
    pub command: Vec<String>,
    pub life: Life,
    /// Files on names of the container that is joined.
    pub words: Option<Words>,
}

/// The capabilities that a mode takes.
fn rights(mode: &Mode) -> &'static [Capability] {
    match mode {
        Mode::Host => &[],
        Mode::Container(_) => &[Capability::CAP_SYS_ADMIN],
        Mode::None | Mode::Bridge(_) | Mode::Macvlan(_) => {
            &[Capability::CAP_SYS_ADMIN, Capability::CAP_NET_ADMIN]
        }
    }
}

/// Keeps a sandbox from its beginning to its end. `is_ready` hears of it once it is whole; `front` is the line to whoever
/// asked for it, whose end is the sandbox's end if that is how long it lives.
pub fn keep(
    commission: &Commission<'_>,
    infant: &mut Infant,
    mut front: Option<UnixStream>,
    is_ready: impl FnOnce(&Plan) -> io::Result<()>,
) -> Result<(), Error> {
    let signals = Signals::hold().map_err(Error::Wait)?;
    let lacking = missing(rights(&commission.spec.mode));
    if !lacking.is_empty() {
        return Err(Error::Lacks(lacking));
    }
    let state = commission.state;
    let (mut holdings, none) = (Holdings::default(), Publications::default());
    let publications = match &commission.spec.mode {
        Mode::Bridge(bridge) => {
            holdings.start_nft()?;
            &bridge.publications
        }
        _ => &none,
    };
    let mut plumbing = Plumbing::open()?;
    let exclusive = state.exclusive()?;
    let (_, left) = apply::collect(state, &exclusive);
    for fault in &left {
        tracing::warn!(%fault, "a dead run is not undone");
    }
    let facts = Facts::gather(&mut plumbing, state, commission.spec)?;
    let plan = plan::plan(commission.spec, &facts, commission.identity)?;
    let _alive = state.register(&commission.identity.id)?;
    let record = record(commission, &plan, infant.pid());
    let process = record.process;
    let arguments = (plan.gateways.as_slice(), publications);
    let mut site = Site::new(state, record, arguments, infant, (plumbing, holdings));
    site.words.clone_from(&commission.words);
    let life = commission.life;
    apply::set_up(&mut site, exclusive, &mut || is_told_to_end(&signals, front.as_ref(), Life::Command))?;
    if is_ready(&plan).and_then(|()| tell(front.as_mut())).is_ok() {
        wait(&signals, front.as_ref(), life, process).map_err(Error::Wait)?;
    }
    let Site { record, mut holdings, .. } = site;
    let faults = apply::take_down(state, &record, &mut holdings, None);
    if faults.is_empty() { Ok(()) } else { Err(Error::Left(faults)) }
}

fn record(commission: &Commission<'_>, plan: &Plan, process: u32) -> Record {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Record {
        id: commission.identity.id.clone(),
        name: plan.name.clone(),
        mode: plan.mode.clone(),
        keeper: std::process::id(),
        process: Some(process),
        bridge: plan.bridge.clone(),
        addresses: plan.addresses.clone(),
        forwards: Vec::new(),
        cgroup: Some(commission.identity.id.cgroup()),
        command: commission.command.clone(),
        created_ns: u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX),
        steps: plan.steps.clone(),
    }
}

/// The line on which a keeper tells that the sandbox is whole.
pub const READY: &str = "ready\n";

fn tell(front: Option<&mut UnixStream>) -> io::Result<()> {
    front.map_or(Ok(()), |front| front.write_all(READY.as_bytes()))
}

/// Until the front ends, or a signal says so, or the first process of a sandbox that lives on its own ends.
fn wait(signals: &Signals, front: Option<&UnixStream>, life: Life, process: Option<u32>) -> io::Result<()> {
    let process = match (life, process) {
        (Life::Own, Some(pid)) => ProcessHandle::open(pid)?,
        _ => None,
    };
    loop {
        let mut heard = vec![signals.as_fd()];
        heard.extend(front.filter(|_| life == Life::Command).map(UnixStream::as_fd));
        heard.extend(process.as_ref().map(ProcessHandle::as_fd));
        let ready = wait_readable(&heard)?;
        if ready[1..].contains(&true) || is_told_to_end(signals, front, life) {
            return Ok(());
        }
    }
}

/// By a signal; or by the front, which says nothing and only ends.
fn is_told_to_end(signals: &Signals, front: Option<&UnixStream>, life: Life) -> bool {
    const ENDING: [i32; 3] = [1, 2, 15];
    while let Ok(Some(arrival)) = signals.next() {
        if ENDING.contains(&arrival.number) {
            return true;
        }
    }
    let Some(front) = front.filter(|_| life == Life::Command) else { return false };
    let mut byte = [0];
    let ended = front.set_nonblocking(true).and_then(|()| io::Read::read(&mut &*front, &mut byte));
    matches!(ended, Ok(0))
}

/// Undoes what is left of a run whose keeper has died. Whoever comes first does it.
pub fn finish_for(state: &State, id: &RunId) -> Result<Vec<Fault>, record::Error> {
    let exclusive = state.exclusive()?;
    if state.is_live(id) {
        return Ok(Vec::new());
    }
    Ok(apply::collect_one(state, id, &exclusive).1)
}
