//! From a spec and the host as it is to the steps that make the sandbox. Pure: the same facts give the same plan.

use std::{collections::HashSet, net::IpAddr};

use serde::Serialize;

use crate::model::{InterfaceAddress, Link, LinkKind, LinkName, Mac};
use crate::sys::iptables;

use super::{
    address::{self, Occupied, Order},
    coexist::Obstacle,
    facts::{Cgroups, Facts, Identity},
    record::BRIDGE_ALIAS,
    ruleset::{self, Reach},
    spec::{BridgeSpec, Ipv6, MacvlanSpec, Mode, Name, Spec},
    step::Step,
    subnet::Subnet,
};

/// What a default route costs, unless another one is added.
const ROUTE_METRIC: u32 = 100;

/// Of links that say nothing else.
const USUAL_MTU: u32 = 1500;

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Error {
    #[error("the name {0} is taken by another sandbox")]
    NameTaken(Name),
    #[error("using {name} as a bridge: it is a link of kind {kind}")]
    NotABridge { name: LinkName, kind: LinkKind },
    #[error("taking the network {asked}: {bridge} is in {subnet}; --bridge NAME makes another one")]
    OtherSubnet { bridge: LinkName, asked: Subnet, subnet: Subnet },
    #[error(transparent)]
    Address(#[from] address::Error),
    #[error("giving the sandbox IPv6: this kernel has none")]
    NoIpv6,
    #[error("finding the parent {0}: the host has no such link")]
    NoParent(LinkName),
    #[error("using {0} as a parent: it is down")]
    ParentDown(LinkName),
    #[error("using {0} as a parent: it is loopback")]
    ParentLoopback(LinkName),
    #[error("giving the sandbox {mtu} bytes of MTU: its parent {parent} has {most}")]
    ParentMtu { parent: LinkName, mtu: u32, most: u32 },
    #[error("taking the address {address}: {parent} is in no network that has it; give --subnet")]
    NoParentSubnet { address: IpAddr, parent: LinkName },
}

/// The steps, and what they lead to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Plan {
    pub name: Name,
    /// The word of `--net`.
    pub mode: String,
    pub bridge: Option<LinkName>,
    pub addresses: Vec<InterfaceAddress>,
    pub gateways: Vec<IpAddr>,
    /// What the user should know, in sentences.
    pub notes: Vec<String>,
    #[serde(skip)]
    pub steps: Vec<Step>,
}

/// Makes the plan.
pub fn plan(spec: &Spec, facts: &Facts, identity: &Identity) -> Result<Plan, Error> {
    if facts.sandboxes.iter().any(|record| record.name == identity.name) {
        return Err(Error::NameTaken(identity.name.clone()));
    }
    let draft = Draft { facts, identity, steps: Vec::new(), notes: facts.notes.clone() };
    match &spec.mode {
        Mode::Host => Ok(draft.host()),
        Mode::None => Ok(draft.none()),
        Mode::Container(target) => Ok(draft.container(target)),
        Mode::Bridge(bridge) => draft.bridge(bridge),
        Mode::Macvlan(macvlan) => draft.macvlan(macvlan),
    }
}

struct Draft<'a> {
    facts: &'a Facts,
    identity: &'a Identity,
    steps: Vec<Step>,
    notes: Vec<String>,
}

/// One family's part of a sandbox on a bridge.
struct Family {
    gateway: InterfaceAddress,
    address: InterfaceAddress,
    /// The bridge has the gateway's address already.
    bridge_has_it: bool,
}

/// The bridge as it is.
struct Place<'a> {
    name: &'a LinkName,
    existing: Option<&'a Link>,
    /// It is there by our doing, or will be.
    is_ours: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    V4,
    V6,
}

impl<'a> Draft<'a> {
    fn host(mut self) -> Plan {
        self.begin();
        self.admit();
        self.finish("host", None, Vec::new(), Vec::new())
    }

    fn none(mut self) -> Plan {
        self.begin();
        self.steps.extend([self.names(), Step::Namespace, Step::LoopbackUp]);
        self.admit();
        self.finish("none", None, Vec::new(), Vec::new())
    }

    fn container(mut self, target: &str) -> Plan {
        self.begin();
        self.steps.extend([self.names(), Step::Join { container: target.to_owned() }]);
        self.admit();
        self.finish(&format!("container:{target}"), None, Vec::new(), Vec::new())
    }

    fn bridge(mut self, spec: &BridgeSpec) -> Result<Plan, Error> {
        let existing = self.existing_bridge(&spec.bridge)?;
        let is_ours = existing.is_none_or(|link| link.alias.as_deref() == Some(BRIDGE_ALIAS));
        let families = self.families(spec, existing, is_ours)?;
        let mtu = spec.mtu.or(existing.map(|link| link.mtu)).unwrap_or_else(|| self.uplink_mtu());
        let publications = spec.publications.as_slice();
        if !publications.is_empty() {
            let publications = publications.iter().map(ToString::to_string).collect();
            self.steps.push(Step::Ports { publications });
        }
        self.begin();
        self.bridge_steps(spec, existing, &families, mtu);
        if spec.reach == Reach::Everywhere {
            self.forwarding_steps(spec);
        }
        self.steps.extend([self.names(), Step::Namespace, Step::LoopbackUp]);
        self.family_settings(spec.ipv6);
        let veth = self.identity.id.veth();
        let mac = spec.mac.unwrap_or_else(|| self.mac(0));
        self.steps.push(Step::Veth { name: veth.clone(), bridge: spec.bridge.clone(), mtu, mac });
        self.steps.extend(families.iter().map(|family| Step::Address { address: family.address }));
        self.steps.extend([Step::PortUp { name: veth }, Step::LinkUp]);
        if spec.reach == Reach::Everywhere {
            self.steps.extend(families.iter().map(|family| default_route(family.gateway.address)));
        }
        self.firewall_steps(spec, &families);
        self.admit();
        let addresses = families.iter().map(|family| family.address).collect();
        let gateways = families.iter().map(|family| family.gateway.address).collect();
        Ok(self.finish("bridge", Some(spec.bridge.clone()), addresses, gateways))
    }

    fn macvlan(mut self, spec: &MacvlanSpec) -> Result<Plan, Error> {
        let parent = self.parent(&spec.parent)?;
        let mtu = spec.mtu.unwrap_or(parent.mtu);
        if mtu > parent.mtu {
            return Err(Error::ParentMtu { parent: parent.name.clone(), mtu, most: parent.mtu });
        }
        let subnet = spec.subnet.map_or_else(|| parent_subnet(parent, spec.address), Ok)?;
        if !subnet.is_host(spec.address) {
            return Err(address::Error::Outside { address: spec.address, subnet }.into());
        }
        let is_taken = |address: &IpAddr| self.taken().contains(address);
        if is_taken(&spec.address) {
            return Err(address::Error::InUse(spec.address).into());
        }
        let gateway = spec.gateway.or_else(|| self.gateway_behind(parent, subnet));
        let address = subnet.with(spec.address);
        self.begin();
        self.steps.extend([self.names(), Step::Namespace, Step::LoopbackUp]);
        self.family_settings(Ipv6::Off);
        let mac = spec.mac.unwrap_or_else(|| self.mac(0));
        self.steps.extend([
            Step::Macvlan { parent: spec.parent.clone(), mtu, mac },
            Step::Address { address },
            Step::LinkUp,
        ]);
        self.steps.extend(gateway.map(default_route));
        self.admit();
        Ok(self.finish("macvlan", None, vec![address], gateway.into_iter().collect()))
    }

    fn begin(&mut self) {
        self.steps.push(Step::Record { name: self.identity.name.to_string() });
    }

    fn names(&self) -> Step {
        Step::Names { name: self.identity.name.to_string() }
    }

    /// Where the host's cgroups are not ours to make, the sandbox goes without.
    fn admit(&mut self) {
        if self.facts.cgroups == Cgroups::Missing {
            return;
        }
        let cgroup = self.identity.id.cgroup();
        self.steps.extend([Step::Cgroup { path: cgroup.clone() }, Step::Admit { cgroup }]);
    }

    fn finish(
        self,
        mode: &str,
        bridge: Option<LinkName>,
        addresses: Vec<InterfaceAddress>,
        gateways: Vec<IpAddr>,
    ) -> Plan {
        let name = self.identity.name.clone();
        Plan { name, mode: mode.to_owned(), bridge, addresses, gateways, notes: self.notes, steps: self.steps }
    }

    fn existing_bridge(&self, name: &LinkName) -> Result<Option<&'a Link>, Error> {
        let Some(link) = self.facts.links.iter().find(|link| link.name == *name) else { return Ok(None) };
        if link.kind != LinkKind::Bridge {
            return Err(Error::NotABridge { name: name.clone(), kind: link.kind.clone() });
        }
        Ok(Some(link))
    }

    fn families(
        &self,
        spec: &BridgeSpec,
        existing: Option<&Link>,
        is_ours: bool,
    ) -> Result<Vec<Family>, Error> {
        let bridge = Place { name: &spec.bridge, existing, is_ours };
        let v4 = self.family(&bridge, Version::V4, (spec.subnet, spec.address))?;
        if spec.ipv6 == Ipv6::Off {
            return Ok(vec![v4]);
        }
        if self.facts.forwarding.ipv6.is_none() {
            return Err(Error::NoIpv6);
        }
        let v6 = self.family(&bridge, Version::V6, (spec.subnet_v6, spec.address_v6))?;
        Ok(vec![v4, v6])
    }

    /// The network of an existing bridge counts; a new one is made where there is none.
    fn family(
        &self,
        bridge: &Place<'_>,
        version: Version,
        (subnet, address): (Option<Subnet>, Option<IpAddr>),
    ) -> Result<Family, Error> {
        let own = bridge.existing.and_then(|link| own_address(link, version));
        let order = if bridge.is_ours { Order::Upwards } else { Order::Downwards };
        let mut taken = self.taken();
        if let Some(gateway) = own {
            let there = Subnet::around(gateway);
            if let Some(asked) = subnet.filter(|asked| *asked != there) {
                return Err(Error::OtherSubnet { bridge: bridge.name.clone(), asked, subnet: there });
            }
            taken.insert(gateway.address);
            let address = address::free_address(there, address, &taken, order)?;
            return Ok(Family { gateway, address, bridge_has_it: true });
        }
        let subnet = match (subnet, version) {
            (Some(asked), _) => address::explicit(asked, &self.occupied())?,
            (None, Version::V4) => address::free_subnet(&self.occupied())?,
            (None, Version::V6) => address::unique_local(self.seed(12)),
        };
        // The gateway takes the first one that the sandbox does not ask for.
        let mut hosts = subnet.hosts();
        let gateway = hosts.find(|host| Some(*host) != address).ok_or(address::Error::TooSmall(subnet))?;
        taken.insert(gateway);
        let address = address::free_address(subnet, address, &taken, Order::Upwards)?;
        Ok(Family { gateway: subnet.with(gateway), address, bridge_has_it: false })
    }

    /// Every address that is known to be somebody's.
    fn taken(&self) -> HashSet<IpAddr> {
        let sandboxes = self.facts.sandboxes.iter().flat_map(|record| &record.addresses);
        let own = self.facts.links.iter().flat_map(|link| &link.addresses);
        sandboxes.chain(own).map(|found| found.address).collect()
    }

    fn occupied(&self) -> Occupied {
        let sandboxes = self.facts.sandboxes.iter().flat_map(|record| &record.addresses);
        Occupied {
            on_link: address::on_link(&self.facts.routes),
            nameservers: self.facts.nameservers.clone(),
            pools: self.facts.pools.clone(),
            sandboxes: sandboxes.map(|address| Subnet::around(*address)).collect(),
        }
    }

    fn bridge_steps(&mut self, spec: &BridgeSpec, existing: Option<&Link>, families: &[Family], mtu: u32) {
        let bridge = &spec.bridge;
        let is_ours = existing.is_some_and(|link| link.alias.as_deref() == Some(BRIDGE_ALIAS));
        if existing.is_some() {
            self.steps.push(Step::UseBridge { name: bridge.clone() });
        } else {
            self.steps.push(Step::Bridge { name: bridge.clone(), mac: self.mac(6), mtu });
        }
        if existing.is_none() || (is_ours && spec.ipv6 == Ipv6::On) {
            let setting = |setting: &str, value: &str| Step::BridgeSetting {
                bridge: bridge.clone(),
                name: conf("ipv6", bridge.as_str(), setting),
                value: value.to_owned(),
            };
            if self.facts.forwarding.ipv6.is_some() {
                let disabled = if spec.ipv6 == Ipv6::On { "0" } else { "1" };
                self.steps.extend([setting("accept_ra", "0"), setting("disable_ipv6", disabled)]);
            }
        }
        let missing = families.iter().filter(|family| !family.bridge_has_it);
        let address =
            |family: &Family| Step::BridgeAddress { bridge: bridge.clone(), address: family.gateway };
        self.steps.extend(missing.map(address));
        if existing.is_none() {
            self.steps.push(Step::BridgeUp { bridge: bridge.clone() });
        }
    }

    /// Between the bridge and the uplinks alone, where that suffices.
    fn forwarding_steps(&mut self, spec: &BridgeSpec) {
        let (bridge, ipv6) = (&spec.bridge, spec.ipv6);
        let forwarding = self.facts.forwarding;
        if !forwarding.ipv4 {
            let places = [bridge.to_string()].into_iter().chain(self.ways_in(spec, true));
            let steps: Vec<Step> =
                places.map(|place| host_setting(conf("ipv4", &place, "forwarding"), "1")).collect();
            self.steps.extend(steps);
        }
        if ipv6 == Ipv6::Off || forwarding.ipv6 != Some(false) {
            return;
        }
        let uplinks = self.ways_in(spec, false);
        if forwarding.ipv6_by_interface {
            let places = [bridge.to_string()].into_iter().chain(uplinks);
            self.steps
                .extend(places.map(|place| host_setting(conf("ipv6", &place, "force_forwarding"), "1")));
        } else {
            // A router hears no advertisements unless told to: the host's own way out would be lost.
            self.steps.extend(
                uplinks.into_iter().map(|place| host_setting(conf("ipv6", &place, "accept_ra"), "2")),
            );
            self.steps.push(host_setting("net.ipv6.conf.all.forwarding".to_owned(), "1"));
        }
    }

    /// The rules come last, when everything they let pass is there; what is published answers after them.
    fn firewall_steps(&mut self, spec: &BridgeSpec, families: &[Family]) {
        let (bridge, reach) = (spec.bridge.clone(), spec.reach);
        let addresses: Vec<InterfaceAddress> = families.iter().map(|family| family.address).collect();
        let alone: Vec<IpAddr> = addresses.iter().map(|found| found.address).collect();
        let table = ruleset::table_name(self.identity.id.as_str());
        self.steps.push(Step::Rules { table, bridge: bridge.clone(), addresses, reach });
        let goes_through = reach == Reach::Everywhere || !spec.publications.as_slice().is_empty();
        for obstacle in self.facts.obstacles.iter().filter(|_| goes_through) {
            match obstacle {
                Obstacle::Docker(iptables) => {
                    let is_v4 = iptables.family == iptables::Family::V4;
                    let own = alone.iter().filter(|address| address.is_ipv4() == is_v4);
                    let accepts = own.map(|address| Step::Accepts {
                        iptables: *iptables,
                        bridge: bridge.clone(),
                        address: *address,
                        reach,
                    });
                    self.steps.extend(accepts);
                }
                Obstacle::Other(dropping) => {
                    let [one, other] = dropping.remedy(&bridge);
                    self.notes.push(format!(
                        "{dropping} drops what the host forwards; the sandbox reaches only the host, unless: {one}; {other}"
                    ));
                }
            }
        }
        if !spec.publications.as_slice().is_empty() {
            self.steps.extend([
                Step::ForgetFlows { addresses: alone.clone() },
                Step::Serve { addresses: alone },
            ]);
        }
    }

    /// Where packets for the bridge come from: the ways out, and with published ports every link that has an address by
    /// which others reach the host.
    fn ways_in(&self, spec: &BridgeSpec, v4: bool) -> Vec<String> {
        let mut names = self.uplinks(v4);
        if !spec.publications.as_slice().is_empty() {
            let version = if v4 { Version::V4 } else { Version::V6 };
            let others = self.facts.links.iter().filter(|link| {
                link.kind != LinkKind::Loopback && link.name != spec.bridge && own_address(link, version).is_some()
            });
            names.extend(others.map(|link| link.name.to_string()));
            names.sort();
            names.dedup();
        }
        names
    }

    /// Which links lead out of the host: those with a default route.
    fn uplinks(&self, v4: bool) -> Vec<String> {
        let is_default = |address: InterfaceAddress| address.prefix <= 1 && address.address.is_ipv4() == v4;
        let routes = self.facts.routes.iter().filter(|route| is_default(route.destination));
        let indexes = routes.flat_map(|route| &route.next_hops).filter_map(|hop| hop.link);
        let mut names: Vec<String> = indexes
            .filter_map(|index| self.facts.links.iter().find(|link| link.index == index))
            .filter(|link| link.kind != LinkKind::Loopback)
            .map(|link| link.name.to_string())
            .collect();
        names.sort();
        names.dedup();
        names
    }

    fn uplink_mtu(&self) -> u32 {
        let uplinks = self.uplinks(true);
        let links = self.facts.links.iter().filter(|link| uplinks.contains(&link.name.to_string()));
        links.map(|link| link.mtu).min().unwrap_or(USUAL_MTU)
    }

    /// Before the interface is made, so that it never has what it should not.
    fn family_settings(&mut self, ipv6: Ipv6) {
        if self.facts.forwarding.ipv6.is_none() {
            return;
        }
        let settings: &[(&str, &str)] = match ipv6 {
            Ipv6::Off => &[("disable_ipv6", "1")],
            Ipv6::On => &[("accept_ra", "0"), ("autoconf", "0"), ("accept_dad", "0")],
        };
        let setting = |(name, value): &(&str, &str)| Step::SandboxSetting {
            name: conf("ipv6", "default", name),
            value: (*value).to_owned(),
        };
        self.steps.extend(settings.iter().map(setting));
    }

    fn parent(&self, name: &LinkName) -> Result<&'a Link, Error> {
        let parent = self.facts.links.iter().find(|link| link.name == *name);
        let parent = parent.ok_or_else(|| Error::NoParent(name.clone()))?;
        match parent {
            link if link.kind == LinkKind::Loopback => Err(Error::ParentLoopback(name.clone())),
            link if !link.up => Err(Error::ParentDown(name.clone())),
            link => Ok(link),
        }
    }

    /// The host's own gateway, if it is on that link and in that network.
    fn gateway_behind(&self, parent: &Link, subnet: Subnet) -> Option<IpAddr> {
        let defaults = self.facts.routes.iter().filter(|route| route.destination.prefix == 0);
        let hops = defaults.flat_map(|route| &route.next_hops);
        let mut behind = hops.filter(|hop| hop.link == Some(parent.index)).filter_map(|hop| hop.gateway);
        behind.find(|gateway| subnet.contains(*gateway))
    }

    /// Random, locally administered, of one interface.
    fn mac(&self, at: usize) -> Mac {
        let mut bytes: [u8; 6] = self.seed(at);
        bytes[0] = (bytes[0] & 0xfc) | 0x02;
        Mac::new(bytes)
    }

    fn seed<const N: usize>(&self, at: usize) -> [u8; N] {
        self.facts.seed[at..at + N].try_into().expect("the seed is longer")
    }
}

/// The address by which others on the bridge reach the host.
fn own_address(link: &Link, version: Version) -> Option<InterfaceAddress> {
    let is_usable = |address: &IpAddr| match address {
        IpAddr::V4(address) => version == Version::V4 && !address.is_link_local(),
        IpAddr::V6(address) => version == Version::V6 && !address.is_unicast_link_local(),
    };
    link.addresses.iter().copied().find(|found| is_usable(&found.address))
}

fn parent_subnet(parent: &Link, address: IpAddr) -> Result<Subnet, Error> {
    let subnets = parent.addresses.iter().map(|own| Subnet::around(*own));
    let mut holding = subnets.filter(|subnet| subnet.contains(address));
    holding.next().ok_or_else(|| Error::NoParentSubnet { address, parent: parent.name.clone() })
}

fn default_route(gateway: IpAddr) -> Step {
    Step::Route { gateway, metric: ROUTE_METRIC }
}

fn host_setting(name: String, value: &str) -> Step {
    Step::HostSetting { name, value: value.to_owned() }
}

/// A setting of an interface, as sysctl(8) names it: a dot in the interface's name stands as a slash.
fn conf(family: &str, interface: &str, setting: &str) -> String {
    format!("net.{family}.conf.{}.{setting}", interface.replace('.', "/"))
}
