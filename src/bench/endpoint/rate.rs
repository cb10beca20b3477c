//! The highest rate at which datagrams arrive: a search, each probe of which sends at a steady rate and counts what came,
//! in what order and how evenly.

use std::{
    hint, io,
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use socket2::SockRef;

use crate::bench::Error;
use crate::bench::path::{Addresses, Hop};
use crate::bench::scenario::{PROBES, Scenario};
use crate::sys::datagrams::Datagrams;
use crate::sys::placement::sleep_to_the_point;

use super::socket;
use super::worker::{Place, Worker};
use super::{Cores, Measured, Session, Slice, Threads};

/// A rate at which more than one in so many is lost is too high.
const ONE_IN: u64 = 1000;

/// Datagrams a call at most.
const BATCH: usize = 32;

/// Longer than a datagram is under way: then no more will come.
const STRAGGLERS: Duration = Duration::from_millis(10);

/// A number and a time in front of each datagram.
const HEAD: usize = 2 * size_of::<u64>();

const LARGE_BUFFER: usize = 4 << 20;

/// A sender that was kept from its core makes up for this much at most: all of it at once would be another rate.
const MOST_DEBT: Duration = Duration::from_millis(2);

/// As fast as it can.
const FLOOD: u64 = u64::MAX;

/// A sender at a rate, and a receiver.
#[derive(Debug)]
pub(super) struct Search {
    sender: Worker<Sent>,
    receiver: Worker<Heard>,
    rate: Arc<AtomicU64>,
    datagram_bytes: usize,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    count: u64,
    begun: Instant,
    time: Duration,
}

/// What came of one probe.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Heard {
    count: u64,
    reordered: u64,
    jitter_ns: f64,
    last: Option<Instant>,
}

/// What a probe says.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Probe {
    sent: u64,
    /// Datagrams a second that were sent, and that arrived: until the last had, as a queue on the way may give back for a
    /// while what it took too fast.
    sent_rate: f64,
    rate: f64,
    heard: Heard,
}

impl Probe {
    #[expect(clippy::cast_precision_loss, reason = "a rate is no count")]
    fn of(sent: Sent, heard: Heard) -> Self {
        let a_second = |count: u64, time: Duration| count as f64 / time.as_secs_f64().max(1e-9);
        let arriving = heard.last.map(|last| last.saturating_duration_since(sent.begun)).unwrap_or_default();
        Self {
            sent: sent.count,
            sent_rate: a_second(sent.count, sent.time),
            rate: a_second(heard.count, arriving.max(sent.time)),
            heard,
        }
    }

    fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.heard.count)
    }

    fn holds(&self) -> bool {
        self.sent > 0 && self.lost() * ONE_IN < self.sent
    }
}

/// Where to look next. Pure.
#[derive(Debug, Default)]
struct Bounds {
    /// The best that has held.
    best: Option<Probe>,
    /// The highest rate that was sent and has held, and those above it that have not, the lowest last.
    floor: f64,
    ceilings: Vec<f64>,
    /// Whether the lowest of them has failed once more when there was nothing else to try.
    is_sure: bool,
    /// What came through a flood: a guess.
    guess: Option<f64>,
    /// A rate that has failed once: a thread that was kept from its core for a moment is no fault of the rate.
    doubted: Option<f64>,
    /// How often the search went down without having found anything that holds.
    descents: usize,
}

/// Nearer than this nobody can tell.
const NEAR: f64 = 1.03;

impl Bounds {
    /// The rate of the next probe; none once there is nothing left to find.
    fn next(&self) -> Option<f64> {
        if let Some(doubted) = self.doubted {
            return Some(doubted);
        }
        match (self.best, self.ceilings.last().copied()) {
            (None, None) => Some(f64::INFINITY),
            // What holds without a limit is as much as can be sent.
            (Some(_), None) => None,
            (None, Some(ceiling)) => match (self.descents, self.guess) {
                (0, Some(guess)) if guess > 0.0 && guess < ceiling => Some(guess),
                (0 | 1, _) => Some(ceiling * 0.9),
                _ => Some(ceiling / 2.0),
            },
            (Some(_), Some(ceiling)) if ceiling > self.floor * NEAR => Some((self.floor * ceiling).sqrt()),
            (Some(_), Some(ceiling)) => (!self.is_sure).then_some(ceiling),
        }
    }

    fn learn(&mut self, asked: f64, probe: Probe) {
        if probe.holds() {
            self.doubted = None;
            self.floor = self.floor.max(probe.sent_rate);
            // Where the sender was kept from its core, that rate was asked for and not tried.
            self.ceilings.retain(|ceiling| *ceiling > asked || *ceiling > probe.sent_rate * NEAR);
            if self.best.is_none_or(|best| probe.rate > best.rate) {
                self.best = Some(probe);
            }
        } else if asked.is_infinite() {
            self.guess = Some(probe.rate);
            self.ceilings.push(probe.sent_rate);
        } else if self.ceilings.last() == Some(&asked) {
            self.is_sure = true;
        } else if self.doubted.take().is_none() {
            self.doubted = Some(asked);
        } else {
            self.ceilings.push(asked);
            self.descents += 1;
        }
    }
}

impl Search {
    pub(super) fn open(hop: &Hop, scenario: &Scenario, cores: Cores) -> Result<Self, Error> {
        let failed = |source| Error::Prepare { path: hop.path, source };
        let (out, into) = socket::datagrams(hop)?;
        into.set_read_timeout(Some(STRAGGLERS)).map_err(failed)?;
        // As much as the system lets everybody have.
        SockRef::from(&into).set_recv_buffer_size(LARGE_BUFFER).map_err(failed)?;
        let size = scenario.datagram_bytes.max(HEAD);
        let (rate, ended, origin) = (Arc::new(AtomicU64::new(FLOOD)), Arc::default(), Instant::now());
        let (asked, said) = (Arc::clone(&rate), Arc::<AtomicU64>::clone(&ended));
        let waits = Waits::of(cores);
        let mut batch = Datagrams::new(BATCH, size);
        let from = Place { namespace: &hop.client, core: cores.client };
        let sender = Worker::start(from, move |slice| {
            let sent = send(&out, &mut batch, (asked.load(Ordering::Acquire), waits), (slice, origin));
            said.store(1, Ordering::Release);
            sent
        })?;
        let mut batch = Datagrams::new(BATCH, size);
        let to = Place { namespace: &hop.server, core: cores.server };
        let receiver = Worker::start(to, move |slice| {
            let heard = receive(&into, &mut batch, (slice, origin), &ended);
            ended.store(0, Ordering::Release);
            heard
        })?;
        Ok(Self { sender, receiver, rate, datagram_bytes: size })
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate above 0")]
    fn probe(&self, rate: f64, slice: Slice) -> io::Result<Probe> {
        let rate = if rate.is_finite() { rate.max(1.0) as u64 } else { FLOOD };
        self.rate.store(rate, Ordering::Release);
        self.receiver.begin(slice)?;
        self.sender.begin(slice)?;
        let sent = self.sender.finish(slice)?;
        let heard = self.receiver.finish(slice)?;
        Ok(Probe::of(sent, heard))
    }
}

impl Session for Search {
    /// Several probes, each as long as a turn of other tests.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time in ns")]
    fn run(&mut self, slice: Slice) -> io::Result<Measured> {
        let length = slice.end - slice.settled;
        let (mut bounds, mut arrived) = (Bounds::default(), 0);
        for _ in 0..PROBES {
            let Some(rate) = bounds.next() else { break };
            let probe = self.probe(rate, Slice::begin(Duration::ZERO, length))?;
            arrived += probe.heard.count;
            bounds.learn(rate, probe);
        }
        let best = bounds.best;
        Ok(Measured {
            value: best.map_or(0.0, |best| best.rate),
            bytes: arrived * self.datagram_bytes as u64,
            operations: best.map_or(0, |best| best.heard.count),
            lost: best.map(|best| best.lost()),
            reordered: best.map(|best| best.heard.reordered),
            jitter: best.map(|best| Duration::from_nanos(best.heard.jitter_ns as u64)),
            ..Measured::default()
        })
    }

    fn threads(&self) -> Threads {
        Threads { client: vec![self.sender.id()], server: vec![self.receiver.id()] }
    }

    fn addresses(&self) -> Option<Addresses> {
        None
    }
}

/// How the sender waits until the next one is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// Its core is its own.
    Busily,
    /// The receiver needs the core too.
    Asleep,
}

impl Waits {
    fn of(cores: Cores) -> Self {
        let own_core =
            matches!((cores.client, cores.server), (Some(client), Some(server)) if client != server);
        if own_core { Self::Busily } else { Self::Asleep }
    }

    fn wait(self, time: Duration) {
        const SHORTEST_SLEEP: Duration = Duration::from_micros(20);
        /// How late a sleep may end; who sleeps keeps his right to the core if others want it.
        const LATENESS: Duration = Duration::from_micros(25);
        match self {
            Self::Busily if time > 2 * LATENESS => thread::sleep(time.saturating_sub(LATENESS)),
            Self::Busily => hint::spin_loop(),
            Self::Asleep => thread::sleep(time.max(SHORTEST_SLEEP)),
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
#[expect(clippy::cast_precision_loss, reason = "a time times a rate")]
fn send(
    socket: &UdpSocket,
    batch: &mut Datagrams,
    (rate, waits): (u64, Waits),
    (slice, origin): (Slice, Instant),
) -> io::Result<Sent> {
    sleep_to_the_point()?;
    let begun = Instant::now();
    let (mut count, mut next) = (0, begun);
    let interval = Duration::from_secs_f64(1.0 / rate as f64);
    loop {
        let now = Instant::now();
        if now >= slice.end {
            return Ok(Sent { count, begun, time: now - begun });
        }
        if rate != FLOOD && now < next {
            waits.wait(next - now);
            continue;
        }
        next = next.max(now.checked_sub(MOST_DEBT).unwrap_or(now));
        let due = match rate {
            FLOOD => BATCH as u64,
            rate => ((now - next).as_secs_f64() * rate as f64) as u64 + 1,
        };
        let some = usize::try_from(due).unwrap_or(BATCH).min(BATCH);
        let time = (now - origin).as_nanos() as u64;
        for (number, bytes) in (count..).zip(batch.each_mut()).take(some) {
            bytes[..8].copy_from_slice(&number.to_le_bytes());
            bytes[8..HEAD].copy_from_slice(&time.to_le_bytes());
        }
        match batch.send_first(some, socket) {
            // A full queue of the sender: it tries again, and is late.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock || super::datagram::is_full(&error) => {}
            sent => {
                let sent = sent?;
                count += sent as u64;
                next += interval * u32::try_from(sent).unwrap_or(u32::MAX);
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a time in ns")]
fn receive(
    socket: &UdpSocket,
    batch: &mut Datagrams,
    (slice, origin): (Slice, Instant),
    ended: &AtomicU64,
) -> io::Result<Heard> {
    let (mut heard, mut highest, mut transit) = (Heard::default(), None, None);
    loop {
        // Looked at before, so that nothing comes between the last look and the last wait.
        let over = ended.load(Ordering::Acquire) == 1 || Instant::now() > slice.end + super::PATIENCE;
        let got = match batch.receive(socket) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if over {
                    return Ok(heard);
                }
                continue;
            }
            got => got?,
        };
        let arrived = Instant::now();
        heard.last = Some(arrived);
        let now = (arrived - origin).as_nanos() as f64;
        for datagram in batch.received(got) {
            let Some((number, sent)) = head(datagram) else { continue };
            heard.count += 1;
            heard.reordered += u64::from(highest.is_some_and(|highest| number < highest));
            highest = highest.max(Some(number));
            let time = now - sent as f64;
            if let Some(before) = transit.replace(time) {
                heard.jitter_ns = smoothed(heard.jitter_ns, time - before);
            }
        }
    }
}

fn head(datagram: &[u8]) -> Option<(u64, u64)> {
    let (number, rest) = datagram.split_first_chunk()?;
    Some((u64::from_le_bytes(*number), u64::from_le_bytes(*rest.first_chunk()?)))
}

/// The estimate of RFC 3550, section 6.4.1: a sixteenth of each new difference.
fn smoothed(jitter: f64, difference: f64) -> f64 {
    jitter + (difference.abs() - jitter) / 16.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path that loses all beyond a rate, of a sender with a limit.
    fn found(capacity: f64, limit: f64) -> (f64, usize) {
        found_by(capacity, limit, |_| Luck::Good)
    }

    /// What others on the machine do to a probe.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Luck {
        Good,
        /// The receiver was kept from its core until its socket was full.
        Lost,
        /// The sender was, for a third of the time.
        Slow,
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of a test")]
    fn found_by(capacity: f64, limit: f64, luck: impl Fn(usize) -> Luck) -> (f64, usize) {
        let (mut bounds, mut probes) = (Bounds::default(), 0);
        while let Some(rate) = bounds.next().filter(|_| probes < PROBES) {
            probes += 1;
            let luck = luck(probes);
            let sent_rate = rate.min(limit) * if luck == Luck::Slow { 0.67 } else { 1.0 };
            let rate_on_arrival = if luck == Luck::Lost { 0.0 } else { sent_rate.min(capacity) };
            let heard = Heard { count: rate_on_arrival as u64, ..Heard::default() };
            bounds.learn(rate, Probe { sent: sent_rate as u64, sent_rate, rate: rate_on_arrival, heard });
        }
        (bounds.best.map_or(0.0, |best| best.rate), probes)
    }

    #[test]
    fn the_search_ends_just_below_what_a_path_can_take() {
        for (capacity, limit) in [(100_000.0, 300_000.0), (299_000.0, 300_000.0), (20_000.0, 300_000.0)] {
            let (rate, _) = found(capacity, limit);
            assert!((0.96..=1.001).contains(&(rate / capacity)), "{rate} of {capacity}");
        }
        for (others, unlucky) in [
            (Luck::Lost, &[3, 6][..]),
            // A rate that holds has failed twice by that.
            (Luck::Lost, &[4, 5]),
            (Luck::Slow, &[4, 6]),
            (Luck::Slow, &[5, 6, 7]),
        ] {
            let luck = |probe| if unlucky.contains(&probe) { others } else { Luck::Good };
            let (rate, _) = found_by(100_000.0, 300_000.0, luck);
            assert!((0.96..=1.001).contains(&(rate / 100_000.0)), "{rate} with {others:?} at {unlucky:?}");
        }
    }

    /// What a long queue has taken within the probe comes later, and is not what the path can take.
    #[test]
    fn what_waits_in_a_queue_has_not_arrived() {
        let begun = Instant::now();
        let sent = Sent { count: 3000, begun, time: Duration::from_millis(100) };
        let heard =
            |ms| Heard { count: 3000, last: Some(begun + Duration::from_millis(ms)), ..Heard::default() };
        let (late, at_once) = (Probe::of(sent, heard(300)), Probe::of(sent, heard(90)));
        assert!((late.rate - 10_000.0).abs() < 1e-6 && (late.sent_rate - 30_000.0).abs() < 1e-6, "{late:?}");
        assert!(late.holds() && (at_once.rate - 30_000.0).abs() < 1e-6, "{at_once:?}");
    }

    #[test]
    fn what_holds_a_flood_needs_no_search() {
        assert_eq!(found(1e9, 300_000.0), (300_000.0, 1));
    }

    #[test]
    fn one_in_a_thousand_is_too_many() {
        let heard = |count| Heard { count, ..Heard::default() };
        let probe = |sent, count| Probe { sent, sent_rate: 1.0, rate: 1.0, heard: heard(count) };
        assert!(probe(100_000, 99_901).holds() && !probe(100_000, 99_900).holds() && !probe(0, 0).holds());
    }

    #[test]
    fn jitter_follows_the_differences_slowly() {
        assert!((smoothed(0.0, -1600.0) - 100.0).abs() < 1e-9);
        let settled = (0..500).fold(0.0, |jitter, _| smoothed(jitter, 40.0));
        assert!((settled - 40.0).abs() < 0.1);
    }
}
