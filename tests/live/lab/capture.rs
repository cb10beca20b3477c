//! The program under test: one command to its end, or a capture that is waited for, signalled and collected.

use std::{
    io::{self, BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use super::eventually;

const PCAPSULE: &str = env!("CARGO_BIN_EXE_pcapsule");
const FILE: &str = "capture.pcapng";

/// Runs pcapsule to its end, which must come within a minute.
pub(crate) fn pcapsule(arguments: &[&str]) -> Output {
    let line = ["--kill-after=5", "60", PCAPSULE];
    Command::new("timeout").args(line).args(arguments).env("TZ", "UTC").output().expect("timeout starts")
}

/// A running `pcapsule capture`, killed on drop.
pub(crate) struct Capture {
    child: Child,
    stderr: Option<JoinHandle<String>>,
    folder: TempDir,
}

/// A capture that came to its end.
pub(crate) struct Ended {
    /// The exit code; none after a signal.
    pub(crate) code: Option<i32>,
    /// Everything it said beside results.
    pub(crate) stderr: String,
    folder: TempDir,
}

impl Ended {
    /// Where it wrote, if no other file was named.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file it wrote, if no other was named.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }
}

impl Capture {
    /// Captures the selection into a file of its own; back once every tap is armed.
    #[track_caller]
    pub(crate) fn of(selection: &[&str], options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        Self::into_file(&folder.path().join(FILE), folder, selection, options)
    }

    /// Captures the selection into that file.
    #[track_caller]
    pub(crate) fn to(file: &Path, selection: &[&str], options: &[&str]) -> Self {
        Self::into_file(file, tempfile::tempdir().expect("a temporary directory"), selection, options)
    }

    #[track_caller]
    fn into_file(file: &Path, folder: TempDir, selection: &[&str], options: &[&str]) -> Self {
        let file = file.to_str().expect("a path in text");
        Self::start(&[selection, &["-w", file], options].concat(), folder, Stdio::null(), None)
    }

    /// Captures the selection, with the engine asked at that socket.
    #[track_caller]
    pub(crate) fn asking(socket: &Path, selection: &[&str], options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let file = folder.path().join(FILE);
        let file = file.to_str().expect("a path in text");
        Self::start(&[selection, &["-w", file], options].concat(), folder, Stdio::null(), Some(socket))
    }

    /// Captures the selection to standard output, which is returned as well.
    #[track_caller]
    pub(crate) fn piped(selection: &[&str], options: &[&str]) -> (Self, ChildStdout) {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let line = [selection, &["-w", "-"], options].concat();
        let mut capture = Self::start(&line, folder, Stdio::piped(), None);
        let stdout = capture.child.stdout.take().expect("stdout is piped");
        (capture, stdout)
    }

    /// Runs `pcapsule capture LINE`. The ready line comes through a pipe in standard input's place: the one descriptor
    /// besides output that a child gets without further ado.
    #[track_caller]
    fn start(line: &[&str], folder: TempDir, stdout: Stdio, engine: Option<&Path>) -> Self {
        let (ready, armed) = io::pipe().expect("a pipe");
        let mut command = Command::new(PCAPSULE);
        if let Some(socket) = engine {
            command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
        }
        let mut child = command
            // The command line goes into the file; where this build lies need not.
            .arg0("pcapsule")
            .args(["capture", "--ready-fd", "0"])
            .args(line)
            .stdin(armed)
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .expect("pcapsule starts");
        let mut stderr = child.stderr.take().expect("stderr is piped");
        let listener = thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        let capture = Self { child, stderr: Some(listener), folder };
        if !is_ready(ready) {
            capture.signal(Signal::SIGKILL);
            panic!("`pcapsule capture {}` is not ready: {}", line.join(" "), capture.wait().stderr);
        }
        capture
    }

    /// The file being written, if no other was named.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join(FILE)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not come to its end.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid fits"));
        let _ = kill(pid, signal);
    }

    /// Ends it as ^C does.
    #[track_caller]
    pub(crate) fn stop(self) -> Ended {
        self.signal(Signal::SIGINT);
        self.wait()
    }

    /// Waits for its own end.
    #[track_caller]
    pub(crate) fn wait(mut self) -> Ended {
        let status: ExitStatus =
            eventually("the capture ends", || self.child.try_wait().expect("it is our child"));
        let stderr = self.stderr.take().expect("taken here alone").join().expect("text");
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().expect("a temporary directory"));
        Ended { code: status.code(), stderr, folder }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        if self.is_running() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn is_ready(pipe: io::PipeReader) -> bool {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let length = BufReader::new(pipe).read_line(&mut line).unwrap_or(0);
        let _ = tell.send(length > 0);
    });
    told.recv_timeout(Duration::from_secs(20)).unwrap_or(false)
}

/// Waits until a file that is being written contains those bytes.
#[track_caller]
pub(crate) fn until_written(file: &Path, needle: &[u8]) {
    let what = format!("{} contains {}", file.display(), String::from_utf8_lossy(needle));
    eventually(&what, || has_written(file, needle).then_some(()));
}

/// Whether a file contains those bytes.
pub(crate) fn has_written(file: &Path, needle: &[u8]) -> bool {
    let bytes = std::fs::read(file).unwrap_or_default();
    bytes.windows(needle.len()).any(|window| window == needle)
}
