//! A command that is run on another host, seen from here: ssh is started, what it brings is written, what is typed here
//! is passed on, and its exit code is ours.

use std::{
    env,
    ffi::OsString,
    io::{self, IsTerminal as _},
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Child, ChildStdout, Command as Process, ExitCode, ExitStatus, Stdio},
    thread,
};

use anyhow::Context as _;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use crate::capture::{Destination, Overwrite, Readers, ReceiveError, Reception, SinkError};
use crate::cli::{
    args::Command,
    capture_args::{CaptureArgs, SaveArgs},
    exit, terminal,
    units::Bytes,
};
use crate::sys;

use super::{
    Error, RemoteArgs,
    host::RemoteHost,
    ssh::{Call, Questions, Screen},
};

/// Exit codes that are not pcapsule's: ssh(1), and POSIX shells.
const SSH_FAILED: i32 = 255;
const NOT_FOUND: i32 = 127;
const NOT_EXECUTABLE: i32 = 126;

/// What came of the stream that goes into a file: its bytes, and those of an unfinished block.
type Received = Result<(u64, usize), ReceiveError>;

/// Runs the command there.
pub(in crate::cli) async fn run(remote: RemoteArgs, command: Command) -> anyhow::Result<ExitCode> {
    let Some(host) = remote.host else { return Ok(ExitCode::from(exit::USAGE)) };
    let reception = match &command {
        Command::Capture(args) => reception(args)?,
        _ => None,
    };
    let screen = screen(&command);
    let mut signals = Signals::listen()?;
    let mut child = start(&host, &remote.remote_path, screen, reception.is_some())?;
    let mut receiving = match (reception, child.stdout.take()) {
        (Some(reception), Some(stdout)) => Some(receive(reception, stdout)?),
        _ => None,
    };
    let mut errand = Errand { child, is_asked_to_end: false };
    let mut received = None;
    let status = loop {
        if let Some(status) = errand.child.try_wait().context("waiting for ssh")? {
            break status;
        }
        tokio::select! {
            heard = signals.next() => match heard {
                Heard::Child => {}
                Heard::Ending => errand.end(),
            },
            result = done(&mut receiving) => {
                received = result.ok();
                receiving = None;
                // Whatever comes now has no place to go.
                if received.as_ref().is_some_and(Result::is_err) {
                    errand.end();
                }
            }
            () = terminal::reader_gone(), if !errand.is_asked_to_end => errand.end(),
        }
    };
    if let Some(receiving) = receiving {
        received = receiving.await.ok();
    }
    errand.conclude(&host, &remote.remote_path, status, received)
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
    Ok(Some(Reception {
        path: path.clone(),
        format: save.format(),
        reserve: save
            .reserve
            .map_or_else(|| crate::cli::capture::default_reserve(&destination), Bytes::count),
        readers: readers(save),
    }))
}

fn readers(save: &SaveArgs) -> Readers {
    if save.keylog.is_empty() { Readers::Usual } else { Readers::Owner }
}

/// The other end gets a terminal where we have one, unless it sends packets.
fn screen(command: &Command) -> Screen {
    let is_binary = matches!(command, Command::Capture(args) if args.save.output.is_some());
    let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    if is_terminal && !is_binary { Screen::Terminal } else { Screen::Streams }
}

fn start(host: &RemoteHost, program: &str, screen: Screen, is_received: bool) -> anyhow::Result<Child> {
    let words: Vec<String> =
        env::args_os().skip(1).map(OsString::into_string).collect::<Result<_, _>>().map_err(|word| {
            anyhow::anyhow!("sending '{}' to another host: it is not text", word.display())
        })?;
    // A question is asked at the terminal of this process, whatever stdin is.
    let has_terminal = std::fs::File::open("/dev/tty").is_ok();
    let questions = if has_terminal { Questions::Asked } else { Questions::Failed };
    let call = Call { host, program, words: &words, screen, questions };
    let mut ssh = Process::new("ssh");
    ssh.args(call.arguments()).stdout(if is_received { Stdio::piped() } else { Stdio::inherit() });
    if screen == Screen::Streams {
        // Kept open for as long as the other end is to run. It hears of `^C` by its end.
        ssh.stdin(Stdio::piped());
        sys::make_deaf(&mut ssh);
    }
    tracing::debug!(?ssh, "calling");
    Ok(ssh.spawn().map_err(Error::Ssh)?)
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
struct Errand {
    child: Child,
    is_asked_to_end: bool,
}

impl Errand {
    /// Lets the other end finish; asked again, gives it up.
    fn end(&mut self) {
        if self.is_asked_to_end {
            // It may have ended.
            let _ = self.child.kill();
        }
        self.is_asked_to_end = true;
        // Its end is what the other end waits for.
        drop(self.child.stdin.take());
    }

    fn conclude(
        self,
        host: &RemoteHost,
        program: &str,
        status: ExitStatus,
        received: Option<Received>,
    ) -> anyhow::Result<ExitCode> {
        let torn = match received {
            // Who reads has seen enough.
            Some(Err(ReceiveError::Sink(SinkError::Closed))) => return Ok(ExitCode::SUCCESS),
            // Before its cause could be taken for another: ssh has been told to end for it.
            Some(Err(error)) if !matches!(error, ReceiveError::Read(_)) => return Err(error.into()),
            Some(Ok((bytes, torn))) if torn > 0 => Some(bytes),
            _ => None,
        };
        let host = host.to_string();
        match status.code() {
            None if status.signal().is_some() && self.is_asked_to_end => {
                Ok(ExitCode::from(exit::INTERRUPTED))
            }
            Some(SSH_FAILED) | None => match torn {
                Some(bytes) => Err(Error::BrokenOff { host, bytes }.into()),
                None if self.is_asked_to_end => Ok(ExitCode::from(exit::INTERRUPTED)),
                None => Err(Error::Unreachable(host).into()),
            },
            Some(NOT_FOUND | NOT_EXECUTABLE) => {
                Err(Error::NotThere { host, program: program.to_owned() }.into())
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
