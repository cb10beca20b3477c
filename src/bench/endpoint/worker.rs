//! A thread that lives in a namespace, on a core, and takes its turns when told to.

use std::{
    io,
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use crate::sys::netns::{self, Namespace};
use crate::sys::placement::{ThreadId, stay_on};

use super::{PATIENCE, Slice};

/// Where a thread lives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) namespace: &'a Namespace,
    pub(super) core: Option<usize>,
}

type Life = JoinHandle<Result<io::Result<()>, netns::Error>>;

/// A thread that does what it has to without being told, until its sockets end.
#[derive(Debug)]
pub(super) struct Attendant {
    life: Option<Life>,
    pub(super) id: ThreadId,
}

impl Attendant {
    /// Starts it; it is in its place once this returns.
    pub(super) fn start(
        place: Place<'_>,
        work: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> Result<Self, crate::bench::Error> {
        let (tell, hear) = mpsc::channel();
        let core = place.core;
        let life = place.namespace.inhabit("bench", move || {
            let settled = core.map_or(Ok(()), stay_on);
            let failed = settled.is_err();
            let _ = tell.send(settled.map(|()| ThreadId::current()));
            if failed { Ok(()) } else { work() }
        })?;
        match hear.recv() {
            Ok(id) => Ok(Self { life: Some(life), id: id.map_err(crate::bench::Error::Cores)? }),
            // It did not get into the namespace, and says why.
            Err(_) => Err(match life.join() {
                Ok(Err(error)) => error.into(),
                _ => crate::bench::Error::Cores(io::ErrorKind::BrokenPipe.into()),
            }),
        }
    }

    /// Waits for its end, which something else brings about.
    pub(super) fn join(&mut self) {
        if let Some(life) = self.life.take() {
            // What went wrong was seen by the other end.
            let _ = life.join();
        }
    }
}

/// A thread that waits for its turns, and answers with what each has given.
#[derive(Debug)]
pub(super) struct Worker<A> {
    turns: Option<Sender<Slice>>,
    answers: Receiver<io::Result<A>>,
    attendant: Attendant,
}

impl<A: Send + 'static> Worker<A> {
    /// Starts it; it sleeps until its first turn.
    pub(super) fn start(
        place: Place<'_>,
        mut turn: impl FnMut(Slice) -> io::Result<A> + Send + 'static,
    ) -> Result<Self, crate::bench::Error> {
        let (turns, next) = mpsc::channel();
        let (answer, answers) = mpsc::channel();
        let attendant = Attendant::start(place, move || {
            for slice in next {
                if answer.send(turn(slice)).is_err() {
                    break;
                }
            }
            Ok(())
        })?;
        Ok(Self { turns: Some(turns), answers, attendant })
    }

    pub(super) fn id(&self) -> ThreadId {
        self.attendant.id
    }

    /// Gives it a turn.
    pub(super) fn begin(&self, slice: Slice) -> io::Result<()> {
        let sent = self.turns.as_ref().map(|turns| turns.send(slice));
        if matches!(sent, Some(Ok(()))) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }

    /// Waits for what the turn has given.
    pub(super) fn finish(&self, slice: Slice) -> io::Result<A> {
        let left: Duration = slice.end.saturating_duration_since(Instant::now());
        match self.answers.recv_timeout(left + 2 * PATIENCE) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => Err(io::ErrorKind::TimedOut.into()),
            Err(RecvTimeoutError::Disconnected) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl<A> Drop for Worker<A> {
    fn drop(&mut self) {
        drop(self.turns.take());
        self.attendant.join();
    }
}
