//! Asking for the sockets of one network namespace.

use std::{io, os::fd::AsFd, os::fd::BorrowedFd};

use crate::sys::netns::Namespace;
use crate::sys::raw_netlink::{LARGEST_PIECE, RawNetlink, Subject};

use super::Error;
use super::wire::{self, Detail, InetSocket, Transport};

/// Which sockets are asked for, and what of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// Of what transport.
    pub transport: Transport,
    /// In which states.
    pub states: States,
    /// What to tell.
    pub detail: Detail,
}

/// The states that are asked for. The kernel walks its whole table of connections for any of them, but only the much
/// smaller one of listeners for those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum States {
    /// Every socket, also those of connections that have ended and wait for their time to pass.
    All,
    /// TCP sockets that listen; UDP sockets that are not connected.
    Waiting,
    /// Every socket that still holds anything: all but what waits for its time to pass.
    Live,
    /// Those that have another end: all but listeners and what waits for its time to pass.
    Connected,
}

impl States {
    /// A bit a state, by its number.
    fn mask(self, transport: Transport) -> u32 {
        const TIME_WAIT: u32 = 1 << 6;
        const CLOSED: u32 = 1 << 7;
        const LISTEN: u32 = 1 << 10;
        match (self, transport) {
            (Self::All, _) => u32::MAX,
            (Self::Live, _) => !TIME_WAIT,
            (Self::Waiting, Transport::Tcp) => LISTEN,
            (Self::Waiting, Transport::Udp) => CLOSED,
            (Self::Connected, _) => !(LISTEN | TIME_WAIT | CLOSED),
        }
    }
}

/// A socket that asks for the sockets of one namespace, and stays in it.
#[derive(Debug)]
pub struct SockDiag {
    socket: RawNetlink,
    buffer: Vec<u8>,
}

impl SockDiag {
    /// Opens one in the namespace of the calling thread.
    pub fn open() -> Result<Self, Error> {
        Self::connect().map_err(Error::Open)
    }

    /// Opens one in another namespace, by a thread that enters it and ends.
    pub fn open_in(namespace: &Namespace) -> Result<Self, Error> {
        let entered = namespace.within(Self::connect);
        entered.map_err(|source| Error::Enter { namespace: namespace.id(), source })?.map_err(Error::Open)
    }

    fn connect() -> io::Result<Self> {
        let socket = RawNetlink::to_ask(Subject::Sockets)?;
        Ok(Self { socket, buffer: vec![0; LARGEST_PIECE] })
    }

    /// Shows `each` every socket that fits, of IPv4 and then of IPv6.
    ///
    /// Sockets that come or go meanwhile are shown or not, and one that moves in the kernel's table may be shown twice:
    /// tell them apart by their cookies. A kernel without inet_diag is [`io::ErrorKind::Unsupported`].
    pub fn sockets(&mut self, query: Query, mut each: impl FnMut(InetSocket)) -> Result<(), Error> {
        for family in [libc::AF_INET, libc::AF_INET6] {
            self.dump(family, query, &mut each)
                .map_err(|source| Error::Ask { transport: query.transport, source })?;
        }
        Ok(())
    }

    fn dump(&mut self, family: i32, query: Query, each: &mut impl FnMut(InetSocket)) -> io::Result<()> {
        let states = query.states.mask(query.transport);
        let question = wire::question(family, query.transport, states, query.detail);
        let read = |payload: &[u8]| wire::socket(query.transport, payload).into_iter().for_each(&mut *each);
        match self.socket.dump((wire::BY_FAMILY, &question), wire::BY_FAMILY, &mut self.buffer, read) {
            // No module for that transport, and none that could be loaded.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {
                Err(io::ErrorKind::Unsupported.into())
            }
            answered => answered.map(drop),
        }
    }
}

impl AsFd for SockDiag {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
