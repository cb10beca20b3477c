//! What passing connections and datagrams on takes beyond ordinary sockets: moving bytes without looking at them, and
//! answering from the address that was asked.
#![expect(unsafe_code, reason = "splice has no safe wrapper here")]

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6},
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
    ptr,
};

use nix::{
    fcntl::OFlag,
    sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, Shutdown, SockaddrStorage, recv, recvmsg, send,
        sendmsg, setsockopt, shutdown, sockopt,
    },
    unistd::pipe2,
};

/// As much as a pipe holds, unless told otherwise.
const PIPE_BYTES: usize = 64 << 10;

/// Bytes on their way from one socket to another, in the kernel (`splice(2)`).
#[derive(Debug)]
pub struct Pipe {
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Pipe {
    /// An empty one.
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        Ok(Self { reader, writer })
    }

    /// Takes from a socket what it has, and says how much; 0 is its end. The pipe has to be empty.
    pub fn fill(&self, from: BorrowedFd<'_>) -> io::Result<usize> {
        splice(from.as_raw_fd(), self.writer.as_raw_fd(), PIPE_BYTES)
    }

    /// Gives a socket up to that many of the bytes held, and says how many it took.
    pub fn drain(&self, to: BorrowedFd<'_>, held: usize) -> io::Result<usize> {
        splice(self.reader.as_raw_fd(), to.as_raw_fd(), held)
    }
}

fn splice(from: i32, to: i32, length: usize) -> io::Result<usize> {
    let flags = libc::SPLICE_F_MOVE | libc::SPLICE_F_NONBLOCK;
    // SAFETY: no offsets are passed, and the descriptors are borrowed or owned by the caller for the whole call.
    let moved = unsafe { libc::splice(from, ptr::null_mut(), to, ptr::null_mut(), length, flags) };
    usize::try_from(moved).map_err(|_| io::Error::last_os_error())
}

/// Ends one direction of a connection: the other end reads what was sent, then an end.
pub fn end_writing(socket: BorrowedFd<'_>) -> io::Result<()> {
    Ok(shutdown(socket.as_raw_fd(), Shutdown::Write)?)
}

/// Lets the close of a connection tell the other end that something went wrong.
pub fn reset_on_close(socket: BorrowedFd<'_>) -> io::Result<()> {
    let at_once = libc::linger { l_onoff: 1, l_linger: 0 };
    Ok(setsockopt(&socket, sockopt::Linger, &at_once)?)
}

/// To which address of ours a datagram was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Asked {
    address: IpAddr,
    /// Where it came in; counts where the address means nothing without.
    interface: u32,
}

/// What is known of a datagram beside its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram {
    /// How long it is.
    pub length: usize,
    /// Who sent it.
    pub client: SocketAddr,
    /// To which address of ours.
    pub asked: Asked,
}

/// Reads one from a socket that tells of destinations (`ip(7)`, `IP_PKTINFO`). Does not wait.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Datagram> {
    let mut control = nix::cmsg_space!(libc::in_pktinfo, libc::in6_pktinfo);
    let mut pieces = [IoSliceMut::new(buffer)];
    let received = recvmsg::<SockaddrStorage>(
        socket.as_raw_fd(),
        &mut pieces,
        Some(&mut control),
        MsgFlags::MSG_DONTWAIT,
    )?;
    let asked = received.cmsgs()?.find_map(|message| asked(&message));
    let client = received.address.and_then(|address| socket_address(&address));
    let (Some(asked), Some(client)) = (asked, client) else { return Err(io::ErrorKind::InvalidData.into()) };
    Ok(Datagram { length: received.bytes, client, asked })
}

fn asked(message: &ControlMessageOwned) -> Option<Asked> {
    match message {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            let address = std::net::Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr)).into();
            Some(Asked { address, interface: 0 })
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            let address = std::net::Ipv6Addr::from(info.ipi6_addr.s6_addr);
            let interface = if address.is_unicast_link_local() { info.ipi6_ifindex } else { 0 };
            Some(Asked { address: address.into(), interface })
        }
        _ => None,
    }
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddrV4::from(*v4).into());
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddrV6::from(*v6).into()))
}

/// Sends one over a connected socket. Does not wait.
pub fn pass_on(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<()> {
    send(socket.as_raw_fd(), bytes, MsgFlags::MSG_DONTWAIT)?;
    Ok(())
}

/// Reads one from a connected socket, and says how long it is. Does not wait.
pub fn hear(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(recv(socket.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT)?)
}

/// Sends one back, from the address that was asked. Does not wait.
pub fn answer(socket: BorrowedFd<'_>, bytes: &[u8], client: SocketAddr, asked: Asked) -> io::Result<()> {
    let pieces = [IoSlice::new(bytes)];
    let client = SockaddrStorage::from(client);
    let send_with = |message: ControlMessage<'_>| {
        sendmsg(socket.as_raw_fd(), &pieces, &[message], MsgFlags::MSG_DONTWAIT, Some(&client))
    };
    match asked.address {
        IpAddr::V4(address) => {
            let own = libc::in_addr { s_addr: u32::from(address).to_be() };
            let any = libc::in_addr { s_addr: 0 };
            let info = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: own, ipi_addr: any };
            send_with(ControlMessage::Ipv4PacketInfo(&info))
        }
        IpAddr::V6(address) => {
            let own = libc::in6_addr { s6_addr: address.octets() };
            let info = libc::in6_pktinfo { ipi6_addr: own, ipi6_ifindex: asked.interface };
            send_with(ControlMessage::Ipv6PacketInfo(&info))
        }
    }?;
    Ok(())
}
