//! Routes, neighbours and the forwarding tables of bridges, of the socket's own namespace.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rtnetlink::packet_route::{
    AddressFamily, RouteNetlinkMessage,
    neighbour::{
        NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState as Nud,
    },
    route::{RouteAddress, RouteAttribute, RouteMessage, RouteNextHop, RouteType, RouteVia},
};

use crate::model::{InterfaceAddress, LinkIndex, Mac};

use super::{Error, Netlink, Query, links::mac_of};

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The network it leads to; `0.0.0.0/0` and `::/0` are the default.
    pub destination: InterfaceAddress,
    /// What happens to packets that match.
    pub kind: RouteKind,
    /// Where they go; several share the load; none for a route that drops.
    pub next_hops: Vec<NextHop>,
    /// The address preferred as their source.
    pub source: Option<IpAddr>,
    /// Lower wins among equal prefixes.
    pub metric: u32,
    /// The table: 254 is the main one, 255 the kernel's own of local addresses.
    pub table: u32,
}

/// One way a route may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextHop {
    /// The router, unless the destination is on the link itself.
    pub gateway: Option<IpAddr>,
    /// The link.
    pub link: Option<LinkIndex>,
}

/// What a route does (`RTN_*` in linux/rtnetlink.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteKind {
    /// Forwards or sends.
    Unicast,
    /// Delivers to this namespace: local, broadcast, anycast.
    Local,
    /// Drops in silence.
    Blackhole,
    /// Drops with "unreachable".
    Unreachable,
    /// Drops with "prohibited".
    Prohibit,
    /// Anything else, by its number.
    Other(u8),
}

/// A neighbour: whose hardware address an IP address is (ARP, IPv6 neighbour discovery).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neighbour {
    /// The link it is behind.
    pub link: LinkIndex,
    /// Its address.
    pub address: IpAddr,
    /// Its hardware address, once known.
    pub mac: Option<Mac>,
    /// How sure the kernel is.
    pub state: NeighbourState,
}

/// How sure the kernel is of a neighbour (`NUD_*` in linux/neighbour.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeighbourState {
    /// Asked for, no answer yet.
    Incomplete,
    /// Known and in use, whether confirmed lately or not.
    Known,
    /// Asked for in vain.
    Failed,
    /// Set by hand.
    Permanent,
    /// Anything else, by its number.
    Other(u16),
}

/// A bridge's or tunnel's knowledge of behind which port a hardware address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForwardingEntry {
    /// The hardware address.
    pub mac: Mac,
    /// The port.
    pub port: LinkIndex,
    /// The bridge; none for an entry of the port itself.
    pub bridge: Option<LinkIndex>,
    /// The VLAN, on a bridge that filters by it.
    pub vlan: Option<u16>,
    /// How it came to be there.
    pub origin: ForwardingOrigin,
}

/// How a forwarding entry came to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForwardingOrigin {
    /// Seen as the source of a frame.
    Learned,
    /// The port's own address, or set by hand.
    Permanent,
}

impl Netlink {
    /// The routes of all tables, IPv4 first.
    pub async fn routes(&mut self) -> Result<Vec<Route>, Error> {
        let mut routes = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut question = RouteMessage::default();
            question.header.address_family = family;
            let answer = self.dump(Query::Routes, RouteNetlinkMessage::GetRoute(question)).await?;
            routes.extend(answer.iter().filter_map(|message| match message {
                RouteNetlinkMessage::NewRoute(route) => decode_route(route),
                _ => None,
            }));
        }
        Ok(routes)
    }

    /// The neighbours of both address families.
    pub async fn neighbours(&mut self) -> Result<Vec<Neighbour>, Error> {
        let entries = self.neighbour_table(Query::Neighbours, AddressFamily::Unspec).await?;
        Ok(entries.iter().filter_map(decode_neighbour).collect())
    }

    /// The forwarding tables of all bridges and tunnels.
    pub async fn forwarding(&mut self) -> Result<Vec<ForwardingEntry>, Error> {
        let entries = self.neighbour_table(Query::Forwarding, AddressFamily::Bridge).await?;
        Ok(entries.iter().filter_map(decode_forwarding).collect())
    }

    async fn neighbour_table(
        &mut self,
        query: Query,
        family: AddressFamily,
    ) -> Result<Vec<NeighbourMessage>, Error> {
        let mut question = NeighbourMessage::default();
        question.header.family = family;
        let answer = self.dump(query, RouteNetlinkMessage::GetNeighbour(question)).await?;
        Ok(answer
            .into_iter()
            .filter_map(|message| match message {
                RouteNetlinkMessage::NewNeighbour(entry) => Some(entry),
                _ => None,
            })
            .collect())
    }
}

pub(in crate::sys) fn decode_route(message: &RouteMessage) -> Option<Route> {
    let header = &message.header;
    let mut route = Route {
        destination: InterfaceAddress {
            address: unspecified(header.address_family)?,
            prefix: header.destination_prefix_length,
        },
        kind: route_kind(header.kind),
        next_hops: Vec::new(),
        source: None,
        metric: 0,
        table: header.table.into(),
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => route.destination.address = ip(address)?,
            RouteAttribute::PrefSource(address) => route.source = ip(address),
            RouteAttribute::Priority(metric) => route.metric = *metric,
            RouteAttribute::Table(table) => route.table = *table,
            RouteAttribute::MultiPath(hops) => route.next_hops = hops.iter().map(share_of).collect(),
            _ => {}
        }
    }
    route.next_hops.extend(next_hop(&message.attributes));
    Some(route)
}

fn share_of(hop: &RouteNextHop) -> NextHop {
    NextHop { gateway: gateway(&hop.attributes), link: LinkIndex::try_from(hop.interface_index).ok() }
}

fn next_hop(attributes: &[RouteAttribute]) -> Option<NextHop> {
    let gateway = gateway(attributes);
    let link = attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Oif(index) => LinkIndex::try_from(*index).ok(),
        _ => None,
    });
    (gateway.is_some() || link.is_some()).then_some(NextHop { gateway, link })
}

fn gateway(attributes: &[RouteAttribute]) -> Option<IpAddr> {
    attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Gateway(address) => ip(address),
        RouteAttribute::Via(RouteVia::Inet(address)) => Some((*address).into()),
        RouteAttribute::Via(RouteVia::Inet6(address)) => Some((*address).into()),
        _ => None,
    })
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

fn unspecified(family: AddressFamily) -> Option<IpAddr> {
    match family {
        AddressFamily::Inet => Some(Ipv4Addr::UNSPECIFIED.into()),
        AddressFamily::Inet6 => Some(Ipv6Addr::UNSPECIFIED.into()),
        _ => None,
    }
}

fn route_kind(kind: RouteType) -> RouteKind {
    match kind {
        RouteType::Unicast => RouteKind::Unicast,
        RouteType::Local | RouteType::Broadcast | RouteType::Anycast => RouteKind::Local,
        RouteType::BlackHole => RouteKind::Blackhole,
        RouteType::Unreachable => RouteKind::Unreachable,
        RouteType::Prohibit => RouteKind::Prohibit,
        other => RouteKind::Other(other.into()),
    }
}

fn decode_neighbour(message: &NeighbourMessage) -> Option<Neighbour> {
    let address = message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => Some((*address).into()),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) => Some((*address).into()),
        _ => None,
    })?;
    let link = LinkIndex::try_from(message.header.ifindex).ok()?;
    Some(Neighbour { link, address, mac: mac(message), state: neighbour_state(message.header.state) })
}

fn decode_forwarding(message: &NeighbourMessage) -> Option<ForwardingEntry> {
    let mut entry = ForwardingEntry {
        mac: mac(message)?,
        port: LinkIndex::try_from(message.header.ifindex).ok()?,
        bridge: None,
        vlan: None,
        origin: match message.header.state {
            Nud::Permanent | Nud::Noarp => ForwardingOrigin::Permanent,
            _ => ForwardingOrigin::Learned,
        },
    };
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Controller(bridge) => entry.bridge = LinkIndex::try_from(*bridge).ok(),
            NeighbourAttribute::Vlan(vlan) => entry.vlan = Some(*vlan),
            _ => {}
        }
    }
    if message.header.flags.contains(NeighbourFlags::Own) {
        entry.bridge = None;
    }
    Some(entry)
}

fn mac(message: &NeighbourMessage) -> Option<Mac> {
    message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(bytes) => mac_of(bytes),
        _ => None,
    })
}

fn neighbour_state(state: Nud) -> NeighbourState {
    match state {
        Nud::Incomplete => NeighbourState::Incomplete,
        Nud::Reachable | Nud::Stale | Nud::Delay | Nud::Probe => NeighbourState::Known,
        Nud::Failed => NeighbourState::Failed,
        Nud::Permanent | Nud::Noarp => NeighbourState::Permanent,
        other => NeighbourState::Other(other.into()),
    }
}
