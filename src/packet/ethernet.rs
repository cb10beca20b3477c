//! Ethernet: addresses, the stack of VLAN tags, and the type of what follows.

use std::fmt;

use etherparse::Ethernet2Slice;
use etherparse::ether_type;

use crate::model::Mac;

use super::digits::hardware_address;
use super::text::Text;
use super::wire::Wire;

/// Types up to here are the length of an 802.3 frame (IEEE 802.3, 3.2.6).
const LARGEST_LENGTH: u16 = 1500;

/// The header of an Ethernet frame with all its VLAN tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ethernet<'a> {
    /// Receiver.
    pub destination: Mac,
    /// Sender.
    pub source: Mac,
    /// What follows the last tag.
    pub ether_type: EtherType,
    /// Each tag with its own type before it: four bytes a tag.
    tags: &'a [u8],
}

/// One VLAN tag (IEEE 802.1Q, 9.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vlan {
    /// The type that announced the tag: 802.1Q, 802.1ad or an older double tag.
    pub ether_type: EtherType,
    /// 0 to 4095.
    pub id: u16,
    /// Priority code point, 0 to 7.
    pub priority: u8,
    /// May be dropped first.
    pub drop_eligible: bool,
}

/// What an Ethernet frame carries, by its number (IEEE 802 numbers at IANA).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EtherType(pub u16);

impl<'a> Ethernet<'a> {
    /// Reads header and tags and leaves `wire` at what they carry; `None` where fewer than 14 bytes were captured.
    pub(crate) fn read(wire: &mut Wire<'a>) -> Option<Self> {
        let header = Ethernet2Slice::from_slice_without_fcs(wire.bytes()).ok()?;
        wire.skip(header.header_len());
        let mut ether_type = EtherType(header.ether_type().0);
        let mut tag_bytes = 0;
        while ether_type.is_tag()
            && let Some([_, _, high, low]) = wire.array()
        {
            ether_type = EtherType(u16::from_be_bytes([high, low]));
            tag_bytes += 4;
        }
        let tags = header.slice().get(12..12 + tag_bytes).unwrap_or_default();
        Some(Self {
            destination: Mac::new(header.destination()),
            source: Mac::new(header.source()),
            ether_type,
            tags,
        })
    }

    /// The tags, outermost first.
    pub fn vlans(&self) -> impl Iterator<Item = Vlan> + use<'a> {
        self.tags.as_chunks().0.iter().map(|&[type_high, type_low, high, low]| Vlan {
            ether_type: EtherType(u16::from_be_bytes([type_high, type_low])),
            id: u16::from_be_bytes([high & 0x0f, low]),
            priority: high >> 5,
            drop_eligible: high & 0x10 != 0,
        })
    }

    /// Length of header and tags in bytes.
    pub const fn header_len(&self) -> usize {
        14 + self.tags.len()
    }

    /// Writes the header as `tcpdump -e` does; `length` is that of the whole frame.
    pub(crate) fn describe(&self, f: &mut impl Text, length: usize) -> fmt::Result {
        hardware_address(f, self.source)?;
        f.write_str(" > ")?;
        hardware_address(f, self.destination)?;
        f.write_str(", ")?;
        let mut types = self.vlans().map(|vlan| vlan.ether_type).skip(1).chain([self.ether_type]);
        let first = self.vlans().next().map_or(self.ether_type, |vlan| vlan.ether_type);
        let length = if first.is_length() { first.0.into() } else { length };
        write!(f, "{first}, length {length}: ")?;
        for (vlan, next) in self.vlans().zip(&mut types) {
            let drop_eligible = if vlan.drop_eligible { ", DEI" } else { "" };
            write!(f, "vlan {}, p {}{drop_eligible}, {next}, ", vlan.id, vlan.priority)?;
        }
        Ok(())
    }
}

impl EtherType {
    /// Whether the number is the length of an 802.3 frame and no type at all.
    pub const fn is_length(self) -> bool {
        self.0 <= LARGEST_LENGTH
    }

    /// Whether a VLAN tag follows.
    pub(crate) fn is_tag(self) -> bool {
        [ether_type::VLAN_TAGGED_FRAME, ether_type::PROVIDER_BRIDGING, ether_type::VLAN_DOUBLE_TAGGED_FRAME]
            .contains(&etherparse::EtherType(self.0))
    }

    fn name(self) -> &'static str {
        match etherparse::EtherType(self.0) {
            ether_type::IPV4 => "IPv4",
            ether_type::IPV6 => "IPv6",
            ether_type::ARP => "ARP",
            ether_type::VLAN_TAGGED_FRAME => "802.1Q",
            ether_type::PROVIDER_BRIDGING => "802.1Q-QinQ",
            ether_type::VLAN_DOUBLE_TAGGED_FRAME => "802.1Q-9100",
            ether_type::MACSEC => "802.1AE MACsec",
            etherparse::EtherType(0x88cc) => "LLDP",
            _ => "Unknown",
        }
    }
}

/// `ethertype IPv4 (0x0800)`, or `802.3` for a length.
impl fmt::Display for EtherType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_length() {
            return f.write_str("802.3");
        }
        write!(f, "ethertype {} ({:#06x})", self.name(), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Option<(Ethernet<'_>, usize)> {
        let mut wire = Wire::new(bytes, bytes.len());
        Ethernet::read(&mut wire).map(|header| (header, wire.length()))
    }

    #[test]
    fn a_stack_of_tags_is_read_outermost_first() {
        let mut frame = vec![2; 12];
        frame.extend([0x88, 0xa8, 0x70, 0x64, 0x81, 0, 0x00, 0x05, 0x08, 0x00, 0x45]);
        let (header, left) = read(&frame).unwrap();
        let ids: Vec<_> = header.vlans().map(|vlan| (vlan.id, vlan.priority, vlan.drop_eligible)).collect();
        assert_eq!(ids, [(100, 3, true), (5, 0, false)]);
        assert_eq!((header.ether_type, header.header_len(), left), (EtherType(0x0800), 22, 1));
    }

    #[test]
    fn a_tag_that_is_cut_stays_the_type() {
        let mut frame = vec![2; 12];
        frame.extend([0x81, 0, 0]);
        let (header, left) = read(&frame).unwrap();
        assert_eq!((header.ether_type, header.vlans().count(), left), (EtherType(0x8100), 0, 1));
        assert_eq!(read(&frame[..13]), None);
    }
}
