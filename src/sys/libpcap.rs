//! libpcap as a frame source: the second opinion, for kernels where the ring does not work. Knows no direction.

use std::{
    ops::ControlFlow,
    os::fd::{AsRawFd, BorrowedFd},
    time::Duration,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pcap::{Active, Capture, Packet, Precision, Stat};

use crate::model::{Direction, Frame, made_up_ethernet};

use super::{
    filter::{NOTHING, socket_program},
    ring::socket::{attach_filter, has_interface},
    source::{FrameSource, FrameVisitor, Pace, SourceCounters, SourceError, SourceOptions, now_ns},
};

/// An activated libpcap capture.
pub struct LibpcapSource {
    capture: Capture<Active>,
    needs_header: bool,
    pace: Pace,
    buffer_bytes: usize,
    /// libpcap cannot look ahead, so one frame is kept back.
    next: Option<Kept>,
    /// When the filter was in place. libpcap listens from the moment it opens, so frames before that are none of ours.
    armed_ns: u64,
    /// How many those were.
    early: u64,
    /// Later frames are not handed over.
    closed_ns: u64,
    /// The last look found nothing.
    is_idle: bool,
    kernel: KernelCounters,
    reported_lost: u64,
}

/// libpcap's counters, which wrap around at 32 bits, made to last.
#[derive(Default)]
struct KernelCounters {
    last: [u32; 2],
    received: u64,
    lost: u64,
}

impl KernelCounters {
    fn add(&mut self, stat: Stat) {
        self.received += u64::from(stat.received.wrapping_sub(self.last[0]));
        self.lost += u64::from(stat.dropped.wrapping_sub(self.last[1]));
        self.last = [stat.received, stat.dropped];
    }
}

struct Kept {
    bytes: Vec<u8>,
    original_len: u32,
    time_ns: u64,
}

impl LibpcapSource {
    /// Opens and arms a capture in the calling thread's namespace.
    ///
    /// libpcap would compile the filter here and look its names up in the container; so the socket gets the same
    /// instructions as that of the ring, without libpcap's knowledge.
    pub fn open(options: &SourceOptions<'_>) -> Result<Self, SourceError> {
        let link = options.link;
        // What is gathered when it is to end can only be waited for.
        let pace = match options.pace {
            Pace::First | Pace::Alone => Pace::Bulk,
            pace => pace,
        };
        let refused =
            |error: pcap::Error| SourceError::Libpcap { link: link.name.clone(), reason: error.to_string() };
        let capture = Capture::from_device(link.name.as_str())
            .map_err(refused)?
            .promisc(options.needs_promiscuity())
            .snaplen(options.snaplen.cast_signed())
            .buffer_size(i32::try_from(options.buffer_bytes).unwrap_or(i32::MAX))
            .timeout(pace.block_timeout_ms().cast_signed())
            .precision(Precision::Nano)
            .open()
            .and_then(Capture::setnonblock)
            .map_err(refused)?;
        attach_filter(descriptor(&capture), &mut socket_program(options))
            .map_err(|error| SourceError::new("attaching the filter to", link, error))?;
        Ok(Self {
            capture,
            needs_header: options.needs_header(),
            pace,
            buffer_bytes: options.buffer_bytes,
            next: None,
            armed_ns: now_ns(),
            early: 0,
            closed_ns: u64::MAX,
            is_idle: true,
            kernel: KernelCounters::default(),
            reported_lost: 0,
        })
    }

    fn fetch(&mut self) {
        // libpcap would take the error that tells the poller of a vanished interface.
        if self.is_idle && self.has_failed() {
            return;
        }
        while self.next.is_none() {
            let Ok(packet) = self.capture.next_packet() else {
                // Nothing there, or an interface that went down and may come back.
                self.is_idle = true;
                return;
            };
            self.is_idle = false;
            // With nanosecond precision `tv_usec` holds nanoseconds.
            let time = packet.header.ts;
            let time_ns = time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_usec.cast_unsigned();
            if time_ns < self.armed_ns {
                self.early += 1;
                continue;
            }
            self.next = Some(Kept::new(&packet, time_ns, self.needs_header));
        }
    }

    fn has_failed(&self) -> bool {
        let mut polled = [PollFd::new(descriptor(&self.capture), PollFlags::empty())];
        poll(&mut polled, PollTimeout::ZERO).is_ok_and(|failed| failed > 0)
    }

    /// What cannot be asked for stays as it was. Frames let in by a gate that could not be shut do not count.
    fn count(&mut self) {
        if self.closed_ns == u64::MAX
            && let Ok(stat) = self.capture.stats()
        {
            self.kernel.add(stat);
        }
    }
}

impl Kept {
    fn new(packet: &Packet<'_>, time_ns: u64, needs_header: bool) -> Self {
        let mut bytes = Vec::with_capacity(packet.data.len() + 14);
        let mut original_len = packet.header.len;
        if needs_header {
            bytes.extend_from_slice(&made_up_ethernet(packet.data));
            original_len += 14;
        }
        bytes.extend_from_slice(packet.data);
        Self { bytes, original_len, time_ns }
    }
}

#[expect(unsafe_code, reason = "libpcap's crate gives its descriptor as a number only")]
fn descriptor(capture: &Capture<Active>) -> BorrowedFd<'_> {
    // SAFETY: the descriptor is open for as long as the capture, which outlives the borrow.
    unsafe { BorrowedFd::borrow_raw(capture.as_raw_fd()) }
}

impl FrameSource for LibpcapSource {
    fn descriptor(&self) -> BorrowedFd<'_> {
        descriptor(&self.capture)
    }

    fn next_time(&mut self) -> Option<u64> {
        self.fetch();
        self.next.as_ref().map(|kept| kept.time_ns).filter(|time| *time <= self.closed_ns)
    }

    fn drain(&mut self, until: u64, each: &mut FrameVisitor<'_>) -> ControlFlow<()> {
        self.count();
        loop {
            self.fetch();
            let until = until.min(self.closed_ns);
            let Some(kept) = self.next.take_if(|kept| kept.time_ns <= until) else {
                return ControlFlow::Continue(());
            };
            let frame = Frame::whole(&kept.bytes, kept.original_len, kept.time_ns, Direction::Unknown);
            let lost = self.kernel.lost - self.reported_lost;
            self.reported_lost = self.kernel.lost;
            each(&frame, lost)?;
        }
    }

    fn delay(&self) -> Duration {
        self.pace.delay()
    }

    fn is_pressed(&self) -> bool {
        false
    }

    fn close_gate(&mut self) {
        if attach_filter(descriptor(&self.capture), &mut [NOTHING]).is_err() {
            self.count();
            self.closed_ns = now_ns();
        }
    }

    fn interface_exists(&self) -> bool {
        has_interface(descriptor(&self.capture))
    }

    fn buffer_bytes(&self) -> usize {
        self.buffer_bytes
    }

    fn counters(&mut self) -> SourceCounters {
        self.count();
        let KernelCounters { received, lost, .. } = self.kernel;
        SourceCounters { passed: received.saturating_sub(self.early), lost }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_go_on_where_libpcaps_wrap_around() {
        let mut counters = KernelCounters::default();
        for (received, dropped) in [(u32::MAX, 7), (2, 7), (2, 8)] {
            counters.add(Stat { received, dropped, if_dropped: 0 });
        }
        assert_eq!((counters.received, counters.lost), (u64::from(u32::MAX) + 3, 8));
    }
}
