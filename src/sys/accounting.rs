//! The kernel's accounts of time on the cores: what the machine has spent of them, and who is charged with softirq.

use std::{
    fs, io,
    net::UdpSocket,
    time::{Duration, Instant},
};

use nix::time::{ClockId, clock_gettime};

/// The counters of all cores together, as of one moment (`proc_stat(5)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineCounters {
    at: Instant,
    cores: u32,
    idle: Duration,
    irq: Duration,
    softirq: Duration,
    steal: Duration,
}

/// What all cores together have spent between two moments, in steps of 10 ms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MachineTime {
    /// In threads and in softirq.
    pub busy: Duration,
    /// In softirq.
    pub softirq: Duration,
    /// Taken away by the hypervisor.
    pub steal: Duration,
}

impl MachineCounters {
    /// As of now.
    pub fn read() -> io::Result<Self> {
        let text = fs::read_to_string("/proc/stat")?;
        Self::parse(&text, Instant::now()).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// What was spent between `earlier` and this. Busy is what was not idle: idle time is measured where the tick stops in it
    /// (`get_idle_time` in fs/proc/stat.c), while user and system time are guessed from who is on the core at each tick, by
    /// which a quarter of a core can be missing where threads often sleep. Hardware interrupts are in nobody's time where
    /// they are counted, and elsewhere not counted.
    pub fn since(&self, earlier: &Self) -> MachineTime {
        let all = self.at.duration_since(earlier.at) * self.cores.min(earlier.cores);
        let part = |of: fn(&Self) -> Duration| of(self).saturating_sub(of(earlier));
        let (steal, softirq) = (part(|counters| counters.steal), part(|counters| counters.softirq));
        let other = part(|counters| counters.idle) + part(|counters| counters.irq) + steal;
        MachineTime { busy: all.saturating_sub(other), softirq, steal }
    }

    /// user nice system idle iowait irq softirq steal, in hundredths of a second; then a line for each core.
    fn parse(text: &str, at: Instant) -> Option<Self> {
        let mut lines = text.lines();
        let words = lines.next()?.strip_prefix("cpu ")?.split_ascii_whitespace();
        let ticks: Vec<u64> = words.map_while(|word| word.parse().ok()).collect();
        let time = |at: usize| ticks.get(at).map(|ticks| Duration::from_millis(ticks * 10));
        let cores = u32::try_from(lines.take_while(|line| line.starts_with("cpu")).count()).ok()?;
        let idle = time(3)? + time(4)?;
        Some(Self { at, cores, idle, irq: time(5)?, softirq: time(6)?, steal: time(7)? })
    }
}

/// Whether the time in softirq is kept out of that of the thread which it interrupts: by kernels with
/// `CONFIG_IRQ_TIME_ACCOUNTING` whose clock is fine enough, unless switched off at boot (`tsc=noirqtime`); others charge the
/// thread (`update_rq_clock_task` in kernel/sched/core.c). Tried out rather than read, for a fiftieth of a second. The calling
/// thread needs a loopback that is up.
pub fn keeps_softirq_apart() -> io::Result<bool> {
    const SPELLS: usize = 8;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(socket.local_addr()?)?;
    let spells = (0..SPELLS).map(|_| Spell::of(&socket)).collect::<io::Result<Vec<_>>>()?;
    Ok(is_apart(&spells))
}

/// A while of a thread that never slept, a good part of it in softirq.
#[derive(Debug, Clone, Copy)]
struct Spell {
    elapsed: Duration,
    /// What the thread is charged with.
    charged: Duration,
    /// Ready to run, while others were on the core.
    waited: Duration,
}

impl Spell {
    /// Sends to a socket that nobody reads. Loopback delivers, and in the end drops, in the softirq of the sender.
    fn of(socket: &UdpSocket) -> io::Result<Self> {
        const LENGTH: Duration = Duration::from_millis(2);
        let (begun, charged, waited) = (Instant::now(), charged()?, waited()?);
        while begun.elapsed() < LENGTH {
            socket.send(&[0])?;
        }
        let charged = self::charged()?.saturating_sub(charged);
        let waited = self::waited()?.saturating_sub(waited);
        Ok(Self { elapsed: begun.elapsed(), charged, waited })
    }

    /// The share of it that nobody answers for.
    fn missing(&self) -> f64 {
        let found = self.charged + self.waited;
        self.elapsed.saturating_sub(found).as_secs_f64() / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// What a hypervisor takes is missing too, but not in every spell.
fn is_apart(spells: &[Spell]) -> bool {
    const MISSING: f64 = 0.1;
    spells.iter().map(Spell::missing).fold(1.0, f64::min) > MISSING
}

fn charged() -> io::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

/// The second word of a schedstat file, in nanoseconds (Documentation/scheduler/sched-stats).
fn waited() -> io::Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let second = text.split_ascii_whitespace().nth(1).and_then(|word| word.parse().ok());
    second.map(Duration::from_nanos).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn busy_is_what_was_not_idle() {
        let begun = Instant::now();
        let at = |text: &str, after: Duration| MachineCounters::parse(text, begun + after).unwrap();
        let before = at("cpu  100 10 50 900 7 1 20 3 0 0\ncpu0 1 2\ncpu1 1 2\nintr 5\n", ms(0));
        // Two cores for 100 ms; the ticks of user and system time have missed most of it.
        let after = at("cpu  101 10 51 905 8 2 24 4 0 0\ncpu0 1 2\ncpu1 1 2\nintr 9\n", ms(100));
        let found = after.since(&before);
        assert_eq!(found, MachineTime { busy: ms(200 - 60 - 10 - 10), softirq: ms(40), steal: ms(10) });
        assert_eq!(MachineCounters::parse("cpu 1 2", begun), None);
    }

    #[test]
    fn softirq_is_apart_where_a_busy_thread_is_never_charged_with_all_of_its_time() {
        let spell = |charged, waited| Spell { elapsed: ms(100), charged: ms(charged), waited: ms(waited) };
        // Charged with softirq: others on the core and a hypervisor take the rest away.
        assert!(!is_apart(&[spell(60, 0), spell(55, 44), spell(70, 10)]));
        // Not charged with it, whoever else was there.
        assert!(is_apart(&[spell(60, 0), spell(30, 50), spell(55, 10)]));
    }

    /// The kernel's own configuration is the oracle, where it can be read.
    #[test]
    fn what_is_tried_out_is_what_the_kernel_was_built_for() {
        let read = "zcat /proc/config.gz 2>/dev/null || cat /boot/config-$(uname -r)";
        let output = std::process::Command::new("sh").args(["-c", read]).output().unwrap();
        let configuration = String::from_utf8_lossy(&output.stdout);
        if configuration.contains("# CONFIG_IRQ_TIME_ACCOUNTING is not set") {
            assert!(!keeps_softirq_apart().unwrap());
        }
    }
}
