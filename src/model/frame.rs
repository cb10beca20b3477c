//! One captured frame, borrowed from wherever the kernel put it.

use serde::Serialize;

/// Which way a frame went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Not known, or without meaning (loopback).
    #[default]
    Unknown,
    /// Towards the container (at a tap without a container: received by the interface).
    In,
    /// From the container (at a tap without a container: sent by the interface).
    Out,
}

impl Direction {
    /// The same frame seen from the other end of the cable.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::Unknown => Self::Unknown,
            Self::In => Self::Out,
            Self::Out => Self::In,
        }
    }
}

/// Whose socket a frame was sent or received by, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner<'a> {
    /// The process; none where it is not known, or where several hold the socket.
    pub process: Option<OwnerProcess<'a>>,
    /// All of it as words: `container=web pid=123 command=nginx how=created`.
    pub text: &'a str,
}

/// A process, in our pid namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnerProcess<'a> {
    /// Process id.
    pub pid: u32,
    /// The thread that made the socket; the process's first where that is not known.
    pub thread: u32,
    /// Command name, at most 15 bytes.
    pub command: &'a str,
}

/// A frame and what the kernel said about it.
///
/// The bytes are `head`, `insert`, `tail` joined. Most frames are all `head`; a frame whose VLAN tag the kernel had
/// stripped has the tag as `insert`, and one without a link layer has a made-up Ethernet header as `insert`, so
/// that neither costs a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The first bytes.
    pub head: &'a [u8],
    /// Bytes that the capture put in: a VLAN tag or an Ethernet header.
    pub insert: &'a [u8],
    /// The rest.
    pub tail: &'a [u8],
    /// Length on the wire, inserted bytes included; at least that of the bytes here.
    pub original_len: u32,
    /// Nanoseconds since the Unix epoch.
    pub time_ns: u64,
    /// From the container's point of view.
    pub direction: Direction,
    /// Whose it is, where frames are heard at sockets.
    pub owner: Option<&'a Owner<'a>>,
}

impl<'a> Frame<'a> {
    /// A frame that lies in one piece.
    pub const fn whole(bytes: &'a [u8], original_len: u32, time_ns: u64, direction: Direction) -> Self {
        Self { head: bytes, insert: &[], tail: &[], original_len, time_ns, direction, owner: None }
    }

    /// How many bytes were captured.
    pub const fn len(&self) -> usize {
        self.head.len() + self.insert.len() + self.tail.len()
    }

    /// Whether no byte was captured.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes in one piece: `head` itself where that is all, otherwise joined in `scratch`.
    #[inline]
    pub fn contiguous<'b>(&self, scratch: &'b mut Vec<u8>) -> &'b [u8]
    where
        'a: 'b,
    {
        if self.insert.is_empty() && self.tail.is_empty() {
            return self.head;
        }
        scratch.clear();
        scratch.extend_from_slice(self.head);
        scratch.extend_from_slice(self.insert);
        scratch.extend_from_slice(self.tail);
        scratch
    }
}

/// The made-up Ethernet header of a packet without a link layer: zero addresses, and the ether type that fits the IP
/// version. So that one file needs one link type.
pub fn made_up_ethernet(packet: &[u8]) -> [u8; 14] {
    let mut header = [0; 14];
    let ether_type: u16 = if packet.first().is_some_and(|byte| byte >> 4 == 6) { 0x86dd } else { 0x0800 };
    header[12..].copy_from_slice(&ether_type.to_be_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_in_order() {
        let mut scratch = vec![9; 3];
        let mut frame = Frame::whole(b"abc", 3, 0, Direction::In);
        assert_eq!(frame.contiguous(&mut scratch), b"abc");
        frame.insert = b"-";
        frame.tail = b"def";
        assert_eq!(frame.contiguous(&mut scratch), b"abc-def");
        assert_eq!(frame.len(), 7);
    }

    #[test]
    fn a_made_up_header_tells_the_ip_version() {
        for (first, ether_type) in [(0x45, [8, 0]), (0x60, [0x86, 0xdd])] {
            assert_eq!(made_up_ethernet(&[first])[12..], ether_type);
        }
    }
}
