//! One look at the host: kernel and engines asked at the same time, and joined.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;

use crate::capture::Ground;
use crate::discovery::engine::{Address, Engines, PATIENCE};
use crate::discovery::{Topology, scan};
use crate::model::NamespaceId;

/// The host as it was at one moment.
#[derive(Debug)]
pub(super) struct Look {
    /// Who is connected to what.
    pub(super) topology: Topology,
    /// Its namespaces, held open, and the links in them.
    pub(super) ground: Ground,
    /// Engines that were asked and did not answer.
    pub(super) silent: Vec<Address>,
    /// The host's name.
    pub(super) host: String,
    /// When, in nanoseconds since the Unix epoch.
    pub(super) time_ns: u64,
}

/// The engines that the environment names, and those at the usual places.
pub(super) fn engines() -> Engines {
    Engines::from_environment()
}

/// Looks at the kernel and these engines.
pub(super) async fn look(engines: &Engines) -> anyhow::Result<Look> {
    let begin = Instant::now();
    let (scan, answers) = tokio::join!(scan(), engines.containers(PATIENCE));
    let mut scan = scan.context("looking at the host")?;
    scan.facts.engine_containers = answers.containers;
    scan.facts.warnings.extend(answers.warnings);
    let topology = Topology::join(&scan.facts);
    tracing::debug!(
        took = ?begin.elapsed(),
        namespaces = scan.facts.namespaces.len(),
        processes = scan.facts.processes.len(),
        containers = topology.containers.len(),
        "looked at the host"
    );
    let ground = Ground {
        namespaces: scan.namespaces,
        links: scan.facts.namespaces.into_iter().map(|namespace| (namespace.id, namespace.links)).collect(),
        host: scan.facts.host,
    };
    Ok(Look { topology, ground, silent: answers.silent, host: crate::sys::system()?.host, time_ns: now_ns() })
}

/// The network namespace of a process; none where there is no such process or it may not be seen.
pub(super) fn namespace_of(pid: u32) -> Option<NamespaceId> {
    let nsfs = fs::metadata(format!("/proc/{pid}/ns/net")).ok()?;
    Some(NamespaceId::new(nsfs.dev(), nsfs.ino()))
}

fn now_ns() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}
