//! `--wireshark`: Wireshark at the other end of a pipe, started once there is something to listen on.
//!
//! The process that becomes Wireshark is born before the capture gives up its rights, which would leave none to dumpcap;
//! then it waits. Where the capture runs as root by sudo, it becomes the user who typed that.

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{self, PipeReader, PipeWriter, Read as _, Write as _, pipe},
    os::{
        fd::{AsFd as _, AsRawFd as _},
        unix::process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{capture_args::CaptureArgs, terminal};
use crate::sys::fork::{self, Child, End, Orphan, Signals};
use crate::sys::{self, user, user::Person};

/// Names another command that reads pcapng from its standard input.
const COMMAND: &str = "PCAPSULE_WIRESHARK";

/// How long whoever has closed the pipe may take to end.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a first screen of Wayland's is called.
const WAYLAND: &str = "wayland-0";

/// What shells say of a command that could not be started.
const NOT_STARTED: u8 = 127;

/// Why packets cannot be shown, or why that ended.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Error {
    /// No such program.
    #[error("there is no {0}")]
    Absent(String),
    /// A window needs a screen.
    #[error("there is no screen for Wireshark: neither DISPLAY nor WAYLAND_DISPLAY is set")]
    NoScreen,
    /// It failed.
    #[error("{program} ended with exit status {code}")]
    Ended {
        /// The program.
        program: String,
        /// As a shell puts it.
        code: u8,
    },
}

/// A process that is or becomes Wireshark.
pub(super) struct Viewer {
    program: String,
    child: Child,
    /// Our end of the pipe that it reads, until the capture has opened its own.
    input: Option<PipeWriter>,
    /// It waits for a byte here.
    gate: Option<PipeWriter>,
}

impl Viewer {
    /// If the arguments ask for one, it is where they write to. To be called while there is one thread and every right.
    pub(super) fn wanted_by(args: &mut CaptureArgs) -> anyhow::Result<Option<Self>> {
        if !args.wireshark {
            return Ok(None);
        }
        let viewer = Self::prepare()?;
        args.save.output =
            viewer.input.as_ref().map(|input| format!("/proc/self/fd/{}", input.as_raw_fd()).into());
        Ok(Some(viewer))
    }

    /// What is not there is found now.
    fn prepare() -> anyhow::Result<Self> {
        let person = invoking_user()?;
        let command = Words::from_environment(person.as_ref())?;
        let (output, input) = pipe().context("making a pipe for Wireshark")?;
        let (gate, opener) = pipe().context("making a pipe for Wireshark")?;
        let program = command.program.display().to_string();
        let child = fork::child(Orphan::Lives, || {
            fork::close_in_child(input.as_fd());
            fork::close_in_child(opener.as_fd());
            become_viewer(gate, output, &command, person.as_ref())
        });
        let child = child.context("making a process for Wireshark")?;
        Ok(Self { program, child, input: Some(input), gate: Some(opener) })
    }

    /// Lets it begin. Whoever writes to it has opened its input by then.
    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        // The end that the capture has opened remains.
        self.input = None;
        match self.gate.take().map_or(Ok(()), |mut gate| gate.write_all(b"g")) {
            // It has ended already, and is waited for below.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result.context("starting Wireshark"),
        }
    }

    /// Waits for its end.
    pub(super) async fn ended(&mut self) -> anyhow::Result<End> {
        let mut ends = signal(SignalKind::child()).context("listening for signals")?;
        loop {
            if let Some(end) = self.child.try_wait().context("waiting for Wireshark")? {
                return Ok(end);
            }
            ends.recv().await;
        }
    }

    /// Says what its end means, if it has ended or is about to.
    pub(super) async fn verdict(&mut self) -> anyhow::Result<()> {
        let Ok(end) = tokio::time::timeout(PATIENCE, self.ended()).await else { return Ok(()) };
        match end?.code() {
            0 => Ok(()),
            code => Err(Error::Ended { program: self.program.clone(), code }.into()),
        }
    }
}

/// What is to be started.
struct Words {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Words {
    /// Wireshark with our profile, where it is installed; or what the variable names.
    fn from_environment(person: Option<&Person>) -> Result<Self, Error> {
        let named = env::var(COMMAND).unwrap_or_default();
        let mut named = named.split_whitespace();
        let Some(first) = named.next() else { return Self::wireshark(person) };
        let program = find(first).ok_or_else(|| Error::Absent(format!("{first}, which {COMMAND} names")))?;
        Ok(Self { program, arguments: named.map(Into::into).collect() })
    }

    fn wireshark(person: Option<&Person>) -> Result<Self, Error> {
        let program = find("wireshark").ok_or_else(|| Error::Absent("wireshark".to_owned()))?;
        let is_set = |name: &&str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let has_screen = ["DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"].iter().any(is_set);
        if !has_screen && !person.is_some_and(has_wayland) {
            return Err(Error::NoScreen);
        }
        let mut arguments: Vec<OsString> = ["-k", "-i", "-"].map(Into::into).into();
        if has_profile(person) {
            arguments.extend(["-C", "pcapsule"].map(Into::into));
        }
        Ok(Self { program, arguments })
    }
}

fn find(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        Some(name.into()).filter(|path: &PathBuf| path.is_file())
    } else {
        sys::find_program(name)
    }
}

/// Whether `wireshark -C pcapsule` would find it. tshark would know for sure, and takes a third of a second to say.
fn has_profile(person: Option<&Person>) -> bool {
    let set = |variable: &str| env::var_os(variable).filter(|value| !value.is_empty());
    let below = |variable: &str, path: &str| Some(Path::new(&set(variable)?).join(path));
    let own = match person {
        Some(person) => Some(person.home.join(".config/wireshark")),
        // The first that is set counts, and no other.
        None => below("WIRESHARK_CONFIG_DIR", "")
            .or_else(|| below("XDG_CONFIG_HOME", "wireshark"))
            .or_else(|| below("HOME", ".config/wireshark")),
    };
    let everybodys = ["/usr/share/wireshark", "/usr/local/share/wireshark"].map(PathBuf::from);
    let folders = own.into_iter().chain(everybodys);
    folders.map(|folder| folder.join("profiles/pcapsule")).any(|profile| profile.is_dir())
}

/// Where the sockets of somebody's session are.
fn runtime_of(person: &Person) -> PathBuf {
    format!("/run/user/{}", person.uid).into()
}

/// Whether he has a screen of Wayland's.
fn has_wayland(person: &Person) -> bool {
    runtime_of(person).join(WAYLAND).exists()
}

/// Who typed `sudo`, if that is why we are root.
fn invoking_user() -> anyhow::Result<Option<Person>> {
    let uid = env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok()).filter(|uid| *uid != 0);
    let Some(uid) = uid.filter(|_| sys::effective_user() == 0) else { return Ok(None) };
    Person::by_number(uid).with_context(|| format!("finding the user {uid}, who called sudo"))
}

/// The child's life: it waits, and becomes the program. Returns where it cannot.
fn become_viewer(mut gate: PipeReader, output: PipeReader, words: &Words, person: Option<&Person>) -> u8 {
    let mut byte = [0];
    // Nobody opens it: there is nothing to be shown.
    if gate.read(&mut byte).unwrap_or(0) == 0 {
        return 0;
    }
    let Err(error) = turn_into(output, words, person);
    terminal::complain(&format!("failed starting {}: {error}", words.program.display()));
    NOT_STARTED
}

fn turn_into(
    output: PipeReader,
    words: &Words,
    person: Option<&Person>,
) -> io::Result<std::convert::Infallible> {
    Signals::release()?;
    // What ends the capture leaves its packets on the screen: they may not have been saved yet.
    user::leave_foreground()?;
    let mut command = Command::new(&words.program);
    command.args(&words.arguments).stdin(output).stdout(Stdio::null());
    if let Some(person) = person {
        person.become_for_good()?;
        dress(&mut command, person);
    }
    Err(command.exec())
}

/// The environment of somebody who has logged in by himself, as far as a program with a window needs it.
fn dress(command: &mut Command, person: &Person) {
    let of_sudo = ["SUDO_UID", "SUDO_GID", "SUDO_USER", "SUDO_COMMAND"];
    let of_root =
        ["WIRESHARK_CONFIG_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"];
    of_sudo.iter().chain(&of_root).for_each(|name| {
        command.env_remove(name);
    });
    command.env("HOME", &person.home).env("USER", &person.name).env("LOGNAME", &person.name);
    let runtime = runtime_of(person);
    if runtime.is_dir() {
        // sudo passes DISPLAY on, and neither of these.
        let is_set = |name| env::var_os(name).is_some();
        if has_wayland(person) && !is_set("WAYLAND_DISPLAY") && !is_set("DISPLAY") {
            command.env("WAYLAND_DISPLAY", OsStr::new(WAYLAND));
        }
        command.env("XDG_RUNTIME_DIR", runtime);
    }
    if person.home.is_dir() {
        command.current_dir(&person.home);
    }
}
