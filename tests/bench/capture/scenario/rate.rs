//! The highest rate at which a program loses nothing: every packet sent is in its file, and it reports no loss. Where the
//! generator comes to its end before that, the rate says so with a plus.

use std::time::Duration;

use anyhow::Result;

use crate::{
    contender::Contender,
    frame::Shape,
    generator::{Load, Pace},
    lab::Lab,
    measure::Sample,
    outcome::{Bar, Figure, Outcome, Series, Verdict},
    progress,
};

use super::{
    Stage,
    ladder::{Ladder, Reach, kept_pace},
};

const LOWEST: f64 = 100_000.0;
const HIGHEST: f64 = 2_300_000.0;
/// A file is to stay below what the kernel begins to write to the disk.
const MOST_BYTES: u64 = 2 << 30;
/// How often a rate is tried while others are busy on the cores of the measurement.
const TRIES: usize = 3;

pub(super) fn small(stage: &mut Stage<'_>) -> Result<Outcome> {
    climb(stage, "rate-64", 64, &["tcpdump", "dumpcap", "netsniff-ng"], Bar::AtLeast(1.0))
}

pub(super) fn middle(stage: &mut Stage<'_>) -> Result<Outcome> {
    climb(stage, "rate-512", 512, &["tcpdump"], Bar::AtLeast(1.3))
}

pub(super) fn full(stage: &mut Stage<'_>) -> Result<Outcome> {
    climb(stage, "rate-1514", 1514, &["tcpdump"], Bar::AtLeast(2.0))
}

/// One who climbs, and how far in each round.
struct Record {
    contender: Contender,
    reaches: Vec<Reach>,
}

/// Finds the rates of all, and compares ours with the best of some.
fn climb(
    stage: &mut Stage<'_>,
    name: &'static str,
    len: usize,
    rivals: &[&str],
    bar: Bar,
) -> Result<Outcome> {
    let step = if stage.plan.is_quick() { 1.4 } else { 1.1 };
    let lab = Lab::build(1)?;
    lab.end_at_ports()?;
    let mut course = Course {
        name,
        shape: Shape::Datagram(len),
        ladder: Ladder::new(LOWEST, HIGHEST, step),
        lab,
        samples: Vec::new(),
        disturbed: 0,
    };
    let mut everybody = stage.plan.everybody();
    if stage.plan.is_quick() {
        // Those that matter for the bar.
        everybody.retain(|contender| contender.is_pcapsule() || rivals.contains(&contender.name.as_str()));
    }
    let mut records: Vec<_> =
        everybody.into_iter().map(|contender| Record { contender, reaches: Vec::new() }).collect();
    let mut own_ends = Series::default();
    for _ in 0..stage.plan.long_rounds().counted {
        own_ends.0.push(course.generators_own_end(stage)?);
        course.search(stage, &mut records)?;
    }
    let figures = records.iter().map(figure).chain([Figure {
        contender: "no capture".to_owned(),
        values: own_ends,
        remark: "the generator flat out".to_owned(),
    }]);
    let doubt =
        format!("others were busy on these cores in {} tries that were not repeated", course.disturbed);
    Ok(Outcome {
        name,
        load: format!("{len} B, from {LOWEST:.0} a second on in steps of {step}"),
        unit: "packets a second without loss",
        figures: figures.collect(),
        verdicts: vec![verdict(&records, rivals, bar)],
        doubts: (course.disturbed > 0).then_some(doubt).into_iter().collect(),
        samples: course.samples,
    })
}

/// What is the same for all who climb.
struct Course {
    name: &'static str,
    shape: Shape,
    ladder: Ladder,
    lab: Lab,
    samples: Vec<Sample>,
    /// Tries that were disturbed to the last.
    disturbed: usize,
}

impl Course {
    /// One search for each, all taking turns.
    fn search(&mut self, stage: &mut Stage<'_>, records: &mut [Record]) -> Result<()> {
        let mut climbers = vec![self.ladder.climber(); records.len()];
        while climbers.iter().any(|climber| climber.next().is_some()) {
            for index in stage.dice.order(records.len()) {
                let Some(rung) = climbers[index].next() else { continue };
                let asked = self.ladder.rate(rung);
                let sample = self.attempt_in_peace(stage, &records[index].contender, asked)?;
                if sample.is_complete() {
                    climbers[index].succeed(rung, asked, sample.sent_per_second);
                } else {
                    climbers[index].fail(rung);
                }
            }
        }
        for (record, climber) in records.iter_mut().zip(&climbers) {
            record.reaches.push(self.ladder.reach(climber));
        }
        Ok(())
    }

    /// A try without others on the two cores, if one of a few is.
    fn attempt_in_peace(&mut self, stage: &Stage<'_>, contender: &Contender, asked: f64) -> Result<Sample> {
        let mut tries = 0;
        loop {
            tries += 1;
            let sample = self.attempt(stage, contender, asked)?;
            self.samples.push(sample.clone());
            let succeeded = sample.is_complete() && kept_pace(asked, sample.sent_per_second);
            // A success is one however hard it was; a failure may be others' doing.
            if succeeded || !sample.is_disturbed() {
                return Ok(sample);
            }
            if tries == TRIES {
                self.disturbed += 1;
                return Ok(sample);
            }
            progress::tell(self.name, "others were busy on these cores: once more");
        }
    }

    /// What the generator sends while nobody looks.
    fn generators_own_end(&self, stage: &Stage<'_>) -> Result<f64> {
        let load = Load { shape: self.shape, count: 1_000_000, pace: Pace::FlatOut };
        let sample = stage.bench.measure(&Contender::nobody(), &self.lab, &load)?;
        let (rate, disturbed) = (sample.sent_per_second, sample.generator_disturbed * 100.0);
        progress::tell(self.name, &format!("no capture: {rate:.0} a second, {disturbed:.1} % disturbed"));
        Ok(rate)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the ladder ends before u32 does"
    )]
    fn attempt(&self, stage: &Stage<'_>, contender: &Contender, asked: f64) -> Result<Sample> {
        let time = Duration::from_secs(if stage.plan.is_quick() { 1 } else { 2 });
        let load = Load::lasting(self.shape, asked as u32, time);
        let load = Load { count: load.count.min(MOST_BYTES / self.shape.len() as u64), ..load };
        let sample = stage.bench.measure(contender, &self.lab, &load)?;
        let missing = sample.sent.saturating_sub(sample.written);
        let (name, sent) = (&contender.name, sample.sent_per_second);
        progress::tell(self.name, &format!("{name}: {missing} missing at {sent:.0} a second of {asked:.0}"));
        Ok(sample)
    }
}

fn figure(record: &Record) -> Figure {
    let at_end = record.reaches.iter().filter(|reach| reach.is_generators_end()).count();
    let plus = format!("+ the generator's end in {at_end} of {}", record.reaches.len());
    Figure {
        contender: record.contender.name.clone(),
        values: record.reaches.iter().map(|reach| reach.per_second()).collect(),
        remark: if at_end > 0 { plus } else { "lost some at the next step".to_owned() },
    }
}

/// Round by round, ours against the best of the rivals.
fn verdict(records: &[Record], rivals: &[&str], bar: Bar) -> Verdict {
    let of = |names: &[&str], round: usize| {
        let those = records.iter().filter(|record| names.contains(&record.contender.name.as_str()));
        let reaches = those.map(|record| record.reaches[round]);
        reaches.max_by(|a, b| a.per_second().total_cmp(&b.per_second()))
    };
    let rounds = records.first().map_or(0, |record| record.reaches.len());
    let ratio = |round| Some(of(&["pcapsule"], round)?.over(of(rivals, round)?));
    let ratios: Series = (0..rounds).filter_map(ratio).collect();
    let claim = match rivals {
        [rival] => format!("pcapsule / {rival}"),
        _ => "pcapsule / the best of the others".to_owned(),
    };
    let ours = records.iter().find(|record| record.contender.name == "pcapsule");
    let is_lower_bound =
        ours.is_some_and(|record| record.reaches.iter().all(|reach| reach.is_generators_end()));
    Verdict { claim, ratios, bar, is_lower_bound }
}
