//! Links made, changed and removed.

use std::os::fd::{AsFd as _, AsRawFd as _};

use rtnetlink::packet_route::{
    AddressFamily, RouteNetlinkMessage,
    link::{
        InfoBridgePort, InfoData, InfoKind, InfoMacVlan, InfoPortData, InfoPortKind, InfoVeth, LinkAttribute,
        LinkFlags, LinkInfo, LinkMessage, MacVlanMode,
    },
};

use crate::model::{LinkIndex, LinkName, Mac};
use crate::sys::netns::Namespace;

use super::{CREATE, Error, Order, Plumbing};

/// A bridge to be.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct BridgeOrder<'a> {
    pub name: &'a LinkName,
    /// Fixed from the start: one of the ports' would come and go with the port.
    pub mac: Mac,
    pub mtu: u32,
    pub alias: &'a str,
}

/// A cable to be: this end in the socket's namespace, as a port of a bridge, the far end in another one.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct VethOrder<'a> {
    pub name: &'a LinkName,
    pub alias: &'a str,
    pub bridge: LinkIndex,
    pub mtu: u32,
    pub peer_name: &'a LinkName,
    pub peer_namespace: &'a Namespace,
    pub peer_mac: Mac,
}

/// A cable to be between two namespaces, with no bridge: this end in the socket's.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct CableOrder<'a> {
    pub name: &'a LinkName,
    pub peer_name: &'a LinkName,
    pub peer_namespace: &'a Namespace,
}

/// A macvlan to be, born in another namespace.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct MacvlanOrder<'a> {
    pub name: &'a LinkName,
    pub namespace: &'a Namespace,
    pub parent: LinkIndex,
    pub mtu: u32,
    pub mac: Mac,
    pub alias: &'a str,
}

impl Plumbing {
    /// Creates a bridge, which is down.
    pub fn create_bridge(&mut self, bridge: &BridgeOrder<'_>) -> Result<(), Error> {
        let attributes = vec![
            LinkAttribute::IfName(bridge.name.to_string()),
            LinkAttribute::IfAlias(bridge.alias.to_owned()),
            LinkAttribute::Address(bridge.mac.bytes().to_vec()),
            LinkAttribute::Mtu(bridge.mtu),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]),
        ];
        self.create_link(bridge.name, attributes)?;
        // Kernels that take no alias with the order for a new link leave it out in silence.
        self.set_alias(bridge.name, bridge.alias)
    }

    /// Creates both ends of a cable with one message; both are down. Moving the far end afterwards would cost far more.
    pub fn create_veth(&mut self, veth: &VethOrder<'_>) -> Result<(), Error> {
        let mut peer = LinkMessage::default();
        peer.attributes = vec![
            LinkAttribute::IfName(veth.peer_name.to_string()),
            LinkAttribute::NetNsFd(veth.peer_namespace.as_fd().as_raw_fd()),
            LinkAttribute::Address(veth.peer_mac.bytes().to_vec()),
            LinkAttribute::Mtu(veth.mtu),
        ];
        let attributes = vec![
            LinkAttribute::IfName(veth.name.to_string()),
            LinkAttribute::IfAlias(veth.alias.to_owned()),
            LinkAttribute::Controller(veth.bridge.number()),
            LinkAttribute::Mtu(veth.mtu),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Veth),
                LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
            ]),
        ];
        self.create_link(veth.name, attributes)?;
        self.set_alias(veth.name, veth.alias)
    }

    /// Creates both ends of a cable that is in no bridge; both are down.
    pub fn create_cable(&mut self, cable: &CableOrder<'_>) -> Result<(), Error> {
        let mut peer = LinkMessage::default();
        peer.attributes = vec![
            LinkAttribute::IfName(cable.peer_name.to_string()),
            LinkAttribute::NetNsFd(cable.peer_namespace.as_fd().as_raw_fd()),
        ];
        let attributes = vec![
            LinkAttribute::IfName(cable.name.to_string()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Veth),
                LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
            ]),
        ];
        self.create_link(cable.name, attributes)
    }

    /// Creates a macvlan in mode bridge, which is down.
    pub fn create_macvlan(&mut self, macvlan: &MacvlanOrder<'_>) -> Result<(), Error> {
        let attributes = vec![
            LinkAttribute::IfName(macvlan.name.to_string()),
            LinkAttribute::Link(macvlan.parent.number()),
            LinkAttribute::NetNsFd(macvlan.namespace.as_fd().as_raw_fd()),
            LinkAttribute::Address(macvlan.mac.bytes().to_vec()),
            LinkAttribute::Mtu(macvlan.mtu),
            LinkAttribute::IfAlias(macvlan.alias.to_owned()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::MacVlan),
                LinkInfo::Data(InfoData::MacVlan(vec![InfoMacVlan::Mode(MacVlanMode::Bridge)])),
            ]),
        ];
        self.create_link(macvlan.name, attributes)
    }

    /// Sets a link up.
    pub fn set_up(&mut self, link: LinkIndex) -> Result<(), Error> {
        self.change(link, |message| {
            message.header.flags = LinkFlags::Up;
            message.header.change_mask = LinkFlags::Up;
        })
    }

    /// Sets the largest packet that a link takes.
    pub fn set_mtu(&mut self, link: LinkIndex, mtu: u32) -> Result<(), Error> {
        self.change(link, |message| message.attributes.push(LinkAttribute::Mtu(mtu)))
    }

    /// Lets the port of a bridge send back where it came from, and sets it up.
    pub fn set_port_up_with_hairpin(&mut self, port: LinkIndex) -> Result<(), Error> {
        let hairpin = InfoPortData::BridgePort(vec![InfoBridgePort::HairpinMode(true)]);
        self.change(port, |message| {
            message.attributes.push(LinkAttribute::LinkInfo(vec![
                LinkInfo::PortKind(InfoPortKind::Bridge),
                LinkInfo::PortData(hairpin),
            ]));
            message.header.flags = LinkFlags::Up;
            message.header.change_mask = LinkFlags::Up;
        })
    }

    /// Puts links into a group, to be removed together.
    pub fn set_group(&mut self, link: LinkIndex, group: u32) -> Result<(), Error> {
        self.change(link, |message| message.attributes.push(LinkAttribute::Group(group)))
    }

    /// Removes a link; of a veth the far end goes with it.
    pub fn remove_link(&mut self, link: LinkIndex) -> Result<(), Error> {
        let mut message = LinkMessage::default();
        message.header.index = link.number();
        let order = Order::RemoveLink(format!("number {link}"));
        self.order(order, &RouteNetlinkMessage::DelLink(message), 0)
    }

    /// Removes all links of a group at once: the kernel waits for its readers once, not once for each.
    pub fn remove_group(&mut self, group: u32) -> Result<(), Error> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::Group(group));
        let order = Order::RemoveLink(format!("group {group}"));
        self.order(order, &RouteNetlinkMessage::DelLink(message), 0)
    }

    fn create_link(&mut self, name: &LinkName, attributes: Vec<LinkAttribute>) -> Result<(), Error> {
        let mut message = LinkMessage::default();
        message.attributes = attributes;
        self.order(Order::CreateLink(name.clone()), &RouteNetlinkMessage::NewLink(message), CREATE)
    }

    fn set_alias(&mut self, name: &LinkName, alias: &str) -> Result<(), Error> {
        let mut message = LinkMessage::default();
        message.attributes =
            vec![LinkAttribute::IfName(name.to_string()), LinkAttribute::IfAlias(alias.to_owned())];
        self.order(Order::ChangeLink(name.to_string()), &RouteNetlinkMessage::SetLink(message), 0)
    }

    fn change(&mut self, link: LinkIndex, change: impl FnOnce(&mut LinkMessage)) -> Result<(), Error> {
        let mut message = LinkMessage::default();
        message.header.interface_family = AddressFamily::Unspec;
        message.header.index = link.number();
        change(&mut message);
        self.order(Order::ChangeLink(format!("number {link}")), &RouteNetlinkMessage::NewLink(message), 0)
    }
}
