//! Names inside a DNS message: labels, and pointers back to earlier ones (RFC 1035, 4.1.4).

use std::fmt;

use super::names::Escaped;

/// No honest name has more labels and pointers than this (255 bytes, RFC 1035, 2.3.4).
const MAX_STEPS: usize = 128;
const POINTER: u8 = 0xc0;

/// A name, where it stands in its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DnsName<'a> {
    message: &'a [u8],
    offset: usize,
}

enum Step<'a> {
    Label(&'a [u8]),
    Pointer(usize),
    Root,
}

impl<'a> DnsName<'a> {
    /// The name at `offset` and the offset after it; `None` where it is malformed or not all of it was captured.
    pub(crate) fn read(message: &'a [u8], offset: usize) -> Option<(Self, usize)> {
        let name = Self { message, offset };
        let mut end = None;
        let mut at = offset;
        for _ in 0..MAX_STEPS {
            match step(message, at)? {
                Step::Label(label) => at += 1 + label.len(),
                Step::Root => return Some((name, end.unwrap_or(at + 1))),
                Step::Pointer(target) => {
                    end = end.or(Some(at + 2));
                    at = target;
                }
            }
        }
        None
    }

    /// Its labels as sent, the outermost domain last.
    pub fn labels(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let Self { message, mut offset } = *self;
        std::iter::from_fn(move || {
            loop {
                match step(message, offset)? {
                    Step::Label(label) => {
                        offset += 1 + label.len();
                        return Some(label);
                    }
                    Step::Pointer(target) => offset = target,
                    Step::Root => return None,
                }
            }
        })
        .take(MAX_STEPS)
    }
}

fn step(message: &[u8], offset: usize) -> Option<Step<'_>> {
    let length = *message.get(offset)?;
    match length & POINTER {
        0 if length == 0 => Some(Step::Root),
        0 => message.get(offset + 1..offset + 1 + usize::from(length)).map(Step::Label),
        POINTER => {
            let target = usize::from(length & !POINTER) << 8 | usize::from(*message.get(offset + 1)?);
            // Backwards only: so every chain of pointers ends.
            (target < offset).then_some(Step::Pointer(target))
        }
        _ => None,
    }
}

/// `web.app.`; `.` for the root. A dot inside a label is written `\x2e`.
impl fmt::Display for DnsName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut labels = self.labels().peekable();
        if labels.peek().is_none() {
            return f.write_str(".");
        }
        for label in labels {
            for (position, part) in label.split(|&byte| byte == b'.').enumerate() {
                f.write_str(if position == 0 { "" } else { r"\x2e" })?;
                Escaped(part).fmt(f)?;
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(message: &[u8], offset: usize) -> Option<(String, usize)> {
        DnsName::read(message, offset).map(|(name, end)| (name.to_string(), end))
    }

    #[test]
    fn pointers_lead_back_and_the_end_is_after_the_first() {
        let message = b"\x03app\0\x03web\xc0\x00!";
        assert_eq!(shown(message, 5), Some(("web.app.".to_owned(), 11)));
        assert_eq!(shown(message, 0), Some(("app.".to_owned(), 5)));
        assert_eq!(shown(b"\0", 0), Some((".".to_owned(), 1)));
    }

    #[test]
    fn hostile_names_end() {
        assert_eq!(shown(b"\xc0\x00", 0), None, "a pointer to itself");
        assert_eq!(shown(b"\x01a\xc0\x00", 0), None, "a loop through a label");
        assert_eq!(shown(b"\x80\x00", 0), None, "a reserved length");
        assert_eq!(shown(b"\x05ab", 0), None, "cut");
        assert_eq!(shown(b"\x05a.\x1b[m\0", 0), Some((r"a\x2e\x1b[m.".to_owned(), 7)));
    }
}
