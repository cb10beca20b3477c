//! What was concluded, held against what packets did. Pure.

use crate::model::{LinkIndex, NamespaceId, Protocol};
use crate::sys::netlink::HookKind;
use crate::why::facts::Facts;
use crate::why::finding::{Code, Finding};
use crate::why::probe::{ProbeOutcome, Probed, Seen};
use crate::why::walk::{Asked, Start};

use super::{Examination, Tried};

/// Faults that let no first packet pass: one that did pass disproves them.
const DISPROVED_BY_ACCEPTANCE: [Code; 31] = [
    Code::ForwardPolicyDrop,
    Code::ForwardRuleDrops,
    Code::BridgeRuleDrops,
    Code::IngressRuleDrops,
    Code::ContainerRuleDrops,
    Code::OutputDrop,
    Code::InputDrop,
    Code::IpForwardOff,
    Code::RpFilterDrops,
    Code::RouteLocalnetOff,
    Code::NoDefaultRoute,
    Code::NoRoute,
    Code::NoUplink,
    Code::RouteBlackhole,
    Code::WrongGateway,
    Code::WrongNetmask,
    Code::NeighbourWrong,
    Code::VethDown,
    Code::VethNotOnBridge,
    Code::BridgePortBlocked,
    Code::BridgeDown,
    Code::BridgeWithoutAddress,
    Code::InterfaceDown,
    Code::SubnetOverlap,
    Code::DifferentNetworks,
    Code::IccOff,
    Code::PortsIsolated,
    Code::HairpinMissing,
    Code::MasqueradeMissing,
    Code::LostOnTheWay,
    Code::NoAnswer,
];

/// The connections of which a probe could tell anything, from where it can be sent; each once, by however many ways it
/// was come upon.
pub fn worth_a_probe(examination: &Examination) -> Vec<Tried> {
    let mut worth: Vec<Tried> = Vec::new();
    for tried in &examination.tried {
        let is_known =
            worth.iter().any(|one| (&one.connection, one.stopped) == (&tried.connection, tried.stopped));
        if tells(tried) && !is_known {
            worth.push(tried.clone());
        }
    }
    worth
}

fn tells(tried: &Tried) -> bool {
    tried.connection.protocol == Protocol::Tcp
        && matches!(tried.connection.start, Start::Inside(_))
        && !tried.by_proxy
        && tried.stopped.is_none_or(|code| DISPROVED_BY_ACCEPTANCE.contains(&code))
}

/// Corrects what was concluded by what a probe of that connection met with.
pub fn settle(facts: &Facts, examination: &mut Examination, tried: &Tried, probed: &Probed) {
    let to = format!("{}/{}", tried.connection.destination, tried.connection.protocol);
    let diagnosis = &mut examination.diagnosis;
    match (tried.stopped, &probed.outcome) {
        (Some(code), ProbeOutcome::Accepted) => {
            let Some(at) = diagnosis.findings.iter().position(|finding| finding.code == code) else { return };
            let finding = diagnosis.findings.remove(at);
            if diagnosis.is_healthy() {
                diagnosis.way.iter_mut().for_each(|hop| hop.reached = true);
            }
            diagnosis.unchecked(format!(
                "{code} was concluded, but a first packet to {to} was accepted: {}",
                finding.sentence
            ));
        }
        (Some(code), ProbeOutcome::Silence | ProbeOutcome::Refused) => {
            let word = if probed.outcome == ProbeOutcome::Refused { "refused" } else { "not answered" };
            if let Some(finding) = diagnosis.findings.iter_mut().find(|finding| finding.code == code) {
                finding.evidence.push(format!("probe: a first packet to {to} was {word}"));
            }
        }
        (None, ProbeOutcome::Refused) => diagnosis.add(refused(&to)),
        (None, ProbeOutcome::Silence) => diagnosis.add(lost(facts, &to, probed)),
        (_, ProbeOutcome::Unsent(reason)) => {
            diagnosis.unchecked(format!(
                "whether a first packet to {to} is accepted: it could not be sent ({reason})"
            ));
        }
        (None, ProbeOutcome::Accepted) => {}
    }
}

fn refused(to: &str) -> Finding {
    Finding::new(Code::Refused, format!("{to} refuses connections, for a reason that could not be seen"))
        .if_certain(false)
        .seen(format!("probe: a first packet to {to} was answered by a reset"))
}

/// A packet that should have been answered, and was not: how far it got.
fn lost(facts: &Facts, to: &str, Probed { seen, unanswered, .. }: &Probed) -> Finding {
    let steps: Vec<(&Seen, bool, &str)> = seen
        .iter()
        .map(|tap| (tap, tap.there, "the packet"))
        .chain(seen.iter().rev().map(|tap| (tap, tap.back, "the answer")))
        .collect();
    let evidence = steps.iter().map(|(tap, passed, what)| {
        format!(
            "probe: {what} {} {}",
            if *passed { "passed" } else { "did not pass" },
            place(facts, tap.namespace, tap)
        )
    });
    let evidence: Vec<String> = evidence.collect();
    let Some(first) = steps.iter().position(|(_, passed, _)| !passed) else {
        let sentence = format!("{to} does not answer in time, although packets pass the whole way");
        return Finding::new(Code::NoAnswer, sentence).if_certain(false).seen_all(evidence);
    };
    let (tap, _, what) = steps[first];
    let last = first.checked_sub(1).map(|at| steps[at].0);
    let here = place(facts, tap.namespace, tap);
    let between = match last {
        Some(last) if last != tap => format!("between {} and {here}", place(facts, last.namespace, last)),
        Some(_) => format!("behind {here}"),
        None => format!("before {here}"),
    };
    let near = [last, Some(tap)].into_iter().flatten();
    let suspect = near.into_iter().find_map(|tap| suspect(facts, tap));
    // What stands at a link may drop the questions for neighbours, too; but a router is elsewhere.
    let asked = unanswered.iter().find(|asked| asked.is_gateway || suspect.is_none());
    let (code, sentence) = match (asked, suspect) {
        (Some(asked), _) => {
            let code = if asked.is_gateway { Code::WrongGateway } else { Code::LostOnTheWay };
            (code, format!("{what} is lost {between}: {}", silent(facts, asked)))
        }
        (None, Some((code, words))) => (code, format!("{what} is lost {between}, where {words}")),
        (None, None) => {
            (Code::LostOnTheWay, format!("{what} is lost {between}, for a reason that could not be seen"))
        }
    };
    let mut finding = Finding::new(code, sentence).if_certain(false).seen_all(evidence);
    finding.evidence.extend(unanswered.iter().map(|asked| silent(facts, asked)));
    if finding.evidence.is_empty() {
        finding.evidence.push(format!("probe: a first packet to {to} was not answered"));
    }
    finding
}

fn place(facts: &Facts, namespace: NamespaceId, tap: &Seen) -> String {
    link_words(facts, namespace, tap.link)
}

fn link_words(facts: &Facts, namespace: NamespaceId, link: LinkIndex) -> String {
    let known = facts.spaces.get(&namespace).and_then(|space| space.link(link));
    let name = known.map_or_else(|| format!("if{link}"), |link| link.name.to_string());
    format!("{name} of {}", facts.name_of(namespace))
}

/// A neighbour that does not say what its hardware address is.
fn silent(facts: &Facts, asked: &Asked) -> String {
    let Asked { namespace, link, next, is_gateway } = *asked;
    let what = if is_gateway { "the gateway " } else { "" };
    let protocol = if next.is_ipv4() { "ARP" } else { "neighbour discovery" };
    format!(
        "nobody answers when {} asks for the hardware address of {what}{next} ({protocol})",
        link_words(facts, namespace, link)
    )
}

/// What stands at a link and may drop frames.
fn suspect(facts: &Facts, tap: &Seen) -> Option<(Code, String)> {
    let space = facts.spaces.get(&tap.namespace)?;
    let name = place(facts, tap.namespace, tap);
    space.hooks.iter().filter(|hook| hook.link == tap.link).find_map(|hook| match &hook.kind {
        HookKind::Program => Some((Code::XdpDrops, format!("an XDP program stands at {name}"))),
        HookKind::Queue(kind) if ["clsact", "ingress", "netem", "tbf"].contains(&kind.as_str()) => {
            Some((Code::TcDrops, format!("tc has {kind} at {name}")))
        }
        HookKind::Queue(_) => None,
    })
}
