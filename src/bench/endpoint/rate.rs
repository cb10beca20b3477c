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
    time: Duration,
}

/// What came of one probe.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Heard {
    count: u64,
    reordered: u64,
    jitter_ns: f64,
}

/// What a probe says.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Probe {
    sent: u64,
    /// Datagrams a second that were sent.
    sent_rate: f64,
    heard: Heard,
}

impl Probe {
    fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.heard.count)
    }

    fn holds(&self) -> bool {
        self.sent > 0 && self.lost() * ONE_IN < self.sent
    }

    /// Datagrams a second that arrived.
    #[expect(clippy::cast_precision_loss, reason = "a rate is no count")]
    fn arrival_rate(&self) -> f64 {
        if self.sent == 0 { 0.0 } else { self.sent_rate * (self.heard.count as f64 / self.sent as f64) }
    }
}

/// Where to look next. Pure.
#[derive(Debug, Default)]
struct Bounds {
    /// The best that has held.
    best: Option<Probe>,
    /// The lowest rate that has not.
    ceiling: Option<f64>,
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
        match (self.best, self.ceiling) {
            (None, None) => Some(f64::INFINITY),
            // What holds without a limit is as much as can be sent.
            (Some(_), None) => None,
            (None, Some(ceiling)) => match (self.descents, self.guess) {
                (0, Some(guess)) if guess > 0.0 && guess < ceiling => Some(guess),
                (0 | 1, _) => Some(ceiling * 0.9),
                _ => Some(ceiling / 2.0),
            },
            (Some(best), Some(ceiling)) => {
                (ceiling > best.sent_rate * NEAR).then(|| (best.sent_rate * ceiling).sqrt())
            }
        }
    }

    fn learn(&mut self, asked: f64, probe: Probe) {
        if probe.holds() {
            self.doubted = None;
            if self.best.is_none_or(|best| probe.sent_rate > best.sent_rate) {
                self.best = Some(probe);
            }
        } else if asked.is_infinite() {
            (self.guess, self.ceiling) = (Some(probe.arrival_rate()), Some(probe.sent_rate));
        } else if self.doubted.take().is_none() {
            self.doubted = Some(asked);
        } else {
            self.ceiling = Some(self.ceiling.map_or(asked, |ceiling| ceiling.min(asked)));
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
    #[expect(clippy::cast_precision_loss, reason = "a rate is no count")]
    fn probe(&self, rate: f64, slice: Slice) -> io::Result<Probe> {
        let rate = if rate.is_finite() { rate.max(1.0) as u64 } else { FLOOD };
        self.rate.store(rate, Ordering::Release);
        self.receiver.begin(slice)?;
        self.sender.begin(slice)?;
        let sent = self.sender.finish(slice)?;
        let heard = self.receiver.finish(slice)?;
        let sent_rate = sent.count as f64 / sent.time.as_secs_f64().max(1e-9);
        Ok(Probe { sent: sent.count, sent_rate, heard })
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
            value: best.map_or(0.0, |best| best.arrival_rate()),
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
        const LATENESS: Duration = Duration::from_micros(100);
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
    let begun = Instant::now();
    let (mut count, mut next) = (0, begun);
    let interval = Duration::from_secs_f64(1.0 / rate as f64);
    loop {
        let now = Instant::now();
        if now >= slice.end {
            return Ok(Sent { count, time: now - begun });
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
        let now = origin.elapsed().as_nanos() as f64;
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
        found_by(capacity, limit, |_| false)
    }

    /// Some probes fail by chance.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of a test")]
    fn found_by(capacity: f64, limit: f64, fails: impl Fn(usize) -> bool) -> (f64, usize) {
        let (mut bounds, mut probes) = (Bounds::default(), 0);
        while let Some(rate) = bounds.next().filter(|_| probes < PROBES) {
            probes += 1;
            let sent_rate = rate.min(limit);
            let arrived = if fails(probes) { 0.0 } else { sent_rate.min(capacity) };
            let heard = Heard { count: arrived as u64, ..Heard::default() };
            bounds.learn(rate, Probe { sent: sent_rate as u64, sent_rate, heard });
        }
        (bounds.best.map_or(0.0, |best| best.sent_rate), probes)
    }

    #[test]
    fn the_search_ends_just_below_what_a_path_can_take() {
        for (capacity, limit) in [(100_000.0, 300_000.0), (299_000.0, 300_000.0), (20_000.0, 300_000.0)] {
            let (rate, _) = found(capacity, limit);
            assert!((0.96..=1.001).contains(&(rate / capacity)), "{rate} of {capacity}");
        }
        let (rate, _) = found_by(100_000.0, 300_000.0, |probe| probe == 3 || probe == 6);
        assert!((0.96..=1.001).contains(&(rate / 100_000.0)), "{rate}");
    }

    #[test]
    fn what_holds_a_flood_needs_no_search() {
        assert_eq!(found(1e9, 300_000.0), (300_000.0, 1));
    }

    #[test]
    fn one_in_a_thousand_is_too_many() {
        let probe = |sent, count| Probe { sent, sent_rate: 1.0, heard: Heard { count, ..Heard::default() } };
        assert!(probe(100_000, 99_901).holds() && !probe(100_000, 99_900).holds() && !probe(0, 0).holds());
    }

    #[test]
    fn jitter_follows_the_differences_slowly() {
        assert!((smoothed(0.0, -1600.0) - 100.0).abs() < 1e-9);
        let settled = (0..500).fold(0.0, |jitter, _| smoothed(jitter, 40.0));
        assert!((settled - 40.0).abs() < 0.1);
    }
}
