//! Where frames go: a savefile, a pipe, or lines on a terminal.

use std::{io, net::IpAddr, os::fd::BorrowedFd, path::PathBuf, time::Instant};

use crate::model::Frame;

use super::{DestinationError, Event, TapSpec};

/// Takes what the capture loop delivers, in the order of time.
pub trait Sink: Send {
    /// A tap was armed. Its number in later calls is how many were armed before it.
    fn tap(&mut self, spec: &TapSpec) -> Result<(), SinkError>;

    /// A frame of that tap, and how many were lost just before it.
    fn packet(&mut self, tap: usize, frame: &Frame<'_>, lost: u64) -> Result<(), SinkError>;

    /// A tap ended for good.
    fn tap_ended(&mut self, tap: usize, totals: &TapTotals) -> Result<(), SinkError>;

    /// Addresses have names from here on.
    fn names(&mut self, names: &[(IpAddr, String)]) -> Result<(), SinkError>;

    /// What has been sent until now, and comes from here on, can be decrypted with these lines of a TLS key log.
    fn key_log(&mut self, lines: &[u8]) -> Result<(), SinkError> {
        let _ = lines;
        Ok(())
    }

    /// Something happened.
    fn event(&mut self, event: &Event) -> Result<(), SinkError>;

    /// Whether the current file has its fill, and [`Sink::rotate`] must be called before the next frame.
    fn is_full(&self) -> bool {
        false
    }

    /// Begins the next file. Gets the totals of all taps that live.
    fn rotate(&mut self, totals: &[(usize, TapTotals)]) -> Result<(), SinkError> {
        let _ = totals;
        Ok(())
    }

    /// Called once a turn of the loop, with nothing left to deliver: time for flushing and looking at clocks.
    fn settle(&mut self, now: Instant) -> Result<Settled, SinkError>;

    /// Writes out whatever waits in memory.
    fn flush(&mut self) -> Result<(), SinkError>;

    /// Ends the output; the taps have all ended.
    fn finish(&mut self) -> Result<(), SinkError>;

    /// Packets that were taken (`Ok` was the answer) but never reached the output: it failed while they waited for their
    /// turn. To be asked after [`finish`](Self::finish).
    fn unwritten(&self) -> u64 {
        0
    }

    /// Whose hang-up should end the capture: the reader of a pipe.
    fn reader(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// What a sink found when it looked at its clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Nothing to do.
    Done,
    /// The file has had its time: [`Sink::rotate`] should be called now.
    RotationDue,
}

/// What one tap has seen since it was armed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TapTotals {
    /// Frames that passed the filter, lost ones included; the kernel's count.
    pub passed: u64,
    /// Frames lost in the kernel for want of room.
    pub lost: u64,
    /// Frames given to the sink.
    pub delivered: u64,
    /// When it was armed, in nanoseconds since the epoch.
    pub start_ns: u64,
    /// When these totals were taken, likewise.
    pub end_ns: u64,
}

/// Why a sink takes no more. Some are the wished end.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The reader of the pipe is gone: an end like any other.
    #[error("the reader of the output went away")]
    Closed,
    /// As many files as were asked for are full: an end like any other.
    #[error("all files are written")]
    Complete,
    /// Writing would have left the disk with less than the reserve.
    #[error("only {free} bytes are left on the disk of {}, less than the reserve of {reserve}", path.display())]
    Reserve {
        /// Whose disk.
        path: PathBuf,
        /// Bytes left.
        free: u64,
        /// Bytes to be left alone.
        reserve: u64,
    },
    /// The disk is full.
    #[error("the disk of {} is full; the file ends with the last whole packet that fitted", path.display())]
    DiskFull {
        /// Whose disk.
        path: PathBuf,
    },
    /// The next file of the row may not be overwritten.
    #[error(transparent)]
    Refused(DestinationError),
    /// A file could not be written or made.
    #[error("{operation} {}", path.display())]
    Io {
        /// What was tried: "writing", "creating", "removing".
        operation: &'static str,
        /// Which file.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
}
