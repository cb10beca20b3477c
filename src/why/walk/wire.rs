//! What links and bridges do to a frame: the far ends of cables, the ports of switches, whose hardware address is asked.

use std::net::IpAddr;

use crate::model::{Container, Endpoint, HostSide, Link, LinkIndex, LinkKind, Mac, NamespaceId};
use crate::sys::netlink::{ForwardingOrigin, HookKind, LinkHook, NeighbourState, PortState};
use crate::why::facts::Space;
use crate::why::firewall::{Family, Point};
use crate::why::packet::Part;

use super::mtu::Passed;
use super::{Arrival, Asked, Next, Place, Restored, Step, Walker, blame};

/// Somebody on a bridge who has an address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) container: &'a Container,
    pub(super) endpoint: &'a Endpoint,
    /// The bridge's port that it is behind.
    pub(super) port: LinkIndex,
}

impl<'a> Walker<'a> {
    /// Sends a frame out of a link to the next hop.
    pub(super) fn transmit(&mut self, space: &'a Space, index: LinkIndex, next: IpAddr) -> Step<Next<'a>> {
        let name = self.name(space);
        let link = space.link(index).ok_or_else(|| Box::new(blame::unknown_space(&name)))?;
        if !link.up {
            self.hop("link", format!("{} of {name}", link.name));
            return Err(Box::new(blame::link_down(self.facts, space, link)));
        }
        self.passed.push(Passed::sender(space, link));
        self.over(space, index);
        if link.kind != LinkKind::Loopback {
            let is_gateway = next != self.packet.destination.ip();
            self.asked.push(Asked { namespace: space.id, link: index, next, is_gateway });
        }
        self.queue(space, link)?;
        if self.leads_outside(space, link) {
            self.hop("link", format!("{} of {name}", link.name));
            if let Some(child) = self.child_with(space, link, next) {
                return Err(Box::new(blame::macvlan_host(&child.0, child.1, &link.name)));
            }
            return Ok(Next::Arrived(Arrival::Outside(link.name.to_string())));
        }
        match &link.kind {
            LinkKind::Bridge => self.switch(space, link, None, next),
            LinkKind::Veth | LinkKind::Netkit => self.cable(space, link, next),
            LinkKind::Macvlan | LinkKind::Ipvlan => self.parent(space, link, next),
            LinkKind::Loopback => Ok(Next::At(Place::Receiving(space, index))),
            _ => {
                self.hop("link", format!("{} of {name}", link.name));
                self.neighbour(space, link, next, None)?;
                Ok(Next::Arrived(Arrival::Outside(link.name.to_string())))
            }
        }
    }

    /// Whether a link of the host is one to the world, whatever its kind: the one that the default route takes, or that
    /// the packet came by.
    fn leads_outside(&self, space: &Space, link: &Link) -> bool {
        if Some(space.id) != self.facts.topology.host {
            return false;
        }
        let is_default = space.routes.iter().any(|route| {
            route.destination.prefix == 0 && route.next_hops.iter().any(|hop| hop.link == Some(link.index))
        });
        is_default || self.uplink == Some(link.index)
    }

    /// Whose macvlan or ipvlan on that link has the address.
    fn child_with(&self, space: &Space, link: &Link, address: IpAddr) -> Option<(String, &'a Link)> {
        self.facts.topology.containers.iter().find_map(|container| {
            let endpoint = container.endpoints.iter().find(|endpoint| {
                matches!(&endpoint.host_side, HostSide::Parent { index, namespace, .. }
                    if *index == link.index && *namespace == space.id)
                    && endpoint.link.addresses.iter().any(|own| own.address == address)
            })?;
            Some((container.name.clone(), &endpoint.link))
        })
    }

    /// To the other end of a pair.
    fn cable(&mut self, space: &'a Space, link: &'a Link, next: IpAddr) -> Step<Next<'a>> {
        let name = self.name(space);
        self.hop("link", format!("{} of {name}", link.name));
        let far = self.far_end(space, link.index);
        let Some((far_space, far_index)) = far else {
            return Err(Box::new(blame::no_far_end(&name, link)));
        };
        let far_space = self.space(far_space)?;
        let Some(far_link) = far_space.link(far_index) else {
            return Err(Box::new(blame::no_far_end(&name, link)));
        };
        if !far_link.up || !link.carrier {
            self.hop("link", format!("{} of {}", far_link.name, self.name(far_space)));
            return Err(Box::new(blame::link_down(self.facts, far_space, far_link)));
        }
        self.passed.push(Passed::port(far_space, far_link));
        self.over(far_space, far_link.index);
        match far_link.master.and_then(|master| far_space.link(master)) {
            Some(bridge) if bridge.kind == LinkKind::Bridge => {
                self.hop("link", format!("{} of {}", far_link.name, self.name(far_space)));
                self.switch(far_space, bridge, Some(far_link.index), next)
            }
            _ => {
                if let Some(finding) = blame::not_a_port(self.facts, space, far_space, far_link) {
                    self.hop("link", format!("{} of {}", far_link.name, self.name(far_space)));
                    return Err(Box::new(finding));
                }
                let owner = far_link.addresses.iter().any(|own| own.address == next).then_some(far_link.mac);
                self.neighbour(space, link, next, owner.flatten())?;
                Ok(Next::At(Place::Receiving(far_space, far_link.index)))
            }
        }
    }

    /// The far end of a pair, by what containers are known to be joined to.
    fn far_end(&self, space: &Space, index: LinkIndex) -> Option<(NamespaceId, LinkIndex)> {
        let containers = &self.facts.topology.containers;
        for endpoint in containers.iter().flat_map(|container| &container.endpoints) {
            let HostSide::Pair { index: far, namespace, .. } = &endpoint.host_side else { continue };
            if endpoint.namespace == space.id && endpoint.link.index == index {
                return Some((*namespace, *far));
            }
            if *namespace == space.id && *far == index {
                return Some((endpoint.namespace, endpoint.link.index));
            }
        }
        None
    }

    /// By a macvlan or ipvlan to others on the same parent, or outside.
    fn parent(&mut self, space: &'a Space, link: &'a Link, next: IpAddr) -> Step<Next<'a>> {
        let name = self.name(space);
        self.hop("link", format!("{} of {name}", link.name));
        let containers = &self.facts.topology.containers;
        let endpoints = || containers.iter().flat_map(|container| &container.endpoints);
        let side = endpoints()
            .find(|endpoint| endpoint.namespace == space.id && endpoint.link.index == link.index)
            .map(|endpoint| &endpoint.host_side);
        let Some(HostSide::Parent { link: parent_name, index: parent, namespace }) = side else {
            return Ok(Next::Arrived(Arrival::Outside(link.name.to_string())));
        };
        let sibling = endpoints().find(|other| {
            matches!(&other.host_side, HostSide::Parent { index, namespace: there, .. }
                if index == parent && there == namespace)
                && other.link.addresses.iter().any(|own| own.address == next)
        });
        if let Some(sibling) = sibling {
            let there = self.space(sibling.namespace)?;
            return Ok(Next::At(Place::Receiving(there, sibling.link.index)));
        }
        let outer = self.space(*namespace)?;
        if outer.link(*parent).is_some_and(|parent| parent.addresses.iter().any(|own| own.address == next)) {
            return Err(Box::new(blame::macvlan_host(&name, link, parent_name)));
        }
        Ok(Next::Arrived(Arrival::Outside(parent_name.to_string())))
    }

    /// Through a bridge: in by a port, or from the namespace that has the bridge; out by a port, or to that namespace.
    fn switch(
        &mut self,
        space: &'a Space,
        bridge: &'a Link,
        ingress: Option<LinkIndex>,
        next: IpAddr,
    ) -> Step<Next<'a>> {
        self.hop("bridge", bridge.name.to_string());
        if !bridge.up {
            return Err(Box::new(blame::bridge_down(bridge)));
        }
        self.port_passes(space, bridge, ingress)?;
        let sender = self.sender_on(space, bridge, ingress);
        if ingress.is_some() {
            self.frame_rules(space, bridge, Point::Prerouting, (ingress, None))?;
            self.twin_mac(space, bridge, sender)?;
        }
        let owners = self.owners(space.id, bridge, next);
        let is_bridges_own = bridge.addresses.iter().any(|own| own.address == next);
        if let Some(finding) = blame::twice(bridge, next, &owners, is_bridges_own) {
            return Err(Box::new(finding));
        }
        if let (Some(port), true) = (ingress, self.bridge_asks_ip(space)) {
            let as_sent = self.packet.destination;
            self.restore(space, Restored::Destination);
            if !is_bridges_own {
                self.restore(space, Restored::Source);
            } else if let Some(next) = self.turn_back(space, bridge, port)? {
                return Ok(next);
            } else {
                // The rules before the table of connections see it so.
                self.packet.destination = as_sent;
            }
        }
        if is_bridges_own && ingress.is_some() {
            self.stale_neighbour(sender, next, bridge.mac)?;
            self.frame_rules(space, bridge, Point::Input, (ingress, None))?;
            return Ok(Next::At(Place::Receiving(space, bridge.index)));
        }
        let Some(owner) = owners.first().copied() else {
            if let Some(port) = self.beyond(space, bridge, ingress) {
                self.hop("link", format!("{} of {}", port.name, self.name(space)));
                self.over(space, port.index);
                self.queue(space, port)?;
                return Ok(Next::Arrived(Arrival::Outside(port.name.to_string())));
            }
            return Err(Box::new(blame::nobody_has(
                self.facts,
                space,
                bridge,
                &self.packet,
                next,
                ingress,
                sender,
            )));
        };
        match ingress {
            Some(_) => self.stale_neighbour(sender, next, owner.endpoint.link.mac)?,
            None => self.neighbour(space, bridge, next, owner.endpoint.link.mac)?,
        }
        self.leave_by(space, bridge, ingress, owner)
    }

    /// The port of a bridge behind which others may be than those that are known: no container's cable, as an uplink or an overlay.
    fn beyond(&self, space: &'a Space, bridge: &Link, ingress: Option<LinkIndex>) -> Option<&'a Link> {
        if self.packet.translated || self.facts.network_of_bridge(bridge.name.as_str()).is_some() {
            return None;
        }
        space.links.iter().find(|link| {
            link.master == Some(bridge.index)
                && link.up
                && Some(link.index) != ingress
                && !link.kind.is_pair()
        })
    }

    /// Whether the bridges of a namespace ask the rules of IP (br_netfilter).
    fn bridge_asks_ip(&self, space: &Space) -> bool {
        let called = if self.packet.is_v4() {
            "net.bridge.bridge-nf-call-iptables"
        } else {
            "net.bridge.bridge-nf-call-ip6tables"
        };
        space.setting(called) == Some(1)
    }

    /// A frame for the bridge itself that rules translate to somebody on the same bridge: it is sent on without ever
    /// reaching the host's IP, and not by the port it came from unless that is in hairpin mode.
    fn turn_back(
        &mut self,
        space: &'a Space,
        bridge: &'a Link,
        ingress: LinkIndex,
    ) -> Step<Option<Next<'a>>> {
        if self.packet.part != Part::Opening {
            return Ok(None);
        }
        let kept = (self.packet.input.clone(), self.packet.destination);
        self.packet.input = Some(bridge.name.to_string());
        let before = (self.packet.source, self.packet.destination);
        let passage = self.rules(space, Point::Prerouting)?;
        let Some(translation) = passage.translation else {
            self.packet.input = kept.0;
            return Ok(None);
        };
        let mark = (self.hops.len(), self.bindings.len(), self.translated.clone());
        self.translate(space, translation, before);
        let to = self.packet.destination.ip();
        let owner = self.owners(space.id, bridge, to).into_iter().next();
        let Some(owner) = owner else {
            // Somebody else is meant: the host's IP sees to that.
            self.hops.truncate(mark.0);
            self.bindings.truncate(mark.1);
            self.translated = mark.2;
            self.packet.destination = kept.1;
            self.packet.translated = false;
            self.packet.input = kept.0;
            return Ok(None);
        };
        self.packet.output = Some(bridge.name.to_string());
        let next = self.leave_by(space, bridge, Some(ingress), owner)?;
        self.disguise_at(space, bridge, to)?;
        Ok(Some(next))
    }

    /// Out by the port behind which the owner is.
    fn leave_by(
        &mut self,
        space: &'a Space,
        bridge: &'a Link,
        ingress: Option<LinkIndex>,
        owner: Owner<'a>,
    ) -> Step<Next<'a>> {
        self.twin_mac(space, bridge, Some(owner))?;
        misled(space, bridge, owner)?;
        let egress = space.link(owner.port);
        if let Some(port) = egress {
            self.hop("link", format!("{} of {}", port.name, self.name(space)));
            self.passed.push(Passed::port(space, port));
        }
        if let Some(port) = egress {
            self.over(space, port.index);
            self.queue(space, port)?;
        }
        self.port_passes(space, bridge, Some(owner.port))?;
        if let Some(from) = ingress {
            let isolated = |index: LinkIndex| space.port(index).is_some_and(|port| port.isolated);
            if isolated(from) && isolated(owner.port) {
                return Err(Box::new(blame::isolated(bridge, owner.container)));
            }
            if from == owner.port && !space.port(from).is_some_and(|port| port.hairpin) {
                return Err(Box::new(blame::no_hairpin(space, owner)));
            }
            self.frame_rules(space, bridge, Point::Forward, (ingress, Some(owner.port)))?;
        } else {
            self.frame_rules(space, bridge, Point::Output, (None, Some(owner.port)))?;
        }
        let there = self.space(owner.endpoint.namespace)?;
        let inside = there.link(owner.endpoint.link.index).unwrap_or(&owner.endpoint.link);
        if !inside.up || egress.is_some_and(|port| !port.carrier) {
            self.hop("link", format!("{} of {}", inside.name, owner.container.name));
            return Err(Box::new(blame::link_down(self.facts, there, inside)));
        }
        Ok(Next::At(Place::Receiving(there, owner.endpoint.link.index)))
    }

    /// Rules that see frames: those of family bridge, and those of IP where the bridge is told to ask them.
    fn frame_rules(
        &mut self,
        space: &'a Space,
        bridge: &Link,
        point: Point,
        (ingress, egress): (Option<LinkIndex>, Option<LinkIndex>),
    ) -> Step<()> {
        let named = |index: Option<LinkIndex>| {
            index.and_then(|index| space.link(index)).map(|link| link.name.to_string())
        };
        let (input, output) = (self.packet.input.clone(), self.packet.output.clone());
        (self.packet.input, self.packet.output) = (named(ingress), named(egress));
        let seen = self.rules_of(space, point, &[Family::Bridge]);
        let asks_ip = self.bridge_asks_ip(space) && point == Point::Forward;
        let mut result = seen.map(drop);
        if asks_ip && result.is_ok() {
            self.packet.input = Some(bridge.name.to_string());
            self.packet.output = Some(bridge.name.to_string());
            result = self.rules(space, Point::Forward).map(drop);
        }
        (self.packet.input, self.packet.output) = (input, output);
        result
    }

    /// Whether rules at a link and its queue let anything out.
    fn queue(&mut self, space: &'a Space, link: &Link) -> Step<()> {
        let (input, output) = (self.packet.input.take(), self.packet.output.replace(link.name.to_string()));
        self.rules_of(space, Point::Egress, &[Family::Netdev])?;
        (self.packet.input, self.packet.output) = (input, output);
        let holds =
            |hook: &LinkHook| hook.link == link.index && hook.kind == HookKind::Queue("blackhole".to_owned());
        if space.hooks.iter().any(holds) {
            return Err(Box::new(blame::queue_drops(&self.name(space), link)));
        }
        Ok(())
    }

    fn port_passes(&self, space: &Space, bridge: &Link, port: Option<LinkIndex>) -> Step<()> {
        let Some(link) = port.and_then(|index| space.link(index)) else { return Ok(()) };
        if !link.up {
            return Err(Box::new(blame::link_down(self.facts, space, link)));
        }
        match space.port(link.index) {
            Some(port) if port.state == PortState::Holding && link.carrier => {
                Err(Box::new(blame::port_blocked(bridge, link)))
            }
            _ => Ok(()),
        }
    }

    /// Who on a bridge has an address.
    pub(super) fn owners(&self, namespace: NamespaceId, bridge: &Link, address: IpAddr) -> Vec<Owner<'a>> {
        let mut owners = self.residents(namespace, bridge);
        owners.retain(|owner| owner.endpoint.link.addresses.iter().any(|own| own.address == address));
        owners
    }

    /// Everybody on a bridge, each namespace once.
    pub(super) fn residents(&self, namespace: NamespaceId, bridge: &Link) -> Vec<Owner<'a>> {
        let mut found: Vec<Owner<'a>> = Vec::new();
        for container in &self.facts.topology.containers {
            for endpoint in &container.endpoints {
                let HostSide::Pair { index, namespace: there, bridge: of, .. } = &endpoint.host_side else {
                    continue;
                };
                let is_here = *there == namespace && of.as_ref() == Some(&bridge.name);
                if is_here && !found.iter().any(|known| known.port == *index) {
                    found.push(Owner { container, endpoint, port: *index });
                }
            }
        }
        found
    }

    fn sender_on(&self, space: &Space, bridge: &Link, ingress: Option<LinkIndex>) -> Option<Owner<'a>> {
        let port = ingress?;
        self.residents(space.id, bridge).into_iter().find(|owner| owner.port == port)
    }

    /// Two on one bridge with the same hardware address: the bridge sends to whoever spoke last.
    fn twin_mac(&self, space: &Space, bridge: &Link, one: Option<Owner<'a>>) -> Step<()> {
        let Some((one, mac)) = one.and_then(|one| Some((one, one.endpoint.link.mac?))) else { return Ok(()) };
        let residents = self.residents(space.id, bridge);
        let twin =
            residents.iter().find(|other| other.port != one.port && other.endpoint.link.mac == Some(mac));
        match twin {
            Some(twin) => Err(Box::new(blame::twin_mac(bridge, mac, one, *twin))),
            None => Ok(()),
        }
    }

    /// What the sender behind a port believes of its neighbour.
    fn stale_neighbour(&self, sender: Option<Owner<'a>>, next: IpAddr, mac: Option<Mac>) -> Step<()> {
        let Some(sender) = sender else { return Ok(()) };
        let space = self.space(sender.endpoint.namespace)?;
        match space.link(sender.endpoint.link.index) {
            Some(link) => self.neighbour(space, link, next, mac),
            None => Ok(()),
        }
    }

    /// Whether a namespace's own entry for a neighbour is set by hand, and wrong.
    fn neighbour(&self, space: &Space, link: &Link, next: IpAddr, mac: Option<Mac>) -> Step<()> {
        let entry = space.neighbours.iter().find(|entry| entry.link == link.index && entry.address == next);
        let (Some(entry), Some(right)) = (entry, mac) else { return Ok(()) };
        match entry.mac {
            Some(believed) if entry.state == NeighbourState::Permanent && believed != right => {
                Err(Box::new(blame::neighbour_wrong(self.facts, space, link, next, (believed, right))))
            }
            _ => Ok(()),
        }
    }
}

/// An entry set by hand that leads to another port.
fn misled(space: &Space, bridge: &Link, owner: Owner<'_>) -> Step<()> {
    let Some(mac) = owner.endpoint.link.mac else { return Ok(()) };
    let wrong = space.forwarding.iter().find(|entry| {
        entry.mac == mac
            && entry.bridge == Some(bridge.index)
            && entry.port != owner.port
            && entry.origin == ForwardingOrigin::Permanent
    });
    match wrong.and_then(|entry| space.link(entry.port)) {
        Some(port) => Err(Box::new(blame::misled(bridge, mac, port, owner))),
        None => Ok(()),
    }
}
