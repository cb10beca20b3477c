//! Gathers what an answer needs: namespaces as far as ways lead through them, details of engines, words of name servers.

use std::{net::IpAddr, panic, thread, time::Duration};

use anyhow::Context as _;
use futures_util::future::join_all;

use crate::cli::look::{self, Look};
use crate::cli::terminal;
use crate::cli::why_args::WhyArgs;
use crate::discovery::engine::Engines;
use crate::model::{Container, Engine, LinkIndex, NamespaceId};
use crate::sys::netns::{self, Namespace};
use crate::sys::{self, Capability};
use crate::why::{
    self, Detail, Examination, Facts, Ground, Origin, ProbeOutcome, Probed, Question, Start, Target, Tried,
};

/// Each round shows what the next one needs; a way leads through few namespaces.
const ROUNDS: usize = 6;

/// Details of so many containers are asked for, where nobody knows which one is meant.
const MOST_DETAILS: usize = 64;

/// Examines a question until nothing more is wanted.
pub(super) async fn examine(
    args: &WhyArgs,
    look: &Look,
    engines: &Engines,
    question: &Question,
) -> anyhow::Result<Examination> {
    permitted(look)?;
    let ground = Ground::new(&look.topology, &look.ground.namespaces, &look.ground.links);
    let mut facts =
        Facts { topology: look.topology.clone(), networks: look.networks.clone(), ..Facts::default() };
    facts.incomplete = !look.silent.is_empty() || !look.topology.warnings.is_empty();
    facts.networks.extend(look.topology.host.into_iter().flat_map(look::sandbox_networks));
    details(&mut facts, &ground, engines, question).await;
    let first: Vec<NamespaceId> = look
        .topology
        .host
        .into_iter()
        .chain(named(look, question).filter_map(|container| container.namespace))
        .collect();
    for id in &first {
        enter(look, *id)?;
    }
    add_spaces(&mut facts, &ground, first).await;
    if !args.no_probe {
        ask_names(&mut facts, look, question);
    }
    let mut examination = why::diagnose(&facts, question);
    for _ in 0..ROUNDS {
        let before = facts.spaces.len();
        let wanted = std::mem::take(&mut examination.wanted);
        if wanted.is_empty() {
            break;
        }
        add_spaces(&mut facts, &ground, wanted).await;
        if facts.spaces.len() == before {
            break;
        }
        examination = why::diagnose(&facts, question);
    }
    if look_again(&mut facts, &ground, &examination).await {
        examination = why::diagnose(&facts, question);
    }
    if !args.no_probe {
        send_probes(&facts, look, &ground, &mut examination).await;
    }
    for sentence in std::mem::take(&mut facts.unseen) {
        examination.diagnosis.unchecked(sentence);
    }
    Ok(examination)
}

/// Whether everything may be looked at: what is hidden would be taken for absent.
fn permitted(look: &Look) -> anyhow::Result<()> {
    const WANTED: [Capability; 3] =
        [Capability::CAP_NET_ADMIN, Capability::CAP_SYS_ADMIN, Capability::CAP_SYS_PTRACE];
    match (sys::missing(&WANTED).is_empty(), look.topology.host) {
        (false, Some(namespace)) => {
            let source = std::io::ErrorKind::PermissionDenied.into();
            Err(netns::Error::Enter { namespace, source })
                .context("looking into namespaces, rules and sockets of others")
        }
        _ => Ok(()),
    }
}

/// Whether a namespace that the question is about can be entered: without, nothing could be said.
fn enter(look: &Look, id: NamespaceId) -> anyhow::Result<()> {
    let held = look.ground.namespaces.get(&id);
    let held = held.ok_or_else(|| {
        let path = format!("/proc/ (namespace {id})").into();
        netns::Error::Open { path, source: std::io::ErrorKind::PermissionDenied.into() }
    })?;
    held.within(|| ()).with_context(|| format!("looking into {id}"))
}

/// Long enough for any process that accepts at all.
const BETWEEN_LOOKS: Duration = Duration::from_millis(400);

/// Where connections wait to be accepted, looks again whether they still do. Whether there was anything to look at.
async fn look_again(facts: &mut Facts, ground: &Ground<'_>, examination: &Examination) -> bool {
    let waits = |space: &why::Space| space.listeners.iter().any(|listener| listener.waiting > 0);
    if !examination.diagnosis.is_healthy() || !facts.spaces.values().any(waits) {
        return false;
    }
    tokio::time::sleep(BETWEEN_LOOKS).await;
    facts.spaces.values_mut().for_each(|space| ground.look_again(space));
    true
}

/// Sends the first packets of the connections that were looked at, as far as they begin where we can send; and once more, with
/// taps, those that nothing came back to although nothing was found to stop them.
async fn send_probes(facts: &Facts, look: &Look, ground: &Ground<'_>, examination: &mut Examination) {
    let sent = |tried: Tried| {
        let Start::Inside(namespace) = tried.connection.start else { return None };
        Some(Sent { from: look.ground.namespaces.get(&namespace)?, tried, places: Vec::new() })
    };
    let mut all: Vec<Sent<'_>> =
        why::worth_a_probe(examination).into_iter().filter_map(sent).take(MOST_PROBES).collect();
    for Sent { tried, from, .. } in &all {
        let to = tried.connection.destination;
        terminal::tell(&format!("sending a first packet to {to}/tcp from {}", facts.name_of(from.id())));
    }
    let mut probed = at_once(&all);
    let silent: Vec<usize> = (0..all.len())
        .filter(|at| probed[*at].outcome == ProbeOutcome::Silence && all[*at].tried.stopped.is_none())
        .collect();
    for at in &silent {
        let Sent { tried, places, .. } = &mut all[*at];
        places.extend(tried.links.iter().filter_map(|place| tap_place(facts, look, *place)));
        let to = tried.connection.destination;
        terminal::tell(&format!("sending it to {to}/tcp again, with taps at {} interfaces", places.len()));
    }
    let again: Vec<Sent<'_>> = silent.iter().map(|at| all[*at].clone()).collect();
    for (at, seen) in silent.into_iter().zip(at_once(&again)) {
        probed[at] = Probed { unanswered: ground.unanswered(&all[at].tried.asked).await, ..seen };
    }
    for (Sent { tried, .. }, probed) in all.iter().zip(&probed) {
        why::settle(facts, examination, tried, probed);
    }
}

/// A first packet that is sent.
#[derive(Clone)]
struct Sent<'a> {
    /// For that connection.
    tried: Tried,
    /// From within that namespace.
    from: &'a Namespace,
    /// With taps at these links.
    places: Vec<(&'a Namespace, LinkIndex, String)>,
}

/// Sends them all at the same time, since each is waited for.
fn at_once(all: &[Sent<'_>]) -> Vec<Probed> {
    thread::scope(|scope| {
        let send = |sent: &Sent<'_>| why::probe(sent.from, sent.tried.connection.destination, &sent.places);
        let workers: Vec<_> = all.iter().map(|sent| scope.spawn(move || send(sent))).collect();
        let join = |worker: thread::ScopedJoinHandle<'_, Probed>| {
            worker.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked))
        };
        workers.into_iter().map(join).collect()
    })
}

/// So many connections are probed at most.
const MOST_PROBES: usize = 6;

fn tap_place<'a>(
    facts: &Facts,
    look: &'a Look,
    (namespace, link): (NamespaceId, LinkIndex),
) -> Option<(&'a Namespace, LinkIndex, String)> {
    let name = facts.spaces.get(&namespace)?.link(link)?.name.to_string();
    Some((look.ground.namespaces.get(&namespace)?, link, name))
}

async fn add_spaces(facts: &mut Facts, ground: &Ground<'_>, wanted: Vec<NamespaceId>) {
    for id in wanted {
        if facts.spaces.contains_key(&id) {
            continue;
        }
        if let Some(space) = ground.space(id, &mut facts.unseen).await {
            facts.spaces.insert(id, space);
        }
    }
}

/// The containers that the question names.
fn named<'a>(look: &'a Look, question: &'a Question) -> impl Iterator<Item = &'a Container> {
    let target = match &question.target {
        Target::Container { id, .. } => Some(id),
        _ => None,
    };
    let from = match &question.origin {
        Origin::Container(id, _) => Some(id),
        _ => None,
    };
    let ids = [target, from].into_iter().flatten();
    ids.filter_map(|id| look.topology.containers.iter().find(|container| container.id == *id))
}

/// Asks the engines for what their lists do not tell.
async fn details(facts: &mut Facts, ground: &Ground<'_>, engines: &Engines, question: &Question) {
    let containers = &facts.topology.containers;
    let is_engines = |container: &&Container| matches!(container.engine, Engine::Docker | Engine::Podman);
    let is_named = |container: &&Container| match (&question.target, &question.origin) {
        (Target::Container { id, .. }, _) if *id == container.id => true,
        (_, Origin::Container(id, _)) if *id == container.id => true,
        (Target::HostPort(port), _) => {
            !container.state.is_live()
                || container.published.is_empty()
                || container.published.iter().any(|published| published.host_port == *port)
        }
        (Target::Name { .. }, _) => container.state.is_live(),
        _ => false,
    };
    let asked: Vec<String> = containers
        .iter()
        .filter(is_engines)
        .filter(is_named)
        .map(|container| container.id.clone())
        .take(MOST_DETAILS)
        .collect();
    let answers = join_all(asked.iter().map(|id| engines.inspect(id))).await;
    for (id, answer) in asked.into_iter().zip(answers) {
        match answer {
            Ok(told) => {
                if let Some(container) = facts.topology.containers.iter_mut().find(|one| one.id == id) {
                    for member in &mut container.networks {
                        let same =
                            told.container.networks.iter().find(|known| known.network == member.network);
                        if let Some(same) = same {
                            member.aliases.clone_from(&same.aliases);
                        }
                    }
                }
                let age = told.container.pid.and_then(|pid| ground.age(pid));
                facts.details.insert(
                    id,
                    Detail {
                        asked_ports: told.asked_ports,
                        asked_everywhere: told.asked_everywhere,
                        restarts: told.restart_count.unwrap_or_default(),
                        failure: told.failure,
                        hostname: told.hostname,
                        age,
                    },
                );
            }
            Err(error) => facts.unseen.push(format!("details of container {id:.12}: {error}")),
        }
    }
}

/// Asks the name servers of the asking container for the name in question.
fn ask_names(facts: &mut Facts, look: &Look, question: &Question) {
    let Origin::Container(_, namespace) = &question.origin else { return };
    let name = match &question.target {
        Target::Container { name: Some(name), .. } | Target::Name { name, .. } => name.clone(),
        _ => return,
    };
    let own = facts.topology.containers.iter().any(|container| {
        container.namespace == Some(*namespace)
            && matches!(&question.target, Target::Container { id, .. } if *id == container.id)
    });
    let serves_names = facts.topology.containers.iter().any(|container| {
        container.namespace == Some(*namespace) && matches!(container.engine, Engine::Docker | Engine::Podman)
    });
    let is_selector = matches!(question.target, Target::Container { .. });
    if is_selector && !serves_names {
        return;
    }
    let (Some(space), Some(held)) = (facts.spaces.get(namespace), look.ground.namespaces.get(namespace))
    else {
        return;
    };
    let in_hosts = space.names.hosts.iter().any(|(_, names)| names.contains(&name));
    if own || in_hosts || name.parse::<IpAddr>().is_ok() || !space.names.read {
        return;
    }
    for server in why::servers(space) {
        terminal::tell(&format!(
            "asking the name server {server} for {name}, as {} would",
            facts.name_of(*namespace)
        ));
        let lookup = why::lookup(held, server, &name);
        let answered = !matches!(
            lookup.answer,
            why::LookupAnswer::Silence | why::LookupAnswer::Unreachable | why::LookupAnswer::Failed(_)
        );
        facts.lookups.push(lookup);
        if answered {
            break;
        }
    }
}
