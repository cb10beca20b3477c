//! A container: from the host, from outside, from another container.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::model::{Container, Engine, NamespaceId, NetworkMode, Protocol};
use crate::why::facts::{Listener, Space};
use crate::why::finding::{Code, Finding};
use crate::why::firewall::{Action, Condition, Field, Value};
use crate::why::names::{self, Meaning};
use crate::why::question::Origin;
use crate::why::walk::{Connection, absence};

use super::host_port::{not_published, on_loopback};
use super::{Examiner, Meant};

impl<'a> Examiner<'a> {
    /// A container is asked for.
    pub(super) fn container(&mut self, id: &str, port: Option<u16>, name: Option<&str>) {
        let Some(container) = self.facts.container(id) else { return };
        let Some(host) = self.host() else { return };
        if let Some(port) = port.filter(|_| container.mode == NetworkMode::Host)
            && let Some(finding) = self.host_mode_taken(container, port)
        {
            self.add(finding);
            return;
        }
        if let Some(finding) = self.state(container) {
            self.add(finding);
            return;
        }
        let Some(space) = self.space(container.namespace) else { return };
        if self.has_no_network(container, space) {
            return;
        }
        match self.question.origin.clone() {
            Origin::Container(from, namespace) => {
                self.asked_by((&from, namespace), container, space, (port, name));
            }
            Origin::Outside(_) => self.container_from_outside(host, container, space, port),
            origin => {
                let published: Vec<_> = container
                    .published
                    .iter()
                    .filter(|published| port.is_none_or(|port| published.container_port == port))
                    .filter(|published| port.is_none() || published.protocol == self.question.protocol)
                    .collect();
                let ports = self.ports_of(container, space, port);
                if ports.is_empty() {
                    self.nothing_listens(container, space);
                }
                for (port, protocol) in ports {
                    self.asked_by_host(host, container, space, (port, protocol));
                }
                if origin == Origin::Anywhere && self.done.diagnosis.is_healthy() {
                    for published in published {
                        self.published(host, container, published);
                    }
                }
            }
        }
    }

    /// A container without any interface but loopback.
    fn has_no_network(&mut self, container: &'a Container, space: &Space) -> bool {
        let is_host = container.namespace == self.facts.topology.host;
        let alone = !is_host && space.links.iter().all(|link| link.name.as_str() == "lo");
        let asks_itself =
            matches!(&self.question.origin, Origin::Container(_, from) if Some(*from) == container.namespace);
        if !alone || space.links.is_empty() || asks_itself {
            return false;
        }
        let name = &container.name;
        let sentence = match container.networks.first() {
            Some(member) => format!(
                "{name} is on the network {} by the engine's word, but its first process is in another namespace, which has a \
                 loopback and nothing else",
                member.network
            ),
            None => {
                format!(
                    "{name} has no network: its namespace has a loopback and nothing else (--network none)"
                )
            }
        };
        self.add(
            Finding::new(Code::NetworkNone, sentence)
                .seen(format!("interfaces of {name}: lo"))
                .repair(format!("start {name} again with --network bridge")),
        );
        true
    }

    /// The ports to look at: the one asked for; or those published; or those listened on.
    fn ports_of(&self, container: &Container, space: &Space, port: Option<u16>) -> Vec<(u16, Protocol)> {
        if let Some(port) = port {
            return vec![(port, self.question.protocol)];
        }
        let published: BTreeSet<_> =
            container.published.iter().map(|port| (port.container_port, port.protocol)).collect();
        if !published.is_empty() {
            return published.into_iter().filter(|(_, protocol)| *protocol != Protocol::Sctp).collect();
        }
        let listened = self.listened(container, space, Protocol::Tcp);
        if listened.is_empty() { self.listened(container, space, Protocol::Udp) } else { listened }
    }

    /// The ports that a container listens on. What listens on loopback beside what does not, is meant to.
    fn listened(&self, container: &Container, space: &Space, protocol: Protocol) -> Vec<(u16, Protocol)> {
        let own =
            space.listeners.iter().filter(|one| one.protocol == protocol && self.is_own(container, one));
        let listened: BTreeSet<_> =
            own.map(|one| (one.local.ip().to_canonical().is_loopback(), one.local.port())).collect();
        let open = listened.iter().any(|(loopback, _)| !loopback);
        let shown = listened.into_iter().filter(|(loopback, _)| !open || !loopback);
        shown.map(|(_, port)| (port, protocol)).take(8).collect()
    }

    /// Whether a socket is one of the container's: in the host's namespace there are many others.
    fn is_own(&self, container: &Container, listener: &Listener) -> bool {
        let engines = listener.local.ip() == IpAddr::from([127, 0, 0, 11]);
        if engines {
            return false;
        }
        container.namespace != self.facts.topology.host
            || listener
                .holders
                .iter()
                .any(|holder| holder.container.as_deref() == Some(container.id.as_str()))
    }

    fn nothing_listens(&mut self, container: &'a Container, space: &Space) {
        let name = &container.name;
        let finding = self.just_restarted(container).unwrap_or_else(|| {
            let udp = space.listeners.iter().filter(|listener| self.is_own(container, listener));
            Finding::new(Code::NothingListens, format!("nothing in {name} listens on any port"))
                .seen(format!("no TCP socket of {name} waits"))
                .seen_all(
                    udp.map(|listener| format!("socket {} of {}", listener.words(), listener.holder_words())),
                )
        });
        self.add(finding);
    }

    /// From a process of the host to the container itself.
    fn asked_by_host(
        &mut self,
        host: &'a Space,
        container: &'a Container,
        space: &'a Space,
        (port, protocol): (u16, Protocol),
    ) {
        let meant = Meant { container: Some(container), published: None };
        if container.namespace == Some(host.id) {
            let to = own_loopback(space, port, protocol);
            let connection = Connection { protocol, ..self.from(host.id, to) };
            self.attempt(&connection, meant);
            return;
        }
        let by_parent = matches!(container.mode, NetworkMode::Macvlan | NetworkMode::Ipvlan);
        if by_parent && self.question.origin == Origin::Anywhere {
            self.only_listening(space, container, (port, protocol));
            if self.done.diagnosis.is_healthy()
                && let Some(address) = address_of(container, None)
                && self.attempt(&self.from(host.id, SocketAddr::new(address, port)), meant)
            {}
            return;
        }
        match address_of(container, None) {
            Some(address) => {
                let connection =
                    Connection { protocol, ..self.from(host.id, SocketAddr::new(address, port)) };
                self.attempt(&connection, meant);
            }
            None => self.without_address(container),
        }
    }

    /// Whether somebody listens, where the way there is not known.
    fn only_listening(&mut self, space: &Space, container: &Container, (port, protocol): (u16, Protocol)) {
        let Some(address) = address_of(container, None) else { return };
        let to = SocketAddr::new(address, port);
        self.done.diagnosis.checked = true;
        let taken = space.listeners.iter().any(|listener| {
            listener.protocol == protocol && listener.local.port() == port && listener.takes(address)
        });
        if !taken {
            self.add(absence(self.facts, space, to, protocol));
        }
    }

    /// A container whose interfaces have no address.
    fn without_address(&mut self, container: &Container) {
        let name = &container.name;
        let down = container.endpoints.iter().find(|endpoint| !endpoint.link.up);
        let finding = match down {
            Some(endpoint) => Finding::new(
                Code::InterfaceDown,
                format!("the interface {} of {name} is down", endpoint.link.name),
            )
            .seen(format!("{} of {name}: down, without an address", endpoint.link.name)),
            None => Finding::new(Code::NoAddress, format!("{name} has an interface, and no address on it"))
                .seen_all(
                    container
                        .endpoints
                        .iter()
                        .map(|endpoint| format!("{} of {name}: no address", endpoint.link.name)),
                )
                .seen_all(container.networks.iter().flat_map(|member| {
                    member.addresses.iter().map(move |address| format!("the engine gave {name} {address}"))
                }))
                .repair(format!("{} restart {name}", container.engine)),
        };
        self.add(finding);
    }

    /// From outside to a container: by a published port, by rules of somebody else, or by its own address on the uplink.
    fn container_from_outside(
        &mut self,
        host: &'a Space,
        container: &'a Container,
        space: &'a Space,
        port: Option<u16>,
    ) {
        if container.namespace == Some(host.id) {
            for (port, protocol) in self.ports_of(container, space, port) {
                let connection = self.by_outsider(host, None, port, true);
                if let Some(connection) = connection {
                    let meant = Meant { container: Some(container), published: None };
                    self.attempt_outside(host, &Connection { protocol, ..connection }, meant);
                }
            }
            return;
        }
        if matches!(container.mode, NetworkMode::Macvlan | NetworkMode::Ipvlan) {
            self.at_its_own_link(container, space, port);
            return;
        }
        let fits = |inside: u16| port.is_none_or(|port| port == inside);
        let published: Vec<_> = container.published.iter().filter(|one| fits(one.container_port)).collect();
        if let Some(one) = published.iter().find(|_| published.iter().all(|one| one.host_ip.is_loopback())) {
            self.add(on_loopback(container, one));
            return;
        }
        if !published.is_empty() {
            for one in published.into_iter().filter(|one| !one.host_ip.is_loopback()) {
                self.published(host, container, one);
            }
            return;
        }
        let ports = self.ports_of(container, space, port);
        if ports.is_empty() {
            self.nothing_listens(container, space);
        }
        for (port, protocol) in ports {
            let by_rule =
                address_of(container, None).and_then(|address| translated_from(host, address, port));
            let connection = by_rule.and_then(|host_port| self.by_outsider(host, None, host_port, true));
            match connection {
                Some(connection) => {
                    let meant = Meant { container: Some(container), published: None };
                    self.attempt(&connection, meant);
                }
                None if container.engine == Engine::Namespace => {
                    self.by_own_address(host, container, (port, protocol));
                }
                None => self.add(not_published(container, port, protocol)),
            }
        }
    }

    /// Nobody publishes ports of a bare namespace: whoever has a route to it asks it by its own address.
    fn by_own_address(&mut self, host: &Space, container: &'a Container, (port, protocol): (u16, Protocol)) {
        let (to, connection) = (address_of(container, None), self.by_outsider(host, None, port, true));
        let Some((address, connection)) = to.zip(connection) else { return };
        let destination = SocketAddr::new(address, port);
        let meant = Meant { container: Some(container), published: None };
        if self.attempt(&Connection { destination, protocol, ..connection }, meant) {
            let finding = not_published(container, port, protocol);
            let sentence = format!("{}, and who else has a route to {address}", finding.sentence);
            self.add(Finding { sentence, ..finding }.if_certain(false));
        }
    }

    /// A container that has an interface on the outside network itself.
    fn at_its_own_link(&mut self, container: &'a Container, space: &'a Space, port: Option<u16>) {
        for (port, protocol) in self.ports_of(container, space, port) {
            match address_of(container, None) {
                Some(_) => self.only_listening(space, container, (port, protocol)),
                None => self.without_address(container),
            }
        }
        self.done.diagnosis.unchecked(
            "the way from outside to the container's own interface: it does not lead through the host",
        );
    }

    /// From another container.
    fn asked_by(
        &mut self,
        (from, namespace): (&str, NamespaceId),
        container: &'a Container,
        space: &'a Space,
        (port, name): (Option<u16>, Option<&str>),
    ) {
        let (Some(from), Some(there)) = (self.facts.container(from), self.space(Some(namespace))) else {
            return;
        };
        let Some(host) = self.host() else { return };
        let meant = Meant { container: Some(container), published: None };
        let ports = self.ports_of(container, space, port);
        if ports.is_empty() {
            self.nothing_listens(container, space);
            return;
        }
        if container.namespace == Some(namespace) {
            for (port, protocol) in ports {
                let connection =
                    Connection { protocol, ..self.from(namespace, own_loopback(space, port, protocol)) };
                self.attempt(&connection, meant);
            }
            return;
        }
        let shared = shared_network(from, container);
        let addresses = if container.namespace == Some(host.id) {
            self.host_seen_by(host, there, true).into_iter().collect()
        } else {
            addresses_on(container, shared)
        };
        let Some(address) = addresses.first().copied() else {
            self.without_address(container);
            return;
        };
        let before = self.done.diagnosis.findings.len();
        for (port, protocol) in ports {
            let connection = Connection { protocol, ..self.from(namespace, SocketAddr::new(address, port)) };
            self.attempt(&connection, meant);
        }
        let stopped = self.done.diagnosis.findings.len() > before;
        self.check_name(from, there, container, (name, &addresses), stopped);
    }

    /// Whether the container is found by the name that it was called by.
    fn check_name(
        &mut self,
        from: &'a Container,
        there: &'a Space,
        container: &'a Container,
        (name, addresses): (Option<&str>, &[IpAddr]),
        stopped: bool,
    ) {
        // Other engines serve no names: there the word names the container to us alone.
        let serves_names =
            |container: &Container| matches!(container.engine, Engine::Docker | Engine::Podman);
        let Some(name) = name.filter(|_| !stopped && serves_names(from) && serves_names(container)) else {
            return;
        };
        match names::resolve(self.facts, from, there, name) {
            Err(finding) => self.add(*finding),
            Ok(Meaning::Unknown) => {
                self.done.diagnosis.unchecked(format!("whether {} resolves the name {name}", from.name));
            }
            Ok(Meaning::Addresses(found)) => {
                let known = |address: &IpAddr| {
                    addresses.contains(address)
                        || container
                            .endpoints
                            .iter()
                            .any(|endpoint| endpoint.link.addresses.iter().any(|own| own.address == *address))
                };
                if !found.iter().any(known) {
                    let words: Vec<String> = found.iter().map(ToString::to_string).collect();
                    let sentence = format!(
                        "{} resolves the name {name} to {}, which is not {}'s address",
                        from.name,
                        words.join(", "),
                        container.name
                    );
                    self.add(Finding::new(Code::NameNotResolved, sentence).seen_all(
                        addresses.iter().map(|own| format!("address of {}: {own}", container.name)),
                    ));
                }
            }
        }
    }
}

/// The network that both are on.
fn shared_network<'a>(from: &'a Container, to: &'a Container) -> Option<&'a str> {
    let own = from.networks.iter().find(|own| to.networks.iter().any(|theirs| theirs.network == own.network));
    own.map(|member| member.network.as_str())
}

/// The addresses of a container, those on that network first, IPv4 first.
fn addresses_on(container: &Container, network: Option<&str>) -> Vec<IpAddr> {
    let mut endpoints: Vec<_> = container.endpoints.iter().collect();
    endpoints.sort_by_key(|endpoint| endpoint.network.as_deref() != network || network.is_none());
    let of = |v4: bool| {
        let links = endpoints.iter().flat_map(|endpoint| &endpoint.link.addresses);
        links
            .map(|own| own.address)
            .filter(move |address| address.is_ipv4() == v4 && !is_link_local(*address))
    };
    of(true).chain(of(false)).collect()
}

/// The address that a container is reached by.
fn address_of(container: &Container, network: Option<&str>) -> Option<IpAddr> {
    addresses_on(container, network).first().copied().or_else(|| {
        // What the engine gave may have been lost since: then that is what is wrong.
        container.networks.iter().find_map(|member| member.addresses.first().copied())
    })
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// Where a namespace reaches itself: by loopback, unless it listens at one address alone.
fn own_loopback(space: &Space, port: u16, protocol: Protocol) -> SocketAddr {
    let mut own = space
        .listeners
        .iter()
        .filter(|listener| listener.protocol == protocol && listener.local.port() == port)
        .map(|listener| listener.local.ip().to_canonical());
    let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let takes_v4 = space.listeners.iter().any(|listener| {
        listener.protocol == protocol && listener.local.port() == port && listener.takes(localhost)
    });
    let address =
        if takes_v4 { localhost } else { own.find(|own| !own.is_unspecified()).unwrap_or(localhost) };
    SocketAddr::new(address, port)
}

/// The host port that somebody's rule leads to a container's port.
fn translated_from(host: &Space, address: IpAddr, port: u16) -> Option<u16> {
    let mut rules = host.firewall.chains.iter().flat_map(|chain| &chain.rules);
    rules.find_map(|rule| {
        let Action::ToDestination { address: Some(to), port: to_port, .. } = &rule.action else {
            return None;
        };
        let asked = rule.conditions.iter().find_map(|condition| match condition {
            Condition::Is { field: Field::DestinationPort, negated: false, values } => {
                match values.first()? {
                    Value::Numbers(first, last) => Some((*first, *last)),
                    _ => None,
                }
            }
            _ => None,
        });
        if *to != address {
            return None;
        }
        match (to_port, asked) {
            (Some(to), Some((first, _))) if *to == port => u16::try_from(first).ok(),
            (None, Some((first, last))) if (first..=last).contains(&port.into()) => Some(port),
            (None, None) => Some(port),
            _ => None,
        }
    })
}
