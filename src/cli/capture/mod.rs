//! `pcapsule capture`: from words to taps to a savefile or lines, while containers come and go.
//!
//! `setup` turns arguments into options, `groups` finds containers' cgroups, `follow` knows who is listened to, `follower` keeps that in step with the host, `lines` prints packets,
//! `keylog` brings keys, `own_connection` keeps our own stream out,
//! `told` is what stderr hears, `viewer` is Wireshark behind a pipe.

mod events;
mod follow;
mod follower;
mod groups;
mod keylog;
mod lines;
mod own_connection;
mod setup;
mod told;
mod viewer;

use std::{
    fs::File,
    future::{self, Future},
    io::{self, Write},
    net::IpAddr,
    process::ExitCode,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc::UnboundedReceiver, oneshot},
    time::sleep,
};

use crate::capture::{
    Command, Controls, OpenTap, Outcome, Progress, SavefileSink, Session, Sink, SinkError, StopReason,
};
use crate::discovery::Watch;
use crate::model::Selector;
use crate::sys::{self, Capability};

pub(in crate::cli) use self::{
    events::{engine as event_of_engine, mark},
    groups::own_group,
    keylog::{KeyLogPlace, key_log_place},
    setup::{default_reserve, warn_of_readers},
    viewer::Error as ViewerError,
};

use self::{
    follow::Audience,
    follower::Follower,
    keylog::{Homes, KeyLogs},
    lines::LineSink,
    setup::Setup,
    viewer::Viewer,
};
use super::{capture_args::CaptureArgs, exit, look};

/// What opening taps takes, and reading who is who: the rest is given up before anything else happens.
const NEEDED: [Capability; 9] = [
    Capability::CAP_NET_RAW,
    Capability::CAP_NET_ADMIN,
    Capability::CAP_SYS_ADMIN,
    // In place of CAP_SYS_ADMIN for those who have no need to enter namespaces.
    Capability::CAP_BPF,
    Capability::CAP_PERFMON,
    Capability::CAP_SYS_PTRACE,
    Capability::CAP_NET_BROADCAST,
    Capability::CAP_DAC_READ_SEARCH,
    Capability::CAP_DAC_OVERRIDE,
];

/// When what is left takes that long to be written, it is said how to end at once.
const LONG: Duration = Duration::from_secs(2);

/// A further signal within that time is the same one, sent to a whole group of processes, say.
const PATIENCE: Duration = Duration::from_millis(500);

/// Somebody beside a capture, who may ask for more while it runs.
pub(super) struct Company {
    /// Whether it fails where there is nothing to listen on, instead of waiting.
    pub(super) must_hear: bool,
    /// Is told once it runs.
    pub(super) begun: oneshot::Sender<Running>,
    /// What else is to be selected.
    pub(super) wishes: UnboundedReceiver<Vec<Selector>>,
}

impl Company {
    /// Tells it, and takes its wishes.
    fn begin(self, running: &Running) -> UnboundedReceiver<Vec<Selector>> {
        // Whoever does not wait for it has gone.
        let _ = self.begun.send(running.clone());
        self.wishes
    }
}

pub(super) async fn run(args: CaptureArgs) -> anyhow::Result<ExitCode> {
    run_beside(args, None).await
}

/// The same with somebody beside it.
pub(super) async fn run_beside(mut args: CaptureArgs, company: Option<Company>) -> anyhow::Result<ExitCode> {
    // Taken before anything else could be open under that number.
    let ready = args.ready_fd.map(sys::inherited_file).transpose().context("taking --ready-fd")?;
    let viewer = Viewer::wanted_by(&mut args)?;
    // Everything that can be wrong with the words is found before anything is opened.
    let setup = Setup::new(&args)?;
    sys::keep_only(&NEEDED).context("giving up the capabilities that capturing does not need")?;
    sys::netns::raise_open_file_limit()?;

    // Watching begins before looking, so that nothing falls between.
    let engines = look::engines();
    let watch = if args.no_follow { None } else { Some(Watch::start(&engines)?) };
    let homes = Homes::of(&args.save.keylog);
    let mut audience = Audience::new(&setup, engines, homes.clone());
    let first = audience.first().await?;
    if first.is_empty() && company.as_ref().is_some_and(|company| company.must_hear) {
        return Err(audience.nothing_to_hear().into());
    }
    let keys = KeyLogs::open(&args.save.keylog, homes)?;
    let (running, mut ended) = begin(&args, &setup, audience.open(first)?, &audience.names())?;
    if watch.is_none() && company.is_none() {
        sys::keep_only(&[]).context("giving up the remaining capabilities")?;
    }
    // Not before: a FIFO that nobody reads blocks its opening, and then a signal should simply end us.
    let mut signals = Signals::new(viewer)?;
    tell_ready(&args, &audience, ready)?;
    let wishes = company.map(|company| company.begin(&running));
    let Running { controls, progress } = running;
    keys.start(controls.clone());
    let live = told::Live::start(&args, Arc::clone(&progress));
    let follower = Follower::new(watch, audience, controls.clone(), live.voice(), wishes);
    let mut following = Some(Box::pin(follower.run()));
    let mut asked_to_stop: Option<Instant> = None;
    let mut is_told = false;
    let outcome = loop {
        let asked = tokio::select! {
            outcome = &mut ended => break outcome.context("waiting for the capture")?,
            asked = signals.next() => asked,
            () = sleep(LONG), if asked_to_stop.is_some() && !is_told => {
                is_told = true;
                live.voice().tell("what is left is still being written; asking again ends it at once");
                continue;
            }
            // Not begun anew by the other branches: what it has heard of would be lost.
            () = while_wanted(following.as_mut()) => continue,
        };
        match (asked, asked_to_stop) {
            (Asked::Counts, _) => live.voice().counts(&progress),
            (Asked::Flush, _) => controls.send(Command::Flush),
            (Asked::Stop, None) => {
                asked_to_stop = Some(Instant::now());
                // Taps that close would be news to it.
                following = None;
                controls.send(Command::Stop);
            }
            // Asked again: whoever should read our output does not, so it cannot be ended.
            (Asked::Stop, Some(first)) if first.elapsed() > PATIENCE => {
                return Ok(ExitCode::from(exit::INTERRUPTED));
            }
            (Asked::Stop, Some(_)) => {}
        }
    };
    drop(live);
    told::summary(&args, &outcome);
    keys.tell(args.quiet);
    signals.viewer_verdict(&outcome).await?;
    told::verdict(&args, outcome)
}

/// Follows; for ever where nobody does any more.
async fn while_wanted(following: Option<impl Future<Output = ()>>) {
    match following {
        Some(following) => following.await,
        None => future::pending().await,
    }
}

/// Waits until the window is closed; for ever where there is none.
async fn end_of(viewer: Option<&mut Viewer>) {
    match viewer {
        // What cannot be waited for is told at the end.
        Some(viewer) => drop(viewer.ended().await),
        None => future::pending().await,
    }
}

/// A capture on its way.
#[derive(Clone)]
pub(super) struct Running {
    /// To ask it for things.
    pub(super) controls: Controls,
    /// How it goes.
    pub(super) progress: Arc<Progress>,
}

/// Starts a capture into a savefile, or one whose packets are printed.
fn begin(
    args: &CaptureArgs,
    setup: &Setup,
    taps: Vec<OpenTap>,
    names: &[(IpAddr, String)],
) -> anyhow::Result<(Running, oneshot::Receiver<Outcome>)> {
    match &setup.savefile {
        Some(options) => start(SavefileSink::create(options.clone())?, taps, setup, names),
        None => start(LineSink::new(&args.print), taps, setup, names),
    }
}

/// Starts the thread that reads frames: it handles what strangers sent, and so gives up every capability but what
/// making files takes.
fn start<S: Sink + 'static>(
    sink: S,
    taps: Vec<OpenTap>,
    setup: &Setup,
    names: &[(IpAddr, String)],
) -> anyhow::Result<(Running, oneshot::Receiver<Outcome>)> {
    let (mut session, controls) = Session::new(sink, setup.limits, taps).map_err(told::failure)?;
    session.learn(names).map_err(told::failure)?;
    session.wait_for_keys(setup.key_patience());
    let progress = session.progress();
    let (tell, ended) = oneshot::channel();
    let kept = setup.writer_capabilities();
    thread::Builder::new()
        .name("capture".to_owned())
        .spawn(move || {
            // Refused only where there is nothing to give up.
            let _ = sys::keep_only(kept);
            // Nobody waits for it once the program is on its way out.
            let _ = tell.send(session.run());
        })
        .context("starting the capture thread")?;
    Ok((Running { controls, progress }, ended))
}

/// Says that from now on nothing is missed: a line on stderr, and one on the descriptor that was asked for.
fn tell_ready(args: &CaptureArgs, audience: &Audience<'_>, ready: Option<File>) -> anyhow::Result<()> {
    if !args.quiet {
        told::listening(audience);
        if args.verbose {
            told::buffers(audience);
        }
    }
    let Some(mut ready) = ready else { return Ok(()) };
    match ready.write_all(b"ready\n") {
        // Nobody waits for it any more.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("writing to the descriptor of --ready-fd"),
    }
}

/// The signals that a capture answers, and the window that can be closed.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
    counts: tokio::signal::unix::Signal,
    flush: tokio::signal::unix::Signal,
    viewer: Option<Viewer>,
    viewer_has_ended: bool,
}

/// What a signal asks for.
enum Asked {
    /// SIGINT, SIGTERM, SIGHUP; or the window is closed.
    Stop,
    /// SIGUSR1, as in tcpdump.
    Counts,
    /// SIGUSR2, as in tcpdump.
    Flush,
}

impl Signals {
    /// Listens, and lets the window be opened.
    fn new(mut viewer: Option<Viewer>) -> anyhow::Result<Self> {
        viewer.as_mut().map_or(Ok(()), Viewer::start)?;
        let listen = |kind| signal(kind).context("listening for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
            counts: listen(SignalKind::user_defined1())?,
            flush: listen(SignalKind::user_defined2())?,
            viewer,
            viewer_has_ended: false,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.hang_up.recv() => Asked::Stop,
            _ = self.counts.recv() => Asked::Counts,
            _ = self.flush.recv() => Asked::Flush,
            () = end_of(self.viewer.as_mut()), if !self.viewer_has_ended => {
                self.viewer_has_ended = true;
                Asked::Stop
            }
        }
    }

    /// What its end means, where it was the window that ended the capture.
    async fn viewer_verdict(&mut self, outcome: &Outcome) -> anyhow::Result<()> {
        let is_closed = matches!(outcome.reason, StopReason::Sink(SinkError::Closed));
        match &mut self.viewer {
            Some(viewer) if self.viewer_has_ended || is_closed => viewer.verdict().await,
            _ => Ok(()),
        }
    }
}
