//! Requests and responses by turns on one connection, as fast as they come back or at a fixed rate.

use std::{
    io::{self, Read, Write},
    thread,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use socket2::Socket;

use crate::bench::Error;
use crate::bench::path::{Addresses, Hop};
use crate::bench::scenario::Scenario;
use crate::sys::placement::sleep_to_the_point;

use super::socket;
use super::worker::{Attendant, Place, Worker};
use super::{Cores, Measured, Session, Slice, Threads, record, times};

/// So much longer a turn may take whose requests were not all sent when they were due.
const OVERTIME: Duration = Duration::from_secs(2);

/// One connection; the server answers whatever comes.
#[derive(Debug)]
pub(super) struct RoundTrips {
    // Ends first: the server ends with the connection.
    client: Option<Worker<Trips>>,
    server: Attendant,
    addresses: Addresses,
    message_bytes: usize,
}

#[derive(Debug)]
struct Trips {
    times: Histogram<u64>,
    count: u64,
}

impl RoundTrips {
    /// With an interval, requests are sent at a fixed rate.
    pub(super) fn open(
        hop: &Hop,
        scenario: &Scenario,
        cores: Cores,
        interval: Option<Duration>,
    ) -> Result<Self, Error> {
        let congestion = scenario.congestion.as_deref();
        let (listener, to) = socket::listen(hop, congestion)?;
        let pair = socket::connect(hop, (&listener, to), congestion)?;
        let size = scenario.message_bytes.max(1);
        let (server_socket, client_socket) = (pair.server, pair.client);
        // It waits for requests between turns for longer than any turn takes.
        let failed = |source| Error::Prepare { path: hop.path, source };
        server_socket.set_read_timeout(None).map_err(failed)?;
        let server = Place { namespace: &hop.server, core: cores.server };
        let server = Attendant::start(server, move || answer(&server_socket, size))?;
        let client = Place { namespace: &hop.client, core: cores.client };
        let client = Worker::start(client, move |slice| match interval {
            None => ask(&client_socket, size, slice),
            Some(interval) => ask_at_intervals(&client_socket, size, slice, interval),
        })?;
        Ok(Self { client: Some(client), server, addresses: pair.addresses, message_bytes: size })
    }
}

impl Session for RoundTrips {
    #[expect(clippy::cast_precision_loss, reason = "a time in ns")]
    fn run(&mut self, slice: Slice) -> io::Result<Measured> {
        let client = self.client.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
        client.begin(slice)?;
        let trips = client.finish(slice)?;
        Ok(Measured {
            value: trips.times.value_at_quantile(0.5) as f64,
            bytes: trips.count * self.message_bytes as u64,
            operations: trips.count,
            times: Some(trips.times),
            ..Measured::default()
        })
    }

    fn threads(&self) -> Threads {
        let client = self.client.iter().map(Worker::id).collect();
        Threads { client, server: vec![self.server.id] }
    }

    fn addresses(&self) -> Option<Addresses> {
        Some(self.addresses)
    }
}

impl Drop for RoundTrips {
    fn drop(&mut self) {
        drop(self.client.take());
        self.server.join();
    }
}

fn answer(mut socket: &Socket, size: usize) -> io::Result<()> {
    let mut message = vec![0; size];
    loop {
        socket.read_exact(&mut message)?;
        socket.write_all(&message)?;
    }
}

fn ask(socket: &Socket, size: usize, slice: Slice) -> io::Result<Trips> {
    let mut trips = Trips { times: times(), count: 0 };
    let mut message = vec![0x55; size];
    let mut sent = Instant::now();
    while sent < slice.end {
        exchange(socket, &mut message)?;
        let back = Instant::now();
        trips.count += 1;
        if sent >= slice.settled {
            record(&mut trips.times, back - sent);
        }
        sent = back;
    }
    Ok(trips)
}

/// A request that could not be sent when it was due, as the one before was not answered yet, is late from then on. Where
/// only our own sleep was too long, it is not: that would be the timer's time. All that were due in the turn are sent, so
/// one with more requests than are answered lasts longer, and is given up in the end.
fn ask_at_intervals(socket: &Socket, size: usize, slice: Slice, interval: Duration) -> io::Result<Trips> {
    sleep_to_the_point()?;
    let mut trips = Trips { times: times(), count: 0 };
    let mut message = vec![0x55; size];
    let mut due = Instant::now();
    while due < slice.end {
        let free = Instant::now();
        if free > slice.end + OVERTIME {
            return Err(io::Error::other("requests are due faster than they are answered; lower the --rate"));
        }
        if free < due {
            thread::sleep(due - free);
        }
        let from = if free < due { Instant::now() } else { due };
        exchange(socket, &mut message)?;
        trips.count += 1;
        if due >= slice.settled {
            record(&mut trips.times, from.elapsed());
        }
        due += interval;
    }
    Ok(trips)
}

fn exchange(mut socket: &Socket, message: &mut [u8]) -> io::Result<()> {
    socket.write_all(message)?;
    socket.read_exact(message)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// Asks at that interval for a tenth of a second, by an answerer on the same machine.
    fn asked(interval: Duration) -> io::Result<Trips> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        for socket in [&client, &server] {
            socket.set_nodelay(true).unwrap();
        }
        let (client, server) = (Socket::from(client), Socket::from(server));
        let answerer = thread::spawn(move || answer(&server, 1));
        let slice = Slice::begin(Duration::ZERO, Duration::from_millis(100));
        let trips = ask_at_intervals(&client, 1, slice, interval);
        drop(client);
        assert!(answerer.join().unwrap().is_err());
        trips
    }

    #[test]
    fn every_request_that_was_due_is_sent_once() {
        let trips = asked(Duration::from_millis(1)).unwrap();
        assert!((99..=100).contains(&trips.count), "{}", trips.count);
        assert_eq!(trips.times.len(), trips.count);
    }

    #[test]
    fn more_requests_than_can_be_answered_are_given_up() {
        let complaint = asked(Duration::ZERO).err().unwrap().to_string();
        assert!(complaint.contains("lower the --rate"), "{complaint}");
    }
}
