//! The capture loop: one thread, many taps, one sink, frames in the order of time.
//!
//! The rings of several taps hand over their blocks at different moments, so with more than one tap frames are held
//! back (in the ring, uncopied) until no tap can come up with an earlier one.

mod armed;
mod closing;
mod controls;
mod merge;
mod outcome;

use std::{
    net::IpAddr,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, channel},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use crate::model::Frame;
use crate::sys::{self, Poller, Wake};

use self::{
    armed::{Armed, numbered},
    closing::Closing,
    merge::Merge,
};
pub use self::{
    controls::{Command, Controls, Limits, Progress},
    outcome::{Outcome, StopReason, TapOutcome},
};
use super::{
    OpenTap,
    sink::{Settled, Sink, SinkError, TapTotals},
};

/// How much longer than its delay a tap is kept that lets nothing more in: a frame may get its time stamp just after that.
const LINGER: Duration = Duration::from_millis(10);
/// A frame that is so far ahead of the clock bears the time of a clock that was set back since: it is not waited for.
const AHEAD: Duration = Duration::from_millis(100);
/// A turn must end although frames keep coming.
const FRAMES_A_TURN: u64 = 1 << 16;
/// Held-back frames are looked at again after that part of the time that they are held back.
const HELD_BACK_PART: u32 = 4;
/// The same where they are held back for keys. The time is spent asleep, while a ring may fill.
const KEY_PATIENCE_PART: u32 = 100;
/// For so long after a ring was filling up, each block that is handed over is looked at.
const ALERT: Duration = Duration::from_secs(1);
/// Where held-back frames are looked at all the time, descriptors are looked at that often: each that frames have come to
/// costs as much as thirty of them.
const POLL_EVERY: Duration = Duration::from_millis(200);
/// How long a turn may last when nothing happens.
const IDLE_TURN: Duration = Duration::from_millis(500);
const READER: u64 = u64::MAX - 1;

/// A capture that is ready to run.
pub struct Session<S: Sink> {
    poller: Poller,
    commands: Receiver<Command>,
    sink: S,
    limits: Limits,
    /// By their numbers; none in the place of one that has ended.
    taps: Vec<Option<Armed>>,
    outcomes: Vec<TapOutcome>,
    closing: Closing,
    /// By then a frame has come, whatever its tap.
    delay: Duration,
    progress: Arc<Progress>,
    /// How long frames are held back for keys that go before them.
    key_patience: Duration,
    delivered: u64,
    bytes: u64,
    /// How many more frames this turn may deliver.
    left_in_turn: u64,
    /// When descriptors were last looked at.
    polled_at: Instant,
    /// When a ring was last seen to fill up.
    pressed_at: Option<Instant>,
    stopping: Option<StopReason>,
}

/// What a turn has left undelivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// Nothing.
    Nothing,
    /// Frames that others may still precede.
    HeldBack,
    /// Frames for which the turn was too short.
    More,
}

/// Why a run of deliveries was broken off.
enum Break {
    PacketLimit,
    FileFull,
    Sink(SinkError),
}

impl<S: Sink> Session<S> {
    /// A session with these taps; the sink is told of each.
    pub fn new(sink: S, limits: Limits, taps: Vec<OpenTap>) -> Result<(Self, Controls), StopReason> {
        let poller = Poller::new().map_err(StopReason::Wait)?;
        let (commands, receiver) = channel();
        let controls = Controls { commands, waker: poller.waker() };
        if let Some(reader) = sink.reader() {
            // A regular file cannot be polled, and nobody hangs up on it.
            let _ = poller.add_hang_up(reader, READER);
        }
        let mut session = Self {
            poller,
            commands: receiver,
            sink,
            limits,
            taps: Vec::new(),
            outcomes: Vec::new(),
            closing: Closing::default(),
            delay: Duration::ZERO,
            progress: Arc::default(),
            key_patience: Duration::ZERO,
            delivered: 0,
            bytes: 0,
            left_in_turn: FRAMES_A_TURN,
            polled_at: Instant::now(),
            pressed_at: None,
            stopping: None,
        };
        for tap in taps {
            session.arm(tap)?;
        }
        Ok((session, controls))
    }

    /// Tells the sink names before it is given the first frame.
    pub fn learn(&mut self, names: &[(IpAddr, String)]) -> Result<(), StopReason> {
        self.sink.names(names).map_err(StopReason::Sink)
    }

    /// Holds frames back for that long, so that what [`Command::KeyLog`] brings in the meantime goes before them. A
    /// ring that fills up is emptied all the same.
    pub fn wait_for_keys(&mut self, patience: Duration) {
        self.key_patience = patience;
    }

    /// Counts to show while it runs.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Runs until a limit, a stop or a failure. Blocks the thread.
    pub fn run(mut self) -> Outcome {
        let deadline = self.limits.duration.map(|duration| Instant::now() + duration);
        let reason = loop {
            if let Err(reason) = self.turn(deadline) {
                break reason;
            }
            if self.is_over()
                && let Some(reason) = self.stopping.take()
            {
                break reason;
            }
        };
        self.close(reason)
    }

    /// One turn: deliver, flush, wait, obey.
    fn turn(&mut self, deadline: Option<Instant>) -> Result<(), StopReason> {
        let begin = Instant::now();
        let rest = self.deliver()?;
        self.end_taps(begin, rest)?;
        if self.stopping.is_none() {
            self.closing.begin();
        }
        if self.sink.settle(Instant::now()).map_err(StopReason::Sink)? == Settled::RotationDue {
            self.rotate()?;
        }
        self.publish();
        if self.is_over() && (self.stopping.is_some() || self.limits.until_taps_end) {
            self.stopping.get_or_insert(StopReason::TapsEnded);
            return Ok(());
        }
        let failed = self.wait(rest, deadline)?;
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            self.stop(StopReason::Duration);
        }
        self.obey()?;
        self.look_after(&failed)
    }

    /// Returns the keys of the descriptors that failed; readable ones need no answer but the next delivery.
    fn wait(&mut self, rest: Rest, deadline: Option<Instant>) -> Result<Vec<u64>, StopReason> {
        let now = Instant::now();
        let held_back = if self.key_patience.is_zero() {
            self.delay / HELD_BACK_PART
        } else {
            self.key_patience / KEY_PATIENCE_PART
        };
        let ending = self.live().filter_map(|armed| armed.last_call).min();
        let mut at_most = match rest {
            Rest::Nothing => IDLE_TURN,
            Rest::HeldBack => held_back,
            Rest::More => Duration::ZERO,
        };
        for moment in [ending, deadline.filter(|_| self.stopping.is_none())].into_iter().flatten() {
            at_most = at_most.min(moment.saturating_duration_since(now));
        }
        let mut failed = Vec::new();
        let is_alert = self.pressed_at.is_some_and(|moment| now.saturating_duration_since(moment) < ALERT);
        if rest == Rest::HeldBack && !is_alert {
            // Whatever comes in the meantime would be held back as well: it need not wake us.
            thread::sleep(at_most);
            if self.polled_at.elapsed() < POLL_EVERY {
                return Ok(failed);
            }
            at_most = Duration::ZERO;
        }
        self.polled_at = Instant::now();
        let each = |wake| failed.extend(if let Wake::Failed(key) = wake { Some(key) } else { None });
        self.poller.wait(at_most, each).map_err(StopReason::Wait)?;
        Ok(failed)
    }

    fn obey(&mut self) -> Result<(), StopReason> {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Arm(tap) if self.stopping.is_none() => self.arm(*tap)?,
                Command::Arm(_) => {}
                Command::End(key) => self.end(|armed| armed.tap.spec.key() == key),
                Command::Names(names) => self.sink.names(&names).map_err(StopReason::Sink)?,
                Command::KeyLog(lines) => self.sink.key_log(&lines).map_err(StopReason::Sink)?,
                Command::Note(event) => self.sink.event(&event).map_err(StopReason::Sink)?,
                Command::Flush => self.sink.flush().map_err(StopReason::Sink)?,
                Command::Stop => self.stop(StopReason::Asked),
            }
        }
        Ok(())
    }

    fn look_after(&mut self, failed: &[u64]) -> Result<(), StopReason> {
        if failed.contains(&READER) {
            return Err(StopReason::Sink(SinkError::Closed));
        }
        for (number, armed) in numbered(&mut self.taps) {
            armed.went_down |= failed.contains(&(number as u64));
        }
        self.end(|armed| armed.went_down && !armed.tap.source.interface_exists());
        Ok(())
    }

    fn arm(&mut self, tap: OpenTap) -> Result<(), StopReason> {
        let number = self.outcomes.len();
        self.sink.tap(&tap.spec).map_err(StopReason::Sink)?;
        self.poller.add(tap.source.descriptor(), number as u64).map_err(StopReason::Wait)?;
        let watched = tap.source.watched();
        watched.map_or(Ok(()), |fd| self.poller.add_hang_up(fd, number as u64)).map_err(StopReason::Wait)?;
        let totals = TapTotals { start_ns: now_ns(), ..TapTotals::default() };
        let (name, buffer_bytes) = (tap.spec.name.clone(), tap.source.buffer_bytes());
        self.delay = self.delay.max(tap.source.delay());
        self.outcomes.push(TapOutcome { name, totals, buffer_bytes });
        self.taps.push(Some(Armed { tap, totals, last_call: None, went_down: false }));
        Ok(())
    }

    /// Lets nothing more into these taps; what is there will be delivered, in order with what others have.
    fn end(&mut self, which: impl Fn(&Armed) -> bool) {
        let last_call = Instant::now() + self.delay.max(self.key_patience) + LINGER;
        for armed in self.taps.iter_mut().flatten() {
            if armed.last_call.is_none() && which(armed) {
                armed.tap.source.close_gate();
                armed.last_call = Some(last_call);
            }
        }
    }

    fn stop(&mut self, reason: StopReason) {
        if self.stopping.is_some() {
            return;
        }
        self.stopping = Some(reason);
        self.end(|_| true);
        // Once for all of them, where it is sooner than to wait for what they still gather. If one has to be waited for, the
        // frames of the others wait for its.
        let waited = sys::wait_for_grace_period();
        if waited.is_ok() && self.taps.iter_mut().flatten().all(|armed| armed.tap.source.take_over()) {
            let last_call = Instant::now() + self.key_patience;
            for armed in self.taps.iter_mut().flatten() {
                armed.last_call = armed.last_call.min(Some(last_call));
            }
        }
    }

    /// Delivers what can be delivered in order.
    fn deliver(&mut self) -> Result<Rest, StopReason> {
        self.left_in_turn = FRAMES_A_TURN;
        let (horizon, ahead) = self.horizon();
        loop {
            match self.deliver_run(horizon, ahead) {
                ControlFlow::Continue(rest) => return Ok(rest),
                ControlFlow::Break(reason) => self.resume(reason)?,
            }
        }
    }

    /// Does what a broken-off delivery asks for, so that it can go on.
    fn resume(&mut self, reason: Break) -> Result<(), StopReason> {
        match reason {
            Break::PacketLimit => Err(StopReason::Packets),
            Break::Sink(error) => Err(StopReason::Sink(error)),
            Break::FileFull => self.rotate(),
        }
    }

    fn rotate(&mut self) -> Result<(), StopReason> {
        let totals =
            numbered(&mut self.taps).map(|(number, armed)| (number, armed.count())).collect::<Vec<_>>();
        self.sink.rotate(&totals).map_err(StopReason::Sink)
    }

    /// Merges the taps by time: the earliest delivers until the second earliest has its turn.
    fn deliver_run(&mut self, horizon: u64, ahead: u64) -> ControlFlow<Break, Rest> {
        let first = |(number, armed): (usize, &mut Armed)| Some((armed.tap.source.next_time()?, number));
        let mut merge = Merge::new(numbered(&mut self.taps).filter_map(first));
        while let Some((time, number)) = merge.first() {
            if (horizon + 1..ahead).contains(&time) {
                return ControlFlow::Continue(Rest::HeldBack);
            }
            let latest = horizon.max(time);
            let until = merge.second_time().map_or(latest, |next| latest.min(next));
            if let ControlFlow::Break(reason) = self.deliver_tap(number, until) {
                return ControlFlow::Break(reason);
            }
            if self.left_in_turn == 0 {
                return ControlFlow::Continue(Rest::More);
            }
            merge.replace_first(self.next_time(number));
        }
        ControlFlow::Continue(Rest::Nothing)
    }

    fn live(&self) -> impl Iterator<Item = &Armed> {
        self.taps.iter().flatten()
    }

    fn is_over(&self) -> bool {
        self.live().next().is_none()
    }

    fn is_pressed(&self) -> bool {
        self.live().any(|armed| armed.tap.source.is_pressed())
    }

    fn next_time(&mut self, number: usize) -> Option<u64> {
        self.taps.get_mut(number)?.as_mut()?.tap.source.next_time()
    }

    /// Up to which time frames may be delivered because no tap can come up with an earlier one, and from which time on a
    /// frame's time means nothing. Loss is worse than disorder, so a ring that fills up is emptied regardless.
    fn horizon(&mut self) -> (u64, u64) {
        let now = now_ns();
        let has_all_come =
            self.stopping.is_some() && self.live().all(|armed| armed.last_call <= Some(Instant::now()));
        let is_alone = self.live().nth(1).is_none() && self.key_patience.is_zero();
        let horizon = if has_all_come || is_alone {
            u64::MAX - 1
        } else if self.is_pressed() {
            self.pressed_at = Some(Instant::now());
            u64::MAX - 1
        } else {
            now.saturating_sub(nanoseconds(self.delay.max(self.key_patience)))
        };
        (horizon, now.saturating_add(nanoseconds(AHEAD)))
    }

    fn deliver_tap(&mut self, number: usize, until: u64) -> ControlFlow<Break> {
        let Self { taps, sink, delivered, bytes, limits, left_in_turn, .. } = self;
        let Some(Some(Armed { tap, totals, .. })) = taps.get_mut(number) else {
            return ControlFlow::Continue(());
        };
        if sink.is_full() {
            return ControlFlow::Break(Break::FileFull);
        }
        let limit = limits.packets.unwrap_or(u64::MAX) - *delivered;
        let most = limit.min(*left_in_turn);
        let mut left = most;
        let reversed = tap.reverses();
        let mut broken = None;
        let _ = tap.source.drain(until, &mut |frame, lost| {
            let turned;
            let frame = if reversed {
                turned = Frame { direction: frame.direction.reversed(), ..*frame };
                &turned
            } else {
                frame
            };
            if let Err(error) = sink.packet(number, frame, lost) {
                broken = Some(Break::Sink(error));
                return ControlFlow::Break(());
            }
            totals.lost += lost;
            *bytes += frame.len() as u64;
            left -= 1;
            if left == 0 || sink.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let done = most - left;
        totals.delivered += done;
        *delivered += done;
        *left_in_turn -= done;
        if done == limit {
            broken.get_or_insert(Break::PacketLimit);
        }
        broken.map_or(ControlFlow::Continue(()), ControlFlow::Break)
    }

    /// Closes the taps whose last frame must have come, unless the turn was too short for what they have.
    fn end_taps(&mut self, now: Instant, rest: Rest) -> Result<(), StopReason> {
        let is_over = |armed: &Armed| armed.last_call.is_some_and(|moment| moment <= now);
        let over: Vec<usize> =
            numbered(&mut self.taps).filter(|(_, armed)| is_over(armed)).map(|(number, _)| number).collect();
        if over.is_empty() {
            return Ok(());
        }
        // Nobody looks at the descriptors of the last ones any more.
        let are_last = self.stopping.is_some() && over.len() == self.live().count();
        for number in over {
            if rest == Rest::More && self.next_time(number).is_some() {
                continue;
            }
            while self.next_time(number).is_some() {
                // All of it, however long the turn is by now.
                self.left_in_turn = FRAMES_A_TURN;
                if let ControlFlow::Break(reason) = self.deliver_tap(number, u64::MAX) {
                    self.resume(reason)?;
                }
            }
            if !are_last && let Some(Some(armed)) = self.taps.get(number) {
                let _ = self.poller.remove(armed.tap.source.descriptor());
            }
            self.take_tap(number).map_err(StopReason::Sink)?;
        }
        self.delay = self.live().map(|armed| armed.tap.source.delay()).max().unwrap_or_default();
        Ok(())
    }

    /// Takes its last counts and lets it go.
    fn take_tap(&mut self, number: usize) -> Result<(), SinkError> {
        let Some(mut armed) = self.taps.get_mut(number).and_then(Option::take) else { return Ok(()) };
        let totals = armed.count();
        self.outcomes[number].totals = totals;
        self.closing.add(armed.tap);
        self.sink.tap_ended(number, &totals)
    }

    fn publish(&self) {
        let lost = self.outcomes.iter().map(|outcome| outcome.totals.lost).sum::<u64>()
            + self.live().map(|armed| armed.totals.lost).sum::<u64>();
        self.progress.packets.store(self.delivered, Ordering::Relaxed);
        self.progress.bytes.store(self.bytes, Ordering::Relaxed);
        self.progress.lost.store(lost, Ordering::Relaxed);
        self.progress.taps.store(self.live().count(), Ordering::Relaxed);
    }

    /// Whatever the reason, every tap leaves its counts and the file its end.
    fn close(mut self, reason: StopReason) -> Outcome {
        let mut failure = None;
        for number in 0..self.taps.len() {
            failure = self.take_tap(number).err().or(failure);
        }
        self.publish();
        failure = self.sink.finish().err().or(failure);
        self.closing.finish();
        Outcome { reason, taps: self.outcomes, closing: failure, unwritten: self.sink.unwritten() }
    }
}

fn now_ns() -> u64 {
    nanoseconds(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
