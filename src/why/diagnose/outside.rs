//! Who comes from outside: by which of the host's links, to which of its addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::model::{HostSide, Link, LinkKind};
use crate::why::facts::Space;
use crate::why::finding::{Certainty, Code, Finding};
use crate::why::packet::contains;
use crate::why::question::Origin;
use crate::why::walk::{Connection, Start};

use super::{Examiner, Meant};

/// Addresses that nobody has (RFC 5737, RFC 3849), for somebody who may be anybody.
const ANYBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 77));
const ANYBODY_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 0x77));

impl<'a> Examiner<'a> {
    /// The connection that somebody outside begins to the host: to this address of it, or to the one that its link has.
    /// None where the host has no such link.
    pub(super) fn by_outsider(
        &self,
        host: &Space,
        address: Option<IpAddr>,
        port: u16,
        is_v4: bool,
    ) -> Option<Connection> {
        let exact = match self.question.origin {
            Origin::Outside(Some(client)) if client.is_ipv4() == is_v4 => Some(client),
            _ => None,
        };
        let (link, own) = self.uplink(host, address, exact, is_v4)?;
        let anybody = if is_v4 { ANYBODY } else { ANYBODY_V6 };
        let client = exact.unwrap_or_else(|| {
            if has_default(host, link, is_v4) { anybody } else { neighbour_of(link, own) }
        });
        let destination = SocketAddr::new(address.unwrap_or(own), port);
        let start = Start::Outside { link: link.index, client, exact: exact.is_some() };
        Some(Connection { start, destination, protocol: self.question.protocol })
    }

    /// Walks a connection from outside: of anybody, and of a neighbour on the uplink's own network, whose address is known.
    pub(super) fn attempt_outside(
        &mut self,
        host: &Space,
        connection: &Connection,
        meant: Meant<'a>,
    ) -> bool {
        if !self.attempt(connection, meant) {
            return false;
        }
        let Some(near) = near_client(host, connection) else { return true };
        let before = self.done.diagnosis.findings.len();
        if self.attempt(&near, meant) {
            return true;
        }
        // Somebody else may well be let in.
        for finding in &mut self.done.diagnosis.findings[before..] {
            finding.certainty = Certainty::Likely;
        }
        false
    }

    /// Packets that the host has disbelieved: with several uplinks, what comes by one and would be answered by another is
    /// dropped where `rp_filter` is strict. Whether that is what was asked about is not sure.
    pub(super) fn disbelieved(&mut self, host: &Space) {
        let count = host.counters.get("TcpExt.IPReversePathFilter").copied().unwrap_or_default();
        let strict = |link: &Link| {
            let own = format!("net.ipv4.conf.{}.rp_filter", link.name.as_str().replace('.', "/"));
            let value = |name: &str| host.setting(name).unwrap_or(0);
            value(&own).max(value("net.ipv4.conf.all.rp_filter")) == 1
        };
        let other = host.links.iter().find(|link| {
            self.may_be_uplink(host, link)
                && link.up
                && !link.addresses.is_empty()
                && !has_default(host, link, true)
                && strict(link)
        });
        let Some(link) = other.filter(|_| count > 0) else { return };
        let sentence = format!(
            "rp_filter drops what comes by {} from those whom the host would answer by another interface, and has dropped \
             {count} packets so far",
            link.name
        );
        self.add(
            Finding::new(Code::RpFilterDrops, sentence)
                .if_certain(false)
                .seen(format!("net.ipv4.conf.{}.rp_filter: strict", link.name))
                .seen(format!("IPReversePathFilter of the host: {count}"))
                .repair(format!("sysctl -w net.ipv4.conf.{0}.rp_filter=2", link.name)),
        );
    }

    /// The link by which somebody outside comes, with the address it has.
    fn uplink<'s>(
        &self,
        host: &'s Space,
        address: Option<IpAddr>,
        client: Option<IpAddr>,
        is_v4: bool,
    ) -> Option<(&'s Link, IpAddr)> {
        let own = |link: &Link| {
            let fits = |address: &IpAddr| {
                address.is_ipv4() == is_v4 && !address.is_loopback() && !is_link_local(*address)
            };
            link.addresses.iter().map(|own| own.address).find(fits)
        };
        let candidates: Vec<(&Link, IpAddr)> = host
            .links
            .iter()
            .filter(|link| self.may_be_uplink(host, link))
            .filter_map(|link| Some((link, own(link)?)))
            .collect();
        let with_client = candidates.iter().find(|(link, _)| {
            client.is_some_and(|client| link.addresses.iter().any(|own| contains(*own, client)))
        });
        let with_address = candidates.iter().find(|(link, _)| {
            address.is_some_and(|address| link.addresses.iter().any(|own| own.address == address))
        });
        let default = candidates.iter().find(|(link, _)| has_default(host, link, is_v4));
        with_client.or(with_address).or(default).or(candidates.first()).copied()
    }

    /// Neither loopback, nor a bridge of containers, nor a container's cable, unless the default route goes by it.
    fn may_be_uplink(&self, host: &Space, link: &Link) -> bool {
        if has_default(host, link, true) || has_default(host, link, false) {
            return true;
        }
        let endpoints = || self.facts.topology.containers.iter().flat_map(|container| &container.endpoints);
        let of_containers = endpoints().any(|endpoint| match &endpoint.host_side {
            HostSide::Pair { index, bridge, namespace, .. } => {
                *namespace == host.id && (*index == link.index || bridge.as_ref() == Some(&link.name))
            }
            _ => false,
        });
        let engines = self.facts.network_of_bridge(link.name.as_str()).is_some();
        link.kind != LinkKind::Loopback && !of_containers && !engines && link.up
    }
}

/// The same connection from somebody on the uplink's own network, where that is another client.
fn near_client(host: &Space, connection: &Connection) -> Option<Connection> {
    let Start::Outside { link, client, exact: false } = connection.start else { return None };
    let uplink = host.link(link)?;
    let own = uplink.addresses.iter().find(|own| own.address.is_ipv4() == client.is_ipv4())?.address;
    let near = neighbour_of(uplink, own);
    (near != client && near != own).then(|| Connection {
        start: Start::Outside { link, client: near, exact: true },
        ..connection.clone()
    })
}

fn has_default(host: &Space, link: &Link, is_v4: bool) -> bool {
    host.routes.iter().any(|route| {
        route.destination.prefix == 0
            && route.destination.address.is_ipv4() == is_v4
            && route.next_hops.iter().any(|hop| hop.link == Some(link.index))
    })
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// Another address of the network that a link is in.
fn neighbour_of(link: &Link, own: IpAddr) -> IpAddr {
    let next = match own {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from(u32::from(v4) ^ 2)),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) ^ 2)),
    };
    if link.addresses.iter().any(|address| contains(*address, next)) { next } else { own }
}
