//! One line for one packet.

use std::fmt;

use super::decode::Packet;
use super::names::Names;
use super::sequence::SequenceBase;
use super::text::Text;

/// A packet's line, without time and interface: tcpdump's words, with names where they are known.
///
/// Besides them, in round brackets, what tcpdump shows with `-v` only and a container's user asks for first: the host
/// of an HTTP request, the packet that an ICMP error quotes, the hardware address that neighbour discovery tells. No
/// control character ever stands in it.
#[derive(Debug, Clone, Copy)]
pub struct Summary<'p, 'a, 'n> {
    packet: &'p Packet<'a>,
    style: Style<'n>,
}

/// Whether a line begins with the Ethernet header (tcpdump's `-e`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LinkHeader {
    /// Without.
    #[default]
    Hide,
    /// `02:42:ac:11:00:02 > 02:42:ac:11:00:03, ethertype IPv4 (0x0800), length 74: …`, VLAN tags included.
    Show,
}

/// How the layers write themselves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style<'n> {
    pub(crate) names: Names<'n>,
    pub(crate) sequence: SequenceBase,
    link: LinkHeader,
}

impl Style<'_> {
    /// Whether a network layer tells its own type, because no link header does.
    pub(crate) fn names_type(self) -> bool {
        self.link == LinkHeader::Hide
    }

    /// The style of what lies inside a tunnel.
    pub(crate) const fn inner(self) -> Self {
        Self { link: LinkHeader::Hide, ..self }
    }
}

impl<'p, 'a, 'n> Summary<'p, 'a, 'n> {
    /// With numbers for addresses, sequence numbers as sent, and no link header.
    pub fn new(packet: &'p Packet<'a>) -> Self {
        let style =
            Style { names: Names::NUMERIC, sequence: SequenceBase::default(), link: LinkHeader::default() };
        Self { packet, style }
    }

    /// With these names for addresses.
    #[must_use]
    pub const fn names(mut self, names: Names<'n>) -> Self {
        self.style.names = names;
        self
    }

    /// With sequence numbers relative to these.
    #[must_use]
    pub const fn sequence(mut self, base: SequenceBase) -> Self {
        self.style.sequence = base;
        self
    }

    /// With or without the Ethernet header.
    #[must_use]
    pub const fn link_header(mut self, link: LinkHeader) -> Self {
        self.style.link = link;
        self
    }
}

impl Summary<'_, '_, '_> {
    /// Writes it; into a `String` this is much faster than by way of `Display`.
    pub fn describe(&self, f: &mut impl Text) -> fmt::Result {
        if let (LinkHeader::Show, Some(ethernet)) = (self.style.link, &self.packet.ethernet) {
            ethernet.describe(f, self.packet.original_len)?;
        }
        self.packet.network.describe(f, self.style)
    }
}

impl fmt::Display for Summary<'_, '_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f)
    }
}
