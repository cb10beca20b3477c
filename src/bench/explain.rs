//! Where the loss comes from: the difference between two paths that differ in one thing, round by round. Pure.

use serde::Serialize;

use super::outcome::{CellOutcome, Outcome, PathOutcome, Sample};
use super::path::Path;
use super::scenario::{Placement, Test};
use super::stats::{FEWEST_ROUNDS, Interval, estimate};

/// One thing, by the paths with and without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Thing {
    with: Path,
    without: Path,
    words: &'static str,
    kind: Kind,
}

/// How a thing stands to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// On the way from host mode to a published port, on top of all before.
    Step,
    /// Something changed on a way that is there.
    Change,
}

const THINGS: [Thing; 12] = [
    step(Path::SmallLoopback, Path::Host, "an MTU of 1,500 instead of 65,536"),
    step(Path::Veth, Path::SmallLoopback, "a namespace, and a cable to it (veth)"),
    step(Path::BareBridge, Path::Veth, "a bridge, and a second cable"),
    step(Path::BridgeNetfilter, Path::BareBridge, "netfilter's hooks (br_netfilter)"),
    step(Path::Rules, Path::BridgeNetfilter, "ten rules that match nothing"),
    step(Path::Conntrack, Path::Rules, "connection tracking"),
    step(Path::Nat, Path::Conntrack, "NAT to a published port"),
    change(Path::Routed, Path::BareBridge, "a host that routes from one bridge to another"),
    change(Path::Proxy, Path::Bridge, "a proxy in user space, host → container"),
    change(Path::ThousandRules, Path::Conntrack, "a thousand rules more"),
    change(Path::NoOffload, Path::Conntrack, "TSO, GSO and GRO off"),
    change(Path::Jumbo, Path::Conntrack, "an MTU of 9,000 instead of 1,500"),
];

const fn step(with: Path, without: Path, words: &'static str) -> Thing {
    Thing { with, without, words, kind: Kind::Step }
}

const fn change(with: Path, without: Path, words: &'static str) -> Thing {
    Thing { with, without, words, kind: Kind::Change }
}

/// Whether netfilter can be shown what passes a bridge. Where it cannot, what is seen of it is on a way that is routed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Bridged {
    Shown,
    Unseen,
}

/// The things there are to hold against each other.
fn things(bridged: Bridged) -> Vec<Thing> {
    let as_it_is = |thing: &Thing| match (bridged, thing.with) {
        (Bridged::Unseen, Path::BridgeNetfilter) => {
            let routed = THINGS.iter().find(|thing| thing.with == Path::Routed)?;
            Some(Thing { kind: Kind::Step, ..*routed })
        }
        (Bridged::Unseen, Path::Routed) => None,
        _ => Some(*thing),
    };
    THINGS.iter().filter_map(as_it_is).collect()
}

/// The paths that have to be measured for it, `host` aside.
pub fn rungs(bridged: Bridged) -> Vec<Path> {
    let mut paths: Vec<Path> = Vec::new();
    let things = things(bridged);
    let steps = things.iter().filter(|thing| thing.kind == Kind::Step).map(|thing| thing.with);
    let changes = things.iter().filter(|thing| thing.kind == Kind::Change);
    for path in steps.chain(changes.flat_map(|thing| [thing.without, thing.with])) {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// What one test says at one placement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Waterfall {
    /// The test.
    pub test: Test,
    /// Where both ends were.
    pub placement: Placement,
    /// What is added up.
    pub quantity: Quantity,
    /// Of host mode.
    pub base: Interval,
    /// The things, in their order; those that could not be measured are left out.
    pub steps: Vec<Step>,
}

/// What is added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// The time of a round trip, in ns.
    RoundTrip,
    /// Time on cores for 10⁹ bytes, in ns.
    CpuPerGigabyte,
    /// Time on cores for a request or a datagram, in ns.
    CpuPerOperation,
}

/// One thing and its cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Step {
    /// What it is.
    pub words: &'static str,
    /// A step of the way, or a change of one.
    pub kind: Kind,
    /// The path that has it, and the one that it is held against.
    pub path: Path,
    /// The path without it.
    pub without: Path,
    /// What it adds, by rounds that have both.
    pub adds: Interval,
    /// All of the path that has it.
    pub total: Interval,
    /// What may be said of it.
    pub finding: Finding,
}

/// What may be said of a thing's cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Finding {
    Costs,
    Saves,
    /// Not more than this, in the unit of the quantity.
    NothingSeen {
        within: f64,
    },
}

/// Explains each cell of a run that has measured the rungs.
pub(super) fn explain(outcome: &Outcome) -> Vec<Waterfall> {
    let has = |path| outcome.scenario.paths.contains(&path);
    if !has(Path::BareBridge) || !has(Path::Rules) {
        return Vec::new();
    }
    let things = things(if has(Path::BridgeNetfilter) { Bridged::Shown } else { Bridged::Unseen });
    outcome.cells.iter().filter_map(|cell| waterfall(cell, &things)).collect()
}

fn waterfall(cell: &CellOutcome, things: &[Thing]) -> Option<Waterfall> {
    let measured = quantity(cell.test)?;
    let of_path = |path: Path| cell.path(path).map(|found| amounts(measured, found));
    let base = of_path(Path::Host)?;
    let stray = of_path(Path::Control)
        .and_then(|control| estimate(&differences(&control, &base)))
        .map_or(0.0, |control| control.median.abs());
    let mut steps: Vec<Step> = Vec::new();
    for thing in things {
        // A step that could not be measured leaves its cost to the next one.
        let without = match thing.kind {
            Kind::Step => last_step(&steps),
            Kind::Change => thing.without,
        };
        let Some((with, before)) = of_path(thing.with).zip(of_path(without)) else { continue };
        let total = estimate(&with.iter().copied().flatten().collect::<Vec<_>>());
        let Some((adds, total)) = estimate(&differences(&with, &before)).zip(total) else { continue };
        let finding = finding(adds, stray);
        let Thing { words, kind, with: path, .. } = *thing;
        steps.push(Step { words, kind, path, without, adds, total, finding });
    }
    let base = estimate(&base.into_iter().flatten().collect::<Vec<_>>())?;
    (!steps.is_empty()).then_some(Waterfall {
        test: cell.test,
        placement: cell.placement,
        quantity: measured,
        base,
        steps,
    })
}

fn last_step(steps: &[Step]) -> Path {
    steps.iter().rfind(|step| step.kind == Kind::Step).map_or(Path::Host, |step| step.path)
}

/// None where what is measured takes many others with it.
fn quantity(test: Test) -> Option<Quantity> {
    match test {
        Test::Latency | Test::Paced => Some(Quantity::RoundTrip),
        Test::Tcp | Test::TcpDown | Test::TcpBoth => Some(Quantity::CpuPerGigabyte),
        Test::Connect | Test::Udp | Test::UdpGso => Some(Quantity::CpuPerOperation),
        Test::UdpRate => None,
    }
}

/// By rounds.
fn amounts(quantity: Quantity, path: &PathOutcome) -> Vec<Option<f64>> {
    path.samples.iter().map(|sample| amount(quantity, sample.as_ref()?)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "amounts, not counts")]
fn amount(quantity: Quantity, sample: &Sample) -> Option<f64> {
    let cpu = sample.cpu_ns() as f64;
    match quantity {
        Quantity::RoundTrip => Some(sample.value).filter(|value| *value > 0.0),
        Quantity::CpuPerGigabyte => (sample.bytes > 0).then(|| cpu / sample.bytes as f64 * 1e9),
        Quantity::CpuPerOperation => (sample.operations > 0).then(|| cpu / sample.operations as f64),
    }
}

/// Within each round that has both.
fn differences(with: &[Option<f64>], without: &[Option<f64>]) -> Vec<f64> {
    with.iter().zip(without).filter_map(|(with, without)| Some((*with)? - (*without)?)).collect()
}

/// What is not farther from nothing than host mode strays from itself is not called a cost.
fn finding(adds: Interval, stray: f64) -> Finding {
    let says_something = adds.count >= FEWEST_ROUNDS;
    if says_something && adds.low > stray {
        Finding::Costs
    } else if says_something && adds.high < -stray {
        Finding::Saves
    } else {
        Finding::NothingSeen { within: adds.farthest_from(0.0).max(stray) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(path: Path, values: impl IntoIterator<Item = f64>) -> PathOutcome {
        let sample = |value| Some(Sample { value, ..Sample::default() });
        PathOutcome { path, samples: values.into_iter().map(sample).collect(), failure: None, times: None }
    }

    fn of_shown(cell: &CellOutcome) -> Option<Waterfall> {
        waterfall(cell, &things(Bridged::Shown))
    }

    fn latency(paths: Vec<PathOutcome>) -> CellOutcome {
        CellOutcome { test: Test::Latency, placement: Placement::One, elapsed_ns: 0, others_ns: None, paths }
    }

    /// A machine whose speed wanders by a third, and what is on top of it.
    fn wandering(more: f64) -> impl Iterator<Item = f64> {
        (0..20).map(move |round| 10_000.0 + 200.0 * f64::from(round % 17) + more)
    }

    #[test]
    fn a_thing_costs_what_it_adds_in_each_round() {
        let found = of_shown(&latency(vec![
            path(Path::Host, wandering(0.0)),
            path(Path::Control, wandering(20.0)),
            path(Path::SmallLoopback, wandering(10.0)),
            path(Path::Veth, wandering(510.0)),
        ]))
        .unwrap();
        let adds: Vec<f64> = found.steps.iter().map(|step| step.adds.median.round()).collect();
        assert_eq!(adds, [10.0, 500.0]);
        assert!(matches!(found.steps[0].finding, Finding::NothingSeen { .. }), "{found:?}");
        assert_eq!(found.steps[1].finding, Finding::Costs);
    }

    #[test]
    fn a_missing_step_leaves_its_cost_to_the_next() {
        let found = of_shown(&latency(vec![
            path(Path::Host, wandering(0.0)),
            path(Path::BareBridge, wandering(700.0)),
            path(Path::Conntrack, wandering(1000.0)),
            path(Path::Jumbo, wandering(900.0)),
        ]))
        .unwrap();
        let held: Vec<(Path, Path)> = found.steps.iter().map(|step| (step.path, step.without)).collect();
        assert_eq!(
            held,
            [
                (Path::BareBridge, Path::Host),
                (Path::Conntrack, Path::BareBridge),
                (Path::Jumbo, Path::Conntrack)
            ]
        );
        assert_eq!(found.steps[2].finding, Finding::Saves);
        assert_eq!(of_shown(&latency(vec![path(Path::Host, wandering(0.0))])), None);
    }

    #[test]
    fn few_rounds_find_nothing() {
        let few = |more: f64| wandering(more).take(FEWEST_ROUNDS - 1);
        let found =
            of_shown(&latency(vec![path(Path::Host, few(0.0)), path(Path::Veth, few(500.0))])).unwrap();
        assert!(matches!(found.steps[0].finding, Finding::NothingSeen { .. }), "{found:?}");
    }

    #[test]
    fn amounts_of_work_are_per_gigabyte_and_per_operation() {
        let sample = Sample {
            client_cpu_ns: 3_000,
            server_cpu_ns: 1_000,
            bytes: 2_000,
            operations: 8,
            ..Sample::default()
        };
        assert_eq!(amount(Quantity::CpuPerGigabyte, &sample), Some(2e9));
        assert_eq!(amount(Quantity::CpuPerOperation, &sample), Some(500.0));
        assert_eq!(amount(Quantity::CpuPerGigabyte, &Sample::default()), None);
    }

    #[test]
    fn every_path_of_it_is_asked_for_once() {
        let paths = rungs(Bridged::Shown);
        assert!(paths.starts_with(&[Path::SmallLoopback, Path::Veth]) && paths.contains(&Path::Bridge));
        assert_eq!(paths.len(), 13);
        let unseen = rungs(Bridged::Unseen);
        assert!(unseen.contains(&Path::Routed) && !unseen.contains(&Path::BridgeNetfilter));
        assert_eq!(unseen.len(), 12);
    }

    #[test]
    fn where_bridges_are_unseen_rules_stand_on_what_is_routed() {
        let cell = latency(vec![
            path(Path::Host, wandering(0.0)),
            path(Path::BareBridge, wandering(700.0)),
            path(Path::Routed, wandering(1500.0)),
            path(Path::Rules, wandering(1700.0)),
        ]);
        let found = waterfall(&cell, &things(Bridged::Unseen)).unwrap();
        let rules = found.steps.last().unwrap();
        assert_eq!((rules.path, rules.without, rules.kind), (Path::Rules, Path::Routed, Kind::Step));
        assert!((rules.adds.median - 200.0).abs() < 1e-6, "{rules:?}");
    }
}
