//! The first line of an HTTP/1 message and the host it is for (RFC 9112), where a segment begins with them.

use std::fmt;

use super::names::Escaped;
use super::wire::Wire;

const VERSION: &[u8] = b"HTTP/1.";
const METHODS: [&[u8]; 9] =
    [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH"];

/// The beginning of a message; all text as sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Http<'a> {
    /// First line, without its end.
    pub line: &'a [u8],
    /// Whether all of the first line is here.
    pub complete: bool,
    /// What it says.
    pub kind: HttpKind<'a>,
}

/// What a first line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpKind<'a> {
    /// A request.
    Request {
        /// Method.
        method: &'a [u8],
        /// What is requested, a path for the most part.
        target: &'a [u8],
        /// The Host header, where it is here.
        host: Option<&'a [u8]>,
    },
    /// A response.
    Response {
        /// Three digits.
        status: u16,
    },
}

impl<'a> Http<'a> {
    /// Reads a first line, perhaps cut; `None` where the segment does not begin with one.
    pub(crate) fn read(wire: Wire<'a>) -> Option<Self> {
        // Most payloads are no HTTP: they are not to be searched for the end of a line.
        if !wire.bytes().starts_with(VERSION)
            && !METHODS.iter().any(|method| wire.bytes().starts_with(method))
        {
            return None;
        }
        let mut lines = wire.bytes().split(|&byte| byte == b'\n').map(without_return);
        let line = lines.next()?;
        let complete = wire.bytes().len() > line.len();
        let mut words = line.splitn(3, |&byte| byte == b' ');
        let (first, second) = (words.next()?, words.next()?);
        let kind = if first.starts_with(VERSION) {
            HttpKind::Response { status: std::str::from_utf8(second).ok()?.parse().ok()? }
        } else if METHODS.contains(&first) && words.next().is_none_or(|version| version.starts_with(VERSION))
        {
            let host = lines.take_while(|header| !header.is_empty()).find_map(host);
            HttpKind::Request { method: first, target: second, host }
        } else {
            return None;
        };
        Some(Self { line, complete, kind })
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The value of a Host header.
fn host(header: &[u8]) -> Option<&[u8]> {
    let (name, value) = header.split_at_checked(5)?;
    name.eq_ignore_ascii_case(b"host:").then(|| value.trim_ascii())
}

/// `HTTP: GET /x HTTP/1.1 (host web.app)`; `[|http]` where the line goes on elsewhere.
impl fmt::Display for Http<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP: {}", Escaped(self.line))?;
        match self.kind {
            HttpKind::Request { host: Some(host), .. } => write!(f, " (host {})", Escaped(host)),
            _ if self.complete => Ok(()),
            _ => f.write_str(" [|http]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8]) -> Option<String> {
        Http::read(Wire::new(bytes, bytes.len())).map(|http| http.to_string())
    }

    #[test]
    fn first_lines_are_shown_with_the_host() {
        for (bytes, expected) in [
            (&b"GET /x HTTP/1.1\r\nA: b\r\nhOST: web\r\n\r\n"[..], Some("HTTP: GET /x HTTP/1.1 (host web)")),
            (b"POST /cut", Some("HTTP: POST /cut [|http]")),
            (b"HTTP/1.1 200 OK\r\n", Some("HTTP: HTTP/1.1 200 OK")),
            (b"GET /\x1b[2J HTTP/1.0\n", Some(r"HTTP: GET /\x1b[2J HTTP/1.0")),
            (b"GET / HTTP/1.1\r\n\r\nHost: body\r\n", Some("HTTP: GET / HTTP/1.1")),
            (b"GET key value\r\n", None),
            (b"EHLO host\r\n", None),
            (b"HTTP/1.1 abc", None),
            (b"", None),
        ] {
            assert_eq!(shown(bytes).as_deref(), expected);
        }
    }
}
