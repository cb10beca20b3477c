//! The data path: the ends of a path, each a thread of its own in its own namespace, with plain blocking sockets.
//!
//! Between slices all threads sleep; what they have spent of the cores is read then, to the nanosecond.

mod connect;
mod datagram;
mod rate;
mod round_trip;
mod socket;
mod stream;
mod worker;

use std::{
    io,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

use crate::sys::placement::ThreadId;
use crate::sys::transfer::Connection;

use super::path::{Addresses, Hop};
use super::scenario::{Cell, Placement, Scenario, Test};

/// Longer than anything on a healthy path takes: then it is an error rather than a hang.
const PATIENCE: Duration = Duration::from_secs(5);

/// One turn of a path: begins at once; what is before `settled` and after `end` does not count.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slice {
    pub(super) settled: Instant,
    pub(super) end: Instant,
}

impl Slice {
    /// Begins now.
    pub(super) fn begin(settle: Duration, length: Duration) -> Self {
        let settled = Instant::now() + settle;
        Self { settled, end: settled + length }
    }
}

/// What one turn has given.
#[derive(Debug, Clone, Default)]
pub(super) struct Measured {
    /// Bit/s, operations/s, datagrams/s, or the median time of a round trip in ns.
    pub(super) value: f64,
    /// All that was moved, what does not count in the value too.
    pub(super) bytes: u64,
    /// Requests, or datagrams that arrived; all of them too.
    pub(super) operations: u64,
    /// Datagrams that were sent and did not arrive, and those that arrived behind a later one.
    pub(super) lost: Option<u64>,
    pub(super) reordered: Option<u64>,
    /// How unevenly they arrived (RFC 3550).
    pub(super) jitter: Option<Duration>,
    /// Times of round trips in ns.
    pub(super) times: Option<Histogram<u64>>,
    /// What TCP says of the first connection; what was sent again is of all.
    pub(super) connection: Option<Connection>,
}

/// The threads of both ends.
#[derive(Debug, Clone, Default)]
pub(super) struct Threads {
    pub(super) client: Vec<ThreadId>,
    pub(super) server: Vec<ThreadId>,
}

/// Both ends of a path, ready for their turns. Dropping it ends its threads.
pub(super) trait Session {
    /// One turn.
    fn run(&mut self, slice: Slice) -> io::Result<Measured>;
    /// Whose time counts.
    fn threads(&self) -> Threads;
    /// What the ends see of each other, if they are connected.
    fn addresses(&self) -> Option<Addresses>;
}

/// Where both ends of a session run; none: where the kernel puts them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cores {
    pub(super) client: Option<usize>,
    pub(super) server: Option<usize>,
}

impl Cores {
    /// From the cores there are; on one core, two are the same.
    pub(super) fn of(placement: Placement, allowed: &[usize]) -> Self {
        let (first, second) = (allowed.first().copied(), allowed.get(1).or(allowed.first()).copied());
        match placement {
            Placement::One => Self { client: first, server: first },
            Placement::Two => Self { client: first, server: second },
            Placement::Free => Self { client: None, server: None },
        }
    }
}

/// Sets up both ends of a path for a test.
pub(super) fn open(
    hop: &Hop,
    cell: Cell,
    scenario: &Scenario,
    allowed: &[usize],
) -> Result<Box<dyn Session>, super::Error> {
    let cores = Cores::of(cell.placement, allowed);
    match cell.test {
        Test::Tcp | Test::TcpDown | Test::TcpBoth => {
            Ok(Box::new(stream::Streams::open(hop, cell.test, scenario, cores)?))
        }
        Test::Latency => Ok(Box::new(round_trip::RoundTrips::open(hop, scenario, cores, None)?)),
        Test::Paced => {
            let interval = Duration::from_secs(1) / scenario.rate.max(1);
            Ok(Box::new(round_trip::RoundTrips::open(hop, scenario, cores, Some(interval))?))
        }
        Test::Connect => Ok(Box::new(connect::Connects::open(hop, scenario, cores)?)),
        Test::UdpRate => Ok(Box::new(rate::Search::open(hop, scenario, cores)?)),
        Test::Udp | Test::UdpGso => Ok(Box::new(datagram::Flood::open(hop, cell.test, scenario, cores)?)),
    }
}

/// A histogram of times: three digits, from 1 ns to a minute.
fn times() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are in order")
}

fn record(times: &mut Histogram<u64>, time: Duration) {
    times.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1));
}

/// What arrived between two moments of the receiver: the first arrivals behind `settled` and behind `end`.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    first: Option<(Instant, u64)>,
    last: Option<(Instant, u64)>,
}

impl Window {
    /// Hears of an arrival, and how much has arrived with it.
    fn note(&mut self, slice: Slice, total: u64) {
        self.note_at(Instant::now(), slice, total);
    }

    fn note_at(&mut self, now: Instant, slice: Slice, total: u64) {
        if now < slice.settled || self.last.is_some_and(|(at, _)| at >= slice.end) {
            return;
        }
        if self.first.is_none() {
            self.first = Some((now, total));
        }
        self.last = Some((now, total));
    }

    /// How much a second; 0 where nothing arrived.
    #[expect(clippy::cast_precision_loss, reason = "a rate is no count")]
    fn rate(&self) -> f64 {
        match (self.first, self.last) {
            (Some((from, before)), Some((to, after))) if to > from => {
                (after - before) as f64 / (to - from).as_secs_f64()
            }
            _ => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_placed_as_asked() {
        let pair = |placement, allowed: &[usize]| {
            let cores = Cores::of(placement, allowed);
            (cores.client, cores.server)
        };
        assert_eq!(pair(Placement::One, &[2, 5]), (Some(2), Some(2)));
        assert_eq!(pair(Placement::Two, &[2, 5]), (Some(2), Some(5)));
        assert_eq!(pair(Placement::Two, &[2]), (Some(2), Some(2)));
        assert_eq!(pair(Placement::Free, &[2, 5]), (None, None));
    }

    #[test]
    fn what_comes_before_and_after_does_not_count() {
        let ms = Duration::from_millis;
        let begun = Instant::now();
        let slice = Slice { settled: begun + ms(5), end: begun + ms(20) };
        let mut window = Window::default();
        for number in 0..30 {
            window.note_at(begun + ms(number), slice, 1000 * number);
        }
        // From the first arrival behind the settling to the first behind the end.
        assert_eq!(
            (window.first, window.last),
            (Some((begun + ms(5), 5000)), Some((begun + ms(20), 20_000)))
        );
        assert!((window.rate() - 1e6).abs() < 1.0, "{}", window.rate());
        assert!(Window::default().rate().abs() < f64::EPSILON);
    }
}
