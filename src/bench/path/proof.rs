//! Which way packets took, by the counters of interfaces and the addresses that both ends of a connection see.
//! A benchmark that does not look will some day publish the figures of another path.

use std::net::SocketAddr;

use serde::Serialize;

use crate::bench::Error;
use crate::model::{Counters, LinkIndex, LinkName};
use crate::sys::netns::Namespace;
use crate::sys::offload::{self, Offloads};
use crate::sys::plumbing::Plumbing;
use crate::sys::statistics::Statistics;

use super::{Path, lab::Claim};

/// An interface that a path passes, as it was when the path was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Seen {
    pub path: Path,
    pub interface: LinkName,
    pub mtu: u32,
    /// None where they cannot be asked for.
    pub offloads: Option<Offloads>,
}

/// An interface that every packet of a path passes.
#[derive(Debug)]
pub(in crate::bench) struct Witness {
    name: LinkName,
    index: LinkIndex,
    mtu: u32,
    offloads: Option<Offloads>,
    statistics: Statistics,
    before: Counters,
}

impl Witness {
    /// Calls an interface to witness.
    pub(super) fn call(namespace: &Namespace, name: &str) -> Result<Self, Error> {
        let name: LinkName = name.parse().map_err(|_| Error::NoAddress("an interface"))?;
        let link = Plumbing::open_in(namespace)?.link(&name)?;
        let statistics = Statistics::open_in(namespace)?;
        let offloads = offload::read(namespace, &name).ok();
        let (index, mtu, before) = (link.index, link.mtu, Counters::default());
        Ok(Self { name, index, mtu, offloads, statistics, before })
    }

    /// What is to be said of it.
    pub(super) fn seen(&self, path: Path) -> Seen {
        Seen { path, interface: self.name.clone(), mtu: self.mtu, offloads: self.offloads }
    }

    /// Begins to watch.
    pub(in crate::bench) fn watch(&mut self) -> Result<(), Error> {
        self.before = self.counters()?;
        Ok(())
    }

    /// None if at least so many bytes have passed since; otherwise what speaks against it.
    pub(in crate::bench) fn objects_to(&mut self, bytes: u64) -> Result<Option<String>, Error> {
        let after = self.counters()?;
        let received = after.rx_bytes.saturating_sub(self.before.rx_bytes);
        let seen = received + after.tx_bytes.saturating_sub(self.before.tx_bytes);
        Ok((seen < bytes).then(|| format!("{} has seen {seen} bytes of {bytes}", self.name)))
    }

    fn counters(&mut self) -> Result<Counters, Error> {
        let (mut found, index) = (Counters::default(), self.index);
        self.statistics.links(|link, counters| {
            if link == index {
                found = counters;
            }
        })?;
        Ok(found)
    }
}

/// The addresses of a connection, as each end sees its own and the other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bench) struct Addresses {
    pub client: SocketAddr,
    pub connected_to: SocketAddr,
    pub server: SocketAddr,
    pub accepted_from: SocketAddr,
}

impl Addresses {
    /// What the kernel, or somebody else, made of the connection.
    fn tell(&self) -> Claim {
        if self.client.port() != self.accepted_from.port() {
            Claim::Proxied
        } else if self.connected_to != self.server {
            Claim::Translated
        } else {
            Claim::Direct
        }
    }

    /// None if it is what is claimed; otherwise what speaks against it.
    pub(in crate::bench) fn object_to(&self, claim: Claim) -> Option<String> {
        let Self { client, connected_to, server, accepted_from } = self;
        let is_so = match claim {
            Claim::Outward => connected_to == server,
            claim => self.tell() == claim,
        };
        (!is_so).then(|| {
            format!("the client is {client} and connects to {connected_to}, while {server} has accepted {accepted_from}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(words: [&str; 4]) -> Addresses {
        let [client, connected_to, server, accepted_from] = words.map(|word| word.parse().unwrap());
        Addresses { client, connected_to, server, accepted_from }
    }

    #[test]
    fn addresses_tell_what_was_done_to_a_connection() {
        let direct = addresses(["10.0.0.2:4000", "10.0.0.3:80", "10.0.0.3:80", "10.0.0.2:4000"]);
        let translated = addresses(["198.18.0.2:4000", "198.18.0.1:80", "10.0.0.3:80", "198.18.0.2:4000"]);
        let proxied = addresses(["127.0.0.1:4000", "127.0.0.1:80", "10.0.0.3:80", "10.0.0.1:5000"]);
        let masqueraded = addresses(["10.0.0.2:4000", "198.19.0.2:80", "198.19.0.2:80", "198.19.0.1:999"]);
        assert_eq!(masqueraded.object_to(Claim::Outward), None);
        assert!(translated.object_to(Claim::Outward).is_some());
        let all = [(direct, Claim::Direct), (translated, Claim::Translated), (proxied, Claim::Proxied)];
        for (seen, claim) in all {
            for (_, other) in all {
                assert_eq!(seen.object_to(other).is_none(), other == claim, "{seen:?} {other:?}");
            }
        }
    }
}
