//! The lab: a host of its own, outside of it another one, and containers on it by our own network modes. Nothing of the
//! real host is changed, and its firewall has no say, as all is in namespaces made for this.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path as FilePath,
    time::Instant,
};

use serde::Serialize;

use crate::bench::Error;
use crate::bench::error::in_words;
use crate::bench::outcome::ns;
use crate::model::{InterfaceAddress, LinkName};
use crate::sys::netns::Namespace;
use crate::sys::plumbing::{CableOrder, Plumbing};

use super::existing::{Visit, Way};
use super::proof::{Seen, Witness};
use super::{Path, rung, sandbox::Sandbox};

/// Addresses for benchmarks, which no other network has (RFC 2544).
const HOST: &str = "198.18.0.1";
const OUTSIDE: &str = "198.18.0.2";
const LEFT: &str = "198.18.1.1";
const RIGHT: &str = "198.18.1.2";
const PARENT: &str = "198.18.2.1";
const PARENTS_PEER: &str = "198.18.2.2";
const MACVLANS: [&str; 2] = ["198.18.2.10", "198.18.2.11"];
const LOOPBACK: &str = "127.0.0.1";
/// In the host's own namespace: the last of that range, as tunnels that use it take the first.
const VISITED_HOST: &str = "198.19.255.253";
const VISITED_OUTSIDE: &str = "198.19.255.254";

/// The published ports, one for each path that uses one.
const PUBLISHED: u16 = 20_001;
const PUBLISHED_HOST: u16 = 20_002;
const PROXY: u16 = 20_003;
const PORTS: &str = "20001-20003:20001-20003";

/// What is done to a connection on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bench) enum Claim {
    Direct,
    Translated,
    Proxied,
    /// It arrives where it was sent to; where it says to come from may be translated.
    Outward,
}

/// One way, built: where its ends are, and how to see that it was taken.
#[derive(Debug)]
pub(in crate::bench) struct Hop {
    pub(in crate::bench) path: Path,
    pub(in crate::bench) client: Namespace,
    pub(in crate::bench) server: Namespace,
    /// Where the server listens; port 0 is any.
    pub(in crate::bench) listen: (IpAddr, u16),
    /// Where the client connects to, at the same port if no other is given.
    pub(in crate::bench) target: IpAddr,
    pub(in crate::bench) port: Option<u16>,
    pub(in crate::bench) claim: Claim,
    pub(in crate::bench) witnesses: Vec<Witness>,
    /// The process that passes data on, where one does.
    pub(in crate::bench) proxy: Option<u32>,
}

/// A path that could not be built.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Skipped {
    pub path: Path,
    pub why: String,
}

/// How long a path took to be built. A container that several paths share counts for the first of them.
#[derive(Debug, Clone, Copy, Serialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct SetUp {
    pub path: Path,
    pub took_ns: u64,
}

/// All that was built. Dropping it takes it down.
#[derive(Debug)]
pub struct Lab {
    pub(in crate::bench) host: Namespace,
    pub(in crate::bench) hops: Vec<Hop>,
    /// What could not be built.
    pub skipped: Vec<Skipped>,
    pub(in crate::bench) set_up: Vec<SetUp>,
    /// The ways of existing containers among the paths.
    pub(in crate::bench) ways: Vec<Way>,
    // Namespaces end with the last that is in them: the sandboxes first, as their keepers undo things in the host.
    _sandboxes: Vec<Sandbox>,
    _namespaces: Vec<Namespace>,
}

impl Lab {
    /// Builds the base and those paths, in their order. `program` is pcapsule, which makes the containers.
    pub fn build(paths: &[Path], program: &FilePath) -> Result<Self, Error> {
        Self::build_with(paths, None, program)
    }

    /// The same; some of the paths may be those of existing containers.
    pub fn build_with(paths: &[Path], visit: Option<&Visit>, program: &FilePath) -> Result<Self, Error> {
        let mut builder = Builder::new(program, visit)?;
        let (mut hops, mut skipped, mut set_up) = (Vec::new(), Vec::new(), Vec::new());
        for path in [Path::Host, Path::Control].into_iter().chain(paths.iter().copied()) {
            let begun = Instant::now();
            match builder.hop(path) {
                Ok(hop) => {
                    set_up.push(SetUp { path, took_ns: ns(begun.elapsed()) });
                    hops.push(hop);
                }
                Err(error) => skipped.push(Skipped { path, why: in_words(&error) }),
            }
        }
        let Builder { host, namespaces, web, peer, macvlans, .. } = builder;
        let mut sandboxes: Vec<Sandbox> = macvlans;
        sandboxes.extend(peer);
        sandboxes.extend(web);
        let ways = visit.map(|visit| visit.ways.clone()).unwrap_or_default();
        let host = visit.map_or(host, |visit| visit.host.clone());
        Ok(Self { host, hops, skipped, set_up, ways, _sandboxes: sandboxes, _namespaces: namespaces })
    }

    /// What the packets of each path pass.
    pub(in crate::bench) fn seen(&self) -> Vec<Seen> {
        let of_hop = |hop: &Hop| {
            let path = hop.path;
            hop.witnesses.iter().map(move |witness| witness.seen(path)).collect::<Vec<_>>()
        };
        self.hops.iter().flat_map(of_hop).collect()
    }
}

struct Builder<'a> {
    program: &'a FilePath,
    visit: Option<&'a Visit>,
    host: Namespace,
    /// A host with no containers: the base.
    plain: Namespace,
    outside: Namespace,
    namespaces: Vec<Namespace>,
    /// The container with published ports, and another one.
    web: Option<Sandbox>,
    peer: Option<Sandbox>,
    macvlans: Vec<Sandbox>,
    /// What is outside of the real host.
    visited_outside: Option<Namespace>,
}

impl<'a> Builder<'a> {
    /// The host and the outside, with a cable between them: it must be there when ports are published.
    fn new(program: &'a FilePath, visit: Option<&'a Visit>) -> Result<Self, Error> {
        let (host, plain, outside) = (Namespace::create()?, Namespace::create()?, Namespace::create()?);
        for namespace in [&host, &plain] {
            set_loopback_up(namespace, None)?;
        }
        cable(24, (&host, "uplink", HOST), (&outside, "eth0", OUTSIDE))?;
        let (namespaces, macvlans) = (Vec::new(), Vec::new());
        let (web, peer, visited_outside) = (None, None, None);
        Ok(Self { program, visit, host, plain, outside, namespaces, web, peer, macvlans, visited_outside })
    }

    fn hop(&mut self, path: Path) -> Result<Hop, Error> {
        match path {
            Path::Host | Path::Control => loopback(path, &self.plain),
            Path::HostNat => {
                self.web()?;
                loopback(path, &self.host)
            }
            Path::Veth => self.veth(),
            Path::Bridge => {
                let (web, address, _) = self.web()?;
                let witnesses = vec![Witness::call(&self.host, "pcapsule0")?, Witness::call(&web, "eth0")?];
                Ok(direct(path, (self.host.clone(), web), address, witnesses))
            }
            Path::Container => {
                let (web, address, _) = self.web()?;
                let peer = self.peer()?;
                let witnesses = vec![Witness::call(&peer, "eth0")?, Witness::call(&web, "eth0")?];
                Ok(direct(path, (peer, web), address, witnesses))
            }
            Path::Published => self.published(path, (self.outside.clone(), "eth0"), (HOST, PUBLISHED)),
            Path::PublishedHost => {
                self.published(path, (self.host.clone(), "pcapsule0"), (HOST, PUBLISHED_HOST))
            }
            Path::Proxy => self.published(path, (self.host.clone(), "lo"), (LOOPBACK, PROXY)),
            Path::Macvlan => self.macvlan(),
            Path::SmallLoopback => {
                let small = Namespace::create()?;
                set_loopback_up(&small, Some(rung::SMALL_MTU))?;
                loopback(path, &small)
            }
            Path::BareBridge
            | Path::BridgeNetfilter
            | Path::Routed
            | Path::Rules
            | Path::Conntrack
            | Path::Nat
            | Path::ThousandRules
            | Path::NoOffload
            | Path::Jumbo => {
                let (hop, host) = rung::build(path)?;
                self.namespaces.push(host);
                Ok(hop)
            }
            Path::ToHost | Path::ToContainer | Path::ToOutside | Path::ToPublished | Path::ThisHost => {
                self.existing(path)
            }
        }
    }

    /// A way of a container that was there before.
    fn existing(&mut self, path: Path) -> Result<Hop, Error> {
        let visit = self.visit.ok_or(Error::NoAddress("a container"))?;
        let way = visit.ways.iter().find(|way| way.path == path).ok_or(Error::NoAddress("a container"))?;
        let namespace = |id| visit.namespaces.get(&id).cloned().ok_or(Error::NoAddress("a container"));
        let own = namespace(way.client)?;
        let passes = way.passes.iter();
        let mut witnesses = passes
            .map(|(place, name)| Witness::call(&namespace(*place)?, name.as_str()))
            .collect::<Result<Vec<_>, Error>>()?;
        if let (Some(server), Some(target)) = (way.server, way.address) {
            return Ok(direct(path, (own, namespace(server)?), target, witnesses));
        }
        let outside = self.visited_outside(&visit.host)?;
        witnesses.push(Witness::call(&outside, "eth0")?);
        let Some(published) = &way.published else {
            let hop = direct(path, (own, outside), address(VISITED_OUTSIDE), witnesses);
            return Ok(Hop { claim: Claim::Outward, ..hop });
        };
        let any = |ip: IpAddr| if ip.is_unspecified() { address(VISITED_HOST) } else { ip };
        let hop = direct(path, (outside, own), any(published.host_ip), witnesses);
        let listen = (Ipv4Addr::UNSPECIFIED.into(), published.container_port);
        Ok(Hop { claim: Claim::Translated, listen, port: Some(published.host_port), ..hop })
    }

    /// Another namespace with a cable to this host: the one thing that is made in the host's own namespace. It goes with
    /// the namespace at the far end, which is ours alone, however we end.
    fn visited_outside(&mut self, host: &Namespace) -> Result<Namespace, Error> {
        if let Some(outside) = &self.visited_outside {
            return Ok(outside.clone());
        }
        let outside = Namespace::create()?;
        let near = format!("pcb{}", std::process::id());
        cable(30, (host, &near, VISITED_HOST), (&outside, "eth0", VISITED_OUTSIDE))?;
        let mut plumbing = Plumbing::open_in(&outside)?;
        let link = plumbing.link(&named("eth0"))?.index;
        plumbing.add_default_route(link, address(VISITED_HOST), 0)?;
        self.namespaces.push(outside.clone());
        self.visited_outside = Some(outside.clone());
        Ok(outside)
    }

    fn veth(&mut self) -> Result<Hop, Error> {
        let (left, right) = (Namespace::create()?, Namespace::create()?);
        cable(24, (&left, "eth0", LEFT), (&right, "eth0", RIGHT))?;
        let witnesses = vec![Witness::call(&left, "eth0")?];
        self.namespaces.extend([left.clone(), right.clone()]);
        Ok(direct(Path::Veth, (left, right), address(RIGHT), witnesses))
    }

    fn published(&mut self, path: Path, from: (Namespace, &str), at: (&str, u16)) -> Result<Hop, Error> {
        let (web, own, keeper) = self.web()?;
        let ((client, link), (target, port)) = (from, at);
        let witnesses = vec![Witness::call(&client, link)?, Witness::call(&web, "eth0")?];
        let (claim, proxy) = match path {
            Path::Proxy => (Claim::Proxied, Some(keeper)),
            _ => (Claim::Translated, None),
        };
        let target = address(target);
        Ok(Hop {
            path,
            client,
            server: web,
            listen: (own, port),
            target,
            port: None,
            claim,
            witnesses,
            proxy,
        })
    }

    fn macvlan(&mut self) -> Result<Hop, Error> {
        let far = Namespace::create()?;
        cable(24, (&self.host, "parent", PARENT), (&far, "eth0", PARENTS_PEER))?;
        self.namespaces.push(far);
        for (name, ip) in ["bench-m1", "bench-m2"].into_iter().zip(MACVLANS) {
            let options = ["--net", "macvlan", "--parent", "parent", "--subnet", "198.18.2.0/24", "--ip", ip];
            self.macvlans.push(Sandbox::start(&self.host, self.program, name, &options)?);
        }
        let ends: Vec<Namespace> = self.macvlans.iter().map(|sandbox| sandbox.namespace.clone()).collect();
        let [client, server] = ends.try_into().map_err(|_| Error::NoAddress("a macvlan"))?;
        let witnesses = vec![Witness::call(&client, "eth0")?, Witness::call(&server, "eth0")?];
        Ok(direct(Path::Macvlan, (client, server), address(MACVLANS[1]), witnesses))
    }

    /// The container with published ports: its namespace, its address, the process that keeps it.
    fn web(&mut self) -> Result<(Namespace, IpAddr, u32), Error> {
        if self.web.is_none() {
            let udp = format!("{PORTS}/udp");
            let started = Sandbox::start(&self.host, self.program, "bench-web", &["-p", PORTS, "-p", &udp])?;
            self.web = Some(started);
        }
        let web = self.web.as_ref().ok_or(Error::NoAddress("a container"))?;
        Ok((web.namespace.clone(), web.address, web.keeper))
    }

    fn peer(&mut self) -> Result<Namespace, Error> {
        if self.peer.is_none() {
            self.peer = Some(Sandbox::start(&self.host, self.program, "bench-peer", &[])?);
        }
        let peer = self.peer.as_ref().ok_or(Error::NoAddress("a container"))?;
        Ok(peer.namespace.clone())
    }
}

fn loopback(path: Path, host: &Namespace) -> Result<Hop, Error> {
    let witnesses = vec![Witness::call(host, "lo")?];
    Ok(direct(path, (host.clone(), host.clone()), address(LOOPBACK), witnesses))
}

/// Sets loopback up, with another MTU if one is given.
fn set_loopback_up(namespace: &Namespace, mtu: Option<u32>) -> Result<(), Error> {
    let mut plumbing = Plumbing::open_in(namespace)?;
    let lo = plumbing.link(&named("lo"))?.index;
    if let Some(mtu) = mtu {
        plumbing.set_mtu(lo, mtu)?;
    }
    Ok(plumbing.set_up(lo)?)
}

pub(super) fn direct(
    path: Path,
    (client, server): (Namespace, Namespace),
    target: IpAddr,
    witnesses: Vec<Witness>,
) -> Hop {
    let listen = (target, 0);
    Hop { path, client, server, listen, target, port: None, claim: Claim::Direct, witnesses, proxy: None }
}

/// A namespace, what the end of a cable is called there, and its address.
type End<'a> = (&'a Namespace, &'a str, &'a str);

/// Lays a cable between two namespaces, each end with an address, and up.
fn cable(prefix: u8, near: End<'_>, far: End<'_>) -> Result<(), Error> {
    let (name, peer_name) = (named(near.1), named(far.1));
    let order = CableOrder { name: &name, peer_name: &peer_name, peer_namespace: far.0 };
    Plumbing::open_in(near.0)?.create_cable(&order)?;
    for (namespace, name, ip) in [near, far] {
        let mut plumbing = Plumbing::open_in(namespace)?;
        let link = plumbing.link(&named(name))?.index;
        plumbing.add_address(link, InterfaceAddress { address: address(ip), prefix })?;
        plumbing.set_up(link)?;
    }
    Ok(())
}

pub(super) fn named(name: &str) -> LinkName {
    name.parse().expect("it is an interface name")
}

pub(super) fn address(text: &str) -> IpAddr {
    text.parse().expect("it is an address")
}
