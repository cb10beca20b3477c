//! `pcapsule net`: sandboxes that outlive a command.

mod down;
mod list;
mod plan;
mod prune;
mod up;

pub(super) use down::Unknown;

use std::process::ExitCode;

use super::sandbox_args::{NetArgs, NetCommand};

pub(super) fn run(args: &NetArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        NetCommand::Plan(args) => plan::run(args),
        NetCommand::Up(args) => up::run(args),
        NetCommand::Down(args) => down::run(args),
        NetCommand::Ls(args) => list::run(args),
        NetCommand::Prune(_) => prune::run(),
    }
}
