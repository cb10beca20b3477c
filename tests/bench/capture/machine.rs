//! The facts of the machine that belong to every figure, and what makes one doubt it.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use serde::Serialize;

use crate::lab::Place;

/// How long to look whether the machine is busy, and from where on it is.
const LOOK: Duration = Duration::from_secs(1);
const BUSY_PERCENT: u64 = 5;

/// What a figure depends on besides the programs.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    /// The first line of each program's version.
    pub(crate) versions: Vec<String>,
    pub(crate) mtu: String,
    pub(crate) offloads: String,
    pub(crate) load_average: String,
    pub(crate) files_on: String,
}

impl Machine {
    /// Looks at it, and at an interface like those that are captured.
    pub(crate) fn look(pcapsule: &std::path::Path, place: &Place, folder: &std::path::Path) -> Self {
        let cpu = line_of("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
        let memory = line_of("/proc/meminfo", "MemTotal").unwrap_or_default();
        let kib: u64 = memory.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0);
        let programs = [(pcapsule.as_os_str(), "--version"), ("tcpdump".as_ref(), "--version")];
        let more = [("dumpcap".as_ref(), "--version"), ("netsniff-ng".as_ref(), "--version")];
        let versions = programs.into_iter().chain(more);
        let net = |program: &str, arguments: &[&str]| {
            place.namespace.within(|| output(program.as_ref(), arguments)).unwrap_or_default()
        };
        let link = net("ip", &["-o", "link", "show", "eth0"]);
        Self {
            cpu,
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: kib / (1024 * 1024),
            kernel: read("/proc/sys/kernel/osrelease"),
            versions: versions.map(|(program, option)| first_line(&output(program, &[option]))).collect(),
            mtu: word_after(&link, "mtu").to_owned(),
            offloads: offloads(&net("ethtool", &["-k", "eth0"])),
            load_average: read("/proc/loadavg"),
            files_on: first_line(&output("stat".as_ref(), &["-f", "-c", "%T", &folder.to_string_lossy()])),
        }
    }
}

/// A warning if others keep the machine busy: the two cores are to be for the measurement alone.
pub(crate) fn noise() -> Option<String> {
    let (busy_before, all_before) = jiffies()?;
    thread::sleep(LOOK);
    let (busy, all) = jiffies()?;
    let percent = 100 * (busy - busy_before) / (all - all_before).max(1);
    (percent > BUSY_PERCENT).then(|| {
        format!("the machine is busy to {percent} % before anything was started: figures mean little")
    })
}

/// Of all cores since boot: busy, and in all (proc_stat(5)).
fn jiffies() -> Option<(u64, u64)> {
    let text = read("/proc/stat");
    let fields = text.lines().next()?.split_whitespace().skip(1);
    let numbers: Vec<u64> = fields.take(8).filter_map(|word| word.parse().ok()).collect();
    let [_, _, _, idle, waiting, ..] = numbers[..] else { return None };
    let all: u64 = numbers.iter().sum();
    Some((all - idle - waiting, all))
}

fn offloads(features: &str) -> String {
    if features.is_empty() {
        return "unknown (no ethtool)".to_owned();
    }
    let wanted = ["tx-checksumming", "tcp-segmentation-offload", "generic-segmentation-offload"];
    let wanted = wanted.iter().chain(&["generic-receive-offload"]);
    let states = wanted.map(|name| format!("{name} {}", word_after(features, &format!("{name}:"))));
    states.collect::<Vec<_>>().join(", ")
}

fn word_after<'a>(text: &'a str, word: &str) -> &'a str {
    text.split_once(word).and_then(|(_, rest)| rest.split_whitespace().next()).unwrap_or("unknown")
}

fn line_of(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn output(program: &std::ffi::OsStr, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let text = |output: std::process::Output| {
        let bytes = if output.stdout.is_empty() { output.stderr } else { output.stdout };
        String::from_utf8_lossy(&bytes).into_owned()
    };
    output.map(text).unwrap_or_default()
}

fn first_line(text: &str) -> String {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or("unknown").trim().to_owned()
}
