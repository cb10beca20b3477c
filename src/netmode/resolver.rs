//! The sandbox's `/etc/resolv.conf` and `/etc/hosts`: what is in them, and where the host's own words are read.

use std::{fmt::Write as _, fs, net::IpAddr, path::Path};

use super::record::Record;

/// Asked where the host names none that a sandbox could reach: what Docker falls back on too.
const PUBLIC_SERVERS: [&str; 2] = ["8.8.8.8", "8.8.4.4"];

/// The host's words on name resolution. Where its resolver is a stub of systemd's on loopback, those of the file that
/// names the servers behind it (`systemd-resolved(8)`).
pub(super) fn host_words() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let words = read("/etc/resolv.conf");
    let behind = "/run/systemd/resolve/resolv.conf";
    let servers = nameservers(&words);
    let is_stub = !servers.is_empty() && servers.iter().all(IpAddr::is_loopback);
    if is_stub && Path::new(behind).exists() { read(behind) } else { words }
}

/// The host's nameservers, loopback left out.
pub(super) fn host_nameservers() -> Vec<IpAddr> {
    nameservers(&host_words()).into_iter().filter(|server| !server.is_loopback()).collect()
}

/// The addresses behind `nameserver`.
fn nameservers(words: &str) -> Vec<IpAddr> {
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        let address = words.next().filter(|word| *word == "nameserver").and_then(|_| words.next())?;
        // Behind a link-local address stands the host's interface, which the sandbox does not have.
        address.parse().ok()
    };
    words.lines().filter_map(server).collect()
}

/// The sandbox's `resolv.conf`: the host's without servers on its loopback, or of a family that it has no address of; with
/// public ones where none is left.
pub(super) fn resolv_conf(host: &str, own: &Record) -> String {
    let mut text = String::new();
    let has_family_of = |server: &IpAddr| {
        let mut addresses = own.addresses.iter().map(|own| own.address);
        own.addresses.is_empty() || addresses.any(|own| own.is_ipv4() == server.is_ipv4())
    };
    let is_reachable = |server: &IpAddr| !server.is_loopback() && has_family_of(server);
    let reachable: Vec<IpAddr> = nameservers(host).into_iter().filter(is_reachable).collect();
    for line in host.lines() {
        let word = line.split_whitespace().next().unwrap_or_default();
        if ["search", "domain", "options", "sortlist"].contains(&word) {
            let _ = writeln!(text, "{line}");
        }
    }
    for server in &reachable {
        let _ = writeln!(text, "nameserver {server}");
    }
    if reachable.is_empty() {
        text.push_str("# no nameserver of the host can be reached from here: public ones\n");
        for server in PUBLIC_SERVERS {
            let _ = writeln!(text, "nameserver {server}");
        }
    }
    text
}

/// A sandbox's `hosts`: itself, the host by its address on the bridge, and the others on it.
pub(super) fn hosts<'a>(
    own: &'a Record,
    gateways: &[IpAddr],
    neighbours: impl Iterator<Item = &'a Record>,
) -> String {
    let mut text = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n".to_owned();
    let mut line = |address: IpAddr, name: &str| {
        let _ = writeln!(text, "{address} {name}");
    };
    for gateway in gateways {
        line(*gateway, "host.pcapsule.internal");
    }
    for record in [own].into_iter().chain(neighbours) {
        record.addresses.iter().for_each(|found| line(found.address, record.name.as_str()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, addresses: &[&str]) -> Record {
        serde_json::from_value(serde_json::json!({
            "id": "4f2a9b01c3d4", "name": name, "mode": "bridge", "keeper": 1, "process": null,
            "bridge": "pcapsule0", "addresses": addresses, "forwards": [], "cgroup": null, "command": [],
            "created_ns": 0, "steps": [],
        }))
        .unwrap()
    }

    #[test]
    fn servers_on_loopback_are_left_out() {
        let host = "# made by x\nsearch lan\nnameserver 127.0.0.53\nnameserver 192.0.2.53\noptions edns0\n";
        let lonely = record("web", &[]);
        assert_eq!(resolv_conf(host, &lonely), "search lan\noptions edns0\nnameserver 192.0.2.53\n");
        let none = resolv_conf("nameserver 127.0.0.53\nnameserver ::1\n", &lonely);
        assert!(none.ends_with("nameserver 8.8.8.8\nnameserver 8.8.4.4\n"), "{none}");
        assert_eq!(nameservers("nameserver\nnameserver x\n nameserver 10.0.0.1 # lan\n").len(), 1);
    }

    #[test]
    fn servers_that_cannot_be_asked_are_left_out() {
        let host = "nameserver 2001:db8::53\nnameserver 192.0.2.53\n";
        assert_eq!(resolv_conf(host, &record("web", &["10.77.0.2/24"])), "nameserver 192.0.2.53\n");
        assert_eq!(resolv_conf(host, &record("web", &["10.77.0.2/24", "fd00::2/64"])), host);
        let only = resolv_conf("nameserver 2001:db8::53\n", &record("web", &["10.77.0.2/24"]));
        assert!(only.ends_with("nameserver 8.8.8.8\nnameserver 8.8.4.4\n"), "{only}");
    }

    #[test]
    fn a_sandbox_knows_itself_its_host_and_its_neighbours() {
        let web = record("web", &["10.77.0.2/24", "fd00::2/64"]);
        let text = hosts(&web, &["10.77.0.1".parse().unwrap()], [record("db", &["10.77.0.3/24"])].iter());
        assert_eq!(
            text,
            "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n\
             10.77.0.1 host.pcapsule.internal\n10.77.0.2 web\nfd00::2 web\n10.77.0.3 db\n"
        );
    }
}
