//! The frames of `lines.txt` for the tests of decoding.

/// A frame, perhaps cut, and the line it shall have.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Whether tcpdump's line is the same but for our additions in brackets.
    pub(crate) as_tcpdump: bool,
    pub(crate) bytes: Vec<u8>,
    pub(crate) original_len: u32,
    pub(crate) line: &'static str,
}

/// All of them, in the file's order.
pub(crate) fn cases() -> Vec<Case> {
    let lines: Vec<_> =
        include_str!("lines.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    lines.chunks(3).map(case).collect()
}

fn case(lines: &[&'static str]) -> Case {
    let &[title, frame, line] = lines else { panic!("three lines a case, not {lines:?}") };
    let (mark, name) = title.split_once(' ').unwrap();
    let (hex, missing) = frame.split_once(" +").unwrap_or((frame, "0"));
    let bytes = unhex(hex);
    let original_len = u32::try_from(bytes.len()).unwrap() + missing.parse::<u32>().unwrap();
    Case { name, as_tcpdump: mark == "=", bytes, original_len, line }
}

fn unhex(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}
