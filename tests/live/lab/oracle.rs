//! What other people's tools read in a file: tshark's fields, capinfos' summary.

use std::{path::Path, process::Command};

use super::{
    command::{checked, run},
    traffic::{BEGIN, END},
};

/// One frame, a text per field asked for.
type Row = Vec<String>;

/// The fields of each frame that passes a display filter. Names are not resolved.
///
/// # Panics
/// When tshark finds anything wrong with the file.
#[track_caller]
pub(crate) fn rows(file: &Path, filter: &str, fields: &[&str]) -> Vec<Row> {
    let output = tshark(file, filter, fields).output().expect("tshark starts");
    split(&checked("tshark", &output))
}

/// The same for a file that may end in mid-packet.
pub(crate) fn rows_of_torn(file: &Path, filter: &str, fields: &[&str]) -> Vec<Row> {
    let output = tshark(file, filter, fields).output().expect("tshark starts");
    split(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n'))
}

fn tshark(file: &Path, filter: &str, fields: &[&str]) -> Command {
    let mut command = Command::new("tshark");
    command.args(["-n", "-o", "frame.generate_md5_hash:TRUE", "-T", "fields", "-r"]).arg(file);
    if !filter.is_empty() {
        command.args(["-Y", filter]);
    }
    command.args(fields.iter().flat_map(|field| ["-e", *field]));
    command
}

fn split(text: &str) -> Vec<Row> {
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// The frames between the questions `BEGIN` and `END` at the interfaces that pass the filter: a hash of its bytes,
/// then the fields asked for, sorted.
#[track_caller]
pub(crate) fn frames(file: &Path, filter: &str, fields: &[&str]) -> Vec<Row> {
    let fields = [&["udp.payload", "frame.md5_hash"], fields].concat();
    let rows = rows(file, filter, &fields);
    let begin = rows.iter().rposition(|row| row[0] == hex(BEGIN)).expect("the capture has the beginning");
    let end = rows.iter().position(|row| row[0] == hex(END)).expect("the capture has the end");
    let mut frames: Vec<Row> = rows[begin + 1..end].iter().map(|row| row[1..].to_vec()).collect();
    frames.sort();
    frames
}

/// Bytes as tshark prints them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// A display filter: frames of that interface block.
pub(crate) fn at(interface: &str) -> String {
    format!("frame.interface_name == \"{interface}\"")
}

/// What capinfos says of a file.
#[track_caller]
pub(crate) fn capinfos(file: &Path) -> String {
    run("capinfos", &[file.to_str().expect("a path in text")])
}
