//! The ways that packets can take, and the lab in which each is built.

mod lab;
mod proof;
mod sandbox;

pub(super) use lab::Hop;
pub use lab::{Lab, Skipped};
pub(super) use proof::Addresses;

use super::word::words;

words! {
    /// A way from client to server.
    Path {
        /// Over the loopback of the host, as in host mode: the base of every comparison.
        Host = "host",
        /// The same once more, to see how far a comparison of two that are alike strays from 1.
        Control = "control",
        /// Over a cable from one namespace to another, with no bridge.
        Veth = "veth",
        /// From the host over the bridge to a container.
        Bridge = "bridge",
        /// From one container over the bridge to another.
        Container = "container",
        /// From outside the host to a published port, by NAT to a container.
        Published = "published",
        /// From the host to a published port at one of its own addresses, by NAT to a container.
        PublishedHost = "published-host",
        /// From the host to a published port at 127.0.0.1, by a proxy in user space to a container.
        Proxy = "proxy",
        /// Over the loopback of a host whose rules publish ports of containers: what those cost everybody else on it.
        HostNat = "host-nat",
        /// From one macvlan to another of the same parent.
        Macvlan = "macvlan",
    }
}

impl Path {
    /// Where its packets go, in words.
    pub fn about(self) -> &'static str {
        match self {
            Self::Host => "process → lo → process, as in host mode",
            Self::Control => "host once more",
            Self::Veth => "namespace → veth → namespace, no bridge",
            Self::Bridge => "host → bridge → container",
            Self::Container => "container → bridge → container",
            Self::Published => "outside → published port, NAT → container",
            Self::PublishedHost => "host's own address → published port, NAT → container",
            Self::Proxy => "127.0.0.1 → published port, proxy → container",
            Self::HostNat => "process → lo → process, on a host that publishes ports",
            Self::Macvlan => "macvlan → macvlan on one parent",
        }
    }
}
