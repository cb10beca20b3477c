//! DHCP of IPv4 (RFC 2131): who asks or is told, and which step of the exchange it is.

use std::{fmt, net::Ipv4Addr};

use crate::model::Mac;

use super::wire::Wire;

const MAGIC: u32 = 0x6382_5363;
const MESSAGE_TYPE: u8 = 53;

/// A DHCP or BOOTP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dhcp {
    /// From a client, and not from a server.
    pub direction: DhcpDirection,
    /// The client.
    pub client: Mac,
    /// The address that the client gets; unspecified in requests.
    pub address: Ipv4Addr,
    /// The step of the exchange; `None` in plain BOOTP and where it was cut off.
    pub message: Option<DhcpMessage>,
    /// Bytes of data on the wire.
    pub length: usize,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DhcpDirection {
    /// A client.
    Request,
    /// A server.
    Reply,
}

/// A step of the exchange, by its number (RFC 2132, 9.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DhcpMessage(pub u8);

impl Dhcp {
    /// Reads a message whose fixed part up to the client's address was captured.
    pub(crate) fn read(mut wire: Wire<'_>) -> Option<Self> {
        let length = wire.length();
        let direction = match wire.u8()? {
            1 => DhcpDirection::Request,
            2 => DhcpDirection::Reply,
            _ => return None,
        };
        wire.slice(15)?;
        let address = Ipv4Addr::from(wire.array::<4>()?);
        wire.slice(8)?;
        let client = Mac::new(wire.array()?);
        wire.skip(10 + 64 + 128); // padding of the address, server name, boot file
        let message = (wire.u32() == Some(MAGIC)).then(|| message_type(wire)).flatten();
        Some(Self { direction, client, address, message, length })
    }
}

fn message_type(mut options: Wire<'_>) -> Option<DhcpMessage> {
    loop {
        let kind = options.u8()?;
        match kind {
            0 => {}
            255 => return None,
            _ => {
                let length = options.u8()?;
                let data = options.slice(length.into())?;
                if kind == MESSAGE_TYPE {
                    return data.first().copied().map(DhcpMessage);
                }
            }
        }
    }
}

/// `Discover`, `Offer`, …, or its number.
impl fmt::Display for DhcpMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            1 => "Discover",
            2 => "Offer",
            3 => "Request",
            4 => "Decline",
            5 => "ACK",
            6 => "NACK",
            7 => "Release",
            8 => "Inform",
            number => return write!(f, "message {number}"),
        };
        f.write_str(name)
    }
}

/// `BOOTP/DHCP, Request from 02:42:ac:11:00:02, length 300 (Discover)`.
impl fmt::Display for Dhcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BOOTP/DHCP, ")?;
        match self.direction {
            DhcpDirection::Request => write!(f, "Request from {}", self.client)?,
            DhcpDirection::Reply => f.write_str("Reply")?,
        }
        write!(f, ", length {}", self.length)?;
        match (self.message, self.address) {
            (Some(message), Ipv4Addr::UNSPECIFIED) => write!(f, " ({message})"),
            (Some(message), address) => write!(f, " ({message} {address})"),
            (None, _) => Ok(()),
        }
    }
}
