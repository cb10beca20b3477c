//! Which network and which address a sandbox gets. Pure: a function of what lives on the host.

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv6Addr},
};

use crate::model::InterfaceAddress;
use crate::sys::netlink::{Route, RouteKind};

use super::subnet::Subnet;

/// Why there is no network or address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Error {
    #[error("taking the network {subnet}: {taken}")]
    Overlap { subnet: Subnet, taken: Taken },
    #[error(
        "finding a free network of IPv4: every one of the {tried} that are tried is taken; give one by --subnet"
    )]
    NoSubnet { tried: usize },
    #[error("finding a free address in {0}: all are taken")]
    Exhausted(Subnet),
    #[error("taking the address {address}: it is not one of the network {subnet}")]
    Outside { address: IpAddr, subnet: Subnet },
    #[error("taking the address {0}: it is taken")]
    InUse(IpAddr),
    #[error("taking the network {0}: it has no room for a gateway and a sandbox")]
    TooSmall(Subnet),
}

/// By whom a network is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words say it all")]
pub enum Taken {
    Route(Subnet),
    Nameserver(IpAddr),
    Pool(Subnet),
    Sandboxes(Subnet),
    /// An interface has an address of it, be it up or down.
    Interface(Subnet),
}

impl std::fmt::Display for Taken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Route(subnet) => write!(f, "the host has a route to {subnet}"),
            Self::Nameserver(address) => write!(f, "the nameserver {address} is in it"),
            Self::Pool(subnet) => write!(f, "a container engine hands out {subnet}"),
            Self::Sandboxes(subnet) => write!(f, "other sandboxes are in {subnet}"),
            Self::Interface(subnet) => write!(f, "an interface of the host is in {subnet}"),
        }
    }
}

/// What networks must keep clear of.
#[derive(Debug, Clone, Default)]
pub(super) struct Occupied {
    /// Networks that are on a link of the host.
    pub on_link: Vec<Subnet>,
    /// The host's nameservers.
    pub nameservers: Vec<IpAddr>,
    /// Networks that container engines are configured to use.
    pub pools: Vec<Subnet>,
    /// Networks of live sandboxes.
    pub sandboxes: Vec<Subnet>,
    /// Networks of the addresses of the host's interfaces, those that are down included: they come up some day.
    pub interfaces: Vec<Subnet>,
}

impl Occupied {
    /// Who has the network. What engines hand out is theirs only if asked for by nobody.
    fn by_whom(&self, subnet: Subnet) -> Option<Taken> {
        let overlapping = |known: &[Subnet]| known.iter().copied().find(|known| known.overlaps(subnet));
        overlapping(&self.on_link)
            .map(Taken::Route)
            .or_else(|| overlapping(&self.sandboxes).map(Taken::Sandboxes))
            .or_else(|| overlapping(&self.interfaces).map(Taken::Interface))
            .or_else(|| {
                let mut servers = self.nameservers.iter().copied();
                servers.find(|server| subnet.contains(*server)).map(Taken::Nameserver)
            })
    }

    fn pool(&self, subnet: Subnet) -> Option<Taken> {
        self.pools.iter().copied().find(|pool| pool.overlaps(subnet)).map(Taken::Pool)
    }
}

/// The networks whose addresses are on a link: what has a gateway is reached through others, and the two halves of a
/// full VPN (`0.0.0.0/1`, `128.0.0.0/1`) are a default route by another name.
pub(super) fn on_link(routes: &[Route]) -> Vec<Subnet> {
    const LOOPBACK: u8 = 127;
    let is_on_link = |route: &&Route| {
        let first_byte = match route.destination.address {
            IpAddr::V4(address) => address.octets()[0],
            IpAddr::V6(_) => 0,
        };
        route.kind == RouteKind::Unicast
            && route.destination.prefix > 1
            && first_byte != LOOPBACK
            && route.next_hops.iter().any(|hop| hop.gateway.is_none() && hop.link.is_some())
    };
    routes.iter().filter(is_on_link).map(|route| Subnet::around(route.destination)).collect()
}

/// The network that was asked for, if it is free.
pub(super) fn explicit(subnet: Subnet, occupied: &Occupied) -> Result<Subnet, Error> {
    if subnet.hosts().nth(1).is_none() {
        return Err(Error::TooSmall(subnet));
    }
    match occupied.by_whom(subnet) {
        Some(taken) => Err(Error::Overlap { subnet, taken }),
        None => Ok(subnet),
    }
}

/// The first free one of those that hardly anybody uses.
pub(super) fn free_subnet(occupied: &Occupied) -> Result<Subnet, Error> {
    let is_free = |subnet: &Subnet| occupied.by_whom(*subnet).or_else(|| occupied.pool(*subnet)).is_none();
    candidates().find(is_free).ok_or_else(|| Error::NoSubnet { tried: candidates().count() })
}

/// /24 each: 10.77.0.0/16, 172.16.0.0/16 and 192.168.128.0/17, which no engine hands out first.
fn candidates() -> impl Iterator<Item = Subnet> {
    let ten = (0..=255).map(|third| [10, 77, third, 0]);
    let hundred = (0..=255).map(|third| [172, 16, third, 0]);
    let home = (128..=255).map(|third| [192, 168, third, 0]);
    let network = |bytes: [u8; 4]| Subnet::around(InterfaceAddress { address: bytes.into(), prefix: 24 });
    ten.chain(hundred).chain(home).map(network)
}

/// A network of our own for IPv6 (RFC 4193): 40 random bits make it nobody else's.
pub(super) fn unique_local(random: [u8; 5]) -> Subnet {
    let mut bytes = [0; 16];
    bytes[0] = 0xfd;
    bytes[1..6].copy_from_slice(&random);
    Subnet::around(InterfaceAddress { address: Ipv6Addr::from(bytes).into(), prefix: 64 })
}

/// From which end of a network addresses are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// The lowest free one.
    Upwards,
    /// The highest free one: for networks in which somebody else gives addresses from the other end.
    Downwards,
}

/// A free address of the network; the one asked for, if one is.
pub(super) fn free_address(
    subnet: Subnet,
    asked: Option<IpAddr>,
    taken: &HashSet<IpAddr>,
    order: Order,
) -> Result<InterfaceAddress, Error> {
    /// Nobody has as many sandboxes; a network of IPv6 has more addresses than can be tried.
    const TRIED: usize = 1 << 20;
    let is_free = |address: &IpAddr| !taken.contains(address);
    let address = match (asked, order) {
        (Some(address), _) if !subnet.is_host(address) => return Err(Error::Outside { address, subnet }),
        (Some(address), _) => Some(address).filter(is_free).ok_or(Error::InUse(address))?,
        (None, Order::Upwards) => subnet.hosts().take(TRIED).find(is_free).ok_or(Error::Exhausted(subnet))?,
        (None, Order::Downwards) => {
            subnet.hosts().rev().take(TRIED).find(is_free).ok_or(Error::Exhausted(subnet))?
        }
    };
    Ok(subnet.with(address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::netlink::NextHop;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn route(destination: &str, gateway: Option<&str>) -> Route {
        Route {
            destination: destination.parse().unwrap(),
            kind: RouteKind::Unicast,
            next_hops: vec![NextHop { gateway: gateway.map(ip), link: 2.try_into().ok() }],
            source: None,
            metric: 0,
            table: 254,
        }
    }

    #[test]
    fn only_what_is_on_a_link_is_taken() {
        let routes = [
            route("0.0.0.0/0", Some("192.0.2.1")),
            route("0.0.0.0/1", None),
            route("128.0.0.0/1", None),
            route("10.0.0.0/8", Some("192.0.2.9")),
            route("192.0.2.0/24", None),
        ];
        assert_eq!(on_link(&routes), [subnet("192.0.2.0/24")]);
    }

    #[test]
    fn the_first_network_that_nobody_has_is_taken() {
        assert_eq!(free_subnet(&Occupied::default()).unwrap(), subnet("10.77.0.0/24"));
        let occupied = Occupied {
            on_link: vec![subnet("10.77.0.0/24")],
            nameservers: vec![ip("10.77.1.53")],
            pools: vec![subnet("10.77.2.0/23")],
            sandboxes: vec![subnet("10.77.4.0/24")],
            interfaces: vec![subnet("10.77.5.0/24")],
        };
        assert_eq!(free_subnet(&occupied).unwrap(), subnet("10.77.6.0/24"));
        let wide = Occupied { on_link: vec![subnet("10.0.0.0/8")], ..Occupied::default() };
        assert_eq!(free_subnet(&wide).unwrap(), subnet("172.16.0.0/24"));
    }

    #[test]
    fn a_full_host_is_told_of() {
        let private = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].map(subnet);
        let occupied = Occupied { on_link: private.to_vec(), ..Occupied::default() };
        let message = free_subnet(&occupied).unwrap_err().to_string();
        assert_eq!(
            message,
            "finding a free network of IPv4: every one of the 640 that are tried is taken; give one by --subnet"
        );
    }

    #[test]
    fn what_is_asked_for_must_be_free_and_large_enough() {
        let occupied = Occupied {
            on_link: vec![subnet("192.0.2.0/24")],
            nameservers: vec![ip("10.9.0.53")],
            pools: vec![subnet("10.8.0.0/16")],
            ..Occupied::default()
        };
        let refusal = |text: &str| explicit(subnet(text), &occupied).unwrap_err().to_string();
        assert_eq!(
            refusal("192.0.0.0/16"),
            "taking the network 192.0.0.0/16: the host has a route to 192.0.2.0/24"
        );
        assert_eq!(
            refusal("10.9.0.0/24"),
            "taking the network 10.9.0.0/24: the nameserver 10.9.0.53 is in it"
        );
        assert_eq!(
            refusal("10.1.0.0/32"),
            "taking the network 10.1.0.0/32: it has no room for a gateway and a sandbox"
        );
        assert!(explicit(subnet("10.1.0.0/31"), &occupied).is_ok());
        // The user knows better than a list of what an engine may hand out one day.
        assert!(explicit(subnet("10.8.0.0/24"), &occupied).is_ok());
    }

    #[test]
    fn addresses_are_given_from_the_end_that_is_ours() {
        let taken: HashSet<IpAddr> = ["10.1.0.1", "10.1.0.2", "10.1.0.254"].map(ip).into();
        let free = |order| free_address(subnet("10.1.0.0/24"), None, &taken, order).unwrap().to_string();
        assert_eq!(
            (free(Order::Upwards), free(Order::Downwards)),
            ("10.1.0.3/24".into(), "10.1.0.253/24".into())
        );
        let asked = |address| free_address(subnet("10.1.0.0/24"), Some(ip(address)), &taken, Order::Upwards);
        assert_eq!(asked("10.1.0.9").unwrap().to_string(), "10.1.0.9/24");
        assert_eq!(asked("10.1.0.2"), Err(Error::InUse(ip("10.1.0.2"))));
        for outside in ["10.1.1.2", "10.1.0.255", "10.1.0.0", "fd00::2"] {
            assert!(matches!(asked(outside), Err(Error::Outside { .. })), "{outside}");
        }
        let taken: HashSet<IpAddr> = ["10.1.0.0", "10.1.0.1"].map(ip).into();
        let full = free_address(subnet("10.1.0.0/31"), None, &taken, Order::Upwards).unwrap_err();
        assert_eq!(full.to_string(), "finding a free address in 10.1.0.0/31: all are taken");
    }
}
