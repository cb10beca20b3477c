//! A container of the lab: a sandbox as `pcapsule run` makes it, kept by a command that waits for the end of its input.
//!
//! However this process ends, that input ends with it, and the sandbox is undone.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    net::IpAddr,
    os::unix::process::CommandExt as _,
    path::Path as FilePath,
    process::{Child, Command, Stdio},
};

use crate::bench::Error;
use crate::netmode::State;
use crate::sys::netns::Namespace;
use crate::sys::unnamed_file;

/// A running sandbox; dropping it undoes it.
#[derive(Debug)]
pub(super) struct Sandbox {
    child: Child,
    pub(super) namespace: Namespace,
    pub(super) address: IpAddr,
    /// The process that keeps it, and serves its ports where NAT cannot.
    pub(super) keeper: u32,
}

impl Sandbox {
    /// Starts one in a namespace that is the host to it, with options of `pcapsule run`; `program` is pcapsule.
    pub(super) fn start(
        host: &Namespace,
        program: &FilePath,
        name: &str,
        options: &[&str],
    ) -> Result<Self, Error> {
        let words = unnamed_file("complaints").map_err(Error::Start)?;
        let stderr = words.try_clone().map_err(Error::Start)?;
        let arguments = ["run", "--quiet", "--name", name].into_iter().chain(options.iter().copied());
        let arguments: Vec<&OsStr> = arguments.chain(["--", "cat"]).map(OsStr::new).collect();
        let mut command = Command::new(program);
        // A group of its own: Ctrl-C at the terminal is for us, who then end it.
        command.args(arguments).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = host.within(|| command.spawn())?.map_err(Error::Start)?;
        if let Err(error) = wait_until_it_answers(&mut child) {
            let _ = child.kill();
            let _ = child.wait();
            return Err(Error::Sandbox(last_words(words).unwrap_or_else(|| error.to_string())));
        }
        Self::find(child, host, name)
    }

    fn find(mut child: Child, host: &Namespace, name: &str) -> Result<Self, Error> {
        let records = State::of(host.id()).live();
        let found = records
            .into_iter()
            .find(|record| record.name.as_str() == name)
            .and_then(|record| Some((record.process?, record.keeper, record.addresses.first()?.address)));
        let Some((process, keeper, address)) = found else {
            end(&mut child);
            return Err(Error::Sandbox("it has no record".to_owned()));
        };
        match Namespace::of_process(process) {
            Ok(namespace) => Ok(Self { child, namespace, address, keeper }),
            Err(error) => {
                end(&mut child);
                Err(error.into())
            }
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Its command ends with its input; the rest is pcapsule's own work.
fn end(child: &mut Child) {
    drop(child.stdin.take());
    let _ = child.wait();
}

/// What comes back from the command tells that it runs, and so that the sandbox is whole.
fn wait_until_it_answers(child: &mut Child) -> io::Result<()> {
    let (Some(stdin), Some(stdout)) = (child.stdin.as_mut(), child.stdout.as_mut()) else {
        return Err(io::ErrorKind::BrokenPipe.into());
    };
    stdin.write_all(b"\n")?;
    match BufReader::new(stdout).read_line(&mut String::new())? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// The first line that it complained with, without its name.
fn last_words(mut file: File) -> Option<String> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_string(&mut text)).ok()?;
    let line = text.lines().find(|line| line.starts_with("pcapsule: "))?;
    Some(line.trim_start_matches("pcapsule: ").to_owned())
}
