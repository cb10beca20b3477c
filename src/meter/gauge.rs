//! The counters of namespaces and cgroups, held open and read.

use std::{collections::HashMap, fs, os::unix::fs::MetadataExt as _, path::PathBuf};

use crate::model::{Container, NamespaceId};
use crate::sys::{
    CgroupCounter, CgroupId,
    cgroup::Cgroup,
    ebpf,
    netns::Namespace,
    sock_diag::{self, Detail, Query, SockDiag, States, Transport},
    statistics::{self, Statistics},
};

use super::growth::{Readings, Traffic};
use super::ledger::Ledger;

/// Why something cannot be counted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A namespace's counters.
    #[error(transparent)]
    Namespace(#[from] statistics::Error),
    /// A namespace's sockets.
    #[error(transparent)]
    Sockets(#[from] sock_diag::Error),
    /// A cgroup's packets.
    #[error(transparent)]
    Cgroup(#[from] ebpf::Error),
}

/// The counters of one namespace. They keep it alive, so that whoever holds them has to watch for its end.
#[derive(Debug)]
pub(super) struct NamespaceGauge {
    id: NamespaceId,
    statistics: Statistics,
    sockets: Option<SocketGauge>,
    /// What holds the namespace besides us, as far as that is known.
    holders: Vec<PathBuf>,
}

/// The sockets of one namespace, told apart by their cgroups.
#[derive(Debug)]
struct SocketGauge {
    diag: SockDiag,
    ledger: Ledger,
}

impl NamespaceGauge {
    pub(super) fn open(namespace: &Namespace) -> Result<Self, Error> {
        let statistics = Statistics::open_in(namespace)?;
        Ok(Self { id: namespace.id(), statistics, sockets: None, holders: Vec::new() })
    }

    /// Its sockets are to be read as well.
    pub(super) fn open_sockets(&mut self, namespace: &Namespace) -> Result<(), Error> {
        if self.sockets.is_none() {
            self.sockets =
                Some(SocketGauge { diag: SockDiag::open_in(namespace)?, ledger: Ledger::default() });
        }
        Ok(())
    }

    /// Its sockets are of no interest any more.
    pub(super) fn close_sockets(&mut self) {
        self.sockets = None;
    }

    /// From now on, these hold the namespace besides us.
    pub(super) fn held_by(&mut self, holders: impl Iterator<Item = PathBuf>) {
        let is_our_own = Namespace::current().is_ok_and(|own| own.id() == self.id);
        self.holders = if is_our_own { Vec::new() } else { holders.collect() };
    }

    /// Whether anything but ourselves still holds the namespace, as far as may be seen.
    pub(super) fn is_held(&self) -> bool {
        let holds = |path: &PathBuf| match fs::metadata(path) {
            Ok(found) => NamespaceId::new(found.dev(), found.ino()) == self.id,
            Err(error) => error.kind() == std::io::ErrorKind::PermissionDenied,
        };
        self.holders.is_empty() || self.holders.iter().any(holds)
    }

    /// Adds what it tells by now. `owner` knows the counted group that a cgroup belongs to.
    pub(super) fn read(
        &mut self,
        owner: &HashMap<u64, CgroupId>,
        readings: &mut Readings,
    ) -> Result<(), Error> {
        self.statistics.links(|index, counters| {
            readings.links.insert((self.id, index), counters);
        })?;
        readings.tcp.insert(self.id, self.statistics.tcp()?);
        if let Some(sockets) = &mut self.sockets {
            sockets.read(owner, readings)?;
        }
        Ok(())
    }
}

impl SocketGauge {
    fn read(&mut self, owner: &HashMap<u64, CgroupId>, readings: &mut Readings) -> Result<(), Error> {
        let mut sockets = Vec::new();
        for transport in [Transport::Tcp, Transport::Udp] {
            let query = Query { transport, states: States::Live, detail: Detail::Counters };
            self.diag.sockets(query, |socket| sockets.push(socket))?;
        }
        readings.sockets.extend(self.ledger.enter(&sockets, owner));
        Ok(())
    }
}

/// What holds a container's namespace: its first process, and mounts.
pub(super) fn holders(container: &Container) -> impl Iterator<Item = PathBuf> {
    let process = container.pid.map(|pid| PathBuf::from(format!("/proc/{pid}/ns/net")));
    process.into_iter().chain(container.namespace_paths.iter().map(PathBuf::from))
}

/// The packets of one cgroup.
#[derive(Debug)]
pub(super) struct CgroupGauge {
    counter: CgroupCounter,
    group: Cgroup,
}

impl CgroupGauge {
    pub(super) fn attach(group: &Cgroup) -> Result<Self, Error> {
        use std::os::fd::AsFd as _;
        let counter = CgroupCounter::attach(group.as_fd(), group.path())?;
        Ok(Self { counter, group: group.clone() })
    }

    /// Whether the group is still there.
    pub(super) fn exists(&self) -> bool {
        self.group.exists()
    }

    /// The numbers of the groups whose packets it counts.
    pub(super) fn family(&self) -> Vec<CgroupId> {
        self.group.family()
    }

    pub(super) fn read(&self) -> Traffic {
        Traffic { received: self.counter.received(), sent: self.counter.sent() }
    }

    /// The segments that sockets younger than the count have sent again.
    pub(super) fn retransmitted(&self) -> u64 {
        self.counter.retransmitted()
    }
}
