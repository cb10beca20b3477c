//! Ports of the host taken for somebody else: bound first, answering only when told to.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, Backlog, MsgFlags, SockFlag, SockType, SockaddrStorage, bind, getsockname, listen,
        recv, setsockopt, socket, sockopt,
    },
};

use super::sock_diag::Transport;

/// Which addresses of the host a port is taken at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// All of IPv4 and IPv6, by one socket where the kernel has IPv6.
    Every,
    /// This one; unspecified, all of that family and no other.
    Only(IpAddr),
}

/// A port that nobody else can take, and at which nobody is answered yet: a connection is refused, a datagram is lost.
#[derive(Debug)]
pub struct HostPort {
    socket: OwnedFd,
    transport: Transport,
    port: u16,
}

/// A port that answers.
#[derive(Debug)]
pub enum OpenPort {
    /// Connections wait to be accepted. Does not block.
    Tcp(TcpListener),
    /// Tells of each datagram to which address it was sent. Does not block.
    Udp(UdpSocket),
}

impl HostPort {
    /// Takes a port in the calling thread's namespace; 0 is any that is free.
    pub fn take(transport: Transport, at: At, port: u16) -> io::Result<Self> {
        let socket = match at {
            At::Every => match bound(transport, Ipv6Addr::UNSPECIFIED.into(), Families::Both, port) {
                Err(Errno::EAFNOSUPPORT) => {
                    bound(transport, Ipv4Addr::UNSPECIFIED.into(), Families::One, port)
                }
                taken => taken,
            },
            At::Only(address) => bound(transport, address, Families::One, port),
        }?;
        let port = match port {
            0 => own_port(socket.as_fd())?,
            given => given,
        };
        Ok(Self { socket, transport, port })
    }

    /// Its number.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Begins to answer. Somebody who took the port in the same moment as we may be the first to: then it is in use.
    pub fn open(self) -> io::Result<OpenPort> {
        match self.transport {
            Transport::Tcp => {
                listen(&self.socket, Backlog::MAXALLOWABLE)?;
                Ok(OpenPort::Tcp(self.socket.into()))
            }
            Transport::Udp => {
                forget_waiting(self.socket.as_fd())?;
                Ok(OpenPort::Udp(self.socket.into()))
            }
        }
    }
}

impl AsFd for OpenPort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(socket) => socket.as_fd(),
            Self::Udp(socket) => socket.as_fd(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Families {
    One,
    Both,
}

fn bound(transport: Transport, address: IpAddr, families: Families, port: u16) -> nix::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let kind = match transport {
        Transport::Tcp => SockType::Stream,
        Transport::Udp => SockType::Datagram,
    };
    let socket = socket(family, kind, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)?;
    match transport {
        // What is left of the last one's connections is not in the way. A socket that chooses its port must not choose
        // that of another which does not listen yet.
        Transport::Tcp if port != 0 => setsockopt(&socket, sockopt::ReuseAddr, &true)?,
        Transport::Tcp => {}
        Transport::Udp => tell_destinations(&socket, address)?,
    }
    if address.is_ipv6() {
        setsockopt(&socket, sockopt::Ipv6V6Only, &(families == Families::One))?;
    }
    bind(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(address, port)))?;
    Ok(socket)
}

/// A socket of IPv6 tells of IPv4 as well, by mapped addresses.
fn tell_destinations(socket: &OwnedFd, address: IpAddr) -> nix::Result<()> {
    match address {
        IpAddr::V4(_) => setsockopt(socket, sockopt::Ipv4PacketInfo, &true),
        IpAddr::V6(_) => setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true),
    }
}

/// What came while nobody was to be answered. A filter that keeps it out would cost ten times as much a socket.
fn forget_waiting(socket: BorrowedFd<'_>) -> io::Result<()> {
    loop {
        match recv(socket.as_raw_fd(), &mut [], MsgFlags::MSG_DONTWAIT) {
            Ok(_) | Err(Errno::EINTR | Errno::ECONNREFUSED) => {}
            Err(Errno::EAGAIN) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

fn own_port(socket: BorrowedFd<'_>) -> io::Result<u16> {
    let name: SockaddrStorage = getsockname(socket.as_raw_fd())?;
    let v4 = name.as_sockaddr_in().map(nix::sys::socket::SockaddrIn::port);
    let v6 = name.as_sockaddr_in6().map(nix::sys::socket::SockaddrIn6::port);
    v4.or(v6).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_taken_port_is_nobody_elses_and_refuses_until_it_is_opened() {
        let port = HostPort::take(Transport::Tcp, At::Only(Ipv4Addr::LOCALHOST.into()), 0).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.port()));
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        let opened = port.open().unwrap();
        let _client = TcpStream::connect(address).unwrap();
        let again = HostPort::take(Transport::Tcp, At::Only(address.ip()), address.port()).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AddrInUse);
        drop(opened);
    }

    #[test]
    fn a_port_at_every_address_is_taken_for_both_families() {
        for transport in [Transport::Tcp, Transport::Udp] {
            let every = HostPort::take(transport, At::Every, 0).unwrap();
            let port = every.port();
            let _open = every.open().unwrap();
            for address in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv4Addr::UNSPECIFIED.into()] {
                let again = HostPort::take(transport, At::Only(address), port).unwrap_err();
                assert_eq!(again.kind(), io::ErrorKind::AddrInUse, "{transport} {address}");
            }
        }
    }

    #[test]
    fn no_datagram_from_before_the_opening_is_heard() {
        let port = HostPort::take(Transport::Udp, At::Only(Ipv4Addr::LOCALHOST.into()), 0).unwrap();
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = (Ipv4Addr::LOCALHOST, port.port());
        client.send_to(b"early", address).unwrap();
        let OpenPort::Udp(socket) = port.open().unwrap() else { panic!("it is of UDP") };
        client.send_to(b"late", address).unwrap();
        let mut buffer = [0; 16];
        assert_eq!(socket.recv(&mut buffer).unwrap(), 4);
        assert_eq!(&buffer[..4], b"late");
    }
}
