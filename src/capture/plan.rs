//! From containers and interfaces to the taps that hear them. Pure: opens nothing.

use std::collections::{BTreeMap, HashMap};

use crate::model::{Container, Endpoint, HostSide, Link, LinkIndex, LinkKind, NamespaceId, NetworkMode};
use crate::sys::cgroup::Cgroup;
use crate::sys::netns::Namespace;

use super::{Place, Spot, TapKey, TapSpec};

/// Which places on each container's way to listen at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of five, each on or off by itself")]
pub struct Places {
    /// `container`: the interfaces inside.
    pub container: bool,
    /// `veth`: the host's end of each.
    pub veth: bool,
    /// `bridge`: the bridges behind those.
    pub bridge: bool,
    /// `lo`: the loopback inside.
    pub loopback: bool,
    /// `cgroup`: its sockets.
    pub cgroup: bool,
}

/// Inside the container only. One in host mode has no inside: its sockets are heard in its place.
impl Default for Places {
    fn default() -> Self {
        Self { container: true, veth: false, bridge: false, loopback: false, cgroup: false }
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
    /// Whether an interface is still there.
    pub fn has(&self, namespace: NamespaceId, index: LinkIndex) -> bool {
        self.links.get(&namespace).is_some_and(|links| links.iter().any(|link| link.index == index))
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

/// What is to be heard.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// These containers.
    pub containers: &'a [&'a Container],
    /// These interfaces of the host.
    pub interfaces: &'a [&'a Link],
    /// These cgroups, which are not asked for as a container's.
    pub cgroups: &'a [Cgroup],
    /// The cgroups of containers, by the container's id.
    pub groups: &'a HashMap<String, Result<Cgroup, NoCgroup>>,
}

/// Why a container's sockets cannot be told by their cgroup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCgroup {
    /// It shares one with others, or has none.
    #[error("has no cgroup of its own in the version 2 hierarchy (its processes are in {0})")]
    Shared(String),
    /// The hierarchy or the group could not be looked at.
    #[error("is in a cgroup that cannot be looked at: {0}")]
    Unseen(String),
}

/// The taps for these containers at these places, and for these interfaces and cgroups of the host.
pub fn plan(wanted: &Wanted<'_>, places: Places, ground: &Ground) -> Plan {
    let mut planner =
        Planner { ground, groups: wanted.groups, taps: Vec::new(), seen: BTreeMap::new(), notes: Vec::new() };
    // Joiners of a shared namespace come last, so that a tap bears the name of the container that owns it.
    let (joiners, owners): (Vec<_>, Vec<_>) =
        wanted.containers.iter().partition(|container| container.mode == NetworkMode::Shared);
    for container in owners.into_iter().chain(joiners) {
        planner.container(container, places);
    }
    if let Some(host) = ground.host {
        for link in wanted.interfaces {
            let place = if link.kind == LinkKind::Bridge { Place::Bridge } else { Place::Interface };
            let label = Label { name: link.name.to_string(), description: describe_interface(link, host) };
            planner.interface(place, host, link, label);
        }
        for cgroup in wanted.cgroups {
            let last = cgroup.path().rsplit('/').find(|segment| !segment.is_empty()).unwrap_or("root");
            let description = format!("sockets of the cgroup {}", cgroup.path());
            planner.cgroup(None, host, cgroup, Label { name: format!("{last}/cgroup"), description });
        }
    }
    Plan { taps: planner.taps, notes: planner.notes }
}

struct Planner<'a> {
    ground: &'a Ground,
    groups: &'a HashMap<String, Result<Cgroup, NoCgroup>>,
    taps: Vec<TapSpec>,
    seen: BTreeMap<TapKey, usize>,
    notes: Vec<Note>,
}

impl Planner<'_> {
    fn container(&mut self, container: &Container, places: Places) {
        let Some(namespace) = container.namespace else {
            return self.note(container, &format!("is {}: nothing to listen on yet", container.state));
        };
        let is_host = container.mode == NetworkMode::Host;
        if places.cgroup || (is_host && places.container) {
            self.sockets(container, namespace);
        }
        if is_host {
            if places.veth || places.bridge || places.loopback {
                self.note(container, "is in host mode: it has neither veth, bridge nor loopback of its own");
            }
            return;
        }
        if container.endpoints.is_empty()
            && (places.container || places.veth || places.bridge)
            && !places.loopback
        {
            self.note(container, "has no interface but loopback: add --at lo");
        }
        for endpoint in &container.endpoints {
            self.endpoint(container, endpoint, places);
        }
        if places.loopback
            && let Some(loopback) = self.find(namespace, |link| link.kind == LinkKind::Loopback)
        {
            let label =
                Label { name: format!("{}/lo", container.name), description: describe(container, None) };
            self.interface(Place::Loopback, namespace, &loopback, label);
        }
    }

    fn sockets(&mut self, container: &Container, namespace: NamespaceId) {
        match self.groups.get(&container.id) {
            Some(Ok(cgroup)) => {
                let own = cgroup.path();
                let description = format!("{}, sockets of the cgroup {own}", describe(container, None));
                let label = Label { name: format!("{}/cgroup", container.name), description };
                self.cgroup(Some(container), namespace, cgroup, label);
            }
            Some(Err(reason)) => self.note(container, &reason.to_string()),
            None => self.note(container, "has no process, and so no cgroup to listen at"),
        }
    }

    fn endpoint(&mut self, container: &Container, endpoint: &Endpoint, places: Places) {
        let description = describe(container, Some(endpoint));
        if places.container {
            let name = format!("{}/{}", container.name, endpoint.link.name);
            let label = Label { name, description: description.clone() };
            self.interface(Place::Container, endpoint.namespace, &endpoint.link, label);
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
            let label = Label { name: format!("{}@{link}", container.name), description };
            self.interface(Place::Veth, *namespace, &far, label);
        }
        if places.bridge
            && let Some(bridge) = bridge
            && let Some(bridge) = self.find(*namespace, |candidate| candidate.name == *bridge)
        {
            let label =
                Label { name: bridge.name.to_string(), description: describe_interface(&bridge, *namespace) };
            self.interface(Place::Bridge, *namespace, &bridge, label);
        }
    }

    fn note(&mut self, container: &Container, what: &str) {
        let text = format!("container {} {what}", container.name);
        self.notes.push(Note { container: container.name.clone(), text });
    }

    fn find(&self, namespace: NamespaceId, wanted: impl Fn(&Link) -> bool) -> Option<Link> {
        self.ground.links.get(&namespace)?.iter().find(|link| wanted(link)).cloned()
    }

    fn interface(&mut self, place: Place, namespace: NamespaceId, link: &Link, label: Label) {
        self.tap(place, namespace, Spot::Interface(link.clone()), label);
    }

    fn cgroup(
        &mut self,
        container: Option<&Container>,
        namespace: NamespaceId,
        cgroup: &Cgroup,
        label: Label,
    ) {
        let links = self.ground.links.get(&namespace).cloned().unwrap_or_default();
        let container = container.map(|container| container.name.clone());
        let spot = Spot::Cgroup { container, cgroup: cgroup.clone(), links };
        self.tap(Place::Cgroup, namespace, spot, label);
    }

    fn tap(&mut self, place: Place, namespace: NamespaceId, spot: Spot, Label { name, description }: Label) {
        let Some(namespace) = self.ground.namespaces.get(&namespace).cloned() else {
            let text = format!("{name} is not heard: its namespace {namespace} could not be opened");
            self.notes.push(Note { container: name, text });
            return;
        };
        let spec = TapSpec { place, name, description, spot, namespace };
        if let Some(known) = self.seen.get(&spec.key()) {
            let tap = &mut self.taps[*known];
            if tap.name != spec.name {
                tap.description.push_str(", also ");
                tap.description.push_str(&spec.name);
            }
            return;
        }
        self.seen.insert(spec.key(), self.taps.len());
        self.taps.push(spec);
    }
}

/// What a tap is called.
struct Label {
    name: String,
    description: String,
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
    use crate::sys::cgroup::Hierarchy;

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

    const EVERYWHERE: Places =
        Places { container: true, veth: true, bridge: true, loopback: true, cgroup: false };

    fn heard(containers: &[&Container], interfaces: &[&Link], places: Places, ground: &Ground) -> Plan {
        let wanted = Wanted { containers, interfaces, cgroups: &[], groups: &HashMap::new() };
        plan(&wanted, places, ground)
    }

    fn names(plan: &Plan) -> Vec<&str> {
        plan.taps.iter().map(|tap| tap.name.as_str()).collect()
    }

    #[test]
    fn each_place_on_the_way_has_its_name() {
        let (ground, namespace) = ground();
        let web = bridged("web", namespace);
        let found = heard(&[&web], &[], EVERYWHERE, &ground);
        assert_eq!(names(&found), ["web/eth0", "web@veth1", "br0", "web/lo"]);
        let description = "image busybox, docker web-01234567, network app, veth1 on bridge br0";
        assert!(found.taps[0].description.starts_with(description), "{}", found.taps[0].description);
        assert_eq!(names(&heard(&[&web], &[], Places::default(), &ground)), ["web/eth0"]);
    }

    #[test]
    fn an_interface_of_several_containers_is_heard_once_under_its_owner() {
        let (ground, namespace) = ground();
        let joiner = Container { mode: NetworkMode::Shared, ..bridged("a-joiner", namespace) };
        let owner = bridged("owner", namespace);
        let found = heard(&[&joiner, &owner], &[], Places::default(), &ground);
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
        let found = heard(&containers.iter().collect::<Vec<_>>(), &[], Places::default(), &ground);
        let about: Vec<&str> = found.notes.iter().map(|note| note.container.as_str()).collect();
        assert_eq!((found.taps.len(), about), (0, vec!["agent", "alone", "over"]));
    }

    #[test]
    fn a_container_in_host_mode_is_heard_at_its_cgroup_or_it_is_said_why_not() {
        let (ground, namespace) = ground();
        let agent = container("agent", NetworkMode::Host, Some(namespace));
        let shared = NoCgroup::Shared("/system.slice/docker.service".to_owned());
        let wanted = |group| {
            let groups = &[(agent.id.clone(), group)].into();
            let found = plan(
                &Wanted { containers: &[&agent], interfaces: &[], cgroups: &[], groups },
                Places::default(),
                &ground,
            );
            (names(&found).join(" "), found.notes.into_iter().map(|note| note.text).collect::<Vec<_>>())
        };
        let (taps, notes) = wanted(Err(shared));
        assert_eq!(taps, "");
        assert!(notes[0].ends_with("(its processes are in /system.slice/docker.service)"), "{notes:?}");
        // Whatever group there is: a plan opens nothing.
        let Ok(root) = Hierarchy::find().and_then(|hierarchy| hierarchy.open("/")) else { return };
        assert_eq!(wanted(Ok(root)), ("agent/cgroup".to_owned(), Vec::new()));
    }

    #[test]
    fn interfaces_of_the_host_are_taps_by_their_own_names() {
        let (ground, namespace) = ground();
        let links = &ground.links[&namespace];
        let found = heard(&[], &[&links[3], &links[1]], Places::default(), &ground);
        let places: Vec<Place> = found.taps.iter().map(|tap| tap.place).collect();
        assert_eq!((names(&found), places), (vec!["br0", "eth0"], vec![Place::Bridge, Place::Interface]));
    }

    #[test]
    fn a_second_plan_opens_what_is_new_and_ends_what_is_gone() {
        let (ground, namespace) = ground();
        let web = bridged("web", namespace);
        let first = heard(&[&web], &[], Places { veth: true, ..Places::default() }, &ground);
        let open = first.taps.iter().map(|tap| (tap.key(), tap.name.clone())).collect();
        let second = heard(&[&web], &[], Places { loopback: true, ..Places::default() }, &ground);
        let changes = changes(&open, second.taps);
        assert_eq!(changes.opened.iter().map(|tap| tap.name.as_str()).collect::<Vec<_>>(), ["web/lo"]);
        assert_eq!(changes.ended, [first.taps[1].key()]);
    }
}
