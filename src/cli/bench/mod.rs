//! `pcapsule bench`: builds the lab, measures on a thread of its own while this one waits for signals, and shows what came
//! out: also of a run that was ended half-way.

mod progress;

use std::{
    env, fs,
    io::Write as _,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use crate::bench::{self, Lab, Outcome, Scenario, Summary};
use crate::report;
use crate::sys;

use self::progress::Progress;
use super::bench_args::BenchArgs;
use super::terminal::{self, Truncation};
use super::{exit, run::wait_for};

pub(super) fn run(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    let made_up = sys::random_bytes::<4>().context("making up a seed")?;
    let scenario = args.scenario(u32::from_le_bytes(made_up).into());
    let progress = Progress::new(args.quiet);
    progress.tell(&scenario);
    let ended = Arc::new(AtomicBool::new(false));
    let outcome = wait_for(until_done(scenario, progress, Arc::clone(&ended)))?;
    let summary = bench::summarize(&outcome);
    show(args, &outcome, &summary)
}

/// Measures on another thread, which is asked to end by the first signal.
async fn until_done(
    scenario: Scenario,
    mut progress: Progress,
    ended: Arc<AtomicBool>,
) -> anyhow::Result<Outcome> {
    let (tell, mut done) = oneshot::channel();
    let asked = Arc::clone(&ended);
    let measuring = thread::Builder::new().name("measure".to_owned());
    let measuring = measuring.spawn(move || {
        let outcome = build_and_measure(&scenario, &mut progress, &asked);
        let _ = tell.send(());
        outcome
    });
    let measuring = measuring.context("starting to measure")?;
    let mut signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()]
        .into_iter()
        .map(signal)
        .collect::<Result<Vec<_>, _>>()
        .context("listening for signals")?;
    loop {
        let any = futures_util::future::select_all(signals.iter_mut().map(|signal| Box::pin(signal.recv())));
        tokio::select! {
            _ = &mut done => break,
            _ = any => ended.store(true, Ordering::Release),
        }
    }
    measuring.join().unwrap_or_else(|panicked| std::panic::resume_unwind(panicked))
}

fn build_and_measure(
    scenario: &Scenario,
    progress: &mut Progress,
    ended: &AtomicBool,
) -> anyhow::Result<Outcome> {
    let program = env::current_exe().context("finding the program itself")?;
    progress.building();
    let mut lab = Lab::build(&scenario.paths, &program).context("building the lab")?;
    let is_ended = || ended.load(Ordering::Acquire);
    let outcome = bench::measure(&mut lab, scenario, &is_ended, &mut |turn| progress.turn(turn));
    progress.end();
    drop(lab);
    outcome.context("measuring")
}

fn show(args: &BenchArgs, outcome: &Outcome, summary: &Summary) -> anyhow::Result<ExitCode> {
    let mut document = Vec::new();
    if let Some(path) = &args.json {
        let host = sys::system().context("asking for the host's name")?.host;
        report::bench_json(outcome, summary, &host, now_ns(), &mut document)
            .context("writing the document")?;
        if path.as_os_str() == "-" {
            terminal::stdout().write_all(&document).context("printing the document")?;
        } else {
            fs::write(path, &document).with_context(|| format!("writing {}", path.display()))?;
        }
    }
    if args.json.as_ref().is_none_or(|path| path.as_os_str() != "-") {
        let layout = terminal::page(Truncation::ToFit).layout;
        report::bench(outcome, summary, layout, &mut terminal::stdout()).context("printing the figures")?;
    }
    for skipped in &outcome.skipped {
        terminal::warn(&format!("{} was not measured: {}", skipped.path, skipped.why));
    }
    for doubt in &summary.doubts {
        terminal::warn(doubt);
    }
    if outcome.partial {
        terminal::warn("ended before everything was measured; these are the rounds until then");
        return Ok(ExitCode::from(exit::INTERRUPTED));
    }
    if !outcome.skipped.is_empty() {
        return Ok(ExitCode::from(exit::UNSUPPORTED));
    }
    let is_whole = outcome.cells.iter().flat_map(|cell| &cell.paths).all(|path| path.failure.is_none());
    Ok(ExitCode::from(if is_whole { exit::DONE } else { exit::FAULT }))
}

fn now_ns() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}
