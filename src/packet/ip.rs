//! IPv4 and IPv6: the header, the extension headers, and fragments (which are shown and not put together).

use std::{fmt, net::IpAddr};

use etherparse::{
    IpAuthHeaderSlice, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice,
    ip_number,
};

use super::digits::decimal;
use super::ip_protocol::IpProtocol;
use super::names::Named;
use super::summary::Style;
use super::text::Text;
use super::transport::Transport;
use super::wire::Wire;

/// More extension headers than this are nobody's honest packet.
const MAX_EXTENSIONS: usize = 8;

/// An IP packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ip<'a> {
    /// Its headers.
    pub header: IpHeader,
    /// What it carries.
    pub transport: Transport<'a>,
}

/// What the header and the extension headers of either version say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpHeader {
    /// Sender, which also tells the version.
    pub source: IpAddr,
    /// Receiver.
    pub destination: IpAddr,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// DSCP in the upper six bits, ECN in the lower two.
    pub traffic_class: u8,
    /// Routers must not fragment it (always so in IPv6).
    pub dont_fragment: bool,
    /// Length of IPv4 options in bytes.
    pub options_len: usize,
    /// Extension headers in their order, fragmentation apart; an authentication header in IPv4 too.
    pub extensions: Vec<Extension>,
    /// Which part of a larger packet this is.
    pub fragment: Option<Fragment>,
    /// What follows all the headers.
    pub protocol: IpProtocol,
    /// Bytes on the wire after all the headers, without padding.
    pub payload_len: usize,
    /// How many bytes the header announces that were never sent.
    pub missing: usize,
}

/// A header between the IPv6 header and the transport's (RFC 8200, 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extension {
    /// Options for every router.
    HopByHop,
    /// Options for the receiver.
    DestinationOptions,
    /// A list of routers to pass.
    Routing,
    /// The payload is signed (RFC 4302).
    Authentication {
        /// Security parameters index.
        spi: u32,
        /// Sequence number.
        sequence: u32,
    },
}

/// A part of a larger packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// The same in all parts.
    pub id: u32,
    /// Where in the whole payload this part begins, in bytes.
    pub offset: usize,
    /// Whether parts follow.
    pub more: bool,
}

impl<'a> Ip<'a> {
    /// Reads a packet of either version that may hold `nesting` further ones.
    #[expect(
        clippy::inline_always,
        reason = "a struct that was just made is slow to move: it waits for its stores"
    )]
    #[inline(always)]
    pub(crate) fn read(mut wire: Wire<'a>, nesting: u8) -> Option<Self> {
        let header = IpHeader::read(&mut wire)?;
        let transport = Transport::read(&header, wire, nesting);
        Some(Self { header, transport })
    }

    /// The packet inside all tunnels.
    pub fn innermost(&self) -> &Self {
        self.transport.inner_ip().map_or(self, Ip::innermost)
    }

    /// Writes the packet as tcpdump does.
    pub(crate) fn describe(&self, f: &mut impl Text, style: Style<'_>) -> fmt::Result {
        let header = &self.header;
        if style.names_type() {
            f.write_str(if header.source.is_ipv4() { "IP " } else { "IP6 " })?;
        }
        if header.missing > 0 {
            write!(f, "truncated-ip - {} bytes missing! ", header.missing)?;
        }
        let ports = self.transport.ports().unzip();
        describe_end(f, style.names.show(header.source), ports.0)?;
        f.write_str(" > ")?;
        describe_end(f, style.names.show(header.destination), ports.1)?;
        f.write_str(": ")?;
        for extension in &header.extensions {
            write!(f, "{extension} ")?;
        }
        if let Some(fragment) = header.fragment {
            write!(f, "frag ({}|{}) ", fragment.offset, header.payload_len)?;
        }
        self.transport.describe(f, header, style)
    }
}

impl IpHeader {
    /// Reads the headers of either version and leaves `wire` at what they carry.
    #[expect(
        clippy::inline_always,
        reason = "a struct that was just made is slow to move: it waits for its stores"
    )]
    #[inline(always)]
    pub(crate) fn read(wire: &mut Wire<'_>) -> Option<Self> {
        let version = wire.bytes().first()? >> 4;
        match version {
            4 => Self::read_v4(wire),
            6 => Self::read_v6(wire),
            _ => None,
        }
    }

    #[expect(
        clippy::inline_always,
        reason = "a struct that was just made is slow to move: it waits for its stores"
    )]
    #[inline(always)]
    fn read_v4(wire: &mut Wire<'_>) -> Option<Self> {
        let header = Ipv4HeaderSlice::from_slice(wire.bytes()).ok()?;
        let header_len = header.slice().len();
        let total_len = usize::from(header.total_len());
        wire.skip(header_len);
        // Zero is a packet above 64 KiB that the kernel has not yet cut up (BIG TCP): it ends where the frame ends.
        let announced = total_len.checked_sub(header_len).unwrap_or(wire.length());
        let fragment = header.is_fragmenting_payload().then(|| Fragment {
            id: header.identification().into(),
            offset: usize::from(header.fragments_offset().value()) * 8,
            more: header.more_fragments(),
        });
        let missing = announced.saturating_sub(wire.length());
        *wire = wire.limited(announced);
        let protocol = IpProtocol(header.protocol().0);
        let (extensions, fragment, protocol) = match protocol {
            IpProtocol::AUTHENTICATION => {
                let chain = Chain::read(protocol, fragment, wire);
                (chain.extensions, chain.fragment, chain.protocol)
            }
            _ => (Vec::new(), fragment, protocol),
        };
        Some(Self {
            source: header.source_addr().into(),
            destination: header.destination_addr().into(),
            ttl: header.ttl(),
            traffic_class: header.dcp().value() << 2 | header.ecn().value(),
            dont_fragment: header.dont_fragment(),
            options_len: header.options().len(),
            extensions,
            fragment,
            protocol,
            payload_len: wire.length(),
            missing,
        })
    }

    #[expect(
        clippy::inline_always,
        reason = "a struct that was just made is slow to move: it waits for its stores"
    )]
    #[inline(always)]
    fn read_v6(wire: &mut Wire<'_>) -> Option<Self> {
        let header = Ipv6HeaderSlice::from_slice(wire.bytes()).ok()?;
        wire.skip(header.slice().len());
        let announced = match header.payload_length() {
            0 if header.next_header() != ip_number::IPV6_NO_NEXT_HEADER => wire.length(), // a jumbogram
            length => length.into(),
        };
        let missing = announced.saturating_sub(wire.length());
        *wire = wire.limited(announced);
        let protocol = IpProtocol(header.next_header().0);
        let (extensions, fragment, protocol) = match protocol {
            IpProtocol::TCP | IpProtocol::UDP => (Vec::new(), None, protocol),
            _ => {
                let chain = Chain::read(protocol, None, wire);
                (chain.extensions, chain.fragment, chain.protocol)
            }
        };
        Some(Self {
            source: header.source_addr().into(),
            destination: header.destination_addr().into(),
            ttl: header.hop_limit(),
            traffic_class: header.traffic_class(),
            dont_fragment: true,
            options_len: 0,
            extensions,
            fragment,
            protocol,
            payload_len: wire.length(),
            missing,
        })
    }

    /// Whether this part of a larger packet does not hold the transport's header.
    pub fn is_later_fragment(&self) -> bool {
        is_later(self.fragment)
    }

    /// 4 or 6.
    pub const fn version(&self) -> u8 {
        if self.source.is_ipv4() { 4 } else { 6 }
    }
}

/// What the headers between the first and the transport's say, as far as they have been read. Most packets have none, and
/// do without it.
struct Chain {
    extensions: Vec<Extension>,
    fragment: Option<Fragment>,
    /// What follows.
    protocol: IpProtocol,
}

impl Chain {
    /// Reads extension headers until something else follows; one that cannot be read stays the protocol.
    fn read(protocol: IpProtocol, fragment: Option<Fragment>, wire: &mut Wire<'_>) -> Self {
        let mut chain = Self { extensions: Vec::new(), fragment, protocol };
        while chain.extensions.len() < MAX_EXTENSIONS && !is_later(chain.fragment) {
            if chain.read_next(wire).is_none() {
                break;
            }
        }
        chain
    }

    fn read_next(&mut self, wire: &mut Wire<'_>) -> Option<()> {
        let (next, length) = match self.protocol {
            IpProtocol::FRAGMENT => {
                let header = Ipv6FragmentHeaderSlice::from_slice(wire.bytes()).ok()?;
                self.fragment = Some(Fragment {
                    id: header.identification(),
                    offset: usize::from(header.fragment_offset().value()) * 8,
                    more: header.more_fragments(),
                });
                (header.next_header(), header.slice().len())
            }
            IpProtocol::AUTHENTICATION => {
                let header = IpAuthHeaderSlice::from_slice(wire.bytes()).ok()?;
                let (spi, sequence) = (header.spi(), header.sequence_number());
                self.extensions.push(Extension::Authentication { spi, sequence });
                (header.next_header(), header.slice().len())
            }
            protocol => {
                let extension = Extension::options(protocol)?;
                let header = Ipv6RawExtHeaderSlice::from_slice(wire.bytes()).ok()?;
                self.extensions.push(extension);
                (header.next_header(), header.slice().len())
            }
        };
        self.protocol = IpProtocol(next.0);
        wire.skip(length);
        Some(())
    }
}

fn is_later(fragment: Option<Fragment>) -> bool {
    fragment.is_some_and(|fragment| fragment.offset > 0)
}

fn describe_end(f: &mut impl Text, address: Named<'_>, port: Option<u16>) -> fmt::Result {
    address.describe(f)?;
    let Some(port) = port else { return Ok(()) };
    f.write_str(".")?;
    decimal(f, port)
}

impl Extension {
    /// The headers that only hold options or a list of routers.
    const fn options(protocol: IpProtocol) -> Option<Self> {
        match protocol {
            IpProtocol::HOP_BY_HOP => Some(Self::HopByHop),
            IpProtocol::ROUTING => Some(Self::Routing),
            IpProtocol::DESTINATION_OPTIONS => Some(Self::DestinationOptions),
            _ => None,
        }
    }
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HopByHop => f.write_str("HBH"),
            Self::DestinationOptions => f.write_str("DSTOPT"),
            Self::Routing => f.write_str("RT6"),
            Self::Authentication { spi, sequence } => write!(f, "AH(spi={spi:#010x},seq={sequence:#x}):"),
        }
    }
}
