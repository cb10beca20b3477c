//! One look at the host: processes, namespaces and their links. Names nothing and joins nothing (see `topology`).
//!
//! It leaves nothing behind but the numbers that the kernel gives to namespaces on any listing of links.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::model::{Link, NamespaceId};
use crate::sys::{
    mounts::{self, NamespaceMount},
    netlink::{self, Netlink},
    netns::{self, Namespace},
    process::{self, Process, ProcessTable},
};

use super::{Facts, NamespaceFacts, Origin, ProcessFacts};

/// What stops a scan altogether; what it could not see is a warning in [`Facts`].
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Error {
    #[error("looking at our own network namespace")]
    OwnNamespace(#[source] netns::Error),
    #[error("looking at the processes of the host")]
    Processes(#[source] process::Error),
    #[error("looking at the interfaces of the host")]
    OwnLinks(#[source] netlink::Error),
}

/// What was seen, and the namespaces held open: as long as they are, their identities stay true and taps can be opened
/// in them.
#[derive(Debug, Default)]
pub struct Scan {
    /// Everything but the engines' words, which the caller adds before joining.
    pub facts: Facts,
    /// Every namespace that could be opened, the host's included.
    pub namespaces: HashMap<NamespaceId, Namespace>,
}

/// Looks at the host once. Must run in a tokio runtime.
///
/// Without privileges the answer is what may be seen, with warnings that name the capability missing.
pub async fn scan() -> Result<Scan, Error> {
    let host = Namespace::current().map_err(Error::OwnNamespace)?;
    let census = Census::take(&host)?;
    let crawl = Crawl::through(&census.namespaces, &host).await.map_err(Error::OwnLinks)?;
    Ok(census.into_scan(host.id(), crawl))
}

/// Who is there, without their interfaces: a look for those who only want names, at a part of the price. Containers that
/// are nested in others are not told from processes of theirs.
pub fn scan_residents() -> Result<Facts, Error> {
    let host = Namespace::current().map_err(Error::OwnNamespace)?;
    Ok(Census::take(&host)?.into_scan(host.id(), Crawl::default()).facts)
}

/// Who is there: processes, and every namespace that a process or a bind mount holds, opened.
#[derive(Default)]
struct Census {
    processes: Vec<Process>,
    namespaces: HashMap<NamespaceId, Namespace>,
    paths: HashMap<NamespaceId, Vec<String>>,
    unopened: Vec<netns::Error>,
    warnings: Vec<String>,
}

impl Census {
    fn take(host: &Namespace) -> Result<Self, Error> {
        let mut census = Self::default();
        if let Err(error) = netns::raise_open_file_limit() {
            census.warnings.push(sentence(&error));
        }
        census.namespaces.insert(host.id(), host.clone());
        let table = ProcessTable::read().map_err(Error::Processes)?;
        if table.hidden > 0 {
            census.warnings.push(format!(
                "{} could not be looked at (needs CAP_SYS_PTRACE): containers may be missing",
                counted(table.hidden, "process")
            ));
        }
        census.processes = table.processes;
        census.open_by_process();
        census.open_by_mount();
        if let Some(first) = census.unopened.first() {
            let count = counted(census.unopened.len(), "namespace");
            census.warnings.push(format!("{count} could not be opened: {}", sentence(first)));
        }
        Ok(census)
    }

    /// A process that has ended since, or even was replaced, opens nothing or another namespace: then the next one in
    /// the same namespace is tried.
    fn open_by_process(&mut self) {
        for process in &self.processes {
            if self.namespaces.contains_key(&process.namespace) {
                continue;
            }
            match Namespace::of_process(process.pid) {
                Ok(namespace) => drop(self.namespaces.insert(namespace.id(), namespace)),
                Err(error) if error.is_gone() => {}
                Err(error) => self.unopened.push(error),
            }
        }
    }

    fn open_by_mount(&mut self) {
        for NamespaceMount { namespace: id, path } in self.mounts() {
            match Namespace::open(&path) {
                Ok(namespace) if namespace.id() == id => {
                    self.namespaces.entry(id).or_insert(namespace);
                    self.paths.entry(id).or_default().push(path.to_string_lossy().into_owned());
                }
                Err(error @ netns::Error::Open { .. }) if !error.is_gone() => self.unopened.push(error),
                _hidden_by_another_mount => {}
            }
        }
    }

    /// Those of our own mount namespace first. A mount that others have a copy of is told once, by its own path.
    fn mounts(&mut self) -> Vec<NamespaceMount> {
        let mut mounts = mounts::own().unwrap_or_else(|error| {
            self.warnings.push(sentence(&error));
            Vec::new()
        });
        let own = self.processes.iter().find(|process| process.pid == std::process::id());
        let mut visited: HashSet<u64> = own.map(|process| process.mount_namespace).into_iter().collect();
        let mut told: HashSet<NamespaceId> = mounts.iter().map(|mount| mount.namespace).collect();
        for process in self.processes.iter().filter(|process| visited.insert(process.mount_namespace)) {
            let elsewhere = mounts::of_process(process.pid).unwrap_or_default();
            mounts.extend(elsewhere.into_iter().filter(|mount| told.insert(mount.namespace)));
        }
        mounts
    }

    fn into_scan(self, host: NamespaceId, mut crawl: Crawl) -> Scan {
        let mut facts = Facts { host: Some(host), warnings: self.warnings, ..Facts::default() };
        facts.warnings.extend(crawl.warning());
        facts.namespaces = self
            .namespaces
            .keys()
            .map(|id| NamespaceFacts {
                paths: self.paths.get(id).cloned().unwrap_or_default(),
                ..crawl.found.remove(id).unwrap_or_else(|| unread(*id))
            })
            .collect();
        facts.namespaces.sort_by_key(|namespace| namespace.id);
        facts.processes = self.processes.into_iter().map(ProcessFacts::from).collect();
        Scan { facts, namespaces: self.namespaces }
    }
}

impl From<Process> for ProcessFacts {
    /// In a hybrid hierarchy the version 2 path often names the engine's service only, and a version 1 path a container.
    fn from(process: Process) -> Self {
        let Process { pid, start_time, command, namespace, cgroups, .. } = process;
        let names_container = |path: &&String| Origin::of_cgroup(path).is_some();
        let cgroup = cgroups.iter().find(names_container).or(cgroups.first()).cloned().unwrap_or_default();
        Self { pid, start_time, namespace, cgroup, command }
    }
}

/// The links of all namespaces held, component by component.
#[derive(Default)]
struct Crawl {
    found: HashMap<NamespaceId, NamespaceFacts>,
    unread: Vec<netlink::Error>,
}

impl Crawl {
    /// From the host first, which needs no entering of namespaces; then from within each namespace that no chain of
    /// links joins to the host (rootless containers, isolated ones), or that may not be read from there.
    async fn through(
        held: &HashMap<NamespaceId, Namespace>,
        host: &Namespace,
    ) -> Result<Self, netlink::Error> {
        let mut crawl = Self::default();
        crawl.component(held, host, Netlink::open()?).await?;
        for namespace in held.values() {
            if crawl.found.contains_key(&namespace.id()) {
                continue;
            }
            let read = match Netlink::open_in(namespace) {
                Ok(netlink) => crawl.component(held, namespace, netlink).await,
                Err(error) => Err(error),
            };
            crawl.unread.extend(read.err());
        }
        Ok(crawl)
    }

    /// Everything that chains of links lead to from one namespace, breadth first over one socket in it.
    async fn component(
        &mut self,
        held: &HashMap<NamespaceId, Namespace>,
        start: &Namespace,
        netlink: Netlink,
    ) -> Result<(), netlink::Error> {
        let mut view = View { netlink, numbers: BTreeMap::new(), links: HashMap::new() };
        view.links.insert(start.id(), view.netlink.links(None).await?);
        let mut refused = HashSet::new();
        loop {
            view.learn_numbers(held).await?;
            let next: Vec<_> = view
                .numbers
                .iter()
                .map(|(number, id)| (*number, *id))
                .filter(|(_, id)| !view.links.contains_key(id) && !self.found.contains_key(id))
                .filter(|(_, id)| !refused.contains(id))
                .collect();
            if next.is_empty() {
                break;
            }
            for (number, id) in next {
                if let Ok(links) = view.netlink.links(Some(number)).await {
                    view.links.insert(id, links);
                } else {
                    refused.insert(id);
                }
            }
        }
        self.found.extend(view.into_facts());
        Ok(())
    }

    fn warning(&self) -> Option<String> {
        let first = self.unread.first()?;
        let needs = if first.is_permission() { " (needs CAP_SYS_ADMIN)" } else { "" };
        let count = counted(self.unread.len(), "namespace");
        Some(format!("{count} could not be read{needs}: {}", sentence(first)))
    }
}

/// `1 namespace`, `2 namespaces`; of nouns that take an "s" or "es".
fn counted(count: usize, noun: &str) -> String {
    let plural = match (count, noun.ends_with('s')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{count} {noun}{plural}")
}

/// Namespaces as one socket numbers them.
struct View {
    netlink: Netlink,
    numbers: BTreeMap<i32, NamespaceId>,
    links: HashMap<NamespaceId, Vec<Link>>,
}

impl View {
    /// The kernel numbers a namespace when a listing first has to mention it, so the question comes after the listing.
    /// A namespace that is held keeps its number; numbers of others are given anew once they die.
    async fn learn_numbers(&mut self, held: &HashMap<NamespaceId, Namespace>) -> Result<(), netlink::Error> {
        let mentioned = self.links.values().flat_map(|links| numbers_in(links));
        if mentioned.into_iter().all(|number| self.numbers.contains_key(&number)) {
            return Ok(());
        }
        let numbered: HashSet<NamespaceId> = self.numbers.values().copied().collect();
        for namespace in held.values().filter(|namespace| !numbered.contains(&namespace.id())) {
            let number = self.netlink.netnsid_of(namespace).await?;
            self.numbers.extend(number.map(|number| (number, namespace.id())));
        }
        Ok(())
    }

    fn into_facts(self) -> impl Iterator<Item = (NamespaceId, NamespaceFacts)> {
        let Self { numbers, links, .. } = self;
        links.into_iter().map(move |(id, links)| {
            let known = |number| numbers.get(&number).map(|id| (number, *id));
            let netnsids = numbers_in(&links).filter_map(known).collect();
            (id, NamespaceFacts { id, paths: Vec::new(), links, netnsids })
        })
    }
}

/// Without the -1 of a namespace that is being torn down.
fn numbers_in(links: &[Link]) -> impl Iterator<Item = i32> {
    links.iter().filter_map(|link| link.lower?.netnsid).filter(|number| *number >= 0)
}

fn unread(id: NamespaceId) -> NamespaceFacts {
    NamespaceFacts { id, paths: Vec::new(), links: Vec::new(), netnsids: BTreeMap::new() }
}

/// An error with its causes, in one line.
fn sentence(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
