//! What a process uses: CPU time to the nanosecond, context switches, memory. All threads count.

use std::{fs, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use nix::{
    time::{clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};

use crate::core::Core;

/// What a process used until now.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reading {
    pub(crate) cpu: Duration,
    /// Context switches, of its own will or not.
    pub(crate) switches: u64,
    /// How long its threads were ready to run and were not let, be it for others or for each other.
    pub(crate) waited: Duration,
    /// The most memory it ever had resident, its rings included.
    pub(crate) peak_memory_kib: u64,
}

impl Reading {
    /// Several processes as one.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            cpu: self.cpu + other.cpu,
            switches: self.switches + other.switches,
            waited: self.waited + other.waited,
            peak_memory_kib: self.peak_memory_kib + other.peak_memory_kib,
        }
    }
}

/// User and system time of a process, also after its end until it is waited for (clock_getcpuclockid(3)). The times in
/// /proc/PID/stat would come in steps of 10 ms, a fifth of what the fastest programs use in a measurement.
pub(crate) fn used_cpu(pid: Pid) -> Result<Duration> {
    let clock = clock_getcpuclockid(pid).context("finding a process's clock")?;
    Ok(clock_gettime(clock).context("reading a process's clock")?.into())
}

pub(crate) fn read_meters(pid: Pid) -> Result<Reading> {
    let folder = PathBuf::from(format!("/proc/{pid}"));
    let mut reading = Reading { cpu: used_cpu(pid)?, ..Reading::default() };
    let status = fs::read_to_string(folder.join("status"))?;
    reading.peak_memory_kib = field(&status, "VmHWM:").context("VmHWM")?;
    for task in fs::read_dir(folder.join("task"))?.flatten() {
        // A thread that ends meanwhile is none of the capture's own.
        let Ok(status) = fs::read_to_string(task.path().join("status")) else { continue };
        let Ok(schedule) = fs::read_to_string(task.path().join("schedstat")) else { continue };
        reading.switches += field(&status, "\nvoluntary_ctxt_switches:").unwrap_or(0);
        reading.switches += field(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0);
        // Documentation/scheduler/sched-stats.rst: time on the CPU, time waiting for it, time slices.
        let waited = schedule.split_whitespace().nth(1).and_then(|word| word.parse().ok());
        reading.waited += Duration::from_nanos(waited.unwrap_or(0));
    }
    Ok(reading)
}

/// How long a core was busy since boot, with whatever it was (proc_stat(5), in steps of 10 ms).
pub(crate) fn busy_time(core: Core) -> Result<Duration> {
    let text = fs::read_to_string("/proc/stat")?;
    let name = format!("\ncpu{} ", core.number());
    let line =
        text.split_once(&name).and_then(|(_, rest)| rest.lines().next()).context("a line of the core")?;
    let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [user, nice, system, _idle, _waiting, interrupts, soft_interrupts, stolen, ..] = numbers[..] else {
        bail!("/proc/stat has a line {line:?}");
    };
    let busy = user + nice + system + interrupts + soft_interrupts + stolen;
    Ok(Duration::from_millis(10 * busy))
}

fn field(text: &str, name: &str) -> Option<u64> {
    text.split_once(name)?.1.split_whitespace().next()?.parse().ok()
}
