//! What a test cannot do without. A machine that lacks it skips the test, aloud, unless `PCAPSULE_REQUIRE` names it.

use std::{env, path::Path, process::Command};

/// One thing that a test may need, by the word `PCAPSULE_REQUIRE` uses for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Requirement {
    /// A Docker engine that answers, and the busybox its containers are made of.
    Docker,
    /// The right to make network namespaces.
    Netns,
    /// tshark and capinfos.
    Tshark,
    /// tcpdump.
    Tcpdump,
    /// Control groups of version 2 that programs can be hung on, and bash.
    Cgroup2,
    /// bpftool.
    Bpftool,
    /// nft.
    Nft,
    /// openssl, to talk TLS.
    Openssl,
    /// An OpenSSH server and client, started by the test for itself.
    Sshd,
    /// Control groups that bound the time on the processor.
    ProcessorLimit,
    /// Control groups that bound what is written to a disk, and disks in files.
    SlowDisk,
    /// User namespaces for plain users.
    UserNamespaces,
    /// An optimised build, named by `PCAPSULE_RELEASE`: for what is timed.
    Release,
}

impl Requirement {
    fn word(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Netns => "netns",
            Self::Tshark => "tshark",
            Self::Tcpdump => "tcpdump",
            Self::Cgroup2 => "cgroup2",
            Self::Bpftool => "bpftool",
            Self::Nft => "nft",
            Self::Openssl => "openssl",
            Self::Sshd => "sshd",
            Self::ProcessorLimit => "cpulimit",
            Self::SlowDisk => "slowdisk",
            Self::UserNamespaces => "userns",
            Self::Release => "release",
        }
    }

    fn is_met(self) -> bool {
        match self {
            Self::Docker => succeeds("docker", &["version"]) && succeeds("busybox", &["true"]),
            Self::Netns => succeeds("unshare", &["--net", "true"]) && succeeds("ip", &["netns"]),
            Self::Tshark => succeeds("tshark", &["--version"]) && succeeds("capinfos", &["--version"]),
            Self::Tcpdump => succeeds("tcpdump", &["--version"]),
            Self::Cgroup2 => {
                super::cgroup::hierarchy().is_some_and(|path| is_writable(&path))
                    && succeeds("bash", &["-c", ":"])
            }
            Self::Bpftool => succeeds("bpftool", &["version"]),
            Self::Nft => succeeds("nft", &["--version"]),
            Self::Openssl => succeeds("openssl", &["version"]),
            Self::Sshd => Path::new("/usr/sbin/sshd").exists() && succeeds("ssh", &["-V"]),
            Self::ProcessorLimit => super::brake::can_limit_processor(),
            Self::SlowDisk => super::brake::can_slow_disk(),
            Self::UserNamespaces => {
                let user = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
                succeeds(
                    "setpriv",
                    &[&user[..], &["unshare", "--user", "--map-root-user", "--net", "true"]].concat(),
                )
            }
            Self::Release => env::var_os("PCAPSULE_RELEASE").is_some_and(|path| Path::new(&path).is_file()),
        }
    }

    fn is_demanded(self) -> bool {
        let demanded = env::var("PCAPSULE_REQUIRE").unwrap_or_default();
        demanded.split(',').any(|word| word.trim() == self.word())
    }

    /// What every capture in a namespace needs.
    pub(crate) const NAMESPACES: &[Self] = &[Self::Netns, Self::Tshark, Self::Tcpdump];
    /// What every capture of a container needs.
    pub(crate) const CONTAINERS: &[Self] = &[Self::Docker, Self::Netns, Self::Tshark, Self::Tcpdump];

    /// Whether all of these are there.
    ///
    /// # Panics
    /// When one is not and `PCAPSULE_REQUIRE` names it.
    pub(crate) fn all(needs: &[Self]) -> bool {
        needs.iter().all(|need| need.check())
    }

    fn check(self) -> bool {
        if self.is_met() {
            return true;
        }
        assert!(!self.is_demanded(), "PCAPSULE_REQUIRE names {}, which is not there", self.word());
        eprintln!("skipped: this machine has no {}", self.word());
        false
    }
}

/// Whether directories can be made there: in many a container the hierarchy is there to read only.
pub(super) fn is_writable(path: &Path) -> bool {
    nix::unistd::access(path, nix::unistd::AccessFlags::W_OK).is_ok()
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}
