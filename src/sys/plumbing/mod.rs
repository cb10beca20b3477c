//! Links, addresses and routes of one namespace, made, changed and removed.
//!
//! One socket, blocking: what is made here is made in order, one thing after the other. Who makes what, and what it is
//! undone by, is the caller's affair.

mod addresses;
mod links;
mod tables;

pub use links::{BridgeOrder, CableOrder, MacvlanOrder, VethOrder};

use std::{fmt, io, net::IpAddr};

use rtnetlink::packet_core::NetlinkSerializable as _;
use rtnetlink::packet_route::RouteNetlinkMessage;

use crate::model::{InterfaceAddress, LinkName};

use super::netns::{self, Namespace};
use super::raw_netlink::{RawNetlink, Subject};

/// What was ordered, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Order {
    CreateLink(LinkName),
    RemoveLink(String),
    ChangeLink(String),
    AddAddress(InterfaceAddress),
    RemoveAddress(InterfaceAddress),
    AddRoute(IpAddr),
    Read(&'static str),
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateLink(name) => write!(f, "creating the interface {name}"),
            Self::RemoveLink(name) => write!(f, "removing the interface {name}"),
            Self::ChangeLink(name) => write!(f, "changing the interface {name}"),
            Self::AddAddress(address) => write!(f, "adding the address {address}"),
            Self::RemoveAddress(address) => write!(f, "removing the address {address}"),
            Self::AddRoute(gateway) => write!(f, "adding the default route by {gateway}"),
            Self::Read(what) => write!(f, "reading {what}"),
        }
    }
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Error {
    #[error("opening a netlink socket")]
    Open(#[source] io::Error),
    #[error("opening a netlink socket in a namespace")]
    Enter(#[source] netns::Error),
    #[error("{order}")]
    Refused { order: Order, source: io::Error },
    #[error("finding the interface {0}: there is none")]
    NoLink(LinkName),
}

impl Error {
    /// Whether something of that name is there already.
    pub fn exists(&self) -> bool {
        matches!(self, Self::Refused { source, .. } if source.raw_os_error() == Some(libc::EEXIST))
    }

    /// Whether what was to be removed or changed is not there.
    pub fn is_gone(&self) -> bool {
        const GONE: [i32; 3] = [libc::ENODEV, libc::EADDRNOTAVAIL, libc::ESRCH];
        match self {
            Self::NoLink(_) => true,
            Self::Refused { source, .. } => source.raw_os_error().is_some_and(|code| GONE.contains(&code)),
            Self::Open(_) | Self::Enter(_) => false,
        }
    }
}

/// A socket by which one namespace's links are changed.
#[derive(Debug)]
pub struct Plumbing {
    socket: RawNetlink,
}

impl Plumbing {
    /// For the calling thread's namespace.
    pub fn open() -> Result<Self, Error> {
        Ok(Self { socket: RawNetlink::to_ask(Subject::Links).map_err(Error::Open)? })
    }

    /// For another namespace.
    pub fn open_in(namespace: &Namespace) -> Result<Self, Error> {
        namespace.within(Self::open).map_err(Error::Enter)?
    }

    fn order(&mut self, order: Order, message: &RouteNetlinkMessage, flags: i32) -> Result<(), Error> {
        let mut body = vec![0; message.buffer_len()];
        message.serialize(&mut body);
        let made = self.socket.order((message.message_type(), &body), flags, |_| {});
        made.map_err(|source| Error::Refused { order, source })
    }
}

/// Flags of an order that makes something new.
const CREATE: i32 = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
