//! What of a host could be changed by a network mode, before and after: rules, links, addresses, routes, kernel variables,
//! mounts, files, connections, sockets, processes, cgroups.
//!
//! Each part is what other people's tools print of it. Only what counts or ticks by itself is left out.

use std::{collections::BTreeMap, fs, path::Path, thread, time::Duration};

use super::{Host, Place, eventually, inside, within};

/// A part's name and its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot(BTreeMap<&'static str, Vec<String>>);

/// The parts that programs print, run in one shell.
const PROGRAMS: [(&str, &str); 14] = [
    ("nft list ruleset", "nft --stateless list ruleset"),
    ("iptables-save", "iptables-nft-save"),
    ("ip6tables-save", "ip6tables-nft-save"),
    ("ip -d link", "ip -details link"),
    ("bridge link", "bridge -details link"),
    ("ip addr", "ip addr"),
    ("ip route", "ip route show table all"),
    ("ip -6 route", "ip -6 route show table all"),
    ("ip rule", "ip rule; ip -6 rule"),
    ("mounts", "cat /proc/self/mounts"),
    ("/run", "find /run ! -path /run -printf '%y %M %U %G %s %p\\n' | sort"),
    ("connections", "conntrack -L 2>/dev/null; conntrack -L -f ipv6 2>/dev/null; true"),
    ("sockets", "ss --no-header -lntuw"),
    ("processes", "ps -e -o args="),
];

/// Variables that tell instead of being told, and those that nobody may read.
const NO_SETTINGS: [&str; 2] = ["nf_conntrack_count", "random"];

impl Snapshot {
    /// Looks at everything.
    #[track_caller]
    pub(crate) fn of(place: &Place) -> Self {
        let lines = PROGRAMS.map(|(name, line)| format!("echo '=== {name}'\n{line}\n"));
        let text = place.sh(&lines.concat());
        let mut parts = BTreeMap::new();
        for ((name, _), part) in PROGRAMS.iter().zip(text.split("=== ").skip(1)) {
            let (_, body) = part.split_once('\n').unwrap_or_default();
            parts.insert(*name, body.lines().map(steady).filter(|line| is_of_interest(name, line)).collect());
        }
        parts.insert("sysctls", sysctls(place));
        parts.insert("cgroups", directories(place.cgroup(), place.cgroup()));
        Self(parts)
    }

    /// What is there but was not (`+`), and what was but is not (`-`).
    pub(crate) fn since(&self, before: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        for (name, after) in &self.0 {
            let before = &before.0[name];
            let gone = before.iter().filter(|line| !after.contains(line)).map(|line| ('-', line));
            let new = after.iter().filter(|line| !before.contains(line)).map(|line| ('+', line));
            differences.extend(gone.chain(new).map(|(sign, line)| format!("{name}: {sign} {line}")));
            if differences.is_empty() && before.len() != after.len() {
                differences.push(format!("{name}: {} lines became {}", before.len(), after.len()));
            }
        }
        differences
    }

    /// The lines of one part.
    pub(crate) fn part(&self, name: &str) -> &[String] {
        &self.0[name]
    }
}

/// The addresses of the bridge that has not told routers of the groups it is in.
const SILENT_YET: &str =
    "ip -o -4 addr show dev pcapsule0 | sed 's,.* inet \\([^/]*\\)/.*,\\1,' | while read -r address; do
    conntrack -L -s $address 2>/dev/null | grep -q dst=224.0.0.22 || echo $address
done";

impl Host {
    /// As [`snapshot`](Self::snapshot), while a sandbox is up: once its bridge has told routers of its groups, up to a second
    /// after it came up, which is a connection more.
    #[track_caller]
    pub(crate) fn snapshot_of_living(&self) -> Snapshot {
        eventually("the bridge has told", || self.sh(SILENT_YET).is_empty().then_some(()));
        self.snapshot()
    }

    /// Fails unless the host is, at once, as it was.
    #[track_caller]
    pub(crate) fn assert_as(&self, before: &Snapshot) {
        let differences = self.snapshot().since(before);
        assert!(differences.is_empty(), "the host is not as it was: {differences:#?}");
    }

    /// Fails unless the host becomes as it was, in a while: nobody is there who could say that all is undone.
    #[track_caller]
    pub(crate) fn assert_becomes(&self, before: &Snapshot) {
        let mut differences = Vec::new();
        let done = within(Duration::from_secs(10), || {
            differences = self.snapshot().since(before);
            if !differences.is_empty() {
                thread::yield_now();
            }
            differences.is_empty().then_some(())
        });
        assert!(done.is_some(), "the host does not become as it was: {differences:#?}");
    }
}

/// The line without what counts: packet counters of policies, a bridge's timers, a route's age.
fn steady(line: &str) -> String {
    let is_ticking = |word: &str| word.ends_with("_timer") || ["expires", "age"].contains(&word);
    let mut words = Vec::new();
    let mut is_value = false;
    for word in line.split_whitespace() {
        // The time that conntrack gives a connection is the one word of its own that is a number.
        let is_age = words.len() == 2 && line.contains(" src=") && word.parse::<u32>().is_ok();
        if !std::mem::replace(&mut is_value, is_ticking(word)) && !is_age {
            words.push(word);
        }
    }
    let line = words.join(" ");
    match line.split_once(" [") {
        Some((policy, _)) if policy.starts_with(':') => policy.to_owned(),
        _ => line,
    }
}

fn is_of_interest(part: &str, line: &str) -> bool {
    match part {
        // When, and by which version.
        "iptables-save" | "ip6tables-save" => !line.starts_with('#'),
        // But for those that look.
        "processes" => !line.starts_with("ps -e ") && !line.starts_with("sh -ec echo '=== "),
        // Of other tests, whose folders go (and any mount on them with these).
        "mounts" => !line.contains(" /tmp/."),
        // Where mount(8) keeps its own records.
        "/run" => !line.contains("/run/mount"),
        // A connection between the host and its neighbour, or of the host with itself, is the test's own and has its time
        // to live. What knows a sandbox's address must go with it.
        "connections" => !addresses(line).all(is_of_hosts),
        _ => !line.is_empty(),
    }
}

/// Whom a connection is between; groups are nobody.
fn addresses(connection: &str) -> impl Iterator<Item = &str> {
    let ends = connection
        .split(' ')
        .filter_map(|word| word.strip_prefix("src=").or_else(|| word.strip_prefix("dst=")));
    ends.filter(|address| !address.starts_with("224.") && !address.starts_with("ff02:"))
}

/// The lab's own: loopback, the LAN, the bridges of Docker and of a user.
fn is_of_hosts(address: &str) -> bool {
    let known = ["127.", "198.51.100.", "172.17.0.1", "10.99.0.1", "2001:db8:5:"];
    address == "::1" || known.iter().any(|prefix| address.starts_with(prefix))
}

/// Each variable below net, with its value.
fn sysctls(place: &Place) -> Vec<String> {
    let mut found = Vec::new();
    inside(&place.net(), || variables(Path::new("/proc/sys/net"), &mut found));
    found.sort();
    found
}

fn variables(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            variables(&path, found);
        } else if !NO_SETTINGS.iter().any(|name| path.ends_with(name)) {
            let value = fs::read_to_string(&path).unwrap_or_default();
            found.push(format!("{} = {}", path.display(), value.trim()));
        }
    }
}

fn directories(root: &Path, folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        let path = entry.path();
        found.push(path.strip_prefix(root).unwrap_or(&path).display().to_string());
        found.extend(directories(root, &path));
    }
    found.sort();
    found
}
