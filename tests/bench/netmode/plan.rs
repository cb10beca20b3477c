//! What was asked for on the command line.

use std::path::PathBuf;

use clap::Parser;

use crate::{contender::Contender, tournament::Rounds};

/// Compares bringing up and taking down a sandbox by pcapsule, netavark and Docker, side by side on this machine.
#[derive(Debug, Parser)]
#[command(name = "scripts/bench-netmode")]
pub(crate) struct Plan {
    /// Three rounds without a warm-up: a first look
    #[arg(long)]
    quick: bool,
    /// Rounds that count, after one to warm up [default: 20]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
    /// How many ports are published
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "0,1,100,1000",
        value_parser = clap::value_parser!(u16).range(..=5000))]
    ports: Vec<u16>,
    /// Leave the Docker engine of this machine alone
    #[arg(long)]
    pub(crate) no_docker: bool,
    /// Another build of pcapsule to be measured beside this one
    #[arg(long, value_name = "NAME=PATH", value_parser = name_and_path)]
    also: Vec<(String, PathBuf)>,
    /// Every sample as JSON into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// The seed of the order of play, to have the same again
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// What `cargo bench` adds to every benchmark's arguments
    #[arg(long, hide = true)]
    bench: bool,
}

impl Plan {
    /// This build.
    pub(crate) fn program() -> PathBuf {
        env!("CARGO_BIN_EXE_pcapsule").into()
    }

    pub(crate) fn rounds(&self) -> Rounds {
        let counted = self.rounds.map_or(if self.quick { 3 } else { 20 }, usize::from);
        Rounds { unheard: usize::from(!self.quick), counted }
    }

    /// Everybody who takes part, with each number of ports.
    pub(crate) fn contenders(&self, with_docker: bool) -> Vec<Contender> {
        let mut all = Vec::new();
        for ports in &self.ports {
            all.push(Contender::pcapsule("pcapsule", Self::program(), *ports));
            all.extend(self.also.iter().map(|(name, path)| Contender::pcapsule(name, path.clone(), *ports)));
            all.extend(Contender::has_netavark().then(|| Contender::netavark(*ports)));
        }
        if with_docker {
            all.extend([
                Contender::docker("none", 0),
                Contender::docker("bridge", 0),
                Contender::docker("bridge", 1),
            ]);
        }
        all
    }
}

fn name_and_path(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("NAME=PATH is expected")?;
    Ok((name.to_owned(), path.into()))
}
