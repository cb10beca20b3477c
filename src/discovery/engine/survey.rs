//! One engine, asked: which make it is, its containers and networks, one container in detail.

use std::time::Duration;

use crate::discovery::EngineContainer;
use crate::model::Engine;

use super::{
    Address, Answers, Error, Inspection, PATIENCE, client::Client, docker, networks::Networks, podman,
};

/// Which make an engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Docker, and whatever answers like it.
    Docker,
    /// Podman, with an API of its own besides.
    Podman {
        /// That API's version.
        api: String,
    },
}

impl Kind {
    /// From a ping: Podman names the version of its own API in a header. For `/version` it runs its helpers, which takes
    /// most of a second; that is asked only of who refuses the ping.
    pub(super) async fn of(client: &Client) -> Result<Self, Error> {
        match client.header("/_ping", "libpod-api-version").await {
            Ok(version) => Ok(version
                .filter(|api| podman::is_version(api))
                .map_or(Self::Docker, |api| Self::Podman { api })),
            Err(refusal) if refusal.is_refusal() => Self::by_version(client).await,
            Err(error) => Err(error),
        }
    }

    /// A proxy that forbids this question as well stands in front of Docker as far as anybody can tell.
    async fn by_version(client: &Client) -> Result<Self, Error> {
        match client.json("/version").await {
            Ok(version) => Ok(podman::api_version(&version).map_or(Self::Docker, |api| Self::Podman { api })),
            Err(refusal) if refusal.is_refusal() => Ok(Self::Docker),
            Err(error) => Err(error),
        }
    }

    pub(super) fn engine(&self) -> Engine {
        match self {
            Self::Docker => Engine::Docker,
            Self::Podman { .. } => Engine::Podman,
        }
    }

    async fn networks(&self, client: &Client, warnings: &mut Vec<String>) -> Networks {
        let path = match self {
            Self::Docker => "/networks".to_owned(),
            Self::Podman { api } => format!("/v{api}/libpod/networks/json"),
        };
        match (client.list(&path).await, self) {
            (Ok(entries), Self::Docker) => Networks::from_docker(&entries, warnings),
            (Ok(entries), Self::Podman { .. }) => Networks::from_podman(&entries, warnings),
            (Err(error), _) => {
                warnings.push(error.warning());
                Networks::default()
            }
        }
    }
}

/// Everything about all its containers, or a warning why not.
pub(super) async fn containers(address: &Address, granted: Duration) -> Answers {
    let answers = list(&Client::new(address, granted)).await;
    answers.unwrap_or_else(|error| silent(address, &error))
}

/// The containers that run, or a warning why they are not known.
pub(super) async fn running(address: &Address, granted: Duration) -> Answers {
    let answers = list_running(&Client::new(address, granted)).await;
    answers.unwrap_or_else(|error| silent(address, &error))
}

fn silent(address: &Address, error: &Error) -> Answers {
    Answers { warnings: vec![error.warning()], silent: vec![address.clone()], ..Answers::default() }
}

async fn list_running(client: &Client) -> Result<Answers, Error> {
    let entries = client.list("/containers/json").await?;
    // The question for the version takes Docker fifteen times as long as this list: the make is told by the address.
    let is_podman = client.address().to_string().contains("podman");
    let engine = if is_podman { Engine::Podman } else { Engine::Docker };
    let mut warnings = Vec::new();
    let mut containers = docker::containers(&entries, &engine, &Networks::default(), &mut warnings);
    for container in &mut containers {
        keep_what_holds_here(container, client.address());
    }
    Ok(Answers { containers, warnings, ..Answers::default() })
}

/// The list of containers is what matters; anything else that fails is a warning.
async fn list(client: &Client) -> Result<Answers, Error> {
    let kind = Kind::of(client).await?;
    let mut warnings = Vec::new();
    let (entries, own, networks) = futures_util::join!(
        client.list("/containers/json?all=1"),
        podmans_own(&kind, client),
        kind.networks(client, &mut warnings),
    );
    let mut containers = docker::containers(&entries?, &kind.engine(), &networks, &mut warnings);
    match own {
        Ok(own) => podman::complete(&mut containers, &own, &mut warnings),
        Err(error) => warnings.push(error.warning()),
    }
    for container in &mut containers {
        keep_what_holds_here(container, client.address());
    }
    Ok(Answers { containers, networks: networks.into_list(), warnings, silent: Vec::new() })
}

/// Podman's own list of containers; nothing of Docker.
async fn podmans_own(kind: &Kind, client: &Client) -> Result<Vec<serde_json::Value>, Error> {
    match kind {
        Kind::Docker => Ok(Vec::new()),
        Kind::Podman { api } => client.list(&format!("/v{api}/libpod/containers/json?all=true")).await,
    }
}

/// Everything about one container.
pub(super) async fn inspect(address: &Address, id: &str) -> Result<Inspection, Error> {
    let client = Client::new(address, PATIENCE);
    let kind = Kind::of(&client).await?;
    let mut warnings = Vec::new();
    let path = format!("/containers/{id}/json");
    let (answer, networks) = futures_util::join!(client.json(&path), kind.networks(&client, &mut warnings));
    let mut inspection = Inspection::read(&answer?, kind.engine(), &networks)
        .ok_or_else(|| Error::UnknownContainer(id.to_owned()))?;
    inspection.warnings.extend(warnings);
    keep_what_holds_here(&mut inspection.container, address);
    Ok(inspection)
}

/// Over TCP a process or a path may be another machine's: a wrong one is worse than none.
fn keep_what_holds_here(container: &mut EngineContainer, address: &Address) {
    if !address.is_local() {
        container.pid = None;
        container.sandbox = None;
    }
}
