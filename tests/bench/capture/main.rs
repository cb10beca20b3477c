//! Compares pcapsule's captures with those of tcpdump, dumpcap and netsniff-ng: what a packet costs, at which rate the
//! first is lost, what the captured pay. `scripts/bench-capture` runs it.
//!
//! All programs take turns in one run (`tournament`), each capturing a load of known size (`generator`) in namespaces
//! made for that (`lab`); what they wrote is counted by capinfos (`measure`).

mod contender;
mod core;
mod frame;
mod generator;
mod interrupt;
mod lab;
mod machine;
mod measure;
mod meter;
mod outcome;
mod plan;
mod progress;
mod report;
mod running;
mod scenario;
mod tournament;
mod verdict;

use std::{
    fs,
    io::{self, Write},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use serde_json::json;

use crate::{
    core::Core,
    lab::Lab,
    machine::Machine,
    measure::Bench,
    outcome::Outcome,
    plan::Plan,
    scenario::{Scenario, Stage},
    tournament::Dice,
};

/// About the size of the largest file of a measurement.
const LARGEST_FILE_MIB: u32 = 2048;

fn main() -> Result<()> {
    let plan = Plan::parse();
    let mut out = io::stdout();
    if plan.list {
        for scenario in scenario::ALL {
            writeln!(out, "{}", scenario.name)?;
        }
        return Ok(());
    }
    let unknown = plan.only.iter().find(|name| !scenario::ALL.iter().any(|scenario| scenario.name == **name));
    ensure!(
        unknown.is_none(),
        "no scenario is called {}; --list names them",
        unknown.map_or("", |name| name)
    );
    ensure!(nix::unistd::Uid::effective().is_root(), "this makes network namespaces: run it as root");
    interrupt::listen()?;
    lab::sweep();
    run(&plan, &mut out)
}

fn run(plan: &Plan, out: &mut impl Write) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("pcbench").tempdir().context("making a folder for files")?;
    let [generator_core, program_core] = Core::pair()?;
    let bench = Bench { folder: folder.path().to_owned(), generator_core, program_core };
    let rounds = plan.rounds();
    let seed = plan.seed.unwrap_or_else(time_of_day);
    let mut dice = Dice::new(seed);
    let machine = Machine::look(&Plan::program(), &Lab::build(1)?.senders()[0], folder.path());
    report::machine(out, &machine)?;
    if let Some(noise) = machine::noise() {
        writeln!(out, "doubt     {noise}")?;
    }
    writeln!(
        out,
        "order     seed {seed}; {} rounds, {} before them to warm up",
        rounds.counted, rounds.unheard
    )?;
    let cores = [generator_core.number(), program_core.number()];
    writeln!(out, "cores     {} sends, {} captures", cores[0], cores[1])?;
    let mut outcomes = Vec::new();
    for Scenario { name, run } in scenario::ALL.iter().filter(|scenario| plan.wants(scenario.name)) {
        progress::begin(name);
        bench.warm_up(if plan.is_quick() { 512 } else { LARGEST_FILE_MIB })?;
        let outcome = run(&mut Stage { bench: &bench, plan, dice: &mut dice })?;
        verdict::outcome(out, &outcome)?;
        outcomes.push(outcome);
        if let Some(file) = &plan.json {
            save(file, &machine, seed, &outcomes)?;
        }
    }
    Ok(verdict::verdicts(out, &outcomes)?)
}

fn save(file: &std::path::Path, machine: &Machine, seed: u64, outcomes: &[Outcome]) -> Result<()> {
    let document = json!({
        "schema": "pcapsule-bench-capture", "version": 1, "seed": seed, "machine": machine, "scenarios": outcomes,
    });
    let text = serde_json::to_string_pretty(&document)?;
    fs::write(file, text + "\n").with_context(|| format!("writing {}", file.display()))
}

/// A seed that is another one each time.
fn time_of_day() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() % 1_000_000)
}
