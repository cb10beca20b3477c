//! A frame taken apart: link layer, network layer, and through them everything above.

use std::fmt;

use etherparse::ether_type;

use super::arp::Arp;
use super::ethernet::{EtherType, Ethernet};
use super::ip::Ip;
use super::llc::Llc;
use super::summary::Style;
use super::text::Text;
use super::wire::Wire;

/// How many packets may lie inside each other (VXLAN, GRE, IP in IP) before the rest is left unread.
const MAX_NESTING: u8 = 4;

/// One frame, taken apart as far as it was captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<'a> {
    /// How many bytes are here.
    pub captured: usize,
    /// How many bytes there were on the wire.
    pub original_len: usize,
    /// The link layer; `None` where fewer than 14 bytes were captured, and in a tunnel without one.
    pub ethernet: Option<Ethernet<'a>>,
    /// What the link layer carries.
    pub network: Network<'a>,
}

/// What a frame carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network<'a> {
    /// Address resolution.
    Arp(Arp),
    /// IPv4 or IPv6.
    Ip(Ip<'a>),
    /// An 802.3 frame, spanning tree for the most part.
    Llc(Llc),
    /// Any other type.
    Other {
        /// Its number.
        ether_type: EtherType,
        /// Bytes after the link layer.
        length: usize,
    },
    /// A header that could not be read.
    Unread(Unread),
}

/// A header that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unread {
    /// The layer, in tcpdump's words: `ether`, `vlan`, `arp`, `ip`, `tcp`, `udp`, …
    pub layer: &'static str,
    /// The capture was cut inside the header; otherwise the packet itself is malformed.
    pub cut: bool,
}

/// Takes a frame apart that begins with an Ethernet header.
///
/// `bytes` are those captured, `original_len` is the length on the wire (at least that of `bytes`).
pub fn decode(bytes: &[u8], original_len: u32) -> Packet<'_> {
    let length = usize::try_from(original_len).unwrap_or(usize::MAX);
    Packet::read(Wire::new(bytes, length), MAX_NESTING)
}

impl<'a> Packet<'a> {
    /// Reads a frame that may hold `nesting` further ones.
    pub(crate) fn read(mut wire: Wire<'a>, nesting: u8) -> Self {
        let whole = wire;
        let ethernet = Ethernet::read(&mut wire);
        let network = match &ethernet {
            Some(ethernet) => Network::read(ethernet.ether_type, wire, nesting),
            None => Network::Unread(Unread::new("ether", whole)),
        };
        Self { captured: whole.bytes().len(), original_len: whole.length(), ethernet, network }
    }

    /// Reads a packet that has no link layer, as tunnels hold them.
    pub(crate) fn without_link(ether_type: EtherType, wire: Wire<'a>, nesting: u8) -> Self {
        let network = Network::read(ether_type, wire, nesting);
        Self { captured: wire.bytes().len(), original_len: wire.length(), ethernet: None, network }
    }

    /// The outermost IP packet.
    pub const fn ip(&self) -> Option<&Ip<'a>> {
        match &self.network {
            Network::Ip(ip) => Some(ip),
            _ => None,
        }
    }

    /// The innermost IP packet: that of a container where this one is a tunnel's.
    pub fn innermost_ip(&self) -> Option<&Ip<'a>> {
        self.ip().map(Ip::innermost)
    }

    /// Whether the frame is not here as a whole.
    pub const fn is_cut(&self) -> bool {
        self.captured < self.original_len
    }
}

impl<'a> Network<'a> {
    /// Reads what a type announces.
    #[expect(
        clippy::inline_always,
        reason = "a struct that was just made is slow to move: it waits for its stores"
    )]
    #[inline(always)]
    pub(crate) fn read(ether_type: EtherType, wire: Wire<'a>, nesting: u8) -> Self {
        let unread = |layer| Self::Unread(Unread::new(layer, wire));
        match etherparse::EtherType(ether_type.0) {
            ether_type::ARP => Arp::read(wire).map_or_else(|| unread("arp"), Self::Arp),
            version @ (ether_type::IPV4 | ether_type::IPV6) => {
                let name = || if version == ether_type::IPV4 { "ip" } else { "ip6" };
                Ip::read(wire, nesting).map_or_else(|| unread(name()), Self::Ip)
            }
            _ if ether_type.is_length() => {
                Llc::read(ether_type, wire).map_or_else(|| unread("llc"), Self::Llc)
            }
            _ if ether_type.is_tag() => unread("vlan"),
            _ => Self::Other { ether_type, length: wire.length() },
        }
    }

    /// Writes the layer and everything above it.
    pub(crate) fn describe(&self, f: &mut impl Text, style: Style<'_>) -> fmt::Result {
        match self {
            Self::Arp(arp) => arp.describe(f, style),
            Self::Ip(ip) => ip.describe(f, style),
            Self::Llc(llc) => write!(f, "{llc}"),
            Self::Other { ether_type, length } if style.names_type() => {
                write!(f, "{ether_type}, length {length}")
            }
            Self::Other { length, .. } => write!(f, "length {length}"),
            Self::Unread(unread) => write!(f, "{unread}"),
        }
    }
}

impl Unread {
    /// The header of `layer` could not be read from `wire`.
    pub(crate) const fn new(layer: &'static str, wire: Wire<'_>) -> Self {
        Self { layer, cut: wire.is_cut() }
    }
}

/// `[|tcp]` for a cut header as tcpdump marks it, `(invalid tcp)` for a malformed one.
impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.cut { write!(f, "[|{}]", self.layer) } else { write!(f, "(invalid {})", self.layer) }
    }
}
