//! What can go wrong with an engine, and how it is told as a warning with a hint.

use std::{error::Error as _, io, time::Duration};

use super::Address;

/// Failures of one engine, or of a question that went to all of them.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The socket is there, but nobody takes the connection.
    #[error("connecting to the engine at {address}")]
    Connect {
        /// Whose socket.
        address: Address,
        /// The system's word.
        #[source]
        cause: io::Error,
    },
    /// What listens there does not speak HTTP, or hangs up in mid-answer.
    #[error("talking HTTP with the engine at {address}")]
    Talk {
        /// Whose socket.
        address: Address,
        /// hyper's word.
        #[source]
        cause: hyper::Error,
    },
    /// No whole answer in the time granted.
    #[error("waiting for the engine at {address}, silent for {} s", granted.as_secs_f32())]
    Silence {
        /// Whose socket.
        address: Address,
        /// How long it was waited for.
        granted: Duration,
    },
    /// An answer with another HTTP status than 200.
    #[error("asking the engine at {address} for {path}: it answered {status} ({message})")]
    Refused {
        /// Whose socket.
        address: Address,
        /// What was asked.
        path: String,
        /// HTTP status.
        status: u16,
        /// The engine's reason.
        message: String,
    },
    /// An answer longer than any engine's.
    #[error("reading the answer of the engine at {address} to {path}: it is longer than {limit} bytes")]
    TooLong {
        /// Whose socket.
        address: Address,
        /// What was asked.
        path: String,
        /// Bytes allowed.
        limit: usize,
    },
    /// An answer that is not JSON, or of quite another shape.
    #[error("reading the answer of the engine at {address} to {path}")]
    Unreadable {
        /// Whose socket.
        address: Address,
        /// What was asked.
        path: String,
        /// Where it stopped making sense.
        #[source]
        cause: serde_json::Error,
    },
    /// Every engine that could be asked says so.
    #[error("finding a container '{0}' in any engine")]
    UnknownContainer(String),
}

impl Error {
    /// One sentence for the user: what is the matter, and what to do.
    pub(super) fn warning(&self) -> String {
        match self {
            Self::Connect { address, cause } => unreachable(address, cause),
            Self::Talk { address, cause } if cause.is_parse() => {
                format!(
                    "what listens at {address} does not speak HTTP, so it is no engine: check DOCKER_HOST"
                )
            }
            Self::Silence { address, .. } => format!(
                "{self}: its containers are found without their names, see whether `docker -H {} ps` hangs too",
                url(address)
            ),
            Self::Refused { status: 400, message, .. } if message.contains("HTTPS") => {
                format!("{self}: engines behind TLS are not supported here")
            }
            Self::Refused { status: 403, .. } => {
                format!("{self}: a proxy or an authorization plug-in forbids it")
            }
            _ => match self.source() {
                Some(cause) => format!("{self}: {cause}"),
                None => self.to_string(),
            },
        }
    }

    /// Whether the engine is there and only this question was turned down.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

fn unreachable(address: &Address, cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::PermissionDenied => {
            format!(
                "no permission to ask the engine at {address}: run as root, or join the group that owns the socket"
            )
        }
        io::ErrorKind::ConnectionRefused => {
            format!("nobody listens at {address}: start that engine, or remove what it left behind")
        }
        _ => format!("the engine at {address} cannot be reached: {cause}"),
    }
}

fn url(address: &Address) -> String {
    if address.is_local() { format!("unix://{address}") } else { address.to_string() }
}
