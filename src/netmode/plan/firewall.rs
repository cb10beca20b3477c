//! What the host must let through for a sandbox on a bridge: forwarding, rules, others' firewalls.

use std::net::IpAddr;

use crate::model::{InterfaceAddress, LinkKind};
use crate::sys::iptables;

use super::families::{Family, Version, own_address};
use super::{Draft, USUAL_MTU, conf, host_setting};
use crate::netmode::{
    coexist::Obstacle,
    ruleset::{self, Reach},
    spec::{BridgeSpec, Ipv6},
    step::Step,
};

/// The one switch of kernels that forward IPv6 between all interfaces or none.
const EVERYTHING_OF_IPV6: &str = "net.ipv6.conf.all.forwarding";

impl Draft<'_> {
    /// Between the bridge and the uplinks alone, where that suffices.
    pub(super) fn forwarding_steps(&mut self, spec: &BridgeSpec) {
        let (bridge, ipv6) = (&spec.bridge, spec.ipv6);
        let forwarding = self.facts.forwarding;
        if !forwarding.ipv4 {
            let places = [bridge.to_string()].into_iter().chain(self.ways_in(spec, true));
            let steps: Vec<Step> =
                places.map(|place| host_setting(conf("ipv4", &place, "forwarding"), "1")).collect();
            self.steps.extend(steps);
        }
        // What is on for the sake of another sandbox goes with that one, unless this one needs it too.
        let is_anothers = self.facts.sandboxes.iter().any(|record| record.needs(EVERYTHING_OF_IPV6));
        if ipv6 == Ipv6::Off || forwarding.ipv6 != Some(false) && !is_anothers {
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
            self.steps.push(host_setting(EVERYTHING_OF_IPV6.to_owned(), "1"));
        }
    }

    /// The rules come when everything they let pass is there.
    pub(super) fn firewall_steps(&mut self, spec: &BridgeSpec, families: &[Family]) {
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
    }

    /// What is published answers after the rules, for which the kernel has had time by then.
    pub(super) fn serving_steps(&mut self, spec: &BridgeSpec, families: &[Family]) {
        if spec.publications.as_slice().is_empty() {
            return;
        }
        let addresses: Vec<IpAddr> = families.iter().map(|family| family.address.address).collect();
        let forget = Step::ForgetFlows { addresses: addresses.clone() };
        self.steps.extend([forget, Step::Serve { addresses }]);
    }

    /// Where packets for the bridge come from: the ways out, and with published ports every link that has an address by
    /// which others reach the host.
    fn ways_in(&self, spec: &BridgeSpec, v4: bool) -> Vec<String> {
        let mut names = self.uplinks(v4);
        if !spec.publications.as_slice().is_empty() {
            let version = if v4 { Version::V4 } else { Version::V6 };
            let others = self.facts.links.iter().filter(|link| {
                link.kind != LinkKind::Loopback
                    && link.name != spec.bridge
                    && own_address(link, version).is_some()
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

    /// The least of the ways out of the families that the sandbox has.
    pub(super) fn uplink_mtu(&self, ipv6: Ipv6) -> u32 {
        let mut uplinks = self.uplinks(true);
        if ipv6 == Ipv6::On {
            uplinks.extend(self.uplinks(false));
        }
        let links = self.facts.links.iter().filter(|link| uplinks.contains(&link.name.to_string()));
        links.map(|link| link.mtu).min().unwrap_or(USUAL_MTU)
    }
}
