//! All engines of the host, asked at once. Each has the same time to answer, and none can spoil the others' answers.

use std::{collections::HashSet, path::Path, time::Duration};

use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};

use crate::discovery::{EngineContainer, EngineNetwork};

use super::{Address, Error, Events, Inspection, location, survey};

/// How long an engine is waited for, all its answers together.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// The engines that can be asked.
#[derive(Debug, Clone, Default)]
pub struct Engines {
    addresses: Vec<Address>,
    warnings: Vec<String>,
}

/// What the engines said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// Every container, live or not, engine by engine.
    pub containers: Vec<EngineContainer>,
    /// Every network.
    pub networks: Vec<EngineNetwork>,
    /// What could not be learnt and why, in sentences for the user.
    pub warnings: Vec<String>,
    /// Engines that were asked and did not answer: of their containers nothing is known.
    pub silent: Vec<Address>,
}

impl Engines {
    /// Those the environment names (`DOCKER_HOST`, `CONTAINER_HOST`, Docker's context) and those at the usual places,
    /// rootful and rootless. A usual place where nothing is costs nothing; a named one gives a warning with the answers.
    pub fn from_environment() -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        let location::Located { addresses, warnings } = location::locate(&variable, Path::new("/"));
        Self { addresses, warnings }
    }

    /// Those at the given addresses.
    pub fn at(addresses: impl IntoIterator<Item = Address>) -> Self {
        Self { addresses: addresses.into_iter().collect(), warnings: Vec::new() }
    }

    /// Where they listen.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// Their containers and networks. After `granted` what is there is returned; an engine that has not answered by then
    /// is a warning. A container reached in two ways counts once.
    pub async fn containers(&self, granted: Duration) -> Answers {
        let asked = self.addresses.iter().map(|address| survey::containers(address, granted));
        self.gather(join_all(asked).await)
    }

    /// Their containers that run, the youngest first, by one question each: without their networks' bridges.
    pub async fn running(&self, granted: Duration) -> Answers {
        let asked = self.addresses.iter().map(|address| survey::running(address, granted));
        self.gather(join_all(asked).await)
    }

    fn gather(&self, each: Vec<Answers>) -> Answers {
        let mut all = Answers { warnings: self.warnings.clone(), ..Answers::default() };
        let mut known = HashSet::new();
        for answers in each {
            all.containers.extend(answers.containers.into_iter().filter(|c| known.insert(c.id.clone())));
            all.networks.extend(answers.networks);
            all.warnings.extend(answers.warnings);
            all.silent.extend(answers.silent);
        }
        all
    }

    /// The details of the container with that id. A name does as well, but two engines may use the same one: then the
    /// faster engine answers.
    pub async fn inspect(&self, id: &str) -> Result<Inspection, Error> {
        let unknown = Error::UnknownContainer(id.to_owned());
        if !is_reference(id) {
            return Err(unknown);
        }
        let mut asked: FuturesUnordered<_> =
            self.addresses.iter().map(|address| survey::inspect(address, id)).collect();
        let mut failure = unknown;
        while let Some(answer) = asked.next().await {
            match answer {
                Ok(inspection) => return Ok(inspection),
                Err(Error::Refused { status: 404, .. }) => {}
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// What happens to their containers from now on, see [`super::Notice`]. Must be called inside a tokio runtime.
    pub fn events(&self) -> Events {
        Events::of(&self.addresses)
    }
}

/// Whether it can be a container's id or name, and so a part of a path.
fn is_reference(id: &str) -> bool {
    id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}
