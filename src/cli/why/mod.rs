//! `pcapsule why`: why a connection does not work.
//!
//! `question` finds out what the words mean on this host, `evidence` gathers what has to be known for an answer.

mod evidence;
mod question;

use std::process::ExitCode;

use anyhow::Context as _;

use crate::report::{self, Answer};

use super::exit;
use super::look;
use super::terminal::{self, Truncation};
use super::why_args::{OriginWord, WhyArgs};

pub(super) async fn run(args: WhyArgs) -> anyhow::Result<ExitCode> {
    let engines = look::engines();
    let look = look::look(&engines).await?;
    let question = question::question(&args, &look)
        .inspect_err(|_| look.topology.warnings.iter().for_each(|warning| terminal::warn(warning)))?;
    let examination = evidence::examine(&args, &look, &engines, &question).await?;
    let answer = Answer {
        target: &args.target.text,
        from: match &args.from {
            None => "anywhere".to_owned(),
            Some(OriginWord::Host) => "host".to_owned(),
            Some(OriginWord::Outside) => "outside".to_owned(),
            Some(OriginWord::Address(address)) => address.to_string(),
            Some(OriginWord::Container(selector)) => selector.to_string(),
        },
        protocol: args.protocol(),
        diagnosis: &examination.diagnosis,
        host: &look.host,
        time_ns: look.time_ns,
        warnings: &look.topology.warnings,
    };
    let mut out = terminal::stdout();
    if args.json {
        report::why_json(&answer, &mut out)
    } else {
        look.topology.warnings.iter().for_each(|warning| terminal::warn(warning));
        report::why(&answer, terminal::page(Truncation::ToFit).layout, &mut out)
    }
    .context("printing what was found")?;
    Ok(ExitCode::from(if examination.diagnosis.is_well() { exit::DONE } else { exit::FAULT }))
}
