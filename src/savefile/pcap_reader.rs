//! Classic pcap of either byte order, with microseconds or nanoseconds.

use std::io::Read;

use super::{
    Error, Fault, Interface, InterfaceId, LinkType, MAX_SNAPLEN, Packet, Part, Record, fields::ByteOrder,
    reader::MAX_LENGTH, source::Source,
};

const FILE_HEADER: usize = 24;
const PACKET_HEADER: usize = 16;
/// The only interface there is.
const ID: InterfaceId = InterfaceId::new(0);

/// Where in a classic pcap file reading stands.
#[derive(Debug)]
pub(super) struct PcapReader {
    order: ByteOrder,
    unit_ns: u32,
    interface: Interface,
    /// The most bytes a packet can have; a length above it is damage. None before the file header is read.
    limit: Option<u32>,
}

impl PcapReader {
    pub(super) fn new(order: ByteOrder, unit_ns: u32) -> Self {
        Self { order, unit_ns, interface: Interface::default(), limit: None }
    }

    /// The file header gives the interface, each packet record a packet.
    pub(super) fn next_record<'a, R: Read>(
        &'a mut self,
        source: &'a mut Source<R>,
    ) -> Result<Option<Record<'a>>, Error> {
        match self.limit {
            None => {
                self.read_header(source)?;
                Ok(Some(Record::Interface { id: ID, interface: &self.interface }))
            }
            Some(_) if source.is_at_end(Part::PacketRecord)? => Ok(None),
            Some(limit) => self.packet(limit, source).map(|packet| Some(Record::Packet(packet))),
        }
    }

    fn packet<'a, R: Read>(&'a self, limit: u32, source: &'a mut Source<R>) -> Result<Packet<'a>, Error> {
        let part = Part::PacketRecord;
        let words: [_; 4] = source.peek_words(part)?;
        let [seconds, fraction, captured, original_len] = words.map(|word| self.order.u32(word));
        if captured > limit {
            return Err(source.error(part, Fault::TooLong { length: captured, limit }));
        }
        let data = &source.take(part, PACKET_HEADER + captured as usize)?[PACKET_HEADER..];
        let time_ns = u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * u64::from(self.unit_ns);
        let packet = Packet::bare(ID, &self.interface, data);
        Ok(Packet { time_ns, original_len, ..packet })
    }

    fn read_header<R: Read>(&mut self, source: &mut Source<R>) -> Result<(), Error> {
        let words: [_; 6] = source.peek_words(Part::FileHeader)?;
        source.take(Part::FileHeader, FILE_HEADER)?;
        let [_magic, _version, _zone, _accuracy, snaplen, network] = words.map(|word| self.order.u32(word));
        // The upper half tells of frame check sequences.
        self.interface.link_type = LinkType::new((network & 0xffff) as u16);
        self.limit = Some(snaplen.clamp(MAX_SNAPLEN, MAX_LENGTH));
        Ok(())
    }
}
