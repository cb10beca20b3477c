//! What can go wrong on a sock_diag socket.

use std::io;

use crate::model::NamespaceId;
use crate::sys::netns;

use super::Transport;

/// What can go wrong on a sock_diag socket.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Error {
    #[error("opening a socket to ask for sockets")]
    Open(#[source] io::Error),
    #[error("opening a socket to ask for the sockets of {namespace}")]
    Enter { namespace: NamespaceId, source: netns::Error },
    #[error("asking the kernel for its {transport} sockets")]
    Ask { transport: Transport, source: io::Error },
    #[error("hearing of sockets that end")]
    Listen(#[source] io::Error),
}
