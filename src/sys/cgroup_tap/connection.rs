//! The two ends of a TCP connection: by them it is known which listener it came to. Packets are hostile: nothing panics.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::Direction;

const TCP: u8 = 6;
const FLAGS: usize = 13;
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// A connection from our end: our address and port, then the other one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Connection(IpAddr, u16, IpAddr, u16);

impl Connection {
    /// That of a TCP packet.
    pub(super) fn of(packet: &[u8], direction: Direction) -> Option<Self> {
        let ([source, destination], tcp) = ends(packet)?;
        let (from, to) = (port_at(tcp, 0)?, port_at(tcp, 2)?);
        Some(match direction {
            Direction::Out => Self(source, from, destination, to),
            Direction::In | Direction::Unknown => Self(destination, to, source, from),
        })
    }

    /// That which a packet opens towards us; none for any other packet.
    pub(super) fn opened_by(packet: &[u8]) -> Option<Self> {
        let (_, tcp) = ends(packet)?;
        (tcp.get(FLAGS)? & (SYN | ACK) == SYN).then_some(())?;
        Self::of(packet, Direction::In)
    }
}

fn port_at(tcp: &[u8], at: usize) -> Option<u16> {
    tcp.get(at..)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

/// Both addresses of a TCP packet, and its TCP header.
fn ends(packet: &[u8]) -> Option<([IpAddr; 2], &[u8])> {
    let first = *packet.first()?;
    let v4 = |at: usize| packet.get(at..)?.first_chunk::<4>().map(|bytes| IpAddr::V4(Ipv4Addr::from(*bytes)));
    let v6 =
        |at: usize| packet.get(at..)?.first_chunk::<16>().map(|bytes| IpAddr::V6(Ipv6Addr::from(*bytes)));
    if first >> 4 == 4 {
        let header = usize::from(first & 0x0f) * 4;
        (*packet.get(9)? == TCP).then_some(())?;
        return Some(([v4(12)?, v4(16)?], packet.get(header..)?));
    }
    (*packet.get(6)? == TCP).then_some(())?;
    Some(([v6(8)?, v6(24)?], packet.get(40..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_packet_of_a_connection_names_the_listener() {
        let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend([0x9c, 0x40, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, SYN, 0, 0, 0, 0, 0, 0]);
        let (server, client) = ([10, 0, 0, 2].into(), [10, 0, 0, 1].into());
        let towards_us = Connection(server, 80, client, 40_000);
        assert_eq!(Connection::opened_by(&packet), Some(towards_us));
        assert_eq!(Connection::of(&packet, Direction::In), Some(towards_us));
        assert_eq!(Connection::of(&packet, Direction::Out), Some(Connection(client, 40_000, server, 80)));
        packet[33] = SYN | ACK;
        assert_eq!(Connection::opened_by(&packet), None);
        for cut in 0..packet.len() {
            let _ = Connection::of(&packet[..cut], Direction::In);
        }
        packet[9] = 17;
        assert_eq!(Connection::of(&packet, Direction::In), None);
    }
}
