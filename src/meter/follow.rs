//! Keeping up with containers that come and go: what is new is opened, what has ended let go, the rest goes on.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    time::Instant,
};

use crate::model::{Container, NamespaceId};
use crate::sys::{CgroupId, cgroup::Cgroup, netns::Namespace};

use super::gauge::{self, CgroupGauge, Error, NamespaceGauge};
use super::growth::{self, Interval, Readings};
use super::plan::{self, Counting};

/// A container to be measured.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The container.
    pub container: Container,
    /// Its own cgroup, where it is needed (see [`shares_its_namespace`](super::shares_its_namespace)) and there is one.
    pub group: Option<Cgroup>,
}

/// A container and what it did since the reading before.
#[derive(Debug, Clone, Copy)]
pub struct Metered<'a> {
    /// The container.
    pub container: &'a Container,
    /// By what it was measured.
    pub counting: &'a Counting,
    /// What it did.
    pub interval: Interval,
}

/// Counters of containers, held open.
#[derive(Debug, Default)]
pub struct Meter {
    places: Vec<Place>,
    namespaces: HashMap<NamespaceId, NamespaceGauge>,
    groups: HashMap<CgroupId, CgroupGauge>,
    /// What each source said when it was last read.
    before: Readings,
    /// When it was.
    read_at: Option<Instant>,
    /// Something has ended since the containers were last named.
    lost: bool,
}

#[derive(Debug)]
struct Place {
    container: Container,
    counting: Counting,
    /// When it was last read.
    since: Instant,
    interval: Interval,
}

impl Place {
    fn metered(&self) -> Metered<'_> {
        Metered { container: &self.container, counting: &self.counting, interval: self.interval }
    }
}

impl Meter {
    /// Measures these containers from now on, and no others. `namespaces` are those of the host that are open. What
    /// cannot be counted is left out; each reason is answered once.
    pub fn follow(
        &mut self,
        subjects: Vec<Subject>,
        namespaces: &HashMap<NamespaceId, Namespace>,
        now: Instant,
    ) -> Vec<Error> {
        let mut faults = Vec::new();
        let mut places = Vec::new();
        for Subject { container, group } in subjects {
            let group = group.and_then(|group| self.count(&group, &mut faults));
            let counting = plan::counting(&container, group);
            places.push(Place { container, counting, since: now, interval: Interval::default() });
        }
        self.open(&places, namespaces, &mut faults);
        self.forget_others(&places);
        // A container that is known goes on from its last reading; one that is new begins with this one.
        for place in &mut places {
            let known =
                |old: &&Place| old.container.id == place.container.id && old.counting == place.counting;
            if let Some(old) = self.places.iter().find(known) {
                (place.since, place.interval) = (old.since, old.interval);
            } else if let Some(read_at) = self.read_at.filter(|_| self.before.tells_of(&place.counting)) {
                // Others are measured by the same, or it was by other things as well: what grew did so since then.
                place.since = read_at;
            }
        }
        self.places = places;
        self.lost = false;
        let unread = self.unread();
        let fresh = self.read(|namespace| unread.contains(&namespace));
        self.before.add_missing(fresh);
        faults
    }

    /// Reads everything once more. False when something that was to be read has ended: then it is time to look which
    /// containers there are.
    pub fn read_again(&mut self, now: Instant) -> bool {
        let readings = self.read(|_| true);
        for place in &mut self.places {
            let elapsed = now.saturating_duration_since(place.since);
            place.interval = growth::interval(&place.counting, &self.before, &readings, elapsed);
            place.since = now;
        }
        self.before = readings;
        self.read_at = Some(now);
        !self.lost && self.groups.values().all(CgroupGauge::exists)
    }

    /// Whether anything at all can be counted of any of the containers.
    pub fn counts_something(&self) -> bool {
        let of_group = |place: &Place| place.counting.group().is_some();
        let of_namespace = |place: &Place| match &place.counting {
            Counting::Interfaces { namespace, .. } => self.namespaces.contains_key(namespace),
            _ => false,
        };
        self.places.iter().any(|place| of_group(place) || of_namespace(place))
    }

    /// What the last reading showed, a container each.
    pub fn containers(&self) -> Vec<Metered<'_>> {
        self.places.iter().map(Place::metered).collect()
    }

    /// Counts the packets of a cgroup, unless that is being done already.
    fn count(&mut self, group: &Cgroup, faults: &mut Vec<Error>) -> Option<CgroupId> {
        let id = group.id();
        if let Entry::Vacant(vacant) = self.groups.entry(id) {
            match CgroupGauge::attach(group) {
                Ok(gauge) => drop(vacant.insert(gauge)),
                Err(error) => {
                    faults.push(error);
                    return None;
                }
            }
        }
        Some(id)
    }

    fn open(
        &mut self,
        places: &[Place],
        namespaces: &HashMap<NamespaceId, Namespace>,
        faults: &mut Vec<Error>,
    ) {
        for place in places {
            let known = place.counting.namespaces();
            for (id, namespace) in known.iter().filter_map(|id| namespaces.get_key_value(id)) {
                if let Entry::Vacant(vacant) = self.namespaces.entry(*id) {
                    match NamespaceGauge::open(namespace) {
                        Ok(gauge) => drop(vacant.insert(gauge)),
                        Err(error) => faults.push(error),
                    }
                }
                if let (Some(_), Some(gauge)) = (place.counting.group(), self.namespaces.get_mut(id)) {
                    faults.extend(gauge.open_sockets(namespace).err());
                }
            }
        }
    }

    fn forget_others(&mut self, places: &[Place]) {
        let groups: HashSet<CgroupId> = places.iter().filter_map(|place| place.counting.group()).collect();
        self.groups.retain(|id, _| groups.contains(id));
        let wanted: HashSet<NamespaceId> =
            places.iter().flat_map(|place| place.counting.namespaces()).collect();
        self.namespaces.retain(|id, _| wanted.contains(id));
        for (id, gauge) in &mut self.namespaces {
            let inside: Vec<_> =
                places.iter().filter(|place| place.container.namespace == Some(*id)).collect();
            gauge.held_by(inside.iter().flat_map(|place| gauge::holders(&place.container)));
            if !inside.iter().any(|place| place.counting.group().is_some()) {
                gauge.close_sockets();
            }
        }
        self.before.keep(&wanted, &groups);
    }

    /// The namespaces of which something is wanted that was never read.
    fn unread(&self) -> HashSet<NamespaceId> {
        self.places.iter().flat_map(|place| self.before.missing(&place.counting)).collect()
    }

    /// What every cgroup and these namespaces say now. One that cannot be read any more is let go.
    fn read(&mut self, asked: impl Fn(NamespaceId) -> bool) -> Readings {
        let mut readings = Readings::default();
        let mut owner = HashMap::new();
        for (id, gauge) in &self.groups {
            readings.cgroups.insert(*id, gauge.read());
            owner.extend(gauge.family().into_iter().map(|member| (member.0, *id)));
        }
        let open = self.namespaces.len();
        self.namespaces.retain(|id, gauge| {
            if !gauge.is_held() {
                return false;
            }
            if !asked(*id) {
                return true;
            }
            gauge.read(&owner, &mut readings).inspect_err(|error| tracing::debug!(%id, %error)).is_ok()
        });
        self.lost |= self.namespaces.len() < open;
        for (id, gauge) in &self.groups {
            if let Some(sockets) = readings.sockets.get_mut(id) {
                sockets.retransmissions += gauge.retransmitted();
            }
        }
        readings
    }
}
