//! What can go wrong while a lab is built and measured.

use std::{io, net::SocketAddr};

use crate::sys::{netns, nft, offload, plumbing, statistics, sysctl};

use super::path::{NoWay, Path};

/// Why something could not be measured.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Error {
    #[error(transparent)]
    Namespace(#[from] netns::Error),
    #[error(transparent)]
    Plumbing(#[from] plumbing::Error),
    #[error(transparent)]
    Statistics(#[from] statistics::Error),
    #[error(transparent)]
    Offload(#[from] offload::Error),
    #[error(transparent)]
    Setting(#[from] sysctl::Error),
    #[error(transparent)]
    Rules(#[from] nft::Error),
    #[error(transparent)]
    NoWay(#[from] NoWay),
    #[error("letting bridged packets pass netfilter: the kernel module br_netfilter is not loaded")]
    NoBridgeNetfilter,
    #[error("finding the address of {0} in the lab: there is none")]
    NoAddress(&'static str),
    #[error("starting a sandbox for the lab")]
    Start(#[source] io::Error),
    #[error("starting a sandbox for the lab: {0}")]
    Sandbox(String),
    #[error("listening at {at}")]
    Listen { at: SocketAddr, source: io::Error },
    #[error("connecting to {to} on the path {path}")]
    Connect { path: Path, to: SocketAddr, source: io::Error },
    #[error("setting up the sockets of the path {path}")]
    Prepare { path: Path, source: io::Error },
    #[error("moving data on the path {path}")]
    Transfer { path: Path, source: io::Error },
    #[error("measuring the path {path}: a thread of it has ended")]
    Ended { path: Path },
    #[error("measuring the path {path}: its packets took another way: {evidence}")]
    WrongWay { path: Path, evidence: String },
    #[error("reading the times of the machine")]
    Times(#[source] io::Error),
    #[error("asking which cores there are")]
    Cores(#[source] io::Error),
    #[error("nothing was measured: none of the paths could be built")]
    NoPaths,
}

/// An error with its causes, on one line.
pub(super) fn in_words(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |words, cause| format!("{words}: {cause}"))
}
