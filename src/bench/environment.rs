//! What the figures depend on besides the path: without it nobody can compare them with his own.

use std::fs;

use serde::Serialize;

use crate::sys::accounting::keeps_softirq_apart;
use crate::sys::netns::Namespace;
use crate::sys::placement::{allowed_cores, apart, is_one_core};
use crate::sys::{sysctl, system};

use super::Error;
use super::path::{Lab, Seen};
use super::scenario::Scenario;

/// The machine, and the settings of the lab that it has from it. What is not known is null.
#[derive(Debug, Clone, Default, Serialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Environment {
    pub kernel: String,
    pub processor: Option<String>,
    /// Those that may be used; the first two are those of the ends.
    pub cores: Vec<usize>,
    /// Whether these two are threads of one.
    pub is_one_core: bool,
    pub governor: Option<String>,
    pub congestion_control: Option<String>,
    /// Whether bridged packets pass the rules of iptables (br_netfilter); null: the kernel cannot.
    pub bridge_netfilter: Option<bool>,
    /// Whether the kernel keeps the time in softirq out of that of the threads which it interrupts.
    pub softirq_apart: Option<bool>,
    /// Average number of processes that want to run, before and after.
    pub load: Vec<f64>,
    /// The interfaces that each path must pass.
    pub links: Vec<Seen>,
}

impl Environment {
    /// Looks at the machine and the host of the lab.
    pub(super) fn look(lab: &Lab, scenario: &Scenario) -> Result<Self, Error> {
        let host: &Namespace = &lab.host;
        let cores = apart(allowed_cores().map_err(Error::Cores)?, is_one_core);
        let is_one_core = matches!(cores[..], [one, other, ..] if is_one_core(one, other));
        let system_congestion = || sysctl::read(host, "net.ipv4.tcp_congestion_control").ok();
        Ok(Self {
            kernel: system().map(|system| system.release).unwrap_or_default(),
            processor: processor(),
            cores,
            is_one_core,
            governor: text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            congestion_control: scenario.congestion.clone().or_else(system_congestion),
            bridge_netfilter: sysctl::read(host, "net.bridge.bridge-nf-call-iptables")
                .ok()
                .map(|value| value != "0"),
            softirq_apart: host.within(keeps_softirq_apart)?.ok(),
            load: load().into_iter().collect(),
            links: lab.seen(),
        })
    }

    /// Looks at the load once more.
    pub(super) fn look_again(&mut self) {
        self.load.extend(load());
    }
}

fn processor() -> Option<String> {
    let text = text("/proc/cpuinfo")?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn load() -> Option<f64> {
    text("/proc/loadavg")?.split_ascii_whitespace().next()?.parse().ok()
}

fn text(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim_end().to_owned())
}
