//! The run: cell after cell, in each of them rounds over all paths in random order, every turn watched.

use std::{
    process,
    time::{Duration, Instant},
};

use crate::sys::accounting::{MachineCounters, MachineTime};
use crate::sys::placement::{ThreadId, process_cpu_time};
use crate::sys::process_times::ProcessTimes;

use super::endpoint::{self, Measured, Session, Slice, Threads};
use super::environment::Environment;
use super::outcome::{CellOutcome, Outcome, PathOutcome, Sample, ns};
use super::path::{Hop, Lab};
use super::scenario::{Cell, Scenario};
use super::times::{Times, percentile};
use super::{Error, error::in_words, schedule};

/// How far it is.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Progress {
    pub cell: Cell,
    pub turns_done: usize,
    pub turns: usize,
}

/// Measures everything that the lab has, until it is through or somebody wants it to end.
pub fn measure(
    lab: &mut Lab,
    scenario: &Scenario,
    is_cancelled: &dyn Fn() -> bool,
    tell: &mut dyn FnMut(Progress),
) -> Result<Outcome, Error> {
    let mut environment = Environment::look(lab, scenario)?;
    let allowed = environment.cores.clone();
    if lab.hops.is_empty() {
        return Err(Error::NoPaths);
    }
    let turns = scenario.cells.len() * (scenario.rounds + 1) * lab.hops.len();
    let mut run = Run { scenario, allowed: &allowed, is_cancelled, tell, turns, turns_done: 0 };
    let mut cells = Vec::new();
    for (number, cell) in scenario.cells.iter().enumerate() {
        cells.push(run.cell(*cell, number, &mut lab.hops)?);
    }
    environment.look_again();
    Ok(Outcome {
        scenario: scenario.clone(),
        environment,
        cells,
        ways: lab.ways.clone(),
        set_up: lab.set_up.clone(),
        skipped: lab.skipped.clone(),
        partial: is_cancelled(),
    })
}

struct Run<'a> {
    scenario: &'a Scenario,
    allowed: &'a [usize],
    is_cancelled: &'a dyn Fn() -> bool,
    tell: &'a mut dyn FnMut(Progress),
    turns: usize,
    turns_done: usize,
}

/// A path on its turns.
struct Runner<'a> {
    hop: &'a mut Hop,
    outcome: PathOutcome,
}

impl Run<'_> {
    fn cell(&mut self, cell: Cell, number: usize, hops: &mut [Hop]) -> Result<CellOutcome, Error> {
        let (begun, before) = (Instant::now(), ProcessTimes::read().map_err(Error::Times)?);
        let mut runners: Vec<Runner<'_>> = hops.iter_mut().map(Runner::new).collect();
        // The first round warms up: pages, caches, ARP, routes, the flow in the connection table.
        let rounds = self.scenario.rounds + 1;
        let seed = self.scenario.seed.wrapping_add(number as u64);
        for (round, order) in schedule::orders(runners.len(), rounds, seed).into_iter().enumerate() {
            for place in order {
                if (self.is_cancelled)() {
                    continue;
                }
                let taken = self.turn(&mut runners[place], cell)?;
                if round > 0 {
                    runners[place].outcome.keep(taken);
                }
                self.turns_done += 1;
                (self.tell)(Progress { cell, turns_done: self.turns_done, turns: self.turns });
            }
        }
        let paths = runners.into_iter().map(|runner| runner.outcome).collect();
        let elapsed_ns = ns(begun.elapsed());
        let others = before.zip(ProcessTimes::read().map_err(Error::Times)?);
        let others_ns = others.map(|(before, now)| ns(now.spent_by_others(&before, process::id())));
        Ok(CellOutcome { test: cell.test, placement: cell.placement, elapsed_ns, others_ns, paths })
    }

    /// On sockets of its own: how one connection happens to fare (its ports, its memory, what its congestion control has
    /// learnt) would otherwise colour a path in every round, and no interval would show it.
    fn open(&self, hop: &Hop, cell: Cell) -> Result<Box<dyn Session>, Error> {
        let session = endpoint::open(hop, cell, self.scenario, self.allowed)?;
        match session.addresses().and_then(|seen| seen.object_to(hop.claim)) {
            Some(evidence) => Err(Error::WrongWay { path: hop.path, evidence }),
            None => Ok(session),
        }
    }

    /// None once the path has failed; an error is one of ours, not the path's.
    fn turn(&self, runner: &mut Runner<'_>, cell: Cell) -> Result<Option<(Sample, Measured)>, Error> {
        if runner.outcome.failure.is_some() {
            return Ok(None);
        }
        let mut session = match self.open(runner.hop, cell) {
            Ok(session) => session,
            Err(error) => {
                runner.fail(&error);
                return Ok(None);
            }
        };
        for witness in &mut runner.hop.witnesses {
            witness.watch()?;
        }
        let before = Spent::so_far(&session.threads(), runner.hop.proxy)?;
        let begun = Instant::now();
        let slice = Slice::begin(self.scenario.settle, self.scenario.slice);
        let measured = match session.run(slice) {
            Ok(measured) => measured,
            Err(source) => {
                runner.fail(&Error::Transfer { path: runner.hop.path, source });
                return Ok(None);
            }
        };
        let elapsed = begun.elapsed();
        let spent = Spent::so_far(&session.threads(), runner.hop.proxy)?.since(&before);
        for witness in &mut runner.hop.witnesses {
            if let Some(evidence) = witness.objects_to(measured.bytes)? {
                runner.fail(&Error::WrongWay { path: runner.hop.path, evidence });
                return Ok(None);
            }
        }
        let sample = sample(&measured, &spent, elapsed);
        Ok(Some((sample, measured)))
    }
}

impl<'a> Runner<'a> {
    fn new(hop: &'a mut Hop) -> Self {
        let outcome = PathOutcome { path: hop.path, samples: Vec::new(), failure: None, times: None };
        Self { hop, outcome }
    }

    fn fail(&mut self, error: &Error) {
        self.outcome.failure = Some(in_words(error));
    }
}

impl PathOutcome {
    fn keep(&mut self, taken: Option<(Sample, Measured)>) {
        let (sample, measured) = taken.unzip();
        self.samples.push(sample);
        let Some(times) = measured.and_then(|measured| measured.times) else { return };
        match &mut self.times {
            Some(all) => all.add(&times),
            none => *none = Some(Times::new(times)),
        }
    }
}

fn sample(measured: &Measured, spent: &Spent<MachineTime>, elapsed: Duration) -> Sample {
    Sample {
        value: measured.value,
        bytes: measured.bytes,
        operations: measured.operations,
        elapsed_ns: ns(elapsed),
        client_cpu_ns: ns(spent.client),
        server_cpu_ns: ns(spent.server),
        proxy_cpu_ns: ns(spent.proxy),
        softirq_ns: ns(spent.machine.softirq),
        busy_ns: ns(spent.machine.busy),
        steal_ns: ns(spent.machine.steal),
        lost: measured.lost,
        reordered: measured.reordered,
        jitter_ns: measured.jitter.map(ns),
        retransmissions: measured.connection.map(|connection| u64::from(connection.retransmissions)),
        congestion_window: measured.connection.map(|connection| connection.congestion_window),
        tcp_round_trip_ns: measured.connection.map(|connection| u64::from(connection.round_trip_us) * 1000),
        p99_ns: measured.times.as_ref().and_then(|times| percentile(times, 0.99)),
    }
}

/// Time on cores: so far by counters, or between two looks at them.
#[derive(Debug, Clone, Copy)]
struct Spent<Machine> {
    client: Duration,
    server: Duration,
    proxy: Duration,
    machine: Machine,
}

impl Spent<MachineCounters> {
    fn so_far(threads: &Threads, proxy: Option<u32>) -> Result<Self, Error> {
        let all = |ids: &[ThreadId]| -> Result<Duration, Error> {
            ids.iter().try_fold(Duration::ZERO, |sum, id| Ok(sum + id.cpu_time().map_err(Error::Times)?))
        };
        Ok(Self {
            client: all(&threads.client)?,
            server: all(&threads.server)?,
            proxy: proxy.map_or(Ok(Duration::ZERO), process_cpu_time).map_err(Error::Times)?,
            machine: MachineCounters::read().map_err(Error::Times)?,
        })
    }

    fn since(&self, earlier: &Self) -> Spent<MachineTime> {
        Spent {
            client: self.client.saturating_sub(earlier.client),
            server: self.server.saturating_sub(earlier.server),
            proxy: self.proxy.saturating_sub(earlier.proxy),
            machine: self.machine.since(&earlier.machine),
        }
    }
}
