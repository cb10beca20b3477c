//! Which application protocol a payload speaks, told from its ports or its first bytes; segments are not put together.

use std::{fmt, net::IpAddr};

use super::dhcp::Dhcp;
use super::dns::{Dns, DnsTransport};
use super::http::Http;
use super::ip::IpHeader;
use super::summary::Style;
use super::text::Text;
use super::tls::Tls;
use super::tunnel::Vxlan;
use super::wire::Wire;

/// Where Docker's own DNS server listens inside a container, on a random port behind port 53.
const DOCKER_DNS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 11));
const DNS: u16 = 53;
const MULTICAST_DNS: u16 = 5353;
const DHCP_SERVER: u16 = 67;
const DHCP_CLIENT: u16 = 68;
const VXLAN: u16 = 4789;

/// What a payload is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Application<'a> {
    /// A question or an answer.
    Dns(Dns<'a>),
    /// The beginning of a handshake, or an alert.
    Tls(Tls<'a>),
    /// The beginning of a request or a response.
    Http(Http<'a>),
    /// An address is asked for or given.
    Dhcp(Dhcp),
    /// Another frame.
    Vxlan(Vxlan<'a>),
}

/// What the addresses say of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// That it comes from Docker's DNS server or goes there, on whatever port.
    DockerDns,
    /// Nothing.
    Others,
}

impl Ends {
    /// Those in `header`.
    pub(crate) fn of(header: &IpHeader) -> Self {
        if header.source == DOCKER_DNS || header.destination == DOCKER_DNS {
            Self::DockerDns
        } else {
            Self::Others
        }
    }
}

impl<'a> Application<'a> {
    /// What the data of a segment between `ports` is.
    pub(crate) fn over_tcp(ports: (u16, u16), ends: Ends, wire: Wire<'a>) -> Option<Self> {
        if wire.bytes().is_empty() {
            return None;
        }
        if is_dns(ports, ends)
            && let Some(dns) = Dns::read(wire, DnsTransport::Stream)
        {
            return Some(Self::Dns(dns));
        }
        Http::read(wire).map(Self::Http).or_else(|| Tls::read(wire).map(Self::Tls))
    }

    /// What a datagram between `ports` is, which may hold `nesting` further frames.
    #[expect(
        clippy::inline_always,
        reason = "a struct that was just made is slow to move: it waits for its stores"
    )]
    #[inline(always)]
    pub(crate) fn over_udp(ports: (u16, u16), ends: Ends, wire: Wire<'a>, nesting: u8) -> Option<Self> {
        let either = |port| ports.0 == port || ports.1 == port;
        if either(MULTICAST_DNS) {
            return Dns::read(wire, DnsTransport::Multicast).map(Self::Dns);
        }
        if is_dns(ports, ends) {
            return Dns::read(wire, DnsTransport::Datagram).map(Self::Dns);
        }
        if either(DHCP_SERVER) || either(DHCP_CLIENT) {
            return Dhcp::read(wire).map(Self::Dhcp);
        }
        if ports.1 == VXLAN {
            return Vxlan::read(wire, nesting).map(Self::Vxlan);
        }
        None
    }

    /// Writes what tcpdump prints after the port's colon, or of its own where tcpdump prints nothing.
    pub(crate) fn describe(&self, f: &mut impl Text, style: Style<'_>) -> fmt::Result {
        match self {
            Self::Dns(dns) => write!(f, "{dns}"),
            Self::Tls(tls) => write!(f, "{tls}"),
            Self::Http(http) => write!(f, "{http}"),
            Self::Dhcp(dhcp) => write!(f, "{dhcp}"),
            Self::Vxlan(vxlan) => vxlan.describe(f, style),
        }
    }
}

fn is_dns(ports: (u16, u16), ends: Ends) -> bool {
    ports.0 == DNS || ports.1 == DNS || ends == Ends::DockerDns
}
