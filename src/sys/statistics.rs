//! What a network namespace has counted: packets and bytes of its interfaces (`RTM_GETSTATS`, kernel 4.7) and TCP's own
//! figures (/proc/net/snmp). Made to be read every second: the files stay open, and only what is needed is asked for.
//!
//! Whoever holds a reader keeps the namespace alive, and with it the far ends of its interfaces.

use std::{fs::File, io, os::unix::fs::FileExt as _};

use crate::model::{Counters, LinkIndex, NamespaceId};

use super::netns::{self, Namespace};
use super::raw_netlink::{LARGEST_PIECE, RawNetlink, Subject, attributes, u32_at};

// linux/rtnetlink.h, linux/if_link.h
const NEW_STATS: u16 = 92;
const GET_STATS: u16 = 94;
const LINK_64: u16 = 1;
/// `struct if_stats_msg`: family, padding, index, mask of what is wanted.
const STATS_MESSAGE: usize = 12;

/// As a thread sees it that is in the namespace; the file stays in it.
const SNMP: &str = "/proc/thread-self/net/snmp";
/// More than the file has, whose lines are a few hundred bytes.
const SNMP_BYTES: usize = 8 << 10;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Error {
    #[error("opening the counters of {namespace}")]
    Open { namespace: NamespaceId, source: io::Error },
    #[error("opening the counters of {namespace}")]
    Enter { namespace: NamespaceId, source: netns::Error },
    #[error("reading the counters of {namespace}")]
    Read { namespace: NamespaceId, source: io::Error },
}

/// What TCP says of a whole namespace (RFC 4022).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpFigures {
    /// Connections that are established, or that the other end has closed (`CurrEstab`).
    pub connections: u64,
    /// Segments sent again since the namespace was made (`RetransSegs`).
    pub retransmissions: u64,
}

/// The counters of one namespace, open.
#[derive(Debug)]
pub struct Statistics {
    namespace: NamespaceId,
    socket: RawNetlink,
    snmp: File,
    buffer: Vec<u8>,
}

impl Statistics {
    /// Opens them, by a thread that enters the namespace and ends.
    pub fn open_in(namespace: &Namespace) -> Result<Self, Error> {
        let id = namespace.id();
        let open = || Ok((RawNetlink::to_ask(Subject::Links)?, File::open(SNMP)?));
        let entered = namespace.within(open).map_err(|source| Error::Enter { namespace: id, source })?;
        let (socket, snmp) = entered.map_err(|source| Error::Open { namespace: id, source })?;
        Ok(Self { namespace: id, socket, snmp, buffer: vec![0; LARGEST_PIECE] })
    }

    /// Shows `each` every interface's counters.
    pub fn links(&mut self, mut each: impl FnMut(LinkIndex, Counters)) -> Result<(), Error> {
        let wanted = 1_u32 << (LINK_64 - 1);
        let body = [&[0; 8][..], &wanted.to_ne_bytes()].concat();
        let read = |payload: &[u8]| {
            if let Some((index, counters)) = link(payload) {
                each(index, counters);
            }
        };
        let read = self.socket.dump((GET_STATS, &body), NEW_STATS, &mut self.buffer, read);
        read.map(drop).map_err(|source| Error::Read { namespace: self.namespace, source })
    }

    /// What TCP says.
    pub fn tcp(&mut self) -> Result<TcpFigures, Error> {
        let failed = |source| Error::Read { namespace: self.namespace, source };
        let room = &mut self.buffer[..SNMP_BYTES];
        let length = self.snmp.read_at(room, 0).map_err(failed)?;
        let text = str::from_utf8(&room[..length]).ok();
        text.and_then(tcp).ok_or_else(|| failed(io::ErrorKind::InvalidData.into()))
    }
}

fn link(payload: &[u8]) -> Option<(LinkIndex, Counters)> {
    let index = LinkIndex::try_from(u32_at(payload, 4)?).ok()?;
    let (_, stats) = attributes(payload.get(STATS_MESSAGE..)?).find(|(kind, _)| *kind == LINK_64)?;
    let word = |at: usize| {
        let bytes = stats.get(at * 8..)?.first_chunk()?;
        Some(u64::from_ne_bytes(*bytes))
    };
    // In the order of `struct rtnl_link_stats64`.
    let counters = Counters {
        rx_packets: word(0)?,
        tx_packets: word(1)?,
        rx_bytes: word(2)?,
        tx_bytes: word(3)?,
        rx_errors: word(4)?,
        tx_errors: word(5)?,
        rx_dropped: word(6)?,
        tx_dropped: word(7)?,
    };
    Some((index, counters))
}

/// A line of names and below it one of values, both beginning with `Tcp:`.
fn tcp(snmp: &str) -> Option<TcpFigures> {
    let (_, after) = snmp.split_once("\nTcp:")?;
    let (names, after) = after.split_once("\nTcp:")?;
    let values = after.lines().next()?;
    let value = |wanted: &str| {
        let at = names.split(' ').position(|name| name == wanted)?;
        values.split(' ').nth(at)?.parse().ok()
    };
    Some(TcpFigures { connections: value("CurrEstab")?, retransmissions: value("RetransSegs")? })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    const TEXT: &str = "\
Ip: Forwarding DefaultTTL
Ip: 1 64
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens CurrEstab InSegs OutSegs RetransSegs InErrs
Tcp: 1 200 120000 -1 19 3 3736 2181 5 0
Udp: InDatagrams
Udp: 35
";

    #[test]
    fn tcps_figures_are_found_by_their_names() {
        assert_eq!(tcp(TEXT), Some(TcpFigures { connections: 3, retransmissions: 5 }));
        for cut in 0..TEXT.find(" 5 0\nUdp").unwrap() {
            assert_eq!(tcp(&TEXT[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn counters_are_read_in_the_kernels_order() {
        let words: Vec<u8> = (1..=25_u64).flat_map(u64::to_ne_bytes).collect();
        let attribute = [&204_u16.to_ne_bytes()[..], &LINK_64.to_ne_bytes(), &words].concat();
        let message = [&[0; 4][..], &7_u32.to_ne_bytes(), &1_u32.to_ne_bytes(), &attribute].concat();
        let (index, counters) = link(&message).unwrap();
        assert_eq!(index.number(), 7);
        assert_eq!((counters.rx_packets, counters.tx_bytes, counters.tx_dropped), (1, 4, 8));
        for cut in 0..message.len() {
            assert_eq!(link(&message[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn our_own_namespace_tells_of_its_loopback_and_connections() {
        let mut own = Statistics::open_in(&Namespace::current().unwrap()).unwrap();
        let mut indexes = Vec::new();
        own.links(|index, _| indexes.push(index.number())).unwrap();
        assert!(indexes.contains(&1), "{indexes:?}");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(own.tcp().unwrap().connections >= 2);
    }
}
