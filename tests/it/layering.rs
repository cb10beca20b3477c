//! The order of the rooms, held against the source: who may import whom, which room owns which crate, where `unsafe`
//! is, how long a file may be. It reads text, not syntax: enough for code that rustfmt has formatted.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A room may import rooms of lower levels only.
const LEVELS: [(&str, u8); 13] = [
    ("model", 0),
    ("packet", 1),
    ("sys", 1),
    ("savefile", 1),
    ("discovery", 2),
    ("capture", 2),
    ("meter", 2),
    ("netmode", 2),
    ("bench", 3),
    ("why", 3),
    ("report", 4),
    ("cli", 5),
    ("main", 6),
];

/// Crates that only these rooms name. serde, serde_json, thiserror, tokio, tracing and futures_util are everybody's.
const OWNERS: [(&[&str], &[&str]); 10] = [
    (&["model"], &["wildmatch"]),
    (&["sys"], &["rtnetlink", "nix", "libc", "pcap", "caps"]),
    (&["packet"], &["etherparse"]),
    (&["savefile"], &["pcap_file"]),
    (&["bench"], &["socket2", "hdrhistogram"]),
    (&["why"], &["pnet"]),
    (&["discovery"], &["hyper", "hyper_util", "http_body_util"]),
    (&["report"], &["comfy_table"]),
    (&["capture", "report", "cli"], &["jiff"]),
    (
        &["cli"],
        &[
            "anstream",
            "anstyle",
            "anyhow",
            "clap",
            "clap_complete",
            "clap_mangen",
            "humantime",
            "indicatif",
            "ratatui",
            "strsim",
            "terminal_size",
            "tracing_subscriber",
        ],
    ),
];

const LONGEST_FILE: usize = 500;

#[test]
fn the_source_keeps_the_order_of_its_rooms() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut faults = Vec::new();
    for path in rust_files(&root) {
        let inside = path.strip_prefix(&root).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        if let Some(room) = room_of(inside).filter(|_| !inside.ends_with("tests.rs")) {
            let found = faults_in(room, &text);
            faults.extend(found.into_iter().map(|fault| format!("src/{}: {fault}", inside.display())));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_scanner_finds_what_is_planted() {
    for (room, code, fault) in [
        ("model", "use crate::sys::Netlink;", "imports sys, which is not below it"),
        ("packet", "fn f(x: crate::savefile::Block) {}", "imports savefile, which is not below it"),
        ("capture", "use crate::discovery::Topology;", "imports discovery, which is not below it"),
        ("cli", "use crate::{model::Link, report::Listing};", "imports rooms in braces"),
        ("sys", "use super::super::model;", "reaches out by super::super"),
        ("report", "use nix::sched;", "names the crate nix"),
        ("savefile", "let capture = pcap::Capture::from_file(path);", "names the crate pcap"),
        ("discovery", "fn run() -> anyhow::Result<()> {}", "names the crate anyhow"),
        ("model", "use jiff;", "names the crate jiff"),
        ("capture", "let view = unsafe { ring.frame() };", "is unsafe"),
        ("capture", "unsafe impl Send for Ring {}", "is unsafe"),
        ("basement", "fn f() {}", "belongs to no room"),
    ] {
        assert_eq!(faults_in(room, &format!("//! A file.\n{code}\n")), [fault], "{room}: {code}");
    }
}

#[test]
fn the_scanner_passes_what_is_right() {
    for (room, code) in [
        ("sys", "use nix::sched; let x = unsafe { f() }; use crate::model::Link;"),
        ("report", "use crate::discovery::Topology; use comfy_table::Table;"),
        ("savefile", "mod pcap;\npub use pcap::Writer;\nuse pcap_file::Block; use super::pcap::Reader;"),
        ("cli", "use crate::report::{Layout, Listing}; use jiff::Zoned;"),
        ("capture", "fn f() {}\n#[cfg(test)]\nmod tests {\nuse nix::unistd;\n}"),
        ("model", "// use crate::sys::X is not for us, nor unsafe code, nor nix::x"),
        ("model", "#![expect(unsafe_code)]\nlet escape = capture::x; let clapboard = 1;"),
    ] {
        assert_eq!(faults_in(room, &format!("//! A file.\n{code}\n")), [""; 0], "{room}: {code}");
    }
}

#[test]
fn long_files_and_files_without_a_purpose_are_found() {
    let long = format!("//! A file.\n{}", "fn f() {}\n".repeat(LONGEST_FILE));
    assert_eq!(faults_in("model", &long), ["has 501 lines without its tests"]);
    let mostly_tests =
        format!("//! A file.\n#[cfg(test)]\nmod tests {{\n{}}}\n", "fn f() {}\n".repeat(LONGEST_FILE));
    assert_eq!(faults_in("model", &mostly_tests), [""; 0]);
    assert_eq!(faults_in("model", "fn f() {}\n"), ["does not open with //!"]);
}

/// None for `lib.rs`, which names every room.
fn room_of(inside: &Path) -> Option<&str> {
    let first = inside.iter().next()?.to_str()?;
    let room = first.strip_suffix(".rs").unwrap_or(first);
    (room != "lib").then_some(room)
}

fn faults_in(room: &str, text: &str) -> Vec<String> {
    let Some(level) = level(room) else { return vec!["belongs to no room".to_owned()] };
    let code = without_comments(text);
    let production = production_part(&code);
    let mut faults: Vec<String> = LEVELS
        .iter()
        .filter(|(other, at)| *other != room && *at >= level && mentions(&code, &format!("crate::{other}")))
        .map(|(other, _)| format!("imports {other}, which is not below it"))
        .collect();
    let foreign = OWNERS.iter().filter(|(owners, _)| !owners.contains(&room)).flat_map(|(_, crates)| *crates);
    faults.extend(
        foreign.filter(|name| names_crate(production, name)).map(|name| format!("names the crate {name}")),
    );
    let length = production.lines().count();
    let rules = [
        (code.contains("use crate::{"), "imports rooms in braces".to_owned()),
        (code.contains("super::super"), "reaches out by super::super".to_owned()),
        (room != "sys" && mentions(&code, "unsafe"), "is unsafe".to_owned()),
        (length > LONGEST_FILE, format!("has {length} lines without its tests")),
        (!text.starts_with("//!"), "does not open with //!".to_owned()),
    ];
    faults.extend(rules.into_iter().filter_map(|(broken, fault)| broken.then_some(fault)));
    faults
}

fn level(room: &str) -> Option<u8> {
    LEVELS.iter().find(|(name, _)| *name == room).map(|(_, level)| *level)
}

/// A path that begins with the crate, or a bare `use`; unless the file has a module of that name.
fn names_crate(code: &str, name: &str) -> bool {
    let is_module = code.contains(&format!("mod {name};")) || code.contains(&format!("mod {name} {{"));
    let used = occurrences(code, name).any(|(before, after)| {
        let path = after.starts_with("::") && !before.ends_with("::");
        let bare = before.ends_with("use ") && (after.starts_with(';') || after.starts_with(" as "));
        path || bare
    });
    (used && !is_module) || code.contains(&format!(" ::{name}::"))
}

fn mentions(code: &str, word: &str) -> bool {
    occurrences(code, word).next().is_some()
}

/// What stands before and after each place where `word` is a word of its own.
fn occurrences<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word)
        .map(|(at, _)| (&code[..at], &code[at + word.len()..]))
        .filter(move |(before, after)| !before.ends_with(part_of_word) && !after.starts_with(part_of_word))
}

fn without_comments(text: &str) -> String {
    let code = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
    text.lines().map(code).collect::<Vec<_>>().join("\n")
}

/// What stands before the tests, which are the end of a file; they may name what they need.
fn production_part(code: &str) -> &str {
    let at = code.match_indices("#[cfg(test)]\n").map(|(at, _)| at);
    let mut tests =
        at.filter(|at| code[*at..].lines().nth(1).is_some_and(|line| line.ends_with("mod tests {")));
    &code[..tests.next().unwrap_or(code.len())]
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("the source is readable");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("the source is readable").path()).collect();
    paths.sort();
    let (dirs, files): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.is_dir());
    let here = files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    here.chain(dirs.iter().flat_map(|dir| rust_files(dir))).collect()
}
