//! When a file ends, what the next one is called, and which old ones go: tcpdump's -C, -G and -W with their meaning,
//! and --keep and --max-total for what those cannot say. Pure but for the clock that is passed in.
//!
//! One thing is unlike tcpdump: with -G a name that comes again while this run's file of that name is still there gets
//! a number behind, as with -C. tcpdump would overwrite the file, and packets would be gone without a word.

use std::{
    collections::{HashSet, VecDeque},
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Zoned;

/// What was asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct RotationOptions {
    /// `-C`: a file ends with the packet that takes it past that many bytes.
    pub file_bytes: Option<u64>,
    /// `-G`: a file ends after that time.
    pub period: Option<Duration>,
    /// `-W`: with `-C` the number of files that are written in turn; with `-G` the number after which to end.
    pub count: Option<u32>,
    /// `--keep`: older files are removed.
    pub keep: Option<u32>,
    /// `--max-total`: older files are removed so that all together stay below that many bytes. With `-C` room for a
    /// full file is made before one begins. With `-G` alone nobody knows how large a file will be: older ones go as it
    /// grows, and before it would grow. The file being written is never cut short or removed for it, so that one file
    /// larger than the bound is kept alone.
    pub max_total: Option<u64>,
}

/// Why that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRotation {
    /// tcpdump ignores -W here without a word.
    #[error(
        "-W together with both -C and -G has no effect in tcpdump: use --keep N to bound the number of files"
    )]
    CountWithBoth,
    /// Nothing rotates.
    #[error("-W, --keep and --max-total need -C or -G: without them there is one file")]
    NothingRotates,
    /// No name would say when its file began.
    #[error(
        "-G needs a name with a time in it, such as web-%Y%m%d-%H%M%S.pcapng: otherwise no file says when it began"
    )]
    NameWithoutTime,
    /// A ring of files already bounds them.
    #[error("--keep and --max-total do not go with a ring of files (-C with -W)")]
    TwoBounds,
    /// Zero of anything.
    #[error("a size, time or number of files of zero makes no file")]
    Zero,
    /// Standard output is one file.
    #[error("the standard output cannot be rotated: give a file name to -w")]
    Pipe,
}

/// A checked policy and the files it has led to.
#[derive(Debug, Clone)]
pub struct Rotation {
    pattern: PathBuf,
    options: RotationOptions,
    /// Files begun so far.
    begun: u32,
    /// What the present file's name begins with: the pattern, with -G the time put in at which the period began.
    stem: OsString,
    /// What is put behind it; none for 0.
    number: u32,
    /// This run's files whose names may come again, the present one included.
    taken: HashSet<PathBuf>,
    /// Ended files with their sizes, the oldest first, as far as they may have to go.
    kept: VecDeque<(PathBuf, u64)>,
}

/// What follows when a file ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// This file; those are to be removed first.
    File {
        /// Its path.
        path: PathBuf,
        /// Whether a file of that name is one of this run's and to be overwritten.
        is_reused: bool,
        /// Old files.
        removed: Vec<PathBuf>,
    },
    /// No further file.
    Complete,
}

/// Why a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By its size.
    Size,
    /// By its time.
    Time,
}

impl Rotation {
    /// Checks the mix of options for files named after `pattern`.
    pub fn new(pattern: &Path, options: RotationOptions) -> Result<Self, InvalidRotation> {
        let RotationOptions { file_bytes, period, count, keep, max_total } = options;
        let rotates = file_bytes.is_some() || period.is_some();
        let zero = file_bytes == Some(0)
            || period == Some(Duration::ZERO)
            || count == Some(0)
            || keep == Some(0)
            || max_total == Some(0);
        let bounded = keep.is_some() || max_total.is_some();
        if zero {
            return Err(InvalidRotation::Zero);
        }
        if !rotates && (count.is_some() || bounded) {
            return Err(InvalidRotation::NothingRotates);
        }
        if file_bytes.is_some() && period.is_some() && count.is_some() {
            return Err(InvalidRotation::CountWithBoth);
        }
        if file_bytes.is_some() && count.is_some() && bounded {
            return Err(InvalidRotation::TwoBounds);
        }
        if rotates && pattern == Path::new("-") {
            return Err(InvalidRotation::Pipe);
        }
        if period.is_some() && !pattern.to_string_lossy().contains('%') {
            return Err(InvalidRotation::NameWithoutTime);
        }
        Ok(Self {
            pattern: pattern.to_owned(),
            options,
            begun: 0,
            stem: OsString::new(),
            number: 0,
            taken: HashSet::new(),
            kept: VecDeque::new(),
        })
    }

    /// Whether there will be more than one file.
    pub fn rotates(&self) -> bool {
        self.options.file_bytes.is_some() || self.options.period.is_some()
    }

    /// The size at which a file is full.
    pub fn file_bytes(&self) -> Option<u64> {
        self.options.file_bytes
    }

    /// The time after which a file ends.
    pub fn period(&self) -> Option<Duration> {
        self.options.period
    }

    /// What the first file is called if it begins now.
    pub fn first_name(&self, now: &Zoned) -> PathBuf {
        self.clone().first(now)
    }

    /// The first file's path.
    pub fn first(&mut self, now: &Zoned) -> PathBuf {
        self.stem = self.stem_at(now);
        self.begin()
    }

    /// What follows the file at `path` that ended with `bytes` bytes.
    pub fn next(&mut self, path: &Path, bytes: u64, ended: Ended, now: &Zoned) -> Next {
        let RotationOptions { count, keep, max_total, period, .. } = self.options;
        if period.is_some() && count.is_some_and(|count| self.begun >= count) {
            return Next::Complete;
        }
        let mut removed = Vec::new();
        if keep.is_some() || max_total.is_some() {
            self.kept.push_back((path.to_owned(), bytes));
            // The file that is about to begin counts as one, and may become as large as a full one.
            removed = self.remove_beyond(keep, self.options.file_bytes.unwrap_or(0));
        }
        self.number += 1;
        let stem = self.stem_at(now);
        if ended == Ended::Time && self.stem != stem {
            (self.stem, self.number) = (stem, 0);
        }
        let is_reused = self.ring().is_some_and(|count| self.begun >= count);
        Next::File { path: self.begin(), is_reused, removed }
    }

    /// The present file is about to have that many bytes: which old ones are to be removed first.
    pub fn outgrown(&mut self, present: u64) -> Vec<PathBuf> {
        self.remove_beyond(None, present)
    }

    fn remove_beyond(&mut self, keep: Option<u32>, present: u64) -> Vec<PathBuf> {
        let mut removed = Vec::new();
        let mut total = self.kept.iter().map(|(_, bytes)| bytes).sum::<u64>().saturating_add(present);
        while keep.is_some_and(|keep| self.kept.len() >= keep as usize)
            || self.options.max_total.is_some_and(|most| total > most)
        {
            let Some((path, bytes)) = self.kept.pop_front() else { break };
            total -= bytes;
            self.taken.remove(&path);
            removed.push(path);
        }
        removed
    }

    /// With -C and -W alone: how many files are written in turn.
    fn ring(&self) -> Option<u32> {
        self.options.count.filter(|_| self.options.file_bytes.is_some() && self.options.period.is_none())
    }

    /// Finds the name of the file that begins, and counts it.
    fn begin(&mut self) -> PathBuf {
        let mut name = self.name();
        if self.options.period.is_some() {
            while !self.taken.insert(name.clone()) {
                self.number += 1;
                name = self.name();
            }
        }
        self.begun += 1;
        name
    }

    fn stem_at(&self, now: &Zoned) -> OsString {
        if self.options.period.is_none() {
            return self.pattern.clone().into_os_string();
        }
        let pattern = self.pattern.to_string_lossy();
        // A directive that does not exist leaves the text as it is.
        jiff::fmt::strtime::format(pattern.as_ref(), now).unwrap_or_else(|_| pattern.into_owned()).into()
    }

    /// tcpdump's names: with -G the time at which the period began; behind it a number, none for the first; in a ring
    /// every file has a number, with zeros in front so that names sort.
    fn name(&self) -> PathBuf {
        let mut name = self.stem.clone();
        if let Some(count) = self.ring() {
            let width = (count - 1).to_string().len();
            name.push(format!("{:0width$}", self.begun % count));
        } else if self.number > 0 {
            name.push(self.number.to_string());
        }
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Zoned {
        "2026-11-23T04:05:06[UTC]".parse().unwrap()
    }

    fn names(options: RotationOptions, pattern: &str, ended: Ended, files: usize) -> Vec<String> {
        let mut rotation = Rotation::new(Path::new(pattern), options).unwrap();
        let mut path = rotation.first(&now());
        let mut names = vec![path.display().to_string()];
        while names.len() < files {
            match rotation.next(&path, 10, ended, &now()) {
                Next::File { path: next, .. } => path = next,
                Next::Complete => break,
            }
            names.push(path.display().to_string());
        }
        names
    }

    #[test]
    fn names_are_tcpdumps() {
        let by_size = RotationOptions { file_bytes: Some(10), ..Default::default() };
        assert_eq!(names(by_size, "a", Ended::Size, 3), ["a", "a1", "a2"]);
        let ring = RotationOptions { count: Some(11), ..by_size };
        assert_eq!(names(ring, "a", Ended::Size, 12).last().map(String::as_str), Some("a00"));
        let by_time = RotationOptions { period: Some(Duration::from_secs(1)), ..Default::default() };
        assert_eq!(names(by_time, "a-%H%M%S", Ended::Time, 1), ["a-040506"]);
        let both = RotationOptions { file_bytes: Some(10), ..by_time };
        assert_eq!(names(both, "a-%H%M%S", Ended::Size, 3), ["a-040506", "a-0405061", "a-0405062"]);
    }

    #[test]
    fn a_name_that_comes_again_gets_a_number() {
        let minute = RotationOptions { period: Some(Duration::from_secs(1)), ..Default::default() };
        assert_eq!(names(minute, "m-%M.pcap", Ended::Time, 3), ["m-05.pcap", "m-05.pcap1", "m-05.pcap2"]);
        let both = RotationOptions { file_bytes: Some(10), ..minute };
        assert_eq!(names(both, "a%S", Ended::Time, 2), ["a06", "a061"]);
    }

    /// The names of files that begin one after another at these seconds, and those that are removed meanwhile.
    fn round(options: RotationOptions, seconds: &[i8]) -> (Vec<String>, Vec<String>) {
        let at = |second: i8| now().with().second(second).build().unwrap();
        let mut rotation = Rotation::new(Path::new("%S"), options).unwrap();
        let mut names = vec![rotation.first(&at(seconds[0])).display().to_string()];
        let mut gone = Vec::new();
        for second in &seconds[1..] {
            let last = names.last().unwrap();
            let Next::File { path, removed, .. } =
                rotation.next(Path::new(last), 10, Ended::Time, &at(*second))
            else {
                panic!()
            };
            assert!(!removed.contains(&path), "{path:?} is about to begin");
            names.push(path.display().to_string());
            gone.extend(removed.iter().map(|path| path.display().to_string()));
        }
        (names, gone)
    }

    #[test]
    fn a_time_that_comes_again_spares_the_file_that_has_its_name() {
        let by_time = RotationOptions { period: Some(Duration::from_secs(1)), ..Default::default() };
        assert_eq!(round(by_time, &[1, 11, 1, 11, 1]).0, ["01", "11", "011", "111", "012"]);
        let two = RotationOptions { keep: Some(2), ..by_time };
        let (names, gone) = round(two, &[1, 1, 1, 2, 1]);
        assert_eq!(names, ["01", "011", "012", "02", "01"]);
        assert_eq!(gone, ["01", "011", "012"]);
    }

    #[test]
    fn files_by_size_are_named_after_the_time_of_their_period() {
        let options = RotationOptions {
            file_bytes: Some(10),
            period: Some(Duration::from_mins(1)),
            ..Default::default()
        };
        let mut rotation = Rotation::new(Path::new("%S-"), options).unwrap();
        let first = rotation.first(&now());
        let later = now().with().second(30).build().unwrap();
        let next = rotation.next(&first, 10, Ended::Size, &later);
        assert_eq!(next, Next::File { path: "06-1".into(), is_reused: false, removed: Vec::new() });
        let next = rotation.next(Path::new("06-1"), 10, Ended::Time, &later);
        assert_eq!(next, Next::File { path: "30-".into(), is_reused: false, removed: Vec::new() });
    }

    #[test]
    fn the_file_being_written_counts_in_the_total() {
        let options = RotationOptions {
            period: Some(Duration::from_secs(1)),
            max_total: Some(25),
            ..Default::default()
        };
        let mut rotation = Rotation::new(Path::new("%S"), options).unwrap();
        let mut path = rotation.first(&now());
        for _ in 0..2 {
            let Next::File { path: next, removed, .. } = rotation.next(&path, 10, Ended::Time, &now()) else {
                panic!()
            };
            assert!(removed.is_empty());
            path = next;
        }
        assert!(rotation.outgrown(5).is_empty());
        assert_eq!(rotation.outgrown(6), [PathBuf::from("06")]);
        assert!(rotation.outgrown(15).is_empty());
        assert_eq!(rotation.outgrown(1000), [PathBuf::from("061")], "and never the present one");
    }

    #[test]
    fn time_and_count_end_the_run() {
        let options =
            RotationOptions { period: Some(Duration::from_secs(1)), count: Some(2), ..Default::default() };
        assert_eq!(names(options, "a%S", Ended::Time, 9).len(), 2);
    }

    #[test]
    fn old_files_go_by_number_and_by_size() {
        let size = RotationOptions { file_bytes: Some(10), ..Default::default() };
        let bounds =
            [RotationOptions { keep: Some(2), ..size }, RotationOptions { max_total: Some(25), ..size }];
        for options in bounds {
            let mut rotation = Rotation::new(Path::new("a"), options).unwrap();
            let first = rotation.first(&now());
            let Next::File { path, removed, .. } = rotation.next(&first, 10, Ended::Size, &now()) else {
                panic!()
            };
            assert!(removed.is_empty(), "{options:?}");
            let Next::File { removed, .. } = rotation.next(&path, 10, Ended::Size, &now()) else { panic!() };
            assert_eq!(removed, [PathBuf::from("a")], "{options:?}");
        }
    }

    #[test]
    fn mixes_without_meaning_are_refused() {
        let check = |options| Rotation::new(Path::new("a"), options).map(|_| ());
        let second = Some(Duration::from_secs(1));
        let size = RotationOptions { file_bytes: Some(10), ..Default::default() };
        assert_eq!(
            check(RotationOptions { period: second, count: Some(1), ..size }),
            Err(InvalidRotation::CountWithBoth)
        );
        assert_eq!(
            check(RotationOptions { keep: Some(1), ..Default::default() }),
            Err(InvalidRotation::NothingRotates)
        );
        assert_eq!(
            check(RotationOptions { period: second, ..Default::default() }),
            Err(InvalidRotation::NameWithoutTime)
        );
        assert_eq!(
            check(RotationOptions { count: Some(2), keep: Some(2), ..size }),
            Err(InvalidRotation::TwoBounds)
        );
        assert_eq!(
            check(RotationOptions { file_bytes: Some(0), ..Default::default() }),
            Err(InvalidRotation::Zero)
        );
        assert_eq!(Rotation::new(Path::new("-"), size).map(|_| ()), Err(InvalidRotation::Pipe));
    }
}
