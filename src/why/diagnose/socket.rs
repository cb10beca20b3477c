//! What stands at the end of a way, judged: the socket that takes the connection, or the stop before it.

use std::net::{IpAddr, SocketAddr};

use crate::model::{Engine, NamespaceId, Protocol};
use crate::why::facts::{Holder, Listener, Space};
use crate::why::finding::{Code, Finding};
use crate::why::walk::{Connection, Start};

use super::{Examiner, Meant};

impl<'a> Examiner<'a> {
    /// A socket takes the connection: whether it is the right one, and answers.
    pub(super) fn judge_socket(
        &mut self,
        connection: &Connection,
        (space, listener): (&'a Space, &'a Listener),
        translated: Option<&(String, SocketAddr)>,
        meant: Meant<'a>,
    ) -> Result<(), Box<Finding>> {
        if let Some(finding) = stuck(&self.facts.name_of(space.id), listener) {
            return Err(Box::new(finding));
        }
        let on_host = Some(space.id) == self.facts.topology.host;
        if let Some(proxy_to) = proxied(listener, meant) {
            return self.by_proxy(connection, space.id, proxy_to, meant);
        }
        let (Some(published), Some(container)) = (meant.published, meant.container) else { return Ok(()) };
        if container.namespace == Some(space.id) || !on_host && translated.is_none() {
            return Ok(());
        }
        if listener.holders.is_empty() || listener.holders.iter().any(is_silent_proxy) {
            self.done.diagnosis.unchecked(format!("what lies behind {}", listener.holder_words()));
            return Ok(());
        }
        if listener.holders.iter().any(is_placeholder) {
            return Err(Box::new(untranslated(connection, meant).seen(format!(
                "socket {} of {} takes the connection and never answers: it only keeps the port",
                listener.words(),
                listener.holder_words()
            ))));
        }
        let at = self.facts.name_of(space.id);
        let sentence = format!(
            "port {}/{} is published for {}, and the connection reaches {} in {at} instead",
            published.host_port,
            published.protocol,
            container.name,
            listener.holder_words()
        );
        let code = if on_host && translated.is_none() { Code::HostPortTaken } else { Code::DnatWrongTarget };
        Err(Box::new(
            Finding::new(code, sentence)
                .seen(format!("socket {} of {}", listener.words(), listener.holder_words()))
                .seen_all(translated.map(|(rule, to)| format!("translated to {to} by: {rule}"))),
        ))
    }

    /// The proxy's own connection to the container.
    fn by_proxy(
        &mut self,
        connection: &Connection,
        host: NamespaceId,
        to: SocketAddr,
        meant: Meant<'a>,
    ) -> Result<(), Box<Finding>> {
        let inner = Connection { start: Start::Inside(host), destination: to, protocol: connection.protocol };
        self.examine(&inner, Meant { published: None, ..meant })?;
        if self.is_translation_missing(connection, meant) {
            let sentence = untranslated(connection, meant).sentence;
            let remark = format!(
                "{sentence}; its proxy passes them on in its stead, more slowly and as the host's own"
            );
            if !self.done.diagnosis.remarks.contains(&remark) {
                self.done.diagnosis.remarks.push(remark);
            }
        }
        Ok(())
    }

    /// Whether the engine's rules should have translated the connection: it makes such rules, and this one did not get any.
    fn is_translation_missing(&self, connection: &Connection, meant: Meant<'_>) -> bool {
        let Some(host) = self.facts.host() else { return false };
        let engine_has_rules =
            host.firewall.has_chain("nat", "DOCKER") || host.firewall.has_chain("filter", "DOCKER");
        let is_dockers = meant.container.is_some_and(|container| container.engine == Engine::Docker);
        let from_outside = matches!(connection.start, Start::Outside { .. });
        is_dockers
            && engine_has_rules
            && from_outside
            && connection.destination.is_ipv4()
            && meant.published.is_some()
    }

    /// A stop, in the light of what the connection was meant to reach.
    pub(super) fn judge_stop(
        &self,
        finding: Finding,
        (translated, at): (Option<&(String, SocketAddr)>, Option<NamespaceId>),
        connection: &Connection,
        meant: Meant<'a>,
    ) -> Finding {
        let (Some(container), Some(published)) = (meant.container, meant.published) else { return finding };
        if let Some((rule, to)) = translated {
            let is_known = |address: IpAddr| {
                container.networks.iter().any(|member| member.addresses.contains(&address))
                    || container
                        .endpoints
                        .iter()
                        .any(|endpoint| endpoint.link.addresses.iter().any(|own| own.address == address))
            };
            if !is_known(to.ip()) && container.mode != crate::model::NetworkMode::Host {
                let sentence = format!(
                    "a rule sends connections to port {} to {to}, which is not {}'s address",
                    published.host_port, container.name
                );
                return Finding::new(Code::DnatWrongTarget, sentence)
                    .seen(format!("rule: {rule}"))
                    .seen_all(
                        container
                            .endpoints
                            .iter()
                            .flat_map(|endpoint| &endpoint.link.addresses)
                            .map(|own| format!("address of {}: {own}", container.name)),
                    )
                    .repair("remove that rule");
            }
            return finding;
        }
        let no_socket = matches!(
            finding.code,
            Code::NothingListens
                | Code::ListensForOtherProtocol
                | Code::ListensOnOtherAddress
                | Code::ListensOnLoopback
                | Code::ListensOnIpv4Only
                | Code::ListensOnIpv6Only
                | Code::ListensOnOtherPort
        );
        let at_host = at == self.facts.topology.host;
        if !no_socket || !at_host || container.mode == crate::model::NetworkMode::Host {
            return finding;
        }
        if connection.destination.ip().is_loopback() && self.is_translated_elsewhere(published) {
            let sentence = format!(
                "the engine's proxy for port {}/{} is gone: {} is not answered, although other addresses of the host are",
                published.host_port, published.protocol, connection.destination
            );
            return Finding::new(Code::ProxyMissing, sentence)
                .seen(format!("no socket of the host waits at {}", connection.destination))
                .repair(format!("docker restart {}", container.name));
        }
        untranslated(connection, meant)
    }

    /// Whether the host's rules translate the port for other addresses than loopback.
    fn is_translated_elsewhere(&self, published: &crate::model::PublishedPort) -> bool {
        let Some(host) = self.facts.host() else { return false };
        let addresses = host.addresses().map(|(_, own)| own.address);
        let mut others =
            addresses.filter(|own| !own.is_loopback() && own.is_ipv4() == published.host_ip.is_ipv4());
        others.any(|own| {
            let connection = Connection {
                start: Start::Inside(host.id),
                destination: SocketAddr::new(own, published.host_port),
                protocol: published.protocol,
            };
            crate::why::walk::walk(self.facts, &connection).translated.is_some()
        })
    }

    /// A packet that leaves the host: whether its answers find back.
    pub(super) fn judge_leaving(
        &self,
        connection: &Connection,
        link: &str,
        source: Option<IpAddr>,
    ) -> Result<(), Box<Finding>> {
        let Start::Inside(from) = connection.start else { return Ok(()) };
        if Some(from) == self.facts.topology.host {
            return Ok(());
        }
        let (Some(host), Some(source)) = (self.facts.host(), source) else { return Ok(()) };
        let is_hosts = host.is_local(source);
        // Not routed, but passed on by a bridge to somebody on the container's own network.
        let bridged = self.facts.resident(from).is_some_and(|container| {
            let links = container.endpoints.iter().map(|endpoint| &endpoint.link);
            let mut own = links.flat_map(|link| &link.addresses);
            own.any(|own| crate::why::packet::contains(*own, connection.destination.ip()))
        });
        let near = host
            .link_named(link)
            .is_some_and(|link| link.addresses.iter().any(|own| crate::why::packet::contains(*own, source)));
        let reached = self.facts.resident(from).is_some_and(|container| {
            container.endpoints.iter().any(|endpoint| endpoint.host_side.bridge().is_some())
        });
        let is_own = self.facts.resident(from).is_some_and(|container| {
            let links = container.endpoints.iter().map(|endpoint| &endpoint.link);
            links.flat_map(|link| &link.addresses).any(|own| own.address == source)
        });
        if bridged {
            return Ok(());
        }
        if !is_hosts && near && reached && !is_own {
            let sentence = format!(
                "a rule gives what {} sends by {link} the source {source}, an address that the host does not have: answers \
                 do not come back here",
                self.facts.name_of(from)
            );
            let own = host.link_named(link).into_iter().flat_map(|link| &link.addresses);
            return Err(Box::new(
                Finding::new(Code::MasqueradeMissing, sentence)
                    .if_certain(false)
                    .seen_all(own.map(|own| format!("address of {link}: {own}")))
                    .repair(format!("let the rule masquerade, or name an address of {link}")),
            ));
        }
        if is_hosts || near || !reached || is_public(source) {
            return Ok(());
        }
        let who = self.facts.name_of(from);
        let sentence = format!(
            "what {who} sends leaves the host by {link} with {who}'s own address {source}, to which nobody outside knows the \
             way: no rule masquerades it"
        );
        let network = host
            .addresses()
            .find(|(_, own)| crate::why::packet::contains(*own, source))
            .map(|(bridge, own)| (bridge.name.to_string(), crate::why::packet::network(own)));
        let repair = network.map(|(bridge, network)| {
            format!("iptables -t nat -A POSTROUTING -s {network} ! -o {bridge} -j MASQUERADE")
        });
        let finding = Finding::new(Code::MasqueradeMissing, sentence)
            .seen(format!("source at {link}: {source}"))
            .seen("no rule of postrouting fits".to_owned());
        Err(Box::new(Finding { repair, ..finding }))
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_private() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_unique_local() && !v6.is_unicast_link_local(),
    }
}

/// A socket of the engine that only keeps others from the port.
fn is_placeholder(holder: &Holder) -> bool {
    ["dockerd", "conmon"].contains(&holder.command.as_str())
}

/// Proxies of engines without root, which do not say where they lead.
fn is_silent_proxy(holder: &Holder) -> bool {
    const PROXIES: [&str; 7] =
        ["docker-proxy", "rootlessport", "rootlesskit", "slirp4netns", "pasta", "passt", "com.docker.back"];
    PROXIES.iter().any(|name| holder.command.starts_with(name))
}

/// A socket that takes connections and does not answer them.
fn stuck(who: &str, listener: &Listener) -> Option<Finding> {
    if listener.is_stopped() {
        let holder = listener.holder_words();
        let pid = listener.holders[0].pid;
        let sentence =
            format!("{holder} in {who} is stopped: its socket takes connections, and nobody answers them");
        return Some(
            Finding::new(Code::ProcessStopped, sentence)
                .seen(format!("state of process {pid}: T (stopped)"))
                .seen(format!("socket {} of {holder}", listener.words()))
                .repair(format!("kill -CONT {pid}")),
        );
    }
    if listener.protocol != Protocol::Tcp {
        return None;
    }
    let holder = listener.holder_words();
    let seen = format!(
        "socket {}: {} of {} wait to be accepted",
        listener.words(),
        listener.waiting,
        listener.backlog
    );
    if listener.waiting > listener.backlog {
        let sentence = format!(
            "{holder} in {who} does not accept connections as fast as they come: {} wait, and its queue takes {}",
            listener.waiting, listener.backlog
        );
        let repair =
            "let the process accept faster, or listen with a longer queue (net.core.somaxconn bounds it)";
        return Some(Finding::new(Code::BacklogFull, sentence).seen(seen).repair(repair));
    }
    listener.unattended.then(|| {
        let sentence =
            format!("{holder} in {who} accepts no connection: some wait, and none was taken while we looked");
        Finding::new(Code::NotAccepting, sentence).if_certain(false).seen(seen)
    })
}

/// Where a proxy passes the connection on.
pub(super) fn proxied(listener: &Listener, meant: Meant<'_>) -> Option<SocketAddr> {
    if let Some(to) = listener.holders.iter().find_map(|holder| holder.proxy_to) {
        return Some(to);
    }
    // The keeper of a sandbox answers for it.
    let (published, container) = (meant.published?, meant.container?);
    let keeps = listener.holders.iter().any(|holder| holder.command.contains("pcapsule"));
    if container.engine != Engine::Pcapsule || !keeps {
        return None;
    }
    let addresses = || container.endpoints.iter().flat_map(|endpoint| &endpoint.link.addresses);
    let same = addresses().find(|own| own.address.is_ipv4() == published.host_ip.is_ipv4());
    let own = same.or_else(|| addresses().next())?;
    Some(SocketAddr::new(own.address, published.container_port))
}

/// A published port whose connections no rule translates.
fn untranslated(connection: &Connection, meant: Meant<'_>) -> Finding {
    let to = connection.destination;
    let (name, inside) = match (meant.container, meant.published) {
        (Some(container), Some(published)) => (container.name.clone(), published.container_port),
        _ => ("the container".to_owned(), to.port()),
    };
    if to.is_ipv6() {
        let sentence = format!(
            "the port is published for IPv6 by the engine's word, but nothing carries {to} to {name}: only IPv4 works"
        );
        return Finding::new(Code::Ipv6HalfPublished, sentence)
            .seen(format!("no rule of ip6 nat translates {to}"))
            .repair(format!(
                "publish on IPv4 alone: -p 0.0.0.0:{}:{inside}, or give the network IPv6",
                to.port()
            ));
    }
    let sentence = format!(
        "no rule translates connections to {to} into {name}'s port {inside}: the engine's DNAT rule is missing"
    );
    Finding::new(Code::DnatMissing, sentence)
        .seen(format!("table ip nat: no rule fits {to}/{}", connection.protocol))
        .repair("systemctl restart docker  # makes its rules anew")
}
