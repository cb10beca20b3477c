//! The packets of a cgroup's sockets, as a frame source: programs on the group itself hand each packet over.
//!
//! What a container in host mode sends and receives is told from the host's by nothing but its sockets. `program` sees
//! their packets, `echo` keeps other people's pings out, `afterlife` has what comes when a socket is gone (`posts`: where), `makers` knows
//! who made it; `tables` is what they share, `record` what they tell. On our side `owners` joins that with what the kernel
//! says of sockets and their holders (`holding`, `connection`), and `wake_up` decides when to look.

mod afterlife;
mod connection;
mod echo;
mod holding;
mod makers;
mod owners;
mod posts;
mod program;
mod record;
mod tables;
mod wake_up;

use std::{
    fs::File,
    io,
    ops::ControlFlow,
    os::fd::{AsFd as _, BorrowedFd},
    sync::Arc,
    time::Duration,
};

use nix::time::{ClockId, clock_gettime};

use crate::model::{Frame, Link, MediaType, made_up_ethernet};

pub use self::posts::Posts;
use self::{
    holding::Watcher,
    owners::Owners,
    program::{View, Way},
    record::Record,
    tables::{LOST, PASSED, Tables},
    wake_up::WakeUp,
};
use super::{
    cgroup::Cgroup,
    ebpf::{self, Program, ProgramKind, ProgramLink, Untranslatable},
    filter::{FilterError, LinkFilter, cutting_program},
    process,
    source::{FrameSource, FrameVisitor, LinkLayer, Pace, Payload, SourceCounters},
};

/// A ring holds one of the largest packets at least, with room to spare.
const SMALLEST_RING: usize = 256 << 10;
const ETHERNET_HEADER: u32 = 14;

/// Why there is no tap on a cgroup.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel refused a program or a map.
    #[error(transparent)]
    Kernel(#[from] ebpf::Error),
    /// The filter does not fit.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The filter cannot be run there.
    #[error("running the filter on packets of a cgroup")]
    Untranslatable(#[from] Untranslatable),
    /// The kernel refused to wait for packets.
    #[error("waiting for packets of a cgroup")]
    Wait(#[source] io::Error),
}

impl Error {
    /// Whether the cgroup was removed before it could be listened on.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Kernel(ebpf::Error::Attach { source, .. })
            if matches!(source.raw_os_error(), Some(libc::ENOENT | libc::ENODEV)))
    }
}

/// What such a tap is opened with.
#[derive(Debug, Clone, Copy)]
pub struct CgroupTapOptions<'a> {
    /// Whose packets.
    pub cgroup: &'a Cgroup,
    /// The interfaces of the calling thread's namespace, which is that of the group's sockets.
    pub links: &'a [Link],
    /// Room for packets that wait, in bytes.
    pub buffer_bytes: usize,
    /// Packets are cut to that many bytes.
    pub snaplen: u32,
    /// What is kept of their payload.
    pub payload: Payload,
    /// Which packets pass; `None`: all.
    pub filter: Option<&'a LinkFilter>,
    /// What frames begin with.
    pub link_layer: LinkLayer,
    /// What is said of whose each packet is begins with this word: a key and a name.
    pub label: (&'static str, &'a str),
}

/// An armed tap on the sockets of a cgroup.
pub struct CgroupTap {
    tables: Tables,
    cgroup: Cgroup,
    events: Option<File>,
    links: Vec<ProgramLink>,
    wake_up: WakeUp,
    clock: Clock,
    owners: Owners,
    reported_lost: u64,
    link_layer: LinkLayer,
    /// None where packets of connections that are over will be missing, and why.
    posts: Result<Arc<Posts>, ebpf::Error>,
}

impl CgroupTap {
    /// Opens and arms a tap: when this returns, no later packet is missed.
    pub fn open(options: &CgroupTapOptions<'_>) -> Result<Self, Error> {
        let tables = Tables::create(options.buffer_bytes.max(SMALLEST_RING))?;
        // Where all is kept, nothing has to be reckoned.
        let is_plain = options.filter.is_none() && options.payload == Payload::Kept;
        let cutting = (!is_plain)
            .then(|| cutting_program(options.filter, MediaType::RawIp, options.payload, options.snaplen));
        let view = View { snaplen: options.snaplen, filter: cutting.as_deref() };
        let mut links = Vec::new();
        let cgroup = options.cgroup;
        // Programs tell pids of the initial namespace.
        if process::is_in_initial_pid_namespace() {
            for program in makers::programs(&tables)? {
                links.push(program.attach_to_cgroup(cgroup.as_fd(), cgroup.path())?);
            }
        }
        let posts = Posts::load(cgroup, view, &tables)?
            .and_then(|posts| posts.cover(options.links).map(|()| Arc::new(posts)));
        let ways = [
            ("pcs_out", ProgramKind::CgroupEgress, Way::Out),
            ("pcs_in", ProgramKind::CgroupIngress, Way::In),
        ];
        for (name, kind, way) in ways {
            let program = Program::load(name, kind, program::capture(way, &tables, view)?)?;
            links.push(program.attach_to_cgroup(cgroup.as_fd(), cgroup.path())?);
        }
        let (key, name) = options.label;
        let watcher = Watcher::start(cgroup).map_err(Error::Wait)?;
        Ok(Self {
            owners: Owners::new(format!("{key}={}", owners::word(name)), watcher),
            wake_up: WakeUp::new(&tables).map_err(Error::Wait)?,
            tables,
            cgroup: cgroup.clone(),
            events: cgroup.events().ok(),
            links,
            clock: Clock::default(),
            reported_lost: 0,
            link_layer: options.link_layer,
            posts,
        })
    }

    /// The programs that see the last packets of connections that the container has closed; or why those are not seen.
    pub fn posts(&self) -> Result<&Arc<Posts>, &ebpf::Error> {
        self.posts.as_ref()
    }
}

impl FrameSource for CgroupTap {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.wake_up.descriptor()
    }

    fn next_time(&mut self) -> Option<u64> {
        self.wake_up.look(&self.tables);
        let time = self.tables.ring.peek().and_then(Record::new)?.time();
        Some(self.clock.real(time))
    }

    fn drain(&mut self, until: u64, each: &mut FrameVisitor<'_>) -> ControlFlow<()> {
        self.clock.compare();
        self.owners.catch_up();
        while let Some(record) = self.tables.ring.peek().and_then(Record::new) {
            let time_ns = self.clock.real(record.time());
            if time_ns > until {
                break;
            }
            self.clock.keep(time_ns);
            let lost = record.lost().saturating_sub(self.reported_lost);
            self.reported_lost += lost;
            let mut frame = Frame::whole(record.packet(), record.length(), time_ns, record.direction());
            let owner = self.owners.of(record);
            frame.owner = Some(&owner);
            let flow = show(frame, self.link_layer, lost, each);
            self.tables.ring.advance();
            flow?;
        }
        ControlFlow::Continue(())
    }

    fn delay(&self) -> Duration {
        Pace::Live.delay()
    }

    fn is_pressed(&self) -> bool {
        self.tables.ring.waiting() > self.tables.ring.size() / 2
    }

    fn close_gate(&mut self) {
        self.links.clear();
        if let Ok(posts) = &self.posts {
            posts.close();
        }
    }

    fn interface_exists(&self) -> bool {
        self.cgroup.exists()
    }

    fn watched(&self) -> Option<BorrowedFd<'_>> {
        self.events.as_ref().map(|file| file.as_fd())
    }

    fn buffer_bytes(&self) -> usize {
        self.tables.ring.size()
    }

    fn counters(&mut self) -> SourceCounters {
        let words = &self.tables.words;
        SourceCounters { passed: words.load(PASSED), lost: words.load(LOST) }
    }
}

fn show(frame: Frame<'_>, link_layer: LinkLayer, lost: u64, each: &mut FrameVisitor<'_>) -> ControlFlow<()> {
    if link_layer == LinkLayer::Native {
        return each(&frame, lost);
    }
    let header = made_up_ethernet(frame.head);
    let original_len = frame.original_len + ETHERNET_HEADER;
    each(&Frame { head: &[], insert: &header, tail: frame.head, original_len, ..frame }, lost)
}

/// From the monotonic clock, which programs can read, to the one that files are written in.
#[derive(Debug)]
struct Clock {
    /// What the one is behind the other, in nanoseconds.
    offset: u64,
    /// The last time that was told.
    last: u64,
}

impl Default for Clock {
    fn default() -> Self {
        let mut clock = Self { offset: 0, last: 0 };
        clock.compare();
        clock
    }
}

impl Clock {
    /// Compares the clocks, of which one may have been set meanwhile.
    fn compare(&mut self) {
        let before = now(ClockId::CLOCK_MONOTONIC);
        let real = now(ClockId::CLOCK_REALTIME);
        let after = now(ClockId::CLOCK_MONOTONIC);
        self.offset = real.wrapping_sub(before.midpoint(after));
    }

    /// Records of several processors are in the order in which they got room, which differs from that of their times by
    /// an instant: none is told to be earlier than the one before it. After a clock was set back, it is so.
    fn real(&self, monotonic: u64) -> u64 {
        const INSTANT: u64 = 1_000_000;
        let real = monotonic.wrapping_add(self.offset);
        if real < self.last && self.last - real < INSTANT { self.last } else { real }
    }

    fn keep(&mut self, told: u64) {
        self.last = told;
    }
}

fn now(clock: ClockId) -> u64 {
    clock_gettime(clock).map_or(0, |time| {
        let (seconds, rest) = (time.tv_sec().cast_unsigned(), time.tv_nsec().cast_unsigned());
        seconds * 1_000_000_000 + rest
    })
}
