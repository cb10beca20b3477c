//! The host as the tests found it. The last test to leave fails if anything is left behind or missing.

use std::{
    collections::BTreeSet,
    env,
    process::{self, Command},
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::Value;

use super::within;

static GUESTS: Mutex<Guests> = Mutex::new(Guests { count: 0, found: BTreeSet::new() });
static LEFT: Condvar = Condvar::new();
static NEXT: AtomicU32 = AtomicU32::new(1);

/// A name nobody else on this host has, short enough for an interface: `pcs41a7-3`.
pub(crate) fn unique() -> String {
    format!("{}{}", own_prefix(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn own_prefix() -> String {
    format!("pcs{:x}-", process::id())
}

/// Leave to work on the host, beside other tests or alone.
pub(crate) enum Host {
    /// Beside other tests.
    Shared,
    /// With no other test of this program running: for what is timed, or heavy.
    Alone(MutexGuard<'static, Guests>),
}

impl Host {
    /// Enters beside other tests. A test may enter more than once.
    pub(crate) fn shared() -> Self {
        guests().enter();
        Self::Shared
    }

    /// Enters when all others have left, and keeps them out.
    pub(crate) fn alone() -> Self {
        let others_left = LEFT.wait_while(guests(), |guests| guests.count > 0);
        let mut guests = others_left.unwrap_or_else(PoisonError::into_inner);
        guests.enter();
        Self::Alone(guests)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let difference = match self {
            Self::Shared => guests().leave(),
            Self::Alone(guests) => guests.leave(),
        };
        LEFT.notify_all();
        if !thread::panicking() {
            assert!(difference.is_empty(), "the host is not as it was; added or missing: {difference:#?}");
        }
    }
}

/// The tests at work, and what the first of them found; the last compares, while the next waits at the door.
pub(crate) struct Guests {
    count: usize,
    found: BTreeSet<String>,
}

fn guests() -> MutexGuard<'static, Guests> {
    GUESTS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Guests {
    fn enter(&mut self) {
        if self.count == 0 {
            self.found = inventory();
        }
        self.count += 1;
    }

    /// What the guests changed; the kernel and the engine take a moment to tidy up after the last one.
    fn leave(&mut self) -> Vec<String> {
        self.count -= 1;
        let mut difference = Vec::new();
        if self.count == 0 {
            within(Duration::from_secs(10), || {
                difference = inventory().symmetric_difference(&self.found).cloned().collect();
                difference.is_empty().then_some(())
            });
        }
        difference
    }
}

/// Links, namespaces, containers, networks, images and firewall rules, a line each.
///
/// On a machine that others use at the same time (`PCAPSULE_SHARED_HOST` is set), only what bears our own names.
fn inventory() -> BTreeSet<String> {
    let listings: [(&str, &[&str]); 6] = [
        ("docker", &["ps", "--all", "--format", "container {{.Names}}"]),
        ("docker", &["network", "ls", "--format", "network {{.Name}}"]),
        ("docker", &["images", "--format", "image {{.Repository}}:{{.Tag}}"]),
        ("ip", &["netns", "list"]),
        ("nft", &["--stateless", "list", "ruleset"]),
        ("iptables-save", &[]),
    ];
    let lines = listings.iter().flat_map(|(program, arguments)| lines(program, arguments)).chain(links());
    let shared = env::var_os("PCAPSULE_SHARED_HOST").is_some();
    lines.filter(|line| !shared || line.contains(&own_prefix())).collect()
}

/// A program's lines without comments and counters; none where it is not installed.
fn lines(program: &str, arguments: &[&str]) -> Vec<String> {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().filter(|line| !line.starts_with(['#', ':'])).map(str::to_owned).collect()
}

/// Each interface of the host with its promiscuity, which a capture that ended must have given back.
fn links() -> Vec<String> {
    let text = lines("ip", &["-details", "-json", "link"]).concat();
    let links: Vec<Value> = serde_json::from_str(&text).expect("`ip -json` prints JSON");
    links.iter().map(|link| format!("link {} promiscuity {}", link["ifname"], link["promiscuity"])).collect()
}
