//! How addresses and text out of packets are written: names where known, and nothing that could steer a terminal.

use std::{fmt, net::IpAddr};

use super::digits::address;
use super::text::Text;

/// A name for an address, for example a container's; `None` for an address without one.
pub type Lookup<'n> = dyn Fn(IpAddr) -> Option<&'n str> + 'n;

/// Where a line takes the names of addresses from.
#[derive(Clone, Copy, Default)]
pub struct Names<'n>(Option<&'n Lookup<'n>>);

impl<'n> Names<'n> {
    /// No names: every address as a number, as `tcpdump -n` does.
    pub const NUMERIC: Self = Self(None);

    /// Names from `lookup`.
    pub const fn new(lookup: &'n Lookup<'n>) -> Self {
        Self(Some(lookup))
    }

    /// The name of `address`, if it has one.
    pub fn find(self, address: IpAddr) -> Option<&'n str> {
        self.0.and_then(|lookup| lookup(address))
    }

    /// The name of `address`, or the address.
    pub(crate) fn show(self, address: impl Into<IpAddr>) -> Named<'n> {
        let address = address.into();
        Named { address, name: self.find(address) }
    }
}

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Names(lookup)" } else { "Names(numeric)" })
    }
}

/// An address as it stands in a line.
#[derive(Clone, Copy)]
pub(crate) struct Named<'n> {
    address: IpAddr,
    name: Option<&'n str>,
}

impl Named<'_> {
    /// Writes it.
    pub(crate) fn describe(self, f: &mut impl Text) -> fmt::Result {
        match self.name {
            Some(name) => Escaped(name.as_bytes()).describe(f),
            None => address(f, self.address),
        }
    }
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f)
    }
}

/// Text that somebody else chose: printable ASCII as it is, `\\` for a backslash, all else as `\x1b`.
///
/// Not UTF-8, because letters that turn the direction of a line are as good as control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Escaped<'a>(pub &'a [u8]);

impl Escaped<'_> {
    /// Writes it, what needs no escape in one piece.
    pub fn describe(self, f: &mut impl Text) -> fmt::Result {
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'\\';
        for piece in self.0.chunk_by(|one, other| is_plain(one) && is_plain(other)) {
            match piece {
                b"\\" => f.write_str("\\\\")?,
                [byte] if !is_plain(byte) => write!(f, "\\x{byte:02x}")?,
                plain => f.write_str(str::from_utf8(plain).unwrap_or_default())?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_cannot_steer_a_terminal() {
        assert_eq!(
            Escaped(b"a\x1b[2J\r\n\\x \xe2\x80\xae~").to_string(),
            r"a\x1b[2J\x0d\x0a\\x \xe2\x80\xae~"
        );
    }

    #[test]
    fn an_address_has_its_name_where_one_is_known() {
        let address: IpAddr = [172, 17, 0, 2].into();
        let lookup = |wanted| (wanted == address).then_some("web");
        let names = Names::new(&lookup);
        assert_eq!(names.show(address).to_string(), "web");
        assert_eq!(names.show([172, 17, 0, 3]).to_string(), "172.17.0.3");
        assert_eq!(Names::NUMERIC.show(address).to_string(), "172.17.0.2");
    }
}
