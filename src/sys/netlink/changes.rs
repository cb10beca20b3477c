//! What the kernel tells unasked when links, addresses or namespaces change. It says that something changed, and no
//! more: whoever listens looks again, which is right after any number of lost messages too.

use std::io;

use futures_util::{StreamExt, stream::BoxStream};
use rtnetlink::{
    MulticastGroup,
    packet_core::NetlinkPayload,
    packet_route::{
        AddressFamily, RouteNetlinkMessage,
        link::{LinkFlags, LinkHeader},
    },
    proto::sys::AsyncSocket,
};

use super::Error;

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A link came, went or got another state, name or master.
    Link,
    /// An address came or went.
    Address,
    /// A namespace got a number here, or one that had a number is gone.
    Namespace,
    /// Messages were lost: anything may have changed.
    Lost,
}

/// The changes in our own namespace and, with `CAP_NET_BROADCAST`, in every one that has a number in it.
pub struct Changes {
    stream: BoxStream<'static, Change>,
}

impl Changes {
    /// Listens from now on. Panics outside a tokio runtime.
    pub fn listen() -> Result<Self, Error> {
        const GROUPS: [MulticastGroup; 4] = [
            MulticastGroup::Link,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv6Ifaddr,
            MulticastGroup::Nsid,
        ];
        let (mut connection, handle, messages) =
            rtnetlink::new_multicast_connection(&GROUPS).map_err(Error::Open)?;
        let socket = connection.socket_mut().socket_mut();
        match socket.set_listen_all_namespaces(true) {
            Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(Error::Open(error)),
            _ => {}
        }
        tokio::spawn(connection);
        let stream = messages.filter_map(move |(message, _)| {
            let _keeps_the_connection = &handle;
            std::future::ready(meaning(&message.payload))
        });
        Ok(Self { stream: stream.boxed() })
    }

    /// The next change; `None` once the socket is closed.
    pub async fn next(&mut self) -> Option<Change> {
        self.stream.next().await
    }
}

/// `None` for what is no change of links, such as a port that leaves its bridge in the bridge's own family: the link's
/// own message follows.
fn meaning(payload: &NetlinkPayload<RouteNetlinkMessage>) -> Option<Change> {
    use RouteNetlinkMessage::{DelAddress, DelLink, DelNsId, NewAddress, NewLink, NewNsId};
    match payload {
        NetlinkPayload::InnerMessage(NewLink(link)) if is_about_listening(&link.header) => None,
        NetlinkPayload::InnerMessage(NewLink(link) | DelLink(link)) => {
            (link.header.interface_family == AddressFamily::Unspec).then_some(Change::Link)
        }
        NetlinkPayload::InnerMessage(NewAddress(_) | DelAddress(_)) => Some(Change::Address),
        NetlinkPayload::InnerMessage(NewNsId(_) | DelNsId(_)) => Some(Change::Namespace),
        NetlinkPayload::Overrun(_) => Some(Change::Lost),
        _ => None,
    }
}

/// Whether somebody began or ceased to listen there, us included, and nothing else changed (`__dev_notify_flags` in the
/// kernel's net/core/dev.c names the flags that did).
fn is_about_listening(header: &LinkHeader) -> bool {
    let changed = header.change_mask;
    !changed.is_empty() && (LinkFlags::Promisc | LinkFlags::Allmulti).contains(changed)
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_route::link::LinkMessage;

    use super::*;

    fn changed(flags: LinkFlags) -> Option<Change> {
        let mut link = LinkMessage::default();
        link.header.change_mask = flags;
        meaning(&NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)))
    }

    #[test]
    fn whoever_listens_to_a_link_changes_nothing() {
        assert_eq!(changed(LinkFlags::Promisc), None);
        assert_eq!(changed(LinkFlags::Promisc | LinkFlags::Allmulti), None);
        assert_eq!(changed(LinkFlags::Promisc | LinkFlags::Up), Some(Change::Link));
        assert_eq!(changed(LinkFlags::Up), Some(Change::Link));
        assert_eq!(changed(LinkFlags::empty()), Some(Change::Link), "a new name or another master");
        assert_eq!(changed(LinkFlags::from_bits_retain(u32::MAX)), Some(Change::Link), "a new link");
    }
}
