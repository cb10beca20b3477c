//! `pcapsule bench`: builds the lab, measures on a thread of its own while this one waits for signals, and shows what came
//! out: also of a run that was ended half-way. `visit` finds containers that are there already, `compare` holds two runs
//! against each other.

mod compare;
mod progress;
mod visit;

use std::{
    env,
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
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

use crate::bench::{self, Answer, Condition, Lab, Outcome, Scenario, Summary, Visit};
use crate::report;
use crate::sys;

use self::progress::Progress;
use super::bench_args::{BenchArgs, BenchCommand};
use super::terminal::{self, Truncation};
use super::{exit, run::wait_for};

pub(super) fn run(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    if let Some(BenchCommand::Compare(args)) = &args.command {
        return compare::run(args);
    }
    let made_up = sys::random_bytes::<4>().context("making up a seed")?;
    let scenario = args.scenario(u32::from_le_bytes(made_up).into());
    for path in [&args.json, &args.html].into_iter().flatten() {
        can_be_written(path).with_context(|| format!("writing {}", path.display()))?;
    }
    let visit = args.container.as_ref().map(|from| wait_for(visit::visit(from, &args.to))).transpose()?;
    let progress = Progress::new(args.quiet);
    progress.tell(&scenario);
    let ended = Arc::new(AtomicBool::new(false));
    let outcome = wait_for(until_done((scenario, visit), progress, Arc::clone(&ended)))?;
    let summary = bench::summarize(&outcome);
    show(args, &outcome, &summary)
}

/// Measures on another thread, which is asked to end by the first signal.
async fn until_done(
    (scenario, visit): (Scenario, Option<Visit>),
    mut progress: Progress,
    ended: Arc<AtomicBool>,
) -> anyhow::Result<Outcome> {
    let (tell, mut done) = oneshot::channel();
    let asked = Arc::clone(&ended);
    let measuring = thread::Builder::new().name("measure".to_owned());
    let measuring = measuring.spawn(move || {
        let outcome = build_and_measure(&scenario, visit.as_ref(), &mut progress, &asked);
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
    visit: Option<&Visit>,
    progress: &mut Progress,
    ended: &AtomicBool,
) -> anyhow::Result<Outcome> {
    let program = env::current_exe().context("finding the program itself")?;
    progress.building();
    let mut lab = Lab::build_with(&scenario.paths, visit, &program).context("building the lab")?;
    let is_ended = || ended.load(Ordering::Acquire);
    let outcome = bench::measure(&mut lab, scenario, &is_ended, &mut |turn| progress.turn(turn));
    progress.end();
    drop(lab);
    outcome.context("measuring")
}

fn show(args: &BenchArgs, outcome: &Outcome, summary: &Summary) -> anyhow::Result<ExitCode> {
    let (host, time_ns) = (sys::system().context("asking for the host's name")?.host, now_ns());
    // First, as what cannot be written would take the figures with it.
    let is_stdout = |path: &Option<PathBuf>| path.as_ref().is_some_and(|path| path.as_os_str() == "-");
    if !is_stdout(&args.json) && !is_stdout(&args.html) {
        let layout = terminal::page(Truncation::ToFit).layout;
        report::bench(outcome, summary, layout, &mut terminal::stdout()).context("printing the figures")?;
    }
    let mut document = Vec::new();
    if let Some(path) = &args.json {
        report::bench_json(outcome, summary, &host, time_ns, &mut document)
            .context("writing the document")?;
        write(path, &document)?;
    }
    if let Some(path) = &args.html {
        let mut page = Vec::new();
        report::bench_html(outcome, summary, &host, time_ns, &mut page).context("writing the page")?;
        write(path, &page)?;
    }
    for skipped in &outcome.skipped {
        terminal::warn(&format!("{} was not measured: {}", outcome.name(skipped.path), skipped.why));
    }
    for doubt in &summary.doubts {
        terminal::warn(doubt);
    }
    let is_refused = args.fail_if.iter().fold(false, |any, condition| judge(condition, outcome) | any);
    if outcome.partial {
        terminal::warn("ended before everything was measured; these are the rounds until then");
        return Ok(ExitCode::from(exit::INTERRUPTED));
    }
    if !outcome.skipped.is_empty() && !is_refused {
        return Ok(ExitCode::from(exit::UNSUPPORTED));
    }
    let is_whole = outcome.cells.iter().flat_map(|cell| &cell.paths).all(|path| path.failure.is_none());
    Ok(ExitCode::from(if is_whole && !is_refused { exit::DONE } else { exit::FAULT }))
}

/// Whether there will be a file, asked before a minute is spent on what goes into it. Pipes and devices are left alone.
fn can_be_written(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        _ if path.as_os_str() == "-" => Ok(()),
        Ok(found) if found.is_file() || found.is_dir() => File::options().append(true).open(path).map(drop),
        Ok(_) => Ok(()),
        Err(_) if path.is_symlink() => Ok(()),
        Err(_) => File::create_new(path).and_then(|_| fs::remove_file(path)),
    }
}

/// Into a file, or to stdout.
fn write(path: &Path, contents: &[u8]) -> anyhow::Result<()> {
    if path.as_os_str() == "-" {
        return terminal::stdout().write_all(contents).context("printing the document");
    }
    fs::write(path, contents).with_context(|| format!("writing {}", path.display()))
}

/// Says what a condition comes to, where it is so or cannot be told; answers whether it is so anywhere.
fn judge(condition: &Condition, outcome: &Outcome) -> bool {
    let mut is_so = false;
    for ruling in condition.judge(outcome) {
        let place = format!("{} ({})", ruling.cell.test, ruling.cell.placement);
        let Some(ratio) = ruling.ratio else {
            terminal::warn(&format!("--fail-if {condition}: {place} has no figures of both"));
            continue;
        };
        let figures = format!("{:.2} ({:.2} to {:.2})", ratio.median, ratio.low, ratio.high);
        match ruling.answer {
            Answer::Yes => {
                terminal::complain(&format!("--fail-if {condition}: it is so, {place} has {figures}"));
            }
            Answer::Unsure => terminal::warn(&format!(
                "--fail-if {condition}: cannot be told, {place} has {figures}; a longer --duration helps"
            )),
            Answer::No => {}
        }
        is_so |= ruling.answer == Answer::Yes;
    }
    is_so
}

fn now_ns() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}
