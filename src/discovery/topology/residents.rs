//! Who lives in which namespace: containers that engines name, those that only cgroups name, and namespaces that belong
//! to neither.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::Path,
};

use crate::model::{Container, Engine, LinkKind, NamespaceId, NetworkMode, State};

use crate::discovery::{EngineContainer, Facts, NamespaceFacts, Origin, ProcessFacts, RequestedMode};

/// Every container, with its first process and its namespace, but not connected yet.
pub(super) fn containers(facts: &Facts) -> Vec<Container> {
    let population = Population::of(facts);
    let known: HashSet<&str> =
        facts.engine_containers.iter().map(|container| container.id.as_str()).collect();
    let by_engines = facts.engine_containers.iter().map(|container| population.named_by_engine(container));
    let by_cgroups = population.groups.values().filter(|group| !known.contains(group.origin.id.as_str()));
    let mut containers: Vec<_> =
        by_engines.chain(by_cgroups.map(|group| population.named_by_cgroup(group))).collect();
    let mut taken: HashSet<_> = containers.iter().filter_map(|container| container.namespace).collect();
    taken.extend(facts.host);
    let rest = facts.namespaces.iter().filter(|namespace| !taken.contains(&namespace.id));
    containers.extend(rest.filter_map(|namespace| population.bare_namespace(namespace)));
    containers
}

/// The processes, by what they have in common.
struct Population<'a> {
    facts: &'a Facts,
    groups: BTreeMap<String, Group<'a>>,
    /// The longest-lived process of each namespace.
    first_in: HashMap<NamespaceId, &'a ProcessFacts>,
    paths: HashMap<NamespaceId, &'a [String]>,
}

/// The processes whose cgroups name one container.
struct Group<'a> {
    origin: Origin,
    first: &'a ProcessFacts,
}

impl<'a> Population<'a> {
    fn of(facts: &'a Facts) -> Self {
        let mut oldest_first: Vec<&ProcessFacts> = facts.processes.iter().collect();
        oldest_first.sort_by_key(|process| (process.start_time, process.pid));
        let mut groups = BTreeMap::new();
        let mut first_in = HashMap::new();
        for first in oldest_first {
            first_in.entry(first.namespace).or_insert(first);
            if let Some(origin) = Origin::of_cgroup(&first.cgroup) {
                groups.entry(origin.id.clone()).or_insert(Group { origin, first });
            }
        }
        let paths = facts.namespaces.iter().map(|found| (found.id, found.paths.as_slice())).collect();
        Self { facts, groups, first_in, paths }
    }

    fn named_by_engine(&self, container: &EngineContainer) -> Container {
        let process = self.process_of(container).filter(|process| self.has_settled(container, process));
        let by_sandbox = || if container.state.is_live() { self.sandbox_of(container) } else { None };
        let namespace = process.map(|process| process.namespace).or_else(by_sandbox);
        let pod = || self.groups.get(&container.id)?.origin.pod.clone();
        Container {
            id: container.id.clone(),
            name: container.name.clone(),
            engine: container.engine.clone(),
            image: container.image.clone(),
            state: container.state.clone(),
            networks: container.networks.clone(),
            published: container.published.clone(),
            labels: container.labels.clone(),
            pod: container.pod.clone().or_else(pod),
            ..self.resident(process, namespace)
        }
    }

    /// A container that is being started has a process before its engine calls it running, for a moment still in the
    /// host's namespace.
    fn has_settled(&self, container: &EngineContainer, process: &ProcessFacts) -> bool {
        container.state.is_live() || Some(process.namespace) != self.facts.host
    }

    fn named_by_cgroup(&self, group: &Group<'_>) -> Container {
        Container {
            id: group.origin.id.clone(),
            name: group.origin.name().to_owned(),
            engine: group.origin.engine.clone(),
            pod: group.origin.pod.clone(),
            ..self.resident(Some(group.first), Some(group.first.namespace))
        }
    }

    /// A namespace of its own, called by its mount or else by its first process. One that a process inside a known
    /// container made to have no network at all (a sandbox, as browsers do) is left out.
    fn bare_namespace(&self, namespace: &NamespaceFacts) -> Option<Container> {
        let process = self.first_in.get(&namespace.id).copied();
        let mount = namespace.paths.first().and_then(|path| Path::new(path).file_name());
        let name = match (mount, process) {
            (Some(mount), _) => mount.to_string_lossy().into_owned(),
            (None, Some(process)) if is_sandbox(process, namespace) => return None,
            (None, Some(process)) => format!("{}-{}", process.command, namespace.id.inode()),
            (None, None) => return None,
        };
        let id = namespace.id.inode().to_string();
        Some(Container { id, name, ..self.resident(process, Some(namespace.id)) })
    }

    /// A bare namespace, to be filled in.
    fn resident(&self, process: Option<&ProcessFacts>, namespace: Option<NamespaceId>) -> Container {
        let paths = namespace.and_then(|namespace| self.paths.get(&namespace)).copied().unwrap_or_default();
        let is_host = namespace.is_some() && namespace == self.facts.host;
        Container {
            id: String::new(),
            name: String::new(),
            engine: Engine::Namespace,
            image: None,
            state: State::Running,
            mode: NetworkMode::None,
            pid: process.map(|process| process.pid),
            namespace,
            namespace_paths: if is_host { Vec::new() } else { paths.to_vec() },
            endpoints: Vec::new(),
            networks: Vec::new(),
            published: Vec::new(),
            labels: BTreeMap::new(),
            pod: None,
            cgroup: process.map(|process| process.cgroup.clone()),
            shares_with: Vec::new(),
        }
    }

    /// The engine's word if our process table bears it out, because an engine may count its processes in another pid
    /// namespace or on another machine; otherwise the first process whose cgroup names the container.
    fn process_of(&self, container: &EngineContainer) -> Option<&'a ProcessFacts> {
        let told = container.pid.and_then(|pid| self.facts.processes.iter().find(|found| found.pid == pid));
        let by_cgroup = || self.groups.get(&container.id).map(|group| group.first);
        told.filter(|process| self.is_plausible(process, container)).or_else(by_cgroup)
    }

    /// Without cgroups of its own (`--cgroups=disabled`), a container at least has another namespace than the host.
    fn is_plausible(&self, process: &ProcessFacts, container: &EngineContainer) -> bool {
        let asked_for_host = container.network_mode == Some(RequestedMode::Mode(NetworkMode::Host));
        match Origin::of_cgroup(&process.cgroup) {
            Some(_) => process.cgroup.contains(&container.id),
            None => asked_for_host || Some(process.namespace) != self.facts.host,
        }
    }

    /// Docker calls the host's namespace "default", which is no proof: every machine has one.
    fn sandbox_of(&self, container: &EngineContainer) -> Option<NamespaceId> {
        let sandbox = container.sandbox.as_deref()?;
        let sandbox =
            sandbox.strip_prefix("/var").filter(|rest| rest.starts_with("/run/")).unwrap_or(sandbox);
        let holds = |found: &&NamespaceFacts| found.paths.iter().any(|path| path.ends_with(sandbox));
        let found = self.facts.namespaces.iter().find(holds)?;
        (Some(found.id) != self.facts.host).then_some(found.id)
    }
}

fn is_sandbox(process: &ProcessFacts, namespace: &NamespaceFacts) -> bool {
    let is_alone = namespace.links.iter().all(|link| link.kind == LinkKind::Loopback);
    is_alone && Origin::of_cgroup(&process.cgroup).is_some()
}
