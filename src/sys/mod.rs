//! The kernel seam, and the only room with `unsafe`: small functions and types in our own words.
//!
//! Nothing here knows what a container is.

pub mod mounts;
pub mod netlink;
pub mod netns;
pub mod process;
pub mod sysctl;
