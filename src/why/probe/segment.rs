//! A segment of TCP, written for a probe and recognised again. Pure.

use std::net::IpAddr;

use pnet::packet::{
    Packet as _,
    ethernet::{EtherTypes, EthernetPacket},
    ip::IpNextHeaderProtocols,
    ipv4::Ipv4Packet,
    ipv6::Ipv6Packet,
    tcp::{MutableTcpPacket, TcpFlags, TcpPacket, ipv4_checksum, ipv6_checksum},
};

/// What Linux puts behind the header of a first segment: MSS, selective acknowledgements, timestamps, window scale (RFC 9293,
/// 2018, 7323). Without, the probe would be smaller than what it stands for.
const OPTIONS: [u8; 20] = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];

const HEADER: usize = 20 + OPTIONS.len();

/// Which way a segment of ours goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    There,
    Back,
}

/// The first segment of a connection: `SYN`, with our port.
pub(super) fn syn(source: IpAddr, destination: IpAddr, (from, to): (u16, u16), sequence: u32) -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    let Some(mut segment) = MutableTcpPacket::new(&mut bytes) else { return Vec::new() };
    segment.set_source(from);
    segment.set_destination(to);
    segment.set_sequence(sequence);
    segment.set_data_offset(10);
    segment.set_flags(TcpFlags::SYN);
    segment.set_window(64_240);
    segment.get_options_raw_mut().copy_from_slice(&OPTIONS);
    let checksum = match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            ipv4_checksum(&segment.to_immutable(), &source, &destination)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            ipv6_checksum(&segment.to_immutable(), &source, &destination)
        }
        _ => 0,
    };
    segment.set_checksum(checksum);
    bytes
}

/// Which way a frame goes, if it belongs to the probe with this port of ours.
pub(super) fn way(frame: &[u8], own_port: u16) -> Option<Way> {
    let ethernet = EthernetPacket::new(frame)?;
    match ethernet.get_ethertype() {
        EtherTypes::Ipv4 => {
            let ip = Ipv4Packet::new(ethernet.payload())?;
            let is_tcp = ip.get_next_level_protocol() == IpNextHeaderProtocols::Tcp;
            is_tcp.then(|| of_segment(ip.payload(), own_port)).flatten()
        }
        EtherTypes::Ipv6 => {
            let ip = Ipv6Packet::new(ethernet.payload())?;
            let is_tcp = ip.get_next_header() == IpNextHeaderProtocols::Tcp;
            is_tcp.then(|| of_segment(ip.payload(), own_port)).flatten()
        }
        _ => None,
    }
}

fn of_segment(payload: &[u8], own_port: u16) -> Option<Way> {
    let segment = TcpPacket::new(payload)?;
    let opens = segment.get_flags() & (TcpFlags::SYN | TcpFlags::ACK) == TcpFlags::SYN;
    match (segment.get_source() == own_port, segment.get_destination() == own_port) {
        (true, _) if opens => Some(Way::There),
        (_, true) => Some(Way::Back),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(segment: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend([8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        frame.extend(segment);
        frame
    }

    #[test]
    fn a_probe_is_recognised_both_ways() {
        let ends = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let segment = syn(ends.0, ends.1, (61_000, 80), 7);
        let frame = framed(&segment);
        assert_eq!(way(&frame, 61_000), Some(Way::There));
        assert_eq!(way(&frame, 80), Some(Way::Back));
        assert_eq!(way(&frame, 443), None);
        assert_eq!(way(&frame[..20], 61_000), None);
    }

    #[test]
    fn the_checksum_is_right() {
        let ends = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let segment = syn(IpAddr::V4(ends.0), IpAddr::V4(ends.1), (61_000, 80), 7);
        let packet = TcpPacket::new(&segment).unwrap();
        assert_eq!(packet.get_checksum(), ipv4_checksum(&packet, &ends.0, &ends.1));
        assert_ne!(packet.get_checksum(), 0);
    }
}
