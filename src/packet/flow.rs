//! Which conversation a packet belongs to: the same key for both directions.

use std::net::IpAddr;

use super::decode::Packet;
use super::ip::Ip;
use super::ip_protocol::IpProtocol;
use super::transport::Transport;

/// A conversation between two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowKey {
    protocol: IpProtocol,
    low: FlowEnd,
    high: FlowEnd,
}

/// One end of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowEnd {
    /// Its address.
    pub address: IpAddr,
    /// Its port; for pings their identifier at both ends; 0 for protocols without ports.
    pub port: u16,
}

/// Which way along a [`FlowKey`] a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// From the low end to the high one.
    Forward,
    /// From the high end to the low one.
    Backward,
}

impl FlowKey {
    /// The conversation of a packet from `source` to `destination`, and which way along it the packet goes.
    pub fn new(protocol: IpProtocol, source: FlowEnd, destination: FlowEnd) -> (Self, Way) {
        if source <= destination {
            (Self { protocol, low: source, high: destination }, Way::Forward)
        } else {
            (Self { protocol, low: destination, high: source }, Way::Backward)
        }
    }

    /// What it speaks.
    pub const fn protocol(&self) -> IpProtocol {
        self.protocol
    }

    /// Both ends, the lower address (then port) first.
    pub const fn ends(&self) -> [FlowEnd; 2] {
        [self.low, self.high]
    }
}

impl Packet<'_> {
    /// The conversation of the outermost IP packet; `None` without IP, and for later fragments, which have no ports.
    pub fn flow(&self) -> Option<(FlowKey, Way)> {
        self.ip()?.flow()
    }
}

impl Ip<'_> {
    /// The conversation of this packet; `None` for later fragments and cut headers, whose ports are not known.
    pub fn flow(&self) -> Option<(FlowKey, Way)> {
        let (source_port, destination_port) = match &self.transport {
            Transport::LaterFragment | Transport::Unread { ports: None, .. } => return None,
            Transport::Icmp(icmp) => icmp.echo().map(|(id, _)| (id, id)).unwrap_or_default(),
            Transport::Icmpv6(icmp) => icmp.echo().map(|(id, _)| (id, id)).unwrap_or_default(),
            transport => transport.ports().unwrap_or_default(),
        };
        let source = FlowEnd { address: self.header.source, port: source_port };
        let destination = FlowEnd { address: self.header.destination, port: destination_port };
        Some(FlowKey::new(self.header.protocol, source, destination))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_have_one_key() {
        let client = FlowEnd { address: [10, 0, 0, 2].into(), port: 50_000 };
        let server = FlowEnd { address: [10, 0, 0, 1].into(), port: 80 };
        let (there, way_there) = FlowKey::new(IpProtocol::TCP, client, server);
        let (back, way_back) = FlowKey::new(IpProtocol::TCP, server, client);
        assert_eq!(there, back);
        assert_eq!((way_there, way_back), (Way::Backward, Way::Forward));
        assert_eq!(there.ends(), [server, client]);
        assert_ne!(there, FlowKey::new(IpProtocol::UDP, client, server).0);
    }
}
