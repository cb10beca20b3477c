//! A home for Wireshark with pcapsule in it, and pcapsule called as Wireshark calls it.

use std::{
    fs::{self, File},
    io::Read as _,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::{
    sys::{
        signal::{Signal, kill},
        stat::Mode,
    },
    unistd::{Pid, mkfifo},
};
use tempfile::TempDir;

use crate::lab::{Cable, eventually};

const PCAPSULE: &str = env!("CARGO_BIN_EXE_pcapsule");
/// Where Wireshark looks for what a user has installed: up to 4.0, and later.
const FOLDERS: [&str; 2] = [".config/wireshark/extcap", ".local/lib/wireshark/extcap"];

/// A home directory of Wireshark's, with or without pcapsule.
pub(super) struct Home {
    folder: TempDir,
    is_nobodys: bool,
}

impl Home {
    /// With a link to the program under test.
    pub(super) fn new() -> Self {
        Self::with(Path::new(PCAPSULE))
    }

    /// With a link to that build.
    pub(super) fn with(program: &Path) -> Self {
        let home = Self::empty();
        for folder in FOLDERS {
            symlink(program, home.folder.path().join(folder).join("pcapsule")).expect("a new link");
        }
        home
    }

    /// With nothing to list.
    pub(super) fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        for inside in FOLDERS {
            fs::create_dir_all(folder.path().join(inside)).expect("a new directory");
        }
        Self { folder, is_nobodys: false }
    }

    /// That of a user without any right, who can reach a copy only.
    pub(super) fn of_nobody() -> Self {
        let mut home = Self::empty();
        for folder in FOLDERS {
            let copy = home.folder.path().join(folder).join("pcapsule");
            fs::copy(PCAPSULE, &copy).expect("a copy");
        }
        let path = home.folder.path().to_str().expect("a path in text");
        crate::lab::run("chown", &["-R", "65534:65534", path]);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("our own directory");
        home.is_nobodys = true;
        home
    }

    /// A file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// tshark, at home there.
    pub(super) fn tshark(&self, arguments: &[&str]) -> Command {
        let user = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "tshark"];
        let mut command = if self.is_nobodys {
            let mut command = Command::new("setpriv");
            command.args(user);
            command
        } else {
            Command::new("tshark")
        };
        let home = self.folder.path();
        command
            .args(arguments)
            .current_dir(home)
            .env("HOME", home)
            .env("XDG_CONFIG_HOME", home.join(".config"));
        command.env_remove("WIRESHARK_CONFIG_DIR").stdin(Stdio::null());
        command
    }

    /// What `tshark -D` lists of pcapsule's: name and display name.
    #[track_caller]
    pub(super) fn listed(&self) -> Vec<(String, String)> {
        let output = self.tshark(&["-D"]).output().expect("tshark starts");
        let text = crate::lab::checked("tshark -D", &output);
        let of_line = |line: &str| {
            let (_number, rest) = line.split_once(". ")?;
            let (name, display) = rest.split_once(" (")?;
            Some((name.to_owned(), display.strip_suffix(')')?.to_owned()))
        };
        let is_ours = |(name, _): &(String, String)| name.starts_with("pcapsule");
        text.lines().filter_map(of_line).filter(is_ours).collect()
    }
}

/// Calls pcapsule to its end, as Wireshark does.
pub(super) fn call(words: &[&str]) -> Output {
    command(words).output().expect("pcapsule starts")
}

/// The same with an engine at that socket.
pub(super) fn call_asking(socket: &Path, words: &[&str]) -> Output {
    command(words)
        .env("DOCKER_HOST", format!("unix://{}", socket.display()))
        .output()
        .expect("pcapsule starts")
}

fn command(words: &[&str]) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", "60", PCAPSULE]).args(words);
    command
}

/// Standard output of a call that succeeded and said nothing else.
#[track_caller]
pub(super) fn answer(output: &Output) -> String {
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8(output.stdout.clone()).expect("text")
}

/// What pcapsule calls the left end of a cable.
pub(super) fn interface(cable: &Cable) -> String {
    format!("pcapsule:{}", cable.left_name())
}

/// Somebody who lives in a namespace: such ones are listed first. Gone when dropped.
pub(super) struct Resident(Child);

impl Resident {
    pub(super) fn of(namespace: &str) -> Self {
        let child = Command::new("ip").args(["netns", "exec", namespace, "sleep", "600"]).spawn();
        let resident = Self(child.expect("ip starts"));
        let inside = fs::metadata(format!("/run/netns/{namespace}")).expect("the namespace is there");
        eventually("somebody lives in the namespace", || {
            let own = fs::metadata(format!("/proc/{}/ns/net", resident.0.id())).ok()?;
            (std::os::unix::fs::MetadataExt::ino(&own) == std::os::unix::fs::MetadataExt::ino(&inside))
                .then_some(())
        });
        resident
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `pcapsule --capture` into a pipe that the test reads into a file.
pub(super) struct Stream {
    child: Child,
    reader: Option<JoinHandle<()>>,
    folder: TempDir,
}

/// A stream that has come to its end.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) stderr: String,
    /// From the signal, or from when it was waited for.
    pub(super) took: Duration,
    folder: TempDir,
}

impl Ended {
    /// What came through the pipe.
    pub(super) fn file(&self) -> PathBuf {
        self.folder.path().join("stream.pcapng")
    }

    /// Fails unless it ended as a capture should: silently, and soon.
    #[track_caller]
    pub(super) fn well(self) -> Self {
        assert_eq!((self.status.code(), self.stderr.as_str()), (Some(0), ""));
        assert!(self.took < Duration::from_secs(1), "{:?}", self.took);
        self
    }
}

impl Stream {
    /// Captures there, with further words.
    pub(super) fn start(interface: &str, words: &[&str]) -> Self {
        Self::read_by(interface, words, |pipe, file| {
            let mut to = File::create(file).expect("a new file");
            let mut from = File::open(pipe).expect("the pipe is there");
            std::io::copy(&mut from, &mut to).expect("the stream can be read");
        })
    }

    /// The same with somebody else to read it, given the pipe and the file to write.
    pub(super) fn read_by(
        interface: &str,
        words: &[&str],
        read: impl FnOnce(&Path, &Path) + Send + 'static,
    ) -> Self {
        Self::of(Command::new(PCAPSULE), interface, words, read)
    }

    /// The same by a home that knows another host, which is called by that script in place of ssh.
    pub(super) fn elsewhere(
        (home, ssh): (&Home, &str),
        words: &[&str],
        read: impl FnOnce(&Path, &Path) + Send + 'static,
    ) -> Self {
        for folder in ["bin", ".config/pcapsule"] {
            fs::create_dir_all(home.file(folder)).expect("a new directory");
        }
        fs::write(home.file(".config/pcapsule/hosts"), "ssh://other\n").expect("a new file");
        fs::write(home.file("bin/ssh"), format!("#!/bin/sh\n{ssh}\n")).expect("a new file");
        fs::set_permissions(home.file("bin/ssh"), fs::Permissions::from_mode(0o755)).expect("our own file");
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(PCAPSULE);
        command
            .env("PATH", format!("{}:{path}", home.file("bin").display()))
            .env("XDG_CONFIG_HOME", home.file(".config"))
            .current_dir(home.file(""));
        Self::of(command, "pcapsule@other", words, read)
    }

    fn of(
        mut command: Command,
        interface: &str,
        words: &[&str],
        read: impl FnOnce(&Path, &Path) + Send + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let [pipe, file] = ["pipe", "stream.pcapng"].map(|name| folder.path().join(name));
        mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR).expect("a new pipe");
        let child = command
            .args(["--capture", "--extcap-interface", interface, "--fifo"])
            .arg(&pipe)
            .args(words)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("pcapsule starts");
        let reader = thread::spawn(move || read(&pipe, &file));
        Self { child, reader: Some(reader), folder }
    }

    /// What has come through the pipe so far.
    pub(super) fn file(&self) -> PathBuf {
        self.folder.path().join("stream.pcapng")
    }

    /// Back once the name of a tap has come through the pipe: from then on nothing is missed there.
    #[track_caller]
    pub(super) fn until_declared(&self, tap: &str) {
        crate::lab::until_written(&self.file(), tap.as_bytes());
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&self) -> bool {
        // It is not waited for yet: proc_pid_stat(5).
        fs::read_to_string(format!("/proc/{}/stat", self.pid())).is_ok_and(|stat| stat.contains(") Z "))
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(i32::try_from(self.child.id()).expect("a pid fits")), signal);
    }

    /// Ends it as Wireshark does.
    #[track_caller]
    pub(super) fn stop(self) -> Ended {
        self.signal(Signal::SIGTERM);
        self.wait()
    }

    /// Waits for its end.
    #[track_caller]
    pub(super) fn wait(mut self) -> Ended {
        let begin = Instant::now();
        let status = eventually("the stream ends", || self.child.try_wait().expect("it is our child"));
        let took = begin.elapsed();
        let mut stderr = String::new();
        self.child.stderr.take().expect("taken here alone").read_to_string(&mut stderr).expect("text");
        self.reader.take().expect("taken here alone").join().expect("the reader does not fail");
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().expect("a temporary directory"));
        Ended { status, stderr, took, folder }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
