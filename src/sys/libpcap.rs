//! libpcap as a frame source: the second opinion, for kernels where the ring does not work. Knows no direction.

use std::{
    ops::ControlFlow,
    os::fd::{AsRawFd, BorrowedFd},
};

use pcap::{Active, Capture, Precision};

use crate::model::{Direction, Frame, LinkKind, made_up_ethernet};

use super::{
    Filter,
    ring::BLOCK_TIMEOUT_MS,
    source::{FrameSource, FrameVisitor, SourceCounters, SourceError, SourceOptions},
};

/// An activated libpcap capture.
pub struct LibpcapSource {
    capture: Capture<Active>,
    needs_header: bool,
    /// libpcap cannot look ahead, so one frame is kept back.
    next: Option<Kept>,
    gone: bool,
    reported_lost: u64,
}

struct Kept {
    bytes: Vec<u8>,
    original_len: u32,
    time_ns: u64,
}

impl LibpcapSource {
    /// Opens and arms a capture in the calling thread's namespace.
    pub fn open(options: &SourceOptions<'_>) -> Result<Self, SourceError> {
        let link = options.link;
        let refused =
            |error: pcap::Error| SourceError::Libpcap { link: link.name.clone(), reason: error.to_string() };
        let mut capture = Capture::from_device(link.name.as_str())
            .map_err(refused)?
            .promisc(options.promiscuous && link.kind != LinkKind::Loopback)
            .snaplen(options.snaplen.cast_signed())
            .buffer_size(i32::try_from(options.buffer_bytes).unwrap_or(i32::MAX))
            .timeout(BLOCK_TIMEOUT_MS.cast_signed())
            .precision(Precision::Nano)
            .open()
            .and_then(Capture::setnonblock)
            .map_err(refused)?;
        if let Some(filter) = options.filter.map(Filter::expression) {
            capture.filter(filter, true).map_err(refused)?;
        }
        Ok(Self { capture, needs_header: options.needs_header(), next: None, gone: false, reported_lost: 0 })
    }

    fn fetch(&mut self) {
        if self.next.is_some() {
            return;
        }
        match self.capture.next_packet() {
            Ok(packet) => {
                let mut bytes = Vec::with_capacity(packet.data.len() + 14);
                let mut original_len = packet.header.len;
                if self.needs_header {
                    bytes.extend_from_slice(&made_up_ethernet(packet.data));
                    original_len += 14;
                }
                bytes.extend_from_slice(packet.data);
                // With nanosecond precision `tv_usec` holds nanoseconds.
                let time = packet.header.ts;
                let time_ns = time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_usec.cast_unsigned();
                self.next = Some(Kept { bytes, original_len, time_ns });
            }
            Err(pcap::Error::TimeoutExpired | pcap::Error::NoMorePackets) => {}
            Err(_) => self.gone = true,
        }
    }
}

impl FrameSource for LibpcapSource {
    #[expect(unsafe_code, reason = "libpcap's crate gives its descriptor as a number only")]
    fn descriptor(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is open for as long as the capture, which outlives the borrow.
        unsafe { BorrowedFd::borrow_raw(self.capture.as_raw_fd()) }
    }

    fn next_time(&mut self) -> Option<u64> {
        self.fetch();
        self.next.as_ref().map(|kept| kept.time_ns)
    }

    fn drain(&mut self, until: u64, each: &mut FrameVisitor<'_>) -> ControlFlow<()> {
        let lost_before = self.reported_lost;
        self.reported_lost = self.counters().lost;
        let mut lost = self.reported_lost.saturating_sub(lost_before);
        loop {
            self.fetch();
            let Some(kept) = self.next.take_if(|kept| kept.time_ns <= until) else {
                self.reported_lost -= lost;
                return ControlFlow::Continue(());
            };
            let frame = Frame::whole(&kept.bytes, kept.original_len, kept.time_ns, Direction::Unknown);
            each(&frame, std::mem::take(&mut lost))?;
        }
    }

    fn is_pressed(&self) -> bool {
        false
    }

    fn close_gate(&mut self) {
        // Late frames are cut off by their time.
    }

    fn interface_exists(&self) -> bool {
        !self.gone
    }

    fn counters(&mut self) -> SourceCounters {
        self.capture.stats().map_or_else(
            |_| SourceCounters::default(),
            |stats| SourceCounters { passed: stats.received.into(), lost: stats.dropped.into() },
        )
    }
}
