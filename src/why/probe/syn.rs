//! Sends the first packet of a connection from within a namespace, and waits for what comes back. The kernel, which knows
//! nothing of the connection, ends it with a reset as soon as somebody accepts: no process ever sees it.

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{
        OnceLock,
        atomic::{AtomicU16, Ordering},
    },
    time::{Duration, Instant},
};

use pnet::packet::{ip::IpNextHeaderProtocols, tcp::TcpFlags};
use pnet::transport::{TransportChannelType, TransportProtocol, tcp_packet_iter, transport_channel};

use crate::model::{LinkIndex, NamespaceId};
use crate::sys::netns::Namespace;
use crate::sys::random_bytes;

use super::taps::Taps;
use super::{ProbeOutcome, Probed, segment};

/// How long each of the packets is waited for.
const PATIENCE: [Duration; 2] = [Duration::from_millis(400), Duration::from_millis(700)];

const BUFFER: usize = 4096;

/// Where taps are set: a namespace held open, and a link in it with its name.
pub(super) type Place<'a> = (&'a Namespace, LinkIndex, String);

/// Sends it, again once if nothing comes back, with taps at these places.
pub fn probe(from: &Namespace, destination: SocketAddr, places: &[Place<'_>]) -> Probed {
    let own_port = port();
    let taps = Taps::open(places, own_port);
    let work = || exchange(destination, own_port);
    let outcome = match from.within(work) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => ProbeOutcome::Unsent(error.to_string()),
        Err(error) => ProbeOutcome::Unsent(error.to_string()),
    };
    let ids: Vec<NamespaceId> = places.iter().map(|(namespace, ..)| namespace.id()).collect();
    Probed { outcome, seen: taps.close(&ids), unanswered: Vec::new() }
}

/// A port that the kernel gives to nobody unasked, another one for each probe.
fn port() -> u16 {
    static FIRST: OnceLock<u16> = OnceLock::new();
    static SENT: AtomicU16 = AtomicU16::new(0);
    let first = *FIRST.get_or_init(|| random_bytes().map_or(0, u16::from_ne_bytes));
    61_000 + first.wrapping_add(SENT.fetch_add(1, Ordering::Relaxed)) % 4_000
}

fn exchange(destination: SocketAddr, own_port: u16) -> io::Result<ProbeOutcome> {
    let Some(source) = own_address(destination)? else {
        return Ok(ProbeOutcome::Silence);
    };
    let protocol = match destination {
        SocketAddr::V4(_) => TransportProtocol::Ipv4(IpNextHeaderProtocols::Tcp),
        SocketAddr::V6(_) => TransportProtocol::Ipv6(IpNextHeaderProtocols::Tcp),
    };
    let (mut sender, mut receiver) = transport_channel(BUFFER, TransportChannelType::Layer4(protocol))?;
    let sequence = u32::from(own_port) << 16 | 0x7063;
    let bytes = segment::syn(source, destination.ip(), (own_port, destination.port()), sequence);
    let mut arrivals = tcp_packet_iter(&mut receiver);
    for patience in PATIENCE {
        let Some(packet) = pnet::packet::tcp::TcpPacket::new(&bytes) else { break };
        match sender.send_to(packet, destination.ip()) {
            Ok(_) => {}
            // A rule or a route of the sender's own forbids it: that is how its connections fail, too.
            Err(_) => return Ok(ProbeOutcome::Silence),
        }
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let Some((answer, from)) = arrivals.next_with_timeout(left)? else { break };
            let is_ours = answer.get_destination() == own_port
                && answer.get_source() == destination.port()
                && from == destination.ip();
            if is_ours && answer.get_flags() & TcpFlags::RST != 0 {
                return Ok(ProbeOutcome::Refused);
            }
            if is_ours
                && answer.get_flags() & (TcpFlags::SYN | TcpFlags::ACK) == TcpFlags::SYN | TcpFlags::ACK
            {
                return Ok(ProbeOutcome::Accepted);
            }
        }
    }
    Ok(ProbeOutcome::Silence)
}

/// The address that the kernel would send from; none where it has no way.
fn own_address(destination: SocketAddr) -> io::Result<Option<IpAddr>> {
    let any = if destination.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    Ok(socket.connect(destination).ok().and_then(|()| socket.local_addr().ok()).map(|address| address.ip()))
}
