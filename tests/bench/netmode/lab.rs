//! A host of its own for each measurement: namespaces for network, mounts and processes, an uplink, and nothing else.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use nix::sched::{CloneFlags, setns, unshare};

/// The host's address on its uplink.
pub(crate) const ADDRESS: [u8; 4] = [198, 51, 100, 1];

/// The kernel takes namespaces apart in the background; the next measurement is not to pay for the last one.
const SETTLES: Duration = Duration::from_millis(150);

const SET_UP: &str =
    "awk '$3 ~ /^(nsfs|overlay|fuse)/ { print $2 }' /proc/self/mounts | xargs --no-run-if-empty umount --lazy
    mount -t tmpfs tmpfs /run && mkdir /run/netns
    sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0
    ip link set lo up
    ip link add lan0 type veth peer name lan1
    ip addr add 198.51.100.1/24 dev lan0
    ip link set lan0 up && ip link set lan1 up
    ip route add default via 198.51.100.2
    echo ready
    exec env --ignore-signal=CHLD cat";

/// Gone on drop, with all processes inside.
pub(crate) struct Host {
    holder: Child,
    first: u32,
}

impl Host {
    /// Makes it.
    pub(crate) fn fresh() -> Result<Self> {
        let kinds = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
        let mut holder = Command::new("unshare")
            .args(kinds)
            .args(["--propagation", "private", "sh", "-ec", SET_UP])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting unshare")?;
        let mut line = String::new();
        BufReader::new(holder.stdout.take().context("stdout is piped")?).read_line(&mut line)?;
        ensure!(line == "ready\n", "the namespaces cannot be made");
        let id = holder.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        let first = children.trim().parse().context("unshare has a child")?;
        Ok(Self { holder, first })
    }

    /// Runs a program inside, and how long that took from its start to its end.
    pub(crate) fn timed(&self, command: &mut Command) -> Result<Duration> {
        let (output, took) = self.inside(|| {
            let begin = Instant::now();
            let output = command.output();
            (output, begin.elapsed())
        })?;
        checked(command, &output.context("starting it")?)?;
        Ok(took)
    }

    /// Runs a program inside, and what it printed.
    pub(crate) fn run(&self, command: &mut Command) -> Result<String> {
        let output = self.inside(|| command.output())?.context("starting it")?;
        checked(command, &output)
    }

    /// A path as it is inside, for those out here.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.first))
    }

    /// The network namespace.
    pub(crate) fn net(&self) -> PathBuf {
        self.path("/proc/1/ns/net")
    }

    fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let kinds = [
            ("net", CloneFlags::CLONE_NEWNET),
            ("pid", CloneFlags::CLONE_NEWPID),
            ("mnt", CloneFlags::CLONE_NEWNS),
        ];
        let mut namespaces = Vec::new();
        for (name, flag) in kinds {
            namespaces.push((File::open(format!("/proc/{}/ns/{name}", self.first))?, flag));
        }
        on_thread(|| {
            unshare(CloneFlags::CLONE_FS)?;
            for (namespace, flag) in &namespaces {
                setns(namespace, *flag)?;
            }
            Ok(work())
        })
    }

    /// The memory of all processes inside but the first, shared pages by halves, and how many they are.
    pub(crate) fn memory(&self) -> Result<(f64, usize)> {
        let (mut kib, mut count) = (0, 0);
        for entry in fs::read_dir(self.path("/proc"))?.flatten() {
            let name = entry.file_name();
            let is_other = name.to_str().and_then(|name| name.parse::<u32>().ok()).is_some_and(|pid| pid > 1);
            if let Some(text) =
                is_other.then(|| fs::read_to_string(entry.path().join("smaps_rollup")).ok()).flatten()
            {
                let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
                let words = line.and_then(|line| line.split_whitespace().next()).unwrap_or("0");
                kib += words.parse::<u32>()?;
                count += 1;
            }
        }
        Ok((f64::from(kib) / 1024.0, count))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        thread::sleep(SETTLES);
    }
}

/// Does some work on a thread in a network namespace.
pub(crate) fn in_network<T: Send>(net: &Path, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let namespace = File::open(net).with_context(|| format!("opening {}", net.display()))?;
    on_thread(|| {
        setns(&namespace, CloneFlags::CLONE_NEWNET)?;
        work()
    })
}

fn on_thread<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| scope.spawn(work).join().map_err(|_| anyhow!("the thread failed"))?)
}

/// The standard output of a program that succeeded.
pub(crate) fn checked(command: &Command, output: &Output) -> Result<String> {
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} ended with {}: {errors}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
