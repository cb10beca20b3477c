//! A burst of 100,000 packets within 100 ms: who loses how much of it, at default settings.

use anyhow::Result;

use crate::{
    contender::Contender,
    frame::Shape,
    generator::{Load, Pace},
    lab::Lab,
    measure::Sample,
    outcome::{Bar, Figure, Outcome, Series, Verdict},
    progress,
    tournament::play,
};

use super::Stage;

const PACKETS: u64 = 100_000;
const PER_SECOND: u32 = 1_000_000;

pub(super) fn small(stage: &mut Stage<'_>) -> Result<Outcome> {
    burst(stage, "burst-64", 64)
}

pub(super) fn full(stage: &mut Stage<'_>) -> Result<Outcome> {
    burst(stage, "burst-1514", 1514)
}

fn burst(stage: &mut Stage<'_>, name: &'static str, len: usize) -> Result<Outcome> {
    let contenders = stage.plan.everybody();
    let load = Load { shape: Shape::Datagram(len), count: PACKETS, pace: Pace::PerSecond(PER_SECOND) };
    let lab = Lab::build(1)?;
    lab.end_at_ports()?;
    let samples = play(&contenders, stage.plan.rounds(), stage.dice, |contender| {
        let sample = stage.bench.measure(contender, &lab, &load)?;
        progress::tell(name, &format!("{}: {} missing", contender.name, missing(&sample)));
        Ok(sample)
    })?;
    let losses = |samples: &Vec<Sample>| samples.iter().map(missing).collect::<Series>();
    let figure = |(contender, samples): (&Contender, &Vec<Sample>)| Figure {
        contender: contender.name.clone(),
        values: losses(samples),
        remark: format!("sent within {:.0} ms", duration(samples).median()),
    };
    let claim = "packets that pcapsule lost".to_owned();
    Ok(Outcome {
        name,
        load: format!("{PACKETS} packets of {len} B, {PER_SECOND} a second"),
        unit: "packets missing",
        figures: contenders.iter().zip(&samples).map(figure).collect(),
        verdicts: vec![Verdict {
            claim,
            ratios: losses(&samples[0]),
            bar: Bar::AtMost(0.0),
            is_lower_bound: false,
        }],
        doubts: slow_generator(&samples),
        samples: samples.concat(),
    })
}

#[expect(clippy::cast_precision_loss, reason = "100,000 at most")]
fn missing(sample: &Sample) -> f64 {
    sample.sent.abs_diff(sample.written) as f64
}

/// How long the burst took, in ms.
#[expect(clippy::cast_precision_loss, reason = "100,000 at most")]
fn duration(samples: &[Sample]) -> Series {
    samples.iter().map(|sample| 1000.0 * sample.sent as f64 / sample.sent_per_second).collect()
}

fn slow_generator(samples: &[Vec<Sample>]) -> Vec<String> {
    let slowest = samples.iter().map(|samples| duration(samples).max()).fold(0.0, f64::max);
    let doubt = format!("the generator took up to {slowest:.0} ms instead of 100: the burst was no burst");
    (slowest > 110.0).then_some(doubt).into_iter().collect()
}
