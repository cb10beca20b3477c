//! Which containers are measured: those that the words select, each with its cgroup where that is needed.

use crate::cli::args::TopArgs;
use crate::cli::capture::own_group;
use crate::cli::look::{self, Look};
use crate::cli::select::{self, Ended, Selection};
use crate::meter::{self, Subject};
use crate::model::{NetworkMode, Selector};

/// Whether the words were typed just now: a name that means nothing is a mistake then, and later a container that has
/// gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    Look,
    Passed,
}

/// Why a container or a part of it cannot be counted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Selection(#[from] select::Error),
    #[error(transparent)]
    Meter(#[from] meter::Error),
}

impl Refusal {
    /// The whole chain in one line.
    pub(super) fn sentence(&self) -> String {
        let causes = std::iter::successors(std::error::Error::source(self), |cause| cause.source());
        std::iter::once(self.to_string())
            .chain(causes.map(ToString::to_string))
            .collect::<Vec<_>>()
            .join(": ")
    }
}

/// What is measured, and why other things are not.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) subjects: Vec<Subject>,
    pub(super) refusals: Vec<Refusal>,
}

pub(super) fn subjects(args: &TopArgs, look: &Look, first: First) -> Result<Found, select::Error> {
    let mut found = Found { subjects: Vec::new(), refusals: Vec::new() };
    for container in selection(args, look, first)?.containers {
        let pid = container.pid.filter(|_| meter::shares_its_namespace(container));
        let group = pid.map(|pid| own_group(container, pid)).transpose();
        if let Err(reason) = &group
            && container.mode == NetworkMode::Host
        {
            let (name, reason) = (container.name.clone(), reason.clone());
            found.refusals.push(select::Error::NoCgroup { name, reason }.into());
        }
        // One that shares another namespace than the host's is measured by that, if need be.
        let group = group.unwrap_or_default();
        found.subjects.push(Subject { container: container.clone(), group });
    }
    Ok(found)
}

fn selection<'a>(args: &TopArgs, look: &'a Look, first: First) -> Result<Selection<'a>, select::Error> {
    if let Some(interface) = args.selectors.iter().find(|selector| Selector::is_interface(selector)) {
        return Err(select::Error::NotAContainer(interface.to_string()));
    }
    let everything = [Selector::All];
    let selectors = if args.selectors.is_empty() { &everything[..] } else { &args.selectors };
    // A description may be one of containers that are still to come.
    let forgiven =
        |error: &select::Error| first == First::Passed || matches!(error, select::Error::NoMatch(_));
    select::select_forgiving(&look.topology, selectors, Ended::Excluded, look::namespace_of, forgiven)?
        .without_cgroups()
}
