//! `pcapsule inspect`: everything about a container's network.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Context as _;

use crate::model::Selector;
use crate::report::{self, Inspection};

use super::args::InspectArgs;
use super::gather;
use super::look::{self, Look};
use super::select::{self, Ended, Selection};
use super::terminal::{self, Truncation};

pub(super) async fn run(args: InspectArgs) -> anyhow::Result<ExitCode> {
    let look = look::look(&look::engines()).await?;
    // Why something may be missing is said before that it is.
    let selection = selection(&args, &look)
        .inspect_err(|_| look.topology.warnings.iter().for_each(|warning| terminal::warn(warning)))?;
    let mut inspections = Vec::new();
    for container in selection.containers {
        let (inspection, warnings) = gather::inspection(&look, container).await;
        for warning in &warnings {
            terminal::warn(warning);
        }
        inspections.push(inspection);
    }
    let mut out = terminal::stdout();
    if args.json {
        report::inspection_json(&inspections, &look.topology, &look.host, look.time_ns, &mut out)
    } else {
        print(&look, &inspections, &mut out)
    }
    .context("printing what was found")?;
    Ok(ExitCode::SUCCESS)
}

fn selection<'a>(args: &InspectArgs, look: &'a Look) -> Result<Selection<'a>, select::Error> {
    if let Some(interface) = args.selectors.iter().find(|selector| Selector::is_interface(selector)) {
        return Err(select::Error::NotAContainer(interface.to_string()));
    }
    select::select(&look.topology, &args.selectors, Ended::Included, look::namespace_of)?.without_cgroups()
}

fn print(look: &Look, inspections: &[Inspection<'_>], out: &mut impl Write) -> io::Result<()> {
    let layout = terminal::page(Truncation::ToFit).layout;
    for (position, inspection) in inspections.iter().enumerate() {
        if position > 0 {
            writeln!(out)?;
        }
        report::inspection(inspection, layout, out)?;
    }
    look.topology.warnings.iter().for_each(|warning| terminal::warn(warning));
    Ok(())
}
