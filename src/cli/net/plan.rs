//! `pcapsule net plan`: what `up` would do, as words or JSON. Nothing is changed.

use std::process::ExitCode;

use anyhow::Context as _;

use crate::cli::sandbox::Draft;
use crate::cli::sandbox_args::PlanArgs;
use crate::cli::{look, terminal};
use crate::netmode::{self, Facts};
use crate::report;
use crate::sys::plumbing::Plumbing;

pub(super) fn run(args: &PlanArgs) -> anyhow::Result<ExitCode> {
    let draft = Draft::new(args.sandbox.spec().context("reading the options")?, "sandbox")?;
    draft.check_target()?;
    let facts = Facts::gather(&mut Plumbing::open()?, &draft.state, &draft.spec)?;
    let plan = netmode::plan(&draft.spec, &facts, &draft.identity)?;
    if !args.json {
        plan.notes.iter().for_each(|note| terminal::warn(note));
    }
    let mut out = terminal::stdout();
    if args.json {
        report::plan_json(&plan, (&crate::sys::system()?.host, look::now_ns()), &mut out)
    } else {
        report::plan(&plan, &mut out)
    }
    .context("printing the plan")?;
    Ok(ExitCode::SUCCESS)
}
