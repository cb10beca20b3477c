//! Docker's list of containers turned into facts; Podman's Docker-like list is read by it too.
//!
//! What the list cannot tell (process, namespace, aliases before Docker 25) is left to the scan and to `inspection`.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;

use crate::discovery::{EngineContainer, RequestedMode};
use crate::model::{Engine, Membership, NetworkMode, Protocol, PublishedPort, State};

use super::{fields::Fields, networks::Networks};

/// The containers of `/containers/json?all=1`. One without an id is left out; each odd one gets a warning.
pub(super) fn containers(
    entries: &[Value],
    engine: &Engine,
    networks: &Networks,
    warnings: &mut Vec<String>,
) -> Vec<EngineContainer> {
    let read = |entry| {
        let mut fields = Fields::of(entry);
        let container = container(&mut fields, engine, networks);
        match &container {
            None => warnings
                .push(format!("{engine} lists a container without an id, left out: {}", beginning(entry))),
            Some(container) => warnings.extend(oddities(container, fields)),
        }
        container
    };
    entries.iter().filter_map(read).collect()
}

fn beginning(entry: &Value) -> String {
    entry.to_string().chars().take(80).collect()
}

/// The warning about a container some of whose fields could not be read.
pub(super) fn oddities(container: &EngineContainer, fields: Fields) -> Option<String> {
    let EngineContainer { engine, name, .. } = container;
    fields.oddities().map(|odd| format!("{engine} describes the container {name} oddly, left out: {odd}"))
}

fn container(fields: &mut Fields, engine: &Engine, networks: &Networks) -> Option<EngineContainer> {
    let id = fields.text("/Id")?.to_owned();
    let labels = fields.dictionary("/Labels");
    Some(EngineContainer {
        name: own_name(&fields.texts("/Names")).unwrap_or_else(|| short(&id)),
        engine: engine.clone(),
        image: fields.text("/Image").map(str::to_owned),
        state: state(fields, "/State"),
        network_mode: fields.text("/HostConfig/NetworkMode").map(requested_mode),
        pid: None,
        sandbox: None,
        networks: memberships(fields, networks),
        published: published(fields),
        pod: pod(&labels),
        labels,
        id,
    })
}

/// A container's own name is `/name`; legacy links to it add `/other/alias`.
fn own_name(names: &[String]) -> Option<String> {
    let own = names.iter().find(|name| !name.trim_start_matches('/').contains('/'));
    own.or(names.first()).map(|name| name.trim_start_matches('/').to_owned())
}

/// The name of a container that has none.
pub(super) fn short(id: &str) -> String {
    id.get(..12).unwrap_or(id).to_owned()
}

/// The engine's word, known or not; `unknown` where it says nothing.
pub(super) fn state(fields: &mut Fields, pointer: &'static str) -> State {
    State::from_engine(fields.text(pointer).unwrap_or("unknown"))
}

/// The Kubernetes pod, where Docker serves a kubelet (cri-dockerd's labels).
pub(super) fn pod(labels: &std::collections::BTreeMap<String, String>) -> Option<String> {
    labels.get("io.kubernetes.pod.name").cloned()
}

/// `HostConfig.NetworkMode` in Docker's and Podman's words; `default` is the bridge.
pub(super) fn requested_mode(word: &str) -> RequestedMode {
    match word.split_once(':').unwrap_or((word, "")) {
        ("default" | "bridge", _) => RequestedMode::Mode(NetworkMode::Bridge),
        ("host", _) => RequestedMode::Mode(NetworkMode::Host),
        ("none", _) => RequestedMode::Mode(NetworkMode::None),
        ("pasta" | "slirp4netns", _) => RequestedMode::Mode(NetworkMode::Tap),
        ("container", whose) => RequestedMode::Container(whose.to_owned()),
        ("ns", _) => RequestedMode::Mode(NetworkMode::Other(word.to_owned())),
        _ => RequestedMode::Network(word.to_owned()),
    }
}

/// `NetworkSettings.Networks`, by name.
pub(super) fn memberships(fields: &mut Fields, networks: &Networks) -> Vec<Membership> {
    let mut memberships = Vec::new();
    for (name, entry) in fields.entries("/NetworkSettings/Networks") {
        let mut inner = Fields::of(entry);
        let mut aliases = inner.texts("/Aliases");
        aliases.extend(inner.texts("/DNSNames"));
        aliases.sort_unstable();
        aliases.dedup();
        memberships.push(Membership {
            network: name.clone(),
            bridge: networks.bridge(inner.text("/NetworkID"), name),
            addresses: addresses(&mut inner),
            mac: inner.parsed("/MacAddress"),
            aliases,
        });
        fields.absorb(inner);
    }
    memberships
}

fn addresses(fields: &mut Fields) -> Vec<IpAddr> {
    let both = [fields.parsed("/IPAddress"), fields.parsed("/GlobalIPv6Address")];
    both.into_iter().flatten().collect()
}

/// `Ports`: those with a public side, each once, in order.
fn published(fields: &mut Fields) -> Vec<PublishedPort> {
    let mut ports = Vec::new();
    for entry in fields.items("/Ports") {
        let mut inner = Fields::of(entry);
        ports.extend(published_port(&mut inner));
        fields.absorb(inner);
    }
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn published_port(fields: &mut Fields) -> Option<PublishedPort> {
    Some(PublishedPort {
        host_port: fields.positive("/PublicPort")?,
        container_port: fields.positive("/PrivatePort")?,
        host_ip: fields.parsed("/IP").unwrap_or(EVERY_ADDRESS),
        protocol: fields.take("/Type", |word| protocol(word.as_str()?))?,
    })
}

/// What an engine means that names no host address.
pub(super) const EVERY_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// `tcp`, `udp` or `sctp`.
pub(super) fn protocol(word: &str) -> Option<Protocol> {
    match word {
        "tcp" => Some(Protocol::Tcp),
        "udp" => Some(Protocol::Udp),
        "sctp" => Some(Protocol::Sctp),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(entries: &Value) -> (Vec<EngineContainer>, Vec<String>) {
        let networks: Vec<Value> =
            serde_json::from_str(include_str!("recorded/docker-20.10-networks.json")).unwrap();
        let networks = Networks::from_docker(&networks, &mut vec![]);
        let mut warnings = Vec::new();
        let entries = entries.as_array().unwrap();
        let containers = containers(entries, &Engine::Docker, &networks, &mut warnings);
        (containers, warnings)
    }

    fn recorded() -> Vec<EngineContainer> {
        let list = serde_json::from_str(include_str!("recorded/docker-20.10-containers.json")).unwrap();
        let (containers, warnings) = read(&list);
        assert_eq!(warnings, Vec::<String>::new());
        containers
    }

    fn named<'a>(containers: &'a [EngineContainer], name: &str) -> &'a EngineContainer {
        containers.iter().find(|container| container.name == name).unwrap()
    }

    #[test]
    fn a_recorded_list_tells_names_states_and_modes() {
        let containers = recorded();
        let seen: Vec<_> =
            containers.iter().map(|c| (c.name.as_str(), c.state.as_str(), c.network_mode.clone())).collect();
        let mode = |mode| Some(RequestedMode::Mode(mode));
        let web = "c3e9e403811a7a00e7e32b36a6724237e4f1a4affb25a3d549d71e30c76c3fcd".to_owned();
        let expected = [
            ("created", "created", mode(NetworkMode::Bridge)),
            ("side", "running", Some(RequestedMode::Container(web))),
            ("none", "running", mode(NetworkMode::None)),
            ("host", "running", mode(NetworkMode::Host)),
            ("app", "running", Some(RequestedMode::Network("app".into()))),
            ("web", "running", mode(NetworkMode::Bridge)),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_recorded_list_tells_memberships_with_bridges_and_both_families() {
        let containers = recorded();
        let app = named(&containers, "app");
        let [first, second] = &app.networks[..] else { panic!("two networks: {app:?}") };
        assert_eq!(first.network, "app");
        assert_eq!(first.bridge.as_ref().unwrap().as_str(), "br-95d95b5e47ec");
        assert_eq!(
            first.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["10.211.7.2", "fd00:211:7::2"]
        );
        assert_eq!(first.mac.unwrap().to_string(), "02:42:0a:d3:07:02");
        assert_eq!(second.bridge.as_ref().unwrap().as_str(), "pcs-eng-br");
        assert_eq!(named(&containers, "side").networks, []);
        assert_eq!(named(&containers, "created").networks[0].addresses, Vec::<IpAddr>::new());
    }

    #[test]
    fn a_recorded_list_tells_published_ports_and_labels() {
        let containers = recorded();
        let web = named(&containers, "web");
        let ports: Vec<_> = web.published.iter().map(ToString::to_string).collect();
        assert_eq!(ports, ["0.0.0.0:18080→80/tcp", "127.0.0.1:18081→81/udp", "[::]:18080→80/tcp"]);
        assert_eq!(web.labels["com.docker.compose.project"], "shop");
    }

    #[test]
    fn one_odd_container_costs_only_its_odd_fields() {
        let (containers, warnings) = read(&json!([
            {"Id": "0123456789abcdef", "Names": null, "State": "hibernating", "Image": 5, "Labels": ["x"],
             "Ports": null, "HostConfig": null},
            {"Names": ["/nobody"]},
            "not even an object",
            {"Id": "feedfacefeedface", "Names": ["/db/alias", "/web"], "State": 3, "NetworkSettings": {"Networks": {
                "x": null, "y": {"IPAddress": "10.0.0.300", "MacAddress": "", "Aliases": null}}},
             "Ports": [{"PublicPort": 80}, 9, {"PublicPort": 1, "PrivatePort": 2, "Type": "tcp", "IP": ""}]},
        ]));
        let [first, second] = &containers[..] else { panic!("two containers: {containers:?}") };
        assert_eq!((first.name.as_str(), first.state.as_str()), ("0123456789ab", "hibernating"));
        assert_eq!((&first.image, first.labels.len(), first.networks.len()), (&None, 0, 0));
        assert_eq!((second.name.as_str(), second.state.as_str()), ("web", "unknown"));
        assert_eq!(second.networks.len(), 2);
        assert_eq!(second.published.iter().map(ToString::to_string).collect::<Vec<_>>(), ["0.0.0.0:1→2/tcp"]);
        assert_eq!(
            warnings,
            [
                "docker describes the container 0123456789ab oddly, left out: Image, Labels",
                "docker lists a container without an id, left out: {\"Names\":[\"/nobody\"]}",
                "docker lists a container without an id, left out: \"not even an object\"",
                "docker describes the container web oddly, left out: IPAddress, State",
            ]
        );
    }

    #[test]
    fn requested_modes_in_both_engines_words() {
        let mode = RequestedMode::Mode;
        let cases = [
            ("default", mode(NetworkMode::Bridge)),
            ("pasta:--mtu,1500", mode(NetworkMode::Tap)),
            ("slirp4netns", mode(NetworkMode::Tap)),
            ("container:web", RequestedMode::Container("web".into())),
            ("ns:/run/netns/x", mode(NetworkMode::Other("ns:/run/netns/x".into()))),
            ("shop_default", RequestedMode::Network("shop_default".into())),
        ];
        for (word, expected) in cases {
            assert_eq!(requested_mode(word), expected, "{word}");
        }
    }
}
