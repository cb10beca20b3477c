//! The bytes of inet_diag: what is asked, and what one socket's answer says (linux/inet_diag.h, linux/tcp.h). Pure.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use serde::{Deserialize, Serialize};

use crate::model::LinkIndex;
use crate::sys::raw_netlink::{attributes, u32_at};

/// `SOCK_DIAG_BY_FAMILY` (linux/sock_diag.h), the type of questions and answers.
pub(super) const BY_FAMILY: u16 = 20;

/// `struct inet_diag_msg` without attributes.
const MESSAGE: usize = 72;

// Attributes, and 1 << (number - 1) asks for them.
const INFO: u16 = 2;
const SOCKET_MEMORY: u16 = 7;
const PROTOCOL: u16 = 10;
const V6_ONLY: u16 = 11;
const CGROUP: u16 = 21;

/// `tcpi_total_retrans` in `struct tcp_info`.
const TOTAL_RETRANS: usize = 100;
/// `SK_MEMINFO_DROPS`, the ninth word.
const DROPS: usize = 8 * 4;

/// The transports whose sockets can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Transport {
    Tcp,
    Udp,
}

impl Transport {
    fn number(self) -> u8 {
        let number = match self {
            Self::Tcp => libc::IPPROTO_TCP,
            Self::Udp => libc::IPPROTO_UDP,
        };
        u8::try_from(number).expect("IP protocols are bytes")
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        })
    }
}

/// The number that the kernel gives a socket for its whole life, never to another (`SO_COOKIE`,
/// `bpf_get_socket_cookie`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cookie(pub u64);

/// Where a socket is in its life: TCP's words (`enum` of net/tcp_states.h), which UDP borrows two of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of RFC 9293")]
pub enum SocketState {
    Established,
    SynSent,
    SynReceived,
    FinWait1,
    FinWait2,
    TimeWait,
    /// Also a UDP socket that is not connected.
    Closed,
    CloseWait,
    LastAck,
    Listen,
    Closing,
    /// A number of a later kernel.
    Other(u8),
}

impl SocketState {
    fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Established,
            2 => Self::SynSent,
            // TCP_NEW_SYN_RECV: the same before the listener's socket has a child.
            3 | 12 => Self::SynReceived,
            4 => Self::FinWait1,
            5 => Self::FinWait2,
            6 => Self::TimeWait,
            7 => Self::Closed,
            8 => Self::CloseWait,
            9 => Self::LastAck,
            10 => Self::Listen,
            11 => Self::Closing,
            other => Self::Other(other),
        }
    }
}

/// What is to be told of each socket beyond its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Nothing that costs.
    Plain,
    /// Its retransmissions and drops as well.
    Counters,
}

/// One socket of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InetSocket {
    /// Its number.
    pub cookie: Cookie,
    /// What it speaks.
    pub transport: Transport,
    /// Where it is in its life.
    pub state: SocketState,
    /// Its own address. A socket of IPv6 has one of that family, also where it talks IPv4 (`::ffff:192.0.2.1`).
    pub local: SocketAddr,
    /// The other end's; unspecified where there is none.
    pub remote: SocketAddr,
    /// The inode in `/proc/PID/fd` (`socket:[…]`); none once no process holds it.
    pub inode: Option<u32>,
    /// The user who made it.
    pub uid: u32,
    /// The inode number of the version 2 cgroup that it was made in; none where the kernel does not tell (before 5.8,
    /// and of connections that only wait for their time to pass).
    pub cgroup: Option<u64>,
    /// Segments sent again since it was made; told of TCP with [`Detail::Counters`].
    pub retransmissions: Option<u32>,
    /// Packets dropped for want of room in its buffer since it was made; told with [`Detail::Counters`].
    pub drops: Option<u32>,
    /// Bytes that wait to be read; of a listener, connections that wait to be accepted.
    pub receive_queue: u32,
    /// Bytes that wait to be sent; of a listener, how many connections may wait to be accepted.
    pub send_queue: u32,
    /// Whether a socket of IPv6 takes no IPv4.
    pub v6_only: bool,
    /// The interface it is bound to (`SO_BINDTODEVICE`).
    pub device: Option<LinkIndex>,
}

/// A question for all sockets of a transport and an address family (`struct inet_diag_req_v2`).
pub(super) fn question(family: i32, transport: Transport, states: u32, detail: Detail) -> Vec<u8> {
    let bit = |attribute: u16| 1_u8 << (attribute - 1);
    let extensions = match detail {
        Detail::Plain => 0,
        Detail::Counters => bit(INFO) | bit(SOCKET_MEMORY),
    };
    let family = u8::try_from(family).expect("address families of IP are bytes");
    // With an empty `struct inet_diag_sockid`: any.
    [&[family, transport.number(), extensions, 0][..], &states.to_ne_bytes(), &[0; 48]].concat()
}

/// Reads `struct inet_diag_msg` and its attributes; `None` for what is cut or of another family.
pub(super) fn socket(transport: Transport, payload: &[u8]) -> Option<InetSocket> {
    let family = *payload.first()?;
    let word = |at: usize| u32_at(payload, at);
    let mut found = InetSocket {
        cookie: cookie(payload)?,
        transport,
        state: SocketState::from_number(*payload.get(1)?),
        local: address(family, payload, 8, 4)?,
        remote: address(family, payload, 24, 6)?,
        uid: word(64)?,
        inode: word(68).filter(|inode| *inode != 0),
        cgroup: None,
        retransmissions: None,
        drops: None,
        receive_queue: word(56)?,
        send_queue: word(60)?,
        v6_only: false,
        device: word(40).and_then(|index| LinkIndex::try_from(index).ok()),
    };
    for (kind, value) in attributes(payload.get(MESSAGE..)?) {
        match kind {
            INFO if transport == Transport::Tcp => found.retransmissions = u32_at(value, TOTAL_RETRANS),
            SOCKET_MEMORY => found.drops = u32_at(value, DROPS),
            V6_ONLY => found.v6_only = value.first().is_some_and(|flag| *flag != 0),
            CGROUP => found.cgroup = value.try_into().ok().map(u64::from_ne_bytes),
            _ => {}
        }
    }
    Some(found)
}

/// Reads what is told of a socket that has ended, which names its transport itself.
pub(super) fn ended(payload: &[u8]) -> Option<InetSocket> {
    let protocol = attributes(payload.get(MESSAGE..)?).find(|(kind, _)| *kind == PROTOCOL);
    let number = *protocol?.1.first()?;
    let transport = [Transport::Tcp, Transport::Udp].into_iter().find(|known| known.number() == number)?;
    socket(transport, payload)
}

/// Two words, the low one first on every machine.
fn cookie(payload: &[u8]) -> Option<Cookie> {
    let (low, high) = (u32_at(payload, 44)?, u32_at(payload, 48)?);
    Some(Cookie(u64::from(high) << 32 | u64::from(low)))
}

fn address(family: u8, payload: &[u8], address: usize, port: usize) -> Option<SocketAddr> {
    let port = u16::from_be_bytes(payload.get(port..port + 2)?.try_into().ok()?);
    let bytes: [u8; 16] = payload.get(address..address + 16)?.try_into().ok()?;
    let address = match i32::from(family) {
        libc::AF_INET => IpAddr::V4(Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3])),
        libc::AF_INET6 => IpAddr::V6(Ipv6Addr::from(bytes)),
        _ => return None,
    };
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<char> = hex.chars().filter(|digit| !digit.is_whitespace()).collect();
        let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    /// A listener as Linux 6.18 tells of it on a little-endian machine, its `tcp_info` but for the first words.
    const LISTENER: &str = "\
        020a0000 07e80000 00000000000000000000000000000000 00000000000000000000000000000000 00000000 01000000
        00000000 00000000 00000000 80000000 e8030000 6d000000
        0500080000000000 08000f0000000000 0c00150001000000 00000000 0600160052000000
        2800070000000000 0000020000000000 0040000000000000 0000000000000000 0000000009000000";

    /// A UDP socket of IPv6 that has ended.
    const ENDED: &str = "\
        0a010000 b0560063 00000000000000000000000000000001 00000000000000000000000000000001 00000000 05000000
        02000000 00000000 00000000 00000000 ffffffff 00000000
        05000a0011000000";

    #[test]
    #[cfg(target_endian = "little")]
    fn a_listener_is_read() {
        let found = socket(Transport::Tcp, &bytes(LISTENER)).unwrap();
        let expected = InetSocket {
            cookie: Cookie(1),
            transport: Transport::Tcp,
            state: SocketState::Listen,
            local: "0.0.0.0:2024".parse().unwrap(),
            remote: "0.0.0.0:0".parse().unwrap(),
            inode: Some(109),
            uid: 1000,
            cgroup: Some(1),
            retransmissions: None,
            drops: Some(9),
            receive_queue: 0,
            send_queue: 128,
            v6_only: false,
            device: None,
        };
        assert_eq!(found, expected);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_socket_that_has_ended_names_its_transport() {
        let found = ended(&bytes(ENDED)).unwrap();
        assert_eq!(found.transport, Transport::Udp);
        assert_eq!(found.cookie, Cookie(0x2_0000_0005));
        assert_eq!(found.local, "[::1]:45142".parse().unwrap());
        assert_eq!(found.remote, "[::1]:99".parse().unwrap());
        assert_eq!((found.inode, found.cgroup), (None, None));
        assert_eq!(ended(&bytes(LISTENER)), None);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn segments_sent_again_are_told_of_tcp_alone() {
        let mut info = vec![0; 120];
        info[TOTAL_RETRANS] = 7;
        let message = [&bytes(LISTENER)[..MESSAGE], &[124, 0, 2, 0], &info].concat();
        assert_eq!(socket(Transport::Tcp, &message).unwrap().retransmissions, Some(7));
        assert_eq!(socket(Transport::Udp, &message).unwrap().retransmissions, None);
    }

    #[test]
    fn a_cut_answer_tells_no_more_than_it_holds() {
        let whole = bytes(LISTENER);
        for length in 0..MESSAGE {
            assert_eq!(socket(Transport::Tcp, &whole[..length]), None, "{length}");
        }
        for length in MESSAGE..whole.len() {
            assert_eq!(socket(Transport::Tcp, &whole[..length]).unwrap().drops, None, "{length}");
        }
        assert_eq!(socket(Transport::Tcp, &[&[1], &whole[1..]].concat()), None, "a Unix socket");
    }

    #[test]
    fn a_question_asks_for_what_it_wants_only() {
        let plain = question(libc::AF_INET6, Transport::Udp, 0x80, Detail::Plain);
        assert_eq!(plain.len(), 56);
        assert_eq!(plain[..4], [10, 17, 0, 0]);
        assert_eq!(plain[4..8], 0x80_u32.to_ne_bytes());
        let counters = question(libc::AF_INET, Transport::Tcp, 1, Detail::Counters);
        assert_eq!(counters[..4], [2, 6, 0b100_0010, 0]);
    }
}
