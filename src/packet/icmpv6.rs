//! ICMP of IPv6: echoes, errors (RFC 4443), neighbour discovery (RFC 4861) and multicast listeners (RFC 2710, 3810).

use std::{fmt, net::Ipv6Addr};

use crate::model::Mac;

use super::names::Names;
use super::quote::Quote;
use super::summary::Style;
use super::text::Text;
use super::wire::Wire;

/// An ICMPv6 message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Icmpv6 {
    /// Its type's number.
    pub type_number: u8,
    /// Its code's number.
    pub code: u8,
    /// What it says.
    pub kind: Icmpv6Kind,
    /// Bytes on the wire, ICMPv6 header included.
    pub length: usize,
}

/// What an ICMPv6 message says. A quote is `None` where its packet's header was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icmpv6Kind {
    /// The quoted packet did not arrive; the code says why.
    Unreachable(Option<Quote>),
    /// The quoted packet is larger than the next link's MTU in bytes.
    TooBig(u32, Option<Quote>),
    /// The quoted packet went too far (code 0), or its parts took too long (code 1).
    TimeExceeded(Option<Quote>),
    /// The quoted packet is wrong at this byte.
    ParameterProblem(u32, Option<Quote>),
    /// A ping: identifier and sequence number.
    EchoRequest(u16, u16),
    /// The answer to a ping: identifier and sequence number.
    EchoReply(u16, u16),
    /// Is there a router? With the asker's hardware address.
    RouterSolicitation(Option<Mac>),
    /// Here is a router. With its hardware address.
    RouterAdvertisement(Option<Mac>),
    /// Who has the address? With the asker's hardware address.
    NeighborSolicitation(Ipv6Addr, Option<Mac>),
    /// The address is here. With its hardware address.
    NeighborAdvertisement(Ipv6Addr, Option<Mac>),
    /// To reach the second address, send to the first.
    Redirect(Ipv6Addr, Ipv6Addr),
    /// Who listens to the group (all groups: unspecified)?
    ListenerQuery(Ipv6Addr),
    /// The sender listens to the group.
    ListenerReport(Ipv6Addr),
    /// The sender listens no longer.
    ListenerDone(Ipv6Addr),
    /// Changes of this many groups (RFC 3810).
    ListenerReportV2(u16),
    /// Any other type.
    Other,
}

impl Icmpv6 {
    /// Reads a message of which all but the quote and the options was captured.
    pub(crate) fn read(mut wire: Wire<'_>) -> Option<Self> {
        let length = wire.length();
        let [type_number, code, _, _] = wire.array()?;
        let rest = wire.u32()?;
        let id = u16::from_be_bytes(*rest.to_be_bytes().first_chunk()?);
        let sequence = u16::from_be_bytes(*rest.to_be_bytes().last_chunk()?);
        let kind = match type_number {
            1 => Icmpv6Kind::Unreachable(Quote::read(wire)),
            2 => Icmpv6Kind::TooBig(rest, Quote::read(wire)),
            3 => Icmpv6Kind::TimeExceeded(Quote::read(wire)),
            4 => Icmpv6Kind::ParameterProblem(rest, Quote::read(wire)),
            128 => Icmpv6Kind::EchoRequest(id, sequence),
            129 => Icmpv6Kind::EchoReply(id, sequence),
            130 => Icmpv6Kind::ListenerQuery(address(&mut wire)?),
            131 => Icmpv6Kind::ListenerReport(address(&mut wire)?),
            132 => Icmpv6Kind::ListenerDone(address(&mut wire)?),
            133 => Icmpv6Kind::RouterSolicitation(link_address(wire)),
            134 => {
                wire.skip(8); // the two timers
                Icmpv6Kind::RouterAdvertisement(link_address(wire))
            }
            135 => Icmpv6Kind::NeighborSolicitation(address(&mut wire)?, link_address(wire)),
            136 => Icmpv6Kind::NeighborAdvertisement(address(&mut wire)?, link_address(wire)),
            137 => Icmpv6Kind::Redirect(address(&mut wire)?, address(&mut wire)?),
            143 => Icmpv6Kind::ListenerReportV2(sequence),
            _ => Icmpv6Kind::Other,
        };
        Some(Self { type_number, code, kind, length })
    }

    /// The packet that an error is about.
    pub const fn quote(&self) -> Option<&Quote> {
        match &self.kind {
            Icmpv6Kind::Unreachable(quote)
            | Icmpv6Kind::TooBig(_, quote)
            | Icmpv6Kind::TimeExceeded(quote)
            | Icmpv6Kind::ParameterProblem(_, quote) => quote.as_ref(),
            _ => None,
        }
    }

    /// Identifier and sequence number of an echo.
    pub const fn echo(&self) -> Option<(u16, u16)> {
        match self.kind {
            Icmpv6Kind::EchoRequest(id, sequence) | Icmpv6Kind::EchoReply(id, sequence) => {
                Some((id, sequence))
            }
            _ => None,
        }
    }

    /// The address that neighbour discovery asks for or tells.
    pub const fn target(&self) -> Option<Ipv6Addr> {
        match self.kind {
            Icmpv6Kind::NeighborSolicitation(target, _) | Icmpv6Kind::NeighborAdvertisement(target, _) => {
                Some(target)
            }
            _ => None,
        }
    }

    /// The hardware address in an option of neighbour discovery.
    pub const fn link_address(&self) -> Option<Mac> {
        match self.kind {
            Icmpv6Kind::RouterSolicitation(mac)
            | Icmpv6Kind::RouterAdvertisement(mac)
            | Icmpv6Kind::NeighborSolicitation(_, mac)
            | Icmpv6Kind::NeighborAdvertisement(_, mac) => mac,
            _ => None,
        }
    }

    /// Writes the message as tcpdump does, with the hardware address and whose packet an error quotes.
    pub(crate) fn describe(&self, f: &mut impl Text, style: Style<'_>) -> fmt::Result {
        f.write_str("ICMP6, ")?;
        self.describe_kind(f, style.names)?;
        write!(f, ", length {}", self.length)?;
        if let Some(mac) = self.link_address() {
            write!(f, " (lladdr {mac})")?;
        }
        self.quote().map_or(Ok(()), |quote| quote.describe(f, style.names))
    }

    fn describe_kind(&self, f: &mut impl Text, names: Names<'_>) -> fmt::Result {
        match self.kind {
            Icmpv6Kind::Unreachable(quote) => describe_unreachable(f, self.code, quote.as_ref(), names),
            Icmpv6Kind::TooBig(mtu, _) => write!(f, "packet too big, mtu {mtu}"),
            Icmpv6Kind::TimeExceeded(Some(quote)) if self.code == 0 => {
                write!(f, "time exceeded in-transit for {}", names.show(quote.destination))
            }
            Icmpv6Kind::TimeExceeded(_) if self.code == 0 => f.write_str("time exceeded in-transit"),
            Icmpv6Kind::TimeExceeded(_) => f.write_str("time exceeded in-transit (reassembly)"),
            Icmpv6Kind::ParameterProblem(octet, _) => {
                let what = match self.code {
                    0 => "erroneous",
                    1 => "next header",
                    2 => "option",
                    _ => "other",
                };
                write!(f, "parameter problem, {what} - octet {octet}")
            }
            Icmpv6Kind::EchoRequest(id, sequence) => write!(f, "echo request, id {id}, seq {sequence}"),
            Icmpv6Kind::EchoReply(id, sequence) => write!(f, "echo reply, id {id}, seq {sequence}"),
            Icmpv6Kind::RouterSolicitation(_) => f.write_str("router solicitation"),
            Icmpv6Kind::RouterAdvertisement(_) => f.write_str("router advertisement"),
            Icmpv6Kind::NeighborSolicitation(target, _) => {
                write!(f, "neighbor solicitation, who has {}", names.show(target))
            }
            Icmpv6Kind::NeighborAdvertisement(target, _) => {
                write!(f, "neighbor advertisement, tgt is {}", names.show(target))
            }
            Icmpv6Kind::Redirect(gateway, target) => {
                write!(f, "redirect, {} to {}", names.show(target), names.show(gateway))
            }
            Icmpv6Kind::ListenerQuery(group) => write!(f, "multicast listener query, group {group}"),
            Icmpv6Kind::ListenerReport(group) => write!(f, "multicast listener report, group {group}"),
            Icmpv6Kind::ListenerDone(group) => write!(f, "multicast listener done, group {group}"),
            Icmpv6Kind::ListenerReportV2(groups) => {
                write!(f, "multicast listener report v2, {groups} group record(s)")
            }
            Icmpv6Kind::Other => write!(f, "unknown icmp6 type ({})", self.type_number),
        }
    }
}

fn describe_unreachable(f: &mut impl Text, code: u8, quote: Option<&Quote>, names: Names<'_>) -> fmt::Result {
    f.write_str("destination unreachable, ")?;
    let Some(quote) = quote else {
        return write!(f, "code {code} [|icmp6]");
    };
    let target = names.show(quote.destination);
    match (code, quote.ports) {
        (0, _) => write!(f, "unreachable route {target}"),
        (1, _) => write!(f, "unreachable prohibited {target}"),
        (2, _) => write!(f, "beyond scope {target}, source address {}", names.show(quote.source)),
        (3, _) => write!(f, "unreachable address {target}"),
        (4, Some((_, port))) => write!(f, "unreachable port, {target} {} port {port}", quote.protocol),
        (4, None) => write!(f, "unreachable port, {target} {}", quote.protocol),
        (5, _) => write!(f, "source address {} refused by policy", names.show(quote.source)),
        (6, _) => write!(f, "route to {target} rejected"),
        _ => write!(f, "unknown unreach code ({code})"),
    }
}

fn address(wire: &mut Wire<'_>) -> Option<Ipv6Addr> {
    wire.array::<16>().map(Ipv6Addr::from)
}

/// The first source (1) or target (2) link-layer address among the options (RFC 4861, 4.6.1).
fn link_address(mut options: Wire<'_>) -> Option<Mac> {
    loop {
        let [kind, eights] = options.array()?;
        let length = usize::from(eights).checked_mul(8)?.checked_sub(2)?;
        if matches!(kind, 1 | 2) {
            return options.array().map(Mac::new);
        }
        options.slice(length)?;
    }
}
