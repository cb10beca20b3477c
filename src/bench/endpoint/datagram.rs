//! Datagrams as fast as one thread sends them, counted where they arrive: how many, how many did not, and in what order.

use std::{
    io,
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::bench::Error;
use crate::bench::path::{Addresses, Hop};
use crate::bench::scenario::{Scenario, Test};
use crate::sys::datagrams::{Datagrams, cut_on_sending, join_on_receiving};
use crate::sys::placement::sleep_to_the_point;

use super::socket;
use super::worker::{Place, Worker};
use super::{Cores, Measured, Session, Slice, Threads, Window};

/// Datagrams a call.
const BATCH: usize = 32;

/// What a packet of the kernel's carries at most in one (`UDP_MAX_SEGMENTS`), and as bytes.
const MOST_SEGMENTS: usize = 64;
const MOST_BYTES: usize = 65_000;

/// Longer than a datagram is under way: then no more will come.
const STRAGGLERS: Duration = Duration::from_millis(10);

/// A receiver with a core of its own looks again after that time where nothing has come, rather than be woken for every few:
/// that would be the sender's work. A socket's usual buffer holds more than comes meanwhile, unless the kernel joins what comes.
const NAP: Duration = Duration::from_micros(50);

/// A number in front of each datagram.
const NUMBER: usize = size_of::<u64>();

/// A sender and a receiver.
#[derive(Debug)]
pub(super) struct Flood {
    sender: Worker<u64>,
    receiver: Worker<Arrived>,
    datagram_bytes: usize,
}

#[derive(Debug)]
struct Arrived {
    window: Window,
    count: u64,
    reordered: Option<u64>,
}

/// How a turn ends: the sender says that it has ended its own.
const GOING_ON: u64 = 0;
const ENDED: u64 = 1;

impl Flood {
    pub(super) fn open(hop: &Hop, test: Test, scenario: &Scenario, cores: Cores) -> Result<Self, Error> {
        let failed = |source| Error::Prepare { path: hop.path, source };
        let (out, into) = socket::datagrams(hop)?;
        into.set_read_timeout(Some(STRAGGLERS)).map_err(failed)?;
        let size = scenario.datagram_bytes.max(NUMBER);
        let segments = match test {
            Test::UdpGso => (MOST_BYTES / size).clamp(1, MOST_SEGMENTS),
            _ => 1,
        };
        if segments > 1 {
            cut_on_sending(&out, u16::try_from(size).unwrap_or(u16::MAX)).map_err(failed)?;
            join_on_receiving(&into).map_err(failed)?;
        }
        let state = Arc::new(AtomicU64::new(GOING_ON));
        let said = Arc::clone(&state);
        let mut going = Outgoing { batch: Datagrams::new(BATCH, size * segments), next: 0, segments };
        let from = Place { namespace: &hop.client, core: cores.client };
        let sender = Worker::start(from, move |slice| {
            let sent = going.send(&out, slice);
            said.store(ENDED, Ordering::Release);
            sent
        })?;
        let room = if segments > 1 { MOST_BYTES } else { size };
        let joined = segments > 1;
        let naps = !joined && cores.server.is_some() && cores.server != cores.client;
        let mut coming = Incoming { batch: Datagrams::new(BATCH, room), size, joined, naps };
        let to = Place { namespace: &hop.server, core: cores.server };
        let receiver = Worker::start(to, move |slice| {
            let arrived = coming.receive(&into, slice, &state);
            state.store(GOING_ON, Ordering::Release);
            arrived
        })?;
        Ok(Self { sender, receiver, datagram_bytes: size })
    }
}

impl Session for Flood {
    fn run(&mut self, slice: Slice) -> io::Result<Measured> {
        self.receiver.begin(slice)?;
        self.sender.begin(slice)?;
        let sent = self.sender.finish(slice)?;
        let arrived = self.receiver.finish(slice)?;
        Ok(Measured {
            value: arrived.window.rate(),
            bytes: arrived.count * self.datagram_bytes as u64,
            operations: arrived.count,
            lost: Some(sent.saturating_sub(arrived.count)),
            reordered: arrived.reordered,
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

#[derive(Debug)]
struct Outgoing {
    batch: Datagrams,
    next: u64,
    segments: usize,
}

impl Outgoing {
    /// Returns how many datagrams went.
    fn send(&mut self, socket: &UdpSocket, slice: Slice) -> io::Result<u64> {
        let mut sent = 0;
        while Instant::now() < slice.end {
            for (number, bytes) in (self.next..).zip(self.batch.each_mut()) {
                bytes[..NUMBER].copy_from_slice(&number.to_le_bytes());
            }
            let count = match self.batch.send(socket) {
                // A full queue of the sender is loss before the wire: it sends again.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock || is_full(&error) => 0,
                done => done?,
            };
            self.next += count as u64;
            sent += (count * self.segments) as u64;
        }
        Ok(sent)
    }
}

pub(super) fn is_full(error: &io::Error) -> bool {
    const NO_BUFFERS: i32 = 105; // errno(3), ENOBUFS
    error.raw_os_error() == Some(NO_BUFFERS)
}

#[derive(Debug)]
struct Incoming {
    batch: Datagrams,
    size: usize,
    joined: bool,
    /// Between looks it sleeps rather than wait.
    naps: bool,
}

impl Incoming {
    fn receive(&mut self, socket: &UdpSocket, slice: Slice, state: &AtomicU64) -> io::Result<Arrived> {
        let (mut window, mut count, mut reordered, mut highest) = (Window::default(), 0, 0, None);
        sleep_to_the_point()?;
        loop {
            // Looked at before, so that nothing comes between the last look and the last wait.
            let ended = state.load(Ordering::Acquire) == ENDED;
            let naps = self.naps && Instant::now() < slice.end;
            let got = if naps { self.batch.receive_at_once(socket) } else { self.batch.receive(socket) };
            let got = match got {
                Err(error) if naps && error.kind() == io::ErrorKind::WouldBlock => {
                    thread::sleep(NAP);
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if ended || Instant::now() > slice.end + super::PATIENCE {
                        let reordered = (!self.joined).then_some(reordered);
                        return Ok(Arrived { window, count, reordered });
                    }
                    continue;
                }
                got => got?,
            };
            for datagram in self.batch.received(got) {
                count += (datagram.len() / self.size) as u64;
                let number = datagram.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
                reordered += u64::from(!self.joined && number < highest);
                highest = highest.max(number);
            }
            window.note(slice, count);
        }
    }
}
