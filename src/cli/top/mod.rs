//! `pcapsule top`: what containers send and receive, at every refresh.
//!
//! `subjects` says which containers are measured, `view` where it is shown; `board` is what the terminal shows and
//! `keyboard` who types there.

mod board;
mod keyboard;
mod subjects;
mod view;

use std::{
    collections::HashSet,
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Interval, MissedTickBehavior, interval_at},
};

use crate::discovery::{
    Occurrence, Watch,
    engine::{EngineEvent, Engines, EventKind},
};
use crate::meter::Meter;

use self::{
    subjects::Refusal,
    view::{Frame, Turn, View},
};
use super::args::TopArgs;
use super::{look, terminal};

/// Where something happens all the time, looks are no closer together than that.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn run(args: TopArgs) -> anyhow::Result<ExitCode> {
    let engines = look::engines();
    // Watching begins before looking, so that nothing falls between.
    let mut watch = Watch::start(&engines).context("watching the host")?;
    let mut table = Table::lay(&args, engines).await?;
    let mut signals = Signals::listen()?;
    let mut ticks = ticks(args.delay);
    let mut view = View::open(&args).context("opening the terminal")?;
    table.show(&mut view)?;
    let mut left = if args.once { Some(1) } else { args.iterations.map(u64::from) };
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                table.refresh().await;
                if !view.is_board() {
                    table.say();
                }
                view.count(&table.frame()).context("printing the rates")?;
                left = left.map(|left| left - 1);
                if left == Some(0) {
                    return Ok(ExitCode::SUCCESS);
                }
            }
            stirred = watch.settled() => match stirred {
                Some(heard) => table.stir(heard.iter().map(Stir::from).max().unwrap_or_default()).await,
                None => return Ok(ExitCode::SUCCESS),
            },
            turn = view.turn() => match turn {
                Turn::Redraw => table.show(&mut view)?,
                Turn::Quit => return Ok(ExitCode::SUCCESS),
            },
            () = signals.any() => return Ok(ExitCode::SUCCESS),
            () = terminal::reader_gone() => return Ok(ExitCode::SUCCESS),
        }
    }
}

/// The first tick comes after one delay. Where a refresh took longer, the next one follows a whole delay later.
fn ticks(delay: Duration) -> Interval {
    let mut ticks = interval_at(tokio::time::Instant::now() + delay, delay);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// What makes another look worth while.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stir {
    #[default]
    Nothing,
    /// Links, addresses or namespaces changed, perhaps those of a container.
    Kernel,
    /// A container started or ended.
    Container,
}

impl Stir {
    /// How long after a look it is worth another one. Looking costs a hundredth of the time where containers start and
    /// end all the time, and half of that where it is only links that change, but for the longest pauses.
    fn pause(self, looking: Duration) -> Option<Duration> {
        let (times, longest) = match self {
            Self::Nothing => return None,
            Self::Kernel => (200, 10),
            Self::Container => (100, 5),
        };
        Some((looking * times).clamp(SHORTEST_PAUSE, Duration::from_secs(longest)))
    }
}

impl From<&Occurrence> for Stir {
    fn from(occurrence: &Occurrence) -> Self {
        match occurrence {
            Occurrence::Kernel => Self::Kernel,
            // Health checks and the like: every few seconds in each container.
            Occurrence::Engine(EngineEvent {
                kind: EventKind::Health { .. } | EventKind::Oom | EventKind::Other(_),
                ..
            }) => Self::Nothing,
            Occurrence::Engine(_) | Occurrence::Listening | Occurrence::Gap(_) => Self::Container,
        }
    }
}

/// The containers at hand, and their counters.
struct Table<'a> {
    args: &'a TopArgs,
    engines: Engines,
    meter: Meter,
    host: String,
    warnings: Vec<String>,
    /// What was said on stderr already.
    said: HashSet<String>,
    looked: Instant,
    /// How long that took.
    looking: Duration,
    /// What happened since.
    stirred: Stir,
    time_ns: u64,
}

impl<'a> Table<'a> {
    /// With the first look, whose mistakes are the user's.
    async fn lay(args: &'a TopArgs, engines: Engines) -> anyhow::Result<Self> {
        let mut table = Self {
            args,
            engines,
            meter: Meter::default(),
            host: String::new(),
            warnings: Vec::new(),
            said: HashSet::new(),
            looked: Instant::now(),
            looking: Duration::ZERO,
            stirred: Stir::Nothing,
            time_ns: 0,
        };
        let refusals = table.look(subjects::First::Look).await?;
        table.say();
        if !table.meter.counts_something()
            && let Some(refusal) = refusals.into_iter().next()
        {
            return Err(refusal.into());
        }
        Ok(table)
    }

    /// Finds out anew which containers there are.
    async fn look(&mut self, first: subjects::First) -> anyhow::Result<Vec<Refusal>> {
        let begin = Instant::now();
        let look = look::look(&self.engines).await?;
        let looking = begin.elapsed();
        let found = subjects::subjects(self.args, &look, first)
            .inspect_err(|_| look.topology.warnings.iter().for_each(|warning| terminal::warn(warning)))?;
        let now = Instant::now();
        let faults = self.meter.follow(found.subjects, &look.ground.namespaces, now);
        let refusals: Vec<Refusal> =
            found.refusals.into_iter().chain(faults.into_iter().map(Refusal::from)).collect();
        self.warnings = look.topology.warnings;
        self.warnings.extend(subjects::sentences(&refusals));
        self.host = look.host;
        self.time_ns = look.time_ns;
        (self.looked, self.looking, self.stirred) = (Instant::now(), looking, Stir::Nothing);
        Ok(refusals)
    }

    /// Something happened: new containers are to be counted from their first packets on.
    async fn stir(&mut self, stirred: Stir) {
        self.stirred = self.stirred.max(stirred);
        self.look_if_due().await;
    }

    async fn refresh(&mut self) {
        self.look_if_due().await;
        // What has ended without a word of kernel or engine is looked for at the next refresh.
        if !self.meter.read_again(Instant::now()) {
            self.stirred = Stir::Container;
        }
        self.time_ns = now_ns();
    }

    /// What is counted already goes on being counted, whether or not another look succeeds.
    async fn look_if_due(&mut self) {
        if !self.is_due() {
            return;
        }
        if let Err(error) = self.look(subjects::First::Passed).await {
            self.warnings = vec![format!("the containers are those of an earlier look: {error:#}")];
            self.looked = Instant::now();
        }
    }

    /// Whether it is time to look again.
    fn is_due(&self) -> bool {
        self.stirred.pause(self.looking).is_some_and(|pause| self.looked.elapsed() >= pause)
    }

    /// Says what is new among the warnings; in JSON and on the board they have their own place.
    fn say(&mut self) {
        if self.args.json {
            return;
        }
        for warning in &self.warnings {
            if self.said.insert(warning.clone()) {
                terminal::warn(warning);
            }
        }
    }

    fn frame(&self) -> Frame<'_> {
        Frame {
            containers: self.meter.containers(),
            host: &self.host,
            time_ns: self.time_ns,
            warnings: &self.warnings,
        }
    }

    fn show(&self, view: &mut View) -> anyhow::Result<()> {
        view.show(&self.frame()).context("drawing on the terminal")
    }
}

/// Each ends the command, in order.
struct Signals(Vec<Signal>);

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let kinds =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()];
        let signals = kinds.into_iter().map(signal).collect::<Result<_, _>>();
        signals.map(Self).context("listening for signals")
    }

    async fn any(&mut self) {
        let each = self.0.iter_mut().map(|signal| Box::pin(signal.recv()));
        futures_util::future::select_all(each).await;
    }
}

fn now_ns() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}
