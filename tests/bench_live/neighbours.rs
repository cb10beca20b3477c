//! Others on the machine: told by as much as they take, however much of the run is in softirq.

use std::{
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::sys::resource::{UsageWho, getrusage};

use super::{marked, turn};

/// A loop that takes a share of the last core.
struct Loop(Child);

impl Loop {
    /// In percent, within each 20 ms.
    fn begin(percent: u32) -> Self {
        let script = "import os, sys, time
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
share = int(sys.argv[1]) / 100
while True:
    begun = time.monotonic()
    spent = time.thread_time() + 0.02 * share
    while time.thread_time() < spent:
        pass
    time.sleep(max(0, begun + 0.02 - time.monotonic()))";
        let mut command = Command::new("python3");
        Self(command.args(["-c", script, &percent.to_string()]).stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The kernel's own account, for the oracle: what was not idle, of all cores, and what our children took that have ended.
struct Account {
    at: Instant,
    cores: f64,
    idle: f64,
    children: f64,
}

impl Account {
    fn read() -> Self {
        let text = fs::read_to_string("/proc/stat").unwrap();
        let ticks = |at: usize| text.split_ascii_whitespace().nth(at).unwrap().parse::<f64>().unwrap();
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
        let seconds = [usage.user_time(), usage.system_time()].map(|time| {
            Duration::from_micros(u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).unwrap())
                .as_secs_f64()
        });
        let cores = text.lines().filter(|line| line.starts_with("cpu")).skip(1).map(|_| 1.0).sum();
        Self {
            at: Instant::now(),
            cores,
            idle: (ticks(4) + ticks(5)) / 100.0,
            children: seconds.iter().sum(),
        }
    }

    /// Percent of a core that all but our children took since then.
    fn others_since(&self) -> f64 {
        let now = Self::read();
        let elapsed = (now.at - self.at).as_secs_f64();
        100.0 * (self.cores - (now.idle - self.idle + now.children - self.children) / elapsed)
    }
}

/// Percent of a core that a run says others used; 0 if it says nothing of them. Round trips on one core are for a good
/// part softirq.
fn told() -> f64 {
    let words = "bench --quiet --rounds 25 --slice 60ms --paths bridge --tests latency,tcp --placement one";
    let output = marked("neighbours", words).output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{complaints}");
    let percent = complaints.split_once("others used ").and_then(|(_, rest)| rest.split_once(" %"));
    percent.map_or(0.0, |(percent, _)| percent.parse().unwrap())
}

/// More than 15 % is told. The account is of the whole run, of which a part is not measured.
#[test]
fn others_are_told_by_as_much_as_they_take() {
    let Some(_turn) = turn() else { return };
    for percent in [40, 0] {
        let other = Loop::begin(percent);
        let account = Account::read();
        let told = told();
        let taken = account.others_since();
        drop(other);
        eprintln!("a loop of {percent} %: others took {taken:.1} %, {told} % told");
        let is_told = (told - taken).abs() < 8.0 || (told == 0.0 && taken < 18.0);
        assert!(is_told, "{told} instead of {taken}");
    }
}
