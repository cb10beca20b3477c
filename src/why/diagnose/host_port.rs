//! A port of the host: who is published there, who holds it, and who is not but could be meant.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::model::{Container, Engine, NamespaceId, NetworkMode, Protocol, PublishedPort};
use crate::why::facts::{Listener, Space};
use crate::why::finding::{Code, Finding};
use crate::why::question::Origin;
use crate::why::routing::{self, Direction, Question as RouteQuestion};
use crate::why::walk::{Connection, Start};

use super::{Examiner, Meant};

impl<'a> Examiner<'a> {
    /// A port of the host is asked for.
    pub(super) fn host_port(&mut self, port: u16) {
        let Some(host) = self.host() else { return };
        let protocol = self.question.protocol;
        let published: Vec<(&'a Container, &'a PublishedPort)> = self
            .publications()
            .filter(|(_, published)| published.host_port == port && published.protocol == protocol)
            .collect();
        if !published.is_empty() {
            let first = published[0].0;
            let has_v6 = published.iter().any(|(_, one)| one.host_ip.is_ipv6());
            for (container, published) in published {
                self.published(host, container, published);
            }
            if !has_v6 && self.done.diagnosis.is_healthy() {
                self.half_published(host, first, port);
            }
            return;
        }
        let is_here = |listener: &&Listener| {
            let at = listener.local.ip().to_canonical();
            at.is_unspecified() || host.is_local(at)
        };
        let holder = host
            .listeners
            .iter()
            .filter(|listener| listener.protocol == protocol && listener.local.port() == port)
            .min_by_key(|listener| !is_here(listener));
        if let Some(finding) = self.wanted_by_ended(host, port, holder) {
            self.add(finding);
            return;
        }
        let translated = self.connections_to(host, port).into_iter().find(|connection| {
            let walked = crate::why::walk::walk(self.facts, connection);
            walked.translated.is_some() || walked.untranslated.is_some()
        });
        match (holder, translated) {
            (None, None) => {
                let finding = self.unclaimed(port);
                self.add(finding.if_certain(!self.facts.incomplete));
            }
            (Some(listener), None) if !is_here(&listener) => self.add(elsewhere(host, listener)),
            (_, translated) => self.held(host, port, holder, translated),
        }
    }

    /// A port that was asked for at every address, and is published on IPv4 alone where the host has IPv6 too.
    fn half_published(&mut self, host: &Space, container: &Container, port: u16) {
        let asked = self
            .facts
            .details
            .get(&container.id)
            .is_some_and(|detail| detail.asked_everywhere.contains(&(port, self.question.protocol)));
        let own = host
            .addresses()
            .map(|(_, own)| own.address)
            .find(|own| own.is_ipv6() && !own.is_loopback() && !is_link_local(*own));
        let is_container = matches!(self.question.origin, Origin::Container(..));
        // Podman means IPv4 by a port without an address.
        let is_docker = container.engine == Engine::Docker;
        let Some(own) = own.filter(|_| asked && is_docker && !is_container) else { return };
        let name = &container.name;
        let sentence = format!(
            "port {port} of {name} was asked for at every address, and is published on IPv4 alone: [{own}]:{port} and \
             [::1]:{port} refuse connections"
        );
        self.add(
            Finding::new(Code::Ipv6HalfPublished, sentence)
                .seen_all(container.published.iter().map(|published| format!("{name}: {published}")))
                .seen(format!("address of the host: {own}"))
                .repair(format!(
                    "give the network IPv6, or publish on IPv4 alone by name: -p 0.0.0.0:{port}:PORT"
                )),
        );
    }

    /// Every published port with its container.
    pub(super) fn publications(&self) -> impl Iterator<Item = (&'a Container, &'a PublishedPort)> + use<'a> {
        let containers = &self.facts.topology.containers;
        containers.iter().flat_map(|container| container.published.iter().map(move |port| (container, port)))
    }

    /// A published port, from all the places from which it is meant to be reached.
    pub(super) fn published(
        &mut self,
        host: &'a Space,
        container: &'a Container,
        published: &'a PublishedPort,
    ) {
        if let Some(finding) = self.state(container) {
            self.add(finding);
            return;
        }
        self.space(container.namespace);
        let meant = Meant { container: Some(container), published: Some(published) };
        let at = published.host_ip;
        if !at.is_unspecified() && !host.is_local(at) {
            self.add(address_missing(host, container, published));
            return;
        }
        let near = || Connection {
            start: Start::Inside(host.id),
            destination: near_address(published),
            protocol: published.protocol,
        };
        match self.question.origin.clone() {
            Origin::Host => {
                self.attempt(&near(), meant);
            }
            Origin::Anywhere => {
                let works = self.attempt(&near(), meant);
                let is_meant_for_outside = !at.is_loopback();
                // IPv4 is looked at from both sides: what stops one often does not stop the other.
                if is_meant_for_outside && (works || at.is_ipv4() && at.is_unspecified()) {
                    self.published_outside(host, meant, published);
                }
            }
            Origin::Outside(_) if at.is_loopback() => self.add(on_loopback(container, published)),
            Origin::Outside(_) => self.published_outside(host, meant, published),
            Origin::Container(_, namespace) => self.published_for(namespace, host, meant, published),
        }
    }

    /// A published port, asked for by a container.
    fn published_for(
        &mut self,
        namespace: NamespaceId,
        host: &'a Space,
        meant: Meant<'a>,
        published: &'a PublishedPort,
    ) {
        let (Some(space), Some(container)) = (self.space(Some(namespace)), meant.container) else { return };
        let at = published.host_ip;
        if at.is_loopback() {
            self.add(on_loopback(container, published));
            return;
        }
        // Whoever has no IPv6 asks by IPv4 alone.
        let has_family = space.addresses().any(|(_, own)| {
            own.address.is_ipv4() == at.is_ipv4() && !own.address.is_loopback() && !is_link_local(own.address)
        });
        if !has_family && at.is_ipv6() && container.published.iter().any(|one| one.host_ip.is_ipv4()) {
            return;
        }
        let to = if at.is_unspecified() { self.host_seen_by(host, space, at.is_ipv4()) } else { Some(at) };
        let Some(to) = to else { return };
        let destination = SocketAddr::new(to, published.host_port);
        let start = Start::Inside(namespace);
        self.attempt(&Connection { start, destination, protocol: published.protocol }, meant);
    }

    fn published_outside(&mut self, host: &'a Space, meant: Meant<'a>, published: &'a PublishedPort) {
        let at = published.host_ip;
        let address = (!at.is_unspecified()).then_some(at);
        match self.by_outsider(host, address, published.host_port, at.is_ipv4()) {
            Some(connection) => {
                let connection = Connection { protocol: published.protocol, ..connection };
                let works = self.attempt_outside(host, &connection, meant);
                if works && matches!(self.question.origin, Origin::Outside(_)) {
                    self.disbelieved(host);
                }
            }
            None if at.is_ipv4() => {
                self.done.diagnosis.unchecked("from outside: the host has no interface that leads outside");
            }
            None => {}
        }
    }

    /// A port that no container publishes, but that somebody holds or rules lead on.
    fn held(
        &mut self,
        host: &'a Space,
        port: u16,
        holder: Option<&'a Listener>,
        translated: Option<Connection>,
    ) {
        if let Some(listener) = holder {
            let whose =
                listener.holders.iter().find_map(|holder| self.facts.container(holder.container.as_deref()?));
            let words = match whose {
                Some(container) => format!("{} of the container {}", listener.holder_words(), container.name),
                None => format!("{}, no container's", listener.holder_words()),
            };
            self.done.diagnosis.remarks.push(format!("port {port} of the host is held by {words}"));
        }
        let Some(connections) =
            translated.map_or_else(|| self.held_connections(host, port, holder), |one| Some(vec![one]))
        else {
            return;
        };
        for connection in connections {
            match connection.start {
                Start::Outside { .. } => self.attempt_outside(host, &connection, Meant::default()),
                Start::Inside(_) => self.attempt(&connection, Meant::default()),
            };
        }
    }

    fn held_connections(
        &mut self,
        host: &'a Space,
        port: u16,
        holder: Option<&'a Listener>,
    ) -> Option<Vec<Connection>> {
        let own =
            holder.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |listener| listener.local.ip().to_canonical());
        let is_v4 = own.is_ipv4() || holder.is_some_and(|listener| own.is_unspecified() && !listener.v6_only);
        let near = match own {
            own if own.is_unspecified() && is_v4 => IpAddr::V4(Ipv4Addr::LOCALHOST),
            own if own.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            own => own,
        };
        let outside = |examiner: &Self| {
            let address = (!own.is_unspecified() && !own.is_loopback()).then_some(own);
            examiner.by_outsider(host, address, port, is_v4)
        };
        match self.question.origin.clone() {
            Origin::Host => Some(vec![self.from(host.id, SocketAddr::new(near, port))]),
            Origin::Anywhere => {
                let here = self.from(host.id, SocketAddr::new(near, port));
                // What only listens on loopback is not meant for outside.
                let there = (!own.is_loopback()).then(|| outside(self)).flatten();
                Some([Some(here), there].into_iter().flatten().collect())
            }
            Origin::Outside(_) => outside(self).map(|connection| vec![connection]),
            Origin::Container(_, namespace) => {
                let space = self.space(Some(namespace))?;
                let to = self.host_seen_by(host, space, is_v4)?;
                Some(vec![self.from(namespace, SocketAddr::new(to, port))])
            }
        }
    }

    /// The connections by which a port of the host may be asked for.
    fn connections_to(&mut self, host: &'a Space, port: u16) -> Vec<Connection> {
        let outside = self.by_outsider(host, None, port, true);
        let local = outside.as_ref().map(|outside| self.from(host.id, outside.destination));
        let inside = match self.question.origin.clone() {
            Origin::Container(_, namespace) => self.space(Some(namespace)).and_then(|space| {
                let to = self.host_seen_by(host, space, true)?;
                Some(self.from(namespace, SocketAddr::new(to, port)))
            }),
            _ => None,
        };
        match self.question.origin {
            Origin::Host => local.into_iter().collect(),
            Origin::Outside(_) => outside.into_iter().collect(),
            Origin::Container(..) => inside.into_iter().collect(),
            Origin::Anywhere => outside.into_iter().chain(local).collect(),
        }
    }

    /// The host's address that a container would take for it: its gateway where that is the host, else the uplink's.
    pub(super) fn host_seen_by(&self, host: &Space, space: &Space, is_v4: bool) -> Option<IpAddr> {
        let anybody: IpAddr = if is_v4 {
            Ipv4Addr::new(192, 0, 2, 77).into()
        } else {
            Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1).into()
        };
        let question = RouteQuestion { destination: anybody, source: None, input: None, mark: 0 };
        let gateway = match routing::route(space, question).direction {
            Direction::Out { next, .. } if host.is_local(next) => Some(next),
            _ => None,
        };
        gateway.or_else(|| Some(self.by_outsider(host, None, 1, is_v4)?.destination.ip()))
    }

    /// A container that has ended, or could not be started, asked for this port.
    fn wanted_by_ended(&mut self, host: &Space, port: u16, holder: Option<&Listener>) -> Option<Finding> {
        let protocol = self.question.protocol;
        let asks = |container: &&&'a Container| {
            self.facts.details.get(&container.id).is_some_and(|detail| {
                detail.asked_ports.iter().any(|asked| asked.host_port == port && asked.protocol == protocol)
            })
        };
        let mut askers: Vec<&'a Container> = self.facts.topology.containers.iter().collect();
        askers.retain(|container| asks(&container));
        // One that is restarted again and again says more than one that ended long ago.
        askers.sort_by_key(|container| container.state.is_live());
        let _ = host;
        for container in askers {
            match (self.state(container), holder) {
                (Some(finding), None) => return Some(finding),
                (Some(finding), Some(_)) if finding.code == Code::HostPortTaken => return Some(finding),
                (Some(_), Some(_)) => {}
                (None, _) => return Some(self.asked_in_vain(container, port)),
            }
        }
        None
    }

    /// A running container asked for a host port, and the engine did not publish it.
    fn asked_in_vain(&self, container: &Container, port: u16) -> Finding {
        let name = &container.name;
        let internal = container
            .networks
            .iter()
            .find(|member| self.facts.network(&member.network).is_some_and(|network| network.internal));
        match internal {
            Some(member) => {
                let sentence = format!(
                    "{name} is on the network {}, which is internal: the engine publishes no port of it, {port} neither",
                    member.network
                );
                Finding::new(Code::NetworkInternal, sentence)
                    .seen(format!("network {}: internal", member.network))
                    .repair(format!("docker network connect NETWORK {name}  # one without --internal"))
            }
            None if container.mode == NetworkMode::None => {
                let sentence = format!(
                    "{name} has no network (--network none), so that its port {port} is not published"
                );
                Finding::new(Code::NetworkNone, sentence).seen(format!("mode of {name}: none"))
            }
            None => Finding::new(
                Code::PortNotPublished,
                format!("{name} asked for the host port {port}, and the engine does not publish it"),
            )
            .seen(format!("published ports of {name}: none"))
            .repair(format!("docker restart {name}")),
        }
    }
}

/// A port is published on an address that is gone.
fn address_missing(host: &Space, container: &Container, published: &PublishedPort) -> Finding {
    let (name, at) = (&container.name, published.host_ip);
    let own = host.addresses().filter(|(_, own)| !own.address.is_loopback());
    let own = own.map(|(link, own)| format!("address of the host: {own} on {}", link.name));
    let sentence = format!("{name} is published on {at}, an address that the host does not have");
    Finding::new(Code::PublishedAddressMissing, sentence)
        .seen(published.to_string())
        .seen_all(own)
        .repair(format!("publish {name} on another address, or give {at} to the host"))
}

/// Somebody listens on the host at an address that is not there (`ip_nonlocal_bind`).
fn elsewhere(host: &Space, listener: &Listener) -> Finding {
    let own = host.addresses().filter(|(_, own)| !own.address.is_loopback());
    let own = own.map(|(link, own)| format!("address of the host: {own} on {}", link.name));
    let sentence = format!(
        "{} listens on {} alone, an address that the host does not have",
        listener.holder_words(),
        listener.words()
    );
    Finding::new(Code::ListensOnOtherAddress, sentence).seen_all(own).repair(format!(
        "give {} to the host, or listen on 0.0.0.0:{}",
        listener.local.ip(),
        listener.local.port()
    ))
}

/// A container's port is not published.
pub(super) fn not_published(container: &Container, port: u16, protocol: Protocol) -> Finding {
    let name = &container.name;
    let sentence = format!(
        "port {port}/{protocol} of {name} is not published: only its own networks and the host reach it"
    );
    let published: Vec<String> = container.published.iter().map(ToString::to_string).collect();
    let words = if published.is_empty() { "none".to_owned() } else { published.join(", ") };
    Finding::new(Code::PortNotPublished, sentence)
        .seen(format!("published ports of {name}: {words}"))
        .repair(format!("start {name} again with --publish {port}:{port}"))
}

/// A port that only the host itself reaches.
pub(super) fn on_loopback(container: &Container, published: &PublishedPort) -> Finding {
    let sentence = format!(
        "{} is published on {} alone, the host's own loopback: nobody else reaches it",
        container.name, published.host_ip
    );
    Finding::new(Code::PublishedOnLoopback, sentence).seen(published.to_string()).repair(format!(
        "publish it on every address: -p {}:{}",
        published.host_port, published.container_port
    ))
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// The address by which the host itself reaches a published port.
fn near_address(published: &PublishedPort) -> SocketAddr {
    let address = match published.host_ip {
        IpAddr::V4(v4) if v4.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(v6) if v6.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other => other,
    };
    SocketAddr::new(address, published.host_port)
}
