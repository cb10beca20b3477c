//! The socket itself, blocking, and the framing of netlink messages (`netlink(7)`).

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use nix::sys::{
    socket::{
        AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, sendto,
        setsockopt, socket, sockopt,
    },
    time::{TimeVal, TimeValLike},
};

/// Length, type, flags, sequence number, port (`struct nlmsghdr`).
pub(super) const HEADER: usize = 16;

/// The kernel answers a dump in pieces as large as the reader's buffer, but no larger than this (netlink_dump).
pub(super) const LARGEST_PIECE: usize = 32 << 10;

const ANSWER_LIMIT_SECONDS: i64 = 5;

/// One message of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message<'a> {
    /// Of that type, without the header.
    Payload(u16, &'a [u8]),
    /// The end of a dump.
    Done,
    /// The kernel's refusal, as an error number.
    Refused(i32),
}

/// A NETLINK_SOCK_DIAG socket.
#[derive(Debug)]
pub(super) struct DiagSocket(OwnedFd);

impl DiagSocket {
    /// Opens one in the calling thread's namespace; `groups` is a mask of multicast groups to hear.
    pub(super) fn open(groups: u32) -> io::Result<Self> {
        let descriptor = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkSockDiag,
        )?;
        bind(descriptor.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        Ok(Self(descriptor))
    }

    /// Ends a wait for an answer after a few seconds, with `WouldBlock`.
    pub(super) fn limit_waiting(&self) -> io::Result<()> {
        Ok(setsockopt(&self.0, sockopt::ReceiveTimeout, &TimeVal::seconds(ANSWER_LIMIT_SECONDS))?)
    }

    pub(super) fn send(&self, message: &[u8]) -> io::Result<()> {
        let kernel = NetlinkAddr::new(0, 0);
        sendto(self.0.as_raw_fd(), message, &kernel, MsgFlags::empty())?;
        Ok(())
    }

    /// One datagram, which may hold several messages.
    pub(super) fn receive<'a>(&self, buffer: &'a mut [u8], waiting: MsgFlags) -> io::Result<&'a [u8]> {
        let length = loop {
            match recv(self.0.as_raw_fd(), buffer, waiting) {
                Err(nix::errno::Errno::EINTR) => {}
                received => break received?,
            }
        };
        Ok(&buffer[..length])
    }
}

impl AsFd for DiagSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The messages of a datagram; a cut one ends it.
pub(super) fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(u32_at(datagram, 0)?).ok()?;
        let kind = u16_at(datagram, 4)?;
        let payload = datagram.get(HEADER..length)?;
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
        // NLMSG_DONE carries an error number where the dump failed half-way.
        let error = u32_at(payload, 0).map_or(0, u32::cast_signed);
        Some(match i32::from(kind) {
            libc::NLMSG_DONE if error < 0 => Message::Refused(-error),
            libc::NLMSG_DONE => Message::Done,
            libc::NLMSG_ERROR => Message::Refused(-error),
            _ => Message::Payload(kind, payload),
        })
    })
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + payload.len()).unwrap();
        let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 10], payload].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn a_datagram_is_cut_into_messages() {
        let datagram =
            [message(20, b"first"), message(20, b"2nd!"), message(3, &0_i32.to_ne_bytes())].concat();
        let found: Vec<_> = messages(&datagram).collect();
        assert_eq!(found, [Message::Payload(20, b"first"), Message::Payload(20, b"2nd!"), Message::Done],);
    }

    #[test]
    fn refusals_carry_their_error_number() {
        let refused = (-libc::EPERM).to_ne_bytes();
        for kind in [2, 3] {
            assert_eq!(messages(&message(kind, &refused)).next(), Some(Message::Refused(libc::EPERM)));
        }
    }

    #[test]
    fn cut_datagrams_end() {
        let whole = message(20, b"first");
        for length in 0..whole.len() - 3 {
            assert_eq!(messages(&whole[..length]).next(), None, "{length}");
        }
        let lies = [&3_u32.to_ne_bytes()[..], &[0; 20]].concat();
        assert_eq!(messages(&lies).next(), None);
    }
}
