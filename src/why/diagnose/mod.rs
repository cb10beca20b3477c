//! Chooses the connections to look at, walks each, and judges what came out. Pure.
//!
//! `host_port` is about a port of the host (`unclaimed` about one that nobody has), `container` about a container,
//! `elsewhere` about names and addresses; `socket` judges the socket at the end of a way, `state` containers that cannot
//! answer at all, `outside` who comes from outside, `settle` holds the conclusions against what probes met with.

mod container;
mod elsewhere;
mod host_port;
mod outside;
mod settle;
mod socket;
mod state;
mod unclaimed;

pub use settle::{settle, worth_a_probe};

use std::net::{IpAddr, SocketAddr};

use crate::model::{Container, Link, LinkIndex, NamespaceId, PublishedPort};

use super::facts::{Facts, Space};
use super::finding::{Code, Diagnosis, Finding};
use super::question::{Question, Target};
use super::walk::{Arrival, Asked, Connection, Start, walk};

/// What came out, and what else must be seen before it counts.
#[derive(Debug, Clone, Default)]
pub struct Examination {
    /// The answer, as far as it could be given.
    pub diagnosis: Diagnosis,
    /// Namespaces that the way leads through, of which nothing is known yet.
    pub wanted: Vec<NamespaceId>,
    /// The connections that were looked at, and whether they should work.
    pub tried: Vec<Tried>,
}

/// A connection that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Which.
    pub connection: Connection,
    /// What was found to stop it; none: it should work.
    pub stopped: Option<Code>,
    /// The links that its first packet passes, in order.
    pub links: Vec<(NamespaceId, LinkIndex)>,
    /// Whose hardware address is asked for along the way.
    pub asked: Vec<Asked>,
    /// Whether a proxy takes it: then its first packet says nothing of what lies behind.
    pub by_proxy: bool,
}

/// Answers a question from facts.
pub fn diagnose(facts: &Facts, question: &Question) -> Examination {
    let mut examiner = Examiner { facts, question, done: Examination::default() };
    match &question.target {
        Target::HostPort(port) => examiner.host_port(*port),
        Target::Container { id, port, name } => examiner.container(id, *port, name.as_deref()),
        Target::Name { name, port } => examiner.name(name, *port),
        Target::Address(address) => examiner.address(*address),
    }
    examiner.check_tables();
    examiner.done
}

struct Examiner<'a> {
    facts: &'a Facts,
    question: &'a Question,
    done: Examination,
}

/// What a connection is meant to reach.
#[derive(Debug, Clone, Copy, Default)]
struct Meant<'a> {
    /// This container.
    container: Option<&'a Container>,
    /// By this published port.
    published: Option<&'a PublishedPort>,
}

impl<'a> Examiner<'a> {
    fn add(&mut self, finding: Finding) {
        self.done.diagnosis.add(finding);
    }

    /// The host's namespace; without it nothing can be said.
    fn host(&mut self) -> Option<&'a Space> {
        let host = self.facts.host();
        if host.is_none() {
            self.done.wanted.extend(self.facts.topology.host);
        }
        host
    }

    /// A namespace's facts; those that are missing are asked for.
    fn space(&mut self, namespace: Option<NamespaceId>) -> Option<&'a Space> {
        let namespace = namespace?;
        let space = self.facts.spaces.get(&namespace);
        if space.is_none() && !self.done.wanted.contains(&namespace) {
            self.done.wanted.push(namespace);
        }
        space
    }

    /// Walks a connection, and tells of what stops it. Whether it should work.
    fn attempt(&mut self, connection: &Connection, meant: Meant<'a>) -> bool {
        match self.examine(connection, meant) {
            Ok(()) => true,
            Err(finding) => {
                let gone = matches!(finding.code, Code::NothingListens | Code::LostOnTheWay | Code::NoAnswer);
                let restarting = meant.container.filter(|_| gone);
                let finding =
                    restarting.and_then(|container| self.just_restarted(container)).unwrap_or(*finding);
                self.add(finding);
                false
            }
        }
    }

    /// Walks a connection to its end, by proxies too.
    fn examine(&mut self, connection: &Connection, meant: Meant<'a>) -> Result<(), Box<Finding>> {
        let walked = walk(self.facts, connection);
        self.done.diagnosis.checked = true;
        if let Some(missing) = walked.missing.filter(|missing| !self.done.wanted.contains(missing)) {
            self.done.wanted.push(missing);
        }
        let is_first = self.done.diagnosis.way.is_empty();
        if is_first || (self.done.diagnosis.is_healthy() && walked.end.is_err()) {
            self.done.diagnosis.way.clone_from(&walked.hops);
        }
        for doubt in walked.doubts {
            self.done.diagnosis.unchecked(doubt);
        }
        let mut proxied = None;
        let result = match walked.end {
            _ if self.is_hosts_too(connection, meant) => {
                Err(Box::new(self.hosts_too(meant, connection.destination.ip())))
            }
            Err(finding) => Err(Box::new(self.judge_stop(
                finding,
                (walked.translated.as_ref(), walked.at),
                connection,
                meant,
            ))),
            Ok(Arrival::Socket { space, listener }) => {
                proxied = socket::proxied(listener, meant).map(|to| self.from(space.id, to));
                self.judge_socket(connection, (space, listener), walked.translated.as_ref(), meant)
            }
            Ok(Arrival::Outside(link)) => self.judge_leaving(connection, &link, walked.source),
            Ok(Arrival::Home) => Ok(()),
        };
        // Behind a proxy the way goes on, by a connection of its own.
        if let Some(inner) = proxied.as_ref().filter(|_| is_first && result.is_ok()) {
            let behind = walk(self.facts, inner).hops.into_iter().skip(1);
            self.done.diagnosis.way.extend(behind);
        }
        let by_proxy = proxied.is_some();
        let stopped = result.as_ref().err().map(|finding| finding.code);
        self.done.tried.push(Tried {
            connection: connection.clone(),
            stopped,
            links: walked.links,
            asked: walked.asked,
            by_proxy,
        });
        result
    }

    /// Whether the host takes what it sends to a container for itself, since it has the same address.
    fn is_hosts_too(&self, connection: &Connection, meant: Meant<'_>) -> bool {
        let to = connection.destination.ip();
        let (Some(container), Some(host)) = (meant.container, self.facts.host()) else { return false };
        let has = |link: &Link| link.addresses.iter().any(|own| own.address == to);
        connection.start == Start::Inside(host.id)
            && meant.published.is_none()
            && container.namespace != Some(host.id)
            && container.endpoints.iter().any(|endpoint| has(&endpoint.link))
            && host.links.iter().any(|link| !to.is_loopback() && has(link))
    }

    /// An address that the host has, too.
    fn hosts_too(&self, meant: Meant<'_>, address: IpAddr) -> Finding {
        let name = meant.container.map_or("the container", |container| &container.name);
        let links = self.facts.host().into_iter().flat_map(Space::addresses);
        let own: Vec<_> = links.filter(|(_, own)| own.address == address).map(|(link, _)| link).collect();
        let sentence = format!(
            "{address} is there twice: {name} has it, and so has the host, which takes what it sends there for itself"
        );
        let repair = own.first().map(|link| format!("ip address del {address} dev {}", link.name));
        let finding = Finding::new(Code::DuplicateAddress, sentence)
            .seen(format!("{address} is an address of {name}"))
            .seen_all(own.iter().map(|link| format!("{address} is an address of the host on {}", link.name)));
        Finding { repair, ..finding }
    }

    /// The table of connections, in every namespace on the way.
    fn check_tables(&mut self) {
        for space in self.facts.spaces.values() {
            let number = |name: &str| space.setting(name);
            let (Some(count), Some(most)) =
                (number("net.netfilter.nf_conntrack_count"), number("net.netfilter.nf_conntrack_max"))
            else {
                continue;
            };
            // A full table has a place free for a moment, whenever a connection in it ends.
            if most > 0 && count >= most - most / 1000 {
                let who = self.facts.name_of(space.id);
                let sentence = format!(
                    "the table of tracked connections of {who} is full ({count} of {most}): packets of new connections are \
                     dropped"
                );
                let finding = Finding::new(Code::ConntrackFull, sentence)
                    .if_certain(count >= most)
                    .seen(format!("net.netfilter.nf_conntrack_count = {count}"))
                    .seen(format!("net.netfilter.nf_conntrack_max = {most}"))
                    .repair(format!("sysctl -w net.netfilter.nf_conntrack_max={}", most * 2));
                self.add(finding);
            }
        }
    }

    /// A connection from inside a namespace.
    fn from(&self, namespace: NamespaceId, destination: SocketAddr) -> Connection {
        Connection { start: Start::Inside(namespace), destination, protocol: self.question.protocol }
    }
}
