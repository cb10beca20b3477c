//! pcapng of either byte order: blocks, and the records in them.
//!
//! Lenient inside blocks: an option that is malformed ends its list, a text that is not UTF-8 is mended.

use std::{io::Read, net::IpAddr};

use pcap_file::pcapng::blocks::{
    ENHANCED_PACKET_BLOCK, INTERFACE_DESCRIPTION_BLOCK, INTERFACE_STATISTIC_BLOCK, NAME_RESOLUTION_BLOCK,
    PACKET_BLOCK, SECTION_HEADER_BLOCK, SIMPLE_PACKET_BLOCK, SYSTEMD_JOURNAL_EXPORT_BLOCK,
};

use super::{
    Error, Fault, Interface, InterfaceId, LinkType, Packet, Part, Process, Record, Section, Statistics,
    clock::{Clock, Resolution},
    fields::{ByteOrder, Fields},
    journal,
    reader::MAX_LENGTH,
    source::Source,
};
use crate::model::{Direction, InterfaceAddress, Mac};

/// The block type that the pcap-file crate does not know.
const DECRYPTION_SECRETS_BLOCK: u32 = 0x0a;
/// Type and length stand before the body, the length again behind it.
const BLOCK_HEAD: usize = 8;
const MIN_BLOCK: u32 = 12;
/// At the start of a section header's body.
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const MAJOR_VERSION: u16 = 1;
/// The option that every block may have.
const COMMENT: u16 = 1;

/// What the current section has said so far.
#[derive(Debug)]
pub(super) struct PcapngReader {
    order: ByteOrder,
    interfaces: Vec<Declared>,
}

/// An interface, and what its packets need to be understood.
#[derive(Debug)]
struct Declared {
    id: InterfaceId,
    interface: Interface,
    /// 0 means no limit.
    snaplen: u32,
    clock: Clock,
}

/// The byte order is a guess until the first section header, with which every file begins.
impl Default for PcapngReader {
    fn default() -> Self {
        Self { order: ByteOrder::Little, interfaces: Vec::new() }
    }
}

impl PcapngReader {
    /// The next block as a record; none at the end.
    pub(super) fn next_record<'a, R: Read>(
        &'a mut self,
        source: &'a mut Source<R>,
    ) -> Result<Option<Record<'a>>, Error> {
        if source.is_at_end(Part::BlockHeader)? {
            return Ok(None);
        }
        let offset = source.offset();
        let (block_type, body) = self.next_block(source)?;
        let damaged = |fault| Error { offset, part: Part::Block(block_type), fault };
        self.record(block_type, body).map(Some).map_err(damaged)
    }

    /// The type and the body of the next block. A section header sets the byte order, that of its own length included.
    fn next_block<'s, R: Read>(&mut self, source: &'s mut Source<R>) -> Result<(u32, &'s [u8]), Error> {
        let [block_type, length, magic] = source.peek_words(Part::BlockHeader)?;
        let block_type = self.order.u32(block_type);
        let (offset, part) = (source.offset(), Part::Block(block_type));
        let damaged = |fault| Error { offset, part, fault };
        if block_type == SECTION_HEADER_BLOCK {
            self.order = byte_order(magic).map_err(damaged)?;
        }
        let length = self.order.u32(length);
        if length < MIN_BLOCK || !length.is_multiple_of(4) {
            return Err(damaged(Fault::BlockLength(length)));
        }
        if length > MAX_LENGTH {
            return Err(damaged(Fault::TooLong { length, limit: MAX_LENGTH }));
        }
        match source.take(part, length as usize)?.split_last_chunk() {
            Some((block, tail)) if self.order.u32(*tail) == length => Ok((block_type, &block[BLOCK_HEAD..])),
            Some((_, tail)) => {
                Err(damaged(Fault::LengthMismatch { head: length, tail: self.order.u32(*tail) }))
            }
            None => Err(damaged(Fault::BlockLength(length))),
        }
    }

    #[expect(
        clippy::inline_always,
        reason = "a struct that was just made is slow to move: it waits for its stores"
    )]
    #[inline(always)]
    fn record<'a>(&'a mut self, block_type: u32, body: &'a [u8]) -> Result<Record<'a>, Fault> {
        let fields = Fields::new(body, self.order);
        match block_type {
            SECTION_HEADER_BLOCK => self.section(fields),
            INTERFACE_DESCRIPTION_BLOCK => self.declare(fields),
            ENHANCED_PACKET_BLOCK => self.enhanced_packet(fields),
            SIMPLE_PACKET_BLOCK => self.simple_packet(fields),
            PACKET_BLOCK => self.obsolete_packet(fields),
            NAME_RESOLUTION_BLOCK => Ok(Record::Names(names(fields))),
            INTERFACE_STATISTIC_BLOCK => self.statistics(fields),
            SYSTEMD_JOURNAL_EXPORT_BLOCK => Ok(Record::Event(journal::event(body))),
            DECRYPTION_SECRETS_BLOCK => secrets(fields),
            _ => Ok(Record::Unknown { block_type }),
        }
    }

    fn section(&mut self, mut fields: Fields<'_>) -> Result<Record<'static>, Fault> {
        let (_magic, major, _minor, _length) = (fields.u32()?, fields.u16()?, fields.u16()?, fields.u64()?);
        if major != MAJOR_VERSION {
            return Err(Fault::Version(major));
        }
        self.interfaces.clear();
        let mut section = Section::default();
        for (code, value) in fields.options() {
            match code {
                COMMENT => add_line(&mut section.comment, &value.text()),
                2 => section.hardware = value.text().into_owned(),
                3 => section.os = value.text().into_owned(),
                4 => section.application = value.text().into_owned(),
                _ => {}
            }
        }
        Ok(Record::Section(section))
    }

    fn declare(&mut self, fields: Fields<'_>) -> Result<Record<'_>, Fault> {
        let id = InterfaceId::new(u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX));
        let declared = self.interfaces.push_mut(Declared::parse(id, fields)?);
        Ok(Record::Interface { id, interface: &declared.interface })
    }

    fn declared(&self, id: u32) -> Result<&Declared, Fault> {
        let declared = self.interfaces.len();
        self.interfaces.get(id as usize).ok_or(Fault::Undeclared { id, declared })
    }

    #[expect(
        clippy::inline_always,
        reason = "a struct that was just made is slow to move: it waits for its stores"
    )]
    #[inline(always)]
    fn enhanced_packet<'a>(&'a self, mut fields: Fields<'a>) -> Result<Record<'a>, Fault> {
        let declared = self.declared(fields.u32()?)?;
        let time_ns = declared.clock.nanoseconds(fields.halves()?);
        let (captured, original_len) = (fields.u32()?, fields.u32()?);
        let packet = declared.packet(fields.padded(captured as usize)?);
        Ok(Record::Packet(with_options(Packet { time_ns, original_len, ..packet }, fields)))
    }

    /// The predecessor of the enhanced packet block; 0xffff says that the losses are not known.
    fn obsolete_packet<'a>(&'a self, mut fields: Fields<'a>) -> Result<Record<'a>, Fault> {
        let declared = self.declared(fields.u16()?.into())?;
        let drops = Some(fields.u16()?).filter(|drops| *drops != u16::MAX).map_or(0, u64::from);
        let time_ns = declared.clock.nanoseconds(fields.halves()?);
        let (captured, original_len) = (fields.u32()?, fields.u32()?);
        let packet = declared.packet(fields.padded(captured as usize)?);
        Ok(Record::Packet(with_options(Packet { time_ns, original_len, drops, ..packet }, fields)))
    }

    /// A packet of the first interface. It does not say how much of it was kept: what the interface keeps of each.
    fn simple_packet<'a>(&'a self, mut fields: Fields<'a>) -> Result<Record<'a>, Fault> {
        let declared = self.declared(0)?;
        let original_len = fields.u32()?;
        let captured = match declared.snaplen {
            0 => original_len,
            snaplen => original_len.min(snaplen),
        };
        let packet = declared.packet(fields.padded(captured as usize)?);
        Ok(Record::Packet(Packet { original_len, ..packet }))
    }

    fn statistics(&self, mut fields: Fields<'_>) -> Result<Record<'static>, Fault> {
        let declared = self.declared(fields.u32()?)?;
        let end_ns = declared.clock.nanoseconds(fields.halves()?);
        let mut statistics = Statistics { end_ns, ..Statistics::default() };
        for (code, mut value) in fields.options() {
            match code {
                2 => statistics.start_ns = value.halves().ok().map(|ticks| declared.clock.nanoseconds(ticks)),
                3 => {
                    statistics.end_ns =
                        value.halves().map_or(end_ns, |ticks| declared.clock.nanoseconds(ticks));
                }
                4 => statistics.received = value.u64().ok(),
                5 => statistics.dropped = value.u64().ok(),
                6 => statistics.accepted = value.u64().ok(),
                7 => statistics.os_dropped = value.u64().ok(),
                8 => statistics.delivered = value.u64().ok(),
                _ => {}
            }
        }
        Ok(Record::Statistics { id: declared.id, statistics })
    }
}

impl Declared {
    fn parse(id: InterfaceId, mut fields: Fields<'_>) -> Result<Self, Fault> {
        let (link_type, _reserved, snaplen) = (LinkType::new(fields.u16()?), fields.u16()?, fields.u32()?);
        let (mut interface, mut clock) = (Interface { link_type, ..Interface::default() }, Clock::default());
        for (code, mut value) in fields.options() {
            match code {
                2 => interface.name = value.text().into_owned(),
                3 => interface.description = value.text().into_owned(),
                4 => interface.addresses.extend(ipv4_address(value)),
                5 => interface.addresses.extend(ipv6_address(value)),
                6 => interface.mac = value.array().ok().map(Mac::new),
                8 => interface.speed = value.u64().ok(),
                9 => {
                    clock.resolution =
                        value.array().map_or(clock.resolution, |[byte]| Resolution::from_byte(byte));
                }
                // A 0 byte says that the filter follows as text; others are not for people.
                11 if value.array() == Ok([0]) => interface.filter = value.text().into_owned(),
                14 => clock.offset_s = value.u64().map_or(0, u64::cast_signed),
                _ => {}
            }
        }
        Ok(Self { id, interface, snaplen, clock })
    }

    fn packet<'a>(&'a self, data: &'a [u8]) -> Packet<'a> {
        Packet::bare(self.id, &self.interface, data)
    }
}

#[expect(
    clippy::inline_always,
    reason = "a struct that was just made is slow to move: it waits for its stores"
)]
#[inline(always)]
fn with_options<'a>(mut packet: Packet<'a>, fields: Fields<'a>) -> Packet<'a> {
    for (code, mut value) in fields.options() {
        match code {
            COMMENT if packet.comment.is_empty() => packet.comment = value.text(),
            2 => packet.direction = value.u32().map_or(Direction::Unknown, direction),
            4 => packet.drops = value.u64().unwrap_or(0),
            5 => packet.packet_id = value.u64().ok(),
            8 => packet.process = process(value),
            _ => {}
        }
    }
    packet
}

/// The two lowest bits of a packet's flags.
const fn direction(flags: u32) -> Direction {
    match flags & 3 {
        1 => Direction::In,
        2 => Direction::Out,
        _ => Direction::Unknown,
    }
}

fn process(mut value: Fields<'_>) -> Option<Process> {
    Some(Process { pid: value.u32().ok()?, tid: value.u32().ok()? })
}

fn ipv4_address(mut value: Fields<'_>) -> Option<InterfaceAddress> {
    let address = IpAddr::from(value.array::<4>().ok()?);
    let mask = u32::from_be_bytes(value.array().ok()?);
    Some(InterfaceAddress { address, prefix: u8::try_from(mask.leading_ones()).ok()? })
}

fn ipv6_address(mut value: Fields<'_>) -> Option<InterfaceAddress> {
    let address = IpAddr::from(value.array::<16>().ok()?);
    let [prefix] = value.array().ok()?;
    Some(InterfaceAddress { address, prefix })
}

fn add_line(text: &mut String, line: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(line);
}

/// Every name of every address; records of other kinds (EUI-48, EUI-64) are passed over.
fn names(fields: Fields<'_>) -> Vec<(IpAddr, String)> {
    let mut names = Vec::new();
    for (kind, mut value) in fields.options() {
        let address = match kind {
            1 => value.array::<4>().map(IpAddr::from),
            2 => value.array::<16>().map(IpAddr::from),
            _ => continue,
        };
        let Ok(address) = address else { continue };
        let texts = value.rest().split(|byte| *byte == 0).filter(|text| !text.is_empty());
        names.extend(texts.map(|text| (address, String::from_utf8_lossy(text).into_owned())));
    }
    names
}

fn secrets(mut fields: Fields<'_>) -> Result<Record<'_>, Fault> {
    let (kind, length) = (fields.u32()?, fields.u32()?);
    Ok(Record::Secrets { kind, data: fields.padded(length as usize)? })
}

fn byte_order(magic: [u8; 4]) -> Result<ByteOrder, Fault> {
    [ByteOrder::Little, ByteOrder::Big]
        .into_iter()
        .find(|order| order.u32(magic) == BYTE_ORDER_MAGIC)
        .ok_or(Fault::ByteOrder(magic))
}
