//! The ports of the bridges in the socket's own namespace, and how each is set.

use rtnetlink::packet_route::{
    RouteNetlinkMessage,
    link::{BridgePortState, InfoBridgePort, InfoPortData, LinkAttribute, LinkInfo, LinkMessage},
};

use crate::model::LinkIndex;

use super::{Error, Netlink, Query};

/// A port, as far as its settings decide what passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BridgePort {
    /// The interface that is the port.
    pub link: LinkIndex,
    /// Whether frames pass.
    pub state: PortState,
    /// Whether frames may leave by the port they came in.
    pub hairpin: bool,
    /// Whether no frames pass to and from other isolated ports.
    pub isolated: bool,
}

/// Whether frames pass a port (the spanning tree's word).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortState {
    /// They pass.
    Forwarding,
    /// They do not, or not yet.
    Holding,
}

impl Netlink {
    /// Every port of every bridge.
    pub async fn bridge_ports(&mut self) -> Result<Vec<BridgePort>, Error> {
        let question = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let answer = self.dump(Query::BridgePorts, question).await?;
        Ok(answer
            .iter()
            .filter_map(|message| match message {
                RouteNetlinkMessage::NewLink(link) => decode_port(link),
                _ => None,
            })
            .collect())
    }
}

fn decode_port(message: &LinkMessage) -> Option<BridgePort> {
    let settings = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => infos.iter().find_map(|info| match info {
            LinkInfo::PortData(InfoPortData::BridgePort(settings)) => Some(settings),
            _ => None,
        }),
        _ => None,
    })?;
    let mut port = BridgePort {
        link: LinkIndex::try_from(message.header.index).ok()?,
        state: PortState::Forwarding,
        hairpin: false,
        isolated: false,
    };
    for setting in settings {
        match setting {
            InfoBridgePort::State(state) if *state != BridgePortState::Forwarding => {
                port.state = PortState::Holding;
            }
            InfoBridgePort::HairpinMode(on) => port.hairpin = *on,
            InfoBridgePort::Isolated(on) => port.isolated = *on,
            _ => {}
        }
    }
    Some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_told_by_its_settings() {
        let mut message = LinkMessage::default();
        message.header.index = 7;
        assert_eq!(decode_port(&message), None);
        let settings = vec![
            InfoBridgePort::State(BridgePortState::Blocking),
            InfoBridgePort::HairpinMode(true),
            InfoBridgePort::Isolated(false),
        ];
        let data = LinkInfo::PortData(InfoPortData::BridgePort(settings));
        message.attributes.push(LinkAttribute::LinkInfo(vec![data]));
        let port = decode_port(&message).unwrap();
        assert_eq!((port.link.number(), port.state), (7, PortState::Holding));
        assert!(port.hairpin && !port.isolated);
    }
}
