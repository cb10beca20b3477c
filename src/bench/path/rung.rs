//! The rungs of the ladder between a cable and a published port: each is the one below and one thing more, on a bridge of
//! its own, so that what a thing costs is a difference. Where bridged packets cannot be shown to netfilter, the rungs above
//! are routed from one bridge to another.

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
/// On the same bridge, or behind another one.
const NEAR_SERVER: &str = "198.18.3.3";
const FAR_GATEWAY: &str = "198.18.4.1";
const FAR_SERVER: &str = "198.18.4.2";
const PREFIX: u8 = 24;
const PORT: u16 = 20_001;

/// As many as an engine has in the way of a packet between two of its containers.
const FEW_RULES: usize = 10;
const MANY_RULES: usize = 1000;

/// What a rung has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rung {
    mtu: u32,
    ground: Ground,
    /// Rules that match nothing.
    rules: usize,
    connections: Connections,
    offloads: bool,
}

/// What is between the two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ground {
    /// A bridge that netfilter does not see.
    Bridge,
    /// A bridge whose packets are shown to it.
    ShownBridge,
    /// Two bridges, and a host that routes between them.
    Route,
}

impl Ground {
    fn server(self) -> &'static str {
        if self == Self::Route { FAR_SERVER } else { NEAR_SERVER }
    }
}

/// What netfilter knows of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Connections {
    Untracked,
    Tracked,
    Translated,
}

impl Rung {
    /// `seen` is the ground on which netfilter sees what passes.
    fn of(path: Path, seen: Ground) -> Self {
        let bare = Self {
            mtu: SMALL_MTU,
            ground: Ground::Bridge,
            rules: 0,
            connections: Connections::Untracked,
            offloads: true,
        };
        let ruled = Self { rules: FEW_RULES, ground: seen, ..bare };
        let tracked = Self { connections: Connections::Tracked, ..ruled };
        match path {
            Path::BridgeNetfilter => Self { ground: Ground::ShownBridge, ..bare },
            Path::Routed => Self { ground: Ground::Route, ..bare },
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
                    "add rule ip rung ports ip daddr {GATEWAY} {transport} dport {PORT} dnat to {}",
                    self.ground.server()
                );
            }
        }
        text
    }
}

/// Whether this kernel can show bridged packets to netfilter: its module br_netfilter is loaded.
pub fn shows_bridged_packets() -> bool {
    sysctl::own(BRIDGED).is_some()
}

const BRIDGED: &str = "net.bridge.bridge-nf-call-iptables";

/// Builds it; its host lives as long as the namespace that comes with it.
pub(super) fn build(path: Path) -> Result<(Hop, Namespace), Error> {
    let seen = if shows_bridged_packets() { Ground::ShownBridge } else { Ground::Route };
    let rung = Rung::of(path, seen);
    let (host, client, server) = (Namespace::create()?, Namespace::create()?, Namespace::create()?);
    set_up_host(&host, rung.ground)?;
    let mut plumbing = Plumbing::open_in(&host)?;
    let near = bridge(&mut plumbing, (0, GATEWAY), rung.mtu)?;
    let far = match rung.ground {
        Ground::Route => bridge(&mut plumbing, (FAR, FAR_GATEWAY), rung.mtu)?,
        Ground::Bridge | Ground::ShownBridge => near,
    };
    let target = rung.ground.server();
    for (number, bridge, namespace, ip) in [(1, near, &client, CLIENT), (2, far, &server, target)] {
        connect(&mut plumbing, Port { number, bridge, mtu: rung.mtu }, namespace, ip)?;
        if !rung.offloads {
            offload::set(namespace, &named("eth0"), Offloads::NONE)?;
        }
    }
    if rung.ground == Ground::Route {
        add_default_route(&client, GATEWAY)?;
        add_default_route(&server, FAR_GATEWAY)?;
    }
    let batch = rung.batch();
    if !batch.is_empty() {
        // It belongs to nobody, and goes with the namespace.
        host.within(|| Nft::start()?.commit(&batch))??;
    }
    let witnesses = vec![Witness::call(&client, "eth0")?, Witness::call(&server, "eth0")?];
    let mut hop = direct(path, (client, server), address(target), witnesses);
    if rung.connections == Connections::Translated {
        (hop.listen, hop.target, hop.claim) = ((address(target), PORT), address(GATEWAY), Claim::Translated);
    }
    Ok((hop, host))
}

fn set_up_host(host: &Namespace, ground: Ground) -> Result<(), Error> {
    let shown = if ground == Ground::ShownBridge { "1" } else { "0" };
    let set = |name: &str, value: &str| sysctl::set::<sysctl::Error>(name, value, |_| Ok(()));
    let done = host.within(|| -> Result<Before, sysctl::Error> {
        set("net.ipv4.ip_forward", "1")?;
        set(BRIDGED, shown)
    })??;
    match done {
        Before::Missing if ground == Ground::ShownBridge => Err(Error::NoBridgeNetfilter),
        _ => Ok(()),
    }
}

/// Number of the second bridge; those of ports are between.
const FAR: u8 = 9;

fn bridge(plumbing: &mut Plumbing, (number, ip): (u8, &str), mtu: u32) -> Result<LinkIndex, Error> {
    let name = named(&format!("bridge{number}"));
    plumbing.create_bridge(&BridgeOrder { name: &name, mac: mac(number), mtu, alias: "" })?;
    let index = plumbing.link(&name)?.index;
    plumbing.add_address(index, InterfaceAddress { address: address(ip), prefix: PREFIX })?;
    plumbing.set_up(index)?;
    Ok(index)
}

fn add_default_route(namespace: &Namespace, gateway: &str) -> Result<(), Error> {
    let mut plumbing = Plumbing::open_in(namespace)?;
    let link = plumbing.link(&named("eth0"))?.index;
    Ok(plumbing.add_default_route(link, address(gateway), 0)?)
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
            one.ground != other.ground,
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
            let differences = |seen| differences(Rung::of(path, seen), Rung::of(below, seen));
            assert_eq!(differences(Ground::ShownBridge), 1, "{path}");
        }
        // Where bridged packets cannot be shown, the rungs stand on one that is routed.
        let routed = |path| Rung::of(path, Ground::Route);
        assert_eq!(differences(routed(Path::Routed), routed(Path::BareBridge)), 1);
        assert_eq!(differences(routed(Path::Rules), routed(Path::Routed)), 1);
    }

    #[test]
    fn rules_are_there_where_they_are_wanted_alone() {
        let batch = |path| Rung::of(path, Ground::ShownBridge).batch();
        assert_eq!((batch(Path::BareBridge), batch(Path::BridgeNetfilter)), Default::default());
        assert!(!batch(Path::Rules).contains("ct state") && batch(Path::Conntrack).contains("ct state"));
        assert_eq!(batch(Path::ThousandRules).matches("saddr").count(), 1010);
        assert!(batch(Path::Nat).contains("tcp dport 20001 dnat to 198.18.3.3"));
        assert!(Rung::of(Path::Nat, Ground::Route).batch().contains("dnat to 198.18.4.2"));
    }
}
