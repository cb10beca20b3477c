//! A plan carried out, step after step, each written down before it is begun; and undone, in reverse, to the end, also
//! where something fails on the way.

use std::collections::BTreeSet;

use crate::sys::OwnCgroup;

use super::{
    holdings::Holdings,
    record::{Error as RecordError, Exclusive, Journal, Record, RunId, State},
    site::{self, Error, Site},
    step::{Share, Step},
};

/// A step that could not be done. What was done before it has been undone.
#[derive(Debug, thiserror::Error)]
#[error("setting up the sandbox (step {number} of {count}: {words})")]
pub struct SetUpError {
    number: usize,
    count: usize,
    words: String,
    source: Box<Error>,
    /// What could not be undone.
    pub faults: Vec<Fault>,
}

impl SetUpError {
    /// Whether nothing is wrong, but somebody wanted it to end.
    pub fn is_wanted(&self) -> bool {
        matches!(*self.source, Error::ToldToEnd)
    }
}

/// What could not be undone.
#[derive(Debug, thiserror::Error)]
#[error("undoing '{step}': {undo}")]
pub struct Fault {
    step: String,
    undo: String,
    source: Error,
}

impl Fault {
    fn of_record(error: RecordError) -> Self {
        let (step, undo) = ("write down the sandbox".to_owned(), "remove the record".to_owned());
        Self { step, undo, source: error.into() }
    }
}

/// Whether somebody wants it to end before it is whole.
pub(super) type IsEnded<'a> = dyn FnMut() -> bool + 'a;

/// Does every step. Gives the shared part back to others as soon as the run's own begins.
pub(super) fn set_up(
    site: &mut Site<'_>,
    exclusive: Exclusive,
    is_ended: &mut IsEnded<'_>,
) -> Result<(), SetUpError> {
    let steps = site.record.steps.clone();
    let mut exclusive = Some(exclusive);
    for (number, step) in steps.iter().enumerate() {
        if step.share() == Share::Own {
            exclusive = None;
        }
        let mut done =
            if is_ended() { Err(Error::ToldToEnd) } else { attempt(site, number, step, exclusive.as_ref()) };
        if number + 1 == steps.len() {
            done = done.and_then(|()| site.settle());
        }
        if let Err(source) = done {
            let faults = take_down(site.state, &site.record, &mut site.holdings, exclusive);
            let number = blamed(&steps, number, &source);
            let (count, words) = (steps.len(), steps[number].to_string());
            return Err(SetUpError { number: number + 1, count, words, source: source.into(), faults });
        }
    }
    Ok(())
}

/// The step that failed: what nft says is about the rules, at whichever later step it is heard.
fn blamed(steps: &[Step], number: usize, error: &Error) -> usize {
    let rules = steps.iter().position(|step| matches!(step, Step::Rules { .. }));
    rules.filter(|_| matches!(error, Error::Nft(_))).unwrap_or(number)
}

fn attempt(
    site: &mut Site<'_>,
    number: usize,
    step: &Step,
    exclusive: Option<&Exclusive>,
) -> Result<(), Error> {
    Journal::open(&site.state.folder(&site.record.id))?.begin(number)?;
    demanded::before(number + 1)?;
    tracing::debug!(number = number + 1, %step, "set up");
    site.execute(step, exclusive)
}

/// Undoes whatever was begun of a run, whose record is kept if not all of it could be undone.
pub(super) fn take_down(
    state: &State,
    record: &Record,
    holdings: &mut Holdings,
    exclusive: Option<Exclusive>,
) -> Vec<Fault> {
    let turn = exclusive.map_or(Turn::NotYet, Turn::Ours);
    let mut undoing = Undoing { state, record, holdings, turn, faults: Vec::new() };
    undoing.all();
    undoing.faults
}

/// The turn to change what is shared.
enum Turn<'a> {
    NotYet,
    Ours(Exclusive),
    Borrowed(&'a Exclusive),
}

impl Turn<'_> {
    fn get(&self) -> Option<&Exclusive> {
        match self {
            Self::NotYet => None,
            Self::Ours(exclusive) => Some(exclusive),
            Self::Borrowed(exclusive) => Some(exclusive),
        }
    }

    fn wait(&mut self, state: &State) -> Result<(), RecordError> {
        if let Self::NotYet = self {
            *self = Self::Ours(state.exclusive()?);
        }
        Ok(())
    }
}

struct Undoing<'a> {
    state: &'a State,
    record: &'a Record,
    holdings: &'a mut Holdings,
    turn: Turn<'a>,
    faults: Vec<Fault>,
}

impl Undoing<'_> {
    fn all(&mut self) {
        let mut begun = self.state.begun(&self.record.id);
        begun.sort_unstable();
        let mut last = Vec::new();
        for number in begun.into_iter().rev() {
            match self.record.steps.get(number) {
                // The kernel takes its time to end rules: they do so while the rest is undone, and are waited for then.
                Some(Step::Rules { .. }) => {
                    self.holdings.begin_end();
                    last.push(number);
                }
                _ => self.one(number),
            }
        }
        for number in last {
            self.one(number);
        }
        let forgotten = self.turn.wait(self.state).and_then(|()| self.forget());
        self.faults.extend(forgotten.err().map(Fault::of_record));
    }

    fn one(&mut self, number: usize) {
        let Some(step) = self.record.steps.get(number) else { return };
        if let Err(source) = self.attempt(number, step) {
            self.faults.push(Fault { step: step.to_string(), undo: step.undo(), source });
        }
    }

    fn attempt(&mut self, number: usize, step: &Step) -> Result<(), Error> {
        // A cable may be the last one in its bridge, and then they go together.
        if step.share() == Share::Shared || matches!(step, Step::Veth { .. }) {
            self.turn.wait(self.state)?;
        }
        tracing::debug!(number = number + 1, undo = step.undo(), "take down");
        site::undo(self.state, self.record, step, self.holdings, self.turn.get())?;
        Ok(Journal::open(&self.state.folder(&self.record.id))?.undone(number)?)
    }

    /// Not while something is left that the record is needed for.
    fn forget(&self) -> Result<(), RecordError> {
        match self.turn.get() {
            Some(exclusive) if self.faults.is_empty() => self.state.forget(&self.record.id, exclusive),
            _ => Ok(()),
        }
    }
}

/// Undoes what dead runs have left: what they were called, and what could not be undone.
pub fn collect(state: &State, exclusive: &Exclusive) -> (Vec<String>, Vec<Fault>) {
    let (mut names, mut faults) = (Vec::new(), Vec::new());
    for id in state.dead() {
        let (name, found) = collect_one(state, &id, exclusive);
        names.push(name);
        faults.extend(found);
    }
    (names, faults)
}

/// Undoes what one dead run has left.
pub fn collect_one(state: &State, id: &RunId, exclusive: &Exclusive) -> (String, Vec<Fault>) {
    let record = match state.read(id) {
        Ok(record) => record,
        Err(error) if error.is_missing() => {
            // It died before it had done anything.
            let _ = state.forget(id, exclusive);
            return (id.to_string(), Vec::new());
        }
        Err(error) => return (id.to_string(), vec![Fault::of_record(error)]),
    };
    let (turn, holdings) = (Turn::Borrowed(exclusive), &mut Holdings::default());
    let mut undoing = Undoing { state, record: &record, holdings, turn, faults: Vec::new() };
    undoing.all();
    (record.name.to_string(), undoing.faults)
}

/// Undoes what is left of runs in namespaces that are no more: what was in those went with them, but cgroups and files did
/// not.
pub fn collect_gone(state: &State, alive: &BTreeSet<u64>) -> Result<Vec<String>, RecordError> {
    let mut names = Vec::new();
    for gone in state.of_gone_hosts(alive) {
        let exclusive = gone.exclusive()?;
        for id in gone.dead() {
            let record = gone.read(&id).ok();
            names.push(record.as_ref().map_or_else(|| id.to_string(), |record| record.name.to_string()));
            if let Ok(cgroup) = OwnCgroup::at(&id.cgroup()) {
                // One that is still in use is not ours to end: its number came again.
                let _ = cgroup.remove();
            }
            gone.forget_all(&id, &exclusive)?;
        }
    }
    Ok(names)
}

/// Failures on demand, for tests of what is left behind; there are none in a release.
mod demanded {
    use super::Error;

    #[cfg(debug_assertions)]
    pub(super) fn before(step: usize) -> Result<(), Error> {
        let demands =
            |variable: &str| std::env::var(variable).is_ok_and(|number| number.parse::<usize>() == Ok(step));
        if demands("PCAPSULE_KILL_BOTH_AT") {
            crate::sys::fork::kill_parent();
        }
        if demands("PCAPSULE_KILL_AT") || demands("PCAPSULE_KILL_BOTH_AT") {
            crate::sys::fork::kill_self();
        }
        if demands("PCAPSULE_FAIL_AT") { Err(Error::Demanded) } else { Ok(()) }
    }

    #[cfg(not(debug_assertions))]
    pub(super) fn before(_step: usize) -> Result<(), Error> {
        Ok(())
    }
}
