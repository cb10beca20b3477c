//! Which network and address a sandbox on a bridge has in each family.

use std::{collections::HashSet, net::IpAddr};

use crate::model::{InterfaceAddress, Link, LinkKind, LinkName, Mac};

use super::{Draft, Error};
use crate::netmode::{
    address::{self, Occupied, Order},
    spec::{BridgeSpec, Ipv6},
    subnet::Subnet,
};

/// One family's part of a sandbox on a bridge.
pub(super) struct Family {
    pub(super) gateway: InterfaceAddress,
    pub(super) address: InterfaceAddress,
    /// The bridge has the gateway's address already.
    pub(super) bridge_has_it: bool,
}

impl Family {
    /// The hardware address that goes with an address of IPv4. Whoever gets the address next has it as well, so that
    /// nobody on the bridge has to find out that it changed hands: what others remember stays right.
    pub(super) fn mac(&self) -> Option<Mac> {
        let IpAddr::V4(address) = self.address.address else { return None };
        let [a, b, c, d] = address.octets();
        // Locally administered, of one interface (IEEE 802, 8.2).
        Some(Mac::new([0x02, 0x70, a, b, c, d]))
    }
}

/// The bridge as it is.
struct Place<'a> {
    name: &'a LinkName,
    existing: Option<&'a Link>,
    /// It is there by our doing, or will be.
    is_ours: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V6,
}

impl<'a> Draft<'a> {
    pub(super) fn existing_bridge(&self, name: &LinkName) -> Result<Option<&'a Link>, Error> {
        let Some(link) = self.facts.links.iter().find(|link| link.name == *name) else { return Ok(None) };
        if link.kind != LinkKind::Bridge {
            return Err(Error::NotABridge { name: name.clone(), kind: link.kind.clone() });
        }
        if !link.up {
            return Err(Error::BridgeDown(name.clone()));
        }
        Ok(Some(link))
    }

    pub(super) fn families(
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
    pub(super) fn taken(&self) -> HashSet<IpAddr> {
        let sandboxes = self.facts.sandboxes.iter().flat_map(|record| &record.addresses);
        let own = self.facts.links.iter().flat_map(|link| &link.addresses);
        sandboxes.chain(own).map(|found| found.address).collect()
    }

    fn occupied(&self) -> Occupied {
        let sandboxes = self.facts.sandboxes.iter().flat_map(|record| &record.addresses);
        let own = self.facts.links.iter().flat_map(|link| &link.addresses);
        Occupied {
            on_link: address::on_link(&self.facts.routes),
            nameservers: self.facts.nameservers.clone(),
            pools: self.facts.pools.clone(),
            sandboxes: sandboxes.map(|address| Subnet::around(*address)).collect(),
            interfaces: own.map(|address| Subnet::around(*address)).collect(),
        }
    }
}

/// The address by which others on the bridge reach the host.
pub(super) fn own_address(link: &Link, version: Version) -> Option<InterfaceAddress> {
    let is_usable = |address: &IpAddr| match address {
        IpAddr::V4(address) => version == Version::V4 && !address.is_link_local(),
        IpAddr::V6(address) => version == Version::V6 && !address.is_unicast_link_local(),
    };
    link.addresses.iter().copied().find(|found| is_usable(&found.address))
}
