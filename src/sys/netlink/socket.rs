//! One rtnetlink socket: how it is opened, and how a table is read from it as a whole.
//!
//! The kernel runs one dump a socket at a time (it refuses a second one with EBUSY), hence `&mut self` everywhere.

use std::{fmt, io, os::fd::AsFd, os::fd::AsRawFd, time::Duration};

use futures_util::StreamExt;
use rtnetlink::{
    Handle,
    packet_core::{NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload},
    packet_route::{
        RouteNetlinkMessage,
        nsid::{NsidAttribute, NsidMessage},
    },
    proto::Connection,
};
use tokio::{runtime, time::timeout};

use crate::model::NamespaceId;
use crate::sys::netns::{self, Namespace};

/// What was asked of the kernel, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Query {
    Links,
    Addresses,
    Routes,
    Neighbours,
    Forwarding,
    Rules,
    BridgePorts,
    Hooks,
    /// The number by which the socket's namespace knows another one.
    Number(NamespaceId),
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Links => f.write_str("the interfaces"),
            Self::Addresses => f.write_str("the addresses"),
            Self::Routes => f.write_str("the routes"),
            Self::Neighbours => f.write_str("the neighbours"),
            Self::Forwarding => f.write_str("the forwarding entries of bridges"),
            Self::Rules => f.write_str("the rules that choose a routing table"),
            Self::Hooks => f.write_str("the queues and programs at interfaces"),
            Self::BridgePorts => f.write_str("the ports of bridges"),
            Self::Number(namespace) => write!(f, "the number of the namespace {namespace}"),
        }
    }
}

/// What can go wrong on a netlink socket.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Error {
    #[error("opening a netlink socket")]
    Open(#[source] io::Error),
    #[error("opening a netlink socket in {namespace}")]
    Enter { namespace: NamespaceId, source: netns::Error },
    #[error("asking the kernel for {query}")]
    Refused { query: Query, source: io::Error },
    #[error("asking the kernel for {query}: no answer within {} s", ANSWER_LIMIT.as_secs())]
    Silent { query: Query },
    #[error("asking the kernel for {query}: the socket was closed")]
    Closed { query: Query },
}

impl Error {
    /// Whether the kernel refused for want of a capability.
    pub fn is_permission(&self) -> bool {
        match self {
            Self::Open(source)
            | Self::Refused { source, .. }
            | Self::Enter { source: netns::Error::Enter { source, .. }, .. } => {
                source.kind() == io::ErrorKind::PermissionDenied
            }
            _ => false,
        }
    }
}

/// Links change in bursts when containers start; five attempts is what other readers of these tables settled on.
const DUMP_ATTEMPTS: usize = 5;

/// A message that the decoder cannot read is dropped without a word, which would otherwise be waited for for ever.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// An rtnetlink socket in one network namespace.
#[derive(Debug)]
pub struct Netlink {
    handle: Handle,
}

impl Netlink {
    /// Opens a socket in the namespace of the calling thread. Panics outside a tokio runtime.
    pub fn open() -> Result<Self, Error> {
        let (connection, handle) = connect().map_err(Error::Open)?;
        Ok(Self::driven_by(connection, handle))
    }

    /// Opens a socket in another namespace, by a thread that enters it and ends; its numbering of namespaces is that
    /// namespace's own. Panics outside a tokio runtime.
    pub fn open_in(namespace: &Namespace) -> Result<Self, Error> {
        let runtime = runtime::Handle::current();
        let (connection, handle) = namespace
            .within(|| {
                let _reactor = runtime.enter();
                connect()
            })
            .map_err(|source| Error::Enter { namespace: namespace.id(), source })?
            .map_err(Error::Open)?;
        Ok(Self::driven_by(connection, handle))
    }

    /// The connection ends, and its socket closes, once the last handle to it is gone.
    fn driven_by(connection: Connection<RouteNetlinkMessage>, handle: Handle) -> Self {
        tokio::spawn(connection);
        Self { handle }
    }

    /// The number by which this socket's namespace knows another one; `None` if it has none for it, which means that
    /// no interface here has its far end there (`RTM_GETNSID`; -1 in the kernel's words).
    pub async fn netnsid_of(&mut self, namespace: &Namespace) -> Result<Option<i32>, Error> {
        let query = Query::Number(namespace.id());
        let mut question = NsidMessage::default();
        let descriptor = namespace.as_fd().as_raw_fd().cast_unsigned();
        question.attributes.push(NsidAttribute::Fd(descriptor));
        let mut request = NetlinkMessage::from(RouteNetlinkMessage::GetNsId(question));
        request.header.flags = NLM_F_REQUEST;
        let answer = self.ask(query, request).await?;
        let attributes = answer.messages.into_iter().flat_map(|message| match message {
            RouteNetlinkMessage::NewNsId(answer) => answer.attributes,
            _ => Vec::new(),
        });
        let mut numbers = attributes.filter_map(|attribute| match attribute {
            NsidAttribute::Id(number) => Some(number),
            _ => None,
        });
        Ok(numbers.find(|number| *number >= 0))
    }

    /// Reads a whole table; again if it changed meanwhile (`NLM_F_DUMP_INTR`). On a host where it always does, the last
    /// answer is taken: it may lack what came and show what went while it was read, which the next change tells.
    pub(super) async fn dump(
        &mut self,
        query: Query,
        question: RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, Error> {
        let mut request = NetlinkMessage::from(question);
        request.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let mut answer = self.ask(query, request.clone()).await?;
        for _ in 1..DUMP_ATTEMPTS {
            if answer.consistent {
                break;
            }
            answer = self.ask(query, request.clone()).await?;
        }
        Ok(answer.messages)
    }

    async fn ask(
        &mut self,
        query: Query,
        request: NetlinkMessage<RouteNetlinkMessage>,
    ) -> Result<Answer, Error> {
        timeout(ANSWER_LIMIT, self.collect(query, request)).await.map_err(|_| Error::Silent { query })?
    }

    async fn collect(
        &mut self,
        query: Query,
        request: NetlinkMessage<RouteNetlinkMessage>,
    ) -> Result<Answer, Error> {
        let mut replies = self.handle.request(request).map_err(|_| Error::Closed { query })?;
        let mut answer = Answer { messages: Vec::new(), consistent: true };
        let refused = |code: i32| Error::Refused { query, source: io::Error::from_raw_os_error(-code) };
        while let Some(reply) = replies.next().await {
            answer.consistent &= reply.header.flags & NLM_F_DUMP_INTR == 0;
            match reply.payload {
                NetlinkPayload::InnerMessage(message) => answer.messages.push(message),
                NetlinkPayload::Error(error) if error.code.is_some() => {
                    return Err(refused(error.raw_code()));
                }
                // A dump that fails half-way says so in its last message only.
                NetlinkPayload::Done(done) if done.code < 0 => return Err(refused(done.code)),
                NetlinkPayload::Overrun(_) => answer.consistent = false,
                _ => {}
            }
        }
        Ok(answer)
    }
}

struct Answer {
    messages: Vec<RouteNetlinkMessage>,
    consistent: bool,
}

/// Strict checking (kernel 4.20) makes the kernel honour a target namespace in address dumps, or refuse it, instead of
/// answering for its own.
fn connect() -> io::Result<(Connection<RouteNetlinkMessage>, Handle)> {
    let (mut connection, handle, _unasked) = rtnetlink::new_connection_with_strict_check()?;
    connection.set_forward_done(true);
    Ok((connection, handle))
}
