//! The reading end of a ring buffer (Documentation/bpf/ringbuf.rst): records in the order in which programs reserved
//! room for them, read where they lie.
#![expect(
    unsafe_code,
    reason = "the kernel writes this memory; positions and record headers say what is ready"
)]

use std::{
    io,
    num::NonZeroUsize,
    os::fd::BorrowedFd,
    ptr::NonNull,
    slice,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use nix::{
    sys::mman::{MapFlags, ProtFlags, mmap, munmap},
    unistd::{SysconfVar, sysconf},
};

use super::{Error, Map, MapKind};

/// A record's header holds its length and two flags.
const HEADER_BYTES: usize = 8;
const BUSY: u32 = 1 << 31;
const DISCARDED: u32 = 1 << 30;

/// A queue that programs fill and we empty.
#[derive(Debug)]
pub struct RingBuffer {
    map: Map,
    /// Our position, in a page of its own that we may write.
    consumer: NonNull<u8>,
    /// The kernel's position, in a page of its own, and behind that the data. (The kernel has them twice in a row, so that
    /// a record that passes the end lies in one piece. Mapped twice, they would count twice as our memory.)
    producer: NonNull<u8>,
    /// A record that passes the end, in one piece.
    joined: Vec<u8>,
    page: usize,
    size: usize,
    /// How far we are, in bytes since the beginning.
    position: u64,
}

// SAFETY: the mappings belong to this value alone and are not tied to a thread.
unsafe impl Send for RingBuffer {}

impl RingBuffer {
    /// One of about that many bytes: the power of two below it, and a page at least.
    pub fn create(name: &'static str, bytes: usize) -> Result<Self, Error> {
        let failed = |source| Error::Map { name, source };
        let page = page_bytes();
        let size = 1 << bytes.max(page).ilog2();
        let entries = u32::try_from(size).map_err(|_| failed(io::ErrorKind::InvalidInput.into()))?;
        let map = Map::create(name, MapKind::RingBuffer, 0, 0, entries)?;
        let read_write = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        let consumer = map_memory(&map, page, 0, read_write).map_err(failed)?;
        let data = map_memory(&map, page + size, page, ProtFlags::PROT_READ).inspect_err(|_| {
            // SAFETY: nothing else knows of this mapping yet.
            let _ = unsafe { munmap(consumer.cast(), page) };
        });
        Ok(Self {
            consumer,
            producer: data.map_err(failed)?,
            joined: Vec::new(),
            page,
            size,
            position: 0,
            map,
        })
    }

    /// For programs that reserve in it; readable when it is told to wake whoever waits.
    pub fn map(&self) -> &Map {
        &self.map
    }

    /// Readable when a program woke the reader.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.map.descriptor()
    }

    /// How many bytes it holds at most.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How many bytes wait, those of unfinished records included.
    pub fn waiting(&self) -> usize {
        // SAFETY: the page is mapped for as long as `self` lives; the kernel only writes whole positions there.
        let produced = unsafe { self.producer.cast::<AtomicU64>().as_ref() }.load(Ordering::Acquire);
        usize::try_from(produced.wrapping_sub(self.position)).unwrap_or(0).min(self.size)
    }

    /// The next record, without moving on; none where there is none or it is not finished.
    pub fn peek(&mut self) -> Option<&[u8]> {
        loop {
            if self.waiting() < HEADER_BYTES {
                return None;
            }
            let header = self.header();
            if header & BUSY != 0 {
                return None;
            }
            if header & DISCARDED == 0 {
                return Some(self.record(header as usize));
            }
            self.advance();
        }
    }

    /// Moves past the record that `peek` showed.
    pub fn advance(&mut self) {
        let length = (self.header() & !(BUSY | DISCARDED)) as usize;
        self.position += (HEADER_BYTES + length).next_multiple_of(8) as u64;
        // SAFETY: the page is mapped for writing for as long as `self` lives.
        unsafe { self.consumer.cast::<AtomicU64>().as_ref() }.store(self.position, Ordering::Release);
    }

    /// The record of that length at our position.
    fn record(&mut self, length: usize) -> &[u8] {
        let begin = (self.place() + HEADER_BYTES) % self.size;
        let first = length.min(self.size - begin);
        // SAFETY: the kernel has finished the record and does not touch it before we move on, which takes `&mut self`;
        // both pieces lie within the data.
        let pieces = unsafe {
            let data = self.data();
            [
                slice::from_raw_parts(data.add(begin).as_ptr(), first),
                slice::from_raw_parts(data.as_ptr(), length - first),
            ]
        };
        if pieces[1].is_empty() {
            return pieces[0];
        }
        self.joined.clear();
        for piece in pieces {
            self.joined.extend_from_slice(piece);
        }
        &self.joined
    }

    fn header(&self) -> u32 {
        // SAFETY: there is a record at our position, all of whose headers lie whole before the end (records are padded to
        // eight bytes), and the kernel writes it in one go.
        unsafe { self.data().add(self.place()).cast::<AtomicU32>().as_ref() }.load(Ordering::Acquire)
    }

    /// Where the data begin.
    fn data(&self) -> NonNull<u8> {
        // SAFETY: the data follow the page of the kernel's position, in one mapping.
        unsafe { self.producer.add(self.page) }
    }

    /// Our position in the data.
    fn place(&self) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the size is a power of two: what is cut off is no part of it"
        )]
        let position = self.position as usize;
        position & (self.size - 1)
    }
}

impl Drop for RingBuffer {
    fn drop(&mut self) {
        // SAFETY: starts and lengths are those of the mappings, and no borrow of them outlives `self`.
        let unmapped = unsafe {
            munmap(self.consumer.cast(), self.page).and(munmap(self.producer.cast(), self.page + self.size))
        };
        debug_assert!(unmapped.is_ok());
    }
}

fn map_memory(map: &Map, length: usize, offset: usize, protection: ProtFlags) -> io::Result<NonNull<u8>> {
    let length = NonZeroUsize::new(length).ok_or(io::ErrorKind::InvalidInput)?;
    let offset = i64::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: a fresh mapping at an address of the kernel's choice; it is unmapped only when its owner is dropped.
    let memory = unsafe { mmap(None, length, protection, MapFlags::MAP_SHARED, map.descriptor(), offset)? };
    Ok(memory.cast())
}

fn page_bytes() -> usize {
    let asked = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    asked.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(4096)
}
