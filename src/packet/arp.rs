//! ARP for IPv4 over Ethernet (RFC 826), with the two forms that ask nothing: gratuitous and probe.

use std::{fmt, net::Ipv4Addr};

use etherparse::{ArpHardwareId, ArpOperation as Code, ArpPacketSlice, EtherType};

use crate::model::Mac;

use super::summary::Style;
use super::text::Text;
use super::wire::Wire;

/// A request or reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arp {
    /// What it says.
    pub operation: ArpOperation,
    /// The sender's hardware address.
    pub sender_mac: Mac,
    /// The sender's address; unspecified in a probe.
    pub sender: Ipv4Addr,
    /// The target's hardware address; zero in most requests.
    pub target_mac: Mac,
    /// The target's address.
    pub target: Ipv4Addr,
    /// Bytes after the link layer, padding included.
    pub length: usize,
}

/// What an ARP packet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArpOperation {
    /// Who has the target's address?
    Request,
    /// The sender's address is at its hardware address.
    Reply,
    /// Any other code.
    Other(u16),
}

impl Arp {
    /// Reads a whole packet; other hardware and protocols than Ethernet and IPv4 are not read.
    pub(crate) fn read(wire: Wire<'_>) -> Option<Self> {
        let arp = ArpPacketSlice::from_slice(wire.bytes()).ok()?;
        if arp.hw_addr_type() != ArpHardwareId::ETHERNET || arp.proto_addr_type() != EtherType::IPV4 {
            return None;
        }
        let mac = |bytes: &[u8]| bytes.try_into().ok().map(Mac::new);
        let address = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from);
        Some(Self {
            operation: match arp.operation() {
                Code::REQUEST => ArpOperation::Request,
                Code::REPLY => ArpOperation::Reply,
                Code(code) => ArpOperation::Other(code),
            },
            sender_mac: mac(arp.sender_hw_addr())?,
            sender: address(arp.sender_protocol_addr())?,
            target_mac: mac(arp.target_hw_addr())?,
            target: address(arp.target_protocol_addr())?,
            length: wire.length(),
        })
    }

    /// The sender tells its own address unasked (RFC 5227, 3).
    pub fn is_gratuitous(&self) -> bool {
        self.sender == self.target
    }

    /// The sender has no address yet and looks whether the target's is free (RFC 5227, 2.1).
    pub fn is_probe(&self) -> bool {
        self.operation == ArpOperation::Request && self.sender.is_unspecified()
    }

    /// Writes the line of `tcpdump`.
    pub(crate) fn describe(&self, f: &mut impl Text, style: Style<'_>) -> fmt::Result {
        if style.names_type() {
            f.write_str("ARP, ")?;
        }
        let (sender, target) = (style.names.show(self.sender), style.names.show(self.target));
        match self.operation {
            ArpOperation::Request => {
                write!(f, "Request who-has {target}")?;
                if self.target_mac != Mac::new([0; 6]) {
                    write!(f, " ({})", self.target_mac)?;
                }
                write!(f, " tell {sender}")?;
            }
            ArpOperation::Reply => write!(f, "Reply {sender} is-at {}", self.sender_mac)?,
            ArpOperation::Other(code) => write!(f, "Operation {code} from {sender} for {target}")?,
        }
        write!(f, ", length {}", self.length)
    }
}

impl ArpOperation {
    /// `request`, `reply` or `other`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Reply => "reply",
            Self::Other(_) => "other",
        }
    }
}
