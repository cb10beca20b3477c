//! Sockets of both ends, opened in their namespaces: they stay there, whoever uses them.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::bench::Error;
use crate::bench::path::{Addresses, Hop};

use super::PATIENCE;

/// Connections that wait to be accepted at most.
const BACKLOG: i32 = 1024;

/// A connection, both ends.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) client: Socket,
    pub(super) server: Socket,
    pub(super) addresses: Addresses,
}

/// Listens for connections on the path.
pub(super) fn listen(hop: &Hop, congestion: Option<&str>) -> Result<(Socket, SocketAddr), Error> {
    let at = SocketAddr::from(hop.listen);
    let open = || -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        prepare(&socket, congestion)?;
        socket.bind(&at.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket)
    };
    let failed = |source| Error::Listen { at, source };
    let socket = hop.server.within(open)?.map_err(failed)?;
    let port = local(&socket).map_err(failed)?.port();
    Ok((socket, SocketAddr::new(hop.target, hop.port.unwrap_or(port))))
}

/// Connects to a listener on the path, and accepts.
pub(super) fn connect(
    hop: &Hop,
    (listener, to): (&Socket, SocketAddr),
    congestion: Option<&str>,
) -> Result<Pair, Error> {
    let failed = |source| Error::Connect { path: hop.path, to, source };
    let client = hop.client.within(|| connect_here(to, congestion))?.map_err(failed)?;
    let accept = || -> io::Result<Pair> {
        let (server, _) = listener.accept()?;
        prepare(&server, None)?;
        let addresses = Addresses {
            client: local(&client)?,
            connected_to: to,
            server: local(&server)?,
            accepted_from: of(&server.peer_addr()?)?,
        };
        Ok(Pair { client, server, addresses })
    };
    accept().map_err(failed)
}

/// Connects from the namespace of the calling thread.
pub(super) fn connect_here(to: SocketAddr, congestion: Option<&str>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    prepare(&socket, congestion)?;
    socket.connect_timeout(&to.into(), PATIENCE)?;
    Ok(socket)
}

/// No delay, and an error instead of waiting for ever.
fn prepare(socket: &Socket, congestion: Option<&str>) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    congestion.map_or(Ok(()), |name| socket.set_tcp_congestion(name.as_bytes()))
}

/// Sockets for datagrams: the client's is connected.
pub(super) fn datagrams(hop: &Hop) -> Result<(UdpSocket, UdpSocket), Error> {
    let at = SocketAddr::from(hop.listen);
    let server = hop.server.within(|| UdpSocket::bind(at))?;
    let server = server.map_err(|source| Error::Listen { at, source })?;
    let port = server.local_addr().map_err(|source| Error::Listen { at, source })?.port();
    let to = SocketAddr::new(hop.target, hop.port.unwrap_or(port));
    let open = || -> io::Result<UdpSocket> {
        let any: SocketAddr = if to.is_ipv4() { ([0; 4], 0).into() } else { ([0; 16], 0).into() };
        let socket = UdpSocket::bind(any)?;
        socket.connect(to)?;
        Ok(socket)
    };
    let client = hop.client.within(open)?;
    Ok((client.map_err(|source| Error::Connect { path: hop.path, to, source })?, server))
}

fn local(socket: &Socket) -> io::Result<SocketAddr> {
    of(&socket.local_addr()?)
}

fn of(address: &SockAddr) -> io::Result<SocketAddr> {
    address.as_socket().ok_or_else(|| io::ErrorKind::InvalidData.into())
}
