//! Addresses and routes made and removed.

use std::net::{IpAddr, Ipv4Addr};

use rtnetlink::packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope},
    route::{RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType},
};

use crate::model::{InterfaceAddress, LinkIndex};

use super::{CREATE, Error, Order, Plumbing};

impl Plumbing {
    /// Gives a link an address that can be used at once: nobody else is asked whether he has it.
    pub fn add_address(&mut self, link: LinkIndex, address: InterfaceAddress) -> Result<(), Error> {
        let message = RouteNetlinkMessage::NewAddress(address_message(link, address));
        self.order(Order::AddAddress(address), &message, CREATE)
    }

    /// Takes an address from a link.
    pub fn remove_address(&mut self, link: LinkIndex, address: InterfaceAddress) -> Result<(), Error> {
        let message = RouteNetlinkMessage::DelAddress(address_message(link, address));
        self.order(Order::RemoveAddress(address), &message, 0)
    }

    /// Adds a default route.
    pub fn add_default_route(&mut self, link: LinkIndex, gateway: IpAddr, metric: u32) -> Result<(), Error> {
        let mut message = RouteMessage::default();
        message.header.address_family = family(gateway);
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Static;
        message.header.scope = RouteScope::Universe;
        message.header.kind = RouteType::Unicast;
        message.attributes = vec![
            RouteAttribute::Gateway(match gateway {
                IpAddr::V4(address) => RouteAddress::Inet(address),
                IpAddr::V6(address) => RouteAddress::Inet6(address),
            }),
            RouteAttribute::Oif(link.number()),
            RouteAttribute::Priority(metric),
        ];
        self.order(Order::AddRoute(gateway), &RouteNetlinkMessage::NewRoute(message), CREATE)
    }
}

fn address_message(
    link: LinkIndex,
    InterfaceAddress { address, prefix }: InterfaceAddress,
) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(address);
    message.header.prefix_len = prefix;
    message.header.index = link.number();
    message.header.scope = AddressScope::Universe;
    message.attributes = vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
    match address {
        IpAddr::V4(own) => message.attributes.extend(broadcast(own, prefix).map(AddressAttribute::Broadcast)),
        IpAddr::V6(_) => message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad)),
    }
    message
}

/// The last address of the network; a network of two or one has none (RFC 3021).
fn broadcast(address: Ipv4Addr, prefix: u8) -> Option<Ipv4Addr> {
    (prefix < 31)
        .then(|| Ipv4Addr::from_bits(address.to_bits() | (u32::MAX.checked_shr(prefix.into()).unwrap_or(0))))
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_broadcast_address_is_the_last_one() {
        let last = |address: &str, prefix| {
            broadcast(address.parse().unwrap(), prefix).map(|found| found.to_string())
        };
        assert_eq!(last("10.1.2.3", 24).as_deref(), Some("10.1.2.255"));
        assert_eq!(last("10.1.2.3", 30).as_deref(), Some("10.1.2.3"));
        assert_eq!(last("10.1.2.3", 31), None);
        assert_eq!(last("10.1.2.3", 0).as_deref(), Some("255.255.255.255"));
    }
}
