//! Frames as lines on standard output.

use std::{
    fs::File,
    io,
    net::IpAddr,
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::fs::FileTypeExt as _,
    },
    path::PathBuf,
    time::Instant,
};

use crate::capture::{Event, Settled, Sink, SinkError, TapSpec, TapTotals};
use crate::cli::{args::PrintArgs, printer::Printer};
use crate::model::Frame;

/// Prints what is captured.
pub(super) struct LineSink {
    printer: Printer,
    taps: Vec<String>,
    /// Standard output, if it is a pipe.
    pipe: Option<File>,
}

impl LineSink {
    pub(super) fn new(args: &PrintArgs) -> Self {
        Self { printer: Printer::new(args), taps: Vec::new(), pipe: pipe() }
    }
}

impl Sink for LineSink {
    fn tap(&mut self, spec: &TapSpec) -> Result<(), SinkError> {
        self.taps.push(spec.name.clone());
        Ok(())
    }

    fn packet(&mut self, tap: usize, frame: &Frame<'_>, lost: u64) -> Result<(), SinkError> {
        let name = self.taps.get(tap).map_or("?", String::as_str);
        if lost > 0 {
            self.printer
                .remark(frame.time_ns, &format!("{name}: {lost} packets lost here"))
                .map_err(failed)?;
        }
        self.printer.packet(frame, name).map_err(failed)
    }

    fn tap_ended(&mut self, _: usize, _: &TapTotals) -> Result<(), SinkError> {
        Ok(())
    }

    fn names(&mut self, names: &[(IpAddr, String)]) -> Result<(), SinkError> {
        self.printer.learn(names.iter().cloned());
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<(), SinkError> {
        self.printer.remark(event.time_ns, &event.message).map_err(failed)
    }

    fn settle(&mut self, _: Instant) -> Result<Settled, SinkError> {
        self.printer.flush().map_err(failed)?;
        Ok(Settled::Done)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.printer.flush().map_err(failed)
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.printer.flush().map_err(failed)
    }

    fn reader(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(File::as_fd)
    }
}

fn pipe() -> Option<File> {
    let stdout = File::from(io::stdout().as_fd().try_clone_to_owned().ok()?);
    let is_pipe = stdout.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo());
    is_pipe.then_some(stdout)
}

fn failed(source: io::Error) -> SinkError {
    if source.kind() == io::ErrorKind::BrokenPipe {
        return SinkError::Closed;
    }
    SinkError::Io { operation: "writing", path: PathBuf::from("standard output"), source }
}
