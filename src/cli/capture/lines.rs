//! Frames as lines on standard output.

use std::{io, net::IpAddr, path::PathBuf, time::Instant};

use crate::capture::{Event, Settled, Sink, SinkError, TapSpec, TapTotals};
use crate::cli::{args::PrintArgs, printer::Printer};
use crate::model::Frame;

/// Prints what is captured.
pub(super) struct LineSink {
    printer: Printer,
    taps: Vec<String>,
}

impl LineSink {
    pub(super) fn new(args: &PrintArgs) -> Self {
        Self { printer: Printer::new(args), taps: Vec::new() }
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
            self.printer.remark(&format!("{name}: {lost} packets lost here")).map_err(failed)?;
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
        self.printer.remark(&event.message).map_err(failed)
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
}

fn failed(source: io::Error) -> SinkError {
    if source.kind() == io::ErrorKind::BrokenPipe {
        return SinkError::Closed;
    }
    SinkError::Io { operation: "writing", path: PathBuf::from("standard output"), source }
}
