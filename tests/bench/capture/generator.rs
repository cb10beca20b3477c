//! Sends an exactly known number of numbered frames, from one thread on one core, at a rate kept by the clock in small
//! batches, or as fast as they go.
//!
//! Frames leave through packet sockets as prepared; the kernel shows each one to the taps of `eth0` before the veth.

use std::{
    io::IoSlice,
    os::fd::{AsRawFd, OwnedFd},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use nix::{
    errno::Errno,
    ifaddrs::getifaddrs,
    setsockopt_impl, sockopt_impl,
    sys::socket::{
        AddressFamily, LinkAddr, MsgFlags, MultiHeaders, SockFlag, SockType, bind, sendmmsg, setsockopt,
    },
    time::{ClockId, clock_gettime},
};

use crate::{
    core::Core,
    frame::{Shape, Template},
    interrupt,
    lab::Place,
};

sockopt_impl!(
    /// Each frame is preceded by a `struct virtio_net_hdr` (packet(7)).
    VnetHeader, SetOnly, libc::SOL_PACKET, libc::PACKET_VNET_HDR, libc::c_int
);

/// Batches of a paced load are so small that this many go out each second.
const BATCHES_PER_SECOND: u32 = 20_000;
const LARGEST_BATCH: u32 = 64;
/// Of super-packets, so that they stay in the cache between writing and sending.
const LARGEST_BATCH_BYTES: usize = 256 * 1024;

/// What is to be sent, over all namespaces together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) shape: Shape,
    pub(crate) count: u64,
    pub(crate) pace: Pace,
}

/// How fast.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    PerSecond(u32),
    FlatOut,
}

/// What was sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) count: u64,
    pub(crate) elapsed: Duration,
    /// How much of that the sending thread was kept from its core.
    pub(crate) disturbed: Duration,
}

impl Load {
    /// A load that lasts for a time.
    pub(crate) fn lasting(shape: Shape, per_second: u32, time: Duration) -> Self {
        let count = u64::from(per_second) * u64::try_from(time.as_millis()).unwrap_or(u64::MAX) / 1000;
        Self { shape, count, pace: Pace::PerSecond(per_second) }
    }

    fn batch(&self) -> usize {
        let paced = match self.pace {
            Pace::PerSecond(rate) => (rate / BATCHES_PER_SECOND).clamp(1, LARGEST_BATCH),
            Pace::FlatOut => LARGEST_BATCH,
        };
        (paced as usize).min(LARGEST_BATCH_BYTES / self.shape.len()).max(1)
    }

    /// How long after the start this frame is due.
    fn due(&self, number: u64) -> Duration {
        match self.pace {
            Pace::PerSecond(rate) => Duration::from_nanos(number * 1_000_000_000 / u64::from(rate)),
            Pace::FlatOut => Duration::ZERO,
        }
    }
}

impl Sent {
    /// Frames a second.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub(crate) fn rate(&self) -> f64 {
        self.count as f64 / self.elapsed.as_secs_f64()
    }

    /// The share of the time that the sending thread was kept from its core.
    pub(crate) fn disturbance(&self) -> f64 {
        self.disturbed.as_secs_f64() / self.elapsed.as_secs_f64()
    }
}

/// Sends a load from these namespaces in turn.
pub(crate) fn send(load: &Load, from: &[Place], core: Core) -> Result<Sent> {
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            core.pin()?;
            let sockets = from.iter().map(|place| open(place, load.shape)).collect::<Result<Vec<_>>>()?;
            send_all(load, &sockets)
        });
        sender.join().unwrap_or_else(|_| Err(anyhow!("the generator panicked")))
    })
}

fn send_all(load: &Load, sockets: &[OwnedFd]) -> Result<Sent> {
    let batch = load.batch();
    let mut frames = vec![load.shape.template(); batch];
    let cpu_before = own_cpu()?;
    let start = Instant::now();
    let mut number = 0;
    for socket in sockets.iter().cycle() {
        if number >= load.count {
            break;
        }
        interrupt::check()?;
        let left = usize::try_from(load.count - number).unwrap_or(usize::MAX);
        let frames = &mut frames[..batch.min(left)];
        for (frame, number) in frames.iter_mut().zip(number..) {
            frame.set_number(number);
        }
        number += frames.len() as u64;
        wait_until(start + load.due(number));
        send_batch(socket, frames).with_context(|| format!("sending frame {number}"))?;
    }
    let elapsed = start.elapsed();
    // It never sleeps: what it was not on its core for, somebody else was.
    let disturbed = elapsed.saturating_sub(own_cpu()?.saturating_sub(cpu_before));
    Ok(Sent { count: number, elapsed, disturbed })
}

fn own_cpu() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

/// The core is the generator's own: spinning keeps the pace best.
fn wait_until(due: Instant) {
    while Instant::now() < due {
        std::hint::spin_loop();
    }
}

fn send_batch(socket: &OwnedFd, mut frames: &[Template]) -> Result<()> {
    let mut headers = MultiHeaders::<LinkAddr>::preallocate(frames.len(), None);
    while !frames.is_empty() {
        let slices: Vec<_> = frames.iter().map(|frame| [IoSlice::new(frame.bytes())]).collect();
        let nowhere_else = vec![None; frames.len()];
        let results =
            sendmmsg(socket.as_raw_fd(), &mut headers, &slices, nowhere_else, [], MsgFlags::empty());
        match results {
            Ok(sent) => frames = &frames[sent.count()..],
            Err(Errno::EINTR) => {}
            Err(errno) => bail!(errno),
        }
    }
    Ok(())
}

/// A packet socket that only sends, on the interface of a namespace.
fn open(place: &Place, shape: Shape) -> Result<OwnedFd> {
    place.namespace.within(|| {
        let socket = nix::sys::socket::socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            None, // protocol 0: it is shown no packet
        )?;
        let interface = getifaddrs()?
            .filter(|interface| interface.interface_name == "eth0")
            .find_map(|interface| interface.address?.as_link_addr().copied());
        bind(socket.as_raw_fd(), &interface.context("the namespace has no eth0")?)?;
        if shape.has_vnet_header() {
            setsockopt(&socket, VnetHeader, &1).context("asking for frames that are cut later")?;
        }
        Ok(socket)
    })?
}
