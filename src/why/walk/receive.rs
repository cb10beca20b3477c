//! What a namespace's IP does to a packet that comes by a link.

use crate::model::{Link, LinkIndex, LinkKind};
use crate::why::facts::Space;
use crate::why::firewall::{Family, Point};
use crate::why::packet::Part;
use crate::why::routing::{self, Direction, Question};

use super::{Next, Restored, Step, Walker, blame};

impl<'a> Walker<'a> {
    /// A packet comes by a link.
    pub(super) fn receive(&mut self, space: &'a Space, index: LinkIndex) -> Step<Next<'a>> {
        let name = self.name(space);
        let link = space.link(index).ok_or_else(|| Box::new(blame::unknown_space(&name)))?;
        self.packet.input = Some(link.name.to_string());
        self.packet.output = None;
        self.packet.untracked = false;
        self.over(space, index);
        if link.kind != LinkKind::Loopback {
            self.hop("link", format!("{} of {name}", link.name));
        }
        if !link.up {
            return Err(Box::new(blame::link_down(self.facts, space, link)));
        }
        self.rules_of(space, Point::Ingress, &[Family::Netdev, Family::Inet])?;
        if link.kind == LinkKind::Loopback {
            return self.deliver(space);
        }
        let before = (self.packet.source, self.packet.destination);
        let passage = self.rules(space, Point::Prerouting)?;
        self.packet.mark = passage.mark;
        self.untracked(&passage);
        if let Some(translation) = passage.translation {
            self.translate(space, translation, before);
        }
        self.restore(space, Restored::Destination);
        self.reverse_path(space, index)?;
        let is_for_loopback = self.packet.destination.ip().is_loopback();
        if is_for_loopback && !takes_loopback(space, link) {
            return Err(Box::new(blame::loopback_from_outside(&name, &self.packet)));
        }
        if space.is_local(self.packet.destination.ip()) {
            return self.deliver(space);
        }
        self.pass_on(space, index)
    }

    /// For this namespace itself.
    fn deliver(&mut self, space: &'a Space) -> Step<Next<'a>> {
        self.rules(space, Point::Input)?;
        self.restore(space, Restored::Source);
        if let Some(home) = self.is_home() {
            return Ok(Next::Arrived(home));
        }
        self.arrive(space).map(Next::Arrived)
    }

    /// For somebody else: this namespace is a router.
    fn pass_on(&mut self, space: &'a Space, index: LinkIndex) -> Step<Next<'a>> {
        let name = self.name(space);
        let link = space.link(index).map(|link| slashed(link.name.as_str())).unwrap_or_default();
        // IPv4 asks the interface; IPv6 the whole host, or, since Linux 6.17, an interface that is forced.
        let (all, own) = if self.packet.is_v4() {
            ("net.ipv4.ip_forward", format!("net.ipv4.conf.{link}.forwarding"))
        } else {
            ("net.ipv6.conf.all.forwarding", format!("net.ipv6.conf.{link}.force_forwarding"))
        };
        let whole = space.setting(all).unwrap_or(1);
        let forwards = match space.setting(&own) {
            Some(value) if self.packet.is_v4() => value != 0,
            Some(value) => value != 0 || whole != 0,
            None => whole != 0,
        };
        if !forwards {
            self.hop("route", format!("routing in {name}"));
            let setting = if whole == 0 { all } else { own.as_str() };
            return Err(Box::new(blame::not_forwarding(self.facts, space, &self.packet, (setting, 0))));
        }
        let way = self.find_way(space)?;
        self.packet.output = way.link_name(space);
        self.rules(space, Point::Forward)?;
        self.leave(space, way)
    }

    /// `rp_filter`: whether answers to the sender would leave by the link that the packet came by.
    fn reverse_path(&mut self, space: &'a Space, index: LinkIndex) -> Step<()> {
        let Some(link) = space.link(index) else { return Ok(()) };
        let Some(source) = self.packet.source.or(self.client.filter(|_| self.packet.part == Part::Opening))
        else {
            return Ok(());
        };
        if source.is_ipv6() {
            return Ok(());
        }
        let own = format!("net.ipv4.conf.{}.rp_filter", slashed(link.name.as_str()));
        let value = |name: &str| space.setting(name).unwrap_or(0);
        let strictness = value(&own).max(value("net.ipv4.conf.all.rp_filter"));
        if strictness == 0 {
            return Ok(());
        }
        let question = Question { destination: source, source: None, input: None, mark: 0 };
        let answer = routing::route(space, question);
        let fits = match answer.direction {
            Direction::Out { link, .. } => strictness == 2 || link == index,
            Direction::Local | Direction::None | Direction::Refused(_) | Direction::RefusedByRule(_) => false,
        };
        if fits {
            return Ok(());
        }
        Err(Box::new(blame::reverse_path(self.facts, space, link, source, (&own, strictness), &answer)))
    }
}

/// Whether loopback addresses may be on the wire of a link (`route_localnet`).
pub(super) fn takes_loopback(space: &Space, link: &Link) -> bool {
    let own = format!("net.ipv4.conf.{}.route_localnet", slashed(link.name.as_str()));
    [own.as_str(), "net.ipv4.conf.all.route_localnet"]
        .iter()
        .any(|name| space.setting(name).unwrap_or(0) != 0)
}

/// An interface's name as a part of a setting's name.
pub(super) fn slashed(name: &str) -> String {
    name.replace('.', "/")
}
