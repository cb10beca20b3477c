//! What other threads may ask of the loop, and read of it.

use std::{
    net::IpAddr,
    sync::{
        atomic::{AtomicU64, AtomicUsize},
        mpsc::Sender,
    },
    time::Duration,
};

use crate::capture::{Event, OpenTap, TapKey};
use crate::sys::Waker;

/// When to stop by oneself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// After that many frames.
    pub packets: Option<u64>,
    /// After that time.
    pub duration: Option<Duration>,
    /// When the last tap has ended.
    pub until_taps_end: bool,
}

/// What other threads may ask of the loop.
pub enum Command {
    /// Listen on one more.
    Arm(Box<OpenTap>),
    /// Deliver what this tap has, then close it.
    End(TapKey),
    /// Addresses have names.
    Names(Vec<(IpAddr, String)>),
    /// Keys came up: lines of a TLS key log.
    KeyLog(Vec<u8>),
    /// Something happened.
    Note(Event),
    /// Write out whatever the sink holds back.
    Flush,
    /// Deliver everything, then end.
    Stop,
}

/// The other threads' end.
#[derive(Clone)]
pub struct Controls {
    pub(super) commands: Sender<Command>,
    pub(super) waker: Waker,
}

impl Controls {
    /// Asks for something; does nothing once the loop has ended.
    pub fn send(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            self.waker.wake();
        }
    }
}

/// Counts for a live display, brought up to date once a turn.
#[derive(Debug, Default)]
pub struct Progress {
    /// Frames delivered.
    pub packets: AtomicU64,
    /// Their captured bytes.
    pub bytes: AtomicU64,
    /// Frames lost in the kernel, as far as known.
    pub lost: AtomicU64,
    /// Taps that live.
    pub taps: AtomicUsize,
}
