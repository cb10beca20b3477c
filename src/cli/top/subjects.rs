//! Which containers are measured: those that the words select, each with its cgroup where that is needed.

use std::mem::{self, Discriminant};

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
    fn sentence(&self) -> String {
        let causes = std::iter::successors(std::error::Error::source(self), |cause| cause.source());
        std::iter::once(self.to_string())
            .chain(causes.map(ToString::to_string))
            .collect::<Vec<_>>()
            .join(": ")
    }
}

/// A sentence for each kind of refusal: what keeps one namespace from being read keeps others, too.
pub(super) fn sentences(refusals: &[Refusal]) -> Vec<String> {
    let mut told: Vec<(Option<Discriminant<meter::Error>>, String, usize)> = Vec::new();
    for refusal in refusals {
        let kind = match refusal {
            Refusal::Selection(_) => None,
            Refusal::Meter(error) => Some(mem::discriminant(error)),
        };
        match told.iter_mut().find(|(known, ..)| known.is_some() && *known == kind) {
            Some((.., more)) => *more += 1,
            None => told.push((kind, refusal.sentence(), 0)),
        }
    }
    let sentence = |(_, first, more): (_, String, usize)| {
        if more == 0 { first } else { format!("{first} (and {more} more like this)") }
    };
    told.into_iter().map(sentence).collect()
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
    // A description may be one of containers that are still to come, for whoever stays to see them.
    let forgiven = |error: &select::Error| {
        first == First::Passed || (!args.once && matches!(error, select::Error::NoMatch(_)))
    };
    select::select_forgiving(&look.topology, selectors, Ended::Excluded, look::namespace_of, forgiven)?
        .without_cgroups()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NamespaceId;
    use crate::sys::statistics;

    #[test]
    fn what_many_have_in_common_is_said_once() {
        let refused = |inode| {
            let namespace = NamespaceId::new(4, inode);
            let source = std::io::ErrorKind::PermissionDenied.into();
            Refusal::from(meter::Error::from(statistics::Error::Open { namespace, source }))
        };
        let selection = || Refusal::from(select::Error::UnknownCgroup("/x".to_owned()));
        assert_eq!(
            sentences(&[refused(1), selection(), refused(2), selection()]),
            [
                "opening the counters of net:[1]: permission denied (and 1 more like this)",
                "finding the cgroup /x",
                "finding the cgroup /x",
            ]
        );
    }
}
