//! What only Podman's own API tells: processes, pods, whole port ranges. It completes the Docker-like list.

use std::collections::HashMap;

use serde_json::Value;

use crate::discovery::EngineContainer;
use crate::model::PublishedPort;

use super::docker::{self, EVERY_ADDRESS};
use super::fields::Fields;

/// The version of Podman's own API, from `/version`; none when the engine is not Podman.
pub(super) fn api_version(version: &Value) -> Option<String> {
    let components = version.pointer("/Components")?.as_array()?;
    let podman = components.iter().find(|component| component["Name"] == "Podman Engine")?;
    let api = podman.pointer("/Details/APIVersion")?.as_str()?;
    is_version(api).then(|| api.to_owned())
}

/// Whether it can be a version, and so a part of a path.
pub(super) fn is_version(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || ".-+".contains(c))
}

/// Completes the containers with what `/libpod/containers/json?all=true` says of them.
pub(super) fn complete(containers: &mut [EngineContainer], entries: &[Value], warnings: &mut Vec<String>) {
    let by_id: HashMap<_, _> =
        entries.iter().filter_map(|entry| Some((entry.pointer("/Id")?.as_str()?, entry))).collect();
    for container in containers {
        let Some(entry) = by_id.get(container.id.as_str()) else { continue };
        let mut fields = Fields::of(entry);
        container.pid = fields.positive("/Pid");
        container.pod = fields.text("/PodName").map(str::to_owned);
        let published = published(&mut fields);
        if !published.is_empty() {
            container.published = published;
        }
        warnings.extend(docker::oddities(container, fields));
    }
}

/// `Ports`, in which one entry stands for a range. The Docker-like list tells only the range's first port.
fn published(fields: &mut Fields) -> Vec<PublishedPort> {
    let mut ports = Vec::new();
    for entry in fields.items("/Ports") {
        let mut inner = Fields::of(entry);
        ports.extend(range(&mut inner).into_iter().flatten());
        fields.absorb(inner);
    }
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn range(fields: &mut Fields) -> Option<impl Iterator<Item = PublishedPort>> {
    let host: u16 = fields.positive("/host_port")?;
    let inside: u16 = fields.positive("/container_port")?;
    let length = fields.positive("/range").unwrap_or(1);
    let host_ip = fields.parsed("/host_ip").unwrap_or(EVERY_ADDRESS);
    let protocols = fields.take("/protocol", |words| {
        words.as_str()?.split(',').map(docker::protocol).collect::<Option<Vec<_>>>()
    })?;
    let port = move |protocol, step| {
        let (host_port, container_port) = (host.checked_add(step)?, inside.checked_add(step)?);
        Some(PublishedPort { host_ip, host_port, container_port, protocol })
    };
    Some(
        protocols
            .into_iter()
            .flat_map(move |protocol| (0..length).map_while(move |step| port(protocol, step))),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::discovery::engine::networks::Networks;
    use crate::model::Engine;

    use super::*;

    fn recorded() -> Vec<EngineContainer> {
        let list = |text| serde_json::from_str::<Vec<Value>>(text).unwrap();
        let networks = list(include_str!("recorded/podman-4.3-libpod-networks.json"));
        let compat = list(include_str!("recorded/podman-4.3-containers.json"));
        let own = list(include_str!("recorded/podman-4.3-libpod-containers.json"));
        let mut warnings = Vec::new();
        let networks = Networks::from_podman(&networks, &mut warnings);
        let mut containers = docker::containers(&compat, &Engine::Podman, &networks, &mut warnings);
        complete(&mut containers, &own, &mut warnings);
        assert_eq!(warnings, Vec::<String>::new());
        containers
    }

    #[test]
    fn its_own_list_adds_processes_pods_and_port_ranges() {
        let seen: Vec<_> = recorded()
            .into_iter()
            .map(|c| {
                let ports: Vec<_> = c.published.iter().map(ToString::to_string).collect();
                (c.name, c.state.to_string(), c.pid, c.pod, ports.join(" "))
            })
            .collect();
        let row = |name: &str, state: &str, pid, pod: Option<&str>, ports: &str| {
            (name.to_owned(), state.to_owned(), pid, pod.map(str::to_owned), ports.to_owned())
        };
        let expected = [
            row("failed", "exited", None, None, ""),
            row("ccfece41cafc-infra", "running", Some(12455), Some("shop"), ""),
            row("ranged", "running", Some(12551), None, "127.0.0.1:18091→81/udp 127.0.0.1:18092→82/udp"),
            row("inpod", "running", Some(12477), Some("shop"), ""),
            row("web", "running", Some(12138), None, "0.0.0.0:18090→80/tcp"),
            row("fresh", "created", None, None, ""),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn memberships_have_the_bridges_of_its_own_networks() {
        let containers = recorded();
        let web = containers.iter().find(|container| container.name == "web").unwrap();
        assert_eq!(web.networks[0].bridge.as_ref().unwrap().as_str(), "podman0");
        assert_eq!(web.networks[0].aliases, ["8ed387e61656"]);
        assert_eq!(web.network_mode, None);
    }

    #[test]
    fn ranges_end_with_the_last_port_and_protocols_multiply() {
        let entry = json!({"Ports": [
            {"host_port": 65535, "container_port": 1, "range": 9, "protocol": "tcp,udp", "host_ip": "::1"},
            {"host_port": 5, "container_port": 5, "protocol": "carrier pigeon"},
        ]});
        let mut fields = Fields::of(&entry);
        let ports: Vec<_> = published(&mut fields).iter().map(ToString::to_string).collect();
        assert_eq!(ports, ["[::1]:65535→1/tcp", "[::1]:65535→1/udp"]);
        assert_eq!(fields.oddities().as_deref(), Some("protocol"));
    }

    #[test]
    fn only_podman_has_an_api_of_its_own() {
        let version = |name, api| json!({"Components": [{"Name": name, "Details": {"APIVersion": api}}]});
        assert_eq!(api_version(&version("Podman Engine", "4.3.1")).as_deref(), Some("4.3.1"));
        assert_eq!(api_version(&version("Podman Engine", "../x y")), None);
        assert_eq!(api_version(&version("Engine", "1.41")), None);
        assert_eq!(api_version(&json!({"Components": null})), None);
    }
}
