//! From containers and interfaces to the taps that hear them. Pure: opens nothing.

use std::collections::{BTreeMap, HashMap};

use crate::model::{Container, Endpoint, HostSide, Link, LinkKind, NamespaceId, NetworkMode};
use crate::sys::netns::Namespace;

use super::{Place, TapKey, TapSpec};

/// Which places on each container's way to listen at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of four, each on or off by itself")]
pub struct Places {
    /// `container`: the interfaces inside.
    pub container: bool,
    /// `veth`: the host's end of each.
    pub veth: bool,
    /// `bridge`: the bridges behind those.
    pub bridge: bool,
    /// `lo`: the loopback inside.
    pub loopback: bool,
}

/// Inside the container only.
impl Default for Places {
    fn default() -> Self {
        Self { container: true, veth: false, bridge: false, loopback: false }
    }
}

/// What there is to listen on: namespaces that are held open, and the links in them.
#[derive(Debug, Clone, Default)]
pub struct Ground {
    /// Held namespaces.
    pub namespaces: HashMap<NamespaceId, Namespace>,
    /// Links by namespace.
    pub links: HashMap<NamespaceId, Vec<Link>>,
    /// The namespace of the interfaces that are asked for by name.
    pub host: Option<NamespaceId>,
}

impl Ground {
    /// Whether the interface of a tap is still there.
    pub fn has(&self, key: &TapKey) -> bool {
        self.links.get(&key.namespace).is_some_and(|links| links.iter().any(|link| link.index == key.index))
    }
}

/// Taps to open, and what will not be heard and why.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Each interface once, in order of the containers.
    pub taps: Vec<TapSpec>,
    /// Containers that will not be heard at a place, or not at all.
    pub notes: Vec<Note>,
}

/// Why a container will not be heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The container's name.
    pub container: String,
    /// A sentence for the user.
    pub text: String,
}

/// The taps for these containers at these places, and for these interfaces of the host.
pub fn plan(containers: &[&Container], interfaces: &[&Link], places: Places, ground: &Ground) -> Plan {
    let mut planner = Planner { ground, taps: Vec::new(), seen: BTreeMap::new(), notes: Vec::new() };
    // Joiners of a shared namespace come last, so that a tap bears the name of the container that owns it.
    let (joiners, owners): (Vec<_>, Vec<_>) =
        containers.iter().partition(|container| container.mode == NetworkMode::Shared);
    for container in owners.into_iter().chain(joiners) {
        planner.container(container, places);
    }
    if let Some(host) = ground.host {
        for link in interfaces {
            let place = if link.kind == LinkKind::Bridge { Place::Bridge } else { Place::Interface };
            planner.tap(place, host, link, link.name.to_string(), describe_interface(link, host));
        }
    }
    Plan { taps: planner.taps, notes: planner.notes }
}

struct Planner<'a> {
    ground: &'a Ground,
    taps: Vec<TapSpec>,
    seen: BTreeMap<TapKey, usize>,
    notes: Vec<Note>,
}

impl Planner<'_> {
    fn container(&mut self, container: &Container, places: Places) {
        let Some(namespace) = container.namespace else {
            return self.note(container, &format!("is {}: nothing to listen on yet", container.state));
        };
        if container.mode == NetworkMode::Host {
            let text = "is in host mode: it has no interface of its own, and its packets are not told apart from \
                        the host's";
            return self.note(container, text);
        }
        if container.endpoints.is_empty() && !places.loopback {
            self.note(container, "has no interface but loopback: add --at lo");
        }
        for endpoint in &container.endpoints {
            self.endpoint(container, endpoint, places);
        }
        if places.loopback
            && let Some(loopback) = self.find(namespace, |link| link.kind == LinkKind::Loopback)
        {
            let description = describe(container, None);
            self.tap(Place::Loopback, namespace, &loopback, format!("{}/lo", container.name), description);
        }
    }

    fn endpoint(&mut self, container: &Container, endpoint: &Endpoint, places: Places) {
        let description = describe(container, Some(endpoint));
        if places.container {
            let name = format!("{}/{}", container.name, endpoint.link.name);
            self.tap(Place::Container, endpoint.namespace, &endpoint.link, name, description.clone());
        }
        let HostSide::Pair { link, index, namespace, bridge } = &endpoint.host_side else {
            if places.veth || places.bridge {
                let text =
                    format!("has no veth on the host for {}: nothing to listen on there", endpoint.link.name);
                self.note(container, &text);
            }
            return;
        };
        if places.veth
            && let Some(far) = self.find(*namespace, |candidate| candidate.index == *index)
        {
            self.tap(Place::Veth, *namespace, &far, format!("{}@{link}", container.name), description);
        }
        if places.bridge
            && let Some(bridge) = bridge
            && let Some(bridge) = self.find(*namespace, |candidate| candidate.name == *bridge)
        {
            let description = describe_interface(&bridge, *namespace);
            self.tap(Place::Bridge, *namespace, &bridge, bridge.name.to_string(), description);
        }
    }

    fn note(&mut self, container: &Container, what: &str) {
        let text = format!("container {} {what}", container.name);
        self.notes.push(Note { container: container.name.clone(), text });
    }

    fn find(&self, namespace: NamespaceId, wanted: impl Fn(&Link) -> bool) -> Option<Link> {
        self.ground.links.get(&namespace)?.iter().find(|link| wanted(link)).cloned()
    }

    fn tap(&mut self, place: Place, namespace: NamespaceId, link: &Link, name: String, description: String) {
        let key = TapKey { namespace, index: link.index };
        if let Some(known) = self.seen.get(&key) {
            let tap = &mut self.taps[*known];
            if tap.name != name {
                tap.description.push_str(", also ");
                tap.description.push_str(&name);
            }
            return;
        }
        let Some(namespace) = self.ground.namespaces.get(&namespace).cloned() else {
            let text = format!("{name} is not heard: its namespace {namespace} could not be opened");
            self.notes.push(Note { container: name, text });
            return;
        };
        self.seen.insert(key, self.taps.len());
        self.taps.push(TapSpec { place, name, description, link: link.clone(), namespace });
    }
}

fn describe(container: &Container, endpoint: Option<&Endpoint>) -> String {
    let mut parts = Vec::new();
    parts.extend(container.image.as_ref().map(|image| format!("image {image}")));
    parts.push(format!("{} {}", container.engine, container.short_id()));
    if let Some(endpoint) = endpoint {
        parts.extend(endpoint.network.as_ref().map(|network| format!("network {network}")));
        parts.extend(match &endpoint.host_side {
            HostSide::Pair { link, bridge: Some(bridge), .. } => Some(format!("{link} on bridge {bridge}")),
            HostSide::Pair { link, bridge: None, .. } => Some(format!("peer {link}")),
            HostSide::Parent { link, .. } => Some(format!("parent {link}")),
            HostSide::Unconfirmed { .. } | HostSide::None => None,
        });
    }
    parts.extend(container.namespace.map(|namespace| namespace.to_string()));
    parts.extend(container.published.iter().map(|port| format!("published {port}")));
    parts.join(", ")
}

fn describe_interface(link: &Link, namespace: NamespaceId) -> String {
    format!("{} of the host, {namespace}", link.kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::changes;
    use crate::model::fixture::{container, link};

    /// One namespace plays all parts: its links are the container's, the veth's and the bridge's at once.
    fn ground() -> (Ground, NamespaceId) {
        let namespace = Namespace::current().unwrap();
        let id = namespace.id();
        let links = vec![
            link(1, "lo", LinkKind::Loopback),
            link(2, "eth0", LinkKind::Veth),
            link(3, "veth1", LinkKind::Veth),
            link(4, "br0", LinkKind::Bridge),
        ];
        (Ground { namespaces: [(id, namespace)].into(), links: [(id, links)].into(), host: Some(id) }, id)
    }

    fn bridged(name: &str, namespace: NamespaceId) -> Container {
        let host_side = HostSide::Pair {
            link: "veth1".parse().unwrap(),
            index: 3.try_into().unwrap(),
            namespace,
            bridge: Some("br0".parse().unwrap()),
        };
        let endpoint = Endpoint {
            namespace,
            link: link(2, "eth0", LinkKind::Veth),
            network: Some("app".to_owned()),
            host_side,
        };
        Container { endpoints: vec![endpoint], ..container(name, NetworkMode::Bridge, Some(namespace)) }
    }

    const EVERYWHERE: Places = Places { container: true, veth: true, bridge: true, loopback: true };

    fn names(plan: &Plan) -> Vec<&str> {
        plan.taps.iter().map(|tap| tap.name.as_str()).collect()
    }

    #[test]
    fn each_place_on_the_way_has_its_name() {
        let (ground, namespace) = ground();
        let web = bridged("web", namespace);
        let found = plan(&[&web], &[], EVERYWHERE, &ground);
        assert_eq!(names(&found), ["web/eth0", "web@veth1", "br0", "web/lo"]);
        let description = "image busybox, docker web-01234567, network app, veth1 on bridge br0";
        assert!(found.taps[0].description.starts_with(description), "{}", found.taps[0].description);
        assert_eq!(names(&plan(&[&web], &[], Places::default(), &ground)), ["web/eth0"]);
    }

    #[test]
    fn an_interface_of_several_containers_is_heard_once_under_its_owner() {
        let (ground, namespace) = ground();
        let joiner = Container { mode: NetworkMode::Shared, ..bridged("a-joiner", namespace) };
        let owner = bridged("owner", namespace);
        let found = plan(&[&joiner, &owner], &[], Places::default(), &ground);
        assert_eq!(names(&found), ["owner/eth0"]);
        assert!(found.taps[0].description.ends_with("also a-joiner/eth0"));
    }

    #[test]
    fn what_cannot_be_heard_is_said() {
        let (ground, namespace) = ground();
        let containers = [
            container("agent", NetworkMode::Host, Some(namespace)),
            container("alone", NetworkMode::None, Some(namespace)),
            container("over", NetworkMode::Bridge, None),
        ];
        let found = plan(&containers.iter().collect::<Vec<_>>(), &[], Places::default(), &ground);
        let about: Vec<&str> = found.notes.iter().map(|note| note.container.as_str()).collect();
        assert_eq!((found.taps.len(), about), (0, vec!["agent", "alone", "over"]));
    }

    #[test]
    fn interfaces_of_the_host_are_taps_by_their_own_names() {
        let (ground, namespace) = ground();
        let links = &ground.links[&namespace];
        let found = plan(&[], &[&links[3], &links[1]], Places::default(), &ground);
        let places: Vec<Place> = found.taps.iter().map(|tap| tap.place).collect();
        assert_eq!((names(&found), places), (vec!["br0", "eth0"], vec![Place::Bridge, Place::Interface]));
    }

    #[test]
    fn a_second_plan_opens_what_is_new_and_ends_what_is_gone() {
        let (ground, namespace) = ground();
        let web = bridged("web", namespace);
        let first = plan(&[&web], &[], Places { veth: true, ..Places::default() }, &ground);
        let heard = first.taps.iter().map(|tap| (tap.key(), tap.name.clone())).collect();
        let second = plan(&[&web], &[], Places { loopback: true, ..Places::default() }, &ground);
        let changes = changes(&heard, second.taps);
        assert_eq!(changes.opened.iter().map(|tap| tap.name.as_str()).collect::<Vec<_>>(), ["web/lo"]);
        assert_eq!(changes.ended, [first.taps[1].key()]);
    }
}
