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

use crate::sys::relay::{Asked, Datagram, answer, receive};

use super::Sandbox;

/// After that much silence a client counts as gone. The kernel's own memory of a flow with answers is 120 seconds.
const IDLE: Duration = Duration::from_secs(90);

/// More clients than this at one port are not served: what they would take is more than datagrams are worth.
const MOST_CLIENTS: usize = 4096;

const LARGEST_DATAGRAM: usize = 64 << 10;

/// One port.
struct Port {
    socket: UdpSocket,
    number: u16,
    sandbox: Sandbox,
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
pub(super) fn serve(socket: net::UdpSocket, number: u16, sandbox: Sandbox) -> io::Result<()> {
    let socket = UdpSocket::from_std(socket)?;
    let port = Arc::new(Port { socket, number, sandbox, clients: Mutex::default() });
    tokio::spawn(async move {
        let mut buffer = vec![0; LARGEST_DATAGRAM];
        loop {
            // Errors here are about one datagram, such as an earlier answer that could not be delivered.
            let Ok(datagram) = port.receive(&mut buffer).await else { continue };
            let client = Client { address: datagram.client, asked: datagram.asked };
            if let Ok(server) = port.server_for(client).await {
                // What cannot be sent is lost, as on any way.
                let _ = server.send(&buffer[..datagram.length]).await;
            }
        }
    });
    Ok(())
}

impl Port {
    async fn receive(&self, buffer: &mut [u8]) -> io::Result<Datagram> {
        self.socket.async_io(Interest::READABLE, || receive(self.socket.as_fd(), buffer)).await
    }

    /// The socket that speaks to the sandbox for this client.
    async fn server_for(self: &Arc<Self>, client: Client) -> io::Result<Arc<UdpSocket>> {
        if let Some(session) = self.clients().get_mut(&client) {
            session.last_heard = Instant::now();
            return Ok(Arc::clone(&session.server));
        }
        if self.clients().len() >= MOST_CLIENTS {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let server = self.sandbox.at(self.number, client.address.ip()).next();
        let server = server.ok_or(io::ErrorKind::AddrNotAvailable)?;
        let socket = UdpSocket::bind(SocketAddr::new(unspecified(server.ip()), 0)).await?;
        socket.connect(server).await?;
        let session = Session { server: Arc::new(socket), last_heard: Instant::now() };
        let server = Arc::clone(&session.server);
        self.clients().insert(client, session);
        let port = Arc::clone(self);
        tokio::spawn(async move { port.answer(client).await });
        Ok(server)
    }

    /// Brings the sandbox's answers back until both have been silent.
    async fn answer(&self, client: Client) {
        let mut buffer = vec![0; LARGEST_DATAGRAM];
        loop {
            let Some(session) = self.clients().get(&client).cloned() else { return };
            let length = match time::timeout(IDLE, session.server.recv(&mut buffer)).await {
                Ok(Ok(length)) => length,
                // Nobody listens there (yet).
                Ok(Err(_)) => continue,
                Err(_silent) => {
                    let mut clients = self.clients();
                    if clients.get(&client).is_some_and(|session| session.last_heard.elapsed() >= IDLE) {
                        clients.remove(&client);
                    }
                    continue;
                }
            };
            let send = || answer(self.socket.as_fd(), &buffer[..length], client.address, client.asked);
            let _ = self.socket.async_io(Interest::WRITABLE, send).await;
        }
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<Client, Session>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unspecified(like: IpAddr) -> IpAddr {
    if like.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}
