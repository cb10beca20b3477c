//! What may drop frames at an interface before any rule is asked: queueing disciplines (`tc(8)`) and XDP programs.

use rtnetlink::packet_route::{
    RouteNetlinkMessage,
    link::{LinkAttribute, LinkMessage, LinkXdp, XdpAttached},
    tc::{TcAttribute, TcMessage},
};

use crate::model::LinkIndex;

use super::{Error, Netlink, Query};

/// Something at an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkHook {
    /// The interface.
    pub link: LinkIndex,
    /// What.
    pub kind: HookKind,
}

/// What may drop frames at an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookKind {
    /// A queueing discipline, by its name.
    Queue(String),
    /// An XDP program.
    Program,
}

impl Netlink {
    /// The queueing disciplines and XDP programs at all interfaces.
    pub async fn hooks(&mut self) -> Result<Vec<LinkHook>, Error> {
        let question = RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default());
        let queues = self.dump(Query::Hooks, question).await?;
        let links = self.dump(Query::Hooks, RouteNetlinkMessage::GetLink(LinkMessage::default())).await?;
        let mut hooks: Vec<LinkHook> = queues
            .iter()
            .filter_map(|message| match message {
                RouteNetlinkMessage::NewQueueDiscipline(queue) => decode_queue(queue),
                _ => None,
            })
            .collect();
        hooks.extend(links.iter().filter_map(|message| match message {
            RouteNetlinkMessage::NewLink(link) => decode_program(link),
            _ => None,
        }));
        Ok(hooks)
    }
}

fn decode_queue(message: &TcMessage) -> Option<LinkHook> {
    let link = LinkIndex::try_from(u32::try_from(message.header.index).ok()?).ok()?;
    message.attributes.iter().find_map(|attribute| match attribute {
        TcAttribute::Kind(kind) => Some(LinkHook { link, kind: HookKind::Queue(kind.clone()) }),
        _ => None,
    })
}

fn decode_program(message: &LinkMessage) -> Option<LinkHook> {
    let link = LinkIndex::try_from(message.header.index).ok()?;
    let attached = message.attributes.iter().any(|attribute| match attribute {
        LinkAttribute::Xdp(parts) => parts
            .iter()
            .any(|part| matches!(part, LinkXdp::Attached(attached) if *attached != XdpAttached::None)),
        _ => false,
    });
    attached.then_some(LinkHook { link, kind: HookKind::Program })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_and_programs_are_read() {
        let mut queue = TcMessage::default();
        queue.header.index = 7;
        queue.attributes.push(TcAttribute::Kind("blackhole".to_owned()));
        let hook = decode_queue(&queue).unwrap();
        assert_eq!((hook.link.number(), hook.kind), (7, HookKind::Queue("blackhole".to_owned())));
        let mut link = LinkMessage::default();
        link.header.index = 8;
        assert_eq!(decode_program(&link), None);
        link.attributes.push(LinkAttribute::Xdp(vec![LinkXdp::Attached(XdpAttached::SocketBuffer)]));
        assert_eq!(decode_program(&link).unwrap().kind, HookKind::Program);
    }
}
