//! What the rules at one place do to a packet. Pure.

use std::net::IpAddr;

use crate::model::LinkKind;
use crate::why::facts::Space;
use crate::why::packet::{Packet, contains};

use super::condition::{Surroundings, Truth, all};
use super::{Action, Chain, Family, Point, Rule};

/// A chain may jump to others, but not in circles; the kernel allows 16.
const DEEPEST: u8 = 16;

/// What came out.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage<'a> {
    /// What stopped the packet, if anything.
    pub stop: Option<Stop<'a>>,
    /// How it was translated, if it was.
    pub translation: Option<Translation<'a>>,
    /// Rules that would have mattered, of which nobody can tell whether they match.
    pub doubts: Vec<(&'a Chain, &'a Rule)>,
    /// Its mark afterwards.
    pub mark: u32,
    /// Whether it is excepted from the table of connections afterwards.
    pub untracked: bool,
    /// The rule that would have translated it, were it not for that.
    pub untranslated: Option<&'a Rule>,
}

/// What stopped a packet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stop<'a> {
    /// The chain in whose rules it ended.
    pub chain: &'a Chain,
    /// The rule; none: the chain's policy.
    pub rule: Option<&'a Rule>,
    /// Whether the sender is told.
    pub told: bool,
    /// Whether it is certain: no rule before it might have let the packet pass.
    pub certain: bool,
}

/// How a packet was translated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Translation<'a> {
    /// By the rules of this chain.
    pub chain: &'a Chain,
    /// This one.
    pub rule: &'a Rule,
}

/// Docker's own set of the networks of its bridges, since version 28.
const DOCKERS_BRIDGES: &str = "docker-ext-bridges-";

impl Surroundings for Space {
    fn in_set(&self, set: &str, address: IpAddr) -> Option<bool> {
        let bridges = self.links.iter().filter(|link| link.kind == LinkKind::Bridge);
        let mut networks = bridges.flat_map(|bridge| &bridge.addresses);
        set.starts_with(DOCKERS_BRIDGES).then(|| networks.any(|own| contains(*own, address)))
    }

    fn kind(&self, address: IpAddr) -> &'static str {
        if self.is_local(address) {
            "local"
        } else if address.is_multicast() {
            "multicast"
        } else if address.is_unspecified() {
            "unspec"
        } else {
            "unicast"
        }
    }
}

/// Leads a packet through the rules of a namespace at one place. `families` are those whose tables are asked there.
pub fn pass<'a>(space: &'a Space, point: Point, packet: &Packet, families: &[Family]) -> Passage<'a> {
    let translates_at_all = packet.part == crate::why::packet::Part::Opening;
    let mut chains: Vec<&Chain> = space
        .firewall
        .chains
        .iter()
        .filter(|chain| families.contains(&chain.family))
        .filter(|chain| chain.hook.as_ref().is_some_and(|hook| hook.point == point))
        .filter(|chain| translates_at_all || !chain.hook.as_ref().is_some_and(|hook| hook.translates))
        .filter(|chain| is_for_device(chain, packet))
        .collect();
    chains.sort_by_key(|chain| chain.hook.as_ref().map_or(0, |hook| hook.priority));
    let mut run = Run { space, packet: packet.clone(), translation: None, doubts: Vec::new() };
    let (mut stop, mut untranslated) = (None, None);
    for chain in chains {
        let translates = chain.hook.as_ref().is_some_and(|hook| hook.translates);
        if translates && run.translation.is_some() {
            continue;
        }
        if translates && run.packet.untracked {
            let mut idle = Run { space, packet: run.packet.clone(), translation: None, doubts: Vec::new() };
            idle.chain(chain, 0);
            untranslated = idle.translation.map(|translation| translation.rule);
            continue;
        }
        let before = run.doubts.len();
        let rule = match run.chain(chain, 0) {
            End::Stopped(stopped, rule, told) => Some((stopped, Some(rule), told)),
            End::Fell if chain.hook.as_ref().is_some_and(|hook| !hook.accepts) => Some((chain, None, false)),
            End::Fell | End::Accepted => None,
        };
        if let Some((chain, rule, told)) = rule {
            let certain = !run.doubts[before..].iter().any(|(_, rule)| lets_pass(rule));
            stop = Some(Stop { chain, rule, told, certain });
            break;
        }
    }
    let Run { translation, doubts, packet: Packet { mark, untracked, .. }, .. } = run;
    Passage { stop, translation, doubts, mark, untracked, untranslated }
}

fn is_for_device(chain: &Chain, packet: &Packet) -> bool {
    let device = chain.hook.as_ref().and_then(|hook| hook.device.as_deref());
    device.is_none_or(|device| {
        packet.input.as_deref() == Some(device) || packet.output.as_deref() == Some(device)
    })
}

/// Whether a packet that a rule takes might not reach those behind it.
fn lets_pass(rule: &Rule) -> bool {
    !matches!(rule.action, Action::Drop | Action::Reject | Action::None | Action::Untrack)
}

struct Run<'a> {
    space: &'a Space,
    packet: Packet,
    translation: Option<Translation<'a>>,
    doubts: Vec<(&'a Chain, &'a Rule)>,
}

enum End<'a> {
    /// No rule decided.
    Fell,
    Accepted,
    Stopped(&'a Chain, &'a Rule, bool),
}

impl<'a> Run<'a> {
    fn chain(&mut self, chain: &'a Chain, depth: u8) -> End<'a> {
        for rule in &chain.rules {
            match all(&rule.conditions, &self.packet, self.space) {
                Truth::No => continue,
                Truth::Unknown => {
                    if rule.action != Action::None && !matches!(rule.action, Action::Mark { .. }) {
                        self.doubts.push((chain, rule));
                    }
                    continue;
                }
                Truth::Yes => {}
            }
            match &rule.action {
                Action::None => {}
                Action::Unknown(_) => self.doubts.push((chain, rule)),
                Action::Untrack => self.packet.untracked = true,
                Action::Queue { first, last, bypass } => match &self.space.firewall.queues {
                    Some(read) if !read.iter().any(|queue| (first..=last).contains(&queue)) => {
                        return if *bypass { End::Accepted } else { End::Stopped(chain, rule, false) };
                    }
                    _ => self.doubts.push((chain, rule)),
                },
                Action::Accept => return End::Accepted,
                Action::Drop => return End::Stopped(chain, rule, false),
                Action::Reject => return End::Stopped(chain, rule, true),
                Action::Return => return End::Fell,
                Action::Mark { clear, toggle } => self.packet.mark = (self.packet.mark & !clear) ^ toggle,
                Action::ToDestination { .. } | Action::FromSource(_) => {
                    self.translation = Some(Translation { chain, rule });
                    return End::Accepted;
                }
                Action::Jump(name) => match self.jump(chain, name, depth) {
                    End::Fell => {}
                    end => return end,
                },
                Action::Goto(name) => return self.jump(chain, name, depth),
            }
        }
        End::Fell
    }

    fn jump(&mut self, from: &'a Chain, name: &str, depth: u8) -> End<'a> {
        let space = self.space;
        match space.firewall.chain(from, name) {
            Some(chain) if depth < DEEPEST => self.chain(chain, depth + 1),
            _ => End::Fell,
        }
    }
}
