//! Waiting for many descriptors on one thread (`epoll(7)`), and being woken from another (`eventfd(2)`).

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
    time::Duration,
};

use nix::sys::{
    epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
    eventfd::{EfdFlags, EventFd},
};

const WAKER: u64 = u64::MAX;
const EVENTS_A_TURN: usize = 64;

/// One thread's set of descriptors.
pub struct Poller {
    epoll: Epoll,
    waker: Arc<EventFd>,
}

/// Wakes a [`Poller`] from any thread.
#[derive(Clone)]
pub struct Waker(Arc<EventFd>);

/// What a wait ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Somebody used the [`Waker`].
    Called,
    /// The descriptor of that key can be read.
    Readable(u64),
    /// The descriptor of that key reports an error or an end.
    Failed(u64),
}

impl Poller {
    /// An empty set.
    pub fn new() -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let waker = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
        epoll.add(&*waker, EpollEvent::new(EpollFlags::EPOLLIN, WAKER))?;
        Ok(Self { epoll, waker })
    }

    /// A handle for other threads.
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.waker))
    }

    /// Adds a descriptor under a key of the caller's, which is not `u64::MAX`. It wakes when it *becomes* readable,
    /// not for as long as it is: what is left unread on purpose does not wake.
    pub fn add(&self, descriptor: BorrowedFd<'_>, key: u64) -> io::Result<()> {
        let interest = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        Ok(self.epoll.add(descriptor.as_fd(), EpollEvent::new(interest, key))?)
    }

    /// Adds a descriptor of which only errors and hang-ups are of interest.
    pub fn add_hang_up(&self, descriptor: BorrowedFd<'_>, key: u64) -> io::Result<()> {
        Ok(self.epoll.add(descriptor.as_fd(), EpollEvent::new(EpollFlags::EPOLLET, key))?)
    }

    /// Takes a descriptor out again.
    pub fn remove(&self, descriptor: BorrowedFd<'_>) -> io::Result<()> {
        Ok(self.epoll.delete(descriptor.as_fd())?)
    }

    /// Waits until something happens or the time is over; calls `each` for what happened.
    pub fn wait(&self, at_most: Duration, mut each: impl FnMut(Wake)) -> io::Result<()> {
        let mut events = [EpollEvent::empty(); EVENTS_A_TURN];
        // Rounded up: a wait cut to nothing would have its caller go round and round until the time has come.
        let timeout =
            EpollTimeout::try_from(at_most.as_nanos().div_ceil(1_000_000)).unwrap_or(EpollTimeout::MAX);
        let count = match self.epoll.wait(&mut events, timeout) {
            Ok(count) => count,
            Err(nix::errno::Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        for event in &events[..count] {
            let failed = event.events().intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP);
            each(match event.data() {
                WAKER => {
                    // Reading resets it; that it was reset already is no matter.
                    let _ = self.waker.read();
                    Wake::Called
                }
                key if failed => Wake::Failed(key),
                key => Wake::Readable(key),
            });
        }
        Ok(())
    }
}

impl Waker {
    /// Ends the current or the next wait.
    pub fn wake(&self) {
        // Fails only when the counter is full, and then the poller is being woken anyway.
        let _ = self.0.write(1);
    }
}
