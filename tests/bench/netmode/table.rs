//! Samples → figures and ratios against the bars that we set ourselves. Pure.

use std::time::Duration;

use crate::{
    measure::Sample,
    outcome::{Bar, Figure, Outcome, Series},
};

/// With one published port: at most half of what netavark takes, up and down.
const AGAINST_NETAVARK: Bar = Bar::AtMost(0.5);
/// A thousand ports against one.
const MANY_PORTS: Bar = Bar::AtMost(1.5);

/// The parts that are reported, from the samples of each contender.
pub(crate) fn outcomes(samples: &[Vec<Sample>]) -> Vec<Outcome> {
    let measured: Vec<_> = samples.iter().filter(|of_one| !is_docker(of_one)).collect();
    let mut set_up = outcome("set-up", "from the command to its end", "ms", &measured, |sample| {
        milliseconds(sample.set_up)
    });
    let mut teardown = outcome("teardown", "from the command to its end", "ms", &measured, |sample| {
        milliseconds(sample.teardown)
    });
    for outcome in [&mut set_up, &mut teardown] {
        outcome.compare("pcapsule, 1 port", "netavark, 1 port", AGAINST_NETAVARK);
        outcome.compare("pcapsule, 1000 ports", "pcapsule, 1 port", MANY_PORTS);
        for ports in ["0 ports", "100 ports", "1000 ports"] {
            outcome.compare(&format!("pcapsule, {ports}"), &format!("netavark, {ports}"), Bar::None);
        }
        outcome.compare("netavark, 1000 ports", "netavark, 1 port", Bar::None);
        outcome.samples.clear();
    }
    let resident: Vec<_> = measured.into_iter().filter(|of_one| of_one[0].processes > 0).collect();
    let memory = outcome("memory", "all processes that stay while it is up", "MiB", &resident, |sample| {
        sample.memory_mib
    });
    let samples_of_all = samples.iter().flatten().cloned().collect();
    let mut all = vec![Outcome { samples: samples_of_all, ..set_up }, teardown, memory];
    all.extend(docker_share(samples));
    all
}

fn outcome(
    name: &'static str,
    load: &str,
    unit: &'static str,
    samples: &[&Vec<Sample>],
    value: impl Fn(&Sample) -> f64,
) -> Outcome {
    let figure = |of_one: &&Vec<Sample>| Figure {
        contender: of_one[0].contender.clone(),
        values: of_one.iter().map(&value).collect(),
        remark: match of_one[0].processes {
            0 => "no process stays".to_owned(),
            processes => format!("{processes} processes stay"),
        },
    };
    let figures = samples.iter().map(figure).collect();
    Outcome {
        name,
        load: load.to_owned(),
        unit,
        figures,
        verdicts: Vec::new(),
        doubts: Vec::new(),
        samples: Vec::new(),
    }
}

/// What a network adds to `docker run`, beside what it takes us, up and down.
fn docker_share(samples: &[Vec<Sample>]) -> Option<Outcome> {
    let of = |name: &str| samples.iter().find(|of_one| of_one[0].contender == name);
    let without = of("docker run --net none, 0 ports")?;
    let whole: Vec<_> = samples.iter().filter(|of_one| is_docker(of_one)).collect();
    let mut share = outcome(
        "docker",
        "a whole `docker run --rm` of `true`; the share of its network",
        "ms",
        &whole,
        |sample| milliseconds(sample.set_up),
    );
    for ports in ["0 ports", "1 port"] {
        let with = of(&format!("docker run --net bridge, {ports}"))?;
        let differences = with
            .iter()
            .zip(without)
            .map(|(with, without)| milliseconds(with.set_up) - milliseconds(without.set_up));
        share.figures.push(figure(
            format!("docker's bridge, {ports}"),
            differences.collect(),
            "the difference to none",
        ));
        if let Some(ours) = of(&format!("pcapsule, {ports}")) {
            let both = ours.iter().map(|sample| milliseconds(sample.set_up + sample.teardown)).collect();
            share.figures.push(figure(format!("pcapsule, {ports}"), both, "up and down"));
        }
        share.compare(&format!("pcapsule, {ports}"), &format!("docker's bridge, {ports}"), Bar::None);
    }
    Some(share)
}

fn figure(contender: String, values: Series, remark: &str) -> Figure {
    Figure { contender, values, remark: remark.to_owned() }
}

fn is_docker(of_one: &[Sample]) -> bool {
    of_one[0].contender.starts_with("docker")
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
