//! A line a packet, as tcpdump prints it: time, tap, direction, summary, the process where it is known, and the bytes if
//! wanted.
//!
//! It reads no clock and knows no terminal; the line is put together in one buffer and written at once.

use std::{
    fmt::{self, Write as _},
    io,
};

use jiff::{Timestamp, tz::TimeZone};

use crate::model::{Direction, Frame};
use crate::packet::{self, Escaped, LinkHeader, Names, SequenceBase, SequenceTracker, Summary};

use super::{hex_dump::HexDump, line::Line};

const NS_PER_SECOND: u64 = 1_000_000_000;
const NS_PER_MICROSECOND: u64 = 1_000;

/// How lines look.
#[derive(Debug, Clone)]
pub struct LineStyle {
    /// The time at the beginning.
    pub time: TimeStyle,
    /// Whose clock the time of day is told by.
    pub zone: TimeZone,
    /// The Ethernet header (`-e`).
    pub link_header: LinkHeader,
    /// TCP's numbers.
    pub sequence: SequenceNumbers,
    /// The bytes after the line.
    pub dump: HexDump,
}

/// The time at the beginning of a line, always with microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TimeStyle {
    /// `14:03:07.123456`.
    #[default]
    TimeOfDay,
    /// No time (`-t`).
    None,
    /// Seconds since the Unix epoch (`-tt`).
    Epoch,
    /// Since the line before (`-ttt`).
    Delta,
    /// `2026-11-23 14:03:07.123456` (`-tttt`).
    Date,
    /// Since the first line (`-ttttt`).
    SinceFirst,
}

/// How TCP's sequence numbers are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SequenceNumbers {
    /// From the start of each conversation.
    #[default]
    Relative,
    /// As sent (`-S`).
    Absolute,
}

/// Time of day by the machine's zone, relative sequence numbers, neither Ethernet header nor bytes.
impl Default for LineStyle {
    fn default() -> Self {
        Self {
            time: TimeStyle::default(),
            zone: TimeZone::system(),
            link_header: LinkHeader::default(),
            sequence: SequenceNumbers::default(),
            dump: HexDump::default(),
        }
    }
}

/// Writes a line for each frame it is given.
#[derive(Debug)]
pub struct PacketLines<W> {
    out: W,
    style: LineStyle,
    clock: Clock,
    tracker: SequenceTracker,
    interface: Interface,
    scratch: Vec<u8>,
    line: Line,
}

impl<W: io::Write> PacketLines<W> {
    /// Lines into `out`, one write for each.
    pub fn new(out: W, style: LineStyle) -> Self {
        Self {
            out,
            style,
            clock: Clock::default(),
            tracker: SequenceTracker::default(),
            interface: Interface::default(),
            scratch: Vec::new(),
            line: Line::default(),
        }
    }

    /// Writes the line of a frame seen at `interface` (`web/eth0`, `docker0`, …).
    pub fn write(&mut self, frame: &Frame<'_>, interface: &str, names: Names<'_>) -> io::Result<()> {
        self.line.clear();
        self.compose(frame, interface, names).map_err(io::Error::other)?;
        self.out.write_all(self.line.bytes())
    }

    /// Writes a line about something that happened, in its place between the packets: `14:03:07.123456 -- text`.
    pub fn remark(&mut self, time_ns: u64, text: &str) -> io::Result<()> {
        self.line.clear();
        self.clock.write(&mut self.line, &self.style, time_ns).map_err(io::Error::other)?;
        writeln!(self.line, "-- {}", Escaped(text.as_bytes())).map_err(io::Error::other)?;
        self.out.write_all(self.line.bytes())
    }

    /// Hands on what `out` may still hold back.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// The writer.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn compose(&mut self, frame: &Frame<'_>, interface: &str, names: Names<'_>) -> fmt::Result {
        let Self { style, clock, tracker, interface: shown, scratch, line, .. } = self;
        let bytes = frame.contiguous(scratch);
        let packet = packet::decode(bytes, frame.original_len);
        let base = match style.sequence {
            SequenceNumbers::Relative => tracker.observe(&packet),
            SequenceNumbers::Absolute => SequenceBase::default(),
        };
        clock.write(line, style, frame.time_ns)?;
        let direction = match frame.direction {
            Direction::In => " In  ",
            Direction::Out => " Out ",
            Direction::Unknown => " -   ",
        };
        let summary = Summary::new(&packet).names(names).sequence(base).link_header(style.link_header);
        line.write_str(shown.text(interface))?;
        line.write_str(direction)?;
        summary.describe(line)?;
        if let Some(process) = frame.owner.and_then(|owner| owner.process) {
            write!(line, " [{} {}]", Escaped(process.command.as_bytes()), process.pid)?;
        }
        line.write_char('\n')?;
        style.dump.write(line, bytes, packet.ethernet.map_or(0, |ethernet| ethernet.header_len()))
    }
}

/// The name of an interface as it is shown; most packets come by that of the one before.
#[derive(Debug, Default)]
struct Interface {
    name: String,
    text: String,
}

impl Interface {
    fn text(&mut self, name: &str) -> &str {
        if self.name != name {
            name.clone_into(&mut self.name);
            self.text = Escaped(name.as_bytes()).to_string();
        }
        &self.text
    }
}

/// Tells times; it remembers the first and the last line's time, and the text of its second, which most lines share.
#[derive(Debug, Default)]
struct Clock {
    first_ns: Option<u64>,
    last_ns: Option<u64>,
    second: Option<u64>,
    text: String,
}

impl Clock {
    fn write(&mut self, line: &mut Line, style: &LineStyle, time_ns: u64) -> fmt::Result {
        let (second, micros) =
            (time_ns / NS_PER_SECOND, (time_ns % NS_PER_SECOND / NS_PER_MICROSECOND) as u32);
        let first = *self.first_ns.get_or_insert(time_ns);
        let before = self.last_ns.replace(time_ns).unwrap_or(time_ns);
        match style.time {
            TimeStyle::None => Ok(()),
            TimeStyle::Epoch => {
                packet::decimal(line, second)?;
                write_micros(line, micros)
            }
            TimeStyle::Delta => write_delta(line, before, time_ns),
            TimeStyle::SinceFirst => write_delta(line, first, time_ns),
            TimeStyle::TimeOfDay => {
                let text = self.second_text(second, &style.zone, "%H:%M:%S");
                line.write_str(text)?;
                write_micros(line, micros)
            }
            TimeStyle::Date => {
                let text = self.second_text(second, &style.zone, "%Y-%m-%d %H:%M:%S");
                line.write_str(text)?;
                write_micros(line, micros)
            }
        }
    }

    fn second_text(&mut self, second: u64, zone: &TimeZone, format: &str) -> &str {
        if self.second.replace(second) != Some(second) {
            let time = i64::try_from(second).ok().and_then(|second| Timestamp::from_second(second).ok());
            self.text = match time {
                Some(time) => time.to_zoned(zone.clone()).strftime(format).to_string(),
                None => second.to_string(),
            };
        }
        &self.text
    }
}

fn write_micros(line: &mut Line, micros: u32) -> fmt::Result {
    line.write_char('.')?;
    packet::six_digits(line, micros)?;
    line.write_char(' ')
}

/// Frames of several taps may come out of order: then the delta is negative.
fn write_delta(line: &mut Line, before_ns: u64, time_ns: u64) -> fmt::Result {
    let sign = if time_ns < before_ns { "-" } else { "" };
    let micros = time_ns.abs_diff(before_ns) / NS_PER_MICROSECOND;
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    write!(line, "{sign}{hours:02}:{minutes:02}:{seconds:02}.{micros:06} ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Owner, OwnerProcess};

    /// An ARP request.
    const ARP: &[u8] =
        b"\xff\xff\xff\xff\xff\xff\x02\x42\xac\x11\x00\x02\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01\
        \x02\x42\xac\x11\x00\x02\xac\x11\x00\x02\x00\x00\x00\x00\x00\x00\xac\x11\x00\x01";
    const TIME_NS: u64 = 1_700_000_000 * NS_PER_SECOND + 123_456_789;

    fn lines(time: TimeStyle, frames: &[(u64, Direction)]) -> String {
        let style = LineStyle { time, zone: TimeZone::UTC, ..LineStyle::default() };
        let mut lines = PacketLines::new(Vec::new(), style);
        for &(time_ns, direction) in frames {
            let frame = Frame::whole(ARP, 42, time_ns, direction);
            lines.write(&frame, "web/eth0", Names::NUMERIC).unwrap();
        }
        String::from_utf8(lines.into_inner()).unwrap()
    }

    #[test]
    fn each_style_tells_the_time_in_its_way() {
        for (style, expected) in [
            (TimeStyle::None, ""),
            (TimeStyle::TimeOfDay, "22:13:20.123456 "),
            (TimeStyle::Date, "2023-11-14 22:13:20.123456 "),
            (TimeStyle::Epoch, "1700000000.123456 "),
            (TimeStyle::Delta, "00:00:00.000000 "),
        ] {
            let line = "web/eth0 Out ARP, Request who-has 172.17.0.1 tell 172.17.0.2, length 28\n";
            assert_eq!(lines(style, &[(TIME_NS, Direction::Out)]), format!("{expected}{line}"));
        }
    }

    #[test]
    fn the_process_ends_the_line() {
        let process = OwnerProcess { pid: 123, thread: 124, command: "my app" };
        let owner = Some(&Owner { process: Some(process), text: "" });
        let mut lines =
            PacketLines::new(Vec::new(), LineStyle { time: TimeStyle::None, ..LineStyle::default() });
        let frame = Frame { owner, ..Frame::whole(ARP, 42, 0, Direction::Out) };
        lines.write(&frame, "web/cgroup", Names::NUMERIC).unwrap();
        let line = String::from_utf8(lines.into_inner()).unwrap();
        assert!(line.ends_with(", length 28 [my app 123]\n"), "{line}");
    }

    #[test]
    fn directions_take_one_width() {
        let frames = [(0, Direction::In), (0, Direction::Out), (0, Direction::Unknown)];
        let lines = lines(TimeStyle::None, &frames);
        let columns: Vec<_> = lines.lines().map(|line| &line[..13]).collect();
        assert_eq!(columns, ["web/eth0 In  ", "web/eth0 Out ", "web/eth0 -   "]);
    }

    #[test]
    fn deltas_are_signed_and_seconds_change() {
        let frames = [
            (TIME_NS, Direction::In),
            (TIME_NS + 3_661_000_002_000, Direction::In),
            (TIME_NS, Direction::In),
        ];
        let delta = lines(TimeStyle::Delta, &frames);
        let times: Vec<_> = delta.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(times, ["00:00:00.000000", "01:01:01.000002", "-01:01:01.000002"]);
        let time_of_day = lines(TimeStyle::TimeOfDay, &frames);
        let times: Vec<_> = time_of_day.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(times, ["22:13:20.123456", "23:14:21.123458", "22:13:20.123456"]);
    }
}
