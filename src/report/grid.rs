//! Columns of text under headings that fit a width: columns are dropped and cells shortened, lines never wrap.

use std::io;

use comfy_table::{Attribute, Cell, ColumnConstraint, Row, Table, Width as CellWidth, presets};

/// Blanks between two columns, as in `docker ps`.
const GAP: u16 = 3;

/// The page that a table is written on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// How wide it is.
    pub width: Width,
    /// How headings look.
    pub headings: Headings,
}

/// How wide a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// A screen of so many columns: lines fit, and continue the line above without repeating it.
    Columns(u16),
    /// For another program: nothing is shortened or dropped, and each line is complete.
    Unlimited,
    /// A screen whose lines may run over its edge (`--no-trunc`).
    Overlong,
}

/// How headings look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Headings {
    Bold,
    Plain,
}

/// What gives way when lines are too long.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// Cells of this column become at most so wide.
    Shorten(&'static str, u16),
    /// Cells of this column lose what is in brackets.
    Bare(&'static str),
    /// This column goes.
    Drop(&'static str),
}

/// Rows of cells under headings.
#[derive(Debug)]
pub(super) struct Grid {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    pub(super) fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new() }
    }

    /// Adds a row with a cell for each heading; an empty one shows as `-`.
    pub(super) fn push(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Takes a column away, if there is one under that heading.
    pub(super) fn drop_column(&mut self, heading: &str) {
        if let Some(at) = self.position(heading) {
            self.remove(at);
        }
    }

    /// Writes the lines; on a screen of fixed width, `steps` are taken until they fit, then the longest cells are cut.
    pub(super) fn write(
        mut self,
        layout: Layout,
        steps: &[Step],
        out: &mut impl io::Write,
    ) -> io::Result<()> {
        let mut widths = self.table(layout.headings).column_max_content_widths();
        if let Width::Columns(width) = layout.width {
            self.take(steps, &mut widths, width);
            cut_longest(&mut widths, width);
        }
        let mut table = self.table(layout.headings);
        for (column, width) in table.column_iter_mut().zip(widths) {
            column
                .set_padding((0, GAP))
                .set_constraint(ColumnConstraint::Absolute(CellWidth::Fixed(width + GAP)));
        }
        for line in table.lines() {
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    fn take(&mut self, steps: &[Step], widths: &mut Vec<u16>, available: u16) {
        for step in steps {
            if total(widths) <= available {
                return;
            }
            let (Step::Drop(heading) | Step::Bare(heading) | Step::Shorten(heading, _)) = step;
            let Some(at) = self.position(heading) else { continue };
            match *step {
                Step::Shorten(_, width) => widths[at] = widths[at].min(width),
                Step::Bare(_) => {
                    self.rows.iter_mut().for_each(|row| row[at] = bare(&row[at]));
                    widths[at] = self.table(Headings::Plain).column_max_content_widths()[at];
                }
                Step::Drop(_) => {
                    self.remove(at);
                    widths.remove(at);
                }
            }
        }
    }

    fn position(&self, heading: &str) -> Option<usize> {
        self.headings.iter().position(|found| *found == heading)
    }

    fn remove(&mut self, at: usize) {
        self.headings.remove(at);
        for row in &mut self.rows {
            row.remove(at);
        }
    }

    fn table(&self, headings: Headings) -> Table {
        let mut table = Table::new();
        // Without a delimiter to break at, an overlong cell is cut where the column ends.
        table.load_style(presets::NOTHING).set_delimiter('\0').set_truncation_indicator("…");
        if headings == Headings::Bold {
            table.enforce_styling();
        }
        table.set_header(one_line(self.headings.iter().map(|heading| match headings {
            Headings::Bold => Cell::new(heading).add_attribute(Attribute::Bold),
            Headings::Plain => Cell::new(heading),
        })));
        for cells in &self.rows {
            let shown = |cell: &String| Cell::new(if cell.is_empty() { "-" } else { cell });
            table.add_row(one_line(cells.iter().map(shown)));
        }
        table
    }
}

/// Without what is in brackets, and the blanks before it.
pub(super) fn bare(text: &str) -> String {
    text.split(" (").map(|part| part.split_once(')').map_or(part, |(_, rest)| rest)).collect()
}

fn one_line(cells: impl Iterator<Item = Cell>) -> Row {
    let mut row = Row::from(cells);
    row.max_height(1);
    row
}

/// The width of a line.
fn total(widths: &[u16]) -> u16 {
    let gaps = GAP * u16::try_from(widths.len().saturating_sub(1)).unwrap_or(u16::MAX);
    widths.iter().fold(gaps, |sum, width| sum.saturating_add(*width))
}

fn cut_longest(widths: &mut [u16], available: u16) {
    const READABLE: u16 = 4;
    while total(widths) > available {
        match widths.iter_mut().max() {
            Some(longest) if *longest > READABLE => *longest -= 1,
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [Step; 2] = [Step::Shorten("IMAGE", 6), Step::Drop("IMAGE")];

    fn grid() -> Grid {
        let mut grid = Grid::new(&["NAME", "IMAGE", "ADDRESS"]);
        grid.push(vec!["web".into(), "registry/nginx".into(), "172.17.0.2".into()]);
        grid.push(vec!["a-long-name".into(), String::new(), "10.0.0.1".into()]);
        grid
    }

    fn lines(width: Width) -> String {
        let mut out = Vec::new();
        grid().write(Layout { width, headings: Headings::Plain }, &STEPS, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn wide_enough_shows_all() {
        let all = "\
NAME          IMAGE            ADDRESS
web           registry/nginx   172.17.0.2
a-long-name   -                10.0.0.1
";
        assert_eq!(lines(Width::Unlimited), all);
        assert_eq!(lines(Width::Columns(41)), all);
    }

    #[test]
    fn steps_are_taken_in_order() {
        assert!(lines(Width::Columns(40)).contains("regis…   172.17.0.2"), "{}", lines(Width::Columns(40)));
        assert_eq!(
            lines(Width::Columns(24)),
            "NAME          ADDRESS\nweb           172.17.0.2\na-long-name   10.0.0.1\n"
        );
    }

    #[test]
    fn a_bare_cell_has_no_brackets() {
        assert_eq!(bare("1.5 (1.4–1.6) + 2.5 (2.0–3.0) %"), "1.5 + 2.5 %");
        let mut grid = Grid::new(&["A", "B"]);
        grid.push(vec!["1.50 (1.40–1.60)".into(), "x".into()]);
        let mut out = Vec::new();
        let layout = Layout { width: Width::Columns(10), headings: Headings::Plain };
        grid.write(layout, &[Step::Bare("A"), Step::Drop("B")], &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "A      B\n1.50   x\n");
    }

    #[test]
    fn no_line_is_longer_than_the_screen() {
        for width in 11..60 {
            for line in lines(Width::Columns(width)).lines() {
                assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
            }
        }
    }
}
