//! The kernel's word that a socket has ended: its cookie means nobody from then on.
//!
//! The multicast groups of `SKNLGRP_INET_TCP_DESTROY` and the like, which need `CAP_NET_ADMIN`. The kernel sends from a
//! work queue, some time after the last packet.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
};

use nix::sys::socket::MsgFlags;

use crate::sys::netns::Namespace;
use crate::sys::raw_netlink::{LARGEST_PIECE, Message, RawNetlink, Subject, messages};

use super::Error;
use super::wire::{self, InetSocket};

/// TCP and UDP, of IPv4 and IPv6: the groups 1 to 4.
const GROUPS: u32 = 0b1111;

/// What is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// This socket has ended. Its inode and cgroup are not told any more.
    Socket(InetSocket),
    /// More have ended than could be heard of.
    Lost,
}

/// The endings of one namespace's sockets.
#[derive(Debug)]
pub struct Endings {
    socket: RawNetlink,
    buffer: Vec<u8>,
}

impl Endings {
    /// Listens in the namespace of the calling thread.
    pub fn listen() -> Result<Self, Error> {
        let socket = RawNetlink::to_hear(Subject::Sockets, GROUPS).map_err(Error::Listen)?;
        Ok(Self { socket, buffer: vec![0; LARGEST_PIECE] })
    }

    /// Listens in another namespace.
    pub fn listen_in(namespace: &Namespace) -> Result<Self, Error> {
        let entered = namespace.within(Self::listen);
        entered.map_err(|source| Error::Enter { namespace: namespace.id(), source })?
    }

    /// Shows `each` what can be heard without waiting; wait for the descriptor to become readable.
    pub fn drain(&mut self, mut each: impl FnMut(Ending)) -> Result<(), Error> {
        loop {
            match self.socket.receive(&mut self.buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(datagram) => tell(datagram, &mut each),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => each(Ending::Lost),
                Err(error) => return Err(Error::Listen(error)),
            }
        }
    }
}

impl AsFd for Endings {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn tell(datagram: &[u8], each: &mut impl FnMut(Ending)) {
    for (_, message) in messages(datagram) {
        if let Message::Payload(wire::BY_FAMILY, payload) = message {
            wire::ended(payload).map(Ending::Socket).into_iter().for_each(&mut *each);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv6Addr, UdpSocket};

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;
    use crate::sys::sock_diag::{Detail, Query, SockDiag, States, Transport};

    /// The cookie of that socket, by a dump.
    fn cookie_of(socket: &UdpSocket) -> Option<wire::Cookie> {
        let local = socket.local_addr().unwrap();
        let query = Query { transport: Transport::Udp, states: States::All, detail: Detail::Plain };
        let mut cookie = None;
        SockDiag::open()
            .unwrap()
            .sockets(query, |found| {
                if found.local == local {
                    cookie = Some(found.cookie);
                }
            })
            .unwrap();
        cookie
    }

    #[test]
    fn the_end_of_a_socket_is_heard() {
        let mut endings = match Endings::listen() {
            Err(Error::Listen(error)) if error.kind() == io::ErrorKind::PermissionDenied => return,
            listening => listening.unwrap(),
        };
        let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        let cookie = cookie_of(&socket).unwrap();
        drop(socket);
        let mut heard = false;
        while !heard {
            let mut asked = [PollFd::new(endings.as_fd(), PollFlags::POLLIN)];
            assert!(poll(&mut asked, PollTimeout::from(5000_u16)).unwrap() > 0, "not heard");
            endings
                .drain(|ending| heard |= matches!(ending, Ending::Socket(found) if found.cookie == cookie))
                .unwrap();
        }
    }
}
