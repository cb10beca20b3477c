//! Sends an exactly known number of numbered frames, from one thread on one core, at a rate kept by the clock in small
//! batches, or as fast as they go.
//!
//! Frames leave through packet sockets as prepared; the kernel shows each one to the taps of `eth0` before the veth.

use std::{
    os::fd::{AsRawFd, OwnedFd},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use nix::{
    errno::Errno,
    ifaddrs::getifaddrs,
    setsockopt_impl, sockopt_impl,
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, bind, setsockopt},
    time::{ClockId, clock_gettime},
};

use crate::{
    core::Core,
    frame::{Batch, Shape},
    interrupt,
    lab::Place,
};

sockopt_impl!(
    /// Each frame is preceded by a `struct virtio_net_hdr` (packet(7)).
    VnetHeader, SetOnly, libc::SOL_PACKET, libc::PACKET_VNET_HDR, libc::c_int
);

/// Batches of a paced load are so small that this many go out each second.
const BATCHES_PER_SECOND: u32 = 20_000;
/// What the generator may lag behind.
const KEEPS_PACE: f64 = 1.03;

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
    /// How much of that the sending thread was kept from its core, if it fell behind.
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
            Pace::PerSecond(rate) => (rate / BATCHES_PER_SECOND).max(1) as usize,
            Pace::FlatOut => usize::MAX,
        };
        paced.min(self.shape.most_at_once())
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
            let sockets = from.iter().map(open).collect::<Result<Vec<_>>>()?;
            send_all(load, &sockets)
        });
        sender.join().unwrap_or_else(|_| Err(anyhow!("the generator panicked")))
    })
}

fn send_all(load: &Load, sockets: &[OwnedFd]) -> Result<Sent> {
    let mut batch = load.shape.batch(load.batch());
    let cpu_before = own_cpu()?;
    let start = Instant::now();
    let mut number = 0;
    for socket in sockets.iter().cycle() {
        let left = load.count - number;
        if left == 0 {
            break;
        }
        if left < batch.frames() as u64 {
            batch = load.shape.batch(usize::try_from(left)?);
        }
        interrupt::check()?;
        batch.number_from(number);
        number += batch.frames() as u64;
        wait_until(start + load.due(number));
        send_batch(socket, &batch).with_context(|| format!("sending frame {number}"))?;
    }
    let elapsed = start.elapsed();
    // It never sleeps: what it was not on its core for, somebody else was.
    let away = elapsed.saturating_sub(own_cpu()?.saturating_sub(cpu_before));
    let disturbed = if elapsed > load.due(number).mul_f64(KEEPS_PACE) { away } else { Duration::ZERO };
    Ok(Sent { count: number, elapsed, disturbed })
}

fn send_batch(socket: &OwnedFd, batch: &Batch) -> Result<()> {
    loop {
        match nix::sys::socket::send(socket.as_raw_fd(), batch.bytes(), MsgFlags::empty()) {
            Err(Errno::EINTR) => {}
            Ok(_) => return Ok(()),
            Err(errno) => bail!(errno),
        }
    }
}

/// CPU time of the calling thread.
fn own_cpu() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

/// The core is the generator's own: spinning keeps the pace best.
fn wait_until(due: Instant) {
    while Instant::now() < due {
        std::hint::spin_loop();
    }
}

/// A packet socket that only sends, on the interface of a namespace.
fn open(place: &Place) -> Result<OwnedFd> {
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
        setsockopt(&socket, VnetHeader, &1).context("asking for packets that the kernel cuts")?;
        Ok(socket)
    })?
}
