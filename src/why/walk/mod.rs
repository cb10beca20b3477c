//! A packet led from its sender to a socket, and its answer back, through what is known of the host. Pure.
//!
//! `send` and `receive` are what a namespace's IP does, `wire` what links and bridges do, `arrive` what the sockets do,
//! `blame` puts a stop into words. The walk ends at the first thing that stops the packet.

mod arrive;
mod blame;
mod mtu;
mod receive;
mod send;
mod wire;

use std::{
    cell::Cell,
    net::{IpAddr, SocketAddr},
};

use crate::model::{LinkIndex, NamespaceId, Protocol};

use super::facts::{Facts, Listener, Space};
use super::finding::{Finding, Hop};
use super::packet::{Packet, Part};

pub use arrive::absence;

/// More places than any sensible way has: then it goes in circles.
const LONGEST: usize = 40;

/// Where a connection begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// At a process in that namespace.
    Inside(NamespaceId),
    /// Outside, from where it comes to the host by that link.
    Outside {
        /// The host's link.
        link: LinkIndex,
        /// An address that somebody there may have.
        client: IpAddr,
        /// Whether the client is that one, and not anybody.
        exact: bool,
    },
}

/// A connection that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Where it begins.
    pub start: Start,
    /// Where it goes.
    pub destination: SocketAddr,
    /// What it speaks.
    pub protocol: Protocol,
}

/// Where a packet came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrival<'a> {
    /// At a socket.
    Socket {
        /// In that namespace.
        space: &'a Space,
        /// It.
        listener: &'a Listener,
    },
    /// The answer is back where the question came from.
    Home,
    /// It left this host by a link of that name.
    Outside(String),
}

/// What a walk found.
#[derive(Debug, Clone, PartialEq)]
pub struct Walked<'a> {
    /// The places, in order.
    pub hops: Vec<Hop>,
    /// Where it ended, or what stopped it.
    pub end: Result<Arrival<'a>, Finding>,
    /// What might have mattered and could not be told.
    pub doubts: Vec<String>,
    /// The rule by which its destination was translated, in words, and by which it became which.
    pub translated: Option<(String, SocketAddr)>,
    /// The rule that would have translated it, had another one not excepted it from the table of connections.
    pub untranslated: Option<String>,
    /// The namespace in which it ended.
    pub at: Option<NamespaceId>,
    /// A namespace on the way of which nothing is known.
    pub missing: Option<NamespaceId>,
    /// The source that the packet had in the end.
    pub source: Option<IpAddr>,
    /// The links that the first packet passes, in order.
    pub links: Vec<(NamespaceId, LinkIndex)>,
    /// Whose hardware address is asked for along the way, there and back.
    pub asked: Vec<Asked>,
}

/// A neighbour whose hardware address a packet needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// By that namespace.
    pub namespace: NamespaceId,
    /// At that link.
    pub link: LinkIndex,
    /// Who.
    pub next: IpAddr,
    /// Whether it is a router, and not the destination itself.
    pub is_gateway: bool,
}

/// Leads the first packet of a connection to its end, and the answer back.
pub fn walk<'a>(facts: &'a Facts, connection: &Connection) -> Walked<'a> {
    let mut walker = Walker::of(facts, connection);
    let end = walker.there(connection);
    let end = match end {
        Ok(Arrival::Socket { space, listener }) => match walker.and_back(connection, space) {
            Ok(()) => Ok(Arrival::Socket { space, listener }),
            Err(finding) => Err(*finding),
        },
        Ok(other) => Ok(other),
        Err(finding) => Err(*finding),
    };
    if let Some(last) = walker.hops.last_mut() {
        last.reached &= end.is_ok();
    }
    Walked {
        hops: walker.hops,
        end,
        doubts: walker.doubts,
        translated: walker.translated,
        untranslated: walker.untranslated,
        at: walker.at,
        missing: walker.missing.get(),
        source: walker.packet.source,
        links: walker.links,
        asked: walker.asked,
    }
}

/// A step, or what stops the packet.
type Step<T> = Result<T, Box<Finding>>;

/// Where the packet is.
#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    Sending(&'a Space),
    Receiving(&'a Space, LinkIndex),
}

enum Next<'a> {
    At(Place<'a>),
    Arrived(Arrival<'a>),
}

/// A translation that a namespace remembers, for the answers.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Binding {
    space: NamespaceId,
    /// Before: from and to.
    before: (Option<IpAddr>, SocketAddr),
    /// Afterwards.
    after: (Option<IpAddr>, SocketAddr),
}

struct Walker<'a> {
    facts: &'a Facts,
    packet: Packet,
    bindings: Vec<Binding>,
    hops: Vec<Hop>,
    doubts: Vec<String>,
    translated: Option<(String, SocketAddr)>,
    untranslated: Option<String>,
    /// Who began, for the answer's way.
    client: Option<IpAddr>,
    /// The links that frames passed, for their MTU.
    passed: Vec<mtu::Passed>,
    /// The links that the first packet passes.
    links: Vec<(NamespaceId, LinkIndex)>,
    /// Whose hardware address it needs.
    asked: Vec<Asked>,
    /// The link that it came to the host by, from outside.
    uplink: Option<LinkIndex>,
    /// The namespace that has the packet.
    at: Option<NamespaceId>,
    /// The first namespace that was needed and is not known.
    missing: Cell<Option<NamespaceId>>,
}

impl<'a> Walker<'a> {
    fn of(facts: &'a Facts, connection: &Connection) -> Self {
        let source = match &connection.start {
            Start::Outside { client, exact: true, .. } => Some(*client),
            _ => None,
        };
        Self {
            facts,
            packet: Packet::opening(source, connection.destination, connection.protocol),
            bindings: Vec::new(),
            hops: Vec::new(),
            doubts: Vec::new(),
            translated: None,
            untranslated: None,
            client: None,
            passed: Vec::new(),
            links: Vec::new(),
            asked: Vec::new(),
            uplink: None,
            at: None,
            missing: Cell::new(None),
        }
    }

    fn there(&mut self, connection: &Connection) -> Step<Arrival<'a>> {
        let place = match &connection.start {
            Start::Inside(namespace) => {
                let space = self.space(*namespace)?;
                self.hop("process", format!("a process in {}", self.facts.name_of(*namespace)));
                Place::Sending(space)
            }
            Start::Outside { link, client, .. } => {
                self.client = Some(*client);
                self.uplink = Some(*link);
                self.hop("outside", "outside".to_owned());
                let host =
                    self.facts.topology.host.ok_or_else(|| Box::new(blame::unknown_space("the host")))?;
                Place::Receiving(self.space(host)?, *link)
            }
        };
        self.go(place)
    }

    /// The answer's way, from the socket back to whoever asked.
    fn and_back(&mut self, connection: &Connection, from: &'a Space) -> Step<()> {
        let asked = self.packet.clone();
        let home = match &connection.start {
            Start::Inside(namespace) => Some(*namespace),
            Start::Outside { .. } => None,
        };
        let Some(client) = asked.source.or(self.client) else { return Ok(()) };
        self.packet = Packet {
            source: Some(asked.destination.ip()),
            destination: SocketAddr::new(client, 0),
            source_port: Some(asked.destination.port()),
            input: None,
            output: None,
            mark: 0,
            part: Part::Answer,
            ..asked
        };
        let hops = self.hops.len();
        let arrival = self.go(Place::Sending(from));
        let source = self.packet.source;
        match arrival {
            Ok(Arrival::Home | Arrival::Outside(_)) => {
                // The way back is told only where it ends early.
                self.hops.truncate(hops);
                self.other_way_back(connection, &arrival);
                if home.is_some() && source != Some(connection.destination.ip()) {
                    return Err(Box::new(blame::foreign_answer(self.facts, connection, source)));
                }
                self.check_mtu(connection)
            }
            Ok(Arrival::Socket { .. }) => {
                self.hops.truncate(hops);
                Ok(())
            }
            Err(finding) => Err(finding),
        }
    }

    /// An answer to somebody known that leaves the host by another link than the question came by.
    fn other_way_back(&mut self, connection: &Connection, arrival: &Step<Arrival<'a>>) {
        let (Start::Outside { link, client, exact: true }, Ok(Arrival::Outside(out))) =
            (&connection.start, arrival)
        else {
            return;
        };
        let came = self.facts.host().and_then(|host| host.link(*link));
        if let Some(came) = came.filter(|came| came.name.as_str() != out) {
            self.doubts.push(format!(
                "whether answers reach {client}: they leave the host by {out}, and what they answer is taken to come by {}",
                came.name
            ));
        }
    }

    fn go(&mut self, mut place: Place<'a>) -> Step<Arrival<'a>> {
        for _ in 0..LONGEST {
            let next = match place {
                Place::Sending(space) => {
                    self.at = Some(space.id);
                    self.send(space)?
                }
                Place::Receiving(space, link) => {
                    self.at = Some(space.id);
                    self.receive(space, link)?
                }
            };
            match next {
                Next::At(there) => place = there,
                Next::Arrived(arrival) => return Ok(arrival),
            }
        }
        Err(Box::new(blame::in_circles()))
    }

    fn space(&self, namespace: NamespaceId) -> Step<&'a Space> {
        self.facts.spaces.get(&namespace).ok_or_else(|| {
            self.missing.set(Some(namespace));
            Box::new(blame::unknown_space(&self.facts.name_of(namespace)))
        })
    }

    /// Notes a link that the first packet passes.
    fn over(&mut self, space: &Space, link: LinkIndex) {
        if self.packet.part == Part::Opening && self.links.last() != Some(&(space.id, link)) {
            self.links.push((space.id, link));
        }
    }

    fn hop(&mut self, hop: &'static str, name: String) {
        self.hops.push(Hop { hop, name, reached: true });
    }

    fn name(&self, space: &Space) -> String {
        self.facts.name_of(space.id)
    }

    /// The way back of a translated packet: what this namespace remembers of it.
    fn restore(&mut self, space: &Space, what: Restored) {
        if self.packet.part != Part::Answer {
            return;
        }
        let here = |binding: &&Binding| binding.space == space.id;
        match what {
            Restored::Destination => {
                let to = self.packet.destination.ip();
                let found =
                    self.bindings.iter().rev().filter(here).find(|binding| binding.after.0 == Some(to));
                if let Some(binding) = found.filter(|binding| binding.before.0 != binding.after.0) {
                    let client = binding.before.0.or(self.client).unwrap_or(to);
                    self.packet.destination.set_ip(client);
                }
            }
            Restored::Source => {
                let from = self.packet.source;
                let found = self
                    .bindings
                    .iter()
                    .rev()
                    .filter(here)
                    .find(|binding| Some(binding.after.1.ip()) == from);
                if let Some(binding) = found {
                    self.packet.source = Some(binding.before.1.ip());
                }
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Restored {
    Source,
    Destination,
}
