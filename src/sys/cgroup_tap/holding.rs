//! Who holds which socket, looked up by a thread of its own when somebody asks, and not too often.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};

use crate::sys::{
    Capability,
    cgroup::Cgroup,
    keep_only,
    sock_diag::{Detail, Holder, Query, SockDiag, States, Transport, holders},
};

/// Looks are at least so far apart, and far enough to take up a small part of a processor.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const PAUSES_A_LOOK: u32 = 20;
/// What looking into other people's processes takes.
const NEEDED: [Capability; 2] = [Capability::CAP_SYS_PTRACE, Capability::CAP_DAC_READ_SEARCH];

/// The processes that hold one socket.
#[derive(Debug, Clone)]
pub(super) struct Holding {
    /// At least one.
    pub(super) pids: Vec<u32>,
    /// Their command; empty where they have different ones.
    pub(super) command: String,
}

type Table = HashMap<u64, Holding>;

/// The asker's end.
#[derive(Debug)]
pub(super) struct Watcher {
    shared: Arc<Shared>,
    thread: Option<Thread>,
    table: Arc<Table>,
    generation: u64,
}

#[derive(Debug, Default)]
struct Shared {
    table: Mutex<Arc<Table>>,
    /// How many looks have been taken.
    generation: AtomicU64,
    is_wanted: AtomicBool,
    is_over: AtomicBool,
}

impl Watcher {
    /// Takes the first look, at the sockets of the calling thread's network namespace that processes of this cgroup hold,
    /// and begins to wait for somebody to ask. Where the kernel does not answer, nobody is known to hold anything.
    pub(super) fn start(cgroup: &Cgroup) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let Ok(mut sockets) = SockDiag::open() else {
            return Ok(Self { shared, thread: None, table: Arc::default(), generation: 0 });
        };
        let table = Arc::new(look(&mut sockets, cgroup));
        let (theirs, cgroup) = (Arc::clone(&shared), cgroup.clone());
        let thread = thread::Builder::new().name("sockets".to_owned()).spawn(move || {
            // Refused only where there is nothing to give up.
            let _ = keep_only(&NEEDED);
            theirs.serve(&mut sockets, &cgroup);
        })?;
        Ok(Self { shared, thread: Some(thread.thread().clone()), table, generation: 0 })
    }

    /// Wishes for another look.
    pub(super) fn ask(&self) {
        if let Some(thread) = &self.thread
            && !self.shared.is_wanted.swap(true, Ordering::AcqRel)
        {
            thread.unpark();
        }
    }

    /// Takes over the latest look.
    pub(super) fn catch_up(&mut self) {
        let latest = self.shared.generation.load(Ordering::Acquire);
        if latest != self.generation {
            self.generation = latest;
            self.table = Arc::clone(&self.shared.table.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// How many looks were taken before the one that answers.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Who holds the socket of that cookie.
    pub(super) fn holding(&self, cookie: u64) -> Option<&Holding> {
        self.table.get(&cookie)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        if let Some(thread) = &self.thread {
            thread.unpark();
        }
    }
}

impl Shared {
    fn serve(&self, sockets: &mut SockDiag, cgroup: &Cgroup) {
        while !self.is_over.load(Ordering::Acquire) {
            if !self.is_wanted.swap(false, Ordering::AcqRel) {
                thread::park();
                continue;
            }
            let begin = Instant::now();
            let table = Arc::new(look(sockets, cgroup));
            *self.table.lock().unwrap_or_else(PoisonError::into_inner) = table;
            self.generation.fetch_add(1, Ordering::AcqRel);
            thread::sleep((begin.elapsed() * PAUSES_A_LOOK).max(SHORTEST_PAUSE));
        }
    }
}

/// The sockets first: one that is passed on meanwhile is found with its new holder.
fn look(sockets: &mut SockDiag, cgroup: &Cgroup) -> Table {
    let mut cookies = Vec::new();
    for transport in [Transport::Tcp, Transport::Udp] {
        let query = Query { transport, states: States::All, detail: Detail::Plain };
        // A kernel that cannot tell of one transport may tell of the other.
        let _ = sockets.sockets(query, |socket| {
            cookies.extend(socket.inode.map(|inode| (socket.cookie.0, inode)));
        });
    }
    let holders = holders(cgroup.processes());
    let held =
        cookies.into_iter().filter_map(|(cookie, inode)| Some((cookie, holding(holders.get(&inode)?))));
    held.collect()
}

fn holding(holders: &[Holder]) -> Holding {
    let first = holders.first().map(|holder| &*holder.command).unwrap_or_default();
    let is_common = holders.iter().all(|holder| &*holder.command == first);
    let command = if is_common { first.to_owned() } else { String::new() };
    Holding { pids: holders.iter().map(|holder| holder.pid).collect(), command }
}
