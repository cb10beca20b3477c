//! Datagrams passed on: a socket to the sandbox for each client, for as long as the two talk.

use std::{
    collections::HashMap,
    io,
    net::{self, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::AsFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::Interest,
    net::UdpSocket,
    time::{self, Instant},
};

use crate::sys::relay::{Asked, answer, hear, pass_on, receive};

use super::Sandbox;

/// After that much silence a client counts as gone. The kernel's own memory of a flow with answers is 120 seconds.
const IDLE: Duration = Duration::from_secs(90);

/// More clients than this at one port are not served: what they would take is more than datagrams are worth.
const MOST_CLIENTS: usize = 4096;

const LARGEST_DATAGRAM: usize = 64 << 10;

/// Where a datagram is between its arrival and its departure, one after the other: no port and no client has room of its own.
#[derive(Clone)]
pub(super) struct Room(Arc<Mutex<Box<[u8]>>>);

/// One port.
struct Port {
    socket: UdpSocket,
    number: u16,
    sandbox: Sandbox,
    room: Room,
    clients: Mutex<HashMap<Client, Session>>,
}

/// A client may ask several addresses of ours, and must be answered by each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Client {
    address: SocketAddr,
    asked: Asked,
}

#[derive(Clone)]
struct Session {
    server: Arc<UdpSocket>,
    last_heard: Instant,
}

/// Passes datagrams on for as long as the runtime lives.
pub(super) fn serve(socket: net::UdpSocket, number: u16, sandbox: Sandbox, room: Room) -> io::Result<()> {
    let socket = UdpSocket::from_std(socket)?;
    let port = Arc::new(Port { socket, number, sandbox, room, clients: Mutex::default() });
    tokio::spawn(async move {
        loop {
            // Errors here are about one datagram, such as an earlier answer that could not be delivered.
            let _ = port.socket.async_io(Interest::READABLE, || port.take_there()).await;
        }
    });
    Ok(())
}

impl Port {
    /// Brings the next datagram to the sandbox.
    fn take_there(self: &Arc<Self>) -> io::Result<()> {
        let mut room = self.room.take();
        let datagram = receive(self.socket.as_fd(), &mut room)?;
        let client = Client { address: datagram.client, asked: datagram.asked };
        if let Ok(server) = self.server_for(client) {
            // What cannot be sent is lost, as on any way.
            let _ = pass_on(server.as_fd(), &room[..datagram.length]);
        }
        Ok(())
    }

    /// The socket that speaks to the sandbox for this client.
    fn server_for(self: &Arc<Self>, client: Client) -> io::Result<Arc<UdpSocket>> {
        if let Some(session) = self.clients().get_mut(&client) {
            session.last_heard = Instant::now();
            return Ok(Arc::clone(&session.server));
        }
        if self.clients().len() >= MOST_CLIENTS {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let server = self.sandbox.at(self.number, client.address.ip()).next();
        let server = server.ok_or(io::ErrorKind::AddrNotAvailable)?;
        let socket = net::UdpSocket::bind(SocketAddr::new(unspecified(server.ip()), 0))?;
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        let session = Session { server: Arc::new(UdpSocket::from_std(socket)?), last_heard: Instant::now() };
        let server = Arc::clone(&session.server);
        self.clients().insert(client, session);
        let port = Arc::clone(self);
        tokio::spawn(async move { port.answer(client).await });
        Ok(server)
    }

    /// Brings the sandbox's answers back until both have been silent.
    async fn answer(&self, client: Client) {
        loop {
            let Some(session) = self.clients().get(&client).cloned() else { return };
            let take_back = || self.take_back(client, &session.server);
            match time::timeout(IDLE, session.server.async_io(Interest::READABLE, take_back)).await {
                // Or nobody listens there (yet).
                Ok(Ok(None) | Err(_)) => {}
                Ok(Ok(Some(late))) => {
                    let send = || answer(self.socket.as_fd(), &late, client.address, client.asked);
                    let _ = self.socket.async_io(Interest::WRITABLE, send).await;
                }
                Err(_silent) => {
                    let mut clients = self.clients();
                    if clients.get(&client).is_some_and(|session| session.last_heard.elapsed() >= IDLE) {
                        clients.remove(&client);
                    }
                }
            }
        }
    }

    /// Brings the next answer back; or keeps it, where it has to wait.
    fn take_back(&self, client: Client, server: &UdpSocket) -> io::Result<Option<Vec<u8>>> {
        let mut room = self.room.take();
        let length = hear(server.as_fd(), &mut room)?;
        match answer(self.socket.as_fd(), &room[..length], client.address, client.asked) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Some(room[..length].to_vec())),
            _ => Ok(None),
        }
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<Client, Session>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    fn take(&self) -> MutexGuard<'_, Box<[u8]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(vec![0; LARGEST_DATAGRAM].into())))
    }
}

fn unspecified(like: IpAddr) -> IpAddr {
    if like.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}
