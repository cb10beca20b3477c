//! UDP: ports, length, and what the datagram carries.

use std::fmt;

use super::application::{Application, Ends};
use super::digits::labelled;
use super::ip::IpHeader;
use super::summary::Style;
use super::text::Text;
use super::tunnel::Vxlan;
use super::wire::Wire;

/// The header's length (RFC 768).
const HEADER_LEN: usize = 8;

/// A UDP datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Udp<'a> {
    /// Sender's port.
    pub source: u16,
    /// Receiver's port.
    pub destination: u16,
    /// Bytes of data as the header says, those of later fragments included.
    pub length: usize,
    /// What the data is, where ports or bytes say so.
    pub application: Option<Application<'a>>,
}

impl<'a> Udp<'a> {
    /// Reads a datagram whose header was captured.
    #[expect(
        clippy::inline_always,
        reason = "a struct that was just made is slow to move: it waits for its stores"
    )]
    #[inline(always)]
    pub(crate) fn read(ends: Ends, mut wire: Wire<'a>, nesting: u8) -> Option<Self> {
        let (source, destination) = (wire.u16()?, wire.u16()?);
        let (length, _checksum) = (usize::from(wire.u16()?), wire.u16()?);
        // Zero stands for more than the field can hold (RFC 2675, 4).
        let length = if length == 0 { wire.length() } else { length.checked_sub(HEADER_LEN)? };
        let payload = wire.limited(length);
        let application = Application::over_udp((source, destination), ends, payload, nesting);
        Some(Self { source, destination, length, application })
    }

    /// The frame inside, where this is a VXLAN tunnel's datagram.
    pub const fn vxlan(&self) -> Option<&Vxlan<'a>> {
        match &self.application {
            Some(Application::Vxlan(vxlan)) => Some(vxlan),
            _ => None,
        }
    }

    /// Writes the datagram as tcpdump does.
    pub(crate) fn describe(&self, f: &mut impl Text, header: &IpHeader, style: Style<'_>) -> fmt::Result {
        let sent = header.payload_len.saturating_sub(HEADER_LEN);
        match &self.application {
            Some(application) => application.describe(f, style),
            None if self.length > sent && header.fragment.is_none() => {
                write!(f, "UDP, bad length {} > {sent}", self.length)
            }
            None => labelled(f, "UDP, length ", self.length as u64),
        }
    }
}
