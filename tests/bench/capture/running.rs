//! A capture at work: started on its core and in its namespace, waited for until it listens, read off, stopped.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::Child,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use nix::{
    sys::{
        signal::{Signal, kill},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::Pid,
};

use crate::{
    contender::{Contender, Launch},
    core::Core,
    interrupt,
    meter::{Reading, read_meters, used_cpu},
};

const PATIENCE: Duration = Duration::from_secs(20);
/// Longer than any block of a ring waits for more packets: tcpdump's wait a second.
const DRAINED: Duration = Duration::from_millis(1200);
/// Longer than any program takes a break while it starts.
const STARTED: Duration = Duration::from_millis(200);
const POLL: Duration = Duration::from_millis(50);
/// What a program that waits uses in one [`POLL`] at most.
const IDLE: Duration = Duration::from_micros(500);

/// One process of a contender.
pub(crate) struct Running {
    child: Child,
    said: Arc<Mutex<String>>,
    listener: Option<JoinHandle<()>>,
    file: PathBuf,
}

/// What a process left.
pub(crate) struct Ended {
    /// Everything it used, from its start to its end.
    pub(crate) cpu: Duration,
    pub(crate) lost: Option<u64>,
    pub(crate) file: PathBuf,
}

impl Running {
    /// Starts one process and waits until it listens.
    pub(crate) fn start(contender: &Contender, launch: Launch<'_>, core: Core) -> Result<Self> {
        let Launch { mut command, inside, file } = launch;
        let (reader, writer) = io::pipe()?;
        // All it says goes into one pipe; standard input is what pcapsule tells its readiness to.
        command.stdin(writer.try_clone()?).stdout(writer.try_clone()?).stderr(writer).process_group(0);
        let start = || {
            core.pin()?;
            command.spawn().with_context(|| format!("starting {}", contender.name))
        };
        let child = match inside {
            Some(place) => place.namespace.within(start)??,
            None => thread::scope(|scope| scope.spawn(start).join().map_err(|_| anyhow!("no process")))??,
        };
        drop(command); // and the writing ends of the pipe with it
        let said = Arc::new(Mutex::new(String::new()));
        let listener = thread::spawn({
            let said = Arc::clone(&said);
            move || listen(reader, &said)
        });
        let mut running = Self { child, said, listener: Some(listener), file };
        running.wait_ready(contender)?;
        Ok(running)
    }

    fn wait_ready(&mut self, contender: &Contender) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !contender.is_ready(&self.said()) {
            interrupt::check()?;
            if self.child.try_wait()?.is_some() || Instant::now() > deadline {
                bail!("{} does not get ready: {}", contender.name, self.said().trim());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// What it used so far.
    pub(crate) fn read(&self) -> Result<Reading> {
        read_meters(self.pid())
    }

    /// Ends it as Ctrl-C does, and takes what it left.
    pub(crate) fn stop(mut self, contender: &Contender) -> Result<Ended> {
        kill(self.pid(), Signal::SIGINT)?;
        let deadline = Instant::now() + PATIENCE;
        let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        while waitid(Id::Pid(self.pid()), ended)?.pid().is_none() {
            interrupt::check()?;
            if Instant::now() > deadline {
                bail!("{} does not end", contender.name);
            }
            thread::sleep(Duration::from_millis(2));
        }
        // It has ended but has not been waited for: its clock can still be read, to the nanosecond.
        let cpu = used_cpu(self.pid())?;
        self.child.wait()?;
        if let Some(listener) = self.listener.take() {
            listener.join().map_err(|_| anyhow!("nobody listens to {}", contender.name))?;
        }
        Ok(Ended { cpu, lost: contender.lost(&self.said()), file: self.file.clone() })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Waits until all of them have started up.
pub(crate) fn wait_started(running: &[Running]) -> Result<()> {
    wait_quiet(running, STARTED)
}

/// Waits until all of them have dealt with what was sent, that in unfinished blocks too.
pub(crate) fn wait_drained(running: &[Running]) -> Result<()> {
    wait_quiet(running, DRAINED)
}

fn wait_quiet(running: &[Running], quiet: Duration) -> Result<()> {
    if running.is_empty() {
        return Ok(());
    }
    let deadline = Instant::now() + PATIENCE;
    let mut used = total_cpu(running)?;
    let mut quiet_since = Instant::now();
    while quiet_since.elapsed() < quiet && Instant::now() < deadline {
        interrupt::check()?;
        thread::sleep(POLL);
        let now = total_cpu(running)?;
        if now.saturating_sub(used) > IDLE * u32::try_from(running.len())? {
            quiet_since = Instant::now();
        }
        used = now;
    }
    Ok(())
}

fn total_cpu(running: &[Running]) -> Result<Duration> {
    running.iter().map(|running| used_cpu(running.pid())).sum()
}

fn listen(reader: io::PipeReader, said: &Mutex<String>) {
    let mut reader = File::from(std::os::fd::OwnedFd::from(reader));
    let mut buffer = [0; 4096];
    while let Ok(len @ 1..) = reader.read(&mut buffer) {
        let text = String::from_utf8_lossy(&buffer[..len]);
        said.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
    }
}
