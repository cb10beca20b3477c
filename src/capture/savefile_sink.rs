//! Frames into a savefile, or a row of them that each stand alone.

use std::{
    collections::BTreeMap,
    io,
    net::IpAddr,
    os::fd::{AsFd, BorrowedFd},
    path::PathBuf,
    time::{Duration, Instant},
};

use jiff::Zoned;

use crate::model::{Frame, MediaType};
use crate::savefile::{
    Encoder, Format, Interface, InterfaceId, LinkType, PacketOptions, Process, Section, Statistics,
};
use crate::sys::{self, LinkLayer, Payload};

use super::{
    Event, TapSpec,
    destination::{Destination, DestinationError, Overwrite},
    key_log::KeyRing,
    output::{Output, Readers},
    rotation::{Ended, Next, Rotation},
    sink::{Settled, Sink, SinkError, TapTotals},
    write_behind::{self, PIECE_BYTES, WriteBehind},
};

/// Blocks that do not make a piece are written when they are that old.
const WRITE_AGE: Duration = Duration::from_secs(1);

/// How a savefile is written.
#[derive(Debug, Clone)]
pub struct SavefileOptions {
    /// Where to.
    pub destination: Destination,
    /// pcapng or pcap.
    pub format: Format,
    /// Packets are cut to that many bytes.
    pub snaplen: u32,
    /// Whether packets have more than their headers; every interface tells if not.
    pub payload: Payload,
    /// Every file begins with it.
    pub section: Section,
    /// Every interface names it.
    pub filter: String,
    /// What frames begin with.
    pub link_layer: LinkLayer,
    /// Which files there will be.
    pub rotation: Rotation,
    /// What may be overwritten.
    pub overwrite: Overwrite,
    /// Bytes of the disk that are left alone.
    pub reserve: u64,
    /// When packets are written.
    pub buffering: Buffering,
    /// Who may read the files.
    pub readers: Readers,
}

/// When packets are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Buffering {
    /// In large pieces, at least once a second; into a pipe at once.
    Blocks,
    /// As soon as they come (`-U`).
    Packets,
}

/// A savefile being written.
pub struct SavefileSink {
    options: SavefileOptions,
    encoder: Encoder,
    output: WriteBehind,
    /// Packets of the present file.
    packets: u64,
    opened_at: Instant,
    written_at: Instant,
    taps: Vec<Declared>,
    names: BTreeMap<IpAddr, String>,
    /// The lines of key logs so far, for the files that follow.
    keys: KeyRing,
    /// Why writing failed when a packet had been taken already, to be told at the next opportunity.
    failure: Option<SinkError>,
}

/// A tap and its part in the present file.
struct Declared {
    interface: Interface,
    /// None once it has ended: then it has no part in further files.
    id: Option<InterfaceId>,
    /// What the statistics blocks of earlier files have told already.
    told: TapTotals,
    /// How many were lost before the packets so far.
    lost_before: u64,
}

impl SavefileSink {
    /// Makes the first file. It has its header on disk once the first turn is over.
    pub fn create(mut options: SavefileOptions) -> Result<Self, SinkError> {
        let output = match &options.destination {
            Destination::StandardOutput => Output::standard()?,
            Destination::File(_) => {
                let path = options.rotation.first(&Zoned::now());
                if options.rotation.rotates() {
                    // Its name may have the time in it, which has gone on since it was looked at.
                    Destination::File(path.clone()).check(options.overwrite)?;
                }
                Output::create(&path, options.reserve, options.readers)?
            }
        };
        let mut encoder = Encoder::new(options.format, options.snaplen);
        encoder.replace(write_behind::provided_room());
        encoder.clear(0);
        encoder.section(&options.section);
        let output = WriteBehind::new(output, options.format);
        let now = Instant::now();
        Ok(Self {
            options,
            encoder,
            output,
            packets: 0,
            opened_at: now,
            written_at: now,
            taps: Vec::new(),
            names: BTreeMap::new(),
            keys: KeyRing::default(),
            failure: None,
        })
    }

    fn write(&mut self) -> Result<(), SinkError> {
        self.written_at = Instant::now();
        let size = self.output.appended() + self.encoder.bytes().len() as u64;
        let removed = remove(self.options.rotation.outgrown(size));
        let result = self.output.append(&mut self.encoder).and(removed);
        self.failure.take().map_or(result, Err)
    }

    /// The name Wireshark shows for an address is the first one it reads, so a changed name only counts in later files.
    fn learn(&mut self, names: &[(IpAddr, String)]) -> Vec<(IpAddr, String)> {
        names
            .iter()
            .filter(|(ip, name)| self.names.insert(*ip, name.clone()).as_ref() != Some(name))
            .cloned()
            .collect()
    }

    fn tell(&mut self, tap: usize, totals: &TapTotals, passed: u64) {
        let Some(Declared { id: Some(id), told, .. }) = self.taps.get_mut(tap) else { return };
        let lost = totals.lost - told.lost;
        let statistics = Statistics {
            start_ns: Some(if told.end_ns == 0 { totals.start_ns } else { told.end_ns }),
            end_ns: totals.end_ns,
            // The interface's own count, of what does not match the filter too: nobody told us.
            received: None,
            dropped: None,
            accepted: Some(passed),
            os_dropped: Some(lost),
            delivered: Some(totals.delivered - told.delivered),
        };
        self.encoder.statistics(*id, &statistics);
        *told = TapTotals { passed: told.passed + passed, ..*totals };
    }

    fn begin_file(&mut self) {
        self.encoder.clear(0);
        self.encoder.section(&self.options.section);
        for tap in self.taps.iter_mut().filter(|tap| tap.id.is_some()) {
            tap.id = Some(self.encoder.interface(&tap.interface));
        }
        self.encoder.names(self.names.iter().map(|(ip, name)| (*ip, name.as_str())));
        if !self.keys.lines().is_empty() {
            self.encoder.key_log(self.keys.lines());
        }
        self.packets = 0;
        self.opened_at = Instant::now();
    }

    fn has_had_its_time(&self) -> bool {
        self.options.rotation.period().is_some_and(|period| self.opened_at.elapsed() >= period)
    }
}

impl Sink for SavefileSink {
    fn tap(&mut self, spec: &TapSpec) -> Result<(), SinkError> {
        let (link_type, note) = match (spec.media(), self.options.link_layer) {
            (MediaType::RawIp, LinkLayer::Native) => (LinkType::RAW_IP, ""),
            (MediaType::RawIp, LinkLayer::Ethernet) => (LinkType::ETHERNET, ", Ethernet headers made up"),
            _ => (LinkType::ETHERNET, ""),
        };
        let cut = match self.options.payload {
            Payload::Kept => "",
            Payload::Dropped => ", headers only",
        };
        let interface = Interface {
            name: spec.name.clone(),
            description: format!("{}{note}{cut}", spec.description),
            mac: spec.mac(),
            addresses: spec.addresses().to_vec(),
            filter: self.options.filter.clone(),
            speed: None,
            link_type,
        };
        let id = Some(self.encoder.interface(&interface));
        self.taps.push(Declared { interface, id, told: TapTotals::default(), lost_before: 0 });
        Ok(())
    }

    fn packet(&mut self, tap: usize, frame: &Frame<'_>, lost: u64) -> Result<(), SinkError> {
        if self.failure.is_some() {
            return self.failure.take().map_or(Ok(()), Err);
        }
        let Some(Declared { id: Some(id), lost_before, .. }) = self.taps.get_mut(tap) else { return Ok(()) };
        let options = match frame.owner {
            None => PacketOptions { drops: lost, ..PacketOptions::default() },
            Some(owner) => PacketOptions {
                drops: lost,
                packet_id: None,
                process: owner.process.map(|process| Process { pid: process.pid, tid: process.thread }),
                comment: owner.text,
            },
        };
        *lost_before += lost;
        self.encoder.packet(*id, frame, &options);
        sys::prefetch_room(self.encoder.room(), frame.len());
        self.packets += 1;
        if self.encoder.bytes().len() >= PIECE_BYTES {
            // This packet was taken, whatever became of it: the failure concerns the next one.
            self.failure = self.write().err();
        }
        Ok(())
    }

    fn tap_ended(&mut self, tap: usize, totals: &TapTotals) -> Result<(), SinkError> {
        let told = self.taps.get(tap).map_or(0, |tap| tap.told.passed);
        self.tell(tap, totals, totals.passed.saturating_sub(told));
        if let Some(tap) = self.taps.get_mut(tap) {
            tap.id = None;
        }
        Ok(())
    }

    fn names(&mut self, names: &[(IpAddr, String)]) -> Result<(), SinkError> {
        let fresh = self.learn(names);
        if !fresh.is_empty() {
            self.encoder.names(fresh.iter().map(|(ip, name)| (*ip, name.as_str())));
        }
        Ok(())
    }

    fn key_log(&mut self, lines: &[u8]) -> Result<(), SinkError> {
        self.encoder.key_log(lines);
        if self.options.rotation.rotates() {
            self.keys.add(lines);
        }
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<(), SinkError> {
        let priority = (event.priority as u8).to_string();
        let mut fields = vec![
            ("MESSAGE", event.message.as_str()),
            ("PRIORITY", &priority),
            ("SYSLOG_IDENTIFIER", "pcapsule"),
        ];
        fields.extend(event.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        self.encoder.event(event.time_ns, &fields);
        Ok(())
    }

    /// A file holds one packet at least: its headers alone may be larger than the size that was asked for.
    fn is_full(&self) -> bool {
        let size = || self.output.appended() + self.encoder.bytes().len() as u64;
        self.options.rotation.file_bytes().is_some_and(|limit| self.packets > 0 && size() > limit)
    }

    fn rotate(&mut self, totals: &[(usize, TapTotals)]) -> Result<(), SinkError> {
        for (tap, totals) in totals {
            // What still waits in the kernel belongs to the next file, and so does a gap that nothing came after yet.
            let Some(Declared { told, lost_before, .. }) = self.taps.get(*tap) else { continue };
            let totals = TapTotals { lost: *lost_before, ..*totals };
            let passed = totals.delivered - told.delivered + totals.lost - told.lost;
            self.tell(*tap, &totals, passed);
        }
        self.write()?;
        let ended = if self.has_had_its_time() { Ended::Time } else { Ended::Size };
        let (path, bytes) = (self.output.path().to_owned(), self.output.appended());
        match self.options.rotation.next(&path, bytes, ended, &Zoned::now()) {
            Next::Complete => return Err(SinkError::Complete),
            Next::File { path, is_reused, removed } => {
                remove(removed)?;
                if is_reused {
                    // What was taken in for it in its earlier life must not be written into the new one.
                    self.output.settle()?;
                } else {
                    Destination::File(path.clone()).check(self.options.overwrite)?;
                }
                self.output.begin(Output::create(&path, self.options.reserve, self.options.readers)?);
            }
        }
        self.begin_file();
        self.write()
    }

    fn settle(&mut self, now: Instant) -> Result<Settled, SinkError> {
        // No further packet may come that would be told.
        self.output.check()?;
        let is_eager = self.options.buffering == Buffering::Packets || self.output.pipe().is_some();
        let is_first = self.output.appended() == 0;
        let is_old = now.saturating_duration_since(self.written_at) >= WRITE_AGE;
        let is_due = !self.encoder.bytes().is_empty() && (is_eager || is_first || is_old);
        if is_due || self.failure.is_some() {
            self.write()?;
        }
        Ok(if self.has_had_its_time() { Settled::RotationDue } else { Settled::Done })
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.write()?;
        self.output.settle()
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        let result = self.write();
        result.and(self.output.settle())
    }

    fn unwritten(&self) -> u64 {
        self.output.unwritten()
    }

    fn reader(&self) -> Option<BorrowedFd<'_>> {
        self.output.pipe().map(AsFd::as_fd)
    }
}

/// Removes old files; one that somebody else has removed is as good as removed.
fn remove(old: Vec<PathBuf>) -> Result<(), SinkError> {
    for path in old {
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(SinkError::Io { operation: "removing", path, source });
            }
            _ => {}
        }
    }
    Ok(())
}

/// A file that a later turn of the rotation would overwrite.
impl From<DestinationError> for SinkError {
    fn from(source: DestinationError) -> Self {
        Self::Refused(source)
    }
}

#[cfg(test)]
mod tests;
