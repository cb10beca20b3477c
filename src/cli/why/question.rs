//! What a question's words mean on this host.

use crate::cli::look::{self, Look};
use crate::cli::select::{self, Ended};
use crate::cli::why_args::{OriginWord, TargetKind, WhyArgs};
use crate::model::{Container, Selector};
use crate::why::{Origin, Question, Target};

/// Finds the containers that are named.
pub(super) fn question(args: &WhyArgs, look: &Look) -> Result<Question, select::Error> {
    let origin = match &args.from {
        None => Origin::Anywhere,
        Some(OriginWord::Host) => Origin::Host,
        Some(OriginWord::Outside) => Origin::Outside(None),
        Some(OriginWord::Address(address)) => Origin::Outside(Some(*address)),
        Some(OriginWord::Container(selector)) => {
            let container = one(look, selector, Ended::Excluded)?;
            match container.namespace {
                Some(namespace) if Some(namespace) == look.topology.host => Origin::Host,
                Some(namespace) => Origin::Container(container.id.clone(), namespace),
                None => {
                    return Err(select::Error::NotLive {
                        selector: selector.to_string(),
                        name: container.name.clone(),
                        state: container.state.clone(),
                    });
                }
            }
        }
    };
    let target = match &args.target.kind {
        TargetKind::HostPort(port) => Target::HostPort(*port),
        TargetKind::Address(address) => Target::Address(*address),
        TargetKind::Named { selector, word, port } => match (one(look, selector, Ended::Included), port) {
            (Ok(container), port) => Target::Container {
                id: container.id.clone(),
                port: *port,
                name: matches!(selector, Selector::Word(word) if *word == container.name)
                    .then(|| word.clone()),
            },
            (Err(select::Error::UnknownWord { .. }), Some(port))
                if matches!(origin, Origin::Container(..)) =>
            {
                Target::Name { name: word.clone(), port: *port }
            }
            (Err(error), _) => return Err(error),
        },
    };
    Ok(Question { target, origin, protocol: args.protocol() })
}

/// The one container that a selector names; of several, the one that runs.
fn one<'a>(look: &'a Look, selector: &Selector, ended: Ended) -> Result<&'a Container, select::Error> {
    let found =
        select::select(&look.topology, std::slice::from_ref(selector), ended, look::namespace_of)?.containers;
    let live: Vec<&Container> = found.iter().copied().filter(|container| container.state.is_live()).collect();
    match (&found[..], &live[..]) {
        ([one], _) | (_, [one]) => Ok(one),
        _ => Err(select::Error::Ambiguous {
            selector: selector.to_string(),
            candidates: found.iter().map(|container| container.name.clone()).collect(),
        }),
    }
}
