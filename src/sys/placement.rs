//! Which cores a thread may run on, and what threads have spent of them.

use std::{fs, io, time::Duration};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    sys::prctl::set_timerslack,
    unistd::{Pid, gettid},
};

/// A thread of this process, by the kernel's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadId(Pid);

impl ThreadId {
    /// That of the calling thread.
    pub fn current() -> Self {
        Self(gettid())
    }

    /// The time it has been on a core so far, to the nanosecond once it sleeps.
    pub fn cpu_time(self) -> io::Result<Duration> {
        on_core(&fs::read_to_string(format!("/proc/self/task/{}/schedstat", self.0))?)
    }
}

/// The time that all threads of a process have been on a core; those that have ended are not in it.
pub fn process_cpu_time(pid: u32) -> io::Result<Duration> {
    let mut sum = Duration::ZERO;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        sum += on_core(&fs::read_to_string(task?.path().join("schedstat"))?)?;
    }
    Ok(sum)
}

/// The first word of a schedstat file, in nanoseconds (Documentation/scheduler/sched-stats).
fn on_core(text: &str) -> io::Result<Duration> {
    let first = text.split_ascii_whitespace().next().and_then(|word| word.parse().ok());
    first.map(Duration::from_nanos).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The cores that the calling thread may run on.
pub fn allowed_cores() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or(false)).collect())
}

/// The same cores, of which the second is no thread of the first one's hardware if there is another.
pub fn apart(mut cores: Vec<usize>, is_shared: impl Fn(usize, usize) -> bool) -> Vec<usize> {
    if let Some((first, others)) = cores.split_first_mut()
        && let Some(place) = others.iter().position(|other| !is_shared(*first, *other))
    {
        others[..=place].rotate_right(1);
    }
    cores
}

/// Whether two of the kernel's cores are threads of one (`thread_siblings_list`, Documentation/admin-guide/cputopology.rst).
pub fn is_one_core(one: usize, other: usize) -> bool {
    let path = format!("/sys/devices/system/cpu/cpu{one}/topology/thread_siblings_list");
    fs::read_to_string(path).is_ok_and(|list| holds(list.trim(), other))
}

/// Whether a list such as `0-1,8` holds a number.
fn holds(list: &str, number: usize) -> bool {
    list.split(',').any(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let bounds = first.parse::<usize>().ok().zip(last.parse::<usize>().ok());
        bounds.is_some_and(|(first, last)| (first..=last).contains(&number))
    })
}

/// Keeps the calling thread on one core.
pub fn stay_on(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// Lets the calling thread's sleeps end when they should, and not up to 50 µs later, which saves wake-ups
/// (`PR_SET_TIMERSLACK(2const)`).
pub fn sleep_to_the_point() -> io::Result<()> {
    Ok(set_timerslack(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_works_spends_time() {
        let before = ThreadId::current().cpu_time().unwrap();
        let begin = std::time::Instant::now();
        while begin.elapsed() < Duration::from_millis(30) {}
        std::thread::yield_now();
        assert!(ThreadId::current().cpu_time().unwrap() > before);
        assert!(process_cpu_time(std::process::id()).unwrap() > before);
    }

    #[test]
    fn two_ends_do_not_share_a_core_that_need_not() {
        for (cores, expected) in
            [(vec![0, 1, 2, 3], vec![0, 2, 1, 3]), (vec![0, 1], vec![0, 1]), (vec![1, 2], vec![1, 2])]
        {
            assert_eq!(apart(cores, |one, other| one / 2 == other / 2), expected);
        }
        assert_eq!(apart(Vec::new(), |_, _| true), [0; 0]);
        assert!(holds("0-1,8", 1) && holds("0-1,8", 8) && !holds("0-1,8", 2) && !holds("", 0));
    }

    #[test]
    fn a_thread_stays_where_it_was_put() {
        let core = *allowed_cores().unwrap().last().unwrap();
        std::thread::spawn(move || {
            stay_on(core).unwrap();
            assert_eq!(allowed_cores().unwrap(), [core]);
        })
        .join()
        .unwrap();
    }
}
