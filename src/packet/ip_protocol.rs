//! The protocols that IP carries, by number and name.

use std::fmt;

use super::wire::Wire;

/// What an IP packet carries, by its number (protocol numbers at IANA).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IpProtocol(pub u8);

#[expect(missing_docs, reason = "the protocols are known by these names (IANA protocol numbers)")]
impl IpProtocol {
    pub const HOP_BY_HOP: Self = Self(0);
    pub const ICMP: Self = Self(1);
    pub const IGMP: Self = Self(2);
    pub const IPV4: Self = Self(4);
    pub const TCP: Self = Self(6);
    pub const UDP: Self = Self(17);
    pub const IPV6: Self = Self(41);
    pub const ROUTING: Self = Self(43);
    pub const FRAGMENT: Self = Self(44);
    pub const GRE: Self = Self(47);
    pub const ESP: Self = Self(50);
    pub const AUTHENTICATION: Self = Self(51);
    pub const ICMPV6: Self = Self(58);
    pub const NO_NEXT_HEADER: Self = Self(59);
    pub const DESTINATION_OPTIONS: Self = Self(60);
    pub const SCTP: Self = Self(132);
}

impl IpProtocol {
    /// Whether it is a header of IPv6 that another one follows.
    pub(crate) const fn is_extension(self) -> bool {
        matches!(self, Self::HOP_BY_HOP | Self::ROUTING | Self::FRAGMENT | Self::DESTINATION_OPTIONS)
    }

    /// Source and destination port, with which the header begins in protocols that have ports.
    pub(crate) fn read_ports(self, mut header: Wire<'_>) -> Option<(u16, u16)> {
        match self {
            Self::TCP | Self::UDP | Self::SCTP => header.u16().zip(header.u16()),
            _ => None,
        }
    }
}

/// `tcp`, `udp`, …, or `ip-proto-200`.
impl fmt::Display for IpProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::ICMP => "icmp",
            Self::IGMP => "igmp",
            Self::IPV4 => "ipip",
            Self::TCP => "tcp",
            Self::UDP => "udp",
            Self::IPV6 => "ipv6",
            Self::GRE => "gre",
            Self::ESP => "esp",
            Self::AUTHENTICATION => "ah",
            Self::ICMPV6 => "icmp6",
            Self::SCTP => "sctp",
            Self(number) => return write!(f, "ip-proto-{number}"),
        };
        f.write_str(name)
    }
}
