//! Keeps the taps in step with the host while a capture runs: containers that start join, those that end leave.

use std::collections::{BTreeMap, BTreeSet};

use crate::capture::{Changes, Command, Controls, Ground, OpenTap, Plan, TapKey, TapSpec, changes, plan};
use crate::discovery::engine::Engines;
use crate::discovery::{Occurrence, Watch, names};
use crate::model::{Container, NetworkMode, Selector};

use super::{events, setup::Setup};
use crate::cli::{
    look::{self, Look},
    select::{self, Ended, Selection},
    terminal,
};

/// Who is listened to: the selection, and the taps it has led to.
pub(super) struct Audience<'a> {
    setup: &'a Setup,
    engines: Engines,
    heard: BTreeMap<TapKey, String>,
    /// Names of containers that were of the selection at some time.
    heard_before: BTreeSet<String>,
    look: Option<Look>,
}

impl<'a> Audience<'a> {
    pub(super) fn new(setup: &'a Setup, engines: Engines) -> Self {
        Self { setup, engines, heard: BTreeMap::new(), heard_before: BTreeSet::new(), look: None }
    }

    /// The taps to begin with. Here a word that means nothing is a mistake.
    pub(super) async fn first(&mut self) -> anyhow::Result<Plan> {
        let look = look::look(&self.engines).await?;
        look.topology.warnings.iter().for_each(|warning| terminal::warn(warning));
        let ended = if self.setup.follow { Ended::Included } else { Ended::Excluded };
        // What describes containers may describe one that is still to come; what names one must name it rightly.
        let may_come =
            |error: &select::Error| self.setup.follow && matches!(error, select::Error::NoMatch(_));
        let selection = self.selection(&look, ended, may_come)?;
        let mut plan = plan_for(&selection, self.setup, &look.ground);
        if plan.taps.is_empty()
            && let Some(name) = self.named_in_host_mode(&selection)
        {
            return Err(select::Error::HostMode(name).into());
        }
        if plan.taps.is_empty() && !self.setup.follow {
            return Err(select::Error::NothingToHear(plan.notes.join("; ")).into());
        }
        if plan.taps.is_empty() {
            plan.notes.push(
                "nothing to listen on yet: waiting for a container of the selection to start".to_owned(),
            );
        }
        self.heard_before.extend(selection.containers.iter().map(|container| container.name.clone()));
        self.look = Some(look);
        Ok(plan)
    }

    /// A container that was named, and that no waiting gives an interface to listen on.
    fn named_in_host_mode(&self, selection: &Selection<'_>) -> Option<String> {
        let is_named = |container: &&&Container| {
            let naming = |selector: &&Selector| matches!(selector, Selector::Word(_) | Selector::Id(_));
            self.setup.selectors.iter().filter(naming).any(|selector| selector.matches(container))
        };
        let mut in_host_mode =
            selection.containers.iter().filter(|container| container.mode == NetworkMode::Host);
        in_host_mode.find(is_named).map(|container| container.name.clone())
    }

    /// These are open now.
    pub(super) fn hears<'t>(&mut self, specs: impl Iterator<Item = &'t TapSpec>) {
        self.heard.extend(specs.map(|spec| (spec.key(), spec.name.clone())));
    }

    /// Names of the taps, in order.
    pub(super) fn tap_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.heard.values().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// Names of the addresses there are.
    pub(super) fn names(&self) -> Vec<(std::net::IpAddr, String)> {
        self.look.as_ref().map(|look| names(&look.topology)).unwrap_or_default()
    }

    /// What a container is called, if it is of the selection and an event of it so of interest.
    fn called(&self, id: &str, name: Option<&str>) -> Option<String> {
        let containers = self.look.as_ref().map_or(&[][..], |look| &look.topology.containers);
        let known = containers.iter().find(|known| known.id == id);
        match known {
            Some(known) => {
                let is_selected = self.setup.selectors.iter().any(|selector| selector.matches(known));
                is_selected.then(|| known.name.clone())
            }
            // Removed by now: only its name is left to go by.
            None => name.filter(|name| self.heard_before.contains(*name)).map(str::to_owned),
        }
    }

    /// Another look; answers with what has changed.
    async fn again(&mut self) -> anyhow::Result<Changes> {
        let look = look::look(&self.engines).await?;
        // A word that means nothing now is a container that is between two lives.
        let selection = self.selection(&look, Ended::Excluded, |_| true)?;
        let wanted = plan_for(&selection, self.setup, &look.ground).taps;
        self.heard_before.extend(selection.containers.iter().map(|container| container.name.clone()));
        self.look = Some(look);
        Ok(changes(&self.heard, wanted))
    }

    /// What the words select, leaving out those whose error is forgiven.
    fn selection<'l>(
        &self,
        look: &'l Look,
        ended: Ended,
        forgiven: impl Fn(&select::Error) -> bool,
    ) -> Result<Selection<'l>, select::Error> {
        let mut selection = Selection::default();
        for selector in &self.setup.selectors {
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

fn plan_for(selection: &Selection<'_>, setup: &Setup, ground: &Ground) -> Plan {
    plan(&selection.containers, &selection.interfaces, setup.places, ground)
}

/// The running follower.
pub(super) struct Follower<'a> {
    watch: Option<Watch>,
    audience: Audience<'a>,
    controls: Controls,
}

impl<'a> Follower<'a> {
    pub(super) fn new(watch: Option<Watch>, audience: Audience<'a>, controls: Controls) -> Self {
        Self { watch, audience, controls }
    }

    /// Waits for something to happen, and does what follows from it. Cancelled and called again as often as one likes.
    pub(super) async fn step(&mut self) {
        let Some(watch) = &mut self.watch else { return std::future::pending().await };
        let Some(burst) = watch.settled().await else {
            self.watch = None;
            return;
        };
        // Looking first: an event may be the first to speak of a container, and by its id alone.
        if let Err(error) = self.keep_in_step().await {
            terminal::warn(&format!("containers that start now may be missed: {error:#}"));
        }
        for occurrence in burst {
            self.tell(occurrence);
        }
    }

    fn tell(&self, occurrence: Occurrence) {
        match occurrence {
            Occurrence::Engine(event) => {
                if let Some(name) = self.audience.called(&event.container, event.name.as_deref())
                    && let Some(event) = events::engine(&event, &name)
                {
                    self.controls.send(Command::Note(event));
                }
            }
            Occurrence::Gap(reason) => {
                terminal::warn(&reason);
                self.controls.send(Command::Note(events::gap(&reason)));
            }
            Occurrence::Kernel | Occurrence::Listening => {}
        }
    }

    async fn keep_in_step(&mut self) -> anyhow::Result<()> {
        let changes = self.audience.again().await?;
        self.controls.send(Command::Names(self.audience.names()));
        for key in changes.ended {
            self.audience.heard.remove(&key);
            self.controls.send(Command::End(key));
        }
        let options = self.audience.setup.tap_options(self.audience.heard.len() + changes.opened.len());
        for spec in changes.opened {
            let (key, name) = (spec.key(), spec.name.clone());
            match OpenTap::open(spec, &options) {
                Ok(tap) => {
                    self.audience.heard.insert(key, name);
                    self.controls.send(Command::Arm(Box::new(tap)));
                }
                // Gone again before it could be opened; if not, the next change tries again.
                Err(error) => self.controls.send(Command::Note(events::not_heard(&name, &error))),
            }
        }
        Ok(())
    }
}
