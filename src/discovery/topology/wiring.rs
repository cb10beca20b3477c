//! Which interface leads to which: every link of every namespace, and the far end of each as far as both sides agree.

use std::collections::{HashMap, VecDeque, hash_map::Entry};

use crate::model::{Endpoint, HostSide, Link, LinkIndex, LinkKind, LinkName, NamespaceId};

use crate::discovery::{Facts, NamespaceFacts};

/// All links, by namespace, with the distance of each namespace from the host.
pub(super) struct Wiring<'a> {
    namespaces: HashMap<NamespaceId, &'a NamespaceFacts>,
    links: HashMap<(NamespaceId, LinkIndex), &'a Link>,
    /// How many pairs lie between a namespace and the host, or the outermost namespace that can be told.
    distances: HashMap<NamespaceId, usize>,
}

/// Where an interface says its far end is.
type Place = (NamespaceId, LinkIndex);

impl<'a> Wiring<'a> {
    pub(super) fn of(facts: &'a Facts) -> Self {
        let namespaces = facts.namespaces.iter().map(|namespace| (namespace.id, namespace)).collect();
        let links = facts
            .namespaces
            .iter()
            .flat_map(|namespace| namespace.links.iter().map(|link| ((namespace.id, link.index), link)))
            .collect();
        let mut wiring = Self { namespaces, links, distances: HashMap::new() };
        wiring.measure_from(facts.host);
        // Rootless containers hang on a bridge in a namespace that no pair joins to the host.
        let switches = facts.namespaces.iter().filter(|namespace| wiring.has_ports(namespace.id));
        let switches: Vec<NamespaceId> = switches.map(|namespace| namespace.id).collect();
        wiring.measure_from(switches);
        wiring
    }

    /// The links of a namespace; none of one that could not be read.
    pub(super) fn links(&self, namespace: NamespaceId) -> &'a [Link] {
        self.namespaces.get(&namespace).map_or(&[], |namespace| &namespace.links)
    }

    /// The interfaces of a namespace with their far ends, in the order of their indexes.
    pub(super) fn endpoints(&self, namespace: NamespaceId) -> Vec<Endpoint> {
        let links = self.links(namespace).iter().filter(|link| !is_always_there(link));
        let mut endpoints: Vec<Endpoint> = links
            .map(|link| Endpoint {
                namespace,
                link: link.clone(),
                network: None,
                host_side: self.far_side(namespace, link),
            })
            .collect();
        let is_outward = |endpoint: &Endpoint| !self.leads_inwards(endpoint);
        if endpoints.iter().any(is_outward) {
            endpoints.retain(is_outward);
        }
        endpoints.sort_by_key(|endpoint| endpoint.link.index);
        endpoints
    }

    fn far_side(&self, namespace: NamespaceId, link: &Link) -> HostSide {
        match self.far_end(namespace, link) {
            Ok(None) => HostSide::None,
            Err(reason) => HostSide::Unconfirmed { reason },
            Ok(Some((place, far))) if link.kind.is_pair() => HostSide::Pair {
                link: far.name.clone(),
                index: far.index,
                namespace: place.0,
                bridge: self.bridge_of(place.0, far),
            },
            Ok(Some((place, far))) => {
                HostSide::Parent { link: far.name.clone(), index: far.index, namespace: place.0 }
            }
        }
    }

    /// The interface at the other end; for a pair only if that one names this one, by index and by namespace.
    ///
    /// Indexes alone prove nothing: engines make each container's eth0 inside its namespace, so all have index 2.
    fn far_end(&self, namespace: NamespaceId, link: &Link) -> Result<Option<(Place, &'a Link)>, String> {
        let Some(place) = self.place_of(namespace, link)? else { return Ok(None) };
        let (there, index) = place;
        if self.links(there).is_empty() {
            return Err(format!("its far end, interface {index} in {there}, could not be read"));
        }
        let far =
            *self.links.get(&place).ok_or_else(|| format!("there is no interface {index} in {there}"))?;
        let agrees = || self.place_of(there, far).ok().flatten() == Some((namespace, link.index));
        if link.kind.is_pair() && !(far.kind.is_pair() && agrees()) {
            return Err(format!("{} (interface {index} in {there}) does not name it in return", far.name));
        }
        Ok(Some((place, far)))
    }

    fn place_of(&self, namespace: NamespaceId, link: &Link) -> Result<Option<Place>, String> {
        let Some(lower) = link.lower else { return Ok(None) };
        let there = match lower.netnsid {
            None => namespace,
            Some(number) => {
                let known = self.namespaces.get(&namespace).and_then(|facts| facts.netnsids.get(&number));
                *known.ok_or("its far end is in a namespace that no process and no mount holds")?
            }
        };
        Ok(Some((there, lower.index)))
    }

    fn bridge_of(&self, namespace: NamespaceId, link: &Link) -> Option<LinkName> {
        let master = self.links.get(&(namespace, link.master?))?;
        let is_switch = match &master.kind {
            LinkKind::Bridge => true,
            LinkKind::Other(kind) => kind == "openvswitch",
            _ => false,
        };
        is_switch.then(|| master.name.clone())
    }

    /// Whether it belongs to containers nested inside: a pair towards a namespace further in, or a bridge for such.
    fn leads_inwards(&self, endpoint: &Endpoint) -> bool {
        let HostSide::Pair { namespace: there, .. } = endpoint.host_side else {
            return endpoint.link.kind == LinkKind::Bridge;
        };
        let distance = |namespace| self.distances.get(&namespace);
        matches!((distance(endpoint.namespace), distance(there)), (Some(own), Some(far)) if own < far)
    }

    fn has_ports(&self, namespace: NamespaceId) -> bool {
        let mut links = self.links(namespace).iter();
        links.any(|link| link.kind.is_pair() && self.bridge_of(namespace, link).is_some())
    }

    /// Breadth first along confirmed pairs, leaving alone what was measured before.
    fn measure_from(&mut self, starts: impl IntoIterator<Item = NamespaceId>) {
        let mut queue: VecDeque<NamespaceId> =
            starts.into_iter().filter(|start| !self.distances.contains_key(start)).collect();
        self.distances.extend(queue.iter().map(|start| (*start, 0)));
        while let Some(here) = queue.pop_front() {
            let further = self.distances[&here] + 1;
            for link in self.links(here).iter().filter(|link| link.kind.is_pair()) {
                let Ok(Some(((there, _), _))) = self.far_end(here, link) else { continue };
                if let Entry::Vacant(unmeasured) = self.distances.entry(there) {
                    unmeasured.insert(further);
                    queue.push_back(there);
                }
            }
        }
    }
}

/// Loopback, and the idle tunnel ends (`tunl0`, `sit0`, …) that a loaded module puts into every namespace.
fn is_always_there(link: &Link) -> bool {
    let idle = || !link.up && link.lower.is_none() && link.addresses.is_empty();
    match link.kind {
        LinkKind::Loopback => true,
        LinkKind::Other(ref kind) => kind != "dummy" && kind != "ifb" && idle(),
        _ => false,
    }
}
