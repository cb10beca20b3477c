//! VXLAN and GRE, whose inner packet is read too, and ESP and SCTP, of which only the header is.

use std::fmt;

use super::decode::{Network, Packet};
use super::ethernet::EtherType;
use super::summary::Style;
use super::text::Text;
use super::wire::Wire;

/// Transparent Ethernet bridging: a whole frame (RFC 1701's protocol types, IANA).
const BRIDGED_ETHERNET: EtherType = EtherType(0x6558);

/// A frame of an overlay network (RFC 7348).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vxlan<'a> {
    /// Flags; 0x08 where the identifier is valid.
    pub flags: u8,
    /// The overlay network's identifier, 24 bits.
    pub vni: u32,
    /// The frame inside.
    pub frame: Box<Packet<'a>>,
}

impl<'a> Vxlan<'a> {
    /// Reads the header and the frame, unless `nesting` is used up.
    pub(crate) fn read(mut wire: Wire<'a>, nesting: u8) -> Option<Self> {
        let nesting = nesting.checked_sub(1)?;
        let [flags, ..] = wire.array::<4>()?;
        let vni = wire.u32()? >> 8;
        Some(Self { flags, vni, frame: Box::new(Packet::read(wire, nesting)) })
    }

    pub(crate) fn describe(&self, f: &mut impl Text, style: Style<'_>) -> fmt::Result {
        let valid = if self.flags & 0x08 == 0 { "." } else { "I" };
        write!(f, "VXLAN, flags [{valid}] ({:#04x}), vni {}: ", self.flags, self.vni)?;
        self.frame.network.describe(f, style.inner())
    }
}

/// A packet of any protocol in IP (RFC 2784, 2890).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gre<'a> {
    /// 0, or 1 for PPTP, whose payload is not read.
    pub version: u8,
    /// Tells tunnels between the same ends apart.
    pub key: Option<u32>,
    /// Bytes on the wire, GRE header included.
    pub length: usize,
    /// What the header says of the payload.
    pub protocol: EtherType,
    inner: Option<Box<Packet<'a>>>,
}

impl<'a> Gre<'a> {
    pub(crate) fn read(mut wire: Wire<'a>, nesting: u8) -> Option<Self> {
        let length = wire.length();
        let flags = wire.u16()?;
        let protocol = EtherType(wire.u16()?);
        let version = u8::try_from(flags & 7).ok()?;
        if flags & 0x8000 != 0 {
            wire.u32()?; // checksum
        }
        let key = if flags & 0x2000 == 0 { None } else { Some(wire.u32()?) };
        if flags & 0x1000 != 0 {
            wire.u32()?; // sequence number
        }
        let inner = nesting.checked_sub(1).filter(|_| version == 0).map(|nesting| {
            Box::new(match protocol {
                BRIDGED_ETHERNET => Packet::read(wire, nesting),
                _ => Packet::without_link(protocol, wire, nesting),
            })
        });
        Some(Self { version, key, length, protocol, inner })
    }

    /// The packet inside; without a link layer unless the tunnel is a bridge's.
    pub fn frame(&self) -> Option<&Packet<'a>> {
        self.inner.as_deref()
    }

    pub(crate) fn describe(&self, f: &mut impl Text, style: Style<'_>) -> fmt::Result {
        write!(f, "GREv{}", self.version)?;
        if let Some(key) = self.key {
            write!(f, ", key={key:#x}")?;
        }
        write!(f, ", length {}", self.length)?;
        match self.frame().map(|frame| &frame.network) {
            None | Some(Network::Other { .. }) => write!(f, ": gre-proto-{:#06x}", self.protocol.0),
            Some(network) => {
                f.write_str(": ")?;
                network.describe(f, style.inner())
            }
        }
    }
}

/// An encrypted payload (RFC 4303).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Esp {
    /// Security parameters index.
    pub spi: u32,
    /// Sequence number.
    pub sequence: u32,
    /// Bytes on the wire, ESP header included.
    pub length: usize,
}

impl Esp {
    pub(crate) fn read(mut wire: Wire<'_>) -> Option<Self> {
        let length = wire.length();
        Some(Self { spi: wire.u32()?, sequence: wire.u32()?, length })
    }
}

impl fmt::Display for Esp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ESP(spi={:#010x},seq={:#x}), length {}", self.spi, self.sequence, self.length)
    }
}

/// An SCTP packet (RFC 9260, 3): ports and the type of its first chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sctp {
    /// Sender's port.
    pub source: u16,
    /// Receiver's port.
    pub destination: u16,
    /// Tells associations between the same ports apart.
    pub verification_tag: u32,
    /// Type of the first chunk, where it was captured.
    pub chunk: Option<u8>,
    /// Bytes on the wire after the header.
    pub length: usize,
}

impl Sctp {
    pub(crate) fn read(mut wire: Wire<'_>) -> Option<Self> {
        let (source, destination) = (wire.u16()?, wire.u16()?);
        let (verification_tag, _checksum) = (wire.u32()?, wire.u32()?);
        let length = wire.length();
        Some(Self { source, destination, verification_tag, chunk: wire.u8(), length })
    }

    /// The first chunk's type by its name in RFC 9260, 3.2.
    pub const fn chunk_name(&self) -> Option<&'static str> {
        Some(match self.chunk {
            Some(0) => "DATA",
            Some(1) => "INIT",
            Some(2) => "INIT ACK",
            Some(3) => "SACK",
            Some(4) => "HB REQ",
            Some(5) => "HB ACK",
            Some(6) => "ABORT",
            Some(7) => "SHUTDOWN",
            Some(8) => "SHUTDOWN ACK",
            Some(9) => "OP ERR",
            Some(10) => "COOKIE ECHO",
            Some(11) => "COOKIE ACK",
            Some(14) => "SHUTDOWN COMPLETE",
            _ => return None,
        })
    }
}

impl fmt::Display for Sctp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sctp")?;
        match (self.chunk_name(), self.chunk) {
            (Some(name), _) => write!(f, " [{name}]")?,
            (None, Some(chunk)) => write!(f, " [chunk {chunk}]")?,
            (None, None) => {}
        }
        write!(f, ", length {}", self.length)
    }
}
