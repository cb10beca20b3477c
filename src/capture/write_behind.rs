//! Large pieces of a savefile are written by a thread of their own, so that a disk that takes its time does not keep the
//! reader from its rings.
//!
//! They go from memory to the disk: a copy into the page cache costs more than all else that is done for a packet. Where
//! the disk falls behind, the page cache takes them in after all; where that is full too, the reader waits, and what
//! the rings then have no room for is lost and counted.

use std::{
    mem,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use crate::savefile::{Encoder, Format, Gathered, HUGE_PAGE};
use crate::sys::{self, WriteThrough};

use super::{
    SinkError,
    output::{DIRECT_BYTES, Output},
};

/// Blocks are gathered until they make that many bytes: with the last of them, a packet and what is told with it, they
/// mostly stay within one huge page. The kernel clears each that is touched.
pub(super) const PIECE_BYTES: usize = HUGE_PAGE - (128 << 10);
/// Room for the longest packet behind that, and its options.
const PIECE_ROOM: usize = 3 * HUGE_PAGE;
/// So many pieces may wait for the disk.
const PIECES: usize = 16;
/// If more than that many wait, the disk has fallen behind.
const PIECES_IN_TIME: usize = 4;

/// While the disk keeps up, that many are enough; what more a slow time took is given back once that is over. Not before:
/// memory that is taken anew is cleared, which costs as much as to fill it.
const SPARE_PIECES: usize = 2;

/// An output that takes in what it will write; after it the next, while the writer may still be busy with the first.
pub(super) struct WriteBehind {
    output: Arc<Mutex<Output>>,
    /// Those before it, as far as the writer has still to do with them.
    earlier: Vec<Arc<Mutex<Output>>>,
    /// Packets that were taken in for others before it and are not in their files.
    unwritten_before: u64,
    path: PathBuf,
    format: Format,
    /// A reader that may hang up, if there is one.
    pipe: Option<OwnedFd>,
    appended: u64,
    writer: Option<Writer>,
    spare: Vec<Gathered>,
}

/// The thread, and the pieces that it has.
struct Writer {
    orders: Sender<Order>,
    done: Receiver<Done>,
    waiting: Arc<AtomicUsize>,
    ordered: usize,
}

struct Order {
    output: Arc<Mutex<Output>>,
    piece: Gathered,
}

struct Done {
    piece: Gathered,
    result: Result<(), SinkError>,
}

impl WriteBehind {
    pub(super) fn new(output: Output, format: Format) -> Self {
        let pipe = if output.is_pipe() { output.descriptor().try_clone_to_owned().ok() } else { None };
        let spares = if output.is_pipe() { 0 } else { SPARE_PIECES };
        Self {
            path: output.path().to_owned(),
            output: Arc::new(Mutex::new(output)),
            earlier: Vec::new(),
            unwritten_before: 0,
            format,
            pipe,
            appended: 0,
            writer: None,
            spare: (0..spares).map(|_| provided_room()).collect(),
        }
    }

    /// Goes on in the next file. What was taken in belongs to the one before it, and need not be written yet.
    pub(super) fn begin(&mut self, file: Output) {
        file.path().clone_into(&mut self.path);
        self.appended = 0;
        self.earlier.push(mem::replace(&mut self.output, Arc::new(Mutex::new(file))));
        let is_done = |output: &mut Arc<Mutex<Output>>| Arc::strong_count(output) == 1;
        self.unwritten_before +=
            self.earlier.extract_if(.., is_done).map(|file| unwritten(&file)).sum::<u64>();
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What was taken in, written or not (bytes).
    pub(super) const fn appended(&self) -> u64 {
        self.appended
    }

    /// The pipe, if it is one.
    pub(super) const fn pipe(&self) -> Option<&OwnedFd> {
        self.pipe.as_ref()
    }

    /// Packets that were taken in and are not in the file. To be asked after [`settle`](Self::settle).
    pub(super) fn unwritten(&self) -> u64 {
        let files = self.earlier.iter().chain([&self.output]);
        self.unwritten_before + files.map(|file| unwritten(file)).sum::<u64>()
    }

    /// Takes all that was encoded, whatever the answer: a failure may be that of an earlier piece.
    pub(super) fn append(&mut self, encoder: &mut Encoder) -> Result<(), SinkError> {
        let result = self.take(encoder);
        encoder.clear(self.appended);
        result
    }

    fn take(&mut self, encoder: &mut Encoder) -> Result<(), SinkError> {
        let earlier = self.collect(PIECES - 1);
        let length = encoder.bytes().len();
        self.appended += length as u64;
        let is_idle = self.writer.as_ref().is_none_or(|writer| writer.ordered == 0);
        if earlier.is_err() {
            let _ = self.collect(0);
            self.output().leave_out(encoder.bytes(), self.format);
            return earlier;
        }
        if is_idle && (length < DIRECT_BYTES || self.pipe.is_some()) {
            return self.output().append(encoder.bytes(), self.format, WriteThrough::PageCache);
        }
        let piece = encoder.replace(self.spare.pop().unwrap_or_else(room));
        self.order(piece)
    }

    /// Tells whether what was taken in could be written, as far as that is known by now.
    pub(super) fn check(&mut self) -> Result<(), SinkError> {
        self.collect(usize::MAX)
    }

    /// Waits until everything is written.
    pub(super) fn settle(&mut self) -> Result<(), SinkError> {
        self.collect(0)
    }

    fn order(&mut self, piece: Gathered) -> Result<(), SinkError> {
        if self.writer.is_none() {
            match Writer::start(self.format) {
                Ok(writer) => self.writer = Some(writer),
                // Without a thread it is done here.
                Err(_) => return self.output().append(piece.bytes(), self.format, WriteThrough::Disk),
            }
        }
        if let Some(writer) = &mut self.writer {
            writer.waiting.fetch_add(1, Ordering::Relaxed);
            writer.ordered += 1;
            let order = Order { output: Arc::clone(&self.output), piece };
            writer.orders.send(order).expect("the writer lives as long as it is given orders");
        }
        Ok(())
    }

    /// Takes back what has been written, until at most that many pieces are with the writer. Answers with the first
    /// failure; what comes after that is left out and fails no more.
    fn collect(&mut self, at_most: usize) -> Result<(), SinkError> {
        let mut failure = Ok(());
        let Some(writer) = &mut self.writer else { return failure };
        loop {
            let done =
                if writer.ordered > at_most { writer.done.recv().ok() } else { writer.done.try_recv().ok() };
            let Some(Done { piece, result }) = done else { return failure };
            writer.ordered -= 1;
            self.spare.push(piece);
            if writer.ordered == 0 {
                self.spare.truncate(SPARE_PIECES);
            }
            failure = failure.and(result);
        }
    }

    fn output(&self) -> MutexGuard<'_, Output> {
        locked(&self.output)
    }
}

fn locked(output: &Mutex<Output>) -> MutexGuard<'_, Output> {
    output.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unwritten(output: &Mutex<Output>) -> u64 {
    locked(output).unwritten()
}

/// Memory for a piece that is there before the first packet is: the kernel takes 0.2 to 6 ms to provide what a piece uses.
pub(super) fn provided_room() -> Gathered {
    let mut piece = room();
    let memory = piece.memory();
    let from = memory.as_ptr().align_offset(HUGE_PAGE);
    sys::provide(&mut memory[from..][..HUGE_PAGE]);
    piece
}

/// Memory for a piece.
fn room() -> Gathered {
    let mut piece = Gathered::with_room(PIECE_ROOM);
    sys::prefer_huge_pages(piece.memory());
    piece
}

impl Writer {
    /// The thread inherits what rights its maker has left. It ends with the orders.
    fn start(format: Format) -> std::io::Result<Self> {
        let (orders, taken) = channel::<Order>();
        let (tell, done) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let to_do = Arc::clone(&waiting);
        thread::Builder::new().name("write".to_owned()).spawn(move || {
            let mut has_failed = false;
            for Order { output: file, piece } in taken {
                let mut output = locked(&file);
                let is_behind = to_do.fetch_sub(1, Ordering::Relaxed) > PIECES_IN_TIME;
                let way = if is_behind { WriteThrough::PageCache } else { WriteThrough::Disk };
                let result = if has_failed {
                    output.leave_out(piece.bytes(), format);
                    Ok(())
                } else {
                    output.append(piece.bytes(), format, way)
                };
                has_failed |= result.is_err();
                drop(output);
                // The last one to let go of a file closes it: that may take its time, too.
                drop(file);
                // Nobody waits for it where the capture has given up.
                let _ = tell.send(Done { piece, result });
            }
        })?;
        Ok(Self { orders, done, waiting, ordered: 0 })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, time::Duration};

    use super::*;
    use crate::capture::Readers;
    use crate::model::{Direction, Frame};
    use crate::savefile::{Interface, PacketOptions, Section};

    #[test]
    fn a_failure_is_told_although_nothing_more_is_taken_in() {
        let file = tempfile::NamedTempFile::new().unwrap();
        // Open for reading only: every write fails.
        let output = Output::new(File::open(file.path()).unwrap(), file.path().to_owned(), 0);
        let mut behind = WriteBehind::new(output, Format::Pcapng);
        let mut encoder = Encoder::new(Format::Pcapng, 0);
        encoder.section(&Section::default());
        let id = encoder.interface(&Interface::default());
        for time in 0..400 {
            let frame = Frame::whole(&[0; 1000], 1000, time, Direction::Out);
            encoder.packet(id, &frame, &PacketOptions::default());
        }
        assert!(encoder.bytes().len() > DIRECT_BYTES);
        behind.append(&mut encoder).unwrap();
        let told = (0..2000).find_map(|_| {
            thread::sleep(Duration::from_millis(5));
            behind.check().err()
        });
        assert!(matches!(told, Some(SinkError::Io { operation: "writing", .. })), "{told:?}");
        assert_eq!(behind.unwritten(), 400);
    }

    #[test]
    fn files_that_are_not_written_yet_keep_what_was_taken_in_for_them() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<_> = (0..5).map(|number| folder.path().join(number.to_string())).collect();
        let create = |path: &PathBuf| Output::create(path, 0, Readers::Usual).unwrap();
        let mut behind = WriteBehind::new(create(&paths[0]), Format::Pcap);
        let mut encoder = Encoder::new(Format::Pcap, 0);
        for (number, path) in paths.iter().enumerate() {
            if number > 0 {
                behind.begin(create(path));
                encoder.clear(0);
            }
            encoder.section(&Section::default());
            let id = encoder.interface(&Interface::default());
            for _ in 0..400 {
                let frame = Frame::whole(&[7; 1000], 1000, number as u64, Direction::Out);
                encoder.packet(id, &frame, &PacketOptions::default());
            }
            behind.append(&mut encoder).unwrap();
        }
        behind.settle().unwrap();
        for path in paths {
            assert_eq!(std::fs::metadata(path).unwrap().len(), 24 + 400 * 1016);
        }
        assert_eq!(behind.unwritten(), 0);
    }
}
