//! The programs that are compared: how each is started, known ready, and what it says of losses.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::lab::{Lab, Place};

/// One program with its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Contender {
    /// What it is called in tables, options included.
    pub(crate) name: String,
    program: Program,
    options: Vec<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Program {
    /// Nothing is captured.
    None,
    Pcapsule(PathBuf),
    Tcpdump,
    Dumpcap,
    NetsniffNg,
}

/// A process to be started.
pub(crate) struct Launch<'a> {
    pub(crate) command: Command,
    /// The namespace to start it in; none if it enters namespaces by itself.
    pub(crate) inside: Option<&'a Place>,
    pub(crate) file: PathBuf,
}

impl Contender {
    /// pcapsule as built, for the containers that run at the start: the others do not follow either.
    pub(crate) fn pcapsule(name: &str, path: &Path) -> Self {
        Self::of(name, Program::Pcapsule(path.to_owned())).with(&["--no-follow"])
    }

    /// pcapsule as it is by default, waiting for containers to come.
    pub(crate) fn pcapsule_following(path: &Path) -> Self {
        Self::of("pcapsule, following", Program::Pcapsule(path.to_owned()))
    }

    /// No capture at all, for comparison.
    pub(crate) fn nobody() -> Self {
        Self::of("no capture", Program::None)
    }

    pub(crate) fn tcpdump() -> Self {
        Self::of("tcpdump", Program::Tcpdump)
    }

    pub(crate) fn dumpcap() -> Self {
        Self::of("dumpcap", Program::Dumpcap)
    }

    pub(crate) fn netsniff_ng() -> Self {
        Self::of("netsniff-ng", Program::NetsniffNg)
    }

    fn of(name: &str, program: Program) -> Self {
        Self { name: name.to_owned(), program, options: Vec::new() }
    }

    pub(crate) fn is_pcapsule(&self) -> bool {
        matches!(self.program, Program::Pcapsule(_))
    }

    /// The same with more options.
    pub(crate) fn with(mut self, options: &[&'static str]) -> Self {
        self.options.extend(options);
        self
    }

    /// The same under a name that tells its options.
    pub(crate) fn with_shown(self, options: &[&'static str]) -> Self {
        let words = [&[self.name.as_str()], options].concat();
        let name = words.join(" ");
        Self { name, ..self.with(options) }
    }

    /// The processes it takes to capture `eth0` of the lab's senders: one for all, where the program can do that.
    pub(crate) fn launches<'a>(&self, lab: &'a Lab, folder: &Path) -> Vec<Launch<'a>> {
        let places = lab.senders();
        match &self.program {
            Program::None => Vec::new(),
            Program::Pcapsule(path) => vec![self.pcapsule_launch(path, places, folder)],
            Program::Tcpdump => self.one_each(places, folder, |command, file| {
                // As root, as the others, so that it may write into the folder.
                command.args(["-Z", "root", "-i", "eth0", "-w"]).arg(file);
            }),
            // It takes many interfaces, but of one namespace: the other ends, all at the bridge.
            Program::Dumpcap if places.len() > 1 => {
                let file = folder.join("all");
                let mut command = Command::new("dumpcap");
                command.args(places.iter().flat_map(|place| ["-i", &place.port]));
                command.arg("-w").arg(&file).args(&self.options);
                vec![Launch { command, inside: Some(lab.bridge()), file }]
            }
            Program::Dumpcap => self.one_each(places, folder, |command, file| {
                command.args(["-i", "eth0", "-w"]).arg(file);
            }),
            Program::NetsniffNg => self.one_each(places, folder, |command, file| {
                command.args(["--in", "eth0", "--silent", "--out"]).arg(file);
            }),
        }
    }

    fn pcapsule_launch<'a>(&self, path: &Path, places: &[Place], folder: &Path) -> Launch<'a> {
        let file = folder.join("all.pcapng");
        let mut command = Command::new(path);
        command.arg("capture").args(places.iter().map(|place| format!("netns={}", place.name)));
        // Standard input is the one descriptor besides the outputs that a child gets without further ado.
        command.args(["-q", "--ready-fd", "0", "-w"]).arg(&file).args(&self.options);
        Launch { command, inside: None, file }
    }

    fn one_each<'a>(
        &self,
        places: &'a [Place],
        folder: &Path,
        complete: impl Fn(&mut Command, &Path),
    ) -> Vec<Launch<'a>> {
        let launch = |place: &'a Place| {
            let file = folder.join(&place.name);
            let mut command = Command::new(self.executable());
            complete(&mut command, &file);
            command.args(&self.options);
            Launch { command, inside: Some(place), file }
        };
        places.iter().map(launch).collect()
    }

    fn executable(&self) -> &Path {
        match &self.program {
            Program::None => Path::new("true"),
            Program::Pcapsule(path) => path,
            Program::Tcpdump => Path::new("tcpdump"),
            Program::Dumpcap => Path::new("dumpcap"),
            Program::NetsniffNg => Path::new("netsniff-ng"),
        }
    }

    /// Whether what it said so far means that it listens.
    pub(crate) fn is_ready(&self, said: &str) -> bool {
        match self.program {
            Program::None => true,
            Program::Pcapsule(_) => said.starts_with("ready\n"),
            Program::Tcpdump => said.contains("listening on"),
            Program::Dumpcap => said.contains("File: "),
            Program::NetsniffNg => said.contains("Running!"),
        }
    }

    /// How many packets it says it lost, from what it said in all.
    pub(crate) fn lost(&self, said: &str) -> Option<u64> {
        match self.program {
            Program::None => None,
            Program::Pcapsule(_) | Program::Tcpdump => number_before(said, " packets dropped by kernel"),
            // "Packets received/dropped on interface 'eth0': 100/7 (…)" for each interface.
            Program::Dumpcap => said.split("Packets received/dropped").skip(1).map(dropped).sum(),
            Program::NetsniffNg => number_before(said, " packets failed filter"),
        }
    }
}

fn dropped(counters: &str) -> Option<u64> {
    counters.split_once("': ")?.1.split_once('/')?.1.split_whitespace().next()?.parse().ok()
}

fn number_before(text: &str, words: &str) -> Option<u64> {
    text.split_once(words)?.0.split_whitespace().next_back()?.parse().ok()
}
