//! TCP streams: large writes on one end, large reads on the other, counted where they arrive.

use std::{
    io,
    os::fd::AsFd as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use socket2::Socket;

use crate::bench::Error;
use crate::bench::path::{Addresses, Hop};
use crate::bench::scenario::{Method, Scenario, Test};
use crate::sys::transfer::{Connection, Drain, Source, connection};

use super::socket::{self, Pair};
use super::worker::{Place, Worker};
use super::{Cores, Measured, Session, Slice, Threads, Window};

/// Streams that run at once.
#[derive(Debug)]
pub(super) struct Streams {
    streams: Vec<Stream>,
    addresses: Addresses,
}

#[derive(Debug)]
struct Stream {
    sender: Worker<Connection>,
    receiver: Worker<Received>,
    from_client: bool,
}

#[derive(Debug)]
struct Received {
    window: Window,
    bytes: u64,
}

impl Streams {
    pub(super) fn open(hop: &Hop, test: Test, scenario: &Scenario, cores: Cores) -> Result<Self, Error> {
        let congestion = scenario.congestion.as_deref();
        let (listener, to) = socket::listen(hop, congestion)?;
        let (mut streams, mut addresses) = (Vec::new(), None);
        for _ in 0..scenario.streams.max(1) {
            for from_client in [true, false] {
                if matches!((test, from_client), (Test::Tcp, false) | (Test::TcpDown, true)) {
                    continue;
                }
                let pair = socket::connect(hop, (&listener, to), congestion)?;
                addresses.get_or_insert(pair.addresses);
                streams.push(Stream::start(hop, pair, from_client, scenario, cores)?);
            }
        }
        let addresses = addresses.ok_or(Error::Ended { path: hop.path })?;
        Ok(Self { streams, addresses })
    }
}

impl Session for Streams {
    fn run(&mut self, slice: Slice) -> io::Result<Measured> {
        for stream in &self.streams {
            stream.receiver.begin(slice)?;
        }
        for stream in &self.streams {
            stream.sender.begin(slice)?;
        }
        let mut measured = Measured::default();
        for stream in &self.streams {
            let connection = stream.sender.finish(slice)?;
            let received = stream.receiver.finish(slice)?;
            measured.value += received.window.rate() * 8.0;
            measured.bytes += received.bytes;
            measured.connection = Some(with(measured.connection, connection));
        }
        Ok(measured)
    }

    fn threads(&self) -> Threads {
        let mut threads = Threads::default();
        for stream in &self.streams {
            let (from, to) = (stream.sender.id(), stream.receiver.id());
            let (client, server) = if stream.from_client { (from, to) } else { (to, from) };
            threads.client.push(client);
            threads.server.push(server);
        }
        threads
    }

    fn addresses(&self) -> Option<Addresses> {
        Some(self.addresses)
    }
}

/// The first connection's state, and the segments that all have sent again.
fn with(first: Option<Connection>, other: Connection) -> Connection {
    first.map_or(other, |first| Connection {
        retransmissions: first.retransmissions.saturating_add(other.retransmissions),
        ..first
    })
}

impl Stream {
    fn start(
        hop: &Hop,
        pair: Pair,
        from_client: bool,
        scenario: &Scenario,
        cores: Cores,
    ) -> Result<Self, Error> {
        let client = Place { namespace: &hop.client, core: cores.client };
        let server = Place { namespace: &hop.server, core: cores.server };
        let ((out, from), (into, to)) = if from_client {
            ((pair.client, client), (pair.server, server))
        } else {
            ((pair.server, server), (pair.client, client))
        };
        let failed = |source| Error::Prepare { path: hop.path, source };
        let mut source = source(scenario).map_err(failed)?;
        let mut drain = drain(scenario).map_err(failed)?;
        // How much the receiver has to wait for: known once the sender has ended its turn.
        let goal = Arc::new(AtomicU64::new(u64::MAX));
        let (told, mut sent, mut received) = (Arc::clone(&goal), 0, 0);
        let sender = Worker::start(from, move |slice| send(&out, &mut source, slice, (&mut sent, &told)))?;
        let receiver =
            Worker::start(to, move |slice| receive(&into, &mut drain, slice, (&mut received, &goal)))?;
        Ok(Self { sender, receiver, from_client })
    }
}

fn source(scenario: &Scenario) -> io::Result<Source> {
    match scenario.method {
        Method::Copy | Method::Trunc => Ok(Source::copy(scenario.write_bytes)),
        Method::Sendfile | Method::Splice => Source::file(scenario.write_bytes),
        Method::Vmsplice => Source::pages(scenario.write_bytes),
    }
}

fn drain(scenario: &Scenario) -> io::Result<Drain> {
    match scenario.method {
        Method::Copy | Method::Sendfile => Ok(Drain::copy(scenario.write_bytes)),
        Method::Trunc | Method::Vmsplice => Ok(Drain::Discard(scenario.write_bytes)),
        Method::Splice => Drain::null(scenario.write_bytes),
    }
}

/// Sends until the end of the turn, then says how much that was and sends one byte more, which wakes the receiver.
fn send(
    socket: &Socket,
    source: &mut Source,
    slice: Slice,
    (sent, goal): (&mut u64, &AtomicU64),
) -> io::Result<Connection> {
    while Instant::now() < slice.end {
        *sent += source.send(socket.as_fd())? as u64;
    }
    *sent += 1;
    goal.store(*sent, Ordering::Release);
    socket.send(&[0])?;
    connection(socket)
}

fn receive(
    socket: &Socket,
    drain: &mut Drain,
    slice: Slice,
    (received, goal): (&mut u64, &AtomicU64),
) -> io::Result<Received> {
    let (mut window, before) = (Window::default(), *received);
    // Where the last turn ended is no goal of this one.
    let old = before;
    loop {
        let reached = goal.load(Ordering::Acquire);
        if *received == reached && reached != old {
            return Ok(Received { window, bytes: *received - before });
        }
        match drain.receive(socket.as_fd())? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            got => *received += got as u64,
        }
        window.note(slice, *received);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stream_that_sends_again_counts() {
        let of = |retransmissions, congestion_window| Connection {
            retransmissions,
            congestion_window,
            ..Connection::default()
        };
        let all = [of(3, 10), of(0, 20), of(4, 30)].into_iter().fold(None, |all, one| Some(with(all, one)));
        assert_eq!(all, Some(of(7, 10)));
    }
}
