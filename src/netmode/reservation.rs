//! The ports that `-p` asks for, taken on the host before anything else is changed: what is in use fails at once.

use std::{
    fmt, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use serde::{Deserialize, Serialize};

use crate::model::{Protocol, PublishedPort};
use crate::sys::host_port::{At, HostPort, OpenPort};
use crate::sys::netns;
use crate::sys::process::ProcessTable;
use crate::sys::sock_diag::{Detail, Holder, Query, SockDiag, States, Transport, holders};

use super::publication::{HostAddress, HostPorts, PortRange, Publication, Publications};

/// Beyond the ports, what a sandbox's keeper has open.
const OTHER_FILES: u64 = 64;

/// One port of the host and the port of the sandbox that it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Forward {
    pub transport: Transport,
    pub host: HostAddress,
    pub host_port: u16,
    pub sandbox_port: u16,
}

/// Ports that are ours, but do not answer yet.
#[derive(Debug)]
pub struct Reservation {
    forwards: Vec<Forward>,
    ports: Vec<HostPort>,
}

/// Ports that answer: somebody has to accept what comes.
#[derive(Debug)]
pub struct OpenPorts(Vec<(Forward, OpenPort)>);

/// A port cannot be had.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Error {
    #[error("publishing {port}: it is in use{}", by(user.as_ref()))]
    InUse { port: Wanted, user: Option<Holder> },
    #[error("publishing {port}: none of the ports {range} is free")]
    NoneFree { port: Wanted, range: PortRange },
    #[error("publishing {port}: the host has no such address")]
    NoSuchAddress { port: Wanted },
    #[error("publishing {port}")]
    Take { port: Wanted, source: io::Error },
    #[error("publishing {wanted} ports, where only {limit} files may be open")]
    TooMany { wanted: usize, limit: u64 },
    #[error("publishing ports")]
    Limit(#[source] netns::Error),
}

impl Error {
    /// Whether the kernel wants a capability that we do not have (`CAP_NET_BIND_SERVICE`).
    pub fn is_not_permitted(&self) -> bool {
        matches!(self, Self::Take { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
    }
}

/// What was asked for: an address and a port, as an error names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    transport: Transport,
    host: HostAddress,
    /// 0 is any.
    port: u16,
}

impl Publications {
    /// Takes every port, in the calling thread's namespace. Those that may choose come last, and go round the others.
    pub fn reserve(&self) -> Result<Reservation, Error> {
        make_room(self.count())?;
        let mut taken: Vec<(usize, Vec<(Forward, HostPort)>)> = Vec::new();
        let mut order: Vec<(usize, &Publication)> = self.as_slice().iter().enumerate().collect();
        order.sort_by_key(|(_, publication)| match publication.host_ports {
            HostPorts::Each(_) => 0,
            HostPorts::FirstFree(_) => 1,
            HostPorts::Free => 2,
        });
        for (at, publication) in order {
            taken.push((at, publication.take()?));
        }
        taken.sort_by_key(|(at, _)| *at);
        let (forwards, ports) = taken.into_iter().flat_map(|(_, ports)| ports).unzip();
        Ok(Reservation { forwards, ports })
    }
}

impl Reservation {
    /// What leads where, with the numbers that were chosen.
    pub fn forwards(&self) -> &[Forward] {
        &self.forwards
    }

    /// Begins to answer: to be called once the rules are in place, which take what the kernel can forward itself.
    pub fn open(self) -> Result<OpenPorts, Error> {
        let pairs = self.forwards.into_iter().zip(self.ports);
        let open = pairs.map(|(forward, port)| match port.open() {
            Ok(port) => Ok((forward, port)),
            Err(error) => Err(forward.wanted().failed(error)),
        });
        open.collect::<Result<_, _>>().map(OpenPorts)
    }
}

impl OpenPorts {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_pairs(self) -> Vec<(Forward, OpenPort)> {
        self.0
    }
}

impl Forward {
    /// In the words that a listing of containers uses: one line a family.
    pub fn published(self) -> Vec<PublishedPort> {
        let addresses = match self.host {
            HostAddress::Every => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
            HostAddress::Only(address) => vec![address],
        };
        let protocol = match self.transport {
            Transport::Tcp => Protocol::Tcp,
            Transport::Udp => Protocol::Udp,
        };
        let Self { host_port, sandbox_port: container_port, .. } = self;
        let published = |host_ip| PublishedPort { host_ip, host_port, container_port, protocol };
        addresses.into_iter().map(published).collect()
    }

    fn wanted(self) -> Wanted {
        Wanted { transport: self.transport, host: self.host, port: self.host_port }
    }
}

impl Publication {
    fn take(&self) -> Result<Vec<(Forward, HostPort)>, Error> {
        let sandbox = self.sandbox_ports.ports();
        match self.host_ports {
            HostPorts::Each(host) => {
                host.ports().zip(sandbox).map(|(host, sandbox)| self.take_one(host, sandbox)).collect()
            }
            HostPorts::Free => sandbox.map(|port| self.take_one(0, port)).collect(),
            HostPorts::FirstFree(range) => sandbox.map(|port| self.take_first_free(range, port)).collect(),
        }
    }

    fn take_first_free(&self, range: PortRange, sandbox_port: u16) -> Result<(Forward, HostPort), Error> {
        for host_port in range.ports() {
            match self.try_one(host_port) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(self.wanted(host_port).failed(error)),
                Ok(port) => return Ok((self.forward(port.port(), sandbox_port), port)),
            }
        }
        Err(Error::NoneFree { port: self.wanted(0), range })
    }

    fn take_one(&self, host_port: u16, sandbox_port: u16) -> Result<(Forward, HostPort), Error> {
        let port = self.try_one(host_port).map_err(|error| self.wanted(host_port).failed(error))?;
        Ok((self.forward(port.port(), sandbox_port), port))
    }

    fn try_one(&self, host_port: u16) -> io::Result<HostPort> {
        let at = match self.host {
            HostAddress::Every => At::Every,
            HostAddress::Only(address) => At::Only(address),
        };
        HostPort::take(self.transport, at, host_port)
    }

    fn forward(&self, host_port: u16, sandbox_port: u16) -> Forward {
        Forward { transport: self.transport, host: self.host, host_port, sandbox_port }
    }

    fn wanted(&self, port: u16) -> Wanted {
        Wanted { transport: self.transport, host: self.host, port }
    }
}

impl Wanted {
    fn failed(self, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::AddrInUse => Error::InUse { port: self, user: self.user() },
            io::ErrorKind::AddrNotAvailable => Error::NoSuchAddress { port: self },
            _ => Error::Take { port: self, source: error },
        }
    }

    /// Who has it, as far as can be seen.
    fn user(self) -> Option<Holder> {
        let query = Query { transport: self.transport, states: States::Waiting, detail: Detail::Plain };
        let mut inodes = Vec::new();
        let note = |found: crate::sys::sock_diag::InetSocket| {
            if self.is_met_by(found.local) {
                inodes.extend(found.inode);
            }
        };
        SockDiag::open().ok()?.sockets(query, note).ok()?;
        let pids = ProcessTable::read().ok()?.processes.into_iter().map(|process| process.pid);
        let held = holders(pids);
        inodes.iter().find_map(|inode| held.get(inode)?.first().cloned())
    }

    fn is_met_by(self, local: SocketAddr) -> bool {
        let theirs = local.ip();
        let is_same = match self.host {
            HostAddress::Every => true,
            // A socket of IPv6 at every address may be one of IPv4 as well.
            HostAddress::Only(ours) => ours == theirs || ours.is_unspecified() || theirs.is_unspecified(),
        };
        local.port() == self.port && is_same
    }
}

/// A socket a port, and room for connections.
fn make_room(ports: usize) -> Result<(), Error> {
    const ENOUGH_ANYWHERE: usize = 256;
    if ports <= ENOUGH_ANYWHERE {
        return Ok(());
    }
    let limit = netns::raise_open_file_limit().map_err(Error::Limit)?;
    let wanted = u64::try_from(ports).unwrap_or(u64::MAX);
    if wanted.saturating_add(OTHER_FILES) > limit {
        Err(Error::TooMany { wanted: ports, limit })
    } else {
        Ok(())
    }
}

fn by(user: Option<&Holder>) -> String {
    user.map(|user| format!(" by {} (pid {})", user.command, user.pid)).unwrap_or_default()
}

/// `port 8080/tcp`, with its address where one was given.
impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = super::publication::word(self.transport);
        match self.port {
            0 => write!(f, "a free {transport} port")?,
            port => write!(f, "port {port}/{transport}")?,
        }
        match self.host {
            HostAddress::Every => Ok(()),
            HostAddress::Only(address) => write!(f, " at {address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, process};

    use super::*;

    fn publications(texts: &[&str]) -> Publications {
        Publications::new(texts.iter().map(|text| text.parse().unwrap()).collect()).unwrap()
    }

    #[test]
    fn a_port_in_use_names_who_has_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = publications(&[&format!("127.0.0.1:{port}:80")]).reserve().unwrap_err();
        let Error::InUse { user: Some(user), .. } = &error else { panic!("{error}") };
        assert_eq!(user.pid, process::id());
        let expected =
            format!("publishing port {port}/tcp at 127.0.0.1: it is in use by {} (pid ", user.command);
        assert!(error.to_string().starts_with(&expected), "{error}");
    }

    #[test]
    fn the_first_free_port_of_a_range_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let range = if port == u16::MAX { return } else { format!("127.0.0.1:{port}-{}:80", u16::MAX) };
        let reserved = publications(&[&range]).reserve().unwrap();
        let [forward] = reserved.forwards() else { panic!("{reserved:?}") };
        assert!(forward.host_port > port);
        assert_eq!(forward.sandbox_port, 80);
    }

    #[test]
    fn ports_that_may_choose_are_given_in_the_order_asked_for() {
        let reserved = publications(&["127.0.0.1::80-81", "127.0.0.2::90/udp"]).reserve().unwrap();
        let sandbox_ports: Vec<_> = reserved.forwards().iter().map(|forward| forward.sandbox_port).collect();
        assert_eq!(sandbox_ports, [80, 81, 90]);
        assert!(reserved.forwards().iter().all(|forward| forward.host_port != 0));
    }

    #[test]
    fn an_address_that_the_host_does_not_have_is_said() {
        let error = publications(&["192.0.2.77:80:80/udp"]).reserve().unwrap_err();
        assert_eq!(error.to_string(), "publishing port 80/udp at 192.0.2.77: the host has no such address");
    }

    #[test]
    fn a_port_at_every_address_is_listed_for_both_families() {
        let forward =
            Forward { transport: Transport::Tcp, host: HostAddress::Every, host_port: 80, sandbox_port: 8 };
        let listed: Vec<_> = forward.published().iter().map(ToString::to_string).collect();
        assert_eq!(listed, ["0.0.0.0:80→8/tcp", "[::]:80→8/tcp"]);
    }
}
