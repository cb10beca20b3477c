//! What all processes of the machine have spent of its cores: the only account in which what is in nobody's time, such as
//! interrupts of an idle core and its way into sleep and out of it, is missing whatever the kernel was built for.

use std::{collections::HashMap, fs, io, time::Duration};

use super::process::is_in_initial_pid_namespace;

/// The parent of the kernel's own threads.
const KERNEL: u32 = 2;

/// As of one moment, by process.
#[derive(Debug, Clone, Default)]
pub struct ProcessTimes(HashMap<u32, Spent>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spent {
    parent: u32,
    /// Its own, and that of children which it has seen end: what ends is not lost.
    ticks: u64,
}

impl ProcessTimes {
    /// As of now; none where some are hidden: from a pid namespace, or by how /proc is mounted (`hidepid`).
    pub fn read() -> io::Result<Option<Self>> {
        if !is_in_initial_pid_namespace() || fs::metadata("/proc/1/stat").is_err() {
            return Ok(None);
        }
        let pids =
            fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        // One that has ended meanwhile has no file.
        let spent = |pid: u32| Some((pid, parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?));
        Ok(Some(Self(pids.filter_map(spent).collect())))
    }

    /// What all but `own` and its descendants have spent between `earlier` and this.
    pub fn spent_by_others(&self, earlier: &Self, own: u32) -> Duration {
        let is_other = |times: &Self, pid: u32| !times.line(pid).any(|pid| pid == own);
        let before = |pid: u32| earlier.0.get(&pid).map_or(0, |spent| spent.ticks);
        let others = self.0.iter().filter(|(pid, _)| is_other(self, **pid));
        let gained: u64 = others.map(|(pid, now)| now.ticks.saturating_sub(before(*pid))).sum();
        // The parent has all of it now. The kernel counts none for its own.
        let ended =
            earlier.0.iter().filter(|(pid, spent)| !self.0.contains_key(pid) && spent.parent != KERNEL);
        let counted_twice: u64 =
            ended.filter(|(pid, _)| is_other(earlier, **pid)).map(|(_, spent)| spent.ticks).sum();
        Duration::from_millis(gained.saturating_sub(counted_twice) * 10)
    }

    /// A process and its ancestors.
    fn line(&self, pid: u32) -> impl Iterator<Item = u32> {
        std::iter::successors(Some(pid), |pid| self.0.get(pid).map(|spent| spent.parent))
    }
}

/// utime, stime, cutime and cstime in hundredths of a second (`proc_pid_stat(5)`). Threads that do nothing but softirq are
/// taken for idle: it is the work of whoever's packets those are.
fn parse(stat: &str) -> Option<Spent> {
    let (head, fields) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    let spent: u64 = fields.get(11..15)?.iter().map(|word| word.parse::<u64>().ok()).sum::<Option<u64>>()?;
    let ticks = if head.contains("(ksoftirqd/") { 0 } else { spent };
    Some(Spent { parent: fields[1].parse().ok()?, ticks })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(processes: &[(u32, u32, u64)]) -> ProcessTimes {
        ProcessTimes(
            processes
                .iter()
                .map(|(pid, parent, ticks)| (*pid, Spent { parent: *parent, ticks: *ticks }))
                .collect(),
        )
    }

    #[test]
    fn times_are_of_a_process_and_of_children_that_have_ended() {
        let stat = |command| format!("9 ({command}) S 4 5 6 7 -1 9 10 11 12 13 100 20 3 1 20 0 1\n");
        assert_eq!(parse(&stat("a) S 1 (b")), Some(Spent { parent: 4, ticks: 124 }));
        assert_eq!(parse("9 (cut) S 1 2"), None);
        assert_eq!(parse(&stat("ksoftirqd/1")), Some(Spent { parent: 4, ticks: 0 }));
    }

    #[test]
    fn others_are_all_but_ourselves_and_our_descendants() {
        let before = times(&[(1, 0, 50), (10, 1, 5), (11, 10, 7), (20, 1, 100), (21, 20, 30), (30, 2, 400)]);
        // 11 of ours has ended, and so have 21, whose parent has its 33, and a thread of the kernel; 22 has begun.
        let after = times(&[(1, 0, 50), (10, 1, 90), (12, 10, 60), (20, 1, 139), (22, 20, 8)]);
        assert_eq!(after.spent_by_others(&before, 10), Duration::from_millis((39 - 30 + 8) * 10));
        assert_eq!(after.spent_by_others(&after, 10), Duration::ZERO);
    }

    #[test]
    fn what_is_spent_is_seen() {
        let Some(before) = ProcessTimes::read().unwrap() else { return };
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_millis(100) {}
        let after = ProcessTimes::read().unwrap().unwrap();
        assert!(after.spent_by_others(&before, u32::MAX) >= Duration::from_millis(50));
    }
}
