//! Classic pcap, the nanosecond variant: a header, then packets. It has no place for anything else.

use std::mem;

use super::{
    InterfaceId, LinkType,
    encoder::{lengths, put_frame, put_words},
    gathered::Gathered,
    magic::PCAP_NANOSECONDS,
};
use crate::model::Frame;

/// Major and minor version in one word: 2.4.
const VERSION: u32 = 4 << 16 | 2;
const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// Lays out classic pcap.
#[derive(Debug)]
pub(super) struct PcapEncoder {
    out: Gathered,
    snaplen: u32,
    interfaces: u32,
}

impl PcapEncoder {
    pub(super) fn new(snaplen: u32) -> Self {
        Self { out: Gathered::default(), snaplen, interfaces: 0 }
    }

    pub(super) fn replace(&mut self, memory: Gathered) -> Gathered {
        mem::replace(&mut self.out, memory)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.out.bytes()
    }

    #[inline]
    pub(super) fn room(&self) -> &[u8] {
        self.out.room()
    }

    pub(super) fn clear(&mut self, offset: u64) {
        self.out.clear(offset);
    }

    pub(super) fn header(&mut self) {
        self.interfaces = 0;
        let link_type = u32::from(LinkType::ETHERNET.number());
        let header = [PCAP_NANOSECONDS, VERSION, 0, 0, self.snaplen, link_type];
        put_words(self.out.append(4 * header.len()), header);
    }

    /// Counts it, so that callers need not know the format.
    pub(super) fn interface(&mut self) -> InterfaceId {
        let id = InterfaceId::new(self.interfaces);
        self.interfaces += 1;
        id
    }

    pub(super) fn packet(&mut self, frame: &Frame<'_>) {
        let (captured, original) = lengths(frame, self.snaplen);
        // The field ends in 2106.
        let seconds = u32::try_from(frame.time_ns / NANOSECONDS_PER_SECOND).unwrap_or(u32::MAX);
        let nanoseconds = (frame.time_ns % NANOSECONDS_PER_SECOND) as u32;
        let out = self.out.append(16 + captured as usize);
        put_frame(put_words(out, [seconds, nanoseconds, captured, original]), frame);
    }
}
