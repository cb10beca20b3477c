//! What the words on the command line mean on this host: selectors against a topology. Pure.

use std::{path::Path, ptr};

use crate::capture::NoCgroup;
use crate::discovery::Topology;
use crate::model::{Container, InvalidSelector, Link, LinkKind, LinkName, NamespaceId, Selector, State};

use super::advice;

/// What was selected, each thing once, in the order it was named.
#[derive(Debug, Default)]
pub(super) struct Selection<'a> {
    /// Containers.
    pub(super) containers: Vec<&'a Container>,
    /// Interfaces of the host, from `bridge=` and `if=`.
    pub(super) interfaces: Vec<&'a Link>,
    /// Paths of cgroups, from `cgroup=`; whether there are such is not known here.
    pub(super) cgroups: Vec<String>,
}

/// Whether containers that have ended may be selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Included,
    Excluded,
}

/// A word that means nothing here, or too much.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Error {
    #[error("finding a container named '{word}'")]
    UnknownWord { word: String, advice: String },
    #[error("finding a container for '{}'", .0.selector)]
    NoMatch(Unmatched),
    #[error("finding '{selector}' running: container {name} is {state}")]
    NotLive { selector: String, name: String, state: State },
    #[error("finding anything to listen on: {0}")]
    NothingToHear(String),
    #[error("finding anything to listen on: {0}")]
    NothingThere(String),
    #[error("telling the packets of container {name} from others: it {reason}")]
    NoCgroup { name: String, reason: NoCgroup },
    #[error("finding the cgroup {0}")]
    UnknownCgroup(String),
    #[error("telling which container '{selector}' means: {}", candidates.join(", "))]
    Ambiguous { selector: String, candidates: Vec<String> },
    #[error("finding the network namespace of process {0}")]
    UnknownProcess(u32),
    #[error("finding a container of process {0}: it is in the host's own network namespace")]
    HostProcess(u32),
    #[error("finding the interface {name} on the host")]
    UnknownLink { name: LinkName, advice: String },
    #[error("taking {name} as a bridge: its kind is {kind}")]
    NotABridge { name: LinkName, kind: LinkKind },
    #[error("finding a container in '{0}': that is an interface of the host")]
    NotAContainer(String),
    #[error("finding a container in '{0}': that is a cgroup")]
    NotAContainerButCgroup(String),
}

/// A selector that picks none of the containers there are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unmatched {
    selector: String,
    advice: String,
}

impl Error {
    /// What to try instead.
    pub(super) fn hint(&self) -> String {
        match self {
            Self::UnknownWord { advice, .. }
            | Self::UnknownLink { advice, .. }
            | Self::NoMatch(Unmatched { advice, .. }) => advice.clone(),
            Self::NoCgroup { .. } => {
                "host mode is told by control groups of version 2; `pcapsule capture if=NAME` captures an interface of \
                 the host, its packets among all"
                    .to_owned()
            }
            Self::UnknownCgroup(_) => {
                "`systemd-cgls` lists them; a path is that below the mount point, as in /proc/PID/cgroup"
                    .to_owned()
            }
            Self::NotAContainerButCgroup(selector) => {
                format!("`pcapsule capture {selector}` captures its packets")
            }
            Self::NothingToHear(_) => {
                "without --no-follow the capture waits for a container to start".to_owned()
            }
            Self::NothingThere(_) => {
                "other places to listen at (the loopback, the sockets) are among the options of the interface".to_owned()
            }
            Self::NotLive { .. } => "`pcapsule ls --all` lists ended containers too".to_owned(),
            Self::Ambiguous { .. } => "type more of the id, or the name".to_owned(),
            Self::UnknownProcess(_) => "has it ended, or does it belong to another user?".to_owned(),
            Self::HostProcess(_) => "if=NAME selects an interface of the host".to_owned(),
            Self::NotABridge { name, .. } => format!("if={name} selects any interface"),
            Self::NotAContainer(selector) => format!("`pcapsule ls {selector}` shows it"),
        }
    }

    /// Whether it may be there all the same, for somebody who is allowed to see more.
    pub(super) fn may_be_hidden(&self) -> bool {
        match self {
            Self::UnknownWord { .. } | Self::NoMatch(_) | Self::NothingThere(_) => true,
            Self::UnknownProcess(pid) => Path::new("/proc").join(pid.to_string()).exists(),
            _ => false,
        }
    }
}

/// A selector as it is typed, refused in words that say what to type.
pub(super) fn selector(text: &str) -> Result<Selector, String> {
    if text.is_empty() {
        return Err("an empty word selects nothing; `all` selects every container".to_owned());
    }
    if text.starts_with('=') {
        return Err("a word is missing before '=', as in name=web-*".to_owned());
    }
    text.parse().map_err(|error: InvalidSelector| match error {
        InvalidSelector::Link(_) if text.starts_with("bridge=") => {
            format!("{error}; network=NAME selects the containers of a network")
        }
        error => error.to_string(),
    })
}

/// Everything that one of `selectors` names. `namespace_of` tells a process's network namespace.
///
/// Every selector but `all` must find something. The start of an id must be that of one container only.
pub(super) fn select<'a>(
    topology: &'a Topology,
    selectors: &[Selector],
    ended: Ended,
    namespace_of: impl Fn(u32) -> Option<NamespaceId>,
) -> Result<Selection<'a>, Error> {
    let mut selection = Selection::default();
    for selector in selectors {
        match selector {
            Selector::Bridge(name) => add_once(&mut selection.interfaces, bridge(topology, name)?),
            Selector::Interface(name) => add_once(&mut selection.interfaces, link(topology, name)?),
            Selector::Cgroup(path) => selection.cgroups.push(path.clone()),
            _ => {
                let named = named_containers(topology, selector, &namespace_of)?;
                for container in without_ended(named, selector, ended)? {
                    add_once(&mut selection.containers, container);
                }
            }
        }
    }
    Ok(selection)
}

/// The same, leaving out the selectors whose error is forgiven: for those who wait for what is still to come.
pub(super) fn select_forgiving<'a>(
    topology: &'a Topology,
    selectors: &[Selector],
    ended: Ended,
    namespace_of: impl Fn(u32) -> Option<NamespaceId>,
    forgiven: impl Fn(&Error) -> bool,
) -> Result<Selection<'a>, Error> {
    let mut all = Selection::default();
    for word in selectors.chunks(1) {
        match select(topology, word, ended, &namespace_of) {
            Ok(found) => all.add(found),
            Err(error) if forgiven(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

impl Selection<'_> {
    /// Joins another selection of the same topology.
    pub(super) fn add(&mut self, other: Self) {
        other.containers.into_iter().for_each(|container| add_once(&mut self.containers, container));
        other.interfaces.into_iter().for_each(|link| add_once(&mut self.interfaces, link));
        self.cgroups.extend(other.cgroups);
    }

    /// Refuses cgroups, which only a capture knows what to do with.
    pub(super) fn without_cgroups(self) -> Result<Self, Error> {
        match self.cgroups.first() {
            Some(path) => Err(Error::NotAContainerButCgroup(format!("cgroup={path}"))),
            None => Ok(self),
        }
    }
}

fn add_once<'a, T>(items: &mut Vec<&'a T>, item: &'a T) {
    if !items.iter().any(|known| ptr::eq(*known, item)) {
        items.push(item);
    }
}

/// At least one, except for `all`.
fn named_containers<'a>(
    topology: &'a Topology,
    selector: &Selector,
    namespace_of: impl Fn(u32) -> Option<NamespaceId>,
) -> Result<Vec<&'a Container>, Error> {
    let found = match selector {
        Selector::Word(word) => {
            let exact = matching(topology, |container| container.name == *word);
            if exact.is_empty() { only_one(topology, selector)? } else { exact }
        }
        Selector::Id(_) => only_one(topology, selector)?,
        Selector::Pid(pid) => sharing_with(topology, *pid, namespace_of)?,
        _ => matching(topology, |container| selector.matches(container)),
    };
    match selector {
        Selector::All => Ok(found),
        Selector::Word(word) if found.is_empty() => {
            Err(Error::UnknownWord { word: word.clone(), advice: advice::on_word(topology, word) })
        }
        _ if found.is_empty() => Err(Error::NoMatch(Unmatched {
            selector: selector.to_string(),
            advice: advice::on_selector(topology, selector),
        })),
        _ => Ok(found),
    }
}

fn matching(topology: &Topology, wanted: impl Fn(&Container) -> bool) -> Vec<&Container> {
    topology.containers.iter().filter(|container| wanted(container)).collect()
}

/// The container whose id begins so, if any.
fn only_one<'a>(topology: &'a Topology, selector: &Selector) -> Result<Vec<&'a Container>, Error> {
    let found = matching(topology, |container| selector.matches(container));
    if found.len() < 2 {
        return Ok(found);
    }
    let candidates = found.iter().map(|found| format!("{} ({})", found.short_id(), found.name)).collect();
    Err(Error::Ambiguous { selector: selector.to_string(), candidates })
}

/// The containers in a process's namespace. In the host's namespace only the process itself tells them apart.
fn sharing_with(
    topology: &Topology,
    pid: u32,
    namespace_of: impl Fn(u32) -> Option<NamespaceId>,
) -> Result<Vec<&Container>, Error> {
    let namespace = namespace_of(pid).ok_or(Error::UnknownProcess(pid))?;
    if topology.host != Some(namespace) {
        return Ok(matching(topology, |container| container.namespace == Some(namespace)));
    }
    let found = matching(topology, |container| container.pid == Some(pid));
    if found.is_empty() { Err(Error::HostProcess(pid)) } else { Ok(found) }
}

fn without_ended<'a>(
    mut containers: Vec<&'a Container>,
    selector: &Selector,
    ended: Ended,
) -> Result<Vec<&'a Container>, Error> {
    let first = containers.first().copied();
    if ended == Ended::Excluded {
        containers.retain(|container| container.namespace.is_some());
    }
    match first {
        Some(first) if containers.is_empty() && *selector != Selector::All => Err(Error::NotLive {
            selector: selector.to_string(),
            name: first.name.clone(),
            state: first.state.clone(),
        }),
        _ => Ok(containers),
    }
}

fn link<'a>(topology: &'a Topology, name: &LinkName) -> Result<&'a Link, Error> {
    let found = topology.host_links.iter().find(|link| link.name == *name);
    found.ok_or_else(|| Error::UnknownLink { name: name.clone(), advice: advice::on_link(topology, name) })
}

fn bridge<'a>(topology: &'a Topology, name: &LinkName) -> Result<&'a Link, Error> {
    let link = link(topology, name)?;
    match &link.kind {
        LinkKind::Bridge => Ok(link),
        kind => Err(Error::NotABridge { name: name.clone(), kind: kind.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    /// Names of what is selected, `!` and the message where it is an error.
    fn selected(words: &str, ended: Ended) -> String {
        let topology = fixture::topology();
        let selectors: Vec<Selector> = words.split(' ').map(|word| word.parse().unwrap()).collect();
        let namespace_of = |pid| match pid {
            1 | 4711 => topology.host,
            100 => Some(fixture::namespace(1)),
            _ => None,
        };
        match select(&topology, &selectors, ended, namespace_of) {
            Ok(selection) => {
                let containers = selection.containers.iter().map(|container| container.name.as_str());
                let interfaces = selection.interfaces.iter().map(|link| link.name.as_str());
                containers.chain(interfaces).collect::<Vec<_>>().join(" ")
            }
            Err(error) => format!("!{error}; {}", error.hint()),
        }
    }

    #[test]
    fn selectors_add_up_and_nothing_comes_twice() {
        for (words, found) in [
            ("web", "web"),
            ("web dind web all", "web dind agent inner lan side"),
            ("name=*d*", "dind side"),
            ("service=web if=eth0", "web eth0"),
            ("bridge=docker0 if=docker0", "docker0"),
            ("4f2a", "web"),
            ("mode=host", "agent"),
            ("pid=100", "side web"),
            ("all", "agent dind inner lan side web"),
        ] {
            assert_eq!(selected(words, Ended::Excluded), found, "{words}");
        }
        assert_eq!(selected("all", Ended::Included), "agent db dind inner lan side web");
    }

    #[test]
    fn what_cannot_be_found_says_why_and_what_instead() {
        for (words, complaint) in [
            ("wbe", "!finding a container named 'wbe'; nearest: web"),
            ("nginx", "!finding a container named 'nginx'; try image=nginx"),
            (
                "image=redis",
                "!finding a container for 'image=redis'; found: agent, db, dind, inner, lan and 2 more",
            ),
            ("if=eth1", "!finding the interface eth1 on the host; nearest: eth0, veth1a2b"),
            ("bridge=eth0", "!taking eth0 as a bridge: its kind is hardware; if=eth0 selects any interface"),
            (
                "pid=7",
                "!finding the network namespace of process 7; has it ended, or does it belong to another user?",
            ),
        ] {
            assert_eq!(selected(words, Ended::Excluded), complaint, "{words}");
        }
    }

    #[test]
    fn a_word_that_cannot_be_a_selector_is_refused_with_an_example() {
        for (word, refusal) in [
            ("", "an empty word selects nothing; `all` selects every container"),
            ("=", "a word is missing before '=', as in name=web-*"),
            ("name=", "'name=' lacks a value after '='"),
        ] {
            assert_eq!(selector(word), Err(refusal.to_owned()), "{word}");
        }
        assert!(selector("bridge=shop_default_net").unwrap_err().ends_with("the containers of a network"));
        assert_eq!(selector("web"), Ok(Selector::Word("web".to_owned())));
    }

    #[test]
    fn an_ended_container_is_named_as_such() {
        let complaint = selected("db", Ended::Excluded);
        assert!(complaint.starts_with("!finding 'db' running: container db is exited"), "{complaint}");
        assert_eq!(selected("db", Ended::Included), "db");
    }

    #[test]
    fn the_start_of_several_ids_lists_them() {
        let complaint = selected("4f", Ended::Excluded);
        assert!(complaint.contains("4f9b4f9b4f9b (db), 4f2a4f2a4f2a (web)"), "{complaint}");
        assert!(selected("id=4f", Ended::Excluded).starts_with("!telling which container 'id=4f' means"));
    }

    #[test]
    fn a_name_wins_over_ids_that_begin_so() {
        let mut topology = fixture::topology();
        topology.containers[0].name = "4f".to_owned();
        let selection = select(&topology, &["4f".parse().unwrap()], Ended::Excluded, |_| None).unwrap();
        assert_eq!(selection.containers.len(), 1);
        assert_eq!(selection.containers[0].name, "4f");
    }

    #[test]
    fn a_process_of_the_host_is_a_container_only_if_it_began_one() {
        assert_eq!(selected("pid=4711", Ended::Excluded), "agent dind inner lan side web");
        assert!(selected("pid=1", Ended::Excluded).starts_with("!finding a container of process 1"));
    }
}
