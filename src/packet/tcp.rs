//! TCP: one segment's header, flags and options. It keeps no state; relative numbers come from `sequence`.

use std::fmt;

use super::application::{Application, Ends};
use super::digits::labelled;
use super::summary::Style;
use super::tcp_options::TcpOptions;
use super::text::Text;
use super::wire::Wire;

/// The header without options (RFC 9293, 3.1).
const HEADER_LEN: usize = 20;

/// A TCP segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tcp<'a> {
    /// Sender's port.
    pub source: u16,
    /// Receiver's port.
    pub destination: u16,
    /// Number of the first byte, as sent.
    pub sequence: u32,
    /// Number of the byte expected next, as sent; without meaning unless the ACK flag is set.
    pub acknowledgment: u32,
    /// Flags.
    pub flags: TcpFlags,
    /// Receive window as sent, before scaling.
    pub window: u16,
    /// Where urgent data ends; without meaning unless the URG flag is set.
    pub urgent: u16,
    /// Options.
    pub options: TcpOptions<'a>,
    /// Bytes of data on the wire.
    pub length: usize,
    /// What the data is, where it says so itself.
    pub application: Option<Application<'a>>,
}

impl<'a> Tcp<'a> {
    /// Reads a segment of which at least the fixed header was captured.
    #[expect(
        clippy::inline_always,
        reason = "a struct that was just made is slow to move: it waits for its stores"
    )]
    #[inline(always)]
    pub(crate) fn read(ends: Ends, mut wire: Wire<'a>) -> Option<Self> {
        let (source, destination) = (wire.u16()?, wire.u16()?);
        let (sequence, acknowledgment) = (wire.u32()?, wire.u32()?);
        let offset_and_flags = wire.u16()?;
        let (window, _checksum, urgent) = (wire.u16()?, wire.u16()?, wire.u16()?);
        let header_len = usize::from(offset_and_flags >> 12) * 4;
        let options_len = header_len.checked_sub(HEADER_LEN)?;
        if options_len > wire.length() {
            return None;
        }
        let options = TcpOptions::new(wire.take(options_len));
        Some(Self {
            source,
            destination,
            sequence,
            acknowledgment,
            flags: TcpFlags(offset_and_flags & 0x1ff),
            window,
            urgent,
            options,
            length: wire.length(),
            application: Application::over_tcp((source, destination), ends, wire),
        })
    }

    /// Writes the segment as tcpdump does, with sequence numbers relative to those of `style`.
    pub(crate) fn describe(&self, f: &mut impl Text, style: Style<'_>) -> fmt::Result {
        f.write_str("Flags [")?;
        self.flags.describe(f)?;
        f.write_str("]")?;
        let base = style.sequence;
        let sequence = self.sequence.wrapping_sub(base.sequence);
        if self.length > 0 {
            // The number after the last byte wraps around as the field does.
            let next = sequence.wrapping_add(u32::try_from(self.length).unwrap_or(u32::MAX));
            labelled(f, ", seq ", sequence)?;
            labelled(f, ":", next)?;
        } else if self.flags.intersects(TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST) {
            labelled(f, ", seq ", sequence)?;
        }
        if self.flags.intersects(TcpFlags::ACK) {
            labelled(f, ", ack ", self.acknowledgment.wrapping_sub(base.acknowledgment))?;
        }
        labelled(f, ", win ", self.window)?;
        if self.flags.intersects(TcpFlags::URG) {
            labelled(f, ", urg ", self.urgent)?;
        }
        self.options.describe(f, base.acknowledgment)?;
        labelled(f, ", length ", self.length as u64)?;
        match &self.application {
            None => Ok(()),
            Some(Application::Dns(dns)) => write!(f, " {dns}"),
            Some(application) => {
                f.write_str(": ")?;
                application.describe(f, style)
            }
        }
    }
}

/// The flags of a segment, nine bits as sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct TcpFlags(pub u16);

#[expect(missing_docs, reason = "the flags are known by these names (RFC 9293, 3.1; RFC 3168; RFC 3540)")]
impl TcpFlags {
    pub const FIN: Self = Self(0x01);
    pub const SYN: Self = Self(0x02);
    pub const RST: Self = Self(0x04);
    pub const PSH: Self = Self(0x08);
    pub const ACK: Self = Self(0x10);
    pub const URG: Self = Self(0x20);
    pub const ECE: Self = Self(0x40);
    pub const CWR: Self = Self(0x80);
    pub const NS: Self = Self(0x100);

    /// Whether any of `others` is set.
    pub const fn intersects(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

impl std::ops::BitOr for TcpFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl TcpFlags {
    fn describe(self, f: &mut impl Text) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("none");
        }
        for (flag, letter) in [
            (Self::FIN, "F"),
            (Self::SYN, "S"),
            (Self::RST, "R"),
            (Self::PSH, "P"),
            (Self::ACK, "."),
            (Self::URG, "U"),
            (Self::ECE, "E"),
            (Self::CWR, "W"),
            (Self::NS, "e"),
        ] {
            if self.intersects(flag) {
                f.write_str(letter)?;
            }
        }
        Ok(())
    }
}

/// tcpdump's letters: `S.` for SYN and ACK, `none` for no flag.
impl fmt::Display for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f)
    }
}
