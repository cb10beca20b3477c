//! One step of a plan: what is done, and what undoes it, in words and as a value. Pure.

use std::{fmt, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::model::{InterfaceAddress, LinkName, Mac};
use crate::sys::iptables::Iptables;

use super::ruleset::Reach;

/// What is done to the host or in the sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(missing_docs, reason = "`Display` says it all")]
pub enum Step {
    Ports { publications: Vec<String> },
    Record { name: String },
    Bridge { name: LinkName, mac: Mac, mtu: u32 },
    UseBridge { name: LinkName },
    BridgeSetting { bridge: LinkName, name: String, value: String },
    BridgeAddress { bridge: LinkName, address: InterfaceAddress },
    BridgeUp { bridge: LinkName },
    HostSetting { name: String, value: String },
    Names { name: String },
    Cgroup { path: String },
    Namespace,
    Join { container: String },
    LoopbackUp,
    SandboxSetting { name: String, value: String },
    Veth { name: LinkName, bridge: LinkName, mtu: u32, mac: Mac },
    Macvlan { parent: LinkName, mtu: u32, mac: Mac },
    Address { address: InterfaceAddress },
    PortSetting { port: LinkName, name: String, value: String },
    PortUp { name: LinkName },
    LinkUp,
    Route { gateway: IpAddr, metric: u32 },
    Rules { table: String, bridge: LinkName, addresses: Vec<InterfaceAddress>, reach: Reach },
    Accepts { iptables: Iptables, bridge: LinkName, address: IpAddr, reach: Reach },
    ForgetFlows { addresses: Vec<IpAddr> },
    Serve { addresses: Vec<IpAddr> },
    Admit { cgroup: String },
}

/// Whose a thing is that a step makes or changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// The run's alone.
    Own,
    /// Of all runs that use it; the last one undoes it. Such steps come first, and are done and undone while nobody
    /// else does any.
    Shared,
}

impl Step {
    /// Whose the thing is.
    pub fn share(&self) -> Share {
        match self {
            Self::Ports { .. }
            | Self::Record { .. }
            | Self::Bridge { .. }
            | Self::UseBridge { .. }
            | Self::BridgeSetting { .. }
            | Self::BridgeAddress { .. }
            | Self::BridgeUp { .. }
            | Self::HostSetting { .. }
            | Self::Names { .. } => Share::Shared,
            _ => Share::Own,
        }
    }

    /// What undoes it, in words.
    pub fn undo(&self) -> String {
        match self {
            Self::Ports { .. } => "give the ports back".to_owned(),
            Self::Record { .. } => "remove the record".to_owned(),
            Self::Rules { table, .. } => {
                format!("remove the table inet {table}, and forget the sandbox's flows")
            }
            Self::Accepts { iptables, .. } => format!("take them out of DOCKER-USER by {iptables}"),
            Self::ForgetFlows { .. } => "none: who still sends is heard anew".to_owned(),
            Self::Serve { .. } => "stop answering".to_owned(),
            Self::Bridge { name, .. } => format!("remove {name}, if no other sandbox is on it"),
            Self::UseBridge { name } => {
                format!("after the last sandbox, remove {name} if it was made for them, else what they added")
            }
            Self::BridgeSetting { bridge, .. } | Self::BridgeUp { bridge } => {
                format!("none: it goes with {bridge}")
            }
            Self::BridgeAddress { bridge, .. } => format!("none: it goes with the last sandbox on {bridge}"),
            Self::HostSetting { name, .. } => {
                format!("set {name} back, if no other sandbox needs it and nobody has changed it")
            }
            Self::Names { name } => format!("take {name} out of the neighbours' hosts"),
            Self::Cgroup { path } => format!("remove the cgroup {path}"),
            Self::Veth { name, .. } => format!("remove {name}"),
            Self::Macvlan { .. } => "remove eth0 inside".to_owned(),
            Self::Admit { cgroup } => format!("kill what still runs in {cgroup}"),
            Self::Join { .. } => "none: the namespace is the container's".to_owned(),
            Self::Namespace
            | Self::LoopbackUp
            | Self::SandboxSetting { .. }
            | Self::Address { .. }
            | Self::LinkUp
            | Self::Route { .. } => "none: it goes with the namespace".to_owned(),
            Self::PortUp { name: port } | Self::PortSetting { port, .. } => {
                format!("none: it goes with {port}")
            }
        }
    }
}

/// What is done.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ports { publications } => write!(f, "take the host's ports {}", publications.join(", ")),
            Self::Rules { table, .. } => {
                write!(f, "make the table inet {table}: masquerade, published ports, guards")
            }
            Self::Accepts { iptables, address, .. } => {
                write!(f, "let {address} pass Docker's rules, by {iptables} in DOCKER-USER")
            }
            Self::ForgetFlows { .. } => f.write_str("forget flows of UDP to the published ports"),
            Self::Serve { .. } => f.write_str("answer at the host's ports what the rules do not forward"),
            Self::Record { name } => write!(f, "write down the sandbox {name}"),
            Self::Bridge { name, mac, mtu } => write!(f, "create the bridge {name} ({mac}, MTU {mtu})"),
            Self::UseBridge { name } => write!(f, "use the bridge {name} as it is"),
            Self::BridgeSetting { name, value, .. }
            | Self::HostSetting { name, value }
            | Self::PortSetting { name, value, .. }
            | Self::SandboxSetting { name, value } => {
                let place = if matches!(self, Self::SandboxSetting { .. }) { " inside" } else { "" };
                write!(f, "set {name} to {value}{place}")
            }
            Self::BridgeAddress { bridge, address } => write!(f, "give {bridge} the address {address}"),
            Self::BridgeUp { bridge } => write!(f, "set {bridge} up"),
            Self::Names { name } => {
                write!(f, "write hosts and resolv.conf, and make {name} known to its neighbours")
            }
            Self::Cgroup { path } => write!(f, "create the cgroup {path}"),
            Self::Namespace => f.write_str("create a network namespace"),
            Self::Join { container } => write!(f, "join the network namespace of {container}"),
            Self::LoopbackUp => f.write_str("set lo up inside"),
            Self::Veth { name, bridge, mtu, mac } => {
                write!(f, "create {name} on {bridge} and its far end eth0 inside ({mac}, MTU {mtu})")
            }
            Self::Macvlan { parent, mtu, mac } => {
                write!(f, "create the macvlan eth0 inside, on {parent} ({mac}, MTU {mtu})")
            }
            Self::Address { address } => write!(f, "give eth0 inside the address {address}"),
            Self::PortUp { name } => write!(f, "set {name} up, with hairpin"),
            Self::LinkUp => f.write_str("set eth0 up inside"),
            Self::Route { gateway, metric } => {
                write!(f, "add the default route by {gateway} inside, with metric {metric}")
            }
            Self::Admit { cgroup } => write!(f, "move the first process into {cgroup}"),
        }
    }
}
