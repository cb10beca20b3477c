//! A second, trusted capture beside ours: tcpdump in the same namespace, on the same interface.

use std::{
    io::{BufRead, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::Namespace;

/// A running tcpdump.
pub(crate) struct Truth {
    child: Child,
    // Kept open, so that tcpdump can say its last words.
    stderr: BufReader<ChildStderr>,
    file: PathBuf,
}

impl Truth {
    /// Starts it; back once it listens. `file` is made anew.
    pub(crate) fn start(namespace: &Namespace, interface: &str, file: PathBuf) -> Self {
        Self::with(namespace, interface, file, &["--immediate-mode"])
    }

    /// The same of every packet's headers only: then its buffer has room for many packets.
    pub(crate) fn of_headers(namespace: &Namespace, interface: &str, file: PathBuf) -> Self {
        Self::with(namespace, interface, file, &["-s", "128"])
    }

    fn with(namespace: &Namespace, interface: &str, file: PathBuf, options: &[&str]) -> Self {
        let mut child = Command::new("nsenter")
            .arg(format!("--net={}", namespace.path().display()))
            .args(["tcpdump", "-Z", "root", "-U", "-B", "65536", "-i", interface])
            .args(options)
            .arg("-w")
            .arg(&file)
            .stderr(Stdio::piped())
            .spawn()
            .expect("nsenter starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let mut line = String::new();
        while !line.contains("listening on") {
            line.clear();
            let length = stderr.read_line(&mut line).expect("tcpdump speaks text");
            assert!(length > 0, "tcpdump ended before it listened");
        }
        Self { child, stderr, file }
    }

    /// What it has written so far.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Ends it.
    pub(crate) fn stop(mut self) -> PathBuf {
        self.end();
        self.file.clone()
    }

    /// Ends it, and fails if it has missed a packet.
    #[track_caller]
    pub(crate) fn stop_complete(mut self) -> PathBuf {
        let words = self.end();
        assert!(words.contains("\n0 packets dropped by kernel"), "the truth is not whole: {words}");
        self.file.clone()
    }

    /// Its last words.
    fn end(&mut self) -> String {
        let mut words = Vec::new();
        if !matches!(self.child.try_wait(), Ok(None)) {
            return String::new();
        }
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid fits"));
        let _ = kill(pid, Signal::SIGINT);
        let _ = self.stderr.read_to_end(&mut words);
        let _ = self.child.wait();
        String::from_utf8_lossy(&words).into_owned()
    }
}

impl Drop for Truth {
    fn drop(&mut self) {
        self.end();
    }
}
