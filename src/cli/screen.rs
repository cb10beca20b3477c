//! Where a watch is shown: redrawn in place on a terminal; into a pipe, one difference or document after the other.

use std::io::{self, Write};

use crate::report::{Changes, Listing, StateColumn, listing, listing_json};

use super::terminal::{self, Page};

/// A place to show one listing after the other.
#[derive(Debug)]
pub(super) enum Screen {
    /// A terminal: each listing takes the place of the one before.
    Redrawn(StateColumn),
    /// A pipe to a reader of lines: what came and what went.
    Differences(Changes),
    /// A pipe to a program: a document a line.
    Documents,
}

impl Screen {
    /// For a reader of text: whatever stdout is.
    pub(super) fn for_text(state: StateColumn) -> Self {
        if terminal::stdout_is_terminal() {
            Self::Redrawn(state)
        } else {
            Self::Differences(Changes::default())
        }
    }

    /// Shows a listing; `page` is how large the terminal is by now.
    pub(super) fn show(&mut self, seen: &Listing<'_>, page: Page, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Redrawn(state) => {
                let mut text = Vec::new();
                listing(seen, page.layout, *state, &mut text)?;
                redraw(&text, page.lines, out)?;
            }
            Self::Differences(changes) => changes.write(seen, out)?,
            Self::Documents => listing_json(seen, out)?,
        }
        out.flush()
    }

    /// Leaves the last listing on a terminal, and begins a line of its own for what comes next.
    pub(super) fn leave(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Redrawn(_) => writeln!(out),
            Self::Differences(_) | Self::Documents => Ok(()),
        }
    }
}

/// Over the old text rather than after clearing it, so that nothing flickers; the last line stays empty, so that
/// nothing scrolls (ECMA-48: CUP, EL, ED). Where not every line fits, the last one that does says how many do not.
fn redraw(text: &[u8], lines: u16, out: &mut impl Write) -> io::Result<()> {
    const HOME: &[u8] = b"\x1b[H";
    const CLEAR_LINE_END: &[u8] = b"\x1b[K\r\n";
    const CLEAR_BELOW: &[u8] = b"\x1b[J";
    let room = usize::from(lines.saturating_sub(1));
    let text: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let shown = if text.len() > room { room.saturating_sub(1) } else { text.len() };
    out.write_all(HOME)?;
    for line in &text[..shown] {
        out.write_all(line.strip_suffix(b"\n").unwrap_or(line))?;
        out.write_all(CLEAR_LINE_END)?;
    }
    if shown < text.len() && room > 0 {
        write!(out, "… {} more", text.len() - shown)?;
        out.write_all(CLEAR_LINE_END)?;
    }
    out.write_all(CLEAR_BELOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redrawn(lines: u16) -> String {
        let mut out = Vec::new();
        redraw(b"one\ntwo\nthree\n", lines, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_shorter_text_leaves_nothing_of_the_longer_one() {
        assert_eq!(redrawn(24), "\x1b[Hone\x1b[K\r\ntwo\x1b[K\r\nthree\x1b[K\r\n\x1b[J");
    }

    #[test]
    fn a_small_terminal_does_not_scroll_and_says_what_is_missing() {
        assert_eq!(redrawn(4), "\x1b[Hone\x1b[K\r\ntwo\x1b[K\r\nthree\x1b[K\r\n\x1b[J");
        assert_eq!(redrawn(3), "\x1b[Hone\x1b[K\r\n… 2 more\x1b[K\r\n\x1b[J");
        assert_eq!(redrawn(1), "\x1b[H\x1b[J");
    }
}
