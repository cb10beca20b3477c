//! A sandbox on a macvlan of one of the host's links.

use std::net::IpAddr;

use crate::model::{Link, LinkKind, LinkName};

use super::{Draft, Error, Plan, default_route};
use crate::netmode::{
    address,
    spec::{Ipv6, MacvlanSpec},
    step::Step,
    subnet::Subnet,
};

impl<'a> Draft<'a> {
    pub(super) fn macvlan(mut self, spec: &MacvlanSpec) -> Result<Plan, Error> {
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
}

fn parent_subnet(parent: &Link, address: IpAddr) -> Result<Subnet, Error> {
    let subnets = parent.addresses.iter().map(|own| Subnet::around(*own));
    let mut holding = subnets.filter(|subnet| subnet.contains(address));
    holding.next().ok_or_else(|| Error::NoParentSubnet { address, parent: parent.name.clone() })
}
