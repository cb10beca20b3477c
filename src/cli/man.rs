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

/// `Title (remark):` over indented lines becomes a section of lines that stay as they are (groff_man(7), `.EX`).
fn sections(text: &str) -> String {
    let mut roff = String::new();
    let mut is_open = false;
    for line in text.lines() {
        let title = line.strip_suffix(':').filter(|title| !title.starts_with(' '));
        if let Some(title) = title {
            let (title, remark) = title.split_once(" (").unwrap_or((title, ""));
            let end = if is_open { ".EE\n" } else { "" };
            let _ = writeln!(roff, "{end}.SH {}", title.to_uppercase());
            if let Some(remark) = remark.strip_suffix(')') {
                let _ = writeln!(roff, "{}:", escaped(remark));
            }
            roff.push_str(".EX\n");
            is_open = true;
        } else {
            let _ = writeln!(roff, "{}", escaped(line.strip_prefix("  ").unwrap_or(line)));
        }
    }
    if is_open {
        roff.push_str(".EE\n");
    }
    roff
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
    fn what_roff_would_read_is_escaped() {
        assert_eq!(escaped(".it -w 'a\\b'"), "\\&.it \\-w \\(aqa\\eb\\(aq");
    }
}
