//! What these tests cannot do without. A machine that lacks it skips them, aloud, unless `PCAPSULE_REQUIRE` names it.

use std::{env, fs, path::PathBuf, process::Command};

use nix::unistd::{AccessFlags, access};

/// One thing that a test may need, by the word `PCAPSULE_REQUIRE` uses for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Requirement {
    /// The right to make network namespaces.
    Netns,
    /// Control groups of version 2 that can be made.
    Cgroup2,
    /// nft, and an iptables that speaks to nf_tables.
    Nft,
    /// conntrack.
    Conntrack,
}

impl Requirement {
    const ALL: [Self; 4] = [Self::Netns, Self::Cgroup2, Self::Nft, Self::Conntrack];

    /// Whether everything is there that a fake host is made of.
    ///
    /// # Panics
    /// When something is not and `PCAPSULE_REQUIRE` names it.
    pub(crate) fn all() -> bool {
        Self::ALL.into_iter().all(Self::check)
    }

    fn check(self) -> bool {
        if self.is_met() {
            return true;
        }
        let demanded = env::var("PCAPSULE_REQUIRE").unwrap_or_default();
        let is_demanded = demanded.split(',').any(|word| word.trim() == self.word());
        assert!(!is_demanded, "PCAPSULE_REQUIRE names {}, which is not there", self.word());
        eprintln!("skipped: this machine has no {}", self.word());
        false
    }

    fn word(self) -> &'static str {
        match self {
            Self::Netns => "netns",
            Self::Cgroup2 => "cgroup2",
            Self::Nft => "nft",
            Self::Conntrack => "conntrack",
        }
    }

    fn is_met(self) -> bool {
        match self {
            Self::Netns => succeeds("unshare", &["--net", "--mount", "true"]),
            Self::Cgroup2 => hierarchy().is_some_and(|path| access(&path, AccessFlags::W_OK).is_ok()),
            Self::Nft => succeeds("nft", &["--version"]) && succeeds("iptables-nft", &["--version"]),
            Self::Conntrack => succeeds("conntrack", &["--version"]),
        }
    }
}

/// Where the version 2 hierarchy is mounted.
pub(crate) fn hierarchy() -> Option<PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let line = table.lines().find(|line| line.contains(" - cgroup2 "))?;
    line.split(' ').nth(4).map(PathBuf::from)
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}
