//! One entry in the systemd journal export format, written and read:
//! <https://systemd.io/JOURNAL_EXPORT_FORMATS/#journal-export-format>.

use super::Event;

/// Microseconds since the epoch.
const TIME: &str = "__REALTIME_TIMESTAMP";

/// Writes an entry. A field whose name the journal would refuse is left out.
pub(super) fn entry(time_ns: u64, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = format!("{TIME}={}\n", time_ns / 1000).into_bytes();
    for (name, value) in fields.iter().filter(|(name, _)| is_field_name(name)) {
        out.extend_from_slice(name.as_bytes());
        if value.chars().any(|c| c.is_control() && c != '\t') {
            out.push(b'\n');
            out.extend_from_slice(&(value.len() as u64).to_le_bytes());
        } else {
            out.push(b'=');
        }
        out.extend_from_slice(value.as_bytes());
        out.push(b'\n');
    }
    out
}

/// Reads an entry up to the first NUL that pads it, empty line or field that is cut short.
pub(super) fn event(entry: &[u8]) -> Event {
    let mut rest = entry;
    let mut event = Event { time_ns: 0, fields: Vec::new() };
    while let Some((name, value)) = next_field(&mut rest) {
        let value = String::from_utf8_lossy(value).into_owned();
        if name == TIME.as_bytes() {
            event.time_ns = value.parse().map_or(0, |us: u64| us.saturating_mul(1000));
        } else {
            event.fields.push((String::from_utf8_lossy(name).into_owned(), value));
        }
    }
    event
}

/// `NAME=value\n`, or `NAME\n`, a 64-bit length, so many bytes and `\n`.
fn next_field<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let line_end = rest.iter().position(|byte| matches!(byte, b'\n' | 0)).unwrap_or(rest.len());
    let (line, after) = rest.split_at(line_end);
    let after = after.get(1..).unwrap_or_default();
    if line.is_empty() {
        return None;
    }
    if let Some(equals) = line.iter().position(|byte| *byte == b'=') {
        *rest = after;
        return Some((&line[..equals], &line[equals + 1..]));
    }
    let (length, after) = after.split_first_chunk()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (value, after) = after.split_at_checked(length)?;
    *rest = after.get(1..).unwrap_or_default();
    Some((line, value))
}

/// Capitals, digits and underscores; not a digit first, not an underscore (those are the journal's own).
fn is_field_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_values_are_lines() {
        let bytes = entry(1_700_000_000_123_456_789, &[("MESSAGE", "web died"), ("PRIORITY", "4")]);
        assert_eq!(bytes, b"__REALTIME_TIMESTAMP=1700000000123456\nMESSAGE=web died\nPRIORITY=4\n");
    }

    #[test]
    fn values_of_several_lines_carry_their_length() {
        let bytes = entry(0, &[("MESSAGE", "a\nb=c")]);
        assert_eq!(bytes, b"__REALTIME_TIMESTAMP=0\nMESSAGE\n\x05\0\0\0\0\0\0\0a\nb=c\n");
    }

    #[test]
    fn names_that_the_journal_refuses_are_left_out() {
        let fields = [("", "x"), ("_PID", "x"), ("a", "x"), ("A=B", "x"), ("1A", "x"), ("A\n", "x")];
        assert_eq!(entry(0, &fields), b"__REALTIME_TIMESTAMP=0\n");
    }

    #[test]
    fn entries_read_back() {
        let fields = [("MESSAGE", "a\nb"), ("EMPTY", ""), ("X1", "k=v")];
        let mut bytes = entry(5_000, &fields);
        bytes.extend_from_slice(&[0; 3]);
        let event = event(&bytes);
        assert_eq!(event.time_ns, 5_000);
        assert_eq!(event.field("MESSAGE"), Some("a\nb"));
        assert_eq!(event.fields.len(), 3);
    }

    #[test]
    fn damaged_entries_give_what_comes_before() {
        for (bytes, fields) in [
            (&b""[..], 0),
            (b"\n\n", 0),
            (b"A=1\nB", 1),
            (b"A=1\nB\n\x01\0", 1),
            (b"A=1\nB\n\xff\xff\xff\xff\xff\xff\xff\xffx\n", 1),
            (b"A=1", 1),
        ] {
            assert_eq!(event(bytes).fields.len(), fields, "{bytes:?}");
        }
    }
}
