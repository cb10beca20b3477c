//! The ways that packets can take: the lab in which those of ours are built, rung by rung where each thing's cost is asked
//! for, and those of containers that are there already.

mod existing;
mod lab;
mod proof;
mod rung;
mod sandbox;

pub use existing::{Goal, NoWay, Visit, Way};
pub(super) use lab::Hop;
pub use lab::{Lab, SetUp, Skipped};
pub(super) use proof::Addresses;
pub use proof::Seen;
pub use rung::shows_bridged_packets;

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
        /// Over a loopback that takes packets as small as a cable's.
        SmallLoopback = "lo-1500",
        /// From one container to another over a bridge that netfilter does not see.
        BareBridge = "bare-bridge",
        /// The same, and bridged packets are shown to netfilter, which has nothing to do.
        BridgeNetfilter = "br-netfilter",
        /// From one container to another that is on another bridge, by a host that routes and has no rules.
        Routed = "routed",
        /// As `br-netfilter`, or where there is none as `routed`, with a few rules that match nothing.
        Rules = "rules",
        /// The same, and connections are tracked.
        Conntrack = "conntrack",
        /// The same, by a port of the bridge's address that is translated.
        Nat = "nat",
        /// As `conntrack`, with a thousand rules more.
        ThousandRules = "rules-1000",
        /// As `conntrack`, with no packet larger than the cable takes inside the kernel (TSO, GSO and GRO off).
        NoOffload = "no-offload",
        /// As `conntrack`, with larger packets on the cables.
        Jumbo = "mtu-9000",
        /// From an existing container to its host.
        ToHost = "to-host",
        /// From an existing container to another one.
        ToContainer = "to-container",
        /// From an existing container through its host to a namespace outside.
        ToOutside = "to-outside",
        /// From a namespace outside through its host to the port that an existing container publishes.
        ToPublished = "to-published",
        /// Over the loopback of this host itself, with all its rules.
        ThisHost = "this-host",
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
            Self::SmallLoopback => "process → lo with an MTU of 1500 → process",
            Self::BareBridge => "container → bridge → container, unseen by netfilter",
            Self::BridgeNetfilter => "bare-bridge, and br_netfilter on",
            Self::Routed => "container → bridge → host → bridge → container",
            Self::Rules => "br-netfilter (or else routed), and ten rules that match nothing",
            Self::Conntrack => "rules, and connections are tracked",
            Self::Nat => "conntrack, by a port of the bridge that is translated",
            Self::ThousandRules => "conntrack, and a thousand rules",
            Self::NoOffload => "conntrack, and TSO, GSO and GRO off",
            Self::Jumbo => "conntrack, and an MTU of 9000",
            Self::ToHost => "existing container → its host",
            Self::ToContainer => "existing container → another one",
            Self::ToOutside => "existing container → host → a namespace outside",
            Self::ToPublished => "a namespace outside → published port of the host → existing container",
            Self::ThisHost => "process → this host's own lo → process",
        }
    }

    /// Whether it is one of an existing container, which somebody has to name.
    pub fn is_of_visit(self) -> bool {
        matches!(
            self,
            Self::ToHost | Self::ToContainer | Self::ToOutside | Self::ToPublished | Self::ThisHost
        )
    }
}
