//! Fills the facts: one pass over a namespace, which reads and changes nothing.
//!
//! What cannot be read is left out and said in a sentence, so that nobody concludes anything from its absence.

mod firewall;
mod names;
mod settings;
mod sockets;

use std::collections::HashMap;

use crate::discovery::Topology;
use crate::model::{Container, Link, NamespaceId};
use crate::sys::netlink::{Neighbour, NeighbourState, Netlink};
use crate::sys::netns::Namespace;
use crate::sys::process::{Process, ProcessTable};

use super::facts::Space;
use super::walk::Asked;

/// What was seen of the host before: who is connected to what, and the namespaces held open.
#[derive(Debug)]
pub struct Ground<'a> {
    /// Who is connected to what.
    pub topology: &'a Topology,
    /// The namespaces.
    pub namespaces: &'a HashMap<NamespaceId, Namespace>,
    /// The links of each.
    pub links: &'a HashMap<NamespaceId, Vec<Link>>,
    processes: Vec<Process>,
}

impl<'a> Ground<'a> {
    /// Reads the table of processes besides.
    pub fn new(
        topology: &'a Topology,
        namespaces: &'a HashMap<NamespaceId, Namespace>,
        links: &'a HashMap<NamespaceId, Vec<Link>>,
    ) -> Self {
        let processes = ProcessTable::read().map(|table| table.processes).unwrap_or_default();
        Self { topology, namespaces, links, processes }
    }

    /// Everything about one namespace; none where it cannot be entered. Must run in a tokio runtime.
    pub async fn space(&self, id: NamespaceId, unseen: &mut Vec<String>) -> Option<Space> {
        let namespace = self.namespaces.get(&id)?;
        let name = self.name_of(id);
        let mut space = Space::empty(id);
        space.links = self.links.get(&id).cloned().unwrap_or_default();
        let mut note = |what: &str, error: &dyn std::error::Error| {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            let sentence = format!("the {what} of {name} could not be read: {error}{cause}");
            if !unseen.contains(&sentence) {
                unseen.push(sentence);
            }
        };
        match Netlink::open_in(namespace) {
            Ok(mut netlink) => {
                match netlink.routes().await {
                    Ok(routes) => space.routes = routes,
                    Err(error) => note("routes", &error),
                }
                match netlink.rules().await {
                    Ok(rules) => space.rules = rules,
                    Err(error) => note("routing rules", &error),
                }
                match netlink.neighbours().await {
                    Ok(neighbours) => space.neighbours = neighbours,
                    Err(error) => note("neighbours", &error),
                }
                space.forwarding = netlink.forwarding().await.unwrap_or_default();
                space.hooks = netlink.hooks().await.unwrap_or_default();
                match netlink.bridge_ports().await {
                    Ok(ports) => space.ports = ports,
                    Err(error) => note("bridge ports", &error),
                }
            }
            Err(error) => note("routes", &error),
        }
        match sockets::listeners(namespace, &self.holders(id)) {
            Ok(listeners) => space.listeners = listeners,
            Err(error) => note("sockets", &error),
        }
        let (settings, counters) = settings::read(namespace, &space.links);
        (space.settings, space.counters) = (settings, counters);
        space.firewall = firewall::read(namespace);
        for sentence in &space.firewall.unread {
            unseen.push(format!("the rules of {name}: {sentence}"));
        }
        if let Some(resident) = self.resident(id) {
            space.names = names::read(resident);
        }
        Some(space)
    }

    /// Those of these neighbours whose hardware addresses are not known although they were asked for.
    pub async fn unanswered(&self, all: &[Asked]) -> Vec<Asked> {
        let mut silent = Vec::new();
        for asked in all {
            let Some(namespace) = self.namespaces.get(&asked.namespace) else { continue };
            let Ok(mut netlink) = Netlink::open_in(namespace) else { continue };
            let neighbours = netlink.neighbours().await.unwrap_or_default();
            let waits = |one: &Neighbour| {
                (one.link, one.address) == (asked.link, asked.next)
                    && matches!(one.state, NeighbourState::Incomplete | NeighbourState::Failed)
            };
            if neighbours.iter().any(waits) && !silent.contains(asked) {
                silent.push(*asked);
            }
        }
        silent
    }

    /// Looks at the sockets of a namespace again, and marks those of which none was accepted meanwhile although some wait.
    pub fn look_again(&self, space: &mut Space) {
        let Some(namespace) = self.namespaces.get(&space.id) else { return };
        let Ok(now) = sockets::listeners(namespace, &[]) else { return };
        for listener in space.listeners.iter_mut().filter(|listener| listener.waiting > 0) {
            let same =
                now.iter().find(|other| other.local == listener.local && other.protocol == listener.protocol);
            listener.unattended = same.is_some_and(|other| other.waiting >= listener.waiting);
        }
    }

    /// The processes that may hold sockets of a namespace, those in it first, each with its container.
    fn holders(&self, id: NamespaceId) -> Vec<(u32, Option<String>)> {
        let of = |process: &Process| {
            let named = |container: &&Container| {
                container.id.len() >= 12
                    && process.cgroups.iter().any(|path| path.contains(container.id.as_str()))
            };
            let by_cgroup = self.topology.containers.iter().find(named).map(|container| container.id.clone());
            let by_pid = || {
                let first =
                    self.topology.containers.iter().find(|container| container.pid == Some(process.pid));
                first.map(|container| container.id.clone())
            };
            (process.pid, by_cgroup.or_else(by_pid))
        };
        self.processes.iter().filter(|process| process.namespace == id).map(of).collect()
    }

    fn resident(&self, id: NamespaceId) -> Option<&'a Container> {
        let here = || self.topology.containers.iter().filter(|container| container.namespace == Some(id));
        here().find(|container| container.pid.is_some()).or_else(|| here().next())
    }

    fn name_of(&self, id: NamespaceId) -> String {
        if Some(id) == self.topology.host {
            return "the host".to_owned();
        }
        self.resident(id).map_or_else(|| id.to_string(), |container| container.name.clone())
    }

    /// Seconds since a process began.
    pub fn age(&self, pid: u32) -> Option<u64> {
        /// Clock ticks in a second, as /proc counts them on every machine (`USER_HZ`).
        const TICKS: u64 = 100;
        let process = self.processes.iter().find(|process| process.pid == pid)?;
        let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
        let seconds: u64 = uptime.split(['.', ' ']).next()?.parse().ok()?;
        Some(seconds.saturating_sub(process.start_time / TICKS))
    }
}
