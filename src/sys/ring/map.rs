//! The mapped memory of a TPACKET_V3 ring (Documentation/networking/packet_mmap.rst): blocks that the kernel fills and
//! hands over whole, walked in order and handed back.
#![expect(
    unsafe_code,
    reason = "the kernel writes this memory; only the status word says who may touch a block"
)]

use std::{
    io,
    num::NonZeroUsize,
    os::fd::BorrowedFd,
    ptr::NonNull,
    sync::atomic::{AtomicU32, Ordering},
};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use crate::sys::prefetch::prefetch_frame;

/// Where the link-level address of a frame stands behind its header.
const ADDRESS_OFFSET: usize = size_of::<libc::tpacket3_hdr>().next_multiple_of(libc::TPACKET_ALIGNMENT);

/// The ring and the reader's place in it.
pub(super) struct BlockMap {
    start: NonNull<u8>,
    block_size: usize,
    blocks: usize,
    block: usize,
    cursor: Option<Cursor>,
    /// The kernel puts no further frame anywhere.
    is_taken_over: bool,
}

/// A frame's place inside a block that is ours.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    frame: NonNull<u8>,
    left: u32,
    /// Frames were lost before this one. Version 3 tells it of a block, when it is closed, and the gap lies before the
    /// block: the kernel lost them while it had no block to fill.
    is_behind_loss: bool,
}

/// A frame where the kernel put it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) original_len: u32,
    pub(super) time_ns: u64,
    pub(super) status: u32,
    pub(super) is_behind_loss: bool,
    pub(super) vlan_tci: u16,
    pub(super) vlan_tpid: u16,
    pub(super) packet_type: u8,
    /// To the next one.
    pub(super) step: Step,
}

/// The distance between two frames of a block, as the kernel wrote it (bytes).
#[derive(Debug, Clone, Copy)]
pub(super) struct Step(usize);

// SAFETY: the mapping belongs to this value alone and is not tied to a thread.
unsafe impl Send for BlockMap {}

impl BlockMap {
    /// Maps the ring that was requested on `socket`: `blocks` blocks of `block_size` bytes.
    pub(super) fn map(socket: BorrowedFd<'_>, block_size: usize, blocks: usize) -> io::Result<Self> {
        let len = NonZeroUsize::new(block_size * blocks).ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: a fresh mapping at an address of the kernel's choice; it is unmapped only when `self` is dropped.
        let start = unsafe {
            mmap(None, len, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED, socket, 0)?
        };
        Ok(Self { start: start.cast(), block_size, blocks, block: 0, cursor: None, is_taken_over: false })
    }

    /// The next frame, without moving on.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<Slot<'_>> {
        let cursor = self.current()?;
        // SAFETY: `current` vouches that a frame is there; to hand its block back takes `self`, which the answer borrows.
        Some(unsafe { cursor.slot() })
    }

    /// Moves past the frame that `peek` showed, to which `step` belongs; hands the block back after its last one.
    #[inline]
    pub(super) fn advance(&mut self, step: Step) {
        let Some(cursor) = &mut self.cursor else { return };
        cursor.left -= 1;
        if cursor.left == 0 {
            return self.release();
        }
        cursor.is_behind_loss = false;
        // SAFETY: the block is ours until its last frame has been left behind; the kernel put a frame at that distance.
        unsafe {
            cursor.frame = cursor.frame.add(step.0);
            // Where many rings are read in turns, the processor does not guess which line comes next.
            let header = cursor.frame.cast::<libc::tpacket3_hdr>().as_ref();
            prefetch_frame(cursor.frame.add(header.tp_next_offset as usize));
        }
    }

    /// From now on the block that the kernel was filling, and has not handed over, is ours like the others. Only to be
    /// called when the kernel puts no further frame into the ring.
    pub(super) const fn take_over(&mut self) {
        self.is_taken_over = true;
    }

    /// How long it is.
    pub(super) const fn bytes(&self) -> usize {
        self.block_size * self.blocks
    }

    /// Whether the block half a ring ahead is waiting as well.
    pub(super) fn is_half_full(&self) -> bool {
        self.blocks > 1 && self.is_ours((self.block + self.blocks / 2) % self.blocks)
    }

    /// The reader's place, if the block it is in is ours and has a frame left.
    #[inline]
    fn current(&mut self) -> Option<Cursor> {
        self.cursor.or_else(|| self.enter())
    }

    /// Goes into the next block that has a frame, if it is ours.
    fn enter(&mut self) -> Option<Cursor> {
        loop {
            let is_handed_over = self.is_ours(self.block);
            if !is_handed_over && !self.is_taken_over {
                return None;
            }
            let block = self.descriptor(self.block);
            // SAFETY: the acquire load in `is_ours` makes the kernel's writes to this block visible to us. Of one that was
            // taken over, the kernel still writes the header at most, when its timer closes it.
            let header = unsafe { block.as_ref().hdr.bh1 };
            if header.num_pkts == 0 {
                if !is_handed_over {
                    return None;
                }
                self.release();
                continue;
            }
            self.cursor = Some(Cursor {
                // SAFETY: a block that has a frame says where in it the first one is.
                frame: unsafe { block.cast().add(header.offset_to_first_pkt as usize) },
                left: header.num_pkts,
                // A block that was not closed does not tell.
                is_behind_loss: !is_handed_over || header.block_status & libc::TP_STATUS_LOSING != 0,
            });
            return self.cursor;
        }
    }

    fn release(&mut self) {
        let block = self.descriptor(self.block).as_ptr();
        // SAFETY: the block is ours. From now on it holds what the kernel has put in since.
        unsafe { (*block).hdr.bh1.num_pkts = 0 };
        self.status(self.block).store(libc::TP_STATUS_KERNEL, Ordering::Release);
        self.block = (self.block + 1) % self.blocks;
        self.cursor = None;
    }

    fn is_ours(&self, block: usize) -> bool {
        self.status(block).load(Ordering::Acquire) & libc::TP_STATUS_USER != 0
    }

    fn descriptor(&self, block: usize) -> NonNull<libc::tpacket_block_desc> {
        debug_assert!(block < self.blocks);
        // SAFETY: `block` is always taken modulo `blocks`, so this stays inside the mapping, which is page-aligned.
        unsafe { self.start.add(block * self.block_size) }.cast()
    }

    fn status(&self, block: usize) -> &AtomicU32 {
        // SAFETY: the status word is aligned, lives as long as the mapping, and is shared with the kernel only
        // through this word's atomic access.
        unsafe { AtomicU32::from_ptr(&raw mut (*self.descriptor(block).as_ptr()).hdr.bh1.block_status) }
    }
}

impl Cursor {
    /// The frame that is here.
    ///
    /// # Safety
    /// The kernel put a frame's header here, and the block is ours for as long as the answer is used.
    #[inline]
    unsafe fn slot<'a>(self) -> Slot<'a> {
        // SAFETY: per the contract, header, address and `tp_snaplen` bytes at `tp_mac` lie inside the block, and the
        // kernel does not touch them until the block is released.
        unsafe {
            let start = self.frame;
            let header = start.cast::<libc::tpacket3_hdr>().as_ref();
            let address = start.add(ADDRESS_OFFSET).cast::<libc::sockaddr_ll>().as_ref();
            let bytes = std::slice::from_raw_parts(
                start.add(header.tp_mac.into()).as_ptr().cast_const(),
                header.tp_snaplen as usize,
            );
            Slot {
                bytes,
                original_len: header.tp_len,
                time_ns: u64::from(header.tp_sec) * 1_000_000_000 + u64::from(header.tp_nsec),
                status: header.tp_status,
                is_behind_loss: self.is_behind_loss,
                vlan_tci: (header.hv1.tp_vlan_tci & 0xffff) as u16,
                vlan_tpid: header.hv1.tp_vlan_tpid,
                packet_type: address.sll_pkttype,
                step: Step(header.tp_next_offset as usize),
            }
        }
    }
}

impl Drop for BlockMap {
    fn drop(&mut self) {
        // SAFETY: start and length are those of the mapping, and no borrow of it outlives `self`.
        let unmapped = unsafe { munmap(self.start.cast(), self.block_size * self.blocks) };
        debug_assert!(unmapped.is_ok());
    }
}
