//! Frames as lines on standard output.

use std::{net::IpAddr, time::Instant};

use crate::capture::{Event, Settled, Sink, SinkError, TapSpec, TapTotals};
use crate::model::Frame;

use crate::cli::args::PrintArgs;

/// Prints.
pub(super) struct LineSink;

impl LineSink {
    pub(super) fn new(_: &PrintArgs) -> Self {
        Self
    }
}

impl Sink for LineSink {
    fn tap(&mut self, _: &TapSpec) -> Result<(), SinkError> {
        Ok(())
    }
    fn packet(&mut self, _: usize, _: &Frame<'_>, _: u64) -> Result<(), SinkError> {
        Ok(())
    }
    fn tap_ended(&mut self, _: usize, _: &TapTotals) -> Result<(), SinkError> {
        Ok(())
    }
    fn names(&mut self, _: &[(IpAddr, String)]) -> Result<(), SinkError> {
        Ok(())
    }
    fn event(&mut self, _: &Event) -> Result<(), SinkError> {
        Ok(())
    }
    fn settle(&mut self, _: Instant) -> Result<Settled, SinkError> {
        Ok(Settled::Done)
    }
    fn finish(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}
