//! Published ports in few words: `*:8080→80/tcp` for both address families, runs of ports as ranges.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use crate::model::{Protocol, PublishedPort};

const ANY_V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const ANY_V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Consecutive ports that one address publishes.
struct Run {
    host: String,
    protocol: Protocol,
    host_port: u16,
    container_port: u16,
    further: u16,
}

/// `0.0.0.0:53→53/udp, *:8000-8010→8000-8010/tcp`; empty where nothing is published.
pub fn published(published: &[PublishedPort]) -> String {
    runs(published).iter().map(Run::text).collect::<Vec<_>>().join(", ")
}

fn runs(published: &[PublishedPort]) -> Vec<Run> {
    let mut hosts: BTreeMap<(Protocol, u16, u16), BTreeSet<IpAddr>> = BTreeMap::new();
    for port in published {
        let key = (port.protocol, port.container_port, port.host_port);
        hosts.entry(key).or_default().insert(port.host_ip);
    }
    let mut runs: Vec<Run> = Vec::new();
    for ((protocol, container_port, host_port), addresses) in hosts {
        for host in host_words(addresses) {
            match runs.iter_mut().find(|run| run.ends_before(&host, protocol, host_port, container_port)) {
                Some(run) => run.further += 1,
                None => runs.push(Run { host, protocol, host_port, container_port, further: 0 }),
            }
        }
    }
    runs
}

fn host_words(mut addresses: BTreeSet<IpAddr>) -> Vec<String> {
    let mut words = Vec::new();
    if addresses.contains(&ANY_V4) && addresses.contains(&ANY_V6) {
        addresses.remove(&ANY_V4);
        addresses.remove(&ANY_V6);
        words.push("*".to_owned());
    }
    words.extend(addresses.iter().map(|address| match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }));
    words
}

impl Run {
    fn ends_before(&self, host: &str, protocol: Protocol, host_port: u16, container_port: u16) -> bool {
        let next = |first: u16| first.checked_add(self.further + 1);
        self.host == host
            && self.protocol == protocol
            && next(self.host_port) == Some(host_port)
            && next(self.container_port) == Some(container_port)
    }

    fn text(&self) -> String {
        let range = |first: u16| match self.further {
            0 => first.to_string(),
            further => format!("{first}-{}", first + further),
        };
        format!("{}:{}→{}/{}", self.host, range(self.host_port), range(self.container_port), self.protocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(ip: &str, host_port: u16, container_port: u16) -> PublishedPort {
        PublishedPort { host_ip: ip.parse().unwrap(), host_port, container_port, protocol: Protocol::Tcp }
    }

    #[test]
    fn both_families_are_one_word() {
        assert_eq!(published(&[port("0.0.0.0", 8080, 80), port("::", 8080, 80)]), "*:8080→80/tcp");
        assert_eq!(published(&[port("0.0.0.0", 8080, 80)]), "0.0.0.0:8080→80/tcp");
        assert_eq!(published(&[port("::1", 8080, 80)]), "[::1]:8080→80/tcp");
        assert_eq!(published(&[]), "");
    }

    #[test]
    fn neighbours_are_a_range() {
        let ports: Vec<_> = (8000..=8010)
            .flat_map(|number| [port("0.0.0.0", number, number), port("::", number, number)])
            .chain([port("0.0.0.0", 9000, 8011), port("127.0.0.1", 65535, 65535)])
            .collect();
        assert_eq!(
            published(&ports),
            "*:8000-8010→8000-8010/tcp, 0.0.0.0:9000→8011/tcp, 127.0.0.1:65535→65535/tcp"
        );
    }
}
