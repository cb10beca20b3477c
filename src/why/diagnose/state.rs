//! Containers that cannot answer, whatever the network does: they do not run, or are held.

use crate::model::{Container, NetworkMode, PublishedPort, State};
use crate::why::facts::Listener;
use crate::why::finding::{Code, Finding};

use super::Examiner;

/// A container that was restarted and is younger than that has just been restarted.
const YOUNG_SECONDS: u64 = 10;

impl<'a> Examiner<'a> {
    /// Why a container cannot answer at all, if so.
    pub(super) fn state(&self, container: &Container) -> Option<Finding> {
        let name = &container.name;
        let detail = self.facts.details.get(&container.id);
        let word = format!("state of {name}: {}", container.state);
        let restarts = detail.map_or(0, |detail| detail.restarts);
        match &container.state {
            State::Running => None,
            State::Paused => Some(
                Finding::new(
                    Code::ProcessStopped,
                    format!("{name} is paused: its sockets take connections, and nobody answers them"),
                )
                .seen(word)
                .repair(format!("{} unpause {name}", container.engine)),
            ),
            State::Restarting => Some(restarting(name, restarts, word)),
            _ => Some(self.not_running(container, word)),
        }
    }

    /// A container that runs at the moment, and will not for long.
    pub(super) fn just_restarted(&self, container: &Container) -> Option<Finding> {
        let detail = self.facts.details.get(&container.id)?;
        let young = detail.age.is_none_or(|age| age < YOUNG_SECONDS);
        let word = format!("state of {}: {}", container.name, container.state);
        (detail.restarts > 0 && young).then(|| restarting(&container.name, detail.restarts, word))
    }

    fn not_running(&self, container: &Container, word: String) -> Finding {
        let name = &container.name;
        let detail = self.facts.details.get(&container.id);
        let failure = detail.and_then(|detail| detail.failure.as_deref()).unwrap_or_default();
        if let Some(finding) =
            detail.and_then(|detail| self.port_taken(container, &detail.asked_ports, failure))
        {
            return finding.seen(word);
        }
        let reason =
            if failure.is_empty() { String::new() } else { format!("; its last start failed: {failure}") };
        Finding::new(
            Code::NotRunning,
            format!("{name} is not running: its state is {}{reason}", container.state),
        )
        .seen(word)
        .seen_all((!failure.is_empty()).then(|| format!("{} says: {failure}", container.engine)))
        .repair(format!("{} start {name}", container.engine))
    }

    /// A container that could not start since somebody else has its host port.
    fn port_taken(&self, container: &Container, asked: &[PublishedPort], failure: &str) -> Option<Finding> {
        let blames_port = failure.contains("already allocated")
            || failure.contains("address already in use")
            || failure.contains("port is already");
        if !blames_port {
            return None;
        }
        let name = &container.name;
        let host = self.facts.host()?;
        let holder = |port: &PublishedPort| {
            let other = self.facts.topology.containers.iter().find(|other| {
                other.id != container.id && other.published.iter().any(|theirs| clash(theirs, port))
            });
            let socket = host.listeners.iter().find(|listener| is_at(listener, port));
            match (other, socket) {
                (Some(other), _) => Some(format!("the container {}", other.name)),
                (None, Some(listener)) => Some(listener.holder_words()),
                // What has it now does not listen: a connection that goes out, or whoever listened then has ended.
                (None, None) => failure
                    .contains(&format!(":{}:", port.host_port))
                    .then(|| "a socket that does not listen (now)".to_owned()),
            }
        };
        let (port, holder) = asked.iter().find_map(|port| Some((port, holder(port)?)))?;
        let sentence = format!(
            "{name} could not be started: {holder} holds the host port {}/{} that it is to be published on",
            port.host_port, port.protocol
        );
        Some(
            Finding::new(Code::HostPortTaken, sentence)
                .seen(format!("{} says: {failure}", container.engine))
                .seen(format!("host port {}/{}: {holder}", port.host_port, port.protocol))
                .repair(format!("end {holder}, or publish another port, and start {name} again")),
        )
    }

    /// A container in host mode whose port somebody else holds.
    pub(super) fn host_mode_taken(&self, container: &'a Container, port: u16) -> Option<Finding> {
        let asked_for_host = container.mode == NetworkMode::Host;
        let listener =
            self.facts.host()?.listeners.iter().find(|listener| {
                listener.protocol == self.question.protocol && listener.local.port() == port
            })?;
        // Whoever has joined the container is one of its own.
        let joined = |id: &str| {
            let other = self.facts.container(id);
            id == container.id || other.is_some_and(|other| other.mode == NetworkMode::Shared)
        };
        let is_own = |listener: &Listener| {
            listener.holders.iter().any(|holder| holder.container.as_deref().is_some_and(joined))
        };
        if !asked_for_host || is_own(listener) || listener.holders.is_empty() {
            return None;
        }
        let holder = listener.holder_words();
        let whose = listener.holders.iter().find_map(|holder| holder.container.as_deref());
        let whose = whose.and_then(|id| self.facts.container(id));
        let of = whose.map(|other| format!(" of the container {}", other.name)).unwrap_or_default();
        let sentence = format!(
            "{} is in host mode, and port {port}/{} of the host is held by {holder}{of}, not by it",
            container.name, listener.protocol
        );
        Some(
            Finding::new(Code::HostModePortTaken, sentence)
                .seen(format!("socket {} of {holder}{of}", listener.words()))
                .seen(format!("state of {}: {}", container.name, container.state))
                .repair(format!("end {holder}, or let {} listen on another port", container.name)),
        )
    }
}

fn restarting(name: &str, restarts: u64, word: String) -> Finding {
    let sentence =
        format!("{name} ends again and again, and is restarted each time ({restarts} times so far)");
    Finding::new(Code::Restarting, sentence)
        .seen(word)
        .seen(format!("restarts of {name}: {restarts}"))
        .repair(format!("docker logs --tail 20 {name}  # says why it ends"))
}

/// Whether two published ports cannot both be.
fn clash(one: &PublishedPort, other: &PublishedPort) -> bool {
    let same_family = one.host_ip.is_ipv4() == other.host_ip.is_ipv4();
    let meet = one.host_ip == other.host_ip || one.host_ip.is_unspecified() || other.host_ip.is_unspecified();
    one.host_port == other.host_port && one.protocol == other.protocol && same_family && meet
}

fn is_at(listener: &Listener, port: &PublishedPort) -> bool {
    listener.protocol == port.protocol && listener.local.port() == port.host_port
}
