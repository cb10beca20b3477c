//! Writes what a capture saw, in either format, into memory that the caller empties into its file.
//!
//! Opens and writes nothing itself, so that it cannot fail.

use std::net::IpAddr;

use super::{
    Gathered, Interface, InterfaceId, PacketOptions, Section, Statistics, pcap_encoder::PcapEncoder,
    pcapng_encoder::PcapngEncoder,
};
use crate::model::Frame;

/// The longest packet that libpcap accepts in a file (`MAXIMUM_SNAPLEN`), in bytes.
pub const MAX_SNAPLEN: u32 = 262_144;

/// The layout of a capture file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// Interfaces, names, events and counters beside the packets.
    #[default]
    Pcapng,
    /// Packets alone, as every tool reads them, with nanoseconds.
    Pcap,
}

/// Appends whole blocks to a buffer: write [`bytes`](Self::bytes) where they belong, then [`clear`](Self::clear).
///
/// A file begins with [`section`](Self::section), then come interfaces, then anything in any order; further interfaces
/// may follow at any time. To begin another file, do the same again: each file stands alone. All packets of a file have
/// the same link type (Ethernet) and snapshot length, because libpcap refuses files in which they differ.
///
/// A classic file has no place for interfaces, names, events, keys and counters; they are left out.
pub struct Encoder(Layout);

enum Layout {
    Pcapng(Box<PcapngEncoder>),
    Pcap(PcapEncoder),
}

impl Encoder {
    /// An empty one. Packets are cut to `snaplen` bytes; 0 and all beyond [`MAX_SNAPLEN`] mean that.
    pub fn new(format: Format, snaplen: u32) -> Self {
        let snaplen = if snaplen == 0 { MAX_SNAPLEN } else { snaplen.min(MAX_SNAPLEN) };
        Self(match format {
            Format::Pcapng => Layout::Pcapng(Box::new(PcapngEncoder::new(snaplen))),
            Format::Pcap => Layout::Pcap(PcapEncoder::new(snaplen)),
        })
    }

    /// Goes on in other memory, which has to be cleared then, and gives away what was gathered.
    pub fn replace(&mut self, memory: Gathered) -> Gathered {
        match &mut self.0 {
            Layout::Pcapng(pcapng) => pcapng.replace(memory),
            Layout::Pcap(pcap) => pcap.replace(memory),
        }
    }

    /// What was appended since the last [`clear`](Self::clear): whole blocks.
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Layout::Pcapng(pcapng) => pcapng.bytes(),
            Layout::Pcap(pcap) => pcap.bytes(),
        }
    }

    /// The memory that comes next.
    #[inline]
    pub fn room(&self) -> &[u8] {
        match &self.0 {
            Layout::Pcapng(pcapng) => pcapng.room(),
            Layout::Pcap(pcap) => pcap.room(),
        }
    }

    /// Forgets the bytes, keeps their memory. What comes next is for that place in the file (bytes from its start): it
    /// will lie at the same place within a page of memory, so that it can be written without a further copy.
    pub fn clear(&mut self, offset: u64) {
        match &mut self.0 {
            Layout::Pcapng(pcapng) => pcapng.clear(offset),
            Layout::Pcap(pcap) => pcap.clear(offset),
        }
    }

    /// Begins a file; interfaces declared before are forgotten.
    pub fn section(&mut self, section: &Section) {
        match &mut self.0 {
            Layout::Pcapng(pcapng) => pcapng.section(section),
            Layout::Pcap(pcap) => pcap.header(),
        }
    }

    /// Declares an interface of this file. Its number is the count of those declared since [`section`](Self::section).
    pub fn interface(&mut self, interface: &Interface) -> InterfaceId {
        match &mut self.0 {
            Layout::Pcapng(pcapng) => pcapng.interface(interface),
            Layout::Pcap(pcap) => pcap.interface(),
        }
    }

    /// Names addresses. The first name of an address is the one Wireshark shows.
    pub fn names<'n>(&mut self, names: impl IntoIterator<Item = (IpAddr, &'n str)>) {
        if let Layout::Pcapng(pcapng) = &mut self.0 {
            pcapng.names(names);
        }
    }

    /// Adds a packet, cut to the snapshot length.
    ///
    /// # Panics
    /// If the interface was not declared in this file.
    #[inline]
    pub fn packet(&mut self, interface: InterfaceId, frame: &Frame<'_>, options: &PacketOptions<'_>) {
        match &mut self.0 {
            Layout::Pcapng(pcapng) => pcapng.packet(interface, frame, options),
            Layout::Pcap(pcap) => pcap.packet(frame),
        }
    }

    /// Adds an event as a systemd journal entry. Of the time (nanoseconds since the epoch) it keeps whole microseconds.
    ///
    /// Fields are named as systemd.journal-fields(7) has it: `MESSAGE` is the text, `PRIORITY` 0 to 7 as in syslog(3),
    /// own names in capitals, digits and underscores. A field of another name is left out.
    pub fn event(&mut self, time_ns: u64, fields: &[(&str, &str)]) {
        if let Layout::Pcapng(pcapng) = &mut self.0 {
            pcapng.event(time_ns, fields);
        }
    }

    /// Adds lines of a TLS key log. Readers that go through a file once decrypt only what comes behind them.
    pub fn key_log(&mut self, lines: &[u8]) {
        if let Layout::Pcapng(pcapng) = &mut self.0 {
            pcapng.key_log(lines);
        }
    }

    /// Adds the counters of an interface.
    ///
    /// # Panics
    /// If the interface was not declared in this file.
    pub fn statistics(&mut self, interface: InterfaceId, statistics: &Statistics) {
        if let Layout::Pcapng(pcapng) = &mut self.0 {
            pcapng.statistics(interface, statistics);
        }
    }
}

/// Puts 32-bit numbers, the unit of both formats, least significant byte first. Answers with what is left of `out`.
#[inline]
pub(super) fn put_words<const N: usize>(out: &mut [u8], words: [u32; N]) -> &mut [u8] {
    let (here, rest) = out.split_at_mut(4 * N);
    here.copy_from_slice(words.map(u32::to_le_bytes).as_flattened());
    rest
}

/// Fills `out` with the first bytes of a frame. Most frames are in one piece.
#[inline]
pub(super) fn put_frame(mut out: &mut [u8], frame: &Frame<'_>) {
    if let Some(bytes) = frame.head.get(..out.len()) {
        out.copy_from_slice(bytes);
        return;
    }
    for piece in [frame.head, frame.insert, frame.tail] {
        let kept = &piece[..piece.len().min(out.len())];
        let (here, rest) = out.split_at_mut(kept.len());
        here.copy_from_slice(kept);
        out = rest;
    }
}

/// How many bytes of a frame are kept, and how many it had on the wire.
#[inline]
pub(super) fn lengths(frame: &Frame<'_>, snaplen: u32) -> (u32, u32) {
    let seen = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    (seen.min(snaplen), seen.max(frame.original_len))
}
