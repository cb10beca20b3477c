//! What the sockets of a namespace do to a packet that is for it: who listens, and who listens elsewhere instead.

use std::net::SocketAddr;

use crate::model::Protocol;
use crate::why::facts::{Facts, Listener, Space};
use crate::why::finding::{Code, Finding};

use super::{Arrival, Step, Walker};

impl<'a> Walker<'a> {
    pub(super) fn arrive(&mut self, space: &'a Space) -> Step<Arrival<'a>> {
        let (destination, protocol) = (self.packet.destination, self.packet.protocol);
        self.hop("socket", format!("{destination}/{protocol} in {}", self.name(space)));
        let fits = |listener: &&Listener| {
            listener.protocol == protocol
                && listener.local.port() == destination.port()
                && listener.takes(destination.ip())
        };
        // A socket bound to the address is asked before one that takes every address.
        let takers = space.listeners.iter().filter(fits);
        match takers.min_by_key(|listener| listener.local.ip().is_unspecified()) {
            Some(listener) => Ok(Arrival::Socket { space, listener }),
            None => Err(Box::new(absence(self.facts, space, destination, protocol))),
        }
    }
}

/// Why nobody takes what is sent there.
pub fn absence(facts: &Facts, space: &Space, wanted: SocketAddr, protocol: Protocol) -> Finding {
    let who = facts.name_of(space.id);
    let same_port: Vec<&Listener> =
        of_protocol(space, protocol).filter(|one| one.local.port() == wanted.port()).collect();
    if let Some(one) = same_port.first() {
        let finding = elsewhere(&who, one, &same_port, wanted);
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

/// The port is listened on, but not where the packet goes.
fn elsewhere(who: &str, one: &Listener, all: &[&Listener], wanted: SocketAddr) -> Finding {
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
