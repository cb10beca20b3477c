//! The nouns that every room shares: namespace, link, container, endpoint, frame, selector.
//!
//! Values only: nothing here opens, reads or waits. A value that exists is valid (checked constructors).

mod container;
mod endpoint;
#[cfg(test)]
pub(crate) mod fixture;
mod frame;
mod link;
mod namespace;
mod selector;

pub use container::{Container, Engine, Membership, NetworkMode, Protocol, PublishedPort, State};
pub use endpoint::{Endpoint, HostSide};
pub use frame::{Direction, Frame, Owner, OwnerProcess, made_up_ethernet};
pub use link::{
    Counters, InterfaceAddress, InvalidInterfaceAddress, InvalidLinkIndex, InvalidLinkName, InvalidMac, Link,
    LinkIndex, LinkKind, LinkName, LowerLink, Mac, MediaType,
};
pub use namespace::NamespaceId;
pub use selector::{InvalidSelector, Pattern, Selector};
