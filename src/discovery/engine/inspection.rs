//! One container in detail, from Docker's or Podman's `/containers/ID/json`.

use std::net::IpAddr;

use serde_json::Value;

use crate::discovery::EngineContainer;
use crate::model::{Engine, Protocol, PublishedPort};

use super::docker::{self, EVERY_ADDRESS};
use super::fields::Fields;
use super::networks::Networks;

/// What an engine tells of one container when asked for it alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// What the list tells, with process, namespace and aliases added. Podman leaves out the pod here.
    pub container: EngineContainer,
    /// The container's host name.
    pub hostname: Option<String>,
    /// Name servers asked for (`--dns`); empty where the engine chooses.
    pub dns: Vec<String>,
    /// Search domains asked for.
    pub dns_search: Vec<String>,
    /// Resolver options asked for.
    pub dns_options: Vec<String>,
    /// Additional lines of the hosts file, as `name:address`.
    pub extra_hosts: Vec<String>,
    /// How often the engine has restarted it.
    pub restart_count: Option<u64>,
    /// The health check's word (`starting`, `healthy`, `unhealthy`); none without a health check.
    pub health: Option<String>,
    /// The host ports asked for, whether they are answered or not.
    pub asked_ports: Vec<PublishedPort>,
    /// Host ports asked for at every address of both families, which an engine may answer on one of them.
    pub asked_everywhere: Vec<(u16, Protocol)>,
    /// Why its last start failed, in the engine's words.
    pub failure: Option<String>,
    /// What could not be learnt and why, in sentences for the user.
    pub warnings: Vec<String>,
}

impl Inspection {
    /// Reads the answer; none when it has no id.
    pub(super) fn read(answer: &Value, engine: Engine, networks: &Networks) -> Option<Self> {
        let mut fields = Fields::of(answer);
        let mut inspection = Self {
            container: container(&mut fields, engine, networks)?,
            hostname: fields.text("/Config/Hostname").map(str::to_owned),
            dns: fields.texts("/HostConfig/Dns"),
            dns_search: fields.texts("/HostConfig/DnsSearch"),
            dns_options: fields.texts("/HostConfig/DnsOptions"),
            extra_hosts: fields.texts("/HostConfig/ExtraHosts"),
            restart_count: fields.take("/RestartCount", Value::as_u64),
            health: fields.text("/State/Health/Status").filter(|&word| word != "none").map(str::to_owned),
            asked_ports: ports(&mut fields, "/HostConfig/PortBindings"),
            asked_everywhere: asked_everywhere(answer),
            failure: fields.text("/State/Error").map(str::to_owned),
            warnings: Vec::new(),
        };
        inspection.warnings.extend(docker::oddities(&inspection.container, fields));
        Some(inspection)
    }
}

fn container(fields: &mut Fields, engine: Engine, networks: &Networks) -> Option<EngineContainer> {
    let id = fields.text("/Id")?.to_owned();
    let name = fields.text("/Name").map(|name| name.trim_start_matches('/').to_owned());
    let labels = fields.dictionary("/Config/Labels");
    Some(EngineContainer {
        name: name.unwrap_or_else(|| docker::short(&id)),
        engine,
        image: fields.text("/Config/Image").map(str::to_owned),
        state: docker::state(fields, "/State/Status"),
        network_mode: fields.text("/HostConfig/NetworkMode").map(docker::requested_mode),
        pid: fields.positive("/State/Pid"),
        sandbox: fields.text("/NetworkSettings/SandboxKey").map(str::to_owned),
        networks: docker::memberships(fields, networks),
        published: ports(fields, "/NetworkSettings/Ports"),
        pod: docker::pod(&labels),
        labels,
        id,
    })
}

/// `NetworkSettings.Ports` and its like: `80/tcp` to the list of its host sides, null where there is none.
fn ports(fields: &mut Fields, pointer: &'static str) -> Vec<PublishedPort> {
    let mut ports = Vec::new();
    for (inside, bindings) in fields.entries(pointer) {
        let Some((container_port, protocol)) = inside.split_once('/') else { continue };
        let (Ok(container_port), Some(protocol)) = (container_port.parse(), docker::protocol(protocol))
        else {
            continue;
        };
        for binding in bindings.as_array().into_iter().flatten() {
            let mut inner = Fields::of(binding);
            let host_ip: IpAddr = inner.parsed("/HostIp").unwrap_or(EVERY_ADDRESS);
            let host_port = inner.parsed::<u16>("/HostPort").filter(|&port| port != 0);
            ports.extend(host_port.map(|host_port| PublishedPort {
                host_ip,
                host_port,
                container_port,
                protocol,
            }));
            fields.absorb(inner);
        }
    }
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// Those of `HostConfig.PortBindings` that name no address.
fn asked_everywhere(answer: &Value) -> Vec<(u16, Protocol)> {
    let bindings = answer.pointer("/HostConfig/PortBindings").and_then(Value::as_object);
    let mut asked = Vec::new();
    for (inside, bindings) in bindings.into_iter().flatten() {
        let Some(protocol) = inside.split_once('/').and_then(|(_, word)| docker::protocol(word)) else {
            continue;
        };
        let without_address =
            bindings.as_array().into_iter().flatten().filter(|binding| binding["HostIp"] == "");
        asked.extend(
            without_address
                .filter_map(|binding| Some((binding["HostPort"].as_str()?.parse().ok()?, protocol))),
        );
    }
    asked
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::discovery::RequestedMode;

    use super::*;

    fn read(answer: &Value) -> Option<Inspection> {
        Inspection::read(answer, Engine::Docker, &Networks::default())
    }

    #[test]
    fn a_recorded_answer_tells_process_namespace_and_name_resolution() {
        let answer = serde_json::from_str(include_str!("recorded/docker-20.10-inspect.json")).unwrap();
        let inspection = read(&answer).unwrap();
        let container = &inspection.container;
        assert_eq!((container.name.as_str(), container.pid), ("app", Some(21205)));
        assert_eq!(container.sandbox.as_deref(), Some("/var/run/docker/netns/4974a296ee69"));
        assert_eq!(container.network_mode, Some(RequestedMode::Network("app".into())));
        assert_eq!(container.networks[0].aliases, ["0cd3e3e0fb6a", "app"]);
        assert_eq!(inspection.hostname.as_deref(), Some("0cd3e3e0fb6a"));
        assert_eq!(
            (&inspection.dns[..], &inspection.extra_hosts[..]),
            (&["1.1.1.1".into()][..], &["db:10.0.0.9".into()][..])
        );
        assert_eq!(
            (inspection.restart_count, inspection.health, inspection.warnings),
            (Some(0), None, vec![])
        );
    }

    #[test]
    fn ports_of_an_inspection_are_keyed_by_the_inner_side() {
        let answer = json!({"Id": "ab", "NetworkSettings": {"Ports": {
            "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}],
            "53/udp": null, "x/tcp": [{}], "9": 9, "90/tcp": [{"HostIp": "", "HostPort": "9090"}, {"HostPort": 1}],
        }}});
        let inspection = read(&answer).unwrap();
        let ports: Vec<_> = inspection.container.published.iter().map(ToString::to_string).collect();
        assert_eq!(ports, ["0.0.0.0:8080→80/tcp", "0.0.0.0:9090→90/tcp", "[::]:8080→80/tcp"]);
        assert_eq!(inspection.warnings, ["docker describes the container ab oddly, left out: HostPort"]);
    }

    #[test]
    fn ports_asked_for_are_told_beside_those_there_are() {
        let answer = json!({"Id": "ab", "State": {"Error": "port is already allocated"}, "HostConfig": {"PortBindings": {
            "80/tcp": [{"HostIp": "", "HostPort": "8080"}], "53/udp": [{"HostIp": "127.0.0.1", "HostPort": "53"}],
        }}});
        let inspection = read(&answer).unwrap();
        let ports: Vec<_> = inspection.asked_ports.iter().map(ToString::to_string).collect();
        assert_eq!(ports, ["0.0.0.0:8080→80/tcp", "127.0.0.1:53→53/udp"]);
        assert_eq!(inspection.asked_everywhere, [(8080, Protocol::Tcp)]);
        assert_eq!(inspection.failure.as_deref(), Some("port is already allocated"));
        assert_eq!(inspection.container.published, []);
    }

    #[test]
    fn health_is_a_word_only_where_it_is_checked() {
        let health = |word| read(&json!({"Id": "ab", "State": {"Health": {"Status": word}}})).unwrap().health;
        assert_eq!(health("unhealthy").as_deref(), Some("unhealthy"));
        assert_eq!(health(""), None);
        assert_eq!(health("none"), None);
    }

    #[test]
    fn an_answer_without_an_id_is_none() {
        assert_eq!(read(&json!({"Name": "/web"})), None);
        assert_eq!(read(&json!([])), None);
    }
}
