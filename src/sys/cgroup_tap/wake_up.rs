//! When the reader of a ring is woken: at once by the first packet, then after a while for all that came meanwhile, and
//! not at all while there is nothing.
//!
//! A wake-up for each packet would cost more than the packet. So after the first one the programs are told to be quiet
//! until the ring fills up, and a timer looks after the rest, as the block timeout of a packet socket's ring does.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd},
    time::{Duration, Instant},
};

use nix::sys::{
    epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags},
    time::TimeSpec,
    timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags},
};

use super::tables::{AT_ONCE, IF_PRESSED, Tables, WAKE};

/// As long as the block timeout of a ring.
const A_WHILE: Duration = Duration::from_millis(8);

#[derive(Debug)]
pub(super) struct WakeUp {
    /// The ring and the timer, as one descriptor.
    both: Epoll,
    timer: TimerFd,
    /// Until when the programs were told to be quiet.
    quiet_until: Option<Instant>,
}

impl WakeUp {
    pub(super) fn new(tables: &Tables) -> io::Result<Self> {
        let both = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        let readable = EpollEvent::new(EpollFlags::EPOLLIN, 0);
        both.add(tables.ring.descriptor(), readable)?;
        both.add(&timer, readable)?;
        Ok(Self { both, timer, quiet_until: None })
    }

    /// Readable when there is something to look at.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.both.0.as_fd()
    }

    /// To be called whenever the reader looks: tells the programs when to call it again.
    pub(super) fn look(&mut self, tables: &Tables) {
        let is_empty = || tables.ring.waiting() == 0;
        match self.quiet_until {
            None if is_empty() => {}
            Some(until) if Instant::now() < until => {}
            Some(_) if is_empty() => {
                tables.words.store(WAKE, AT_ONCE);
                self.quiet_until = None;
                // A packet that came just before the programs could know does not wake us.
                if !is_empty() {
                    self.be_quiet(tables);
                }
            }
            _ => self.be_quiet(tables),
        }
    }

    fn be_quiet(&mut self, tables: &Tables) {
        // Before the timer is set: when it wakes us, that moment has passed.
        let until = Instant::now() + A_WHILE;
        let expiration = Expiration::OneShot(TimeSpec::from_duration(A_WHILE));
        // Without a timer every packet wakes us: slower, and right.
        if self.timer.set(expiration, TimerSetTimeFlags::empty()).is_ok() {
            tables.words.store(WAKE, IF_PRESSED);
            self.quiet_until = Some(until);
        }
    }
}
