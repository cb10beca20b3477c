//! A second, trusted capture beside ours: tcpdump in the same namespace, on the same interface.

use std::{
    io::{BufRead, BufReader},
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
        let mut child = Command::new("nsenter")
            .arg(format!("--net={}", namespace.path().display()))
            .args(["tcpdump", "-Z", "root", "--immediate-mode", "-U", "-B", "65536", "-i", interface, "-w"])
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

    fn end(&mut self) {
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid fits"));
        let _ = kill(pid, Signal::SIGINT);
        let _ = std::io::copy(&mut self.stderr, &mut std::io::sink());
        let _ = self.child.wait();
    }
}

impl Drop for Truth {
    fn drop(&mut self) {
        self.end();
    }
}
