//! Where rates are shown: on a board that fills the terminal, or as tables or documents one after the other.

use std::io::{self, BufWriter, Write as _};

use jiff::tz::TimeZone;

use crate::cli::args::TopArgs;
use crate::cli::terminal::{self, Truncation};
use crate::meter::{self, Metered, SortKey};
use crate::report::{self, Rates};

use super::board::{Action, Board};
use super::keyboard::{Event, Keyboard};

/// What is there to be shown.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub(super) containers: Vec<Metered<'a>>,
    pub(super) host: &'a str,
    pub(super) time_ns: u64,
    pub(super) warnings: &'a [String],
}

/// What the user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Redraw,
    Quit,
}

/// A place to show one reading after the other.
pub(super) enum View {
    /// The whole terminal, until dropped.
    Board(Box<Screen>),
    /// A table after the other.
    Tables { sort: SortKey, zone: TimeZone, count: u64 },
    /// A document a line.
    Documents { sort: SortKey },
}

/// A terminal that was taken over; given back when dropped, and before a panic is told of.
pub(super) struct Screen {
    terminal: ratatui::DefaultTerminal,
    keyboard: Keyboard,
    board: Board,
    zone: TimeZone,
}

impl View {
    pub(super) fn open(args: &TopArgs) -> io::Result<Self> {
        let sort = args.sort.into();
        let zone = TimeZone::system();
        Ok(if args.json {
            Self::Documents { sort }
        } else if args.once || args.batch || !terminal::stdout_is_terminal() {
            Self::Tables { sort, zone, count: 0 }
        } else {
            Self::Board(Box::new(Screen::open(Board::new(sort), zone)?))
        })
    }

    /// Whether the terminal is taken over, warnings and all.
    pub(super) fn is_board(&self) -> bool {
        matches!(self, Self::Board(_))
    }

    /// Shows a new reading.
    pub(super) fn count(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        match self {
            Self::Board(_) => self.show(frame),
            Self::Tables { sort, zone, count } => {
                let mut out = terminal::stdout();
                if *count > 0 {
                    writeln!(out)?;
                }
                *count += 1;
                let layout = terminal::page(Truncation::ToFit).layout;
                sorted(frame, *sort, |rates| report::rates_table(rates, zone, layout, &mut out))?;
                out.flush()
            }
            Self::Documents { sort } => {
                // Stdout alone looks for the ends of lines in each word.
                let mut out = BufWriter::new(terminal::stdout());
                sorted(frame, *sort, |rates| report::rates_json(rates, &mut out))?;
                out.flush()
            }
        }
    }

    /// Shows the last reading again where it is still to be seen.
    pub(super) fn show(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        let Self::Board(screen) = self else { return Ok(()) };
        let Screen { terminal, board, zone, .. } = &mut **screen;
        sorted(frame, board.sort(), |rates| terminal.draw(|page| board.draw(rates, zone, page)).map(drop))
    }

    /// Waits for what the user wants. Cancel-safe.
    pub(super) async fn turn(&mut self) -> Turn {
        let Self::Board(screen) = self else { return std::future::pending().await };
        loop {
            match screen.keyboard.next().await {
                Event::Resized => return Turn::Redraw,
                Event::Key(key) => match screen.board.press(key) {
                    Action::Redraw => return Turn::Redraw,
                    Action::Quit => return Turn::Quit,
                    Action::Nothing => {}
                },
            }
        }
    }
}

fn sorted<T>(frame: &Frame<'_>, sort: SortKey, show: impl FnOnce(&Rates<'_>) -> T) -> T {
    let mut containers = frame.containers.clone();
    meter::sort(&mut containers, sort);
    let Frame { host, time_ns, warnings, .. } = *frame;
    show(&Rates { containers: &containers, host, time_ns, warnings })
}

impl Screen {
    fn open(board: Board, zone: TimeZone) -> io::Result<Self> {
        // Panics give the terminal back before they are told of.
        let terminal = ratatui::try_init()?;
        Ok(Self { terminal, keyboard: Keyboard::listen(), board, zone })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}
