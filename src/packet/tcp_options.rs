//! TCP options. Unknown ones are kept with their number and bytes.

use std::fmt;

use super::digits::labelled;
use super::text::Text;
use super::wire::Wire;

/// The options of a segment, as sent and perhaps cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpOptions<'a>(Wire<'a>);

/// One option (TCP option kind numbers at IANA).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TcpOption<'a> {
    /// Nothing follows.
    End,
    /// Padding.
    NoOperation,
    /// Largest segment the sender takes, in bytes.
    MaximumSegmentSize(u16),
    /// By how many bits the sender's windows are shifted.
    WindowScale(u8),
    /// The sender understands selective acknowledgments.
    SackPermitted,
    /// Blocks that arrived out of order: the first sequence number of each and the one after it, in network order.
    Sack(&'a [[[u8; 4]; 2]]),
    /// The sender's clock, and the last clock it saw of the other.
    Timestamps {
        /// Sender's.
        value: u32,
        /// Echo of the other's.
        echo: u32,
    },
    /// Any other option.
    Other {
        /// Its number.
        kind: u8,
        /// Its bytes.
        data: &'a [u8],
    },
    /// An option whose length is impossible; nothing after it can be read.
    Malformed,
}

impl<'a> TcpOptions<'a> {
    pub(crate) const fn new(wire: Wire<'a>) -> Self {
        Self(wire)
    }

    /// Those that were captured, in their order.
    pub fn iter(&self) -> impl Iterator<Item = TcpOption<'a>> + use<'a> {
        let mut rest = Some(self.0);
        std::iter::from_fn(move || {
            let mut wire = rest.take()?;
            let option = TcpOption::read(&mut wire)?;
            rest = (!matches!(option, TcpOption::End | TcpOption::Malformed)).then_some(wire);
            Some(option)
        })
    }

    /// Whether options were sent that are not here.
    pub const fn is_cut(&self) -> bool {
        self.0.is_cut()
    }

    /// Writes `, options […]`; blocks of selective acknowledgments are relative to `base`.
    pub(crate) fn describe(&self, f: &mut impl Text, base: u32) -> fmt::Result {
        if self.0.length() == 0 {
            return Ok(());
        }
        f.write_str(", options [")?;
        let mut separator = "";
        for option in self.iter() {
            f.write_str(separator)?;
            option.describe(f, base)?;
            separator = ",";
        }
        if self.is_cut() {
            write!(f, "{separator}[|tcp]")?;
        }
        f.write_str("]")
    }
}

impl<'a> TcpOption<'a> {
    /// Reads the next option; `None` at the end of what was captured.
    fn read(wire: &mut Wire<'a>) -> Option<Self> {
        let kind = match wire.u8()? {
            0 => return Some(Self::End),
            1 => return Some(Self::NoOperation),
            kind => kind,
        };
        let length = usize::from(wire.u8()?);
        let Some(length) = length.checked_sub(2).filter(|&length| length <= wire.length()) else {
            return Some(Self::Malformed);
        };
        let data = wire.slice(length)?;
        let mut fields = Wire::new(data, length);
        Some(match (kind, length) {
            (2, 2) => Self::MaximumSegmentSize(fields.u16()?),
            (3, 1) => Self::WindowScale(fields.u8()?),
            (4, 0) => Self::SackPermitted,
            (5, _) => Self::Sack(data.as_chunks().0.as_chunks().0),
            (8, 8) => Self::Timestamps { value: fields.u32()?, echo: fields.u32()? },
            _ => Self::Other { kind, data },
        })
    }

    /// Writes the option as tcpdump does; blocks of selective acknowledgments are relative to `base`.
    fn describe(self, f: &mut impl Text, base: u32) -> fmt::Result {
        match self {
            Self::End => f.write_str("eol"),
            Self::NoOperation => f.write_str("nop"),
            Self::MaximumSegmentSize(bytes) => labelled(f, "mss ", bytes),
            Self::WindowScale(shift) => labelled(f, "wscale ", shift),
            Self::SackPermitted => f.write_str("sackOK"),
            Self::Sack(blocks) => {
                labelled(f, "sack ", blocks.len() as u64)?;
                f.write_str(" ")?;
                blocks.iter().try_for_each(|block| {
                    let [left, right] = block.map(|edge| u32::from_be_bytes(edge).wrapping_sub(base));
                    labelled(f, "{", left)?;
                    labelled(f, ":", right)?;
                    f.write_str("}")
                })
            }
            Self::Timestamps { value, echo } => {
                labelled(f, "TS val ", value)?;
                labelled(f, " ecr ", echo)
            }
            Self::Other { kind: 30, .. } => f.write_str("mptcp"),
            Self::Other { kind: 34, .. } => f.write_str("tfo"),
            Self::Other { kind, data } => {
                write!(f, "unknown-{kind}")?;
                if !data.is_empty() {
                    f.write_str(" 0x")?;
                }
                data.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            Self::Malformed => f.write_str("[bad opt]"),
        }
    }
}

/// `mss 1460`, `nop`, `sack 1 {1000:2448}`, …
impl fmt::Display for TcpOption<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shown<'a>(TcpOptions<'a>, u32);

    impl fmt::Display for Shown<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.describe(f, self.1)
        }
    }

    fn shown(bytes: &[u8], length: usize) -> String {
        Shown(TcpOptions::new(Wire::new(bytes, length)), 100).to_string()
    }

    #[test]
    fn options_are_listed_as_tcpdump_does() {
        for (bytes, expected) in [
            (&[][..], ""),
            (&[2, 4, 5, 180, 4, 2, 1, 3, 3, 7], ", options [mss 1460,sackOK,nop,wscale 7]"),
            (&[8, 10, 0, 0, 0, 9, 0, 0, 0, 7], ", options [TS val 9 ecr 7]"),
            (&[5, 10, 0, 0, 0, 101, 0, 0, 0, 110], ", options [sack 1 {1:10}]"),
            (&[253, 4, 0xaa, 0xbb, 0, 1], ", options [unknown-253 0xaabb,eol]"),
            (&[2, 0, 5, 180], ", options [[bad opt]]"),
            (&[1, 2, 40], ", options [nop,[bad opt]]"),
        ] {
            assert_eq!(shown(bytes, bytes.len()), expected);
        }
        assert_eq!(shown(&[4, 2, 8, 10, 0], 12), ", options [sackOK,[|tcp]]");
    }
}
