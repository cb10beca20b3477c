//! One measurement: a contender captures a load, and what it wrote is counted by somebody else.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use crate::{
    contender::Contender,
    core::Core,
    generator::{Load, Sent, send},
    interrupt,
    lab::Lab,
    meter::{Reading, busy_time},
    running::{Running, wait_drained, wait_started},
};

/// A share of time that a program waited for its core, from which on it was disturbed.
const PROGRAM_DISTURBED: f64 = 0.05;
/// The same of the generator, which is to keep a pace.
const GENERATOR_DISTURBED: f64 = 0.03;

/// What all measurements share.
pub(crate) struct Bench {
    /// Where the files are written.
    pub(crate) folder: PathBuf,
    pub(crate) generator_core: Core,
    pub(crate) program_core: Core,
}

/// What came out of one.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sample {
    pub(crate) contender: String,
    pub(crate) sent: u64,
    pub(crate) sent_per_second: f64,
    /// The share of its time that the generator was kept from its core, where that kept it from its pace.
    pub(crate) generator_disturbed: f64,
    /// Packets in the file, as capinfos counts them.
    pub(crate) written: u64,
    /// Packets that the program says it lost.
    pub(crate) reported_lost: Option<u64>,
    pub(crate) file_bytes: u64,
    /// User and system time from when it listened to its end.
    pub(crate) cpu_ns: u64,
    /// How much of that went into ending.
    pub(crate) ending_cpu_ns: u64,
    pub(crate) wall_ns: u64,
    pub(crate) context_switches: u64,
    /// How long its threads had to wait for their core, be it for others or for each other.
    pub(crate) waited_ns: u64,
    /// How long its core was busy with something else.
    pub(crate) others_cpu_ns: u64,
    pub(crate) peak_memory_kib: u64,
    /// The speed of a stream, where one was captured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bits_per_second: Option<f64>,
}

impl Sample {
    #[expect(clippy::cast_precision_loss, reason = "counts and times of minutes stay below 2^52")]
    pub(crate) fn cpu_ns_per_packet(&self) -> f64 {
        self.cpu_ns as f64 / self.written as f64
    }

    /// The share of a core it took, its ending left out.
    #[expect(clippy::cast_precision_loss, reason = "times of minutes stay below 2^52")]
    pub(crate) fn share_of_core(&self) -> f64 {
        (self.cpu_ns - self.ending_cpu_ns) as f64 / self.wall_ns as f64
    }

    /// Whether every packet sent is in the file, once, and the program says so.
    pub(crate) fn is_complete(&self) -> bool {
        self.written == self.sent && self.reported_lost.unwrap_or(0) == 0
    }

    /// The share of what was sent that is not in the file.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub(crate) fn lost_share(&self) -> f64 {
        self.sent.saturating_sub(self.written) as f64 / self.sent as f64
    }

    /// The most memory it had resident.
    #[expect(clippy::cast_precision_loss, reason = "memory of terabytes at most")]
    pub(crate) fn peak_memory_mib(&self) -> f64 {
        self.peak_memory_kib as f64 / 1024.0
    }

    /// Packets that are neither in the file nor reported lost.
    pub(crate) fn untold(&self) -> u64 {
        self.sent.saturating_sub(self.written + self.reported_lost.unwrap_or(0))
    }

    /// Whether others were busy on the cores of the measurement, so that a loss need not be the program's.
    pub(crate) fn is_disturbed(&self) -> bool {
        self.disturbance() > PROGRAM_DISTURBED || self.generator_disturbed > GENERATOR_DISTURBED
    }

    /// The share of the time it had to wait for its core because of others.
    #[expect(clippy::cast_precision_loss, reason = "times of minutes stay below 2^52")]
    fn disturbance(&self) -> f64 {
        self.waited_ns.min(self.others_cpu_ns) as f64 / self.wall_ns as f64
    }
}

impl Bench {
    /// Makes the machine's memory as warm as it gets: a virtual one's is there only once it was touched. Writes a file of
    /// that size and deletes it.
    pub(crate) fn warm_up(&self, mib: u32) -> Result<()> {
        let path = self.folder.join("warm-up");
        let mut file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
        let chunk = vec![0; 1024 * 1024];
        for _ in 0..mib {
            interrupt::check()?;
            file.write_all(&chunk)?;
        }
        Ok(fs::remove_file(&path)?)
    }

    /// Captures a load that the lab's senders send.
    pub(crate) fn measure(&self, contender: &Contender, lab: &Lab, load: &Load) -> Result<Sample> {
        let act = || send(load, lab.senders(), self.generator_core);
        self.watch(contender, lab, act)
    }

    /// The same, with what was written kept as that file.
    pub(crate) fn measure_and_keep(
        &self,
        contender: &Contender,
        lab: &Lab,
        load: &Load,
        file: &Path,
    ) -> Result<Sample> {
        let act = || send(load, lab.senders(), self.generator_core);
        self.watch_and(contender, lab, act, |written| Ok(fs::rename(written, file)?))
    }

    /// Captures while something is going on, and returns what came of both.
    pub(crate) fn watch(
        &self,
        contender: &Contender,
        lab: &Lab,
        act: impl FnOnce() -> Result<Sent>,
    ) -> Result<Sample> {
        self.watch_and(contender, lab, act, |file| Ok(fs::remove_file(file)?))
    }

    fn watch_and(
        &self,
        contender: &Contender,
        lab: &Lab,
        act: impl FnOnce() -> Result<Sent>,
        dispose: impl Fn(&Path) -> Result<()>,
    ) -> Result<Sample> {
        interrupt::check()?;
        let mut running = Vec::new();
        for launch in contender.launches(lab, &self.folder) {
            running.push(Running::start(contender, launch, self.program_core)?);
        }
        wait_started(&running)?;
        let before = read_all(&running)?;
        let busy_before = busy_time(self.program_core)?;
        let start = Instant::now();
        let sent = act()?;
        wait_drained(&running)?;
        let wall = start.elapsed();
        let after = read_all(&running)?;
        let own_cpu = after.cpu.saturating_sub(before.cpu);
        let busy = busy_time(self.program_core)?.saturating_sub(busy_before);
        let mut sample = Sample {
            contender: contender.name.clone(),
            sent: sent.count,
            sent_per_second: sent.rate(),
            generator_disturbed: sent.disturbance(),
            written: 0,
            reported_lost: Some(0),
            file_bytes: 0,
            cpu_ns: 0,
            ending_cpu_ns: 0,
            wall_ns: nanoseconds(wall),
            context_switches: after.switches - before.switches,
            waited_ns: nanoseconds(after.waited.saturating_sub(before.waited)),
            others_cpu_ns: nanoseconds(busy.saturating_sub(own_cpu)),
            peak_memory_kib: after.peak_memory_kib,
            bits_per_second: None,
        };
        let mut cpu = Duration::ZERO;
        for process in running {
            let ended = process.stop(contender)?;
            cpu += ended.cpu;
            sample.reported_lost = sample.reported_lost.zip(ended.lost).map(|(sum, lost)| sum + lost);
            sample.file_bytes += fs::metadata(&ended.file)?.len();
            sample.written += packets_in(&ended.file)?;
            dispose(&ended.file)?;
        }
        sample.ending_cpu_ns = nanoseconds(cpu.saturating_sub(after.cpu));
        sample.cpu_ns = nanoseconds(cpu.saturating_sub(before.cpu));
        Ok(sample)
    }
}

fn read_all(running: &[Running]) -> Result<Reading> {
    running.iter().try_fold(Reading::default(), |sum, process| Ok(sum.plus(process.read()?)))
}

/// As Wireshark's own library counts them.
fn packets_in(file: &Path) -> Result<u64> {
    let output = Command::new("capinfos").args(["-c", "-M", "-T", "-r", "-Q"]).arg(file).output();
    let output = output.context("starting capinfos (wireshark-common)")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "capinfos cannot read {}: {}", file.display(), errors.trim());
    let count = text.trim().rsplit('\t').next().and_then(|word| word.trim_matches('"').parse().ok());
    count.with_context(|| format!("capinfos printed {text:?}"))
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
