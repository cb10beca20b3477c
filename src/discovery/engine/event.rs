//! One line of an engine's `/events`, read. Docker's and Podman's words for the same thing become one.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::Engine;

use super::fields::Fields;

/// Something that happened to a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineEvent {
    /// Who says so.
    pub engine: Engine,
    /// When, in ns since the epoch by the engine's clock.
    pub time_ns: u64,
    /// What.
    pub kind: EventKind,
    /// The container's full id.
    pub container: String,
    /// The container's name, where the event bears it: Docker's network events do not.
    pub name: Option<String>,
    /// All the engine added: image, labels, execID, …
    pub attributes: BTreeMap<String, String>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// Made.
    Create,
    /// Its first process runs.
    Start,
    /// Its first process ended.
    Die {
        /// With this exit code, where told.
        exit_code: Option<i32>,
    },
    /// Removed.
    Destroy,
    /// A health check ended.
    Health {
        /// `healthy`, `unhealthy`, `starting`; Podman before 4.5 does not tell.
        status: Option<String>,
    },
    /// Has another name.
    Rename {
        /// The former one; Podman does not tell.
        from: Option<String>,
        /// The one it has now.
        to: String,
    },
    /// Frozen.
    Pause,
    /// Thawed.
    Unpause,
    /// The kernel killed one of its processes for want of memory.
    Oom,
    /// Joined a network.
    Connect {
        /// Which; Podman does not tell.
        network: Option<String>,
    },
    /// Left a network. Docker says so twice.
    Disconnect {
        /// Which; Podman does not tell.
        network: Option<String>,
    },
    /// Anything else, in the engine's words (`exec_start: /bin/sh`, `kill`, `cleanup`, …).
    Other(String),
}

impl EngineEvent {
    /// Reads one line; none when it is not about a container, or not an event at all.
    pub(super) fn read(line: &[u8], engine: &Engine) -> Option<Self> {
        let line: Value = serde_json::from_slice(line).ok()?;
        let mut fields = Fields::of(&line);
        let action = fields.text("/Action").or_else(|| fields.text("/status"))?;
        let attributes: BTreeMap<_, _> = fields.dictionary("/Actor/Attributes");
        let actor = fields.text("/Actor/ID").or_else(|| fields.text("/id"));
        let name = attributes.get("name").cloned();
        let (container, name, kind) = match fields.text("/Type")? {
            "container" => (actor?.to_owned(), name.clone(), lifecycle(action, &attributes, name)),
            "network" => network_event(action, &attributes, actor)?,
            _ => return None,
        };
        Some(Self {
            engine: engine.clone(),
            time_ns: time_ns(&mut fields),
            kind,
            container,
            name,
            attributes,
        })
    }
}

fn lifecycle(action: &str, attributes: &BTreeMap<String, String>, name: Option<String>) -> EventKind {
    let attribute = |key| attributes.get(key).map(String::as_str);
    let (verb, detail) = match action.split_once(": ") {
        Some((verb, detail)) => (verb, Some(detail)),
        None => (action, None),
    };
    match verb {
        "create" => EventKind::Create,
        "start" => EventKind::Start,
        "die" | "died" => {
            let code = attribute("exitCode").or_else(|| attribute("containerExitCode"));
            EventKind::Die { exit_code: code.and_then(|code| code.parse().ok()) }
        }
        "destroy" | "remove" => EventKind::Destroy,
        "health_status" => {
            EventKind::Health { status: detail.or_else(|| attribute("health_status")).map(str::to_owned) }
        }
        "rename" => EventKind::Rename {
            from: attribute("oldName").map(|name| name.trim_start_matches('/').to_owned()),
            to: name.unwrap_or_default(),
        },
        "pause" => EventKind::Pause,
        "unpause" => EventKind::Unpause,
        "oom" => EventKind::Oom,
        _ => EventKind::Other(action.to_owned()),
    }
}

/// Docker's actor is the network, with the container among the attributes; Podman's is the container.
fn network_event(
    action: &str,
    attributes: &BTreeMap<String, String>,
    actor: Option<&str>,
) -> Option<(String, Option<String>, EventKind)> {
    let attribute = |key| attributes.get(key).cloned();
    let (container, name, network) = match attribute("container") {
        Some(container) => (container, None, attribute("name")),
        None => (actor?.to_owned(), attribute("name"), attribute("network")),
    };
    let kind = match action {
        "connect" => EventKind::Connect { network },
        "disconnect" => EventKind::Disconnect { network },
        _ => return None,
    };
    Some((container, name, kind))
}

fn time_ns(fields: &mut Fields) -> u64 {
    let whole_seconds =
        |fields: &mut Fields| fields.positive::<u64>("/time").unwrap_or(0).saturating_mul(1_000_000_000);
    fields.positive("/timeNano").unwrap_or_else(|| whole_seconds(fields))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kinds(recorded: &str, engine: &Engine) -> Vec<EventKind> {
        recorded
            .lines()
            .filter_map(|line| EngineEvent::read(line.as_bytes(), engine))
            .map(|event| event.kind)
            .collect()
    }

    #[test]
    fn docker_in_its_own_words() {
        let network = Some("bridge".to_owned());
        let expected = [
            EventKind::Create,
            EventKind::Connect { network: network.clone() },
            EventKind::Start,
            EventKind::Other("exec_start: /bin/sh -c true".into()),
            EventKind::Health { status: Some("healthy".into()) },
            EventKind::Pause,
            EventKind::Unpause,
            EventKind::Rename { from: Some("before".into()), to: "after".into() },
            EventKind::Other("kill".into()),
            EventKind::Die { exit_code: Some(137) },
            EventKind::Disconnect { network },
            EventKind::Destroy,
        ];
        assert_eq!(kinds(include_str!("recorded/docker-20.10-events.jsonl"), &Engine::Docker), expected);
    }

    #[test]
    fn podman_in_its_own_words() {
        let expected = [
            EventKind::Create,
            EventKind::Other("init".into()),
            EventKind::Start,
            EventKind::Health { status: None },
            EventKind::Disconnect { network: None },
            EventKind::Rename { from: None, to: "after".into() },
            EventKind::Die { exit_code: Some(137) },
            EventKind::Destroy,
        ];
        assert_eq!(kinds(include_str!("recorded/podman-4.3-events.jsonl"), &Engine::Podman), expected);
    }

    #[test]
    fn whose_and_when() {
        let line = include_str!("recorded/docker-20.10-events.jsonl").lines().nth(1).unwrap();
        let event = EngineEvent::read(line.as_bytes(), &Engine::Docker).unwrap();
        assert!(event.container.starts_with("192ec50c0174"), "the container, not the network: {event:?}");
        assert_eq!((event.name, event.time_ns), (None, 1_795_409_135_380_880_176));
    }

    #[test]
    fn other_types_and_garbage_are_passed_over() {
        let lines = [
            json!({"Type": "image", "Action": "pull", "Actor": {"ID": "x"}}).to_string(),
            json!({"Type": "network", "Action": "create", "Actor": {"ID": "x"}}).to_string(),
            json!({"Type": "container", "Action": 7}).to_string(),
            json!([1, 2]).to_string(),
            "{half".to_owned(),
            String::new(),
        ];
        for line in lines {
            assert_eq!(EngineEvent::read(line.as_bytes(), &Engine::Docker), None, "{line}");
        }
    }

    #[test]
    fn an_old_engine_tells_whole_seconds() {
        let line = json!({"Type": "container", "status": "start", "id": "ab", "time": 5}).to_string();
        let event = EngineEvent::read(line.as_bytes(), &Engine::Docker).unwrap();
        assert_eq!((event.time_ns, event.kind), (5_000_000_000, EventKind::Start));
    }
}
