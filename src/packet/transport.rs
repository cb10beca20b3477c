//! What an IP packet carries.

use std::fmt;

use super::application::Ends;
use super::decode::Unread;
use super::icmp::Icmp;
use super::icmpv6::Icmpv6;
use super::igmp::Igmp;
use super::ip::{Ip, IpHeader};
use super::ip_protocol::IpProtocol;
use super::summary::Style;
use super::tcp::Tcp;
use super::text::Text;
use super::tunnel::{Esp, Gre, Sctp};
use super::udp::Udp;
use super::wire::Wire;

/// What an IP packet carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport<'a> {
    /// TCP.
    Tcp(Tcp<'a>),
    /// UDP.
    Udp(Udp<'a>),
    /// SCTP.
    Sctp(Sctp),
    /// ICMP of IPv4.
    Icmp(Icmp),
    /// ICMP of IPv6, neighbour discovery and multicast listeners included.
    Icmpv6(Icmpv6),
    /// Multicast groups of IPv4.
    Igmp(Igmp),
    /// A tunnel of any protocol.
    Gre(Gre<'a>),
    /// An encrypted payload.
    Esp(Esp),
    /// IP in IP.
    Tunnel(Box<Ip<'a>>),
    /// A later part of a larger packet, without the transport's header.
    LaterFragment,
    /// Any other protocol: bytes after the headers.
    Other {
        /// Bytes on the wire.
        length: usize,
    },
    /// A header that could not be read.
    Unread {
        /// Which, and why not.
        unread: Unread,
        /// Source and destination port, where these were captured all the same.
        ports: Option<(u16, u16)>,
    },
}

impl<'a> Transport<'a> {
    /// Reads what the headers announce.
    #[expect(
        clippy::inline_always,
        reason = "a struct that was just made is slow to move: it waits for its stores"
    )]
    #[inline(always)]
    pub(crate) fn read(header: &IpHeader, wire: Wire<'a>, nesting: u8) -> Self {
        if header.is_later_fragment() {
            return Self::LaterFragment;
        }
        let unread = |layer| Self::Unread {
            unread: Unread::new(layer, wire),
            ports: header.protocol.read_ports(wire),
        };
        match header.protocol {
            IpProtocol::TCP => match Tcp::read(Ends::of(header), wire) {
                Some(tcp) => Self::Tcp(tcp),
                None => unread("tcp"),
            },
            IpProtocol::UDP => match Udp::read(Ends::of(header), wire, nesting) {
                Some(udp) => Self::Udp(udp),
                None => unread("udp"),
            },
            IpProtocol::SCTP => Sctp::read(wire).map_or_else(|| unread("sctp"), Self::Sctp),
            IpProtocol::ICMP => Icmp::read(wire).map_or_else(|| unread("icmp"), Self::Icmp),
            IpProtocol::ICMPV6 => Icmpv6::read(wire).map_or_else(|| unread("icmp6"), Self::Icmpv6),
            IpProtocol::IGMP => Igmp::read(wire).map_or_else(|| unread("igmp"), Self::Igmp),
            IpProtocol::GRE => Gre::read(wire, nesting).map_or_else(|| unread("gre"), Self::Gre),
            IpProtocol::ESP => Esp::read(wire).map_or_else(|| unread("esp"), Self::Esp),
            IpProtocol::AUTHENTICATION => unread("ah"),
            protocol if protocol.is_extension() && header.version() == 6 => unread("ip6-ext"),
            IpProtocol::IPV4 | IpProtocol::IPV6 if nesting > 0 => {
                Self::read_tunnel(wire, nesting - 1).map_or_else(|| unread("ip"), Self::Tunnel)
            }
            _ => Self::Other { length: wire.length() },
        }
    }

    /// By itself, so that reading has an end for the compiler, which puts all the rest into one function.
    #[inline(never)]
    fn read_tunnel(wire: Wire<'a>, nesting: u8) -> Option<Box<Ip<'a>>> {
        Ip::read(wire, nesting).map(Box::new)
    }

    /// Source and destination port.
    pub const fn ports(&self) -> Option<(u16, u16)> {
        match self {
            Self::Tcp(tcp) => Some((tcp.source, tcp.destination)),
            Self::Udp(udp) => Some((udp.source, udp.destination)),
            Self::Sctp(sctp) => Some((sctp.source, sctp.destination)),
            Self::Unread { ports, .. } => *ports,
            _ => None,
        }
    }

    /// The IP packet inside a tunnel.
    pub fn inner_ip(&self) -> Option<&Ip<'a>> {
        match self {
            Self::Tunnel(ip) => Some(ip),
            Self::Gre(gre) => gre.frame()?.ip(),
            Self::Udp(udp) => udp.vxlan()?.frame.ip(),
            _ => None,
        }
    }

    /// Writes the layer and everything above it; addresses and ports stand before it already.
    pub(crate) fn describe(&self, f: &mut impl Text, header: &IpHeader, style: Style<'_>) -> fmt::Result {
        match self {
            Self::Tcp(tcp) => tcp.describe(f, style),
            Self::Udp(udp) => udp.describe(f, header, style),
            Self::Sctp(sctp) => write!(f, "{sctp}"),
            Self::Icmp(icmp) => icmp.describe(f, style),
            Self::Icmpv6(icmp) => icmp.describe(f, style),
            Self::Igmp(igmp) => igmp.describe(f, style),
            Self::Gre(gre) => gre.describe(f, style),
            Self::Esp(esp) => write!(f, "{esp}"),
            Self::Tunnel(ip) => ip.describe(f, style.inner()),
            Self::LaterFragment => write!(f, "{}", header.protocol),
            Self::Other { .. } if header.protocol == IpProtocol::NO_NEXT_HEADER => {
                f.write_str("no next header")
            }
            Self::Other { length } => write!(f, "{}, length {length}", header.protocol),
            Self::Unread { unread, .. } => write!(f, "{unread}"),
        }
    }
}
