//! The rules of one sandbox as text for nft: one table, named after it. Pure.
//!
//! Every rule is guarded by the sandbox's bridge, address or published ports: other packets pass untouched. What a rule
//! costs does not grow with the number of ports.

use std::{
    fmt::{self, Write},
    net::IpAddr,
};

use serde::{Deserialize, Serialize};

use crate::model::{InterfaceAddress, LinkName};
use crate::sys::sock_diag::Transport;

use super::publication::{HostAddress, word};
use super::reservation::Forward;

/// Who may change the table, and whose end is its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ownership {
    /// The nft that makes it (`flags owner`).
    Owned,
    /// Nobody: it stays until it is deleted. For kernels that know no owners.
    Shared,
}

/// Where a sandbox may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Wherever the host may.
    Everywhere,
    /// Its bridge, and no further.
    Bridge,
}

/// What the rules are about.
#[derive(Debug, Clone, Copy)]
pub struct Ruleset<'a> {
    /// The sandbox's id: letters and digits.
    pub id: &'a str,
    /// Whose the table is.
    pub ownership: Ownership,
    /// The bridge it hangs on.
    pub bridge: &'a LinkName,
    /// Its addresses, at most one a family, each with the prefix of the bridge's network.
    pub addresses: &'a [InterfaceAddress],
    /// How far it may go.
    pub reach: Reach,
    /// Its published ports.
    pub forwards: &'a [Forward],
}

/// The name of a sandbox's table, of family inet.
pub fn table_name(id: &str) -> String {
    format!("pcapsule_{id}")
}

/// The command that removes a table which belongs to nobody, and succeeds where there is none.
pub fn removal(id: &str) -> String {
    let table = table_name(id);
    format!("add table inet {table}\ndelete table inet {table}\n")
}

/// A batch for `Nft::commit`.
impl fmt::Display for Ruleset<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = table_name(self.id);
        let owner = match self.ownership {
            Ownership::Owned => " { flags owner; }",
            Ownership::Shared => "",
        };
        writeln!(f, "add table inet {table}{owner}")?;
        let mut text = String::new();
        self.write_guards(&mut text)?;
        self.write_masquerade(&mut text)?;
        self.write_forwards(&mut text)?;
        // Each line is written for the table it belongs to.
        f.write_str(&text.replace(" TABLE ", &format!(" inet {table} ")))
    }
}

/// A chain on a hook. Priorities are numbers: their names are not known at every hook to every nft.
fn base_chain(text: &mut String, name: &str, kind: &str, hook: &str, priority: i16) -> fmt::Result {
    writeln!(text, "add chain TABLE {name} {{ type {kind} hook {hook} priority {priority}; }}")
}

impl Ruleset<'_> {
    /// What comes from elsewhere for the sandbox itself, or for a port of the host's loopback, is dropped before it is
    /// translated; what is translated is for an address of the host's until then.
    fn write_guards(&self, text: &mut String) -> fmt::Result {
        base_chain(text, "guard", "filter", "prerouting", -300)?;
        for InterfaceAddress { address, .. } in self.addresses {
            let family = family(*address);
            writeln!(
                text,
                "add rule TABLE guard iifname != \"{}\" {family} daddr {address} drop",
                self.bridge
            )?;
        }
        for transport in [Transport::Tcp, Transport::Udp] {
            let forwards = self.forwards.iter().filter(|forward| forward.transport == transport);
            let runs = port_runs(forwards.map(|forward| forward.host_port).collect());
            if !runs.is_empty() {
                let ports = in_braces(&runs);
                let transport = word(transport);
                writeln!(
                    text,
                    "add rule TABLE guard iifname != \"lo\" ip daddr 127.0.0.0/8 {transport} dport {ports} drop"
                )?;
                writeln!(
                    text,
                    "add rule TABLE guard iifname != \"lo\" ip6 daddr ::1 {transport} dport {ports} drop"
                )?;
            }
        }
        Ok(())
    }

    fn write_masquerade(&self, text: &mut String) -> fmt::Result {
        base_chain(text, "outward", "nat", "postrouting", 100)?;
        let bridge = self.bridge;
        if self.reach == Reach::Bridge {
            base_chain(text, "inside", "filter", "forward", 0)?;
        }
        for InterfaceAddress { address, prefix } in self.addresses {
            let family = family(*address);
            match self.reach {
                Reach::Everywhere => {
                    let multicast = if address.is_ipv4() { "224.0.0.0/4" } else { "ff00::/8" };
                    writeln!(
                        text,
                        "add rule TABLE outward {family} saddr {address} oifname != \"{bridge}\" \
                         {family} daddr != {multicast} masquerade"
                    )?;
                }
                Reach::Bridge => writeln!(
                    text,
                    "add rule TABLE inside {family} saddr {address} oifname != \"{bridge}\" drop"
                )?,
            }
            if !self.forwards.is_empty() {
                // Who is on the bridge would answer past us, from an address that was not asked.
                let network = network(*address, *prefix);
                writeln!(
                    text,
                    "add rule TABLE outward {family} saddr {network} {family} daddr {address} \
                     oifname \"{bridge}\" ct status dnat masquerade"
                )?;
            }
        }
        Ok(())
    }

    fn write_forwards(&self, text: &mut String) -> fmt::Result {
        let groups: Vec<Group<'_>> =
            self.addresses.iter().flat_map(|address| groups(address.address, self.forwards)).collect();
        if groups.is_empty() {
            return Ok(());
        }
        // A regular chain before those that jump to it.
        writeln!(text, "add chain TABLE published")?;
        groups.iter().try_for_each(|group| group.write(text))?;
        for (chain, hook) in [("arriving", "prerouting"), ("leaving", "output")] {
            base_chain(text, chain, "nat", hook, -100)?;
            // Loopback and link-local addresses are answered by the proxy: the answers would not find back.
            for guard in ["ip daddr != 127.0.0.0/8", "ip6 daddr != { ::1, fe80::/10 }"] {
                writeln!(text, "add rule TABLE {chain} fib daddr type local {guard} jump published")?;
            }
        }
        Ok(())
    }
}

/// The forwards of one transport from one place of the host's to one address of the sandbox's.
struct Group<'a> {
    sandbox: IpAddr,
    host: Option<IpAddr>,
    transport: Transport,
    forwards: Vec<&'a Forward>,
}

impl Group<'_> {
    /// One rule for the ports that keep their number, and one for those that change it.
    fn write(&self, text: &mut String) -> fmt::Result {
        let (family, sandbox, transport) = (family(self.sandbox), self.sandbox, word(self.transport));
        let at = match self.host {
            Some(host) => format!("{family} daddr {host} "),
            None => format!("meta nfproto {} ", if sandbox.is_ipv4() { "ipv4" } else { "ipv6" }),
        };
        let (kept, changed): (Vec<&Forward>, Vec<&Forward>) =
            self.forwards.iter().partition(|forward| forward.host_port == forward.sandbox_port);
        if !kept.is_empty() {
            let ports = in_braces(&port_runs(kept.iter().map(|forward| forward.host_port).collect()));
            writeln!(
                text,
                "add rule TABLE published {at}{transport} dport {ports} dnat {family} to {sandbox}"
            )?;
        }
        if !changed.is_empty() {
            let colon = if sandbox.is_ipv4() { format!("{sandbox} ") } else { format!("[{sandbox}]") };
            write!(
                text,
                "add rule TABLE published {at}meta l4proto {transport} \
                 dnat {family} to {colon}: {transport} dport map {{"
            )?;
            // A line each: nft quotes the line where it finds fault.
            for (at, forward) in changed.iter().enumerate() {
                let comma = if at == 0 { "" } else { "," };
                write!(text, "{comma}\n  {} : {}", forward.host_port, forward.sandbox_port)?;
            }
            writeln!(text, "\n}}")?;
        }
        Ok(())
    }
}

/// The forwards that the kernel can take to this address, those at one host address first: they are the narrower ones.
fn groups(sandbox: IpAddr, forwards: &[Forward]) -> Vec<Group<'_>> {
    let mut found: Vec<Group<'_>> = Vec::new();
    for forward in forwards {
        let host = match forward.host {
            HostAddress::Every => None,
            HostAddress::Only(host) if host.is_ipv4() != sandbox.is_ipv4() || host.is_loopback() => continue,
            HostAddress::Only(host) => Some(host).filter(|host| !host.is_unspecified()),
        };
        let same = |group: &&mut Group<'_>| group.host == host && group.transport == forward.transport;
        match found.iter_mut().find(same) {
            Some(group) => group.forwards.push(forward),
            None => {
                found.push(Group { sandbox, host, transport: forward.transport, forwards: vec![forward] });
            }
        }
    }
    found.sort_by_key(|group| group.host.is_none());
    found
}

/// Ports as runs of consecutive ones.
fn port_runs(mut ports: Vec<u16>) -> Vec<(u16, u16)> {
    ports.sort_unstable();
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for port in ports {
        match runs.last_mut() {
            Some((_, last)) if u32::from(port) <= u32::from(*last) + 1 => *last = port,
            _ => runs.push((port, port)),
        }
    }
    runs
}

fn in_braces(runs: &[(u16, u16)]) -> String {
    let run = |(first, last): &(u16, u16)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    match runs {
        [one] => run(one),
        several => format!("{{ {} }}", several.iter().map(run).collect::<Vec<_>>().join(",\n  ")),
    }
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "ip" } else { "ip6" }
}

/// The network that an address is in, `10.0.0.0/24`.
fn network(address: IpAddr, prefix: u8) -> String {
    let network: IpAddr = match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            std::net::Ipv4Addr::from(u32::from(v4) & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            std::net::Ipv6Addr::from(u128::from(v6) & mask).into()
        }
    };
    format!("{network}/{prefix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forward(host: HostAddress, transport: Transport, host_port: u16, sandbox_port: u16) -> Forward {
        Forward { transport, host, host_port, sandbox_port }
    }

    fn text(addresses: &[(&str, u8)], reach: Reach, forwards: &[Forward]) -> String {
        let addresses: Vec<_> = addresses
            .iter()
            .map(|(address, prefix)| InterfaceAddress { address: address.parse().unwrap(), prefix: *prefix })
            .collect();
        Ruleset {
            id: "0a1b2c3d",
            ownership: Ownership::Owned,
            bridge: &"pcapsule0".parse().unwrap(),
            addresses: &addresses,
            reach,
            forwards,
        }
        .to_string()
    }

    #[test]
    fn without_ports_a_sandbox_is_masqueraded_and_guarded() {
        assert_eq!(
            text(&[("10.88.0.2", 24)], Reach::Everywhere, &[]),
            "add table inet pcapsule_0a1b2c3d { flags owner; }\n\
             add chain inet pcapsule_0a1b2c3d guard { type filter hook prerouting priority -300; }\n\
             add rule inet pcapsule_0a1b2c3d guard iifname != \"pcapsule0\" ip daddr 10.88.0.2 drop\n\
             add chain inet pcapsule_0a1b2c3d outward { type nat hook postrouting priority 100; }\n\
             add rule inet pcapsule_0a1b2c3d outward ip saddr 10.88.0.2 oifname != \"pcapsule0\" \
             ip daddr != 224.0.0.0/4 masquerade\n"
        );
    }

    #[test]
    fn an_internal_sandbox_is_not_masqueraded() {
        let text = text(&[("10.88.0.2", 24), ("fd00::2", 64)], Reach::Bridge, &[]);
        assert!(!text.contains("masquerade"), "{text}");
        assert!(text.contains("inside ip6 saddr fd00::2 oifname != \"pcapsule0\" drop"), "{text}");
    }

    #[test]
    fn ports_of_all_kinds_have_their_rules() {
        let here = HostAddress::Only("192.0.2.7".parse().unwrap());
        let loopback = HostAddress::Only("127.0.0.1".parse().unwrap());
        let forwards = [
            forward(HostAddress::Every, Transport::Tcp, 8080, 80),
            forward(HostAddress::Every, Transport::Udp, 53, 53),
            forward(HostAddress::Every, Transport::Udp, 54, 54),
            forward(here, Transport::Tcp, 443, 443),
            forward(loopback, Transport::Tcp, 9000, 90),
        ];
        let text = text(&[("10.88.0.2", 24), ("fd00::2", 64)], Reach::Everywhere, &forwards)
            .replace("inet pcapsule_0a1b2c3d", "T");
        let published = text.lines().filter(|line| line.contains("published")).collect::<Vec<_>>();
        assert_eq!(
            published,
            [
                "add chain T published",
                "add rule T published ip daddr 192.0.2.7 tcp dport 443 dnat ip to 10.88.0.2",
                "add rule T published meta nfproto ipv4 meta l4proto tcp dnat ip to 10.88.0.2 : tcp dport map {",
                "add rule T published meta nfproto ipv4 udp dport 53-54 dnat ip to 10.88.0.2",
                "add rule T published meta nfproto ipv6 meta l4proto tcp dnat ip6 to [fd00::2]: tcp dport map {",
                "add rule T published meta nfproto ipv6 udp dport 53-54 dnat ip6 to fd00::2",
                "add rule T arriving fib daddr type local ip daddr != 127.0.0.0/8 jump published",
                "add rule T arriving fib daddr type local ip6 daddr != { ::1, fe80::/10 } jump published",
                "add rule T leaving fib daddr type local ip daddr != 127.0.0.0/8 jump published",
                "add rule T leaving fib daddr type local ip6 daddr != { ::1, fe80::/10 } jump published",
            ]
        );
        assert!(text.contains("ip daddr 127.0.0.0/8 tcp dport { 443,\n  8080,\n  9000 } drop"), "{text}");
    }

    #[test]
    fn rules_do_not_grow_with_the_ports() {
        let rules = |count: u16| {
            let forwards: Vec<_> = (0..count)
                .map(|at| forward(HostAddress::Every, Transport::Tcp, 8000 + at, 80 + at))
                .collect();
            text(&[("10.88.0.2", 24)], Reach::Everywhere, &forwards).matches("add rule").count()
        };
        assert_eq!(rules(1000), rules(1));
    }

    #[test]
    fn networks_and_runs_of_ports_are_right_at_their_ends() {
        assert_eq!(network("10.1.2.3".parse().unwrap(), 0), "0.0.0.0/0");
        assert_eq!(network("10.1.2.3".parse().unwrap(), 32), "10.1.2.3/32");
        assert_eq!(network("fd00::1:2".parse().unwrap(), 64), "fd00::/64");
        assert_eq!(network("fd00::1".parse().unwrap(), 0), "::/0");
        assert_eq!(port_runs(vec![65535, 65534, 1, 3, 2, 2]), [(1, 3), (65534, 65535)]);
    }
}
