//! The first process of a sandbox: born before anything is made, it brings the namespace with it, and waits there until
//! everything else is done. Then it becomes the command, or waits for its end.

use std::{
    io::{self, BufRead, BufReader, Read as _, Write as _},
    net::Shutdown,
    os::{fd::AsFd as _, unix::net::UnixStream},
    path::Path,
};

use crate::sys::fork::{Child, Orphan, child, close_in_child, let_go_of_streams, pause_for_good};
use crate::sys::interior::{self, Program};
use crate::sys::netns::Namespace;

/// Where it lives.
#[derive(Debug)]
pub enum Inside {
    /// In a network namespace of its own.
    New,
    /// In that one.
    Joined(Namespace),
    /// In the one of whoever bore it.
    Host,
}

/// What it becomes.
#[derive(Debug, Clone)]
pub enum Way {
    /// A command.
    Command(Program),
    /// One that waits to be killed.
    Pause,
}

/// The infant, as the keeper sees it.
#[derive(Debug)]
pub struct Infant {
    pid: u32,
    /// It says here once that it is in its namespace.
    ready: io::PipeReader,
}

/// The infant, as the one sees it who bore it and tells it to go on.
#[derive(Debug)]
pub struct Starter {
    child: Child,
    line: UnixStream,
}

/// What became of it when it was told to go on.
#[derive(Debug)]
pub enum Onset {
    /// It goes on; what it could not do on the way is told.
    Started(Vec<String>),
    /// The command could not be started.
    Failed(io::Error),
    /// It ended before that.
    Ended,
}

/// Bears it. Only for a process with one thread.
pub fn bear(inside: Inside, way: Way) -> io::Result<(Infant, Starter)> {
    let (ready, announce) = io::pipe()?;
    let (ours, theirs) = UnixStream::pair()?;
    let (parents_line, parents_ready) = (ours.as_fd(), ready.as_fd());
    let child = child(Orphan::Dies, move || {
        close_in_child(parents_line);
        close_in_child(parents_ready);
        live(&inside, &way, announce, theirs)
    })?;
    Ok((Infant { pid: child.pid(), ready }, Starter { child, line: ours }))
}

/// The infant's own life; it ends here unless it becomes a command.
fn live(inside: &Inside, way: &Way, mut announce: io::PipeWriter, line: UnixStream) -> u8 {
    let born = match inside {
        Inside::New => interior::new_network(),
        Inside::Joined(namespace) => interior::join_network(namespace),
        Inside::Host => Ok(()),
    };
    let word = born.as_ref().err().map_or(0, |error| error.raw_os_error().unwrap_or(UNKNOWN));
    if announce.write_all(&word.to_ne_bytes()).is_err() || born.is_err() {
        return 1;
    }
    drop(announce);
    // While the keeper works.
    let own = if matches!(inside, Inside::Host) { OwnMounts::default() } else { OwnMounts::make() };
    let mut folder = String::new();
    let mut reader = BufReader::new(line);
    if !reader.read_line(&mut folder).is_ok_and(|length| length > 0) {
        return 1;
    }
    let mut line = reader.into_inner();
    for fault in own.finish(Path::new(folder.trim_end())) {
        let _ = writeln!(line, "{fault}");
    }
    match way {
        Way::Command(program) => {
            let error = program.become_it();
            let _ = writeln!(line, "{EXEC} {}", error.raw_os_error().unwrap_or_default());
            Program::shell_code(&error)
        }
        Way::Pause => {
            // Who waits for the end of an output of `net up` does not wait for this one's.
            let _ = let_go_of_streams();
            drop(line);
            let _ = pause_for_good();
            1
        }
    }
}

/// EIO, for a failure without a number.
const UNKNOWN: i32 = 5;

/// Marks the line that says why the command could not be started.
const EXEC: &str = "exec";

/// What the process sees otherwise than the host. What fails is told, and the rest done.
#[derive(Default)]
struct OwnMounts {
    is_made: bool,
    faults: Vec<String>,
}

impl OwnMounts {
    fn make() -> Self {
        if let Err(error) = interior::own_mounts() {
            let fault = format!("the host's /etc/hosts and /etc/resolv.conf are seen inside: {error}");
            return Self { is_made: false, faults: vec![fault] };
        }
        let fault = |error| format!("/sys/class/net shows the host's links inside: {error}");
        Self { is_made: true, faults: interior::show_own_links().err().map(fault).into_iter().collect() }
    }

    /// With the files of the run's folder.
    fn finish(mut self, folder: &Path) -> Vec<String> {
        let files = [("hosts", "/etc/hosts"), ("resolv.conf", "/etc/resolv.conf")];
        for (file, place) in files.into_iter().filter(|_| self.is_made) {
            let file = folder.join(file);
            if file.exists()
                && let Err(error) = interior::show_instead(&file, Path::new(place))
            {
                self.faults.push(format!("the host's {place} is seen inside: {error}"));
            }
        }
        self.faults
    }
}

impl Infant {
    /// Its number.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until it is in its namespace.
    pub fn wait(&mut self) -> io::Result<()> {
        let mut word = [0; 4];
        self.ready.read_exact(&mut word)?;
        match i32::from_ne_bytes(word) {
            0 => Ok(()),
            number => Err(io::Error::from_raw_os_error(number)),
        }
    }
}

impl Starter {
    /// The process.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Ends it, if it has not ended, and waits until it is gone.
    pub fn end(&mut self) {
        const KILL: i32 = 9;
        self.child.signal(KILL);
        // It can only be that it was waited for already.
        let _ = self.child.wait();
    }

    /// Tells it to go on with what is in that folder, and hears what came of it.
    pub fn start(&mut self, folder: &Path) -> Onset {
        let told = writeln!(self.line, "{}", folder.display());
        let _ = self.line.shutdown(Shutdown::Write);
        let mut said = String::new();
        let heard = told.and_then(|()| self.line.read_to_string(&mut said));
        if heard.is_err() {
            return Onset::Ended;
        }
        let failure = said.lines().find_map(|line| line.strip_prefix(EXEC)?.trim().parse().ok());
        match failure {
            Some(number) => Onset::Failed(io::Error::from_raw_os_error(number)),
            None => Onset::Started(said.lines().map(str::to_owned).collect()),
        }
    }
}
