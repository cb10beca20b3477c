//! The hosts that the user has written down, for Wireshark to list: `~/.config/pcapsule/hosts`, one a line.

use std::{env, fs, path::PathBuf};

use super::host::RemoteHost;

/// More are not listed: each interface is a further process whenever Wireshark starts.
const MOST_LISTED: usize = 10;

/// A host, and how pcapsule is called there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct KnownHost {
    pub(in crate::cli) host: RemoteHost,
    /// As its shell takes it.
    pub(in crate::cli) program: String,
}

/// Those that are written down. None where there is no such file: it is not asked for.
pub(in crate::cli) fn known_hosts() -> Vec<KnownHost> {
    file().and_then(|path| fs::read_to_string(path).ok()).map_or_else(Vec::new, |text| listed(&text))
}

fn file() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(folder.join("pcapsule/hosts"))
}

/// A URL, and behind it what `--remote-path` would say. What is no host, and what is behind a `#`, is passed over: a
/// list of interfaces has no room for complaints.
fn listed(text: &str) -> Vec<KnownHost> {
    let of_line = |line: &str| {
        let line = line.split('#').next().unwrap_or_default().trim();
        let (url, program) = line.split_once(char::is_whitespace).unwrap_or((line, "pcapsule"));
        Some(KnownHost { host: url.parse().ok()?, program: program.trim().to_owned() })
    };
    let mut hosts: Vec<KnownHost> = Vec::new();
    for known in text.lines().filter_map(of_line) {
        if hosts.iter().all(|other| other.host != known.host) {
            hosts.push(known);
        }
    }
    hosts.truncate(MOST_LISTED);
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_a_line_with_its_command_behind() {
        let text = "# mine\nssh://root@web1\n\n  ssh://web2:2222   sudo -n pcapsule # by sudo\nweb3\nssh://root@web1 /opt/pcapsule\n";
        let hosts = listed(text);
        let told: Vec<(String, &str)> =
            hosts.iter().map(|known| (known.host.to_string(), known.program.as_str())).collect();
        let expected = [("ssh://root@web1", "pcapsule"), ("ssh://web2:2222", "sudo -n pcapsule")];
        assert_eq!(told, expected.map(|(host, program)| (host.to_owned(), program)));
        let many = (0..50).map(|number| format!("ssh://web{number}")).collect::<Vec<_>>().join("\n");
        assert_eq!(listed(&many).len(), MOST_LISTED);
    }
}
