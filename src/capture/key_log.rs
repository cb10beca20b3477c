//! A TLS key log (`SSLKEYLOGFILE`) that grows while a capture runs: followed as `tail -F` follows a file, line by line.
//!
//! Only lines that are keys are taken: the file may lie in a container, and what is taken from it goes into the capture.
//! Where the file lies and who may open it is the caller's business.

use std::{
    fs::File,
    io::{self, ErrorKind, Read as _, Seek as _, SeekFrom},
    os::unix::fs::MetadataExt as _,
};

/// `ESRCH`: the process whose root was looked into has ended.
const NO_SUCH_PROCESS: i32 = 3;
/// A line is no longer; keys have some two hundred bytes, configurations of encrypted hellos a few thousand.
const LONGEST_LINE: usize = 8 << 10;
/// So many bytes tell a file from any other: the last secret of a line.
const RECOGNIZED: u64 = 64;
/// At once, no more is read of a file than that.
const MOST_AT_ONCE: u64 = 1 << 20;
/// What is kept for further files of a rotation: keys of some ten thousand connections.
const KEPT_BYTES: usize = 8 << 20;

/// A key log, and how far it was read.
#[derive(Debug, Default)]
pub struct KeyLog {
    present: Option<Reading>,
    /// How far that was read which was let go of.
    left: Option<Bookmark>,
    /// The file that had its name before: whoever writes may have it open still.
    before: Option<Reading>,
}

/// How far a file was read, and what stands before that: it may come up again under another identity.
#[derive(Debug)]
struct Bookmark {
    offset: u64,
    before: Vec<u8>,
}

/// A file being read.
#[derive(Debug)]
struct Reading {
    file: File,
    identity: (u64, u64),
    offset: u64,
    /// The beginning of a line whose end is still to come.
    begun: Vec<u8>,
    /// Whether what comes up to the next line end belongs to a line that is too long.
    is_skipping: bool,
}

impl KeyLog {
    /// Passes over what the file holds by now. Keys that are there before a capture begins are those of connections
    /// whose first packets it does not have.
    pub fn skip_present(&mut self, opened: io::Result<File>) -> io::Result<()> {
        let Some(file) = there(opened)? else { return Ok(()) };
        self.present = Some(Reading::from_end(file)?);
        Ok(())
    }

    /// Appends the keys that came up since the last time to `keys`, a line each. `opened` is the file that now has the
    /// name; none if that is not known to have changed.
    pub fn read(&mut self, opened: Option<io::Result<File>>, keys: &mut Vec<u8>) -> io::Result<()> {
        let opened = opened.map_or(Ok(None), there);
        for reading in [&mut self.before, &mut self.present].into_iter().flatten() {
            reading.read(keys)?;
        }
        let Some(file) = opened? else { return Ok(()) };
        let mut reading = Reading::from_start(file)?;
        if self.present.as_ref().is_some_and(|present| present.identity == reading.identity) {
            return Ok(());
        }
        let left = self.present.as_ref().map_or_else(|| self.left.take(), |present| present.bookmark().ok());
        if let Some(left) = left {
            reading.go_on_at(&left)?;
        }
        reading.read(keys)?;
        self.before = self.present.replace(reading);
        Ok(())
    }

    /// Whether there is a file that is read.
    pub fn is_open(&self) -> bool {
        self.present.is_some()
    }

    /// Lets go of the files: the container they are in has ended. Where it starts again and has the same file still, that
    /// is read on where it was.
    pub fn close(&mut self) {
        self.before = None;
        if let Some(present) = self.present.take() {
            // What cannot be read any more is not recognized, either.
            self.left = present.bookmark().ok();
        }
    }
}

/// A file that is not there yet will come. What is not a plain file is not waited for.
fn there(opened: io::Result<File>) -> io::Result<Option<File>> {
    match opened {
        Ok(file) if file.metadata()?.is_file() => Ok(Some(file)),
        Ok(_) => Err(io::Error::new(ErrorKind::InvalidInput, "it is not a plain file")),
        Err(error)
            if error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(NO_SUCH_PROCESS) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl Reading {
    fn from_start(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let identity = (metadata.dev(), metadata.ino());
        Ok(Self { file, identity, offset: 0, begun: Vec::new(), is_skipping: false })
    }

    /// From the end of its last whole line on.
    fn from_end(file: File) -> io::Result<Self> {
        let mut reading = Self::from_start(file)?;
        let length = reading.file.metadata()?.len();
        let from = length.saturating_sub(LONGEST_LINE as u64);
        let mut tail = Vec::new();
        reading.file.seek(SeekFrom::Start(from))?;
        (&reading.file).take(length - from).read_to_end(&mut tail)?;
        let end = tail.iter().rposition(|byte| *byte == b'\n');
        reading.is_skipping = end.is_none() && from > 0;
        reading.offset = from + end.map_or(0, |at| at as u64 + 1);
        Ok(reading)
    }

    /// Where the next line begins.
    fn bookmark(&self) -> io::Result<Bookmark> {
        let offset = self.offset.saturating_sub(self.begun.len() as u64);
        Ok(Bookmark { offset, before: self.before(offset)? })
    }

    /// Passes over what was read before, if this is the same file.
    fn go_on_at(&mut self, bookmark: &Bookmark) -> io::Result<()> {
        if self.before(bookmark.offset)? == bookmark.before {
            self.offset = bookmark.offset;
        }
        Ok(())
    }

    /// The last bytes before that place; fewer where the file has not so many.
    fn before(&self, offset: u64) -> io::Result<Vec<u8>> {
        let from = offset.saturating_sub(RECOGNIZED);
        let mut bytes = Vec::new();
        (&self.file).seek(SeekFrom::Start(from))?;
        (&self.file).take(offset - from).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn read(&mut self, keys: &mut Vec<u8>) -> io::Result<()> {
        if self.file.metadata()?.len() < self.offset {
            // Emptied in place.
            (self.offset, self.is_skipping) = (0, false);
            self.begun.clear();
        }
        self.file.seek(SeekFrom::Start(self.offset))?;
        let mut fresh = Vec::new();
        (&self.file).take(MOST_AT_ONCE).read_to_end(&mut fresh)?;
        self.offset += fresh.len() as u64;
        for piece in fresh.split_inclusive(|byte| *byte == b'\n') {
            self.take(piece, keys);
        }
        Ok(())
    }

    /// Takes a line, or the part of it that is there.
    fn take(&mut self, piece: &[u8], keys: &mut Vec<u8>) {
        let (text, is_whole) = piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
        self.is_skipping |= self.begun.len() + text.len() > LONGEST_LINE;
        if self.is_skipping {
            self.begun.clear();
        } else {
            self.begun.extend_from_slice(text);
        }
        if is_whole {
            let line = self.begun.strip_suffix(b"\r").unwrap_or(&self.begun);
            if is_key(line) {
                keys.extend_from_slice(line);
                keys.push(b'\n');
            }
            self.begun.clear();
            self.is_skipping = false;
        }
    }
}

/// Whether a line is one of the format that NSS began (draft-ietf-tls-keylogfile): a label, and two numbers in hex; in
/// older ones the numbers may have names before them, as in `RSA Session-ID:… Master-Key:…`.
fn is_key(line: &[u8]) -> bool {
    let Ok(line) = str::from_utf8(line) else { return false };
    let number = |word: &str| {
        let digits = word.strip_prefix("Session-ID:").or(word.strip_prefix("Master-Key:")).unwrap_or(word);
        !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    };
    let in_label = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let words: Vec<&str> = line.split(' ').collect();
    let [label, first, second] = words[..] else { return false };
    !label.is_empty() && label.bytes().all(in_label) && number(first) && number(second)
}

/// Keys for the files that follow. The oldest go where there are too many.
#[derive(Debug, Default)]
pub(super) struct KeyRing(Vec<u8>);

impl KeyRing {
    pub(super) fn add(&mut self, lines: &[u8]) {
        self.0.extend_from_slice(lines);
        if self.0.len() > KEPT_BYTES {
            let from = self.0.len() - KEPT_BYTES / 2;
            let cut = self.0[from..].iter().position(|byte| *byte == b'\n').map_or(0, |at| from + at + 1);
            self.0.drain(..cut);
        }
    }

    pub(super) fn lines(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _, path::Path};

    use super::*;

    fn key(number: u8) -> String {
        format!("CLIENT_RANDOM {} {}\n", format!("{number:02x}").repeat(32), "ab".repeat(48))
    }

    fn append(path: &Path, text: &str) {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn read(log: &mut KeyLog, path: &Path) -> String {
        let mut keys = Vec::new();
        log.read(Some(File::open(path)), &mut keys).unwrap();
        String::from_utf8(keys).unwrap()
    }

    #[test]
    fn a_log_is_followed_from_where_it_is_when_the_capture_begins() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        append(&path, &(key(1) + "CLIENT_RANDOM 02"));
        let mut log = KeyLog::default();
        log.skip_present(File::open(&path)).unwrap();
        assert_eq!(read(&mut log, &path), "");
        append(&path, &key(2)["CLIENT_RANDOM 02".len()..]);
        append(&path, &key(3)[..20]);
        assert_eq!(read(&mut log, &path), key(2), "the line that was being written counts as new");
        append(&path, &key(3)[20..]);
        assert_eq!(read(&mut log, &path), key(3));
        assert_eq!(read(&mut log, &path), "");
    }

    #[test]
    fn a_log_that_comes_later_is_read_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let mut log = KeyLog::default();
        log.skip_present(File::open(&path)).unwrap();
        assert_eq!(read(&mut log, &path), "");
        append(&path, &key(1));
        assert_eq!(read(&mut log, &path), key(1));
    }

    #[test]
    fn a_log_that_is_moved_away_is_read_on_beside_its_successor() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("keys"), folder.path().join("keys.1"));
        append(&path, &key(1));
        let mut log = KeyLog::default();
        assert_eq!(read(&mut log, &path), key(1));
        fs::rename(&path, &old).unwrap();
        append(&old, &key(2));
        assert_eq!(read(&mut log, &path), key(2));
        append(&path, &key(3));
        assert_eq!(read(&mut log, &path), key(3));
        append(&old, &key(4));
        append(&path, &key(5));
        assert_eq!(read(&mut log, &path), key(4) + &key(5));
    }

    #[test]
    fn a_log_that_is_emptied_in_place_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        append(&path, &(key(1) + &key(2)));
        let mut log = KeyLog::default();
        assert_eq!(read(&mut log, &path), key(1) + &key(2));
        fs::write(&path, key(3)).unwrap();
        assert_eq!(read(&mut log, &path), key(3));
    }

    #[test]
    fn a_log_that_was_let_go_of_is_read_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        append(&path, &key(1));
        let mut log = KeyLog::default();
        log.skip_present(File::open(&path)).unwrap();
        append(&path, &(key(2) + &key(3)[..20]));
        assert_eq!(read(&mut log, &path), key(2));
        log.close();
        log.close();
        // The file system of a container that is started again is another one, and so is what is copied.
        let again = folder.path().join("again");
        fs::copy(&path, &again).unwrap();
        append(&again, &(key(3)[20..].to_owned() + &key(4)));
        assert_eq!(read(&mut log, &again), key(3) + &key(4), "and not what was there before the capture");
        log.close();
        fs::write(&again, key(5)).unwrap();
        assert_eq!(read(&mut log, &again), key(5), "a new one is read from its beginning");
        fs::copy(&again, &path).unwrap();
        append(&path, &key(6));
        assert_eq!(read(&mut log, &path), key(6), "so soon that nobody saw it end");
    }

    #[test]
    fn nothing_but_keys_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let long = format!("CLIENT_RANDOM 00 {}\n", "0".repeat(LONGEST_LINE));
        let others =
            ["# made by a library\n", "root:x:0:0:root:/root:/bin/sh\n", "\n", "KEY\n", "KEY 01\n", &long];
        let session = "RSA Session-ID:0a0b Master-Key:0c0d\n";
        append(&path, &(others.concat() + session + "CLIENT_TRAFFIC_SECRET_0 01 02\r\n" + "KEY 0x 02\n"));
        let mut log = KeyLog::default();
        assert_eq!(read(&mut log, &path), session.to_owned() + "CLIENT_TRAFFIC_SECRET_0 01 02\n");
    }

    #[test]
    fn what_is_not_a_file_is_refused_and_not_waited_for() {
        let mut log = KeyLog::default();
        assert!(log.skip_present(File::open("/dev/full")).is_err());
        assert!(log.read(Some(File::open("/")), &mut Vec::new()).is_err());
    }

    #[test]
    fn of_too_many_keys_the_newest_are_kept_as_whole_lines() {
        let mut ring = KeyRing::default();
        for number in 0..=255 {
            ring.add(key(number).repeat(KEPT_BYTES / 60 / key(0).len()).as_bytes());
        }
        let kept = str::from_utf8(ring.lines()).unwrap();
        assert!(kept.len() <= KEPT_BYTES && kept.len() >= KEPT_BYTES / 2 - 1000, "{}", kept.len());
        assert!(kept.lines().all(|line| is_key(line.as_bytes())));
        assert!(kept.ends_with(&key(255)));
    }
}
