//! The packet that is led along the way: what rules and routes may ask of it.

use std::net::{IpAddr, SocketAddr};

use crate::model::{InterfaceAddress, Protocol};

/// The first packet of a connection, or the first answer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Who sends it; none: somebody outside of this host, whoever that is.
    pub source: Option<IpAddr>,
    /// Where it goes.
    pub destination: SocketAddr,
    /// The sender's port, where it is known: that of an answer is.
    pub source_port: Option<u16>,
    /// What it speaks.
    pub protocol: Protocol,
    /// The interface it came by, in the namespace it is in.
    pub input: Option<String>,
    /// The interface it is about to leave by.
    pub output: Option<String>,
    /// The mark that rules have set.
    pub mark: u32,
    /// Whether a rule has excepted it from the table of connections of the namespace it is in.
    pub untracked: bool,
    /// Whether it begins a connection or answers.
    pub part: Part,
    /// Whether its destination has been translated.
    pub translated: bool,
    /// Whether its source has been translated.
    pub disguised: bool,
}

/// Which packet of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The first.
    Opening,
    /// The answer to it.
    Answer,
    /// An ICMP error about it.
    Complaint,
}

impl Packet {
    /// The first packet of a connection to there.
    pub fn opening(source: Option<IpAddr>, destination: SocketAddr, protocol: Protocol) -> Self {
        Self {
            source,
            destination,
            source_port: None,
            protocol,
            input: None,
            output: None,
            mark: 0,
            untracked: false,
            part: Part::Opening,
            translated: false,
            disguised: false,
        }
    }

    /// Whether it is of IPv4.
    pub fn is_v4(&self) -> bool {
        self.destination.is_ipv4()
    }
}

/// Whether an address lies in a network. Addresses of different families never do.
pub fn contains(network: InterfaceAddress, address: IpAddr) -> bool {
    bits(network.address) == bits(address)
        && prefix_of(network.address, network.prefix) == prefix_of(address, network.prefix)
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The first bits of an address as a number.
fn prefix_of(address: IpAddr, prefix: u8) -> u128 {
    match address {
        IpAddr::V4(v4) => {
            u128::from(u32::from(v4).checked_shr(u32::from(32_u8.saturating_sub(prefix))).unwrap_or(0))
        }
        IpAddr::V6(v6) => u128::from(v6).checked_shr(u32::from(128_u8.saturating_sub(prefix))).unwrap_or(0),
    }
}

/// The network that an interface's address is in.
pub fn network(address: InterfaceAddress) -> InterfaceAddress {
    let number = prefix_of(address.address, address.prefix);
    let network = match address.address {
        IpAddr::V4(_) => {
            let shift = u32::from(32_u8.saturating_sub(address.prefix));
            let bits = u32::try_from(number).unwrap_or_default().checked_shl(shift).unwrap_or(0);
            IpAddr::V4(bits.into())
        }
        IpAddr::V6(_) => {
            let shift = u32::from(128_u8.saturating_sub(address.prefix));
            IpAddr::V6(number.checked_shl(shift).unwrap_or(0).into())
        }
    };
    InterfaceAddress { address: network, prefix: address.prefix }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_their_addresses_alone() {
        for (net, address, inside) in [
            ("10.1.2.0/24", "10.1.2.9", true),
            ("10.1.2.0/24", "10.1.3.9", false),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("0.0.0.0/0", "fd00::1", false),
            ("10.1.2.3/32", "10.1.2.3", true),
            ("10.1.2.3/32", "10.1.2.2", false),
            ("fd00::/64", "fd00::2", true),
            ("::/0", "fd00::2", true),
            ("fd00::2/128", "fd00::3", false),
        ] {
            assert_eq!(contains(net.parse().unwrap(), address.parse().unwrap()), inside, "{net} {address}");
        }
        assert_eq!(network("172.17.0.2/16".parse().unwrap()).to_string(), "172.17.0.0/16");
        assert_eq!(network("fd00::5/64".parse().unwrap()).to_string(), "fd00::/64");
        assert_eq!(network("10.0.0.1/0".parse().unwrap()).to_string(), "0.0.0.0/0");
    }
}
