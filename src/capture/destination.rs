//! Where a savefile may go: found out before anything is opened or changed.

use std::{
    fs::File,
    io::{self, IsTerminal, Read},
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

use jiff::Zoned;

use crate::savefile;

use super::Rotation;

/// Where a savefile goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// `-w -`
    StandardOutput,
    /// `-w FILE`; with rotation a pattern.
    File(PathBuf),
}

/// What may be overwritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    /// Empty files and capture files.
    CapturesOnly,
    /// Anything (`--force`).
    Anything,
}

/// Why nothing can be written there. Found before anything is opened or changed.
#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    /// Packets on a terminal.
    #[error("standard output is a terminal, and packets would wreck it")]
    Terminal,
    /// Somebody's other file.
    #[error("{} exists and is not a capture file", .0.display())]
    NotCapture(PathBuf),
    /// It cannot be looked at.
    #[error("opening {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl Destination {
    /// From the argument of `-w`.
    pub fn new(argument: &Path) -> Self {
        if argument == Path::new("-") { Self::StandardOutput } else { Self::File(argument.to_owned()) }
    }

    /// The first file that is written there: a rotation does not write to the name it was given.
    #[must_use]
    pub fn first(&self, rotation: &Rotation, now: &Zoned) -> Self {
        match self {
            Self::StandardOutput => Self::StandardOutput,
            Self::File(_) => Self::File(rotation.first_name(now)),
        }
    }

    /// Whether a savefile may be put there. Of a rotation it is the [`first`](Self::first) file that counts.
    pub fn check(&self, overwrite: Overwrite) -> Result<(), DestinationError> {
        match self {
            Self::StandardOutput if io::stdout().is_terminal() => Err(DestinationError::Terminal),
            Self::StandardOutput => Ok(()),
            Self::File(path) => check_file(path, overwrite),
        }
    }
}

fn check_file(path: &Path, overwrite: Overwrite) -> Result<(), DestinationError> {
    let unreadable = |source| DestinationError::Unreadable { path: path.to_owned(), source };
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unreadable(error)),
    };
    if metadata.is_dir() {
        return Err(unreadable(io::ErrorKind::IsADirectory.into()));
    }
    let kind = metadata.file_type();
    if kind.is_char_device() && File::open(path).is_ok_and(|device| device.is_terminal()) {
        return Err(DestinationError::Terminal);
    }
    if !metadata.is_file() || metadata.len() == 0 || overwrite == Overwrite::Anything {
        return Ok(());
    }
    let mut magic = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    match read {
        Ok(()) if savefile::is_capture(&magic) => Ok(()),
        Ok(()) => Err(DestinationError::NotCapture(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(DestinationError::NotCapture(path.to_owned()))
        }
        Err(error) => Err(unreadable(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_captures_and_empty_files_are_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            Destination::File(path)
        };
        let check = |destination: &Destination| destination.check(Overwrite::CapturesOnly);
        assert!(check(&file("empty", b"")).is_ok());
        assert!(check(&file("old.pcap", &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0])).is_ok());
        assert!(check(&file("old.pcapng", &[0x0a, 0x0d, 0x0d, 0x0a])).is_ok());
        assert!(check(&Destination::File(folder.path().join("new"))).is_ok());
        for bytes in [&b"dear diary"[..], b"abc"] {
            let diary = file("diary", bytes);
            assert!(matches!(check(&diary), Err(DestinationError::NotCapture(_))));
            assert!(diary.check(Overwrite::Anything).is_ok());
        }
        assert!(matches!(
            check(&Destination::File(folder.path().to_owned())),
            Err(DestinationError::Unreadable { .. })
        ));
    }
}
