//! How far a run is: a bar on a terminal; elsewhere a line at its beginning.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::bench::{self, Scenario};
use crate::cli::terminal;

/// A bar, or nothing.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    quiet: bool,
}

impl Progress {
    /// Drawn on stderr, if that is a terminal.
    pub(super) fn new(quiet: bool) -> Self {
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(0) };
        let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}  {eta} left");
        Self { bar: bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())), quiet }
    }

    /// What is about to be done.
    pub(super) fn tell(&self, scenario: &Scenario) {
        if self.quiet {
            return;
        }
        let seconds = scenario.length().as_secs().max(1);
        terminal::tell(&format!(
            "{} rounds, about {seconds} s; --seed {} repeats their order",
            scenario.rounds, scenario.seed
        ));
    }

    pub(super) fn building(&self) {
        self.bar.set_message("building the lab");
        self.bar.tick();
    }

    pub(super) fn turn(&mut self, progress: bench::Progress) {
        const SELDOM: Duration = Duration::from_secs(1);
        if self.bar.length() != Some(progress.turns as u64) {
            self.bar.set_length(progress.turns as u64);
            self.bar.enable_steady_tick(SELDOM);
        }
        self.bar.set_message(format!("{} ({})", progress.cell.test, progress.cell.placement));
        self.bar.set_position(progress.turns_done as u64);
    }

    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
