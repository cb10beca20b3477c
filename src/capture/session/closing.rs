//! Letting taps go. The kernel waits for two grace periods before a packet socket is closed (net/packet/af_packet.c,
//! `packet_release`), some 25 ms: so whoever has other rings to empty leaves it to a thread, and many are closed at once.

use std::thread::{self, JoinHandle};

use crate::capture::OpenTap;

/// So many taps are closed one after the other.
const SHARE: usize = 4;

/// Taps that are not listened to any more.
#[derive(Default)]
pub(super) struct Closing {
    open: Vec<OpenTap>,
    threads: Vec<JoinHandle<()>>,
}

impl Closing {
    /// Keeps a tap to be closed with others.
    pub(super) fn add(&mut self, tap: OpenTap) {
        self.open.push(tap);
    }

    /// Closes those that were added, by and by.
    pub(super) fn begin(&mut self) {
        while !self.open.is_empty() {
            let share = self.share();
            // Without a thread it is done here: what it was to take along is dropped.
            self.threads.extend(thread::Builder::new().name("close".to_owned()).spawn(|| drop(share)));
        }
        self.threads.retain(|thread| !thread.is_finished());
    }

    /// Closes those that were added, and answers when all are closed.
    pub(super) fn finish(mut self) {
        let own = self.share();
        self.begin();
        drop(own);
        for thread in self.threads {
            let _ = thread.join();
        }
    }

    fn share(&mut self) -> Vec<OpenTap> {
        self.open.split_off(self.open.len().saturating_sub(SHARE))
    }
}
