//! The kernel seam, and the only room with `unsafe`: namespaces, netlink, packet sources, filters, capabilities.
//!
//! Small functions and traits in our words; nothing here knows what a container is.

mod addresses;
mod bpf;
mod capability;
pub mod cgroup;
mod cgroup_counter;
mod cgroup_tap;
pub mod conntrack;
pub mod datagrams;
mod direct;
pub mod ebpf;
mod file_capabilities;
mod filter;
pub mod firewall;
mod folder;
pub mod fork;
mod hang_up;
mod headers;
pub mod host_port;
mod huge_pages;
mod inherited;
pub mod interior;
pub mod iptables;
mod libpcap;
mod lock;
pub mod mounts;
pub mod netlink;
pub mod netns;
pub mod nft;
mod own_cgroup;
pub mod placement;
pub mod plumbing;
pub mod process;
mod raw_netlink;
pub mod relay;
mod ring;
mod root;
pub mod sock_diag;
mod source;
pub mod statistics;
pub mod sysctl;
mod system;
mod tool;
pub mod transfer;
mod unnamed;
pub mod user;
mod volume;
mod wake;
mod writable;

pub use addresses::own_addresses;
pub use capability::{Capability, keep_only, missing};
pub use cgroup::CgroupId;
pub use cgroup_counter::{CgroupCounter, Volume};
pub use cgroup_tap::{CgroupTap, CgroupTapOptions, Error as CgroupTapError, Posts};
pub use direct::{WriteThrough, write_through};
pub use file_capabilities::{file_capabilities, give_capabilities};
pub use filter::{Filter, FilterError, LinkFilter, MAX_SNAPLEN};
pub use folder::{is_somebody_elses, make_with_parent};
pub use hang_up::reader_is_gone;
pub use huge_pages::prefer_huge_pages;
pub use inherited::inherited_file;
pub use libpcap::LibpcapSource;
pub use lock::FileLock;
pub use own_cgroup::OwnCgroup;
pub use ring::Ring;
pub use root::read_inside;
pub use source::{
    FrameSource, FrameVisitor, LinkLayer, Pace, Payload, SourceCounters, SourceError, SourceOptions,
};
pub use system::{System, effective_user, may_write, random_bytes, system};
pub use tool::find as find_program;
pub use unnamed::unnamed_file;
pub use volume::{free_bytes, free_bytes_behind};
pub use wake::{Poller, Wake, Waker};
pub use writable::wait_writable;
