//! What the sockets of a namespace do to a packet that is for it: who listens, and who listens elsewhere instead.

use std::net::SocketAddr;

use crate::model::{Protocol, PublishedPort};
use crate::why::facts::{Facts, Listener, Space};
use crate::why::finding::{Code, Finding};

use super::{Arrival, Step, Walker};

impl<'a> Walker<'a> {
    pub(super) fn arrive(&mut self, space: &'a Space) -> Step<Arrival<'a>> {
        let (destination, protocol) = (self.packet.destination, self.packet.protocol);
        self.hop("socket", format!("{destination}/{protocol} in {}", self.name(space)));
        let by = self.packet.input.as_deref().and_then(|name| space.link_named(name));
        // One that is bound to a VRF takes what comes by its members.
        let comes_by = |device| by.is_some_and(|link| link.index == device || link.master == Some(device));
        let fits = |listener: &&Listener| {
            listener.protocol == protocol
                && listener.local.port() == destination.port()
                && listener.takes(destination.ip())
                && listener.device.is_none_or(comes_by)
        };
        // A socket bound to the address is asked before one that takes every address, one of the packet's family before one of
        // both; of several that share it, each gets its part, and one that is stopped its part, too.
        let takers = space.listeners.iter().filter(fits);
        let order = |listener: &&Listener| {
            let other_family = listener.local.is_ipv4() != destination.is_ipv4();
            (listener.local.ip().is_unspecified(), other_family, !listener.is_stopped())
        };
        match takers.min_by_key(order) {
            Some(listener) => Ok(Arrival::Socket { space, listener }),
            None => Err(Box::new(self.nobody(space, destination, protocol))),
        }
    }
}

impl Walker<'_> {
    /// Why nobody takes it, in the light of what rules here have done to it, or not.
    fn nobody(&self, space: &Space, destination: SocketAddr, protocol: Protocol) -> Finding {
        let who = self.name(space);
        if let Some(rule) = &self.untranslated {
            let sentence = format!(
                "a rule of {who} excepts the packet from the table of connections (notrack), so that no rule translates \
                 it: nobody takes what is sent to {destination}/{protocol}"
            );
            return Finding::new(Code::DnatMissing, sentence)
                .seen(format!("rule that would translate it: {rule}"))
                .repair("remove the rule with NOTRACK for this port");
        }
        let finding = absence(self.facts, space, destination, protocol);
        let here = self.bindings.iter().any(|binding| binding.space == space.id);
        let inside = Some(space.id) != self.facts.topology.host;
        match self.translated.as_ref().filter(|_| here && inside) {
            Some((rule, to)) => {
                let sentence = format!(
                    "a rule inside {who} sends the packet on to port {}/{protocol}, where nothing listens",
                    to.port()
                );
                Finding::new(Code::NothingListens, sentence)
                    .seen(format!("translated to {to} by: {rule}"))
                    .seen_all(finding.evidence)
                    .repair(format!("start what should listen on port {}, or remove that rule", to.port()))
            }
            None => finding,
        }
    }
}

/// Why nobody takes what is sent there.
pub fn absence(facts: &Facts, space: &Space, wanted: SocketAddr, protocol: Protocol) -> Finding {
    let who = facts.name_of(space.id);
    let same_port: Vec<&Listener> =
        of_protocol(space, protocol).filter(|one| one.local.port() == wanted.port()).collect();
    if let Some(one) = same_port.first() {
        if let Some(finding) = published_elsewhere(facts, space, wanted, protocol) {
            return finding.seen_all(same_port.iter().map(|one| seen(one)));
        }
        let finding = elsewhere((space, &who), one, &same_port, wanted);
        return finding.seen_all(same_port.iter().map(|one| seen(one)));
    }
    let other_protocol = match protocol {
        Protocol::Udp => Protocol::Tcp,
        _ => Protocol::Udp,
    };
    if let Some(one) = of_protocol(space, other_protocol).find(|one| one.local.port() == wanted.port()) {
        let sentence = format!(
            "{who} listens on port {} for {other_protocol} alone, not for {protocol}: {}",
            wanted.port(),
            one.holder_words()
        );
        return Finding::new(Code::ListensForOtherProtocol, sentence).seen(seen(one));
    }
    // On the host, others' sockets say nothing about this port.
    let others: Vec<&Listener> = match facts.resident(space.id) {
        Some(_) => of_protocol(space, protocol).filter(|one| !is_engines_name_server(one)).collect(),
        None => Vec::new(),
    };
    let nearest = others
        .iter()
        .min_by_key(|one| (one.local.ip().is_loopback(), one.local.port().abs_diff(wanted.port())));
    let Some(one) = nearest else {
        let sentence = format!("nothing in {who} listens on port {}/{protocol}", wanted.port());
        return Finding::new(Code::NothingListens, sentence)
            .seen(format!("no {protocol} socket of {who} waits on port {}", wanted.port()));
    };
    let sentence = format!(
        "nothing in {who} listens on port {}/{protocol}; {} listens on {} instead",
        wanted.port(),
        one.holder_words(),
        one.words()
    );
    let repair =
        format!("make the process listen on port {}, or send to port {}", wanted.port(), one.local.port());
    Finding::new(Code::ListensOnOtherPort, sentence)
        .seen_all(others.iter().map(|one| seen(one)))
        .repair(repair)
}

/// A port of the host that a container publishes on another address of it alone.
fn published_elsewhere(
    facts: &Facts,
    space: &Space,
    wanted: SocketAddr,
    protocol: Protocol,
) -> Option<Finding> {
    if Some(space.id) != facts.topology.host {
        return None;
    }
    let containers = facts.topology.containers.iter();
    let all = containers.flat_map(|one| one.published.iter().map(move |published| (one, published)));
    let same = |published: &PublishedPort| {
        (published.host_port, published.protocol) == (wanted.port(), protocol)
            && published.host_ip.is_ipv4() == wanted.is_ipv4()
    };
    let (container, published) = all.into_iter().find(|(_, published)| same(published))?;
    let at = published.host_ip;
    let name = &container.name;
    let sentence = format!(
        "{name} publishes port {} on {at} alone, and the packet goes to {}",
        wanted.port(),
        wanted.ip()
    );
    let code = if at.is_loopback() { Code::PublishedOnLoopback } else { Code::ListensOnOtherAddress };
    let everywhere = format!("-p {}:{}", published.host_port, published.container_port);
    let finding = Finding::new(code, sentence)
        .seen(published.to_string())
        .repair(format!("connect to {at}:{}, or publish it on every address: {everywhere}", wanted.port()));
    (!at.is_unspecified() && at != wanted.ip()).then_some(finding)
}

/// The port is listened on, but not where the packet goes.
fn elsewhere((space, who): (&Space, &str), one: &Listener, all: &[&Listener], wanted: SocketAddr) -> Finding {
    let port = wanted.port();
    let holder = one.holder_words();
    let protocol = one.protocol;
    let repair = |family: &str| format!("make the process listen on {family}:{port}");
    if all.iter().all(|one| one.local.ip().is_loopback() || one.local.ip().to_canonical().is_loopback()) {
        let at = one.local.ip().to_canonical();
        let sentence = format!(
            "{holder} in {who} listens on port {port}/{protocol} at {at} alone: that is the container's own loopback, \
             which nobody outside reaches"
        );
        return Finding::new(Code::ListensOnLoopback, sentence).repair(repair("0.0.0.0"));
    }
    if let (Some(device), true) = (one.device, one.takes(wanted.ip())) {
        let name = space.link(device).map_or_else(|| format!("if{device}"), |link| link.name.to_string());
        let sentence = format!(
            "{holder} in {who} listens on port {port}/{protocol} for what comes by the interface {name} alone \
             (SO_BINDTODEVICE), and the packet comes by another one"
        );
        return Finding::new(Code::ListensOnOtherAddress, sentence);
    }
    let (v4, v6) = (wanted.is_ipv4(), wanted.is_ipv6());
    if v4 && all.iter().all(|one| one.local.is_ipv6() && one.local.ip().to_canonical().is_ipv6()) {
        let sentence = format!(
            "{holder} in {who} listens on port {port}/{protocol} for IPv6 alone; the connection is of IPv4"
        );
        return Finding::new(Code::ListensOnIpv6Only, sentence).repair(repair("0.0.0.0"));
    }
    if v6 && all.iter().all(|one| one.local.ip().to_canonical().is_ipv4()) {
        let sentence = format!(
            "{holder} in {who} listens on port {port}/{protocol} for IPv4 alone; the connection is of IPv6"
        );
        return Finding::new(Code::ListensOnIpv4Only, sentence).repair(repair("[::]"));
    }
    let sentence = format!(
        "{holder} in {who} listens on port {port}/{protocol} at {} alone, and the packet goes to {}",
        one.local.ip(),
        wanted.ip()
    );
    Finding::new(Code::ListensOnOtherAddress, sentence).repair(repair("0.0.0.0"))
}

fn of_protocol(space: &Space, protocol: Protocol) -> impl Iterator<Item = &Listener> {
    space.listeners.iter().filter(move |one| one.protocol == protocol)
}

/// Docker's name server within a container.
fn is_engines_name_server(listener: &Listener) -> bool {
    listener.local.ip() == std::net::IpAddr::from([127, 0, 0, 11])
}

fn seen(one: &Listener) -> String {
    format!("socket {} of {}", one.words(), one.holder_words())
}
