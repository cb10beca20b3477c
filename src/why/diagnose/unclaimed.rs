//! A port of the host that nobody has: what may have been meant.

use crate::model::{Container, Engine, Protocol};
use crate::why::facts::Listener;
use crate::why::finding::{Code, Finding};

use super::{Examiner, host_port::not_published};

/// So many published ports are listed as evidence.
const MOST_SHOWN: usize = 12;
/// So many containers are looked into for one that listens.
const MOST_LOOKED_INTO: usize = 48;

impl<'a> Examiner<'a> {
    /// A port that nobody publishes and nobody holds.
    pub(super) fn unclaimed(&mut self, port: u16) -> Finding {
        let protocol = self.question.protocol;
        let all: Vec<_> = self.publications().collect();
        if let Some((container, published)) = all.iter().find(|(_, published)| published.host_port == port) {
            let sentence = format!(
                "port {port} is published for {} alone, by {}, not for {protocol}",
                published.protocol, container.name
            );
            return Finding::new(Code::PublishedForOtherProtocol, sentence)
                .seen(published.to_string())
                .repair(format!(
                    "publish it for {protocol} too: -p {port}:{}/{protocol}",
                    published.container_port
                ));
        }
        let same_inside = all.iter().find(|(_, one)| one.container_port == port && one.protocol == protocol);
        if same_inside.is_none()
            && let Some(finding) = self.listening_inside(port, protocol)
        {
            return finding;
        }
        let others = all.iter().map(|(container, published)| format!("{}: {published}", container.name));
        let shown: Vec<String> = others.take(MOST_SHOWN).collect();
        let mistyped = all
            .iter()
            .filter(|(_, one)| one.protocol == protocol && is_easily_taken_for(one.host_port, port))
            .min_by_key(|(_, published)| published.host_port.abs_diff(port));
        match same_inside.or(mistyped) {
            Some((container, published)) => {
                let sentence = format!(
                    "nobody publishes port {port}; {} publishes its port {} as {} ({published})",
                    container.name, published.container_port, published.host_port
                );
                Finding::new(Code::PublishedOnOtherPort, sentence)
                    .seen(format!(
                        "no container publishes {port}/{protocol}, and no socket of the host waits on it"
                    ))
                    .seen_all(shown)
                    .repair(format!("connect to port {}", published.host_port))
            }
            None => Finding::new(
                Code::PortNotPublished,
                format!(
                    "no container publishes port {port}/{protocol}, and no process of the host listens on it"
                ),
            )
            .seen(format!("no published port is {port}/{protocol}"))
            .seen_all(shown)
            .repair(format!("docker run --publish {port}:PORT …")),
        }
    }

    /// A container that listens on the port, without publishing it.
    fn listening_inside(&mut self, port: u16, protocol: Protocol) -> Option<Finding> {
        let live: Vec<&'a Container> =
            self.facts.topology.containers.iter().filter(|container| container.namespace.is_some()).collect();
        for container in live.into_iter().take(MOST_LOOKED_INTO) {
            // A bare namespace publishes nothing.
            if container.namespace == self.facts.topology.host || container.engine == Engine::Namespace {
                continue;
            }
            let Some(space) = self.space(container.namespace) else { continue };
            let listens = |listener: &&Listener| {
                listener.protocol == protocol
                    && listener.local.port() == port
                    && !listener.local.ip().is_loopback()
            };
            if let Some(listener) = space.listeners.iter().find(listens) {
                return Some(not_published(container, port, protocol).seen(format!(
                    "socket {} of {} in {}",
                    listener.words(),
                    listener.holder_words(),
                    container.name
                )));
            }
        }
        None
    }
}

/// Whether somebody who meant one port may have typed the other: a neighbour, one digit changed, digits left out in front.
fn is_easily_taken_for(meant: u16, typed: u16) -> bool {
    let (one, other) = (meant.to_string(), typed.to_string());
    let differing = one.bytes().zip(other.bytes()).filter(|(one, other)| one != other).count();
    let (short, long) = if one.len() < other.len() { (&one, &other) } else { (&other, &one) };
    meant.abs_diff(typed) <= 10
        || one.len() == other.len() && differing == 1
        || short.len() > 1 && long.ends_with(short.as_str())
}
