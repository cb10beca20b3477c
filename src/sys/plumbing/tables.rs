//! What there is before a change: links with their addresses, and routes, read at once.

use std::collections::BTreeMap;

use rtnetlink::packet_core::{NetlinkDeserializable as _, NetlinkHeader, NetlinkSerializable as _};
use rtnetlink::packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::AddressMessage,
    link::{LinkAttribute, LinkMessage},
    route::RouteMessage,
};

use crate::model::{Link, LinkName};
use crate::sys::netlink::{self, Route};

use super::{Error, Order, Plumbing};

const NEW_LINK: u16 = libc::RTM_NEWLINK;
const NEW_ADDRESS: u16 = libc::RTM_NEWADDR;
const NEW_ROUTE: u16 = libc::RTM_NEWROUTE;

impl Plumbing {
    /// The links of the namespace with their addresses.
    pub fn links(&mut self) -> Result<Vec<Link>, Error> {
        let question = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let mut links = BTreeMap::new();
        for message in self.dump("the interfaces", &question, NEW_LINK)? {
            let RouteNetlinkMessage::NewLink(message) = message else { continue };
            links.extend(netlink::decode_link(&message).map(|link| (link.index, link)));
        }
        let question = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        for message in self.dump("the addresses", &question, NEW_ADDRESS)? {
            let RouteNetlinkMessage::NewAddress(message) = message else { continue };
            let Some((index, address)) = netlink::decode_address(&message) else { continue };
            if let Some(link) = links.get_mut(&index) {
                link.addresses.push(address);
            }
        }
        Ok(links.into_values().collect())
    }

    /// The routes of all tables, IPv4 first.
    pub fn routes(&mut self) -> Result<Vec<Route>, Error> {
        let mut routes = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut question = RouteMessage::default();
            question.header.address_family = family;
            let question = RouteNetlinkMessage::GetRoute(question);
            for message in self.dump("the routes", &question, NEW_ROUTE)? {
                let RouteNetlinkMessage::NewRoute(message) = message else { continue };
                routes.extend(netlink::decode_route(&message));
            }
        }
        Ok(routes)
    }

    /// The link of that name, without its addresses.
    pub fn link(&mut self, name: &LinkName) -> Result<Link, Error> {
        let mut question = LinkMessage::default();
        question.attributes.push(LinkAttribute::IfName(name.to_string()));
        let question = RouteNetlinkMessage::GetLink(question);
        let mut body = vec![0; question.buffer_len()];
        question.serialize(&mut body);
        let mut found = None;
        let asked = self.socket.order((question.message_type(), &body), 0, |answer| {
            found = found.take().or_else(|| match decode(NEW_LINK, answer)? {
                RouteNetlinkMessage::NewLink(message) => netlink::decode_link(&message),
                _ => None,
            });
        });
        match asked {
            Err(error) if error.raw_os_error() != Some(libc::ENODEV) => {
                Err(Error::Refused { order: Order::Read("an interface"), source: error })
            }
            _ => found.ok_or_else(|| Error::NoLink(name.clone())),
        }
    }

    fn dump(
        &mut self,
        what: &'static str,
        question: &RouteNetlinkMessage,
        answer: u16,
    ) -> Result<Vec<RouteNetlinkMessage>, Error> {
        let mut body = vec![0; question.buffer_len()];
        question.serialize(&mut body);
        let read = |entry: &[u8]| decode(answer, entry);
        let found = self.socket.table((question.message_type(), &body), answer, read);
        found.map_err(|source| Error::Refused { order: Order::Read(what), source })
    }
}

/// None for what the library cannot read.
fn decode(kind: u16, payload: &[u8]) -> Option<RouteNetlinkMessage> {
    let mut header = NetlinkHeader::default();
    header.message_type = kind;
    RouteNetlinkMessage::deserialize(&header, payload).ok()
}
