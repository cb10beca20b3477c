//! What the programs of one tap share with each other and with the reader.

use crate::sys::ebpf::{self, Map, MapKind, RingBuffer, SharedWords};

// The words, by index.
/// Packets that passed the filter and found no room.
pub(super) const LOST: usize = 0;
/// Packets that passed the filter.
pub(super) const PASSED: usize = 1;
/// How the reader wants to be woken; one of the next three.
pub(super) const WAKE: usize = 2;
/// Whether a connection has been closed at all: until then nobody looks for one.
pub(super) const ANY_CLOSING: usize = 3;
const WORDS: usize = 4;

/// By the next packet.
pub(super) const AT_ONCE: u64 = 0;
/// It looks by itself after a while; wake it only if the ring fills up.
pub(super) const IF_PRESSED: u64 = 1;
/// It was woken because the ring filled up.
pub(super) const WOKEN: u64 = 2;

/// A connection as one of its ends sees it: both addresses as IPv6, both ports in network order, and zeros.
pub(super) const CONNECTION_BYTES: u32 = 40;
/// Of a closing connection: the socket's cookie, its cgroup, and when a packet was last seen.
pub(super) const CLOSING_BYTES: u32 = 24;
/// Of an echo request: family, identifier, sequence number, and the first eight bytes of what it carries.
pub(super) const ECHO_BYTES: u32 = 16;
/// Of who made a socket: process, thread, command.
pub(super) const MAKER_BYTES: u32 = 24;

/// Connections that are being closed. Most say their last within an instant; who makes a thousand a second has those of
/// the last sixteen seconds here.
const CLOSING_ENTRIES: u32 = 1 << 14;
const ECHO_ENTRIES: u32 = 1 << 10;
/// A socket that was pushed out is found by its holder.
const MAKER_ENTRIES: u32 = 1 << 14;

#[derive(Debug)]
pub(super) struct Tables {
    pub(super) ring: RingBuffer,
    pub(super) words: SharedWords,
    /// Connection → closing.
    pub(super) closing: Map,
    /// Echo request → nothing.
    pub(super) echoes: Map,
    /// Cookie → maker.
    pub(super) makers: Map,
}

impl Tables {
    pub(super) fn create(ring_bytes: usize) -> Result<Self, ebpf::Error> {
        let lru = |name, key, value, entries| Map::create(name, MapKind::LruHash, key, value, entries);
        Ok(Self {
            ring: RingBuffer::create("pcs_packets", ring_bytes)?,
            words: SharedWords::create("pcs_counts", WORDS)?,
            closing: lru("pcs_closing", CONNECTION_BYTES, CLOSING_BYTES, CLOSING_ENTRIES)?,
            echoes: lru("pcs_echoes", ECHO_BYTES, 1, ECHO_ENTRIES)?,
            makers: lru("pcs_makers", 8, MAKER_BYTES, MAKER_ENTRIES)?,
        })
    }
}

/// Where a word is in its array, for programs.
pub(super) fn offset_of(word: usize) -> i32 {
    i32::try_from(word * size_of::<u64>()).expect("there are four")
}
