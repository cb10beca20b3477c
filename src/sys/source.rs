//! Where frames come from: the one trait that the capture loop knows of the kernel.

use std::{
    io,
    ops::ControlFlow,
    os::fd::BorrowedFd,
    time::{Duration, SystemTime},
};

use crate::model::{Frame, Link, LinkKind, LinkName, MediaType};

use super::filter::{FilterError, LinkFilter};

/// An armed tap on one interface.
///
/// Frames are borrowed for the duration of one call. Nothing waits in here: the caller polls [`descriptor`].
///
/// [`descriptor`]: FrameSource::descriptor
pub trait FrameSource: Send {
    /// Readable when frames can be had; in error when the interface went down or away.
    fn descriptor(&self) -> BorrowedFd<'_>;

    /// The time (ns since the epoch) of the first frame that can be had without waiting.
    fn next_time(&mut self) -> Option<u64>;

    /// Hands over the frames that can be had without waiting and are not later than `until`, oldest first, each with
    /// the number of frames known to be lost just before it, until `each` breaks off.
    fn drain(&mut self, until: u64, each: &mut FrameVisitor<'_>) -> ControlFlow<()>;

    /// By then at the latest a frame that has its time stamp can be had.
    fn delay(&self) -> Duration;

    /// Whether frames are waiting in more than half of the buffer, so that holding them back would risk loss.
    fn is_pressed(&self) -> bool;

    /// Lets no further frame in; those already taken can still be drained.
    fn close_gate(&mut self);

    /// What the kernel has gathered and not handed over can be had from now on. To be called once the gate is closed and
    /// the kernel is done with the frames that it had let in ([`wait_for_grace_period`](super::wait_for_grace_period)). False where
    /// they can only be waited for, until `delay` is over.
    fn take_over(&mut self) -> bool {
        false
    }

    /// Whether the interface is still there (up or down).
    fn interface_exists(&self) -> bool;

    /// A further descriptor, which is in error when it is time to ask [`interface_exists`](Self::interface_exists), where
    /// the first one does not tell.
    fn watched(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Room for frames that wait (bytes).
    fn buffer_bytes(&self) -> usize;

    /// What passed so far, lost frames included.
    fn counters(&mut self) -> SourceCounters;
}

/// Is handed each frame and the number of frames lost before it.
pub type FrameVisitor<'a> = dyn FnMut(&Frame<'_>, u64) -> ControlFlow<()> + 'a;

/// What a source counted since it was armed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SourceCounters {
    /// Frames that passed the filter, lost ones included.
    pub passed: u64,
    /// Of these, how many were lost for want of room in the buffer.
    pub lost: u64,
}

/// What a source is opened with.
#[derive(Debug, Clone, Copy)]
pub struct SourceOptions<'a> {
    /// The interface, in the calling thread's namespace.
    pub link: &'a Link,
    /// Room for frames that wait, in bytes.
    pub buffer_bytes: usize,
    /// Frames are cut to that many bytes.
    pub snaplen: u32,
    /// Whether what follows the headers is kept.
    pub payload: Payload,
    /// Which frames pass; `None`: all.
    pub filter: Option<&'a LinkFilter>,
    /// Whether frames for others are asked for, too.
    pub promiscuous: bool,
    /// What frames begin with.
    pub link_layer: LinkLayer,
    /// How soon frames are wanted.
    pub pace: Pace,
}

/// How soon frames are wanted, where few come: many are handed over for the price of one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pace {
    /// Somebody watches them come.
    #[default]
    Live,
    /// They go to a file that is read later.
    Bulk,
    /// The same, and no other tap's frames have to wait for them yet.
    First,
    /// Nor will they ever.
    Alone,
    /// They wait for a second anyhow. Each block that is handed over counts as full, so that few of them may be: of
    /// the fewest that a ring has, two or three are taken by that second.
    Patient,
}

impl Pace {
    /// The kernel hands over what it has after one to two of these times.
    pub(super) const fn block_timeout_ms(self) -> u32 {
        match self {
            Self::Live => 8,
            Self::Bulk => 64,
            Self::First => 100,
            Self::Alone | Self::Patient => 500,
        }
    }

    /// The second of them is over by then, for certain, and the kernel's timer and the scheduler have had their time.
    pub(super) fn delay(self) -> Duration {
        Duration::from_millis((2 * self.block_timeout_ms() + 14).into())
    }
}

/// What becomes of the bytes behind a frame's headers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Payload {
    /// They are kept.
    #[default]
    Kept,
    /// They never leave the kernel.
    Dropped,
}

/// What frames begin with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LinkLayer {
    /// An Ethernet header; on interfaces that have none it is made up.
    #[default]
    Ethernet,
    /// Whatever the interface has.
    Native,
}

impl SourceOptions<'_> {
    /// Whether each frame is to get a made-up header.
    pub(super) fn needs_header(&self) -> bool {
        self.link.media == MediaType::RawIp && self.link_layer == LinkLayer::Ethernet
    }

    /// Whether the interface must be told to let frames for others in, too: a cable and a loopback never keep them out.
    pub(super) fn needs_promiscuity(&self) -> bool {
        self.promiscuous && !matches!(self.link.kind, LinkKind::Loopback | LinkKind::Veth)
    }
}

/// Why there is no source.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The kernel refused a step.
    #[error("{operation} interface {link}")]
    Kernel {
        /// What was tried, up to the word "interface".
        operation: &'static str,
        /// On which interface.
        link: LinkName,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The filter does not fit the interface.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// libpcap refused; its words are all there is.
    #[error("opening interface {link} by libpcap: {reason}")]
    Libpcap {
        /// Which interface.
        link: LinkName,
        /// libpcap's words.
        reason: String,
    },
}

impl SourceError {
    pub(super) fn new(operation: &'static str, link: &Link, source: io::Error) -> Self {
        Self::Kernel { operation, link: link.name.clone(), source }
    }
}

/// The clock that frames are stamped with.
pub(super) fn now_ns() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}
