//! Names that are no container's, and plain addresses.

use std::net::{IpAddr, SocketAddr};

use crate::why::finding::{Code, Finding};
use crate::why::names::{self, Meaning};
use crate::why::question::Origin;

use super::{Examiner, Meant};

impl<'a> Examiner<'a> {
    /// A name is asked for, by a container.
    pub(super) fn name(&mut self, name: &str, port: u16) {
        let Origin::Container(from, namespace) = self.question.origin.clone() else {
            self.done
                .diagnosis
                .unchecked(format!("the name {name}: names are resolved by containers (--from)"));
            return;
        };
        let (Some(from), Some(space)) = (self.facts.container(&from), self.space(Some(namespace))) else {
            return;
        };
        if self.host().is_none() {
            return;
        }
        if let Some(finding) = self.state(from) {
            self.add(finding);
            return;
        }
        match names::resolve(self.facts, from, space, name) {
            Err(finding) => self.add(*finding),
            Ok(Meaning::Unknown) => {
                self.done.diagnosis.unchecked(format!("what {} takes the name {name} for", from.name));
            }
            Ok(Meaning::Addresses(addresses)) => {
                let first = addresses.iter().find(|address| address.is_ipv4()).or(addresses.first());
                if let Some(address) = first {
                    self.address(SocketAddr::new(*address, port));
                }
            }
        }
    }

    /// An address is asked for.
    pub(super) fn address(&mut self, address: SocketAddr) {
        let Some(host) = self.host() else { return };
        let owner = self.owner(address.ip());
        if let Some(owner) = owner {
            self.space(owner.namespace);
        }
        match self.question.origin.clone() {
            Origin::Anywhere | Origin::Host => {
                self.attempt(&self.from(host.id, address), Meant { container: owner, published: None });
            }
            Origin::Container(from, namespace) => {
                let Some(space) = self.space(Some(namespace)) else { return };
                if let Some(finding) = self.facts.container(&from).and_then(|from| self.state(from)) {
                    self.add(finding);
                    return;
                }
                let published = self.publications().find(|(_, one)| one.host_port == address.port());
                let listens = space.listeners.iter().any(|listener| listener.local.port() == address.port());
                if let Some((container, published)) =
                    published.filter(|_| address.ip().is_loopback() && !listens)
                {
                    let who = self.facts.name_of(namespace);
                    let sentence = format!(
                        "{} is {who}'s own loopback, where nothing listens on port {}; {} publishes that port on the host",
                        address.ip(),
                        address.port(),
                        container.name
                    );
                    let to =
                        self.host_seen_by(host, space, true).map_or_else(String::new, |to| to.to_string());
                    self.add(
                        Finding::new(Code::LocalhostInside, sentence)
                            .seen(published.to_string())
                            .seen(format!("no socket of {who} waits on port {}", address.port()))
                            .repair(format!(
                                "connect to {to}:{}, or to {} by its name",
                                address.port(),
                                container.name
                            )),
                    );
                    return;
                }
                self.attempt(&self.from(namespace, address), Meant { container: owner, published: None });
            }
            Origin::Outside(_) => {
                let connection =
                    self.by_outsider(host, Some(address.ip()), address.port(), address.is_ipv4());
                if let Some(connection) = connection {
                    self.attempt(&connection, Meant::default());
                }
            }
        }
    }

    fn owner(&self, address: IpAddr) -> Option<&'a crate::model::Container> {
        self.facts.topology.containers.iter().find(|container| {
            container
                .endpoints
                .iter()
                .any(|endpoint| endpoint.link.addresses.iter().any(|own| own.address == address))
        })
    }
}
