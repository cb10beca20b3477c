//! The rungs of the ladder between a cable and a published port: each is the one below and one thing more, on a bridge of
//! its own, so that what a thing costs is a difference.

use std::fmt::Write as _;

use crate::bench::Error;
use crate::model::{InterfaceAddress, LinkIndex, LinkName, Mac};
use crate::sys::netns::Namespace;
use crate::sys::nft::Nft;
use crate::sys::offload::{self, Offloads};
use crate::sys::plumbing::{BridgeOrder, Plumbing, VethOrder};
use crate::sys::sysctl::{self, Before};

use super::Path;
use super::lab::{Claim, Hop, address, direct, named};
use super::proof::Witness;

/// Of a cable, if nobody says otherwise.
pub(super) const SMALL_MTU: u32 = 1500;
const LARGE_MTU: u32 = 9000;

const GATEWAY: &str = "198.18.3.1";
const CLIENT: &str = "198.18.3.2";
const SERVER: &str = "198.18.3.3";
const PREFIX: u8 = 24;
const PORT: u16 = 20_001;

/// As many as an engine has in the way of a packet between two of its containers.
const FEW_RULES: usize = 10;
const MANY_RULES: usize = 1000;

/// What a rung has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rung {
    mtu: u32,
    /// Whether bridged packets are shown to netfilter.
    bridge_netfilter: bool,
    /// Rules that match nothing.
    rules: usize,
    connections: Connections,
    offloads: bool,
}

/// What netfilter knows of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Connections {
    Untracked,
    Tracked,
    Translated,
}

impl Rung {
    fn of(path: Path) -> Self {
        let bare = Self {
            mtu: SMALL_MTU,
            bridge_netfilter: false,
            rules: 0,
            connections: Connections::Untracked,
            offloads: true,
        };
        let shown = Self { bridge_netfilter: true, ..bare };
        let ruled = Self { rules: FEW_RULES, ..shown };
        let tracked = Self { connections: Connections::Tracked, ..ruled };
        match path {
            Path::BridgeNetfilter => shown,
            Path::Rules => ruled,
            Path::Conntrack => tracked,
            Path::Nat => Self { connections: Connections::Translated, ..tracked },
            Path::ThousandRules => Self { rules: FEW_RULES + MANY_RULES, ..tracked },
            Path::NoOffload => Self { offloads: false, ..tracked },
            Path::Jumbo => Self { mtu: LARGE_MTU, ..tracked },
            _ => bare,
        }
    }

    /// A batch for nft; empty where netfilter has nothing to do.
    fn batch(&self) -> String {
        let mut text = String::new();
        let is_tracked = self.connections >= Connections::Tracked;
        if self.rules > 0 || is_tracked {
            text.push_str(
                "add table ip rung\nadd chain ip rung way { type filter hook forward priority 0; }\n",
            );
        }
        if is_tracked {
            text.push_str("add rule ip rung way ct state invalid drop\n");
        }
        for number in 0..self.rules {
            // Documentation addresses (RFC 5737), which nobody here has.
            let _ = writeln!(text, "add rule ip rung way ip saddr 203.0.113.{} drop", number % 256);
        }
        if self.connections == Connections::Translated {
            text.push_str("add chain ip rung ports { type nat hook prerouting priority -100; }\n");
            for transport in ["tcp", "udp"] {
                let _ = writeln!(
                    text,
                    "add rule ip rung ports ip daddr {GATEWAY} {transport} dport {PORT} dnat to {SERVER}"
                );
            }
        }
        text
    }
}

/// Builds it; its host lives as long as the namespace that comes with it.
pub(super) fn build(path: Path) -> Result<(Hop, Namespace), Error> {
    let rung = Rung::of(path);
    let (host, client, server) = (Namespace::create()?, Namespace::create()?, Namespace::create()?);
    set_up_host(&host, rung)?;
    let mut plumbing = Plumbing::open_in(&host)?;
    let bridge = bridge(&mut plumbing, rung.mtu)?;
    for (number, (namespace, ip)) in (1..).zip([(&client, CLIENT), (&server, SERVER)]) {
        let port = Port { number, bridge, mtu: rung.mtu };
        connect(&mut plumbing, port, namespace, ip)?;
        if !rung.offloads {
            offload::set(namespace, &named("eth0"), Offloads::NONE)?;
        }
    }
    let batch = rung.batch();
    if !batch.is_empty() {
        // It belongs to nobody, and goes with the namespace.
        host.within(|| Nft::start()?.commit(&batch))??;
    }
    let witnesses = vec![Witness::call(&client, "eth0")?, Witness::call(&server, "eth0")?];
    let mut hop = direct(path, (client, server), address(SERVER), witnesses);
    if rung.connections == Connections::Translated {
        (hop.listen, hop.target, hop.claim) = ((address(SERVER), PORT), address(GATEWAY), Claim::Translated);
    }
    Ok((hop, host))
}

fn set_up_host(host: &Namespace, rung: Rung) -> Result<(), Error> {
    let shown = if rung.bridge_netfilter { "1" } else { "0" };
    let set = |name: &str, value: &str| sysctl::set::<sysctl::Error>(name, value, |_| Ok(()));
    let done = host.within(|| -> Result<Before, sysctl::Error> {
        set("net.ipv4.ip_forward", "1")?;
        set("net.bridge.bridge-nf-call-iptables", shown)
    })??;
    match done {
        Before::Missing if rung.bridge_netfilter => Err(Error::NoBridgeNetfilter),
        _ => Ok(()),
    }
}

fn bridge(plumbing: &mut Plumbing, mtu: u32) -> Result<LinkIndex, Error> {
    let name = named("bridge");
    plumbing.create_bridge(&BridgeOrder { name: &name, mac: mac(0), mtu, alias: "" })?;
    let index = plumbing.link(&name)?.index;
    plumbing.add_address(index, InterfaceAddress { address: address(GATEWAY), prefix: PREFIX })?;
    plumbing.set_up(index)?;
    Ok(index)
}

#[derive(Debug, Clone, Copy)]
struct Port {
    number: u8,
    bridge: LinkIndex,
    mtu: u32,
}

fn connect(plumbing: &mut Plumbing, port: Port, namespace: &Namespace, ip: &str) -> Result<(), Error> {
    let (name, peer_name): (LinkName, LinkName) = (named(&format!("port{}", port.number)), named("eth0"));
    plumbing.create_veth(&VethOrder {
        name: &name,
        alias: "",
        bridge: port.bridge,
        mtu: port.mtu,
        peer_name: &peer_name,
        peer_namespace: namespace,
        peer_mac: mac(port.number),
    })?;
    let index = plumbing.link(&name)?.index;
    plumbing.set_up(index)?;
    let mut inside = Plumbing::open_in(namespace)?;
    let index = inside.link(&peer_name)?.index;
    inside.add_address(index, InterfaceAddress { address: address(ip), prefix: PREFIX })?;
    Ok(inside.set_up(index)?)
}

/// Locally administered, and different for each on one bridge.
const fn mac(number: u8) -> Mac {
    Mac::new([0x02, 0x62, 0, 0, 0, number])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of its properties are not those of another one.
    fn differences(one: Rung, other: Rung) -> usize {
        [
            one.mtu != other.mtu,
            one.bridge_netfilter != other.bridge_netfilter,
            one.rules != other.rules,
            one.connections != other.connections,
            one.offloads != other.offloads,
        ]
        .into_iter()
        .filter(|differs| *differs)
        .count()
    }

    #[test]
    fn each_rung_has_one_thing_more_than_the_one_it_is_held_against() {
        for (path, below) in [
            (Path::BridgeNetfilter, Path::BareBridge),
            (Path::Rules, Path::BridgeNetfilter),
            (Path::Conntrack, Path::Rules),
            (Path::Nat, Path::Conntrack),
            (Path::ThousandRules, Path::Conntrack),
            (Path::NoOffload, Path::Conntrack),
            (Path::Jumbo, Path::Conntrack),
        ] {
            assert_eq!(differences(Rung::of(path), Rung::of(below)), 1, "{path}");
        }
    }

    #[test]
    fn rules_are_there_where_they_are_wanted_alone() {
        let batch = |path| Rung::of(path).batch();
        assert_eq!((batch(Path::BareBridge), batch(Path::BridgeNetfilter)), Default::default());
        assert!(!batch(Path::Rules).contains("ct state") && batch(Path::Conntrack).contains("ct state"));
        assert_eq!(batch(Path::ThousandRules).matches("saddr").count(), 1010);
        assert!(batch(Path::Nat).contains("tcp dport 20001 dnat to 198.18.3.3"));
    }
}
