//! Arguments into checked options, before anything is opened.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use jiff::Zoned;

use crate::capture::{
    Buffering, Destination, EngineChoice, Limits, Overwrite, Places, Readers, Rotation, RotationOptions,
    SavefileOptions, TapOptions,
};
use crate::model::Selector;
use crate::savefile::Section;
use crate::sys::{Capability, Filter, LinkLayer, MAX_SNAPLEN, Pace, Payload};

use crate::cli::capture_args::{CaptureArgs, CaptureEngine, Place, SaveArgs};
use crate::cli::{terminal, units::Bytes};

use super::{keylog, own_connection::OwnConnection};

/// What the rings share, unless `-B` says otherwise for each; past it every further one has the smallest size.
const RING_BUDGET: usize = 96 << 20;
const LARGEST_RING: usize = 32 << 20;
/// The same where one tap alone cuts frames to a few hundred bytes: of full-sized ones it holds more than a larger one.
const LARGEST_RING_OF_SHORT_FRAMES: usize = 16 << 20;
/// Frames that are cut to that many bytes are short.
const SHORT_FRAME: u32 = 256;
const SMALLEST_RING: usize = 2 << 20;
/// What is left free on the disk unless `--reserve` says otherwise: a twentieth, at most this.
const LARGEST_RESERVE: u64 = 512 << 20;

/// Everything the words say, checked.
pub(super) struct Setup {
    pub(super) selectors: Vec<Selector>,
    pub(super) places: Places,
    pub(super) follow: bool,
    /// Whether rows tell what happened to the containers.
    pub(super) events: bool,
    pub(super) limits: Limits,
    pub(super) savefile: Option<SavefileOptions>,
    filter: Option<Filter>,
    snaplen: u32,
    payload: Payload,
    engine: EngineChoice,
    link_layer: LinkLayer,
    promiscuous: bool,
    pace: Pace,
    ring_bytes: Option<usize>,
}

impl Setup {
    pub(super) fn new(args: &CaptureArgs) -> anyhow::Result<Self> {
        let filter = filter(args)?;
        let has = |place| args.at.contains(&place);
        let savefile = match &args.save.output {
            Some(path) => Some(savefile(path, args, filter.as_ref())?),
            None => None,
        };
        Ok(Self {
            selectors: args.selectors.clone(),
            places: Places {
                container: has(Place::Container) && !args.process,
                veth: has(Place::Veth),
                bridge: has(Place::Bridge),
                loopback: has(Place::Lo),
                cgroup: has(Place::Cgroup) || args.process,
            },
            follow: !args.no_follow,
            events: !args.no_events,
            limits: Limits {
                packets: args.count.map(Into::into),
                duration: args.duration,
                until_taps_end: args.no_follow,
            },
            savefile,
            filter,
            snaplen: snaplen(args),
            payload: payload(args),
            engine: match args.engine {
                CaptureEngine::Ring => EngineChoice::Ring,
                CaptureEngine::Libpcap => EngineChoice::Libpcap,
            },
            link_layer: link_layer(&args.save),
            promiscuous: !args.no_promiscuous,
            pace: if args.save.keylog.is_empty() { pace(&args.save) } else { Pace::Patient },
            ring_bytes: args.buffer.map(|kibibytes| kibibytes.get() as usize * 1024),
        })
    }

    /// How each of that many further taps is opened when the rings of the others take up so many bytes.
    pub(super) fn tap_options(&self, taps: usize, spent: usize) -> TapOptions {
        let are_short = self.payload == Payload::Dropped || self.snaplen <= SHORT_FRAME;
        let is_alone = taps == 1 && spent == 0;
        let largest = if is_alone && are_short { LARGEST_RING_OF_SHORT_FRAMES } else { LARGEST_RING };
        let share = (RING_BUDGET.saturating_sub(spent) / taps.max(1)).clamp(SMALLEST_RING, largest);
        TapOptions {
            engine: self.engine,
            snaplen: self.snaplen,
            payload: self.payload,
            buffer_bytes: self.ring_bytes.unwrap_or(share),
            filter: self.filter.clone(),
            link_layer: self.link_layer,
            promiscuous: self.promiscuous,
            pace: match self.pace {
                // Whoever counts packets waits for the last of them.
                Pace::Bulk if is_alone && self.limits.packets.is_none() => {
                    if self.limits.until_taps_end {
                        Pace::Alone
                    } else {
                        Pace::First
                    }
                }
                pace => pace,
            },
        }
    }

    /// How long packets wait for keys that may come up after them.
    pub(super) fn key_patience(&self) -> Duration {
        let has_keys = self.savefile.as_ref().is_some_and(|savefile| savefile.readers == Readers::Owner);
        if has_keys { keylog::PATIENCE } else { Duration::ZERO }
    }

    /// What the writing thread keeps: a rotation makes files in folders that may belong to somebody else.
    pub(super) fn writer_capabilities(&self) -> &'static [Capability] {
        let rotates = self.savefile.as_ref().is_some_and(|savefile| savefile.rotation.rotates());
        if rotates { &[Capability::CAP_DAC_OVERRIDE] } else { &[] }
    }
}

/// What was typed, without our own stream where one would be captured.
fn filter(args: &CaptureArgs) -> anyhow::Result<Option<Filter>> {
    let typed = args.filter();
    // First by itself: what is wrong with it is told of what was typed.
    let filter = typed.as_deref().map(Filter::parse).transpose()?;
    let is_to_stdout = args.save.output.as_deref().is_none_or(|output| output == Path::new("-"));
    if args.own_connection || !is_to_stdout {
        return Ok(filter);
    }
    let Some(own) = OwnConnection::carrying_stdout() else { return Ok(filter) };
    terminal::tell(&own.told());
    Ok(Some(Filter::parse(&own.left_out_of(typed.as_deref()))?))
}

fn savefile(path: &Path, all: &CaptureArgs, filter: Option<&Filter>) -> anyhow::Result<SavefileOptions> {
    let args = &all.save;
    let rotation = Rotation::new(
        path,
        RotationOptions {
            file_bytes: args.rotate_size.map(Bytes::count),
            period: args.rotate_after,
            count: args.file_count.map(Into::into),
            keep: args.keep.map(Into::into),
            max_total: args.max_total.map(Bytes::count),
        },
    )?;
    let destination = Destination::new(path);
    let overwrite = if args.force { Overwrite::Anything } else { Overwrite::CapturesOnly };
    let first = destination.first(&rotation, &Zoned::now());
    first.check(overwrite)?;
    let readers = if args.keylog.is_empty() { Readers::Usual } else { Readers::Owner };
    if readers == Readers::Owner {
        warn_of_readers(&first);
    }
    Ok(SavefileOptions {
        destination,
        format: args.format(),
        snaplen: snaplen(all),
        payload: payload(all),
        section: section()?,
        filter: filter.map(|filter| filter.expression().to_owned()).unwrap_or_default(),
        link_layer: link_layer(args),
        rotation,
        overwrite,
        reserve: args.reserve.map_or_else(|| default_reserve(&first), Bytes::count),
        buffering: if args.packet_buffered { Buffering::Packets } else { Buffering::Blocks },
        readers,
    })
}

/// A file that is there already keeps its mode.
pub(in crate::cli) fn warn_of_readers(first: &Destination) {
    let Destination::File(path) = first else { return };
    if path.metadata().is_ok_and(|found| found.is_file() && found.mode() & 0o077 != 0) {
        let text =
            format!("{} is there already, and not for its owner alone: it will hold keys", path.display());
        terminal::warn(&text);
    }
}

/// Lines, pipes and `-U` are watched; a file is read later.
fn pace(args: &SaveArgs) -> Pace {
    let is_file =
        |path: &PathBuf| path != Path::new("-") && path.metadata().map_or(true, |found| found.is_file());
    if args.output.as_ref().is_some_and(is_file) && !args.packet_buffered { Pace::Bulk } else { Pace::Live }
}

fn snaplen(args: &CaptureArgs) -> u32 {
    args.snaplen.unwrap_or(MAX_SNAPLEN)
}

fn payload(args: &CaptureArgs) -> Payload {
    if args.headers { Payload::Dropped } else { Payload::Kept }
}

fn link_layer(args: &SaveArgs) -> LinkLayer {
    if args.native_linktypes { LinkLayer::Native } else { LinkLayer::Ethernet }
}

/// Who wrote the file, on what, and how.
fn section() -> anyhow::Result<Section> {
    let system = crate::sys::system().context("asking the kernel for its version")?;
    let words: Vec<String> = std::env::args().map(quoted).collect();
    Ok(Section {
        hardware: system.machine,
        os: format!("{} {}", system.name, system.release),
        application: format!("pcapsule {}", env!("CARGO_PKG_VERSION")),
        comment: format!("host {}; command: {}", system.host, words.join(" ")),
    })
}

/// As one would type it into a shell.
fn quoted(word: String) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+*".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A part of the disk that holds the file, or will: a link leads to where it points.
pub(in crate::cli) fn default_reserve(first: &Destination) -> u64 {
    let Destination::File(path) = first else { return 0 };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    crate::sys::free_bytes(path)
        .or_else(|_| crate::sys::free_bytes(folder))
        .map_or(0, |(_, total)| (total / 20).min(LARGEST_RESERVE))
}
