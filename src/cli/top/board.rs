//! What fills the terminal: sums above, a table that scrolls, the keys below; and what the keys do.

use jiff::tz::TimeZone;
use ratatui::{
    Frame,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
    layout::{Alignment, Constraint, Layout},
    style::{Style, Stylize as _},
    text::{Line, Text},
    widgets::{Cell, Paragraph, Row, Table},
};

use crate::meter::SortKey;
use crate::report::{RATE_HEADINGS, Rates, rate_cells, rates_summary};

const KEYS: &str = "b bytes  p packets  c connections  d drops  r retransmissions  n name  ↑↓ scroll  q quit";

/// Where numbers begin among the cells; they stand on the right.
const FIRST_NUMBER: usize = 2;

/// What a key did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Redraw,
    Quit,
    Nothing,
}

/// What the user chose to see.
#[derive(Debug)]
pub(super) struct Board {
    sort: SortKey,
    /// How many containers are above the page.
    above: usize,
    /// How many containers fitted on it when it was drawn.
    fits: usize,
}

impl Board {
    pub(super) fn new(sort: SortKey) -> Self {
        Self { sort, above: 0, fits: 1 }
    }

    pub(super) fn sort(&self) -> SortKey {
        self.sort
    }

    pub(super) fn press(&mut self, key: KeyEvent) -> Action {
        let chosen = match key.code {
            KeyCode::Char('c' | 'd') if key.modifiers.contains(KeyModifiers::CONTROL) => return Action::Quit,
            KeyCode::Char('q') | KeyCode::Esc => return Action::Quit,
            KeyCode::Char('b') => SortKey::Bytes,
            KeyCode::Char('p') => SortKey::Packets,
            KeyCode::Char('c') => SortKey::Connections,
            KeyCode::Char('d') => SortKey::Drops,
            KeyCode::Char('r') => SortKey::Retransmissions,
            KeyCode::Char('n') => SortKey::Name,
            code => return self.scroll(code),
        };
        (self.sort, self.above) = (chosen, 0);
        Action::Redraw
    }

    fn scroll(&mut self, code: KeyCode) -> Action {
        self.above = match code {
            KeyCode::Up => self.above.saturating_sub(1),
            KeyCode::Down => self.above.saturating_add(1),
            KeyCode::PageUp => self.above.saturating_sub(self.fits),
            KeyCode::PageDown => self.above.saturating_add(self.fits),
            KeyCode::Home => 0,
            KeyCode::End => usize::MAX,
            _ => return Action::Nothing,
        };
        Action::Redraw
    }

    /// Draws it all, and keeps the last container in sight.
    pub(super) fn draw(&mut self, rates: &Rates<'_>, zone: &TimeZone, page: &mut Frame<'_>) {
        let summary = rates_summary(rates, zone);
        let warning = u16::from(!rates.warnings.is_empty());
        let height = u16::try_from(summary.len()).unwrap_or(u16::MAX);
        let parts = [height, warning].map(Constraint::Length).into_iter();
        let parts = parts.chain([Constraint::Min(2), Constraint::Length(1)]);
        let [above, warned, middle, below] = Layout::vertical(parts).areas(page.area());
        self.fits = usize::from(middle.height.saturating_sub(1)).max(1);
        self.above = self.above.min(rates.containers.len().saturating_sub(self.fits));
        page.render_widget(Paragraph::new(summary.map(Line::from).to_vec()), above);
        page.render_widget(Paragraph::new(warning_line(rates.warnings)).yellow(), warned);
        page.render_widget(self.table(rates), middle);
        page.render_widget(Paragraph::new(KEYS).dim(), below);
    }

    fn table(&self, rates: &Rates<'_>) -> Table<'static> {
        let shown = rates.containers.iter().skip(self.above).take(self.fits);
        let rows = shown.map(|metered| {
            let cells = rate_cells(metered).map(Text::from);
            Row::new(cells.into_iter().enumerate().map(|(column, text)| Cell::from(aligned(column, text))))
        });
        let headings = RATE_HEADINGS.iter().enumerate().map(|(column, heading)| {
            let style =
                if self.sorts_by(heading) { Style::new().bold().reversed() } else { Style::new().bold() };
            Cell::from(aligned(column, Text::styled(*heading, style)))
        });
        let widths = RATE_HEADINGS.iter().enumerate().map(|(column, heading)| match column {
            0 => Constraint::Fill(1),
            _ => Constraint::Length(u16::try_from(heading.len().max(6)).unwrap_or(u16::MAX)),
        });
        Table::new(rows, widths).header(Row::new(headings)).column_spacing(2)
    }

    fn sorts_by(&self, heading: &str) -> bool {
        match self.sort {
            SortKey::Bytes => heading.ends_with(" B/s"),
            SortKey::Packets => heading.ends_with("pkt/s"),
            SortKey::Connections => heading == "CONNS",
            SortKey::Drops => heading == "DROPS/s",
            SortKey::Retransmissions => heading == "RETRANS/s",
            SortKey::Name => heading == "CONTAINER",
        }
    }
}

fn aligned(column: usize, text: Text<'static>) -> Text<'static> {
    text.alignment(if column < FIRST_NUMBER { Alignment::Left } else { Alignment::Right })
}

/// The first one, and how many more there are.
fn warning_line(warnings: &[String]) -> String {
    match warnings {
        [] => String::new(),
        [only] => format!("warning: {only}"),
        [first, more @ ..] => format!("{} warnings, first: {first}", more.len() + 1),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend};

    use super::*;
    use crate::meter;
    use crate::report::rates_fixture::{measured, metered};

    fn drawn(board: &mut Board, height: u16, warnings: &[String]) -> String {
        let measured = measured();
        let mut containers = metered(&measured);
        meter::sort(&mut containers, board.sort());
        let rates = Rates { containers: &containers, host: "testhost", time_ns: 1 << 60, warnings };
        let mut terminal = Terminal::new(TestBackend::new(100, height)).unwrap();
        terminal.draw(|page| board.draw(&rates, &TimeZone::UTC, page)).unwrap();
        terminal.backend().to_string()
    }

    fn pressed(board: &mut Board, code: KeyCode) -> Action {
        board.press(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn the_board_shows_the_busiest_first() {
        let warnings = ["one".to_owned(), "two".to_owned()];
        insta::assert_snapshot!(drawn(&mut Board::new(SortKey::Bytes), 12, &warnings));
    }

    #[test]
    fn keys_sort() {
        let mut board = Board::new(SortKey::Bytes);
        for (key, sort) in [
            ('p', SortKey::Packets),
            ('c', SortKey::Connections),
            ('d', SortKey::Drops),
            ('r', SortKey::Retransmissions),
            ('n', SortKey::Name),
            ('b', SortKey::Bytes),
        ] {
            assert_eq!(pressed(&mut board, KeyCode::Char(key)), Action::Redraw);
            assert_eq!(board.sort(), sort);
        }
        assert_eq!(pressed(&mut board, KeyCode::Char('x')), Action::Nothing);
        assert_eq!(pressed(&mut board, KeyCode::Char('q')), Action::Quit);
        assert_eq!(board.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Action::Quit);
    }

    #[test]
    fn the_last_container_stays_in_sight() {
        let mut board = Board::new(SortKey::Name);
        let shown = |board: &mut Board| {
            let text = drawn(board, 7, &[]);
            ["agent", "dind", "side", "web"]
                .into_iter()
                .filter(|name| text.contains(name))
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(&mut board), ["agent", "dind"]);
        pressed(&mut board, KeyCode::Down);
        assert_eq!(shown(&mut board), ["dind", "side"]);
        pressed(&mut board, KeyCode::End);
        assert_eq!(shown(&mut board), ["side", "web"]);
        pressed(&mut board, KeyCode::PageUp);
        assert_eq!(shown(&mut board), ["agent", "dind"]);
    }
}
