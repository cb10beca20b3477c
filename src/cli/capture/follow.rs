//! Who is listened to: the containers that the words select, and the taps that hear them. Opens taps, and does not wait
//! for anything: see `follower`.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use crate::capture::{
    Changes, Ground, NoCgroup, Note, OpenTap, Place, Plan, TapKey, TapSpec, Wanted, changes, plan,
};
use crate::cli::{
    look::{self, Look},
    select::{self, Ended, Selection},
    terminal,
};
use crate::discovery::engine::{Address, Engines};
use crate::discovery::names;
use crate::model::{Container, Pattern, Selector};
use crate::sys::{Posts, cgroup::Cgroup, netns::Namespace};

use super::{groups::Groups, keylog::Homes, setup::Setup};

/// A tap that is open.
struct Heard {
    name: String,
    buffer_bytes: usize,
    /// The cgroup whose sockets it listens on.
    cgroup: Option<Cgroup>,
    /// What it must be told of interfaces that come and go, and in which namespace.
    posts: Option<(Arc<Posts>, Namespace)>,
}

impl Heard {
    /// Whether what it listens on is still there.
    fn is_there(&self, key: TapKey, ground: &Ground) -> bool {
        match key {
            TapKey::Interface { namespace, index } => ground.has(namespace, index),
            TapKey::Cgroup(_) => self.cgroup.as_ref().is_some_and(Cgroup::exists),
        }
    }

    /// Tells it which interfaces there are. What it misses there, it misses quietly: it may be gone by now.
    fn learn_links(&self, ground: &Ground) {
        if let Some((posts, namespace)) = &self.posts
            && let Some(links) = ground.links.get(&namespace.id())
            && let Ok(Err(error)) = namespace.within(|| posts.cover(links))
        {
            tracing::debug!(tap = self.name, %error, "an interface is not watched");
        }
    }
}

/// Who is listened to: the selection, and the taps it has led to.
pub(super) struct Audience<'a> {
    setup: &'a Setup,
    engines: Engines,
    /// As typed at first; then a word means the container it meant at the beginning, and no other.
    selectors: Vec<Selector>,
    heard: BTreeMap<TapKey, Heard>,
    /// Names of containers that were of the selection at some time.
    heard_before: BTreeSet<String>,
    /// The last look with every engine.
    look: Option<Look>,
    /// Engines that have answered at some time.
    answered: BTreeSet<Address>,
    /// Whether one of those did not answer the last time.
    is_blind: bool,
    /// What taps do not hear, as far as it was told.
    gaps_told: BTreeSet<String>,
    /// Where key logs are.
    homes: Homes,
}

impl<'a> Audience<'a> {
    pub(super) fn new(setup: &'a Setup, engines: Engines, homes: Homes) -> Self {
        Self {
            setup,
            engines,
            selectors: setup.selectors.clone(),
            heard: BTreeMap::new(),
            heard_before: BTreeSet::new(),
            look: None,
            answered: BTreeSet::new(),
            is_blind: false,
            gaps_told: BTreeSet::new(),
            homes,
        }
    }

    /// The taps to begin with. Here a word that means nothing is a mistake.
    pub(super) async fn first(&mut self) -> anyhow::Result<Vec<TapSpec>> {
        let look = look::look(&self.engines).await?;
        look.topology.warnings.iter().for_each(|warning| terminal::warn(warning));
        let ended = if self.setup.follow { Ended::Included } else { Ended::Excluded };
        // What describes containers may describe one that is still to come; what names one must name it rightly.
        let may_come =
            |error: &select::Error| self.setup.follow && matches!(error, select::Error::NoMatch(_));
        let selection = self.selection(&look, ended, may_come)?;
        self.homes.settle(&look.topology, ended, |word| pinned(word, &look), may_come)?;
        let groups = Groups::of(&selection, self.setup.places);
        if let Some(refused) = groups.unknown() {
            return Err(refused);
        }
        let plan = self.plan(&selection, &groups, &look.ground);
        if plan.taps.is_empty()
            && let Some((name, reason)) = self.named_without_cgroup(&selection, &groups)
        {
            return Err(select::Error::NoCgroup { name, reason }.into());
        }
        if plan.taps.is_empty() && !self.setup.follow {
            let reasons: Vec<&str> = plan.notes.iter().map(|note| note.text.as_str()).collect();
            return Err(select::Error::NothingToHear(reasons.join("; ")).into());
        }
        self.warn(&plan.notes);
        if plan.taps.is_empty() {
            terminal::warn("nothing to listen on yet: waiting for a container of the selection to start");
        }
        self.heard_before.extend(selection.containers.iter().map(|container| container.name.clone()));
        self.selectors = self.selectors.iter().map(|selector| pinned(selector, &look)).collect();
        self.keep(look);
        Ok(plan.taps)
    }

    /// Of containers that were named each is told of; of those that a description takes in, only how many.
    fn warn(&self, notes: &[Note]) {
        let is_named = |note: &&Note| {
            self.selectors.iter().any(|selector| {
                matches!(selector, Selector::Word(word) | Selector::ExactName(word) if *word == note.container)
            })
        };
        let (named, others): (Vec<_>, Vec<_>) = notes.iter().partition(is_named);
        for note in named {
            terminal::warn(&note.text);
        }
        if let Some(first) = others.first() {
            let names: Vec<&str> = others.iter().map(|note| note.container.as_str()).collect();
            terminal::warn(&format!("not listened to: {} ({})", names.join(", "), first.text));
        }
    }

    /// The taps for a selection. A container that was chosen for its networks alone is heard on those.
    fn plan(&self, selection: &Selection<'_>, groups: &Groups, ground: &Ground) -> Plan {
        let heard: Vec<Container> =
            selection.containers.iter().map(|container| self.on_chosen_networks(container)).collect();
        let wanted = Wanted {
            containers: &heard.iter().collect::<Vec<_>>(),
            interfaces: &selection.interfaces,
            cgroups: &groups.asked,
            groups: &groups.of_containers,
        };
        plan(&wanted, self.setup.places, ground)
    }

    fn on_chosen_networks(&self, container: &Container) -> Container {
        let mut container = container.clone();
        let choosing = self.selectors.iter().filter(|selector| selector.matches(&container));
        let networks: Option<Vec<&Pattern>> = choosing
            .map(|selector| match selector {
                Selector::Network(pattern) => Some(pattern),
                _ => None,
            })
            .collect();
        if let Some(networks) = networks.filter(|networks| !networks.is_empty()) {
            let is_on = |network: &String| networks.iter().any(|pattern| pattern.matches(network));
            container.endpoints.retain(|endpoint| endpoint.network.as_ref().is_none_or(is_on));
        }
        container
    }

    /// A container that was named, and that no waiting gives a cgroup to listen at.
    fn named_without_cgroup(&self, selection: &Selection<'_>, groups: &Groups) -> Option<(String, NoCgroup)> {
        let is_named = |container: &&&Container| {
            let naming = |selector: &&Selector| {
                matches!(selector, Selector::Word(_) | Selector::Id(_) | Selector::ExactName(_))
            };
            self.selectors.iter().filter(naming).any(|selector| selector.matches(container))
        };
        selection.containers.iter().filter(is_named).find_map(|container| {
            let refused = groups.of_containers.get(&container.id)?.as_ref().err()?;
            Some((container.name.clone(), refused.clone()))
        })
    }

    /// Why there is nothing to listen on, of a selection that has nothing.
    pub(super) fn nothing_to_hear(&self) -> select::Error {
        let notes = self.look.as_ref().map_or_else(Vec::new, |look| {
            let selection = self.selection(look, Ended::Included, |_| true).unwrap_or_default();
            let groups = Groups::of(&selection, self.setup.places);
            self.plan(&selection, &groups, &look.ground).notes
        });
        let reasons: Vec<&str> = notes.iter().map(|note| note.text.as_str()).collect();
        let reasons = if reasons.is_empty() {
            "no container of the selection runs".to_owned()
        } else {
            reasons.join("; ")
        };
        select::Error::NothingThere(reasons)
    }

    /// Selects these as well.
    pub(super) fn add(&mut self, selectors: Vec<Selector>) {
        self.selectors.extend(selectors);
    }

    /// Opens these taps and takes note of them. What has gone since the look is left out; if nothing else is left and
    /// nothing more will come, that is a failure after all.
    pub(super) fn open(&mut self, specs: Vec<TapSpec>) -> anyhow::Result<Vec<OpenTap>> {
        let (mut taps, mut gone) = (Vec::new(), None);
        for opened in self.open_each(specs) {
            match opened {
                Ok(tap) => taps.push(tap),
                Err((_, error)) if error.is_gone() => gone = Some(error),
                Err((_, error)) => return Err(error.into()),
            }
        }
        match gone {
            Some(error) if taps.is_empty() && !self.setup.follow => Err(error.into()),
            _ => Ok(taps),
        }
    }

    pub(super) fn open_each(
        &mut self,
        specs: Vec<TapSpec>,
    ) -> Vec<Result<OpenTap, (String, crate::capture::OpenError)>> {
        let spent = self.heard.values().map(|heard| heard.buffer_bytes).sum();
        let options = self.setup.tap_options(specs.len(), spent);
        let open = |spec: TapSpec| {
            let (key, name, cgroup) = (spec.key(), spec.name.clone(), spec.cgroup().cloned());
            let tap = OpenTap::open(spec, &options).map_err(|error| (name.clone(), error))?;
            if let Some(gap) = tap.gap.as_ref().filter(|gap| self.gaps_told.insert((*gap).clone())) {
                terminal::warn(&format!("{name}: {gap}"));
            }
            let posts = tap.posts.clone().map(|posts| (posts, tap.spec.namespace.clone()));
            self.heard.insert(key, Heard { name, buffer_bytes: options.buffer_bytes, cgroup, posts });
            Ok(tap)
        };
        specs.into_iter().map(open).collect()
    }

    /// Whether something may change that nobody tells of.
    pub(super) fn must_ask_again(&self) -> bool {
        self.is_blind || self.asked_groups().next().is_some()
    }

    /// Whether that is worth a look.
    pub(super) fn may_have_changed(&self) -> bool {
        let is_heard =
            |path| Groups::open(path).is_ok_and(|group| self.heard.contains_key(&TapKey::Cgroup(group.id())));
        self.is_blind
            || self.heard.values().any(|heard| heard.cgroup.as_ref().is_some_and(|group| !group.exists()))
            || self.asked_groups().any(|path| !is_heard(path) && Groups::open(path).is_ok())
    }

    /// The cgroups that were asked for by their paths.
    fn asked_groups(&self) -> impl Iterator<Item = &str> {
        self.selectors.iter().filter_map(|selector| match selector {
            Selector::Cgroup(path) => Some(path.as_str()),
            _ => None,
        })
    }

    /// Whether rows tell what happened to the containers.
    pub(super) fn tells_events(&self) -> bool {
        self.setup.events
    }

    /// Takes note that a tap has ended, and tells its name.
    pub(super) fn forget(&mut self, key: TapKey) -> Option<String> {
        self.heard.remove(&key).map(|heard| heard.name)
    }

    /// Whether there is no tap.
    pub(super) fn hears_nothing(&self) -> bool {
        self.heard.is_empty()
    }

    /// How many taps there are, and how many bytes their buffers have in all.
    pub(super) fn buffers(&self) -> (usize, usize) {
        (self.heard.len(), self.heard.values().map(|heard| heard.buffer_bytes).sum())
    }

    /// Names of the taps, in order.
    pub(super) fn tap_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.heard.values().map(|heard| heard.name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// Names of the addresses there are.
    pub(super) fn names(&self) -> Vec<(IpAddr, String)> {
        self.look.as_ref().map(|look| names(&look.topology)).unwrap_or_default()
    }

    /// What a container is called, if it is of the selection and an event of it so of interest.
    pub(super) fn called(&self, id: &str, name: Option<&str>) -> Option<String> {
        let containers = self.look.as_ref().map_or(&[][..], |look| &look.topology.containers);
        let known = containers.iter().find(|known| known.id == id);
        match known {
            Some(known) => {
                let is_selected = self.selectors.iter().any(|selector| selector.matches(known));
                is_selected.then(|| known.name.clone())
            }
            // Removed by now: only its name is left to go by.
            None => name.filter(|name| self.heard_before.contains(*name)).map(str::to_owned),
        }
    }

    /// Another look; answers with what has changed.
    pub(super) async fn again(&mut self) -> anyhow::Result<Changes> {
        let look = look::look(&self.engines).await?;
        self.is_blind = look.silent.iter().any(|engine| self.answered.contains(engine));
        // A word that means nothing now is a container that is between two lives.
        let selection = self.selection(&look, Ended::Excluded, |_| true)?;
        self.heard.values().for_each(|heard| heard.learn_links(&look.ground));
        let groups = Groups::of(&selection, self.setup.places);
        let wanted = self.plan(&selection, &groups, &look.ground).taps;
        let is_up = |spec: &TapSpec| spec.link().is_none_or(|link| link.up);
        let state = |spec: &TapSpec| format!("{}{}", spec.name, if is_up(spec) { "" } else { " (down)" });
        tracing::debug!(wanted = ?wanted.iter().map(state).collect::<Vec<_>>(), "looked again");
        let heard = self.heard.iter().map(|(key, heard)| (*key, heard.name.clone())).collect();
        let mut changes = changes(&heard, wanted);
        // An engine renames the interface it has moved into a container before it brings it up: a tap that is opened
        // in between would keep the old name.
        changes.opened.retain(|spec| is_up(spec) || spec.place != Place::Container);
        if self.is_blind {
            // An engine that did not answer has not said that its containers are gone.
            changes
                .ended
                .retain(|key| !self.heard.get(key).is_some_and(|heard| heard.is_there(*key, &look.ground)));
        } else {
            self.heard_before.extend(selection.containers.iter().map(|container| container.name.clone()));
            self.keep(look);
        }
        Ok(changes)
    }

    fn keep(&mut self, look: Look) {
        self.homes.update(&look.topology);
        let answered = self.engines.addresses().iter().filter(|engine| !look.silent.contains(engine));
        self.answered.extend(answered.cloned());
        self.look = Some(look);
    }

    /// What the words select, leaving out those whose error is forgiven.
    fn selection<'l>(
        &self,
        look: &'l Look,
        ended: Ended,
        forgiven: impl Fn(&select::Error) -> bool,
    ) -> Result<Selection<'l>, select::Error> {
        let mut selection = Selection::default();
        for selector in &self.selectors {
            let word = std::slice::from_ref(selector);
            match select::select(&look.topology, word, ended, look::namespace_of) {
                Ok(found) => selection.add(found),
                Err(error) if forgiven(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(selection)
    }
}

/// The selector that means, from now on, just what this one means at the moment: the name, where a word is one, whoever
/// bears it later; else the one container whose id begins so.
fn pinned(selector: &Selector, look: &Look) -> Selector {
    let containers = &look.topology.containers;
    match selector {
        Selector::Word(word) if containers.iter().any(|container| container.name == *word) => {
            Selector::ExactName(word.clone())
        }
        Selector::Word(prefix) | Selector::Id(prefix) => {
            let found = containers.iter().find(|container| container.id.starts_with(prefix.as_str()));
            found.map_or_else(|| selector.clone(), |container| Selector::Id(container.id.clone()))
        }
        other => other.clone(),
    }
}
