//! Link and address dumps, joined into [`Link`]s. What does not fit the model is left out, what is unknown is kept.

use std::collections::{BTreeMap, HashMap};

use rtnetlink::packet_route::{
    RouteNetlinkMessage,
    address::{AddressAttribute, AddressMessage},
    link::{LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage, Stats64},
};

use crate::model::{Counters, InterfaceAddress, Link, LinkIndex, LinkKind, LowerLink, Mac, MediaType};

use super::{Error, Netlink, Query};

impl Netlink {
    /// The links, with their addresses, of the socket's own namespace, or of the one that it knows by a number
    /// (`IFLA_TARGET_NETNSID`; needs `CAP_NET_ADMIN` over that one).
    ///
    /// Numbers in the answer are in the numbering of the socket's namespace either way.
    pub async fn links(&mut self, target: Option<i32>) -> Result<Vec<Link>, Error> {
        let mut question = LinkMessage::default();
        question.attributes.extend(target.map(LinkAttribute::IfNetnsId));
        let links = self.dump(Query::Links, RouteNetlinkMessage::GetLink(question)).await?;
        let mut addresses = self.addresses(target).await?;
        // By index, because an answer that was read while the list changed may tell a link twice.
        let links: BTreeMap<LinkIndex, Link> = links
            .into_iter()
            .filter_map(|message| match message {
                RouteNetlinkMessage::NewLink(link) => decode_link(&link),
                _ => None,
            })
            .map(|link| (link.index, link))
            .collect();
        Ok(links
            .into_values()
            .map(|link| Link { addresses: addresses.remove(&link.index).unwrap_or_default(), ..link })
            .collect())
    }

    /// The addresses by link, with the choice of namespaces that [`links`](Self::links) has.
    pub async fn addresses(
        &mut self,
        target: Option<i32>,
    ) -> Result<HashMap<LinkIndex, Vec<InterfaceAddress>>, Error> {
        let mut question = AddressMessage::default();
        question.attributes.extend(target.map(AddressAttribute::TargetNetNsId));
        let mut addresses: HashMap<_, Vec<_>> = HashMap::new();
        for message in self.dump(Query::Addresses, RouteNetlinkMessage::GetAddress(question)).await? {
            let RouteNetlinkMessage::NewAddress(message) = message else { continue };
            if let Some((index, address)) = decode_address(&message) {
                addresses.entry(index).or_default().push(address);
            }
        }
        Ok(addresses)
    }
}

/// The value of an attribute, if the message has it.
macro_rules! attribute {
    ($message:expr, $kind:ident :: $variant:ident) => {
        $message.attributes.iter().find_map(|attribute| match attribute {
            $kind::$variant(value) => Some(value),
            _ => None,
        })
    };
}

/// On a point-to-point link `IFA_ADDRESS` is the far end's and `IFA_LOCAL` ours; IPv6 mostly gives the former only.
pub(in crate::sys) fn decode_address(message: &AddressMessage) -> Option<(LinkIndex, InterfaceAddress)> {
    let index = LinkIndex::try_from(message.header.index).ok()?;
    let local = attribute!(message, AddressAttribute::Local);
    let address = *local.or_else(|| attribute!(message, AddressAttribute::Address))?;
    Some((index, InterfaceAddress { address, prefix: message.header.prefix_len }))
}

pub(in crate::sys) fn decode_link(message: &LinkMessage) -> Option<Link> {
    let header = &message.header;
    let index = LinkIndex::try_from(header.index).ok()?;
    let index_of = |number: &u32| LinkIndex::try_from(*number).ok();
    Some(Link {
        index,
        name: attribute!(message, LinkAttribute::IfName)?.parse().ok()?,
        kind: kind_of(message),
        media: media_of(header.link_layer_type),
        mac: attribute!(message, LinkAttribute::Address).and_then(|bytes| mac_of(bytes)),
        mtu: attribute!(message, LinkAttribute::Mtu).copied().unwrap_or_default(),
        up: header.flags.contains(LinkFlags::Up),
        carrier: header.flags.contains(LinkFlags::LowerUp),
        master: attribute!(message, LinkAttribute::Controller).and_then(index_of),
        lower: lower_of(message, index),
        alias: attribute!(message, LinkAttribute::IfAlias).cloned(),
        counters: attribute!(message, LinkAttribute::Stats64).map(counters_of).unwrap_or_default(),
        addresses: Vec::new(),
    })
}

/// Kernels before 5.0 leave `IFLA_LINK` out where it equals the link's own index, even if that is the index of a peer
/// in another namespace; the namespace's number alone then tells of the peer (`nla_put_iflink`, net/core/rtnetlink.c).
fn lower_of(message: &LinkMessage, own: LinkIndex) -> Option<LowerLink> {
    let netnsid = attribute!(message, LinkAttribute::LinkNetNsId).copied();
    let index = match attribute!(message, LinkAttribute::Link) {
        Some(number) => LinkIndex::try_from(*number).ok()?,
        None => netnsid.map(|_| own)?,
    };
    Some(LowerLink { index, netnsid })
}

fn kind_of(message: &LinkMessage) -> LinkKind {
    let info = attribute!(message, LinkAttribute::LinkInfo).into_iter().flatten();
    let word = info.into_iter().find_map(|info| match info {
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    });
    match word {
        Some(word) => LinkKind::from_kernel(&word),
        None if message.header.link_layer_type == LinkLayerType::Loopback => LinkKind::Loopback,
        None => LinkKind::Hardware,
    }
}

/// The same choice as libpcap makes for `ARPHRD_*` (`map_arphrd_to_dlt` in pcap-linux.c), as far as we know the types.
fn media_of(layer: LinkLayerType) -> MediaType {
    match layer {
        LinkLayerType::Ether | LinkLayerType::Loopback => MediaType::Ethernet,
        LinkLayerType::None
        | LinkLayerType::Rawip
        | LinkLayerType::Tunnel
        | LinkLayerType::Tunnel6
        | LinkLayerType::Sit => MediaType::RawIp,
        other => MediaType::Other(other.into()),
    }
}

pub(super) fn mac_of(bytes: &[u8]) -> Option<Mac> {
    bytes.try_into().ok().map(Mac::new)
}

fn counters_of(stats: &Stats64) -> Counters {
    Counters {
        rx_packets: stats.rx_packets,
        tx_packets: stats.tx_packets,
        rx_bytes: stats.rx_bytes,
        tx_bytes: stats.tx_bytes,
        rx_errors: stats.rx_errors,
        tx_errors: stats.tx_errors,
        rx_dropped: stats.rx_dropped,
        tx_dropped: stats.tx_dropped,
    }
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_route::link::InfoKind;

    use super::*;

    fn message(attributes: Vec<LinkAttribute>) -> LinkMessage {
        let mut message = LinkMessage::default();
        message.header.index = 4;
        message.attributes = attributes;
        message
    }

    #[test]
    fn a_peer_in_another_namespace_may_have_the_same_index() {
        let lower = |attributes| lower_of(&message(attributes), 4.try_into().unwrap());
        let expected = |index: u32, netnsid| Some(LowerLink { index: index.try_into().unwrap(), netnsid });
        assert_eq!(lower(vec![]), None);
        assert_eq!(lower(vec![LinkAttribute::Link(0)]), None);
        assert_eq!(lower(vec![LinkAttribute::Link(7)]), expected(7, None));
        assert_eq!(lower(vec![LinkAttribute::Link(7), LinkAttribute::LinkNetNsId(2)]), expected(7, Some(2)));
        assert_eq!(lower(vec![LinkAttribute::LinkNetNsId(2)]), expected(4, Some(2)));
    }

    #[test]
    fn unknown_kinds_and_media_are_kept() {
        let mut link = message(vec![
            LinkAttribute::IfName("x0".to_owned()),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Other("novel".to_owned()))]),
        ]);
        link.header.link_layer_type = LinkLayerType::Netlink;
        let link = decode_link(&link).unwrap();
        assert_eq!(link.kind, LinkKind::Other("novel".to_owned()));
        assert_eq!(link.media, MediaType::Other(824));
    }

    #[test]
    fn a_link_without_a_name_is_left_out() {
        assert_eq!(decode_link(&message(vec![])), None);
    }
}
