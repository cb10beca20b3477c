//! A network of addresses, and the arithmetic on it. Pure.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::model::InterfaceAddress;

/// A network: its first address and the length of its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subnet {
    first: IpAddr,
    prefix: u8,
}

/// Not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a network like 10.77.0.0/24")]
pub struct InvalidSubnet(String);

impl Subnet {
    /// The network that an address with its prefix is in.
    pub fn around(InterfaceAddress { address, prefix }: InterfaceAddress) -> Self {
        let first = from_number(address, number(address) & !host_mask(address, prefix));
        Self { first, prefix }
    }

    /// Whether it is one of IPv4.
    pub fn is_v4(self) -> bool {
        self.first.is_ipv4()
    }

    /// The length of its prefix.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether the address is in it.
    pub fn contains(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.is_v4()
            && Self::around(InterfaceAddress { address, prefix: self.prefix }) == self
    }

    /// Whether an address can be in both.
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.first) || other.contains(self.first)
    }

    /// Whether interfaces can be in it: neither this host's own nor a link's alone, nor a group's, nor nobody's (RFC 6890).
    pub fn is_for_interfaces(self) -> bool {
        const OTHERS: [(&str, u8); 7] = [
            ("0.0.0.0", 8),
            ("127.0.0.0", 8),
            ("224.0.0.0", 3),
            ("::", 127),
            ("::ffff:0.0.0.0", 96),
            ("fe80::", 10),
            ("ff00::", 8),
        ];
        let is_other = |(first, prefix): &(&str, u8)| {
            first.parse().is_ok_and(|first| self.overlaps(Self { first, prefix: *prefix }))
        };
        !OTHERS.iter().any(is_other)
    }

    /// The addresses that interfaces may have, the first one first: without that of the network and the broadcast's,
    /// which networks of two addresses do not have (RFC 3021); in IPv6 without the first, which is every router's.
    pub fn hosts(self) -> impl DoubleEndedIterator<Item = IpAddr> {
        let (low, high) = self.bounds();
        let first = self.first;
        (low..=high).map(move |number| from_number(first, number))
    }

    /// Whether an interface may have the address.
    pub fn is_host(self, address: IpAddr) -> bool {
        let (low, high) = self.bounds();
        self.contains(address) && (low..=high).contains(&number(address))
    }

    fn bounds(self) -> (u128, u128) {
        let (low, mask) = (number(self.first), host_mask(self.first, self.prefix));
        let high = low + mask;
        match (self.first, mask) {
            (_, 0 | 1) => (low, high),
            (IpAddr::V4(_), _) => (low + 1, high - 1),
            (IpAddr::V6(_), _) => (low + 1, high),
        }
    }

    /// An address with the length of this network's prefix.
    pub fn with(self, address: IpAddr) -> InterfaceAddress {
        InterfaceAddress { address, prefix: self.prefix }
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Of the same family as the first.
fn from_number(like: IpAddr, number: u128) -> IpAddr {
    match like {
        IpAddr::V4(_) => Ipv4Addr::from_bits(u32::try_from(number).unwrap_or(u32::MAX)).into(),
        IpAddr::V6(_) => Ipv6Addr::from_bits(number).into(),
    }
}

fn host_mask(address: IpAddr, prefix: u8) -> u128 {
    match address {
        IpAddr::V4(_) => u32::MAX.checked_shr(prefix.into()).unwrap_or(0).into(),
        IpAddr::V6(_) => u128::MAX.checked_shr(prefix.into()).unwrap_or(0),
    }
}

impl FromStr for Subnet {
    type Err = InvalidSubnet;

    /// The address before the slash may be any of the network's.
    fn from_str(text: &str) -> Result<Self, InvalidSubnet> {
        text.parse().map(Self::around).map_err(|_| InvalidSubnet(text.to_owned()))
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl Serialize for Subnet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Subnet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn text_round_trips_to_the_network() {
        for (given, network) in [
            ("10.1.2.3/24", "10.1.2.0/24"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("10.1.2.3/32", "10.1.2.3/32"),
            ("fd00::1/64", "fd00::/64"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(subnet(given).to_string(), network);
        }
        for bad in ["", "10.0.0.0", "10.0.0.0/33", "10.0.0.0/+8", "x/8", "fd00::/129", "10.0.0/8"] {
            assert!(bad.parse::<Subnet>().is_err(), "{bad}");
        }
    }

    #[test]
    fn small_networks_have_the_hosts_they_have() {
        let hosts = |text: &str| subnet(text).hosts().map(|host| host.to_string()).collect::<Vec<_>>();
        assert_eq!(hosts("10.0.0.0/30"), ["10.0.0.1", "10.0.0.2"]);
        assert_eq!(hosts("10.0.0.0/31"), ["10.0.0.0", "10.0.0.1"]);
        assert_eq!(hosts("10.0.0.7/32"), ["10.0.0.7"]);
        assert_eq!(hosts("fd00::/126"), ["fd00::1", "fd00::2", "fd00::3"]);
        assert!(!subnet("10.0.0.0/24").is_host("10.0.0.255".parse().unwrap()));
        assert_eq!(subnet("0.0.0.0/0").hosts().next_back().unwrap().to_string(), "255.255.255.254");
        assert_eq!(subnet("::/0").hosts().next().unwrap().to_string(), "::1");
    }

    #[test]
    fn networks_overlap_if_one_holds_the_other() {
        assert!(subnet("10.0.0.0/8").overlaps(subnet("10.77.0.0/24")));
        assert!(subnet("10.77.0.0/24").overlaps(subnet("10.0.0.0/8")));
        assert!(!subnet("10.77.0.0/24").overlaps(subnet("10.77.1.0/24")));
        assert!(!subnet("0.0.0.0/0").overlaps(subnet("::/0")));
    }
}
