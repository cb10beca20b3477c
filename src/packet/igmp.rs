//! IGMP: which multicast groups a host of IPv4 listens to (RFC 1112, 2236, 3376).

use std::{fmt, net::Ipv4Addr};

use super::summary::Style;
use super::text::Text;
use super::wire::Wire;

/// An IGMP message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Igmp {
    /// Who listens to the group (all groups: unspecified)?
    Query {
        /// 1, 2 or 3.
        version: u8,
        /// The group.
        group: Ipv4Addr,
    },
    /// The sender listens to the group.
    Report {
        /// 1 or 2.
        version: u8,
        /// The group.
        group: Ipv4Addr,
    },
    /// Changes of this many groups (version 3).
    ReportV3(u16),
    /// The sender listens no longer.
    Leave(Ipv4Addr),
    /// Any other type, by its number.
    Other(u8),
}

impl Igmp {
    /// Reads a message of which at least eight bytes were captured.
    pub(crate) fn read(mut wire: Wire<'_>) -> Option<Self> {
        let length = wire.length();
        let [type_number, max_response, _, _] = wire.array()?;
        let body: [u8; 4] = wire.array()?;
        let group = Ipv4Addr::from(body);
        Some(match type_number {
            // The versions of a query differ by length and response time only (RFC 3376, 7.1).
            0x11 if length >= 12 => Self::Query { version: 3, group },
            0x11 if max_response == 0 => Self::Query { version: 1, group },
            0x11 => Self::Query { version: 2, group },
            0x12 => Self::Report { version: 1, group },
            0x16 => Self::Report { version: 2, group },
            0x17 => Self::Leave(group),
            0x22 => Self::ReportV3(u16::from_be_bytes(*body.last_chunk()?)),
            number => Self::Other(number),
        })
    }

    pub(crate) fn describe(self, f: &mut impl Text, style: Style<'_>) -> fmt::Result {
        f.write_str("igmp")?;
        match self {
            Self::Query { version, group } => {
                write!(f, " query v{version}")?;
                if group.is_unspecified() {
                    Ok(())
                } else {
                    write!(f, " [gaddr {}]", style.names.show(group))
                }
            }
            Self::Report { version, group } => write!(f, " v{version} report {}", style.names.show(group)),
            Self::ReportV3(groups) => write!(f, " v3 report, {groups} group record(s)"),
            Self::Leave(group) => write!(f, " leave {}", style.names.show(group)),
            Self::Other(number) => write!(f, "-{number}"),
        }
    }
}
