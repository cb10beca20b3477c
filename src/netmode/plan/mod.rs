//! From a spec and the host as it is to the steps that make the sandbox. Pure: the same facts give the same plan.

mod families;
mod firewall;
mod macvlan;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use serde::Serialize;

use crate::model::{InterfaceAddress, Link, LinkKind, LinkName, Mac};

use super::{
    address,
    facts::{Cgroups, Facts, Identity},
    record::BRIDGE_ALIAS,
    ruleset::Reach,
    spec::{BridgeSpec, Ipv6, Mode, Name, Spec},
    step::Step,
    subnet::Subnet,
};
use families::Family;

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
    #[error("using the bridge {0}: it is down; `ip link set {0} up` is for whoever made it to decide")]
    BridgeDown(LinkName),
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
    #[serde(skip)]
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

impl Draft<'_> {
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
        let mtu = spec.mtu.or(existing.map(|link| link.mtu)).unwrap_or_else(|| self.uplink_mtu(spec.ipv6));
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
        let mac = spec.mac.or_else(|| families.first().and_then(Family::mac)).unwrap_or_else(|| self.mac(0));
        self.steps.push(Step::Veth { name: veth.clone(), bridge: spec.bridge.clone(), mtu, mac });
        self.steps.extend(families.iter().map(|family| Step::Address { address: family.address }));
        self.steps.extend(self.port_setting(&veth));
        self.steps.extend([Step::PortUp { name: veth }, Step::LinkUp]);
        if spec.reach == Reach::Everywhere {
            self.steps.extend(families.iter().map(|family| default_route(family.gateway.address)));
        }
        self.firewall_steps(spec, &families);
        self.admit();
        self.serving_steps(spec, &families);
        let addresses = families.iter().map(|family| family.address).collect();
        let gateways = families.iter().map(|family| family.gateway.address).collect();
        Ok(self.finish("bridge", Some(spec.bridge.clone()), addresses, gateways))
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
        Plan {
            name,
            mode: mode.to_owned(),
            bridge,
            addresses,
            gateways,
            notes: self.notes,
            steps: self.steps,
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

    /// A port of a bridge has nothing to say itself.
    fn port_setting(&self, port: &LinkName) -> Option<Step> {
        self.facts.forwarding.ipv6.map(|_| Step::PortSetting {
            port: port.clone(),
            name: conf("ipv6", port.as_str(), "disable_ipv6"),
            value: "1".to_owned(),
        })
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
