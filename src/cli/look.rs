//! One look at the host: kernel and engines asked at the same time, and joined.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    os::unix::fs::MetadataExt as _,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;

use crate::capture::Ground;
use crate::discovery::engine::{Address, Engines, PATIENCE};
use crate::discovery::{EngineContainer, EngineNetwork, Facts, RequestedMode, Topology, scan};
use crate::model::{Engine, Membership, NamespaceId, State as ContainerState};
use crate::netmode::State;

/// The host as it was at one moment.
#[derive(Debug)]
pub(super) struct Look {
    /// Who is connected to what.
    pub(super) topology: Topology,
    /// Its namespaces, held open, and the links in them.
    pub(super) ground: Ground,
    /// The engines' networks.
    pub(super) networks: Vec<EngineNetwork>,
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
    scan.facts.engine_containers.extend(scan.facts.host.into_iter().flat_map(sandboxes));
    scan.facts.warnings.extend(answers.warnings);
    let mut topology = Topology::join(&scan.facts);
    topology.warnings.extend(nameless(&topology, &scan.facts));
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
    let networks = answers.networks;
    Ok(Look {
        topology,
        ground,
        networks,
        silent: answers.silent,
        host: crate::sys::system()?.host,
        time_ns: now_ns(),
    })
}

/// Our own sandboxes, as containers among others.
pub(super) fn sandboxes(host: NamespaceId) -> impl Iterator<Item = EngineContainer> {
    State::of(host).live().into_iter().map(|record| {
        let requested = match (record.mode.parse(), record.mode.strip_prefix("container:")) {
            (_, Some(target)) => RequestedMode::Container(target.to_owned()),
            (Ok(mode), None) => RequestedMode::Mode(mode),
            (Err(never), None) => match never {},
        };
        let membership = record.bridge.clone().map(|bridge| Membership {
            network: bridge.to_string(),
            bridge: Some(bridge),
            addresses: record.addresses.iter().map(|found| found.address).collect(),
            mac: None,
            aliases: vec![record.name.to_string()],
        });
        EngineContainer {
            id: record.id.to_string(),
            name: record.name.to_string(),
            engine: Engine::Pcapsule,
            image: None,
            state: ContainerState::Running,
            network_mode: Some(requested),
            pid: record.process,
            sandbox: None,
            networks: membership.into_iter().collect(),
            published: record.published(),
            labels: BTreeMap::new(),
            pod: None,
        }
    })
}

/// The bridges of our own sandboxes, as networks among others. One is internal if nobody on it has a way out.
pub(super) fn sandbox_networks(host: NamespaceId) -> Vec<EngineNetwork> {
    let mut networks: Vec<EngineNetwork> = Vec::new();
    for record in State::of(host).live() {
        let Some(bridge) = &record.bridge else { continue };
        match networks.iter_mut().find(|network| network.bridge.as_ref() == Some(bridge)) {
            Some(known) => known.internal &= record.is_internal(),
            None => networks.push(EngineNetwork {
                name: bridge.to_string(),
                driver: "bridge".to_owned(),
                bridge: Some(bridge.clone()),
                gateways: Vec::new(),
                internal: record.is_internal(),
                between_members: true,
            }),
        }
    }
    networks
}

/// Containers that only their cgroups tell of, although they have an engine that could name them.
fn nameless(topology: &Topology, facts: &Facts) -> Option<String> {
    let named: HashSet<&str> =
        facts.engine_containers.iter().map(|container| container.id.as_str()).collect();
    let engine_could = |engine: &Engine| matches!(engine, Engine::Docker | Engine::Podman);
    let mut nameless = topology
        .containers
        .iter()
        .filter(|container| engine_could(&container.engine) && !named.contains(container.id.as_str()));
    let first = nameless.next()?;
    let (engine, others) = (&first.engine, nameless.count());
    let more = if others > 0 { format!(" and {others} more") } else { String::new() };
    Some(format!(
        "{engine} did not tell of {}{more}: shown by id, without image and ports (is its socket there? `systemctl start \
         {engine}.socket`)",
        first.name
    ))
}

/// The network namespace of a process; none where there is no such process or it may not be seen.
pub(super) fn namespace_of(pid: u32) -> Option<NamespaceId> {
    let nsfs = fs::metadata(format!("/proc/{pid}/ns/net")).ok()?;
    Some(NamespaceId::new(nsfs.dev(), nsfs.ino()))
}

pub(super) fn now_ns() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::{NamespaceFacts, ProcessFacts};

    #[test]
    fn containers_that_no_engine_names_are_told_of() {
        let (host, own) = (NamespaceId::new(4, 1), NamespaceId::new(4, 2));
        let id = "4f2a".repeat(16);
        let process = |pid, namespace, cgroup: String| ProcessFacts {
            pid,
            start_time: u64::from(pid),
            namespace,
            cgroup,
            command: "sleep".to_owned(),
        };
        let facts = Facts {
            host: Some(host),
            namespaces: [host, own]
                .map(|id| NamespaceFacts { id, paths: Vec::new(), links: Vec::new(), netnsids: [].into() })
                .into(),
            processes: vec![
                process(1, host, "/init.scope".to_owned()),
                process(2, own, format!("/machine.slice/libpod-{id}.scope")),
            ],
            ..Facts::default()
        };
        let warning = nameless(&Topology::join(&facts), &facts).unwrap();
        assert!(warning.starts_with("podman did not tell of 4f2a4f2a4f2a: "), "{warning}");
        assert!(warning.contains("systemctl start podman.socket"));
        assert_eq!(nameless(&Topology::default(), &facts), None);
    }
}
