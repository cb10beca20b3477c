//! Who there is to capture: a container or Compose service each, under a word that stays the same from one day to the next.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use crate::cli::look;
use crate::discovery::{Facts, Topology, scan_residents};
use crate::model::{Container, Engine, Selector};

use super::sentence::harmless;

/// Longer words are cut: they become part of a file's name, with others.
const LONGEST_WORD: usize = 80;

/// Everybody that runs, the youngest first.
#[derive(Debug, Default)]
pub(super) struct Roster {
    entries: Vec<Entry>,
}

/// A container, or a service with all its containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// `web`, `shop/db`: no two have the same.
    pub(super) word: String,
    /// For people: `Container web (nginx)`.
    pub(super) display: String,
    /// Its Compose project.
    pub(super) project: Option<String>,
    /// Whom it means, now and after a restart.
    pub(super) selector: Selector,
}

impl Roster {
    /// Looks around; engines have so long to answer. What cannot be seen is not there: a list has no room for excuses.
    pub(super) async fn read(granted: Duration) -> Self {
        let engines = look::engines();
        // On a thread of its own: otherwise engines would not be heard while it looks, and their time would run out.
        let scan = tokio::task::spawn_blocking(scan_residents);
        let (answers, scanned) = tokio::join!(engines.running(granted), scan);
        let mut facts = scanned.map(Result::unwrap_or_default).unwrap_or_default();
        facts.engine_containers = answers.containers;
        facts.engine_containers.extend(facts.host.into_iter().flat_map(look::sandboxes));
        Self::of(&facts, !answers.silent.is_empty())
    }

    /// From what was seen. Where an engine is silent, containers that it should name are left out: the numbers they would
    /// be called by mean nothing to anybody.
    fn of(facts: &Facts, is_engine_silent: bool) -> Self {
        let topology = Topology::join(facts);
        let place: HashMap<&str, usize> = facts
            .engine_containers
            .iter()
            .enumerate()
            .map(|(place, found)| (found.id.as_str(), place))
            .collect();
        let started: HashMap<u32, u64> =
            facts.processes.iter().map(|process| (process.pid, process.start_time)).collect();
        let lacks_name = |container: &Container| {
            is_engine_silent
                && matches!(container.engine, Engine::Docker | Engine::Podman)
                && !place.contains_key(container.id.as_str())
        };
        let age = |container: &Container| Age {
            started: Reverse(container.pid.and_then(|pid| started.get(&pid).copied())),
            place: place.get(container.id.as_str()).copied().unwrap_or(usize::MAX),
        };
        let live = topology
            .containers
            .iter()
            .filter(|container| container.state.is_live() && !lacks_name(container));
        let mut aged: Vec<(Age, &Container)> = live.map(|container| (age(container), container)).collect();
        aged.sort_by(|(a, one), (b, other)| (a, &one.name).cmp(&(b, &other.name)));
        Self { entries: entries(&aged.into_iter().map(|(_, container)| container).collect::<Vec<_>>()) }
    }

    /// Containers of these names, and nobody else.
    #[cfg(test)]
    pub(super) fn of_names(names: &[&str]) -> Self {
        let entry = |name: &&str| Entry {
            word: (*name).to_owned(),
            display: format!("Container {name}"),
            project: None,
            selector: Selector::ExactName((*name).to_owned()),
        };
        Self { entries: names.iter().map(entry).collect() }
    }

    /// All of them.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The one of that word.
    pub(super) fn find(&self, word: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.word == word)
    }

    /// The Compose projects among them, in order.
    pub(super) fn projects(&self) -> Vec<&str> {
        let mut projects: Vec<&str> =
            self.entries.iter().filter_map(|entry| entry.project.as_deref()).collect();
        projects.sort_unstable();
        projects.dedup();
        projects
    }
}

/// By when its first process began, else by its place in the engine's list, which begins with the youngest.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Age {
    started: Reverse<Option<u64>>,
    place: usize,
}

/// One for each service and for each container that belongs to none, in the order of the containers.
fn entries(youngest_first: &[&Container]) -> Vec<Entry> {
    let mut services: BTreeMap<(&str, &str), Vec<&Container>> = BTreeMap::new();
    for container in youngest_first {
        if let Some(service) = service_of(container) {
            services.entry(service).or_default().push(container);
        }
    }
    let mut told = HashSet::new();
    let each = youngest_first.iter().filter_map(|container| match service_of(container) {
        None => Some((vec![*container], of_container(container, youngest_first))),
        Some(service) => told.insert(service).then(|| {
            let containers = services.remove(&service).unwrap_or_default();
            let entry = of_service(service, &containers);
            (containers, entry)
        }),
    });
    with_own_words(each.collect())
}

fn service_of(container: &Container) -> Option<(&str, &str)> {
    Some((container.project()?, container.service()?))
}

fn of_service((project, service): (&str, &str), containers: &[&Container]) -> Entry {
    let image = containers.first().and_then(|container| container.image.as_deref());
    let count = (containers.len() > 1).then(|| format!("{} containers", containers.len()));
    let about: Vec<String> = image.map(str::to_owned).into_iter().chain(count).collect();
    Entry {
        word: word(&format!("{project}/{service}")),
        display: format!("Service {project}/{service}{}", in_parentheses(&about)),
        project: Some(project.to_owned()),
        selector: Selector::ServiceOf { project: project.to_owned(), service: service.to_owned() },
    }
}

/// The name is what stays when it is made anew; where two bear the same one, only the id tells them apart.
fn of_container(container: &Container, all: &[&Container]) -> Entry {
    let is_alone = all.iter().filter(|other| other.name == container.name).count() == 1;
    let what = match container.engine {
        Engine::Namespace => "Namespace",
        Engine::Pcapsule => "Sandbox",
        _ => "Container",
    };
    let about: Vec<String> = container.image.iter().cloned().collect();
    Entry {
        word: word(&container.name),
        display: format!("{what} {}{}", container.name, in_parentheses(&about)),
        project: None,
        selector: if is_alone {
            Selector::ExactName(container.name.clone())
        } else {
            Selector::Id(container.id.clone())
        },
    }
}

fn in_parentheses(about: &[String]) -> String {
    if about.is_empty() { String::new() } else { format!(" ({})", about.join(", ")) }
}

/// Gives a longer word to each whose word another has already: first come, by engine and id, which do not change with age.
fn with_own_words(each: Vec<(Vec<&Container>, Entry)>) -> Vec<Entry> {
    let rank = |(containers, _): &(Vec<&Container>, Entry)| {
        containers.first().map(|first| (first.engine.clone(), first.id.clone()))
    };
    let mut order: Vec<usize> = (0..each.len()).collect();
    order.sort_by_key(|at| rank(&each[*at]));
    let mut taken = HashSet::new();
    let mut words = HashMap::new();
    for at in order {
        let (containers, entry) = &each[at];
        let longer = containers.first().into_iter().flat_map(|first| {
            let word = &entry.word;
            [format!("{word}@{}", first.engine), format!("{word}@{}", first.short_id())]
        });
        let free = std::iter::once(entry.word.clone()).chain(longer).find(|word| taken.insert(word.clone()));
        words.insert(at, free);
    }
    let each = each.into_iter().enumerate();
    each.filter_map(|(at, (_, entry))| Some(Entry { word: words.remove(&at)??, ..entry })).collect()
}

/// A name as one word of an interface's name, without what Wireshark or a list separated by commas would stumble over.
fn word(name: &str) -> String {
    let word: String =
        harmless(name).chars().map(|c| if c.is_whitespace() || c == ',' { '_' } else { c }).collect();
    let cut = &word[..word.floor_char_boundary(LONGEST_WORD)];
    if cut.is_empty() { "_".to_owned() } else { cut.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::{EngineContainer, NamespaceFacts, ProcessFacts};
    use crate::model::NamespaceId;

    fn container(name: &str, engine: Engine, labels: &[(&str, &str)]) -> EngineContainer {
        let mut id =
            format!("{engine}{name}").bytes().fold(String::new(), |id, byte| format!("{id}{byte:02x}"));
        id.truncate(64);
        EngineContainer {
            engine,
            labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            ..EngineContainer::running(&format!("{id:0<64}"), name)
        }
    }

    fn docker(name: &str) -> EngineContainer {
        container(name, Engine::Docker, &[])
    }

    fn service(name: &str, project: &str, service: &str) -> EngineContainer {
        let labels = [("com.docker.compose.project", project), ("com.docker.compose.service", service)];
        container(name, Engine::Docker, &labels)
    }

    fn words(containers: Vec<EngineContainer>) -> Vec<String> {
        let facts = Facts { engine_containers: containers, ..Facts::default() };
        Roster::of(&facts, false).entries.into_iter().map(|entry| entry.word).collect()
    }

    #[test]
    fn the_youngest_comes_first_in_the_engines_order() {
        assert_eq!(words(vec![docker("new"), docker("old")]), ["new", "old"]);
    }

    #[test]
    fn the_start_of_the_first_process_counts_more_than_the_engines_order() {
        let (host, own) = (NamespaceId::new(4, 1), NamespaceId::new(4, 2));
        let containers = vec![docker("made-last"), docker("started-last")];
        let process = |pid: u32, id: &str| ProcessFacts {
            pid,
            start_time: u64::from(pid),
            namespace: own,
            cgroup: format!("/docker/{id}"),
            command: "sleep".to_owned(),
        };
        let processes = vec![process(7, &containers[0].id), process(9, &containers[1].id)];
        let facts = Facts {
            host: Some(host),
            namespaces: vec![NamespaceFacts { id: own, paths: vec![], links: vec![], netnsids: [].into() }],
            processes,
            engine_containers: containers,
            ..Facts::default()
        };
        let roster = Roster::of(&facts, false);
        let words: Vec<&str> = roster.entries().iter().map(|entry| entry.word.as_str()).collect();
        assert_eq!(words, ["started-last", "made-last"]);
    }

    #[test]
    fn a_service_is_one_entry_whatever_its_containers_are_called() {
        let containers =
            vec![service("shop-db-2", "shop", "db"), docker("alone"), service("shop-db-1", "shop", "db")];
        let facts = Facts { engine_containers: containers, ..Facts::default() };
        let roster = Roster::of(&facts, false);
        let told: Vec<(&str, &str)> =
            roster.entries().iter().map(|entry| (entry.word.as_str(), entry.display.as_str())).collect();
        let service = ("shop/db", "Service shop/db (nginx, 2 containers)");
        assert_eq!(told, [service, ("alone", "Container alone (nginx)")]);
        assert_eq!(roster.projects(), ["shop"]);
        let selector = Selector::ServiceOf { project: "shop".into(), service: "db".into() };
        assert_eq!(roster.find("shop/db").unwrap().selector, selector);
    }

    #[test]
    fn odd_names_become_words_and_two_never_share_one() {
        let odd = vec![docker("a{b}\n,c"), docker("a(b)__c"), docker(""), docker(&"x".repeat(200))];
        let words = words(odd);
        assert!(
            words.contains(&"a(b)__c".to_owned()) && words.contains(&"a(b)__c@docker".to_owned()),
            "{words:?}"
        );
        assert!(words.contains(&"_".to_owned()) && words.contains(&"x".repeat(LONGEST_WORD)), "{words:?}");
    }

    #[test]
    fn a_name_that_two_bear_is_told_apart_by_engine_and_id() {
        let twins = vec![container("web", Engine::Podman, &[]), container("web", Engine::Docker, &[])];
        let facts = Facts { engine_containers: twins.clone(), ..Facts::default() };
        let roster = Roster::of(&facts, false);
        assert_eq!(roster.find("web").unwrap().selector, Selector::Id(twins[1].id.clone()));
        assert_eq!(roster.find("web@podman").unwrap().selector, Selector::Id(twins[0].id.clone()));
    }

    #[test]
    fn a_container_is_not_listed_by_its_number_while_its_engine_is_silent() {
        let id = "4f2a".repeat(16);
        let process = ProcessFacts {
            pid: 9,
            start_time: 9,
            namespace: NamespaceId::new(4, 2),
            cgroup: format!("/docker/{id}"),
            command: "sleep".to_owned(),
        };
        let facts =
            Facts { host: Some(NamespaceId::new(4, 1)), processes: vec![process], ..Facts::default() };
        assert_eq!(Roster::of(&facts, true).entries, []);
        assert_eq!(Roster::of(&facts, false).entries.len(), 1);
    }
}
