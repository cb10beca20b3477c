//! The user's screen: where results and complaints go, how large it is, and whether it likes colour.
//!
//! Results go to stdout, everything else to stderr.

use std::{
    io::{self, IsTerminal as _, Write as _},
    os::fd::AsFd as _,
    sync::OnceLock,
    time::Duration,
};

use anstream::{AutoStream, ColorChoice};

use crate::report::{Headings, Layout, Width};
use crate::sys;

use super::args::When;

const ERROR: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();
const WARNING: anstyle::Style = anstyle::AnsiColor::Yellow.on_default().bold();
const HINT: anstyle::Style = anstyle::AnsiColor::Cyan.on_default();

/// The terminal on stdout as a page to write on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    pub(super) layout: Layout,
    pub(super) lines: u16,
}

/// Whether lines are cut at the terminal's edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truncation {
    ToFit,
    Never,
}

/// The page as it is now; in a pipe it is wide without limit.
pub(super) fn page(truncation: Truncation) -> Page {
    let size = terminal_size::terminal_size_of(io::stdout());
    let width = match (size, truncation) {
        (Some((width, _)), Truncation::ToFit) => Width::Columns(width.0),
        _ if stdout_is_terminal() => Width::Overlong,
        _ => Width::Unlimited,
    };
    let headings = match AutoStream::choice(&io::stdout()) {
        ColorChoice::Never => Headings::Plain,
        _ => Headings::Bold,
    };
    Page { layout: Layout { width, headings }, lines: size.map_or(u16::MAX, |(_, height)| height.0) }
}

/// Settles `--color` for the rest of the run. `auto` hears NO_COLOR and CLICOLOR.
pub(super) fn choose_colour(when: When) {
    match when {
        When::Auto => ColorChoice::Auto,
        When::Always => ColorChoice::Always,
        When::Never => ColorChoice::Never,
    }
    .write_global();
}

/// Where results go.
pub(super) fn stdout() -> io::StdoutLock<'static> {
    io::stdout().lock()
}

/// Waits until nobody reads our stdout any more: a second longer at most.
pub(super) async fn reader_gone() {
    let mut beat = tokio::time::interval(Duration::from_secs(1));
    loop {
        beat.tick().await;
        if sys::reader_is_gone(io::stdout().as_fd()) {
            return;
        }
    }
}

/// Whether stdout is a terminal.
pub(super) fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether stderr takes colour.
pub(super) fn colour_on_stderr() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

/// Who hears what would else be said on stderr.
type Listener = Box<dyn Fn(&str) + Send + Sync>;

static LISTENER: OnceLock<Listener> = OnceLock::new();

/// Has somebody else told, from now on and for good, what would be said on stderr: under Wireshark each line there is an
/// error.
pub(super) fn divert(listener: impl Fn(&str) + Send + Sync + 'static) {
    // Called once a run; a second listener would have nothing to hear.
    let _ = LISTENER.set(Box::new(listener));
}

/// Whether stderr is left alone.
pub(super) fn is_diverted() -> bool {
    LISTENER.get().is_some()
}

/// The one line on stderr that is not diverted: why the program fails.
pub(super) fn last_words(text: &str) {
    let _ = writeln!(io::stderr(), "pcapsule: {text}");
}

/// A line that ends the program.
pub(super) fn complain(text: &str) {
    say("pcapsule", ERROR, text);
}

/// A line about something that was not seen or not done.
pub(super) fn warn(text: &str) {
    say("warning", WARNING, text);
}

/// A line about how it goes.
pub(super) fn tell(text: &str) {
    say("pcapsule", anstyle::Style::new(), text);
}

/// A line of its own, without a name before it.
pub(super) fn line(text: &str) {
    if let Some(listener) = LISTENER.get() {
        return listener(text);
    }
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// What to do about a complaint.
pub(super) fn hint(text: &str) {
    say("hint", HINT, text);
}

fn say(who: &str, style: anstyle::Style, text: &str) {
    if let Some(listener) = LISTENER.get() {
        return if who == "pcapsule" { listener(text) } else { listener(&format!("{who}: {text}")) };
    }
    // Where stderr is closed there is nobody to tell.
    let _ = writeln!(anstream::stderr(), "{style}{who}:{style:#} {text}");
}
