//! The packet that an ICMP error quotes: whose it was, as far as eight bytes after the IP header tell.

use std::{fmt, net::IpAddr};

use super::ip::IpHeader;
use super::ip_protocol::IpProtocol;
use super::names::Names;
use super::text::Text;
use super::wire::Wire;

/// The beginning of the packet that an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    /// Who sent it: the one that the error is sent to.
    pub source: IpAddr,
    /// Whom it was for.
    pub destination: IpAddr,
    /// What it carried.
    pub protocol: IpProtocol,
    /// Source and destination port, for protocols that have them.
    pub ports: Option<(u16, u16)>,
}

impl Quote {
    /// Reads what follows the header of an ICMP error.
    pub(crate) fn read(mut wire: Wire<'_>) -> Option<Self> {
        let header = IpHeader::read(&mut wire)?;
        let ports = if header.is_later_fragment() { None } else { header.protocol.read_ports(wire) };
        Some(Self {
            source: header.source,
            destination: header.destination,
            protocol: header.protocol,
            ports,
        })
    }

    /// Writes ` (quoting 10.0.0.1.4000 > 10.0.0.2.53 udp)`.
    pub(crate) fn describe(&self, f: &mut impl Text, names: Names<'_>) -> fmt::Result {
        let (source, destination) = (names.show(self.source), names.show(self.destination));
        match self.ports {
            Some((from, to)) => {
                write!(f, " (quoting {source}.{from} > {destination}.{to} {})", self.protocol)
            }
            None => write!(f, " (quoting {source} > {destination} {})", self.protocol),
        }
    }
}
