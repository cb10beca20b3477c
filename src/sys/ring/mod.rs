//! A TPACKET_V3 ring as a frame source: the fast way, with direction, VLAN tags and losses from the kernel.

mod map;
pub(super) mod socket;

use std::{io, ops::ControlFlow, os::fd::BorrowedFd, time::Duration};

use crate::model::{Direction, Frame, LinkKind, made_up_ethernet};

use self::{
    map::{BlockMap, Slot},
    socket::{PacketSocket, attach_filter, has_interface},
};
use super::{
    filter::{NOTHING, socket_program},
    source::{FrameSource, FrameVisitor, Pace, SourceCounters, SourceError, SourceOptions, now_ns},
};

/// A wake-up costs as much as two hundred packets of 64 bytes: with 1 MiB, 9 ns more were measured for each of them.
const LARGEST_BLOCK: usize = 1 << 21;
/// Segments that are longer, which takes a `gso_max_size` set to more than that, are cut by it.
const SMALLEST_BLOCK: usize = 1 << 17;
/// While frames are held back, up to five blocks wait that the timer has handed over all but empty: half of all must be more
/// than that, or the ring would look filled up, and leave a burst no room.
const FEWEST_BLOCKS: usize = 16;
const VLAN_ETHERTYPE: u16 = 0x8100;
const MAC_PAIR: usize = 12;

/// An armed ring on one interface.
pub struct Ring {
    socket: PacketSocket,
    map: BlockMap,
    view: View,
    pace: Pace,
    totals: SourceCounters,
    /// Lost frames that no packet has been marked with yet.
    unreported: u64,
    /// All that was handed over by the kernel has been read since the last count: gaps counted then lie behind us.
    caught_up: bool,
    /// Later frames are not handed over.
    closed_ns: u64,
}

/// How a frame in the ring becomes one of ours.
#[derive(Debug, Clone, Copy)]
struct View {
    needs_header: bool,
    loopback: bool,
    snaplen: u32,
}

impl Ring {
    /// Opens and arms a ring in the calling thread's namespace: when this returns, no later frame is missed.
    pub fn open(options: &SourceOptions<'_>) -> Result<Self, SourceError> {
        let link = options.link;
        let view = View {
            needs_header: options.needs_header(),
            loopback: link.kind == LinkKind::Loopback,
            snaplen: options.snaplen,
        };
        let mut program = socket_program(options);
        let failed = |operation| move |source: io::Error| SourceError::new(operation, link, source);

        let socket = PacketSocket::open().map_err(failed("opening a packet socket for"))?;
        socket.use_version_3().map_err(failed("asking for a version 3 ring for"))?;
        let (block_size, blocks) = blocks(options.buffer_bytes);
        socket
            .request_ring(&request(block_size, blocks, options.pace))
            .map_err(failed("reserving the ring of"))?;
        let map =
            BlockMap::map(socket.descriptor(), block_size, blocks).map_err(failed("mapping the ring of"))?;
        attach_filter(socket.descriptor(), &mut program).map_err(failed("attaching the filter to"))?;
        if options.needs_promiscuity() {
            socket.be_promiscuous(link.index).map_err(failed("listening to all frames of"))?;
        }
        socket.bind(link.index).map_err(failed("listening on"))?;
        Ok(Self {
            socket,
            map,
            view,
            pace: options.pace,
            totals: SourceCounters::default(),
            unreported: 0,
            caught_up: true,
            closed_ns: u64::MAX,
        })
    }
}

/// Adds what the kernel counted since the last call.
fn count(socket: &PacketSocket, totals: &mut SourceCounters, unreported: &mut u64) {
    let Ok(recent) = socket.take_statistics() else { return };
    totals.passed += recent.passed;
    totals.lost += recent.lost;
    *unreported += recent.lost;
}

impl FrameSource for Ring {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.descriptor()
    }

    fn next_time(&mut self) -> Option<u64> {
        let time = self.map.peek().map(|slot| slot.time_ns);
        self.caught_up |= time.is_none();
        time.filter(|time| *time <= self.closed_ns)
    }

    fn drain(&mut self, until: u64, each: &mut FrameVisitor<'_>) -> ControlFlow<()> {
        let until = until.min(self.closed_ns);
        while let Some(slot) = self.map.peek().filter(|slot| slot.time_ns <= until) {
            if slot.is_behind_loss {
                count(&self.socket, &mut self.totals, &mut self.unreported);
            }
            // Counting makes the kernel forget the gap: it does not mark the block behind it any more.
            let is_behind_loss = slot.is_behind_loss || self.caught_up;
            let lost = if is_behind_loss { std::mem::take(&mut self.unreported) } else { 0 };
            let (flow, step) = (self.view.show(&slot, lost, each), slot.step);
            self.map.advance(step);
            flow?;
        }
        ControlFlow::Continue(())
    }

    fn delay(&self) -> Duration {
        self.pace.delay()
    }

    fn is_pressed(&self) -> bool {
        self.map.is_half_full()
    }

    fn close_gate(&mut self) {
        // Refused only without memory. Then frames keep coming: they are neither handed over nor counted.
        if attach_filter(self.socket.descriptor(), &mut [NOTHING]).is_err() {
            count(&self.socket, &mut self.totals, &mut self.unreported);
            self.closed_ns = now_ns();
        }
    }

    fn take_over(&mut self) -> bool {
        let is_closed = self.closed_ns == u64::MAX;
        if is_closed {
            self.map.take_over();
        }
        is_closed
    }

    fn interface_exists(&self) -> bool {
        has_interface(self.socket.descriptor())
    }

    fn buffer_bytes(&self) -> usize {
        self.map.bytes()
    }

    fn counters(&mut self) -> SourceCounters {
        if self.closed_ns == u64::MAX {
            count(&self.socket, &mut self.totals, &mut self.unreported);
            self.caught_up = self.map.peek().is_none();
        }
        self.totals
    }
}

impl View {
    #[inline]
    fn show(self, slot: &Slot<'_>, lost: u64, each: &mut FrameVisitor<'_>) -> ControlFlow<()> {
        let mut frame = Frame::whole(
            slot.bytes,
            slot.original_len,
            slot.time_ns,
            direction(slot.packet_type, self.loopback),
        );
        if self.needs_header {
            let header = made_up_ethernet(slot.bytes);
            (frame.head, frame.insert, frame.tail) = (&[], &header, slot.bytes);
            frame.original_len += 14;
            return each(&frame, lost);
        }
        if slot.status & libc::TP_STATUS_VLAN_VALID == 0 || slot.bytes.len() < MAC_PAIR {
            return each(&frame, lost);
        }
        let has_tpid = slot.status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
        let [a, b] = (if has_tpid { slot.vlan_tpid } else { VLAN_ETHERTYPE }).to_be_bytes();
        let [c, d] = slot.vlan_tci.to_be_bytes();
        let tag = [a, b, c, d];
        (frame.head, frame.tail) = slot.bytes.split_at(MAC_PAIR);
        frame.insert = &tag;
        frame.original_len += 4;
        // The tag must not make a cut frame longer than what was asked for.
        let room = (self.snaplen as usize).saturating_sub(MAC_PAIR + tag.len());
        frame.tail = &frame.tail[..frame.tail.len().min(room)];
        each(&frame, lost)
    }
}

fn direction(packet_type: u8, loopback: bool) -> Direction {
    match packet_type {
        _ if loopback => Direction::Unknown,
        libc::PACKET_OUTGOING => Direction::Out,
        _ => Direction::In,
    }
}

/// Block size and number for a ring of about that many bytes.
fn blocks(bytes: usize) -> (usize, usize) {
    let share = (bytes / FEWEST_BLOCKS).clamp(SMALLEST_BLOCK, LARGEST_BLOCK);
    let size = 1 << share.ilog2();
    (size, (bytes / size).max(FEWEST_BLOCKS))
}

fn request(block_size: usize, blocks: usize, pace: Pace) -> libc::tpacket_req3 {
    let number = |value: usize| libc::c_uint::try_from(value).unwrap_or(libc::c_uint::MAX);
    // Version 3 packs frames of any size into a block; the frame size only has to divide it.
    let frame_size = 2048;
    libc::tpacket_req3 {
        tp_block_size: number(block_size),
        tp_block_nr: number(blocks),
        tp_frame_size: number(frame_size),
        tp_frame_nr: number(block_size / frame_size * blocks),
        tp_retire_blk_tov: pace.block_timeout_ms(),
        tp_sizeof_priv: 0,
        tp_feature_req_word: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_has_sixteen_blocks_or_large_ones() {
        let kibibytes = |bytes| {
            let (size, number) = blocks(bytes);
            (size >> 10, number)
        };
        let rings = [1, 2 << 20, 10 << 20, 32 << 20, 96 << 20].map(kibibytes);
        assert_eq!(rings, [(128, 16), (128, 16), (512, 20), (2048, 16), (2048, 48)]);
    }
}
