//! What is asked: which connection, from where.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use crate::model::{NamespaceId, Protocol};

/// What is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Where the connection goes.
    pub target: Target,
    /// Where it begins.
    pub origin: Origin,
    /// What it speaks.
    pub protocol: Protocol,
}

/// Where a connection goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A port of the host.
    HostPort(u16),
    /// A container, by its id.
    Container {
        /// Its id.
        id: String,
        /// The port inside; none: whatever it publishes or listens on.
        port: Option<u16>,
        /// The name it was called by, where others might call it so too.
        name: Option<String>,
    },
    /// A name that is no container's.
    Name {
        /// It.
        name: String,
        /// The port.
        port: u16,
    },
    /// An address.
    Address(SocketAddr),
}

/// Where a connection begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// From the host, and from outside where that is meant to work.
    Anywhere,
    /// A process of the host.
    Host,
    /// A container, by its id and namespace.
    Container(String, NamespaceId),
    /// Somebody outside of the host, with that address or any.
    Outside(Option<IpAddr>),
}

/// What was learnt by asking a name server from within a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// Where it was asked.
    pub namespace: NamespaceId,
    /// The server.
    pub server: SocketAddr,
    /// The name.
    pub name: String,
    /// What it said.
    pub answer: LookupAnswer,
}

/// What a name server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupAnswer {
    /// These addresses.
    Addresses(Vec<IpAddr>),
    /// There is no such name.
    NoSuchName,
    /// It failed or would not, by the number of DNS.
    Failed(u8),
    /// Nothing.
    Silence,
    /// Nobody is there (ICMP).
    Unreachable,
}

impl fmt::Display for LookupAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addresses(addresses) if addresses.is_empty() => f.write_str("no address"),
            Self::Addresses(addresses) => {
                f.write_str(&addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
            }
            Self::NoSuchName => f.write_str("no such name"),
            Self::Failed(code) => write!(f, "failure {code}"),
            Self::Silence => f.write_str("no answer"),
            Self::Unreachable => f.write_str("nobody listens there"),
        }
    }
}
