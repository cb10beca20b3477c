//! Compares how long a sandbox takes to come up and to go, with 0, 1, 100 and 1,000 published ports: pcapsule, Debian's
//! netavark called as podman calls it, and what a network adds to `docker run`. `scripts/bench-netmode` runs it.
//!
//! All take turns in one run, in an order shuffled anew each round, each time on a host made for that (`lab`). What was
//! brought up is looked at by connections through its first and its last port before it is taken down.

mod contender;
mod docker;
#[path = "../capture/interrupt.rs"]
mod interrupt;
mod lab;
mod measure;
#[path = "../capture/outcome.rs"]
#[expect(dead_code, reason = "captures are held against bars from below as well")]
mod outcome;
mod plan;
#[path = "../capture/progress.rs"]
mod progress;
mod table;
#[path = "../capture/tournament.rs"]
mod tournament;
#[path = "../capture/verdict.rs"]
mod verdict;

use std::{
    fs,
    io::{self, Write},
    path::Path,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde_json::json;

use crate::{contender::Contender, docker::Docker, outcome::Outcome, plan::Plan, tournament::Dice};

fn main() -> Result<()> {
    let plan = Plan::parse();
    ensure!(nix::unistd::Uid::effective().is_root(), "this makes network namespaces: run it as root");
    interrupt::listen()?;
    let mut out = io::stdout();
    let docker = (!plan.no_docker).then(Docker::find).flatten();
    let contenders = plan.contenders(docker.is_some());
    let seed = plan.seed.unwrap_or_else(time_of_day);
    let facts = facts();
    for (what, value) in &facts {
        writeln!(out, "{what:<9} {value}")?;
    }
    let rounds = plan.rounds();
    writeln!(
        out,
        "order     seed {seed}; {} rounds, {} before them to warm up",
        rounds.counted, rounds.unheard
    )?;
    if !Contender::has_netavark() {
        writeln!(out, "doubt     netavark is not installed: nobody to compare with")?;
    }
    progress::begin("set-up and teardown of each");
    let samples = tournament::play(&contenders, rounds, &mut Dice::new(seed), |contender| {
        interrupt::check()?;
        let sample = contender.measure(docker.as_ref())?;
        progress::tell(&sample.contender, &format!("{:?} {:?}", sample.set_up, sample.teardown));
        Ok(sample)
    })?;
    writeln!(out, "load      {} at the end", load())?;
    let outcomes = table::outcomes(&samples);
    for outcome in &outcomes {
        verdict::outcome(&mut out, outcome)?;
    }
    verdict::verdicts(&mut out, &outcomes)?;
    plan.json.as_deref().map_or(Ok(()), |file| save(file, &facts, seed, &outcomes))
}

/// What the figures depend on besides the programs.
fn facts() -> Vec<(&'static str, String)> {
    let first_line = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let mut facts = vec![
        ("kernel", first_line("/proc/sys/kernel/osrelease")),
        ("cores", cores.to_string()),
        ("load", format!("{} at the beginning", load())),
    ];
    let program = Plan::program();
    for line in [
        &[program.to_str().unwrap_or_default(), "--version"][..],
        &["/usr/lib/podman/netavark", "--version"],
        &["nft", "--version"],
        &["iptables", "--version"],
        &["docker", "--version"],
    ] {
        let output = Command::new(line[0]).args(&line[1..]).output();
        let text =
            output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        facts.extend(text.lines().next().map(|line| ("program", line.to_owned())));
    }
    facts
}

fn load() -> String {
    fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned()
}

fn save(file: &Path, facts: &[(&str, String)], seed: u64, outcomes: &[Outcome]) -> Result<()> {
    let document = json!({
        "schema": "pcapsule-bench-netmode", "version": 1, "seed": seed, "machine": facts, "scenarios": outcomes,
    });
    let text = serde_json::to_string_pretty(&document)?;
    fs::write(file, text + "\n").with_context(|| format!("writing {}", file.display()))
}

/// A seed that is another one each time.
fn time_of_day() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() % 1_000_000)
}
