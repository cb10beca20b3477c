//! What a capture says on stderr: that it listens, how it goes, what it saw; and its exit code.

use std::{
    io::IsTerminal as _,
    process::ExitCode,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};

use crate::capture::{Outcome, Progress, SinkError, StopReason, TapOutcome};

use super::follow::Audience;
use crate::cli::{capture_args::CaptureArgs, exit, terminal};

const REFRESH: Duration = Duration::from_millis(250);
/// A longer list of taps is cut.
const TAPS_NAMED: usize = 8;

/// That every tap is armed.
pub(super) fn listening(audience: &Audience<'_>) {
    let taps = audience.tap_names();
    let named = taps.iter().take(TAPS_NAMED).copied().collect::<Vec<_>>().join(", ");
    match taps.len() {
        0 => terminal::tell("listening on nothing yet"),
        count if count > TAPS_NAMED => {
            terminal::tell(&format!("listening on {named} and {} more", count - TAPS_NAMED));
        }
        _ => terminal::tell(&format!("listening on {named}")),
    }
}

/// How much memory the kernel has for frames that wait: what there is, is shared by the taps.
pub(super) fn buffers(audience: &Audience<'_>) {
    let (taps, bytes) = audience.buffers();
    terminal::tell(&format!("buffers of {taps} taps: {} in all", HumanBytes(bytes as u64)));
}

/// Says things on stderr without getting into the live counters.
#[derive(Clone)]
pub(super) struct Voice {
    bar: ProgressBar,
    is_quiet: bool,
}

impl Voice {
    /// How it goes; not with `-q`.
    pub(super) fn tell(&self, text: &str) {
        if !self.is_quiet {
            self.bar.suspend(|| terminal::tell(text));
        }
    }

    /// What goes wrong.
    pub(super) fn warn(&self, text: &str) {
        self.bar.suspend(|| terminal::warn(text));
    }

    /// The counts so far, as `tcpdump` says them when it is sent SIGUSR1.
    pub(super) fn counts(&self, progress: &Progress) {
        self.bar.suspend(|| terminal::tell(&line(progress)));
    }
}

/// Counters that are redrawn while a capture runs; gone when dropped.
pub(super) struct Live {
    redrawing: Option<tokio::task::JoinHandle<()>>,
    voice: Voice,
}

impl Live {
    /// Shown on a terminal only, and not where packets are printed on it.
    pub(super) fn start(args: &CaptureArgs, progress: Arc<Progress>) -> Self {
        let on_terminal = std::io::stderr().is_terminal() && !terminal::is_diverted();
        let wanted = !args.quiet && args.save.output.is_some() && on_terminal;
        let bar = if wanted { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        let shown = bar.clone();
        let task = wanted.then(|| {
            tokio::spawn(async move {
                let mut beat = tokio::time::interval(REFRESH);
                loop {
                    beat.tick().await;
                    shown.set_message(line(&progress));
                    shown.tick();
                }
            })
        });
        Self { redrawing: task, voice: Voice { bar, is_quiet: args.quiet } }
    }

    pub(super) fn voice(&self) -> Voice {
        self.voice.clone()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(task) = self.redrawing.take() {
            task.abort();
        }
        self.voice.bar.finish_and_clear();
    }
}

fn line(progress: &Progress) -> String {
    format!(
        "{} packets, {}, {} lost, {} taps",
        HumanCount(progress.packets.load(Ordering::Relaxed)),
        HumanBytes(progress.bytes.load(Ordering::Relaxed)),
        HumanCount(progress.lost.load(Ordering::Relaxed)),
        progress.taps.load(Ordering::Relaxed),
    )
}

/// tcpdump's three lines, a fourth where the output took less than it was given, and what to do about loss; with `-v` a
/// line a tap before them.
pub(super) fn summary(args: &CaptureArgs, outcome: &Outcome) {
    if args.verbose {
        for tap in &outcome.taps {
            let totals = &tap.totals;
            let text = format!(
                "{}: {} captured, {} received by filter, {} dropped by kernel",
                tap.name, totals.delivered, totals.passed, totals.lost
            );
            terminal::tell(&text);
        }
    }
    let sum = |count: fn(&crate::capture::TapTotals) -> u64| -> u64 {
        outcome.taps.iter().map(|tap| count(&tap.totals)).sum()
    };
    let captured = sum(|totals| totals.delivered).saturating_sub(outcome.unwritten);
    let (passed, lost) = (sum(|totals| totals.passed), sum(|totals| totals.lost));
    let mut lines = vec![(captured, "captured"), (passed, "received by filter"), (lost, "dropped by kernel")];
    let rest = passed.saturating_sub(captured).saturating_sub(lost);
    // With -c the rest came after the last packet that was asked for.
    if rest > 0 && !matches!(outcome.reason, StopReason::Packets) {
        lines.push((rest, "not written"));
    }
    for (count, what) in lines {
        terminal::line(&format!("{count} packet{} {what}", if count == 1 { "" } else { "s" }));
    }
    if let Some(hint) = advice(&outcome.taps).filter(|_| !args.quiet) {
        terminal::hint(&hint);
    }
}

/// What to do about loss: more room at the tap that lost most, or less to keep.
fn advice(taps: &[TapOutcome]) -> Option<String> {
    let worst = taps.iter().filter(|tap| tap.totals.lost > 0).max_by_key(|tap| tap.totals.lost)?;
    let more = worst.buffer_bytes.saturating_mul(4);
    Some(format!(
        "the kernel had room for {} at {}: -B {} would make it {}, and --headers or -s keep less of each packet",
        HumanBytes(worst.buffer_bytes as u64),
        worst.name,
        more >> 10,
        HumanBytes(more as u64),
    ))
}

/// Why the capture ended, as an exit code or a failure.
pub(super) fn verdict(args: &CaptureArgs, outcome: Outcome) -> anyhow::Result<ExitCode> {
    let lost = outcome.taps.iter().any(|tap| tap.totals.lost > 0);
    if let Some(error) = failure_of(outcome.reason) {
        return Err(error);
    }
    match outcome.closing {
        Some(SinkError::Closed) | None => {}
        Some(error) => return Err(error.into()),
    }
    Ok(if lost && args.fail_on_loss { ExitCode::from(exit::LOSS) } else { ExitCode::SUCCESS })
}

/// A reason that kept the capture from beginning.
pub(super) fn failure(reason: StopReason) -> anyhow::Error {
    failure_of(reason).unwrap_or_else(|| anyhow::anyhow!("beginning the capture: it ended at once"))
}

fn failure_of(reason: StopReason) -> Option<anyhow::Error> {
    match reason {
        StopReason::Asked
        | StopReason::Packets
        | StopReason::Duration
        | StopReason::TapsEnded
        | StopReason::Sink(SinkError::Closed | SinkError::Complete) => None,
        StopReason::Sink(error) => Some(error.into()),
        StopReason::Wait(error) => Some(anyhow::Error::new(error).context("waiting for packets")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::TapTotals;

    #[test]
    fn loss_and_only_loss_leads_to_advice_about_the_tap_that_lost_most() {
        let tap = |name: &str, lost| TapOutcome {
            name: name.to_owned(),
            totals: TapTotals { lost, ..TapTotals::default() },
            buffer_bytes: 2 << 20,
        };
        assert_eq!(advice(&[tap("web/eth0", 0), tap("db/eth0", 0)]), None);
        let told = advice(&[tap("web/eth0", 1), tap("db/eth0", 7), tap("api/eth0", 0)]).unwrap();
        let expected = "the kernel had room for 2.00 MiB at db/eth0: -B 8192 would make it 8.00 MiB, ";
        assert!(told.starts_with(expected), "{told}");
    }
}
