//! Where scenes are recorded: one file, its decoded text and its line in the README each.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, Instant},
};

use crate::lab::{Capture, checked, eventually, pcapsule, rows};

/// Files stay small: they are read by people.
const MOST_PACKETS: usize = 20;

const INTRODUCTION: &str = "\
# Captures

Small captures that pcapsule made of real containers and namespaces, each with its text by `pcapsule read -e` (in UTC)
beside it. `scripts/record-captures` remakes them; the test `golden` reads them.

| file | what happens |
|---|---|
";

/// The folder being filled.
pub(super) struct Studio {
    folder: PathBuf,
    readme: Mutex<String>,
}

impl Studio {
    pub(super) fn open() -> Self {
        // Relative, for the command line in the files; cargo runs tests in the package.
        let folder = PathBuf::from("captures");
        fs::create_dir_all(&folder).expect("the folder can be made");
        Self { folder, readme: Mutex::new(INTRODUCTION.to_owned()) }
    }

    /// Records what `act` does; it is given the growing file. `line` is a selection and options, as after `pcapsule capture`.
    pub(super) fn record(&self, name: &str, happens: &str, line: &[&str], act: impl FnOnce(&Path)) {
        let file = self.folder.join(format!("{name}.pcapng"));
        let capture = Capture::to(&file, &[], &[&["-U"], line].concat());
        act(&file);
        until_quiet(&file);
        let ended = capture.stop();
        assert_eq!(ended.code, Some(0), "{name}: {}", ended.stderr);
        let packets = rows(&file, "", &["frame.number"]).len();
        assert!((1..=MOST_PACKETS).contains(&packets), "{name} has {packets} packets");
        let read = pcapsule(&["read", "-e", "--color", "never", file.to_str().expect("text")]);
        fs::write(file.with_extension("txt"), checked("pcapsule read", &read) + "\n").expect("a new file");
        let mut readme = self.readme.lock().expect("no panic before");
        writeln!(readme, "| {name} | {happens} |").expect("text takes text");
    }

    /// Writes the README.
    pub(super) fn close(self) {
        let readme = self.readme.into_inner().expect("no panic before");
        fs::write(self.folder.join("README.md"), readme).expect("a new file");
    }
}

/// Waits until the last words of a conversation are written: nothing new for a third of a second.
fn until_quiet(file: &Path) {
    let size = || fs::metadata(file).map(|facts| facts.len()).unwrap_or_default();
    let mut last = (size(), Instant::now());
    eventually("the traffic ends", || {
        if size() != last.0 {
            last = (size(), Instant::now());
        }
        (last.1.elapsed() > Duration::from_millis(333)).then_some(())
    });
}
