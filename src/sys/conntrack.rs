//! The kernel's memory of flows, and making it forget some: linux/netfilter/nfnetlink_conntrack.h.
//!
//! A flow of UDP that began before a port was published goes on past the new rules until it is forgotten.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use super::raw_netlink::{LARGEST_PIECE, RawNetlink, Subject, attribute, attribute_type, attributes, nested};
use super::sysctl;

// Message types: the subsystem (1) above, what is asked below.
const NEW: u16 = 1 << 8;
const GET: u16 = NEW | 1;
const DELETE: u16 = NEW | 2;

/// AF_UNSPEC: flows of both.
const ANY_FAMILY: u8 = 0;

/// `struct nfgenmsg`: family, version, and a number that is not used here.
const GENERIC_HEADER: usize = 4;

// Attributes of a flow.
const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
const ID: u16 = 12;
const ZONE: u16 = 18;
const FILTER: u16 = 25;
// Of a direction of it.
const ADDRESSES: u16 = 1;
const PROTOCOL: u16 = 2;
// Of the addresses, for IPv4; those of IPv6 are two further.
const SOURCE: u16 = 1;
const DESTINATION: u16 = 2;
const FOR_IPV6: u16 = 2;
// Of the protocol.
const NUMBER: u16 = 1;
const SOURCE_PORT: u16 = 2;
const DESTINATION_PORT: u16 = 3;

/// What can go wrong with the kernel's memory of flows.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Error {
    #[error("opening a socket to ask for tracked connections")]
    Open(#[source] io::Error),
    #[error("asking the kernel for its tracked connections")]
    Ask(#[source] io::Error),
    #[error("making the kernel forget a tracked connection")]
    Forget(#[source] io::Error),
}

/// Which flows are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All there are.
    Every,
    /// All of that family whose protocol has this number.
    Protocol(Family, u8),
    /// Those that this address began.
    From(IpAddr),
    /// Those in which this address answers, whatever address was asked.
    AnsweredBy(IpAddr),
}

/// IPv4 or IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Family {
    V4,
    V6,
}

/// A flow as it was begun, and as it is answered. What has no ports has 0.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Flow {
    pub protocol: u8,
    pub source: SocketAddr,
    pub destination: SocketAddr,
    pub reply_source: SocketAddr,
    pub reply_destination: SocketAddr,
}

/// The flows of one namespace.
#[derive(Debug)]
pub struct Conntrack {
    socket: RawNetlink,
    buffer: Vec<u8>,
}

impl Conntrack {
    /// Opens that of the calling thread's namespace. Needs `CAP_NET_ADMIN`.
    pub fn open() -> Result<Self, Error> {
        let socket = RawNetlink::to_ask(Subject::Netfilter).map_err(Error::Open)?;
        Ok(Self { socket, buffer: vec![0; LARGEST_PIECE] })
    }

    /// How many there are, where that is told.
    pub fn count() -> Option<usize> {
        sysctl::own("net.netfilter.nf_conntrack_count")?.parse().ok()
    }

    /// The flows of a kind.
    pub fn flows(&mut self, which: Which) -> Result<Vec<Flow>, Error> {
        Ok(self.entries(which)?.into_iter().map(|entry| entry.flow).collect())
    }

    /// Makes the kernel forget those of a kind that `is_stale` picks; says how many those were. What ends meanwhile is
    /// no error.
    pub fn forget(&mut self, which: Which, is_stale: impl Fn(&Flow) -> bool) -> Result<usize, Error> {
        let stale = self.entries(which)?.into_iter().filter(|entry| is_stale(&entry.flow));
        let mut count = 0;
        for entry in stale {
            match self.socket.order((DELETE, &entry.order), 0, |_| {}) {
                Ok(()) => count += 1,
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
                Err(error) => return Err(Error::Forget(error)),
            }
        }
        Ok(count)
    }

    fn entries(&mut self, which: Which) -> Result<Vec<Entry>, Error> {
        let mut found = Vec::new();
        let read = |payload: &[u8]| found.extend(entry(payload).filter(|entry| which.has(&entry.flow)));
        self.socket.dump((GET, &which.question()), NEW, &mut self.buffer, read).map_err(Error::Ask)?;
        Ok(found)
    }
}

/// A flow, and the message that names it to the kernel.
struct Entry {
    flow: Flow,
    order: Vec<u8>,
}

impl Which {
    /// Kernels since 5.8 send only what is asked for, others everything of the family.
    fn question(self) -> Vec<u8> {
        // Bits of nf_internals.h: which attributes of the direction count.
        const BY_SOURCE: u32 = 1;
        const BY_NUMBER: u32 = 1 << 3;
        const FILTER_ORIGINAL: u16 = 1;
        const FILTER_REPLY: u16 = 2;
        let (direction, value, direction_filter, bits) = match self {
            Self::Every => return generic_header(ANY_FAMILY),
            // The kernel's filter sends all but those of an address of IPv6 (ctnetlink_filter_match_tuple, 6.18).
            Self::From(IpAddr::V6(_)) | Self::AnsweredBy(IpAddr::V6(_)) => {
                return generic_header(Family::V6.number());
            }
            Self::Protocol(_, number) => {
                (ORIGINAL, nested(PROTOCOL, &[attribute(NUMBER, &[number])]), FILTER_ORIGINAL, BY_NUMBER)
            }
            Self::From(IpAddr::V4(address)) => (ORIGINAL, by_source(address), FILTER_ORIGINAL, BY_SOURCE),
            Self::AnsweredBy(IpAddr::V4(address)) => (REPLY, by_source(address), FILTER_REPLY, BY_SOURCE),
        };
        let filter = nested(FILTER, &[attribute(direction_filter, &bits.to_ne_bytes())]);
        [generic_header(self.family()), nested(direction, &[value]), filter].concat()
    }

    fn family(self) -> u8 {
        match self {
            Self::Every => ANY_FAMILY,
            Self::Protocol(family, _) => family.number(),
            Self::From(address) | Self::AnsweredBy(address) => Family::of(address).number(),
        }
    }

    fn has(self, flow: &Flow) -> bool {
        match self {
            Self::Every => true,
            Self::Protocol(family, number) => {
                flow.protocol == number && Family::of(flow.source.ip()) == family
            }
            Self::From(address) => flow.source.ip() == address,
            Self::AnsweredBy(address) => flow.reply_source.ip() == address,
        }
    }
}

impl Family {
    /// That of an address.
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    fn number(self) -> u8 {
        let number = match self {
            Self::V4 => libc::AF_INET,
            Self::V6 => libc::AF_INET6,
        };
        u8::try_from(number).expect("address families of IP are bytes")
    }
}

fn by_source(address: Ipv4Addr) -> Vec<u8> {
    nested(ADDRESSES, &[attribute(SOURCE, &address.octets())])
}

fn generic_header(family: u8) -> Vec<u8> {
    vec![family, 0, 0, 0]
}

/// Reads one flow; none for what is cut or of another family.
fn entry(payload: &[u8]) -> Option<Entry> {
    let mut order = generic_header(*payload.first()?);
    let (mut original, mut reply) = (None, None);
    for (kind, value) in attributes(payload.get(GENERIC_HEADER..)?) {
        match attribute_type(kind) {
            ORIGINAL => original = Some(direction(value)?),
            REPLY => reply = Some(direction(value)?),
            _ => {}
        }
        if [ORIGINAL, ID, ZONE].contains(&attribute_type(kind)) {
            order.extend(attribute(kind, value));
        }
    }
    let ((protocol, source, destination), (_, reply_source, reply_destination)) = (original?, reply?);
    Some(Entry { flow: Flow { protocol, source, destination, reply_source, reply_destination }, order })
}

/// Protocol, source and destination of one direction.
fn direction(value: &[u8]) -> Option<(u8, SocketAddr, SocketAddr)> {
    let (mut source, mut destination) = (None, None);
    let (mut number, mut source_port, mut destination_port) = (None, 0, 0);
    for (kind, value) in attributes(value) {
        match attribute_type(kind) {
            ADDRESSES => {
                for (kind, value) in attributes(value) {
                    match attribute_type(kind) {
                        kind if kind == SOURCE || kind == SOURCE + FOR_IPV6 => source = address(value),
                        kind if kind == DESTINATION || kind == DESTINATION + FOR_IPV6 => {
                            destination = address(value);
                        }
                        _ => {}
                    }
                }
            }
            PROTOCOL => {
                for (kind, value) in attributes(value) {
                    match attribute_type(kind) {
                        NUMBER => number = value.first().copied(),
                        SOURCE_PORT => source_port = port(value)?,
                        DESTINATION_PORT => destination_port = port(value)?,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Some((number?, SocketAddr::new(source?, source_port), SocketAddr::new(destination?, destination_port)))
}

fn address(value: &[u8]) -> Option<IpAddr> {
    let v4 = || Some(Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?).into());
    let v6 = || Some(Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?).into());
    v4().or_else(v6)
}

fn port(value: &[u8]) -> Option<u16> {
    value.get(..2)?.try_into().ok().map(u16::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(number: u8, ends: [&str; 2]) -> Vec<Vec<u8>> {
        let [source, destination]: [std::net::SocketAddrV4; 2] = ends.map(|end| end.parse().unwrap());
        let addresses =
            [attribute(SOURCE, &source.ip().octets()), attribute(DESTINATION, &destination.ip().octets())];
        let protocol = [
            attribute(NUMBER, &[number]),
            attribute(SOURCE_PORT, &source.port().to_be_bytes()),
            attribute(DESTINATION_PORT, &destination.port().to_be_bytes()),
        ];
        vec![nested(ADDRESSES, &addresses), nested(PROTOCOL, &protocol)]
    }

    #[test]
    fn a_flow_is_read_and_named_again() {
        let original = nested(ORIGINAL, &written(17, ["192.0.2.9:4000", "192.0.2.1:53"]));
        let reply = nested(REPLY, &written(17, ["10.88.0.2:5353", "192.0.2.9:4000"]));
        let status = attribute(3, &[0; 4]);
        let id = attribute(ID, &[1, 2, 3, 4]);
        let payload = [&[2, 0, 0, 0][..], &original, &reply, &status, &id].concat();
        let entry = entry(&payload).unwrap();
        assert_eq!(entry.flow.destination, "192.0.2.1:53".parse().unwrap());
        assert_eq!(entry.flow.reply_source, "10.88.0.2:5353".parse().unwrap());
        assert_eq!(entry.order, [&[2, 0, 0, 0][..], &original, &id].concat());
        assert!(Which::AnsweredBy("10.88.0.2".parse().unwrap()).has(&entry.flow));
        assert!(!Which::From("10.88.0.2".parse().unwrap()).has(&entry.flow));
    }

    #[test]
    fn cut_flows_are_none() {
        let original = nested(ORIGINAL, &written(6, ["192.0.2.9:4000", "192.0.2.1:53"]));
        let payload = [&[2, 0, 0, 0][..], &original].concat();
        for length in 0..=payload.len() {
            assert!(entry(&payload[..length]).is_none(), "{length}");
        }
    }
}
