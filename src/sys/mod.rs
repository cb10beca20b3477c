//! The kernel seam, and the only room with `unsafe`: namespaces, netlink, packet sources, filters, capabilities.
//!
//! Small functions and traits in our words; nothing here knows of containers.

mod capability;
mod filter;
mod libpcap;
pub mod netns;
mod ring;
mod source;
mod synthetic;
mod volume;
mod wake;

pub use capability::{Capability, keep_only, missing};
pub use filter::{Filter, FilterError, MAX_SNAPLEN, OfflineFilter};
pub use libpcap::LibpcapSource;
pub use ring::Ring;
pub use source::{FrameSource, FrameVisitor, SourceCounters, SourceError, SourceOptions};
pub use volume::free_bytes;
pub use wake::{Poller, Wake, Waker};
