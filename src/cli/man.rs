//! `pcapsule man`: the manual in roff, made from the help texts.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use super::args::{Arguments, ManArgs};
use super::terminal;

pub(super) fn run(args: &ManArgs) -> anyhow::Result<ExitCode> {
    let mut command = Arguments::command();
    if let Some(dir) = &args.dir {
        command.build();
        fs::create_dir_all(dir)
            .and_then(|()| write_pages(&command, dir))
            .with_context(|| format!("writing the manual pages into {}", dir.display()))?;
    } else {
        let page = page(&command).context("making the manual page")?;
        terminal::stdout().write_all(&page).context("printing the manual page")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The page of the command, and one for each below it.
fn write_pages(command: &Command, dir: &Path) -> io::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write_pages(below, dir)?;
    }
    fs::write(dir.join(Man::new(command.clone()).get_filename()), page(command)?)
}

/// As clap_mangen makes it, but for the texts after the options: it fills their lines into paragraphs, and they are
/// tables and commands.
fn page(command: &Command) -> io::Result<Vec<u8>> {
    const EXTRA: &str = "\n.SH EXTRA\n";
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    let (Some(text), Ok(whole)) = (command.get_after_help(), std::str::from_utf8(&page)) else {
        return Ok(page);
    };
    let Some((before, extra)) = whole.split_once(EXTRA) else { return Ok(page) };
    let after = extra.find("\n.SH ").map_or("", |at| &extra[at + 1..]);
    Ok(format!("{before}\n{}{after}", sections(&text.to_string())).into_bytes())
}

/// `Title (remark):` over indented lines becomes a section; whatever else stands between empty lines is notes.
fn sections(text: &str) -> String {
    let mut roff = String::new();
    let mut is_notes = false;
    for block in text.split("\n\n") {
        let lines = if let Some((title, lines)) = titled(block) {
            let remark = title.strip_suffix(')').and_then(|title| title.split_once(" ("));
            let (title, remark) = remark.map_or((title, None), |(title, remark)| (title, Some(remark)));
            let _ = writeln!(roff, ".SH {}", title.to_uppercase());
            if let Some(remark) = remark {
                let _ = writeln!(roff, "{}:", escaped(remark));
            }
            is_notes = false;
            lines
        } else {
            roff.push_str(if is_notes { ".PP\n" } else { ".SH NOTES\n" });
            is_notes = true;
            block
        };
        lay_out(lines, &mut roff);
    }
    roff
}

/// The title over indented lines, and those.
fn titled(block: &str) -> Option<(&str, &str)> {
    let (title, lines) = block.split_once(":\n")?;
    (!title.contains('\n') && lines.starts_with(' ')).then_some((title, lines))
}

/// Indented lines stay as they are (groff_man(7), `.EX`), the others are filled.
fn lay_out(lines: &str, roff: &mut String) {
    let mut is_table = false;
    for line in lines.lines() {
        let row = line.strip_prefix("  ");
        if row.is_some() != is_table {
            roff.push_str(if is_table { ".EE\n" } else { ".EX\n" });
            is_table = !is_table;
        }
        let _ = writeln!(roff, "{}", escaped(row.unwrap_or(line)));
    }
    if is_table {
        roff.push_str(".EE\n");
    }
}

/// Nothing in it is a request, an escape or a hyphen that changes when it is copied (groff_char(7)).
fn escaped(line: &str) -> String {
    let text = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('`', "\\(ga");
    if text.starts_with('.') { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_keep_their_lines_under_titles_of_their_own() {
        let mut command = Arguments::command();
        command.build();
        let ls = page(command.find_subcommand("ls").unwrap()).unwrap();
        let ls = String::from_utf8(ls).unwrap();
        assert!(!ls.contains(".SH EXTRA"), "{ls}");
        assert!(ls.contains("\n.SH SELECTORS\nseveral add up:\n.EX\nweb    "), "{ls}");
        assert!(ls.contains("\n.EE\n.SH EXAMPLES\n.EX\npcapsule ls     "), "{ls}");
        assert_eq!(ls.matches("\n.EX\n").count(), ls.matches("\n.EE\n").count());
        let main = String::from_utf8(page(&command).unwrap()).unwrap();
        assert!(main.contains("\n.SH EXIT CODES\n.EX\n0   done\n"), "{main}");
        assert!(main.contains("\n.EE\n.SH VERSION\n"), "{main}");
    }

    #[test]
    fn sentences_are_notes_and_no_titles() {
        let notes =
            sections("All is\nwell. But:\nno.\n\nMore:\n  a: b\n\nOf a (b) c:\n  d\n\nWhere:\n  1\nand on.");
        let wanted = "\
.SH NOTES
All is
well. But:
no.
.SH MORE
.EX
a: b
.EE
.SH OF A (B) C
.EX
d
.EE
.SH WHERE
.EX
1
.EE
and on.
";
        assert_eq!(notes, wanted);
        let two = sections("One\nthing:\n  row\n\nAnother.");
        assert_eq!(two, ".SH NOTES\nOne\nthing:\n.EX\nrow\n.EE\n.PP\nAnother.\n");
    }

    #[test]
    fn what_roff_would_read_is_escaped() {
        assert_eq!(escaped(".it -w 'a\\b'"), "\\&.it \\-w \\(aqa\\eb\\(aq");
    }
}
