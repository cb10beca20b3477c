//! What was asked for on the command line.

use std::path::PathBuf;

use clap::Parser;

use crate::{contender::Contender, tournament::Rounds};

/// Compares capturing by pcapsule with tcpdump, dumpcap and netsniff-ng, side by side on this machine.
#[derive(Debug, Parser)]
#[command(name = "scripts/bench-capture")]
pub(crate) struct Plan {
    /// One round of shorter loads: a first look, in about four minutes instead of forty
    #[arg(long)]
    quick: bool,
    /// Only these scenarios
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Rounds that count, after one to warm up; half as many of what takes long [default: 5; 1 with --quick, which does
    /// not warm up]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
    /// Every sample as JSON into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// The seed of the order of play, to have the same again
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// Another build of pcapsule to be measured beside this one
    #[arg(long, value_name = "NAME=PATH", value_parser = name_and_path)]
    also: Vec<(String, PathBuf)>,
    /// List the scenarios
    #[arg(long)]
    pub(crate) list: bool,
    /// What `cargo bench` adds to every benchmark's arguments
    #[arg(long, hide = true)]
    bench: bool,
}

impl Plan {
    /// This build.
    pub(crate) fn program() -> PathBuf {
        env!("CARGO_BIN_EXE_pcapsule").into()
    }

    pub(crate) fn is_quick(&self) -> bool {
        self.quick
    }

    pub(crate) fn rounds(&self) -> Rounds {
        let counted = self.rounds.map_or(if self.quick { 1 } else { 5 }, usize::from);
        Rounds { unheard: usize::from(!self.quick), counted }
    }

    /// Rounds of what takes many or long measurements.
    pub(crate) fn long_rounds(&self) -> Rounds {
        Rounds { unheard: 0, counted: (self.rounds().counted / 2).max(1) }
    }

    pub(crate) fn wants(&self, scenario: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == scenario)
    }

    /// This build of pcapsule, and the others that were named.
    pub(crate) fn pcapsules(&self) -> Vec<Contender> {
        let also = self.also.iter().map(|(name, path)| Contender::pcapsule(name, path));
        [Contender::pcapsule("pcapsule", &Self::program())].into_iter().chain(also).collect()
    }

    /// This build as it is by default.
    #[expect(clippy::unused_self, reason = "what takes part is the plan's to say")]
    pub(crate) fn following(&self) -> Contender {
        Contender::pcapsule_following(&Self::program())
    }

    /// All that can write a file.
    pub(crate) fn everybody(&self) -> Vec<Contender> {
        let rivals = [Contender::tcpdump(), Contender::dumpcap(), Contender::netsniff_ng()];
        self.pcapsules().into_iter().chain(rivals).collect()
    }
}

fn name_and_path(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("NAME=PATH is expected")?;
    Ok((name.to_owned(), path.into()))
}
