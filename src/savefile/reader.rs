//! Reads a capture file of either format, record by record, up to its end or its first damage.
//!
//! Does not look for sound parts behind the damage.

use std::io::Read;

use super::{
    Error, Fault, Format, Part, Record, magic::Magic, pcap_reader::PcapReader, pcapng_reader::PcapngReader,
    source::Source,
};

/// The longest block or packet that is read, in bytes; Wireshark and libpcap draw the same line.
pub(super) const MAX_LENGTH: u32 = 16 * 1024 * 1024;

/// A capture file that is being read. It holds one record at a time, never the file.
#[derive(Debug)]
pub struct Reader<R> {
    source: Source<R>,
    layout: Layout,
    progress: Progress,
}

#[derive(Debug)]
enum Layout {
    Pcapng(PcapngReader),
    Pcap(PcapReader),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Reading,
    Stopped,
}

impl<R: Read> Reader<R> {
    /// Reads the first four bytes to tell the format. The stream needs no buffer of its own.
    pub fn new(stream: R) -> Result<Self, Error> {
        let mut source = Source::new(stream);
        if source.is_at_end(Part::Magic)? {
            return Err(source.error(Part::Magic, Fault::Empty));
        }
        let [magic] = source.peek_words(Part::Magic)?;
        let layout = match Magic::recognise(magic) {
            Some(Magic::Pcapng) => Layout::Pcapng(PcapngReader::default()),
            Some(Magic::Pcap { order, unit_ns }) => Layout::Pcap(PcapReader::new(order, unit_ns)),
            Some(Magic::Relative(name)) => return Err(source.error(Part::Magic, Fault::Unsupported(name))),
            None => return Err(source.error(Part::Magic, Fault::NotACapture(magic))),
        };
        Ok(Self { source, layout, progress: Progress::Reading })
    }

    /// What kind of file it is.
    pub const fn format(&self) -> Format {
        match self.layout {
            Layout::Pcapng(_) => Format::Pcapng,
            Layout::Pcap(_) => Format::Pcap,
        }
    }

    /// The next record; none at the end, and none after an error.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, Error> {
        let Self { source, layout, progress } = self;
        if *progress == Progress::Stopped {
            return Ok(None);
        }
        let record = match layout {
            Layout::Pcapng(pcapng) => pcapng.next_record(source),
            Layout::Pcap(pcap) => pcap.next_record(source),
        };
        if !matches!(record, Ok(Some(_))) {
            *progress = Progress::Stopped;
        }
        record
    }
}
