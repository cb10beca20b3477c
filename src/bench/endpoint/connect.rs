//! A connection for each request: connect, ask, be answered, close. The server closes first, so that the client does not
//! run out of ports that wait (TIME-WAIT).

use std::{
    io::{self, Read, Write},
    net::SocketAddr,
    time::Instant,
};

use hdrhistogram::Histogram;
use socket2::Socket;

use crate::bench::Error;
use crate::bench::path::{Addresses, Hop};
use crate::bench::scenario::Scenario;

use super::socket;
use super::worker::{Attendant, Place, Worker};
use super::{Cores, Measured, Session, Slice, Threads, Window, record, times};

/// Requests; the second one ends the server.
const ASK: u8 = 1;
const END: u8 = 2;

/// Connections, one after the other.
#[derive(Debug)]
pub(super) struct Connects {
    client: Worker<Connected>,
    server: Attendant,
    hop: (crate::sys::netns::Namespace, SocketAddr),
    addresses: Addresses,
}

#[derive(Debug)]
struct Connected {
    window: Window,
    times: Histogram<u64>,
    count: u64,
}

impl Connects {
    pub(super) fn open(hop: &Hop, scenario: &Scenario, cores: Cores) -> Result<Self, Error> {
        let (listener, to) = socket::listen(hop, scenario.congestion.as_deref())?;
        let addresses = socket::connect(hop, (&listener, to), None)?.addresses;
        let failed = |source| Error::Prepare { path: hop.path, source };
        listener.set_read_timeout(None).map_err(failed)?;
        let server = Place { namespace: &hop.server, core: cores.server };
        let server = Attendant::start(server, move || answer(&listener))?;
        let client = Place { namespace: &hop.client, core: cores.client };
        let client = Worker::start(client, move |slice| ask(to, slice))?;
        Ok(Self { client, server, hop: (hop.client.clone(), to), addresses })
    }
}

impl Session for Connects {
    fn run(&mut self, slice: Slice) -> io::Result<Measured> {
        self.client.begin(slice)?;
        let connected = self.client.finish(slice)?;
        Ok(Measured {
            value: connected.window.rate(),
            bytes: connected.count * 2,
            operations: connected.count,
            times: Some(connected.times),
            ..Measured::default()
        })
    }

    fn threads(&self) -> Threads {
        Threads { client: vec![self.client.id()], server: vec![self.server.id] }
    }

    fn addresses(&self) -> Option<Addresses> {
        Some(self.addresses)
    }
}

impl Drop for Connects {
    fn drop(&mut self) {
        let (namespace, to) = &self.hop;
        let told = namespace.within(|| once(*to, END));
        if matches!(told, Ok(Ok(()))) {
            self.server.join();
        }
    }
}

fn answer(listener: &Socket) -> io::Result<()> {
    loop {
        let (mut socket, _) = listener.accept()?;
        let mut request = [0];
        // Who does not ask is not answered: the client notices.
        if socket.read_exact(&mut request).is_ok() {
            let _ = socket.write_all(&request);
        }
        if request == [END] {
            return Ok(());
        }
    }
}

fn ask(to: SocketAddr, slice: Slice) -> io::Result<Connected> {
    let mut connected = Connected { window: Window::default(), times: times(), count: 0 };
    let mut begun = Instant::now();
    while begun < slice.end {
        once(to, ASK)?;
        let done = Instant::now();
        connected.count += 1;
        connected.window.note(slice, connected.count);
        if begun >= slice.settled {
            record(&mut connected.times, done - begun);
        }
        begun = done;
    }
    Ok(connected)
}

fn once(to: SocketAddr, request: u8) -> io::Result<()> {
    let mut socket = socket::connect_here(to, None)?;
    socket.write_all(&[request])?;
    let mut answer = [0; 2];
    match (socket.read(&mut answer)?, socket.read(&mut answer[1..])?) {
        (1, 0) => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
