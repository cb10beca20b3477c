//! Many containers at once: what their packets cost over all, and what they cost while they are silent.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    contender::Contender,
    frame::Shape,
    generator::{Load, Sent},
    interrupt,
    lab::Lab,
    measure::Sample,
    outcome::{Bar, Figure, Outcome, Series, Verdict},
    progress,
    tournament::play,
};

use super::{Stage, doubts, in_passing};

const BUSY: usize = 50;
const PER_SECOND: u32 = 200_000;
const IDLE: usize = 200;

/// One pcapsule with 50 taps, 50 tcpdumps, one dumpcap with 50 interfaces.
pub(super) fn busy(stage: &mut Stage<'_>) -> Result<Outcome> {
    const NAME: &str = "taps-50";
    let mut contenders = stage.plan.pcapsules();
    contenders.extend([Contender::tcpdump(), Contender::dumpcap()]);
    let time = Duration::from_secs(if stage.plan.is_quick() { 1 } else { 3 });
    let load = Load::lasting(Shape::Datagram(64), PER_SECOND, time);
    let lab = Lab::build(BUSY)?;
    let samples = play(&contenders, stage.plan.rounds(), stage.dice, |contender| {
        let sample = stage.bench.measure(contender, &lab, &load)?;
        progress::tell(NAME, &format!("{}: {:.0} ns a packet", contender.name, sample.cpu_ns_per_packet()));
        Ok(sample)
    })?;
    let figure = |(contender, samples): (&Contender, &Vec<Sample>)| Figure {
        contender: contender.name.clone(),
        values: samples.iter().map(Sample::cpu_ns_per_packet).collect(),
        remark: in_passing(samples),
    };
    let memory: Series = samples[0].iter().map(Sample::peak_memory_mib).collect();
    let claim = "pcapsule's memory in MiB".to_owned();
    let mut outcome = Outcome {
        name: NAME,
        load: format!("64 B at {PER_SECOND} a second over {BUSY} namespaces for {} s", time.as_secs()),
        unit: "ns of CPU a packet, over all processes",
        figures: contenders.iter().zip(&samples).map(figure).collect(),
        verdicts: vec![Verdict { claim, ratios: memory, bar: Bar::AtMost(128.0), is_lower_bound: false }],
        doubts: doubts(&samples),
        samples: samples.concat(),
    };
    outcome.compare("pcapsule", "tcpdump", Bar::AtMost(0.3));
    outcome.compare("pcapsule", "dumpcap", Bar::AtMost(0.3));
    Ok(outcome)
}

/// 200 taps at which nothing happens.
pub(super) fn idle(stage: &mut Stage<'_>) -> Result<Outcome> {
    const NAME: &str = "taps-200-idle";
    let mut contenders = stage.plan.pcapsules();
    contenders.push(stage.plan.following());
    let lab = Lab::build(IDLE)?;
    let time = Duration::from_secs(if stage.plan.is_quick() { 5 } else { 10 });
    let samples = play(&contenders, stage.plan.long_rounds(), stage.dice, |contender| {
        let sample = stage.bench.watch(contender, &lab, || be_silent(time))?;
        progress::tell(NAME, &format!("{}: {:.2} %", contender.name, sample.share_of_core() * 100.0));
        Ok(sample)
    })?;
    let percent =
        |samples: &Vec<Sample>| samples.iter().map(|sample| sample.share_of_core() * 100.0).collect();
    let figure = |(contender, samples): (&Contender, &Vec<Sample>)| Figure {
        contender: contender.name.clone(),
        values: percent(samples),
        remark: in_passing(samples),
    };
    let verdict = |(contender, samples): (&Contender, &Vec<Sample>)| Verdict {
        claim: format!("{}: % of a core", contender.name),
        ratios: percent(samples),
        bar: Bar::AtMost(0.5),
        is_lower_bound: false,
    };
    Ok(Outcome {
        name: NAME,
        load: format!("{IDLE} namespaces, silent for {} s", time.as_secs()),
        unit: "% of a core",
        figures: contenders.iter().zip(&samples).map(figure).collect(),
        verdicts: contenders.iter().zip(&samples).map(verdict).collect(),
        doubts: doubts(&samples),
        samples: samples.concat(),
    })
}

fn be_silent(time: Duration) -> Result<Sent> {
    let start = Instant::now();
    while start.elapsed() < time {
        interrupt::check()?;
        thread::sleep(Duration::from_millis(100));
    }
    Ok(Sent { count: 0, elapsed: start.elapsed(), disturbed: Duration::ZERO })
}
