//! Network namespaces: entered on a throw-away thread for one piece of work, and made in pairs joined by a cable.

use std::{
    fs::File,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use nix::sched::{CloneFlags, setns};
use pcap::{Active, Capture};

use super::{Host, Requirement, run, unique};

/// A network namespace that exists by a path.
pub(crate) struct Namespace {
    path: PathBuf,
}

impl Namespace {
    /// That of a running process.
    pub(crate) fn of_process(pid: u32) -> Self {
        Self { path: format!("/proc/{pid}/ns/net").into() }
    }

    /// The path that keeps it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Does some work inside. Sockets made there stay there.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(&self.path).expect("the namespace is there");
        thread::scope(|scope| {
            let visit = scope.spawn(|| {
                setns(&namespace, CloneFlags::CLONE_NEWNET).expect("the namespace can be entered");
                work()
            });
            visit.join().expect("the work inside succeeds")
        })
    }

    /// Runs `ip` inside.
    #[track_caller]
    pub(crate) fn ip(&self, arguments: &[&str]) -> String {
        let net = format!("--net={}", self.path.display());
        run("nsenter", &[&[&net, "ip"], arguments].concat())
    }

    /// Sets a variable of the kernel's, `name=value`, inside.
    #[track_caller]
    pub(crate) fn sysctl(&self, setting: &str) {
        let net = format!("--net={}", self.path.display());
        run("nsenter", &[&net, "sysctl", "--quiet", "--write", setting]);
    }

    /// Where frames can be put on an interface as they are.
    pub(crate) fn injector(&self, interface: &str) -> Capture<Active> {
        self.inside(|| {
            let inactive = Capture::from_device(interface).expect("the interface is there");
            inactive.snaplen(64).open().expect("the interface can be opened")
        })
    }
}

/// Two namespaces of our own joined by one cable, `eth0` at both ends; removed on drop.
pub(crate) struct Cable {
    names: [String; 2],
    _host: Host,
}

impl Cable {
    /// The left end's address.
    pub(crate) const LEFT: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
    /// The right end's address.
    pub(crate) const RIGHT: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);

    /// Lays it; none where a requirement is not met. Addresses are the same each time: namespaces do not see each other.
    pub(crate) fn lay() -> Option<Self> {
        Self::between([unique(), unique()])
    }

    /// The same between namespaces of these names, for a recording that shows them.
    pub(crate) fn between(names: [String; 2]) -> Option<Self> {
        if !Requirement::all(Requirement::NAMESPACES) {
            return None;
        }
        let cable = Self { names, _host: Host::shared() };
        cable.set_up();
        Some(cable)
    }

    /// Takes both ends away and makes them anew: other namespaces of the same names.
    pub(crate) fn lay_again(&self) {
        for name in &self.names {
            run("ip", &["netns", "delete", name]);
        }
        self.set_up();
    }

    fn set_up(&self) {
        let [left, right] = &self.names;
        for name in &self.names {
            run("ip", &["netns", "add", name]);
            Namespace { path: Path::new("/run/netns").join(name) }
                .sysctl("net.ipv6.conf.default.disable_ipv6=1");
        }
        let link =
            ["-n", left, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", right];
        run("ip", &link);
        for (name, address) in [(left, Self::LEFT), (right, Self::RIGHT)] {
            run("ip", &["-n", name, "addr", "add", &format!("{address}/24"), "dev", "eth0"]);
            run("ip", &["-n", name, "link", "set", "lo", "up"]);
            run("ip", &["-n", name, "link", "set", "eth0", "up"]);
        }
    }

    /// The left namespace.
    pub(crate) fn left(&self) -> Namespace {
        self.end(0)
    }

    /// The right namespace.
    pub(crate) fn right(&self) -> Namespace {
        self.end(1)
    }

    /// The left namespace's name below /run/netns.
    pub(crate) fn left_name(&self) -> &str {
        &self.names[0]
    }

    /// The right namespace's name below /run/netns.
    pub(crate) fn right_name(&self) -> &str {
        &self.names[1]
    }

    /// The selector that names the left namespace.
    pub(crate) fn left_selector(&self) -> String {
        format!("netns={}", self.left_name())
    }

    fn end(&self, side: usize) -> Namespace {
        Namespace { path: Path::new("/run/netns").join(&self.names[side]) }
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        for name in &self.names {
            let _ = Command::new("ip").args(["netns", "delete", name]).output();
        }
    }
}

/// Two outposts would have the same addresses.
static OUTPOST: Mutex<()> = Mutex::new(());

/// A namespace joined with the host by a cable, whose end here bears its name; removed on drop. There is one at a time.
pub(crate) struct Outpost {
    name: String,
    _alone: MutexGuard<'static, ()>,
    _host: Host,
}

impl Outpost {
    /// Its address; the host's is one below.
    pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 98, 7, 2);

    /// Makes it; none where a requirement is not met.
    pub(crate) fn make() -> Option<Self> {
        if !Requirement::all(Requirement::NAMESPACES) {
            return None;
        }
        let alone = OUTPOST.lock().unwrap_or_else(PoisonError::into_inner);
        let outpost = Self { name: unique(), _alone: alone, _host: Host::shared() };
        let name = outpost.name.as_str();
        run("ip", &["netns", "add", name]);
        run("ip", &["link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name]);
        run("ip", &["addr", "add", "10.98.7.1/24", "dev", name]);
        run("ip", &["link", "set", name, "up"]);
        run("ip", &["-n", name, "addr", "add", &format!("{}/24", Self::ADDRESS), "dev", "eth0"]);
        run("ip", &["-n", name, "link", "set", "eth0", "up"]);
        Some(outpost)
    }

    /// The namespace.
    pub(crate) fn namespace(&self) -> Namespace {
        Namespace { path: format!("/run/netns/{}", self.name).into() }
    }
}

impl Drop for Outpost {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["link", "del", &self.name]).output();
        let _ = Command::new("ip").args(["netns", "del", &self.name]).output();
    }
}
