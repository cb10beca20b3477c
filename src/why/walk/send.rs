//! What a namespace's IP does to a packet that a process of it sends, and to one that it has decided to pass on.

use std::net::IpAddr;

use crate::model::{Link, LinkIndex};
use crate::why::facts::Space;
use crate::why::firewall::{Action, Condition, Family, Field, Passage, Point, Rule, Translation, pass};
use crate::why::packet::Part;
use crate::why::routing::{self, Direction, Question};

use super::receive::takes_loopback;
use super::{Arrival, Binding, Next, Place, Restored, Step, Walker, blame};

impl<'a> Walker<'a> {
    /// A process sends.
    pub(super) fn send(&mut self, space: &'a Space) -> Step<Next<'a>> {
        let before = (self.packet.source, self.packet.destination);
        let mut way = self.find_way(space)?;
        if self.packet.source.is_none() {
            self.packet.source = way.source;
        }
        if self.packet.part == Part::Opening && self.client.is_none() {
            self.client = self.packet.source;
        }
        self.packet.input = None;
        self.packet.untracked = false;
        self.packet.output = way.link_name(space);
        let passage = self.rules(space, Point::Output)?;
        self.untracked(&passage);
        if let Some(translation) = passage.translation {
            self.translate(space, translation, before);
            way = self.find_way(space)?;
            self.packet.output = way.link_name(space);
        } else if passage.mark != self.packet.mark {
            self.packet.mark = passage.mark;
            way = self.find_way(space)?;
            self.packet.output = way.link_name(space);
        }
        let from_loopback = matches!(self.packet.source, Some(IpAddr::V4(source)) if source.is_loopback());
        let out = way.out.and_then(|(index, _)| space.link(index));
        if let Some(link) = out.filter(|link| from_loopback && !takes_loopback(space, link))
            && self.packet.part == Part::Opening
        {
            return Err(Box::new(blame::loopback_to_outside(&self.name(space), link, &self.packet)));
        }
        self.leave(space, way)
    }

    /// The rules behind routing, and on to the link.
    pub(super) fn leave(&mut self, space: &'a Space, way: Way) -> Step<Next<'a>> {
        let Some((link, next)) = way.out else {
            // By loopback, to itself.
            self.restore(space, Restored::Source);
            let lo = space.link_named("lo").ok_or_else(|| Box::new(blame::no_loopback(&self.name(space))))?;
            return Ok(Next::At(Place::Receiving(space, lo.index)));
        };
        let before = (self.packet.source, self.packet.destination);
        let passage = self.rules(space, Point::Postrouting)?;
        if let Some(translation) = passage.translation {
            self.disguise(space, translation, before, (link, next));
        }
        self.restore(space, Restored::Source);
        self.transmit(space, link, next)
    }

    /// The rules behind routing, for a frame that a bridge sends on.
    pub(super) fn disguise_at(&mut self, space: &'a Space, bridge: &Link, next: IpAddr) -> Step<()> {
        let before = (self.packet.source, self.packet.destination);
        self.packet.output = Some(bridge.name.to_string());
        let passage = self.rules(space, Point::Postrouting)?;
        if let Some(translation) = passage.translation {
            self.disguise(space, translation, before, (bridge.index, next));
        }
        Ok(())
    }

    /// Asks the rules at one place.
    pub(super) fn rules(&mut self, space: &'a Space, point: Point) -> Step<Passage<'a>> {
        let families =
            if self.packet.is_v4() { [Family::Ip, Family::Inet] } else { [Family::Ip6, Family::Inet] };
        self.rules_of(space, point, &families)
    }

    /// Asks the rules of these families at one place.
    pub(super) fn rules_of(
        &mut self,
        space: &'a Space,
        point: Point,
        families: &[Family],
    ) -> Step<Passage<'a>> {
        let passage = pass(space, point, &self.packet, families);
        let name = self.name(space);
        for (chain, rule) in &passage.doubts {
            if !matches!(rule.action, Action::Accept | Action::Return | Action::FromSource(_)) {
                let sentence =
                    format!("whether this rule of {name} ({chain}) matches cannot be told: {}", rule.text);
                if !self.doubts.contains(&sentence) {
                    self.doubts.push(sentence);
                }
            }
        }
        // Nobody can send a probe from outside that would settle it.
        if let Some(stop) = passage.stop.filter(|stop| !stop.certain)
            && self.uplink.is_some()
        {
            let by_source = passage.doubts.iter().any(|(_, rule)| asks_source(rule));
            let sentence = if by_source && self.packet.source.is_none() {
                format!(
                    "whether {name} lets it in depends on who asks ({}); `--from ADDRESS` tells it of one",
                    stop.chain
                )
            } else {
                format!(
                    "whether {name} lets it in: not all rules before the end of {} are understood",
                    stop.chain
                )
            };
            if !self.doubts.contains(&sentence) {
                self.doubts.push(sentence);
            }
            return Ok(Passage { stop: None, ..passage });
        }
        match passage.stop {
            Some(stop) => {
                self.hop("rules", format!("{} of {name}", point.as_str()));
                Err(Box::new(blame::rule(self.facts, space, point, &self.packet, stop)))
            }
            None => Ok(passage),
        }
    }

    /// Notes that a packet is excepted from the table of connections, and what that costs it.
    pub(super) fn untracked(&mut self, passage: &Passage<'_>) {
        self.packet.untracked = passage.untracked;
        if let Some(rule) = passage.untranslated.filter(|_| self.packet.part == Part::Opening) {
            self.untranslated = Some(rule.text.clone());
        }
    }

    /// Changes the destination as a rule says, and remembers it.
    pub(super) fn translate(
        &mut self,
        space: &Space,
        translation: Translation<'_>,
        before: (Option<IpAddr>, std::net::SocketAddr),
    ) {
        let Action::ToDestination { address, port, redirects } = translation.rule.action else { return };
        if let Some(address) = address {
            self.packet.destination.set_ip(address);
        } else if redirects {
            let own = match self.packet.input.as_deref().and_then(|name| space.link_named(name)) {
                Some(link) => link.addresses.first().map(|own| own.address),
                None => Some(if self.packet.is_v4() {
                    std::net::Ipv4Addr::LOCALHOST.into()
                } else {
                    std::net::Ipv6Addr::LOCALHOST.into()
                }),
            };
            self.packet.destination.set_ip(own.unwrap_or(self.packet.destination.ip()));
        }
        if let Some(port) = port {
            self.packet.destination.set_port(port);
        }
        self.packet.translated = true;
        let to = self.packet.destination;
        self.hop("nat", format!("{} → {to}", before.1));
        self.translated = Some((translation.rule.text.clone(), to));
        let after = (before.0, to);
        self.bindings.push(Binding { space: space.id, before, after });
    }

    /// Changes the source as a rule says, and remembers it.
    fn disguise(
        &mut self,
        space: &Space,
        translation: Translation<'_>,
        before: (Option<IpAddr>, std::net::SocketAddr),
        (link, next): (LinkIndex, IpAddr),
    ) {
        let Action::FromSource(address) = translation.rule.action else { return };
        let near = |own: &&crate::model::InterfaceAddress| {
            crate::why::packet::contains(**own, next) && own.address.is_ipv4() == next.is_ipv4()
        };
        let of_link = space.link(link).and_then(|link| {
            let same_family = link.addresses.iter().find(|own| own.address.is_ipv4() == next.is_ipv4());
            link.addresses.iter().find(near).or(same_family).map(|own| own.address)
        });
        self.packet.source = address.or(of_link).or(self.packet.source);
        self.packet.disguised = true;
        let after = (self.packet.source, self.packet.destination);
        // What began before a translation of the destination here is one binding with it.
        match self
            .bindings
            .last_mut()
            .filter(|binding| binding.space == space.id && binding.after.1 == before.1)
        {
            Some(binding) => binding.after.0 = after.0,
            None => self.bindings.push(Binding { space: space.id, before, after }),
        }
    }

    /// Where the packet goes from here, or why nowhere.
    pub(super) fn find_way(&self, space: &'a Space) -> Step<Way> {
        let destination = self.packet.destination.ip();
        let question = Question {
            destination,
            source: self.packet.source.or(self.client),
            input: self.packet.input.as_deref(),
            mark: self.packet.mark,
        };
        let answer = routing::route(space, question);
        let source = routing::source_for(space, &answer.direction, destination);
        match answer.direction {
            Direction::Local => Ok(Way { out: None, source }),
            Direction::Out { link, next, route } => {
                blame::diverted(self.facts, space, &self.packet, (link, route), &answer)?;
                Ok(Way { out: Some((link, next)), source })
            }
            _ => Err(Box::new(blame::no_way(self.facts, space, &self.packet, &answer))),
        }
    }

    /// Whether the answer is back where the question came from.
    pub(super) fn is_home(&self) -> Option<Arrival<'a>> {
        (self.packet.part == Part::Answer).then_some(Arrival::Home)
    }
}

/// Whether a rule lets some senders pass and not others.
fn asks_source(rule: &Rule) -> bool {
    let asks = |condition: &Condition| match condition {
        Condition::Is { field, .. } => *field == Field::Source,
        Condition::Any(groups) => groups
            .iter()
            .flatten()
            .any(|condition| matches!(condition, Condition::Is { field: Field::Source, .. })),
        Condition::Unknown(_) => false,
    };
    rule.conditions.iter().any(asks)
}

/// The way a packet takes from here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    /// The link and the next hop; none: to this namespace itself.
    pub(super) out: Option<(LinkIndex, IpAddr)>,
    /// The address it is sent from.
    pub(super) source: Option<IpAddr>,
}

impl Way {
    pub(super) fn link_name(self, space: &Space) -> Option<String> {
        match self.out {
            Some((link, _)) => space.link(link).map(|link| link.name.to_string()),
            None => Some("lo".to_owned()),
        }
    }
}
