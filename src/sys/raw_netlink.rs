//! A netlink socket that is asked and answers at once, and the framing of its messages (`netlink(7)`).
//!
//! For what is asked again and again (statistics, sockets), where rtnetlink's stream of owned messages would cost more
//! than the kernel's answer, and for changes, which are made one after the other. Links and routes are read by `netlink`.

use std::{
    io, iter,
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
const HEADER: usize = 16;

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
    /// The kernel's refusal, as an error number; 0 is its consent.
    Refused(i32),
}

/// Whether the entries of a table are those of one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Picture {
    /// They are.
    Whole,
    /// It changed while it was read (`NLM_F_DUMP_INTR`): some may be missing.
    Torn,
}

/// What the kernel is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// `rtnetlink(7)`
    Links,
    /// `sock_diag(7)`
    Sockets,
    /// Connection tracking and nf_tables (linux/netfilter/nfnetlink.h).
    Netfilter,
}

/// A socket in one namespace.
#[derive(Debug)]
pub(super) struct RawNetlink {
    descriptor: OwnedFd,
    /// Of the last question: what still comes in answer to an earlier one, that was given up, is passed over.
    sequence: u32,
}

impl RawNetlink {
    /// Opens one in the calling thread's namespace, to be asked. A wait for an answer ends after a few seconds.
    pub(super) fn to_ask(subject: Subject) -> io::Result<Self> {
        let socket = Self::open(subject, 0)?;
        setsockopt(&socket.descriptor, sockopt::ReceiveTimeout, &TimeVal::seconds(ANSWER_LIMIT_SECONDS))?;
        Ok(socket)
    }

    /// Opens one in the calling thread's namespace that hears these multicast groups, the first is bit 0.
    pub(super) fn to_hear(subject: Subject, groups: u32) -> io::Result<Self> {
        Self::open(subject, groups)
    }

    fn open(subject: Subject, groups: u32) -> io::Result<Self> {
        let protocol = match subject {
            Subject::Links => SockProtocol::NetlinkRoute,
            Subject::Sockets => SockProtocol::NetlinkSockDiag,
            Subject::Netfilter => SockProtocol::NetlinkNetFilter,
        };
        let descriptor = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
        bind(descriptor.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        Ok(Self { descriptor, sequence: 0 })
    }

    /// Asks for a whole table by a message of type `question`, and shows `each` the entries that are of type `answer`,
    /// without their header.
    pub(super) fn dump(
        &mut self,
        (question, body): (u16, &[u8]),
        answer: u16,
        buffer: &mut [u8],
        mut each: impl FnMut(&[u8]),
    ) -> io::Result<Picture> {
        self.sequence = self.sequence.wrapping_add(1);
        let flags = libc::NLM_F_REQUEST | libc::NLM_F_DUMP;
        let question = framed(question, flags, self.sequence, body);
        let kernel = NetlinkAddr::new(0, 0);
        sendto(self.descriptor.as_raw_fd(), &question, &kernel, MsgFlags::empty())?;
        let mut picture = Picture::Whole;
        loop {
            let datagram = self.receive(buffer, MsgFlags::empty())?;
            if is_torn(datagram) {
                picture = Picture::Torn;
            }
            for (_, message) in messages(datagram).filter(|(sequence, _)| *sequence == self.sequence) {
                match message {
                    Message::Payload(kind, payload) if kind == answer => each(payload),
                    Message::Payload(..) => {}
                    Message::Done => return Ok(picture),
                    Message::Refused(number) => return Err(io::Error::from_raw_os_error(number)),
                }
            }
        }
    }

    /// As [`dump`](Self::dump), for what is decided by: asks again if the table changed meanwhile. Where it always does,
    /// with what was told last.
    pub(super) fn table<T>(
        &mut self,
        question: (u16, &[u8]),
        answer: u16,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        const ATTEMPTS: usize = 5;
        let mut buffer = vec![0; LARGEST_PIECE];
        let mut found = Vec::new();
        for _ in 0..ATTEMPTS {
            found.clear();
            let each = |entry: &[u8]| found.extend(read(entry));
            if self.dump(question, answer, &mut buffer, each)? == Picture::Whole {
                break;
            }
        }
        Ok(found)
    }

    /// Asks for one thing, or orders a change, by a message of that type with these flags besides. Waits until the
    /// kernel has done it, and shows `each` what it answered.
    pub(super) fn order(
        &mut self,
        (kind, body): (u16, &[u8]),
        flags: libc::c_int,
        mut each: impl FnMut(&[u8]),
    ) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let flags = libc::NLM_F_REQUEST | libc::NLM_F_ACK | flags;
        let order = framed(kind, flags, self.sequence, body);
        let kernel = NetlinkAddr::new(0, 0);
        sendto(self.descriptor.as_raw_fd(), &order, &kernel, MsgFlags::empty())?;
        let mut buffer = [0; 16 << 10];
        loop {
            let datagram = self.receive(&mut buffer, MsgFlags::empty())?;
            for (_, message) in messages(datagram).filter(|(sequence, _)| *sequence == self.sequence) {
                match message {
                    Message::Payload(_, payload) => each(payload),
                    Message::Done | Message::Refused(0) => return Ok(()),
                    Message::Refused(number) => return Err(io::Error::from_raw_os_error(number)),
                }
            }
        }
    }

    /// One datagram, which may hold several messages.
    pub(super) fn receive<'a>(&self, buffer: &'a mut [u8], waiting: MsgFlags) -> io::Result<&'a [u8]> {
        let length = loop {
            match recv(self.descriptor.as_raw_fd(), buffer, waiting) {
                Err(nix::errno::Errno::EINTR) => {}
                received => break received?,
            }
        };
        Ok(&buffer[..length])
    }
}

impl AsFd for RawNetlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// The messages of a datagram, each with its sequence number; a cut one ends it.
pub(super) fn messages(mut datagram: &[u8]) -> impl Iterator<Item = (u32, Message<'_>)> {
    iter::from_fn(move || {
        let length = usize::try_from(u32_at(datagram, 0)?).ok()?;
        let kind = u16_at(datagram, 4)?;
        let sequence = u32_at(datagram, 8)?;
        let payload = datagram.get(HEADER..length)?;
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
        // NLMSG_DONE carries an error number where the dump failed half-way.
        let error = u32_at(payload, 0).map_or(0, u32::cast_signed);
        let message = match i32::from(kind) {
            libc::NLMSG_DONE if error < 0 => Message::Refused(-error),
            libc::NLMSG_DONE => Message::Done,
            libc::NLMSG_ERROR => Message::Refused(-error),
            _ => Message::Payload(kind, payload),
        };
        Some((sequence, message))
    })
}

/// Whether one of the messages says that what it is about has changed.
fn is_torn(mut datagram: &[u8]) -> bool {
    while let (Some(length), Some(flags)) = (u32_at(datagram, 0), u16_at(datagram, 6)) {
        if i32::from(flags) & libc::NLM_F_DUMP_INTR != 0 {
            return true;
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX).max(HEADER);
        datagram =
            length.checked_next_multiple_of(4).and_then(|next| datagram.get(next..)).unwrap_or_default();
    }
    false
}

/// A message: the header, and what follows it.
fn framed(kind: u16, flags: libc::c_int, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + body.len()).expect("a message of ours is short");
    let flags = u16::try_from(flags).expect("netlink flags are 16 bits");
    let (length, kind, flags) = (length.to_ne_bytes(), kind.to_ne_bytes(), flags.to_ne_bytes());
    [&length[..], &kind, &flags, &sequence.to_ne_bytes(), &[0; 4], body].concat()
}

/// The attributes behind a payload's structure (`struct nlattr`: length with this header, type, value, padding to four
/// bytes), and where they are cut, those before.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    const ATTRIBUTE_HEADER: usize = 4;
    iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)?;
        let value = bytes.get(ATTRIBUTE_HEADER..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The type of an attribute without what its two highest bits tell of the value (`NLA_TYPE_MASK`).
pub(super) const fn attribute_type(kind: u16) -> u16 {
    kind & 0x3fff
}

/// One attribute, padded.
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).expect("an attribute is short");
    let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// One attribute whose value is attributes (`NLA_F_NESTED`).
pub(super) fn nested(kind: u16, attributes: &[Vec<u8>]) -> Vec<u8> {
    attribute(kind | 0x8000, &attributes.concat())
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
        let sequence = 7_u32.to_ne_bytes();
        let mut bytes =
            [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 2], &sequence, &[0; 4], payload].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn a_datagram_is_cut_into_messages() {
        let datagram =
            [message(20, b"first"), message(20, b"2nd!"), message(3, &0_i32.to_ne_bytes())].concat();
        let found: Vec<_> = messages(&datagram).collect();
        let expected = [Message::Payload(20, b"first"), Message::Payload(20, b"2nd!"), Message::Done];
        assert_eq!(found, expected.map(|message| (7, message)));
    }

    #[test]
    fn refusals_carry_their_error_number() {
        let refused = (-libc::EPERM).to_ne_bytes();
        for kind in [2, 3] {
            assert_eq!(messages(&message(kind, &refused)).next(), Some((7, Message::Refused(libc::EPERM))));
        }
    }

    #[test]
    fn a_table_that_changed_meanwhile_says_so() {
        let mut second = message(20, b"2nd!");
        let calm = [message(20, b"first"), second.clone()].concat();
        assert!(!is_torn(&calm) && !is_torn(&calm[..calm.len() - 1]) && !is_torn(&[0; 40]));
        second[6] = u8::try_from(libc::NLM_F_DUMP_INTR).unwrap();
        assert!(is_torn(&[message(20, b"first"), second].concat()));
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
