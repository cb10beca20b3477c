//! ICMP of IPv4 (RFC 792, 1191, 1812): echoes, and errors with the packet they quote.

use std::{fmt, net::Ipv4Addr};

use super::ip_protocol::IpProtocol;
use super::names::{Named, Names};
use super::quote::Quote;
use super::summary::Style;
use super::text::Text;
use super::wire::Wire;

/// An ICMP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Icmp {
    /// Its type's number.
    pub type_number: u8,
    /// Its code's number.
    pub code: u8,
    /// What it says.
    pub kind: IcmpKind,
    /// Bytes on the wire, ICMP header included.
    pub length: usize,
}

/// What an ICMP message says. A quote is `None` where its packet's header was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IcmpKind {
    /// A ping.
    EchoRequest {
        /// The same in a whole series.
        id: u16,
        /// Counts up.
        sequence: u16,
    },
    /// The answer to a ping.
    EchoReply {
        /// The request's.
        id: u16,
        /// The request's.
        sequence: u16,
    },
    /// The quoted packet did not arrive; the code says why.
    Unreachable {
        /// The packet.
        quote: Option<Quote>,
        /// The largest packet that would have passed, in bytes (code 4).
        mtu: u16,
    },
    /// There is a shorter way.
    Redirect {
        /// The packet that took the longer one.
        quote: Option<Quote>,
        /// Where to send the next.
        gateway: Ipv4Addr,
    },
    /// The quoted packet went too far (code 0), or its parts took too long (code 1).
    TimeExceeded {
        /// The packet.
        quote: Option<Quote>,
    },
    /// Any other type.
    Other,
}

impl Icmp {
    /// Reads a message of which at least eight bytes were captured.
    pub(crate) fn read(mut wire: Wire<'_>) -> Option<Self> {
        let length = wire.length();
        let [type_number, code, _, _] = wire.array()?;
        let rest: [u8; 4] = wire.array()?;
        let [high, low, next_high, next_low] = rest;
        let (first, second) = (u16::from_be_bytes([high, low]), u16::from_be_bytes([next_high, next_low]));
        let kind = match type_number {
            0 => IcmpKind::EchoReply { id: first, sequence: second },
            3 => IcmpKind::Unreachable { quote: Quote::read(wire), mtu: second },
            5 => IcmpKind::Redirect { quote: Quote::read(wire), gateway: rest.into() },
            8 => IcmpKind::EchoRequest { id: first, sequence: second },
            11 => IcmpKind::TimeExceeded { quote: Quote::read(wire) },
            _ => IcmpKind::Other,
        };
        Some(Self { type_number, code, kind, length })
    }

    /// The packet that an error is about.
    pub const fn quote(&self) -> Option<&Quote> {
        match &self.kind {
            IcmpKind::Unreachable { quote, .. }
            | IcmpKind::Redirect { quote, .. }
            | IcmpKind::TimeExceeded { quote } => quote.as_ref(),
            _ => None,
        }
    }

    /// Identifier and sequence number of an echo.
    pub const fn echo(&self) -> Option<(u16, u16)> {
        match self.kind {
            IcmpKind::EchoRequest { id, sequence } | IcmpKind::EchoReply { id, sequence } => {
                Some((id, sequence))
            }
            _ => None,
        }
    }

    /// Writes the message as tcpdump does, and whose packet an error quotes.
    pub(crate) fn describe(&self, f: &mut impl Text, style: Style<'_>) -> fmt::Result {
        f.write_str("ICMP ")?;
        match self.kind {
            IcmpKind::EchoRequest { id, sequence } => write!(f, "echo request, id {id}, seq {sequence}")?,
            IcmpKind::EchoReply { id, sequence } => write!(f, "echo reply, id {id}, seq {sequence}")?,
            IcmpKind::Unreachable { quote: Some(quote), mtu } => {
                describe_unreachable(f, self.code, mtu, &quote, style.names)?;
            }
            IcmpKind::Unreachable { quote: None, .. } => {
                write!(f, "unreachable, code {} [|icmp]", self.code)?;
            }
            IcmpKind::Redirect { quote, gateway } => {
                f.write_str(if self.code < 2 { "redirect" } else { "redirect-tos" })?;
                if let Some(quote) = quote {
                    write!(f, " {}", style.names.show(quote.destination))?;
                }
                let range = if self.code.is_multiple_of(2) { "net" } else { "host" };
                write!(f, " to {range} {}", style.names.show(gateway))?;
            }
            IcmpKind::TimeExceeded { .. } => f.write_str(match self.code {
                0 => "time exceeded in-transit",
                _ => "ip reassembly time exceeded",
            })?,
            IcmpKind::Other => write!(f, "{}", other_name(self.type_number))?,
        }
        write!(f, ", length {}", self.length)?;
        self.quote().map_or(Ok(()), |quote| quote.describe(f, style.names))
    }
}

fn describe_unreachable(
    f: &mut impl Text,
    code: u8,
    mtu: u16,
    quote: &Quote,
    names: Names<'_>,
) -> fmt::Result {
    let target: Named<'_> = names.show(quote.destination);
    match code {
        0 => write!(f, "net {target} unreachable"),
        1 => write!(f, "host {target} unreachable"),
        2 => write!(f, "{target} protocol {} unreachable", quote.protocol.0),
        3 => describe_port(f, quote, &target),
        4 => write!(f, "{target} unreachable - need to frag (mtu {mtu})"),
        5 => write!(f, "{target} unreachable - source route failed"),
        6 => write!(f, "net {target} unreachable - unknown"),
        7 => write!(f, "host {target} unreachable - unknown"),
        8 => write!(f, "{target} unreachable - source host isolated"),
        9 => write!(f, "net {target} unreachable - admin prohibited"),
        10 => write!(f, "host {target} unreachable - admin prohibited"),
        11 => write!(f, "net {target} unreachable - tos prohibited"),
        12 => write!(f, "host {target} unreachable - tos prohibited"),
        13 => write!(f, "host {target} unreachable - admin prohibited filter"),
        14 => write!(f, "host {target} unreachable - host precedence violation"),
        15 => write!(f, "host {target} unreachable - precedence cutoff"),
        _ => write!(f, "{target} unreachable - #{code}"),
    }
}

/// Writes `10.0.0.2 udp port 53 unreachable`, and where no port is known the protocol's number.
fn describe_port(f: &mut impl Text, quote: &Quote, target: &Named<'_>) -> fmt::Result {
    match (quote.protocol, quote.ports) {
        (IpProtocol::TCP | IpProtocol::UDP, Some((_, port))) => {
            write!(f, "{target} {} port {port} unreachable", quote.protocol)
        }
        (IpProtocol(number), Some((_, port))) => {
            write!(f, "{target} protocol {number} port {port} unreachable")
        }
        (IpProtocol(number), None) => write!(f, "{target} protocol {number} port unreachable"),
    }
}

/// Types that are shown by name only.
fn other_name(type_number: u8) -> impl fmt::Display {
    fmt::from_fn(move |f| match type_number {
        4 => f.write_str("source quench"),
        9 => f.write_str("router advertisement"),
        10 => f.write_str("router solicitation"),
        12 => f.write_str("parameter problem"),
        13 => f.write_str("time stamp query"),
        14 => f.write_str("time stamp reply"),
        number => write!(f, "type-#{number}"),
    })
}
