//! A command that is run on another host, seen from here: ssh is started, what it brings is written, what is typed here
//! is passed on, and its exit code is ours.

use std::{
    env,
    ffi::OsString,
    io::{self, BufRead as _, BufReader, IsTerminal as _},
    os::{fd::AsFd as _, unix::process::ExitStatusExt as _},
    path::Path,
    process::{Child, ChildStderr, ChildStdout, Command as Process, ExitCode, ExitStatus, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
    time::sleep,
};

use crate::capture::{Destination, Overwrite, Readers, ReceiveError, Reception, SinkError};
use crate::cli::{
    args::Command,
    capture::{default_reserve, warn_of_readers},
    capture_args::CaptureArgs,
    exit, terminal,
    units::Bytes,
};
use crate::sys;

use super::{
    Error, RemoteArgs,
    hosts::KnownHost,
    ssh::{Call, Questions, Screen},
};

/// Exit codes that are not pcapsule's: ssh(1), and POSIX shells.
const SSH_FAILED: i32 = 255;
const NOT_FOUND: i32 = 127;
const NOT_EXECUTABLE: i32 = 126;
/// A further signal within that time is the same one.
const PATIENCE: Duration = Duration::from_millis(500);
/// When the other end takes that long to end, it is said how to end at once.
const LONG: Duration = Duration::from_secs(2);
/// How often it is looked at whether somebody reads what is written.
const LOOK: Duration = Duration::from_secs(1);

/// What came of the stream that goes into a file: its bytes, and those of an unfinished block.
type Received = Result<(u64, usize), ReceiveError>;

/// Runs the command there, as it was typed here.
pub(in crate::cli) async fn run(remote: RemoteArgs, command: Command) -> anyhow::Result<ExitCode> {
    let Some(host) = remote.host else { return Ok(ExitCode::from(exit::USAGE)) };
    let words = env::args_os().skip(1).map(OsString::into_string).collect::<Result<Vec<_>, _>>();
    let words = words
        .map_err(|word| anyhow::anyhow!("sending '{}' to another host: it is not text", word.display()))?;
    let reception = match &command {
        Command::Capture(args) => reception(args)?,
        _ => None,
    };
    let target = KnownHost { host, program: remote.remote_path };
    Errand { target, words, screen: screen(&command), reception, is_for_wireshark: false }.run().await
}

/// What is to be done elsewhere.
pub(in crate::cli) struct Errand {
    pub(in crate::cli) target: KnownHost,
    /// Behind the program's name.
    pub(in crate::cli) words: Vec<String>,
    pub(in crate::cli) screen: Screen,
    /// Where the packets go; none: what comes is for stdout.
    pub(in crate::cli) reception: Option<Reception>,
    /// Under Wireshark nothing is said on stderr but why it fails, and nobody can be asked.
    pub(in crate::cli) is_for_wireshark: bool,
}

impl Errand {
    /// Runs it to its end.
    pub(in crate::cli) async fn run(self) -> anyhow::Result<ExitCode> {
        let mut signals = Signals::listen()?;
        let mut child = self.start()?;
        let saying = child.stderr.take().map(listen).transpose()?;
        let mut receiving = match (self.reception.clone(), child.stdout.take()) {
            (Some(reception), Some(stdout)) => Some(receive(reception, stdout)?),
            _ => None,
        };
        let mut call = Running { child, asked_to_end: None };
        let mut received = None;
        let mut is_told = false;
        let status = loop {
            if let Some(status) = call.child.try_wait().context("waiting for ssh")? {
                break status;
            }
            tokio::select! {
                heard = signals.next() => match heard {
                    Heard::Child => {}
                    Heard::Ending => call.end(),
                },
                result = done(&mut receiving) => {
                    received = result.ok();
                    receiving = None;
                    // Whatever comes now has no place to go.
                    if received.as_ref().is_some_and(Result::is_err) {
                        call.end();
                    }
                }
                () = self.reader_gone(), if call.asked_to_end.is_none() => call.end(),
                () = sleep(LONG), if call.asked_to_end.is_some() && !is_told => {
                    is_told = true;
                    terminal::tell("what is left is still being brought; asking again ends it at once");
                }
            }
        };
        if let Some(receiving) = receiving {
            received = receiving.await.ok();
        }
        let said = saying.and_then(|saying| saying.join().ok()).flatten();
        self.conclude(status, call.asked_to_end.is_some(), received, said)
    }

    fn start(&self) -> anyhow::Result<Child> {
        // A question is asked at the terminal of this process, whatever stdin is.
        let may_ask = !self.is_for_wireshark && std::fs::File::open("/dev/tty").is_ok();
        let call = Call {
            host: &self.target.host,
            program: &self.target.program,
            words: &self.words,
            screen: self.screen,
            questions: if may_ask { Questions::Asked } else { Questions::Failed },
        };
        let mut ssh = Process::new("ssh");
        ssh.args(call.arguments());
        if self.reception.is_some() {
            ssh.stdout(Stdio::piped());
        }
        if self.is_for_wireshark {
            ssh.stderr(Stdio::piped());
        }
        if self.screen == Screen::Streams {
            // Kept open for as long as the other end is to run. It hears of `^C` by its end.
            ssh.stdin(Stdio::piped());
            sys::make_deaf(&mut ssh);
        }
        tracing::debug!(?ssh, "calling");
        Ok(ssh.spawn().map_err(Error::Ssh)?)
    }

    /// Waits until nobody reads what is written; for ever where it goes into a file.
    async fn reader_gone(&self) {
        let Some(reception) = &self.reception else { return terminal::reader_gone().await };
        // Opened for looking alone. A pipe with no reader at all cannot even be opened so, and is a failure of its own.
        let looking = || sys::open_pipe(&reception.path).map(Arc::new);
        let Some(pipe) = reception.pipe.clone().or_else(looking) else { return std::future::pending().await };
        while !sys::reader_is_gone(pipe.as_fd()) {
            sleep(LOOK).await;
        }
    }

    fn conclude(
        self,
        status: ExitStatus,
        is_asked_to_end: bool,
        received: Option<Received>,
        said: Option<String>,
    ) -> anyhow::Result<ExitCode> {
        let torn = match received {
            // Who reads has seen enough.
            Some(Err(ReceiveError::Sink(SinkError::Closed))) => return Ok(ExitCode::SUCCESS),
            // Before its consequence could be taken for the cause: ssh has been told to end for it.
            Some(Err(error)) if !matches!(error, ReceiveError::Read(_)) => return Err(error.into()),
            Some(Ok((bytes, torn))) if torn > 0 => Some(bytes),
            _ => None,
        };
        let host = self.target.host.to_string();
        match status.code() {
            None if status.signal().is_some() && is_asked_to_end => Ok(ExitCode::from(exit::INTERRUPTED)),
            Some(SSH_FAILED) | None => match torn {
                Some(bytes) => Err(Error::BrokenOff { host, bytes }.into()),
                None if is_asked_to_end => Ok(ExitCode::from(exit::INTERRUPTED)),
                None => Err(Error::Unreachable { host, said }.into()),
            },
            Some(NOT_FOUND | NOT_EXECUTABLE) => {
                Err(Error::NotThere { host, program: self.target.program }.into())
            }
            Some(code) if self.is_for_wireshark && !is_asked_to_end && code != i32::from(exit::DONE) => {
                Err(Error::Failed { host, said }.into())
            }
            Some(code) => {
                if code == i32::from(exit::USAGE) {
                    terminal::hint(&format!(
                        "this is pcapsule {}; an older one on {host} may lack what was asked for",
                        env!("CARGO_PKG_VERSION")
                    ));
                }
                Ok(ExitCode::from(u8::try_from(code).unwrap_or(exit::FAULT)))
            }
        }
    }
}

/// How a capture that goes into a file is taken. It is found out here whether it may be written.
fn reception(args: &CaptureArgs) -> anyhow::Result<Option<Reception>> {
    let save = &args.save;
    let Some(path) = &save.output else { return Ok(None) };
    let destination = Destination::new(path);
    destination.check(if save.force { Overwrite::Anything } else { Overwrite::CapturesOnly })?;
    if path == Path::new("-") {
        return Ok(None);
    }
    let readers = if save.keylog.is_empty() { Readers::Usual } else { Readers::Owner };
    if readers == Readers::Owner {
        warn_of_readers(&destination);
    }
    Ok(Some(Reception {
        path: path.clone(),
        format: save.format(),
        reserve: save.reserve.map_or_else(|| default_reserve(&destination), Bytes::count),
        readers,
        pipe: None,
    }))
}

/// The other end gets a terminal where we have one, unless it sends packets.
fn screen(command: &Command) -> Screen {
    let is_binary = matches!(command, Command::Capture(args) if args.save.output.is_some());
    let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    if is_terminal && !is_binary { Screen::Terminal } else { Screen::Streams }
}

/// Writes the stream on a thread of its own.
fn receive(reception: Reception, stdout: ChildStdout) -> anyhow::Result<oneshot::Receiver<Received>> {
    let (tell, told) = oneshot::channel();
    thread::Builder::new()
        .name("receive".to_owned())
        .spawn(move || {
            // Nobody waits for it once the program is on its way out.
            let _ = tell.send(reception.receive(stdout));
        })
        .context("starting to write what is sent")?;
    Ok(told)
}

/// Passes on what is said there, and keeps the last line that may be the reason for a failure.
fn listen(stderr: ChildStderr) -> anyhow::Result<thread::JoinHandle<Option<String>>> {
    thread::Builder::new()
        .name("listen".to_owned())
        .spawn(move || {
            let mut reason = None;
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                terminal::line(&line);
                let is_comment = ["hint: ", "warning: "].iter().any(|begin| line.starts_with(begin));
                if !is_comment && !line.trim().is_empty() {
                    reason = Some(line.strip_prefix("pcapsule: ").unwrap_or(&line).trim().to_owned());
                }
            }
            reason
        })
        .context("starting to listen to ssh")
}

/// Waits for the stream's end; for ever where there is none.
async fn done(
    receiving: &mut Option<oneshot::Receiver<Received>>,
) -> Result<Received, oneshot::error::RecvError> {
    match receiving {
        Some(receiving) => receiving.await,
        None => std::future::pending().await,
    }
}

/// A running ssh.
struct Running {
    child: Child,
    asked_to_end: Option<Instant>,
}

impl Running {
    /// Lets the other end finish; asked again, gives it up.
    fn end(&mut self) {
        if self.asked_to_end.is_some_and(|first| first.elapsed() > PATIENCE) {
            // It may have ended.
            let _ = self.child.kill();
        }
        self.asked_to_end.get_or_insert_with(Instant::now);
        // Its end is what the other end waits for.
        drop(self.child.stdin.take());
    }
}

/// Signals that are heard here.
struct Signals {
    child: Signal,
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("listening for signals");
        Ok(Self {
            child: listen(SignalKind::child())?,
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Heard {
        tokio::select! {
            _ = self.child.recv() => Heard::Child,
            _ = self.interrupt.recv() => Heard::Ending,
            _ = self.terminate.recv() => Heard::Ending,
            _ = self.hang_up.recv() => Heard::Ending,
        }
    }
}

/// What a signal says.
enum Heard {
    /// ssh may have ended.
    Child,
    /// We are asked to end.
    Ending,
}
