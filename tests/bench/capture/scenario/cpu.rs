//! What a packet costs the program that captures it, at a rate that nobody loses anything at.

use std::time::Duration;

use anyhow::Result;

use crate::{
    contender::Contender,
    frame::Shape,
    generator::Load,
    lab::Lab,
    measure::Sample,
    outcome::{Bar, Figure, Outcome},
    progress,
    tournament::play,
};

use super::{Stage, doubts, in_passing};

const PER_SECOND: u32 = 100_000;
/// 64 KiB each: 1.6 Gbit/s.
const SUPER_PACKETS_PER_SECOND: u32 = 3_000;

pub(super) fn small(stage: &mut Stage<'_>) -> Result<Outcome> {
    let mut outcome = datagrams(stage, "cpu-64", 64)?;
    outcome.compare("pcapsule", "tcpdump", Bar::AtMost(0.30));
    outcome.compare("pcapsule", "dumpcap", Bar::AtMost(0.05));
    Ok(others(outcome, "tcpdump"))
}

pub(super) fn middle(stage: &mut Stage<'_>) -> Result<Outcome> {
    let mut outcome = datagrams(stage, "cpu-512", 512)?;
    outcome.compare("pcapsule", "tcpdump", Bar::AtMost(0.38));
    Ok(others(outcome, "tcpdump"))
}

pub(super) fn full(stage: &mut Stage<'_>) -> Result<Outcome> {
    let mut outcome = datagrams(stage, "cpu-1514", 1514)?;
    outcome.compare("pcapsule", "tcpdump", Bar::AtMost(0.42));
    Ok(others(outcome, "tcpdump"))
}

pub(super) fn super_packets(stage: &mut Stage<'_>) -> Result<Outcome> {
    let contenders = stage.plan.everybody();
    let mut outcome = play_load(stage, "cpu-64k", &contenders, Shape::SuperPacket, SUPER_PACKETS_PER_SECOND)?;
    outcome.compare("pcapsule", "tcpdump", Bar::AtMost(0.62));
    Ok(others(outcome, "tcpdump"))
}

pub(super) fn super_packets_cut(stage: &mut Stage<'_>) -> Result<Outcome> {
    let mut contenders = stage.plan.pcapsules();
    contenders.push(Contender::tcpdump());
    let contenders: Vec<_> = contenders.into_iter().map(|who| who.with_shown(&["-s", "128"])).collect();
    let mut outcome =
        play_load(stage, "cpu-64k-s128", &contenders, Shape::SuperPacket, SUPER_PACKETS_PER_SECOND)?;
    outcome.compare("pcapsule -s 128", "tcpdump -s 128", Bar::AtMost(1.0));
    Ok(others(outcome, "tcpdump -s 128"))
}

fn datagrams(stage: &mut Stage<'_>, name: &'static str, len: usize) -> Result<Outcome> {
    let mut contenders = stage.plan.everybody();
    contenders.push(stage.plan.following());
    play_load(stage, name, &contenders, Shape::Datagram(len), PER_SECOND)
}

fn play_load(
    stage: &mut Stage<'_>,
    name: &'static str,
    contenders: &[Contender],
    shape: Shape,
    per_second: u32,
) -> Result<Outcome> {
    let time = Duration::from_secs(if stage.plan.is_quick() { 1 } else { 3 });
    let load = Load::lasting(shape, per_second, time);
    let lab = Lab::build(1)?;
    let samples = play(contenders, stage.plan.rounds(), stage.dice, |contender| {
        let sample = stage.bench.measure(contender, &lab, &load)?;
        progress::tell(name, &format!("{}: {:.0} ns a packet", contender.name, sample.cpu_ns_per_packet()));
        Ok(sample)
    })?;
    let figures = contenders.iter().zip(&samples).map(|(contender, samples)| Figure {
        contender: contender.name.clone(),
        values: samples.iter().map(Sample::cpu_ns_per_packet).collect(),
        remark: in_passing(samples),
    });
    let figures = figures.collect();
    let load = format!("{} B at {per_second} a second for {} s", shape.len(), time.as_secs());
    let unit = "ns of CPU a packet";
    let doubts = doubts(&samples);
    let verdicts = Vec::new();
    Ok(Outcome { name, load, unit, figures, verdicts, doubts, samples: samples.concat() })
}

/// The ratios of all others to one of them, for comparison.
fn others(mut outcome: Outcome, to: &str) -> Outcome {
    let names: Vec<_> = outcome.figures.iter().map(|figure| figure.contender.clone()).collect();
    for name in names.iter().filter(|name| *name != to) {
        let claim = format!("{name} / {to}");
        if !outcome.verdicts.iter().any(|verdict| verdict.claim == claim) {
            outcome.compare(name, to, Bar::None);
        }
    }
    outcome
}
