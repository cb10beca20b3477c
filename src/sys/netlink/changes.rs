//! What the kernel tells unasked when links, addresses or namespaces change. It says that something changed, and no
//! more: whoever listens looks again, which is right after any number of lost messages too.

use std::io;

use futures_util::{StreamExt, stream::BoxStream};
use rtnetlink::{
    MulticastGroup,
    packet_core::NetlinkPayload,
    packet_route::{AddressFamily, RouteNetlinkMessage},
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
        NetlinkPayload::InnerMessage(NewLink(link) | DelLink(link)) => {
            (link.header.interface_family == AddressFamily::Unspec).then_some(Change::Link)
        }
        NetlinkPayload::InnerMessage(NewAddress(_) | DelAddress(_)) => Some(Change::Address),
        NetlinkPayload::InnerMessage(NewNsId(_) | DelNsId(_)) => Some(Change::Namespace),
        NetlinkPayload::Overrun(_) => Some(Change::Lost),
        _ => None,
    }
}
