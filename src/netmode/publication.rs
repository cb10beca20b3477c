//! What `-p` asks for: ports of the host that lead to ports of a sandbox. Parsed here once, pure; bound by
//! `reservation`.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::sys::sock_diag::Transport;

/// At which of its addresses the host answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostAddress {
    /// Every one, of IPv4 and IPv6.
    Every,
    /// This one; unspecified, every one of that family.
    Only(IpAddr),
}

/// Ports from the first to the last, neither of them 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// Which ports of the host are to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HostPorts {
    /// For each port of the sandbox one that is free.
    Free,
    /// These, one for each port of the sandbox, in order.
    Each(PortRange),
    /// The first of these that is free, for the sandbox's one port.
    FirstFree(PortRange),
}

/// One `-p`: `[IP:][HOST[-HOST]:]PORT[-PORT][/tcp|/udp]`, as `docker run` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// What is forwarded.
    pub transport: Transport,
    /// Where the host answers.
    pub host: HostAddress,
    /// The ports it answers at.
    pub host_ports: HostPorts,
    /// The sandbox's ports.
    pub sandbox_ports: PortRange,
}

/// Not a publication.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("publishing '{text}': {fault}")]
pub struct InvalidPublication {
    text: String,
    fault: Fault,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("'{0}' is not a port from 1 to 65535")]
    Port(String),
    #[error("the range {0} runs backwards")]
    Backwards(String),
    #[error("{host} has {host_count} ports, but {sandbox} has {sandbox_count}")]
    Lengths { host: PortRange, host_count: u32, sandbox: PortRange, sandbox_count: u32 },
    #[error("'{0}' is not an address")]
    Address(String),
    #[error("an address alone leads to no port; a free port at it is written '{0}::PORT'")]
    AddressAlone(IpAddr),
    #[error("an address of IPv6 stands in brackets, as in [::1]:8080:80")]
    Brackets,
    #[error("{0} is no address of one host")]
    NotUnicast(IpAddr),
    #[error("a link-local address is not enough to know the link")]
    LinkLocal,
    #[error("'{0}' is not tcp or udp")]
    Transport(String),
    #[error("it is not of the form [IP:][HOST-PORT:]PORT[/udp]")]
    Form,
}

/// Publications that do not get in each other's way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Publications(Vec<Publication>);

/// Two publications want the same port of the host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("publishing '{second}': '{first}' takes the same port of the host")]
pub struct Overlap {
    first: Publication,
    second: Publication,
}

impl HostAddress {
    /// Whether a socket of one is in the way of a socket of the other at the same port.
    fn collides(self, other: Self) -> bool {
        match (self, other) {
            (Self::Every, _) | (_, Self::Every) => true,
            (Self::Only(a), Self::Only(b)) => {
                a.is_ipv4() == b.is_ipv4() && (a == b || a.is_unspecified() || b.is_unspecified())
            }
        }
    }
}

impl PortRange {
    /// None if the first is 0 or after the last.
    pub fn new(first: u16, last: u16) -> Option<Self> {
        (first != 0 && first <= last).then_some(Self { first, last })
    }

    /// All of them.
    pub fn ports(self) -> impl ExactSizeIterator<Item = u16> + Clone {
        // `RangeInclusive<u16>` knows its size.
        self.first..=self.last
    }

    fn count(self) -> u32 {
        u32::from(self.last - self.first) + 1
    }

    fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl Publication {
    fn parse(text: &str) -> Result<Self, Fault> {
        let (rest, transport) = match text.split_once('/') {
            None => (text, Transport::Tcp),
            Some((rest, "tcp")) => (rest, Transport::Tcp),
            Some((rest, "udp")) => (rest, Transport::Udp),
            Some((_, other)) => return Err(Fault::Transport(other.to_owned())),
        };
        let (host, rest) = split_address(rest)?;
        let (host_ports, sandbox_ports) = match (host, rest.split_once(':')) {
            (HostAddress::Every, None) => ("", rest),
            (_, Some(both)) => both,
            (HostAddress::Only(_), None) => return Err(Fault::Form),
        };
        let sandbox_ports = parse_range(sandbox_ports)?;
        let host_ports = match host_ports {
            "" => HostPorts::Free,
            range => pair(parse_range(range)?, sandbox_ports)?,
        };
        Ok(Self { transport, host, host_ports, sandbox_ports })
    }

    /// Whether both want one port of the host for certain. What may choose goes round what is taken.
    fn overlaps(&self, other: &Self) -> bool {
        let (HostPorts::Each(ours), HostPorts::Each(theirs)) = (self.host_ports, other.host_ports) else {
            return false;
        };
        self.transport == other.transport && self.host.collides(other.host) && ours.overlaps(theirs)
    }
}

/// The address before the ports, if there is one, and what follows it.
fn split_address(text: &str) -> Result<(HostAddress, &str), Fault> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (address, rest) = bracketed.split_once("]:").ok_or(Fault::Form)?;
        let address: Ipv6Addr = address.parse().map_err(|_| Fault::Address(address.to_owned()))?;
        return Ok((HostAddress::Only(usable(address.into())?), rest));
    }
    match text.matches(':').count() {
        0 => Ok((HostAddress::Every, text)),
        1 => match text.split_once(':').map(|(address, _)| address.parse()) {
            Some(Ok(address)) => Err(Fault::AddressAlone(address)),
            _ => Ok((HostAddress::Every, text)),
        },
        2 => {
            let (address, rest) = text.split_once(':').ok_or(Fault::Form)?;
            let parsed = address.parse().map_err(|_| Fault::Address(address.to_owned()))?;
            Ok((HostAddress::Only(usable(parsed)?), rest))
        }
        _ => Err(Fault::Brackets),
    }
}

fn usable(address: IpAddr) -> Result<IpAddr, Fault> {
    let address = address.to_canonical();
    match address {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Err(Fault::LinkLocal),
        IpAddr::V4(v4) if v4.is_broadcast() => Err(Fault::NotUnicast(address)),
        _ if address.is_multicast() => Err(Fault::NotUnicast(address)),
        _ => Ok(address),
    }
}

fn pair(host: PortRange, sandbox: PortRange) -> Result<HostPorts, Fault> {
    match (host.count(), sandbox.count()) {
        (host_count, sandbox_count) if host_count == sandbox_count => Ok(HostPorts::Each(host)),
        (_, 1) => Ok(HostPorts::FirstFree(host)),
        (host_count, sandbox_count) => Err(Fault::Lengths { host, host_count, sandbox, sandbox_count }),
    }
}

fn parse_range(text: &str) -> Result<PortRange, Fault> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (parse_port(first)?, parse_port(last)?);
    PortRange::new(first, last).ok_or_else(|| Fault::Backwards(text.to_owned()))
}

fn parse_port(text: &str) -> Result<u16, Fault> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port != 0);
    port.ok_or_else(|| Fault::Port(text.to_owned()))
}

impl FromStr for Publication {
    type Err = InvalidPublication;

    fn from_str(text: &str) -> Result<Self, InvalidPublication> {
        Self::parse(text).map_err(|fault| InvalidPublication { text: text.to_owned(), fault })
    }
}

impl Publications {
    /// Checks that no two of them want the same port.
    pub fn new(all: Vec<Publication>) -> Result<Self, Overlap> {
        for (at, second) in all.iter().enumerate() {
            if let Some(first) = all[..at].iter().find(|first| first.overlaps(second)) {
                return Err(Overlap { first: first.clone(), second: second.clone() });
            }
        }
        Ok(Self(all))
    }

    /// All of them, in the order given.
    pub fn as_slice(&self) -> &[Publication] {
        &self.0
    }

    /// How many ports of the sandbox are published.
    pub fn count(&self) -> usize {
        self.0.iter().map(|publication| publication.sandbox_ports.ports().len()).sum()
    }
}

/// A single port without its range.
impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

/// As it is given to `-p`.
impl fmt::Display for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host {
            HostAddress::Every => {}
            HostAddress::Only(IpAddr::V4(address)) => write!(f, "{address}:")?,
            HostAddress::Only(IpAddr::V6(address)) => write!(f, "[{address}]:")?,
        }
        match (self.host_ports, self.host) {
            (HostPorts::Free, HostAddress::Every) => {}
            (HostPorts::Free, HostAddress::Only(_)) => write!(f, ":")?,
            (HostPorts::Each(ports) | HostPorts::FirstFree(ports), _) => write!(f, "{ports}:")?,
        }
        write!(f, "{}/{}", self.sandbox_ports, word(self.transport))
    }
}

/// The word of `-p` and of rules for a transport.
pub(super) fn word(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Publication {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn every_form_is_read_and_written_again() {
        for (given, written) in [
            ("8080:80", "8080:80/tcp"),
            ("8080:80/udp", "8080:80/udp"),
            ("127.0.0.1:8080:80", "127.0.0.1:8080:80/tcp"),
            ("[::1]:8080:80/tcp", "[::1]:8080:80/tcp"),
            ("[::]:8080:80", "[::]:8080:80/tcp"),
            ("8000-8099:80-179", "8000-8099:80-179/tcp"),
            ("8000-8099:80", "8000-8099:80/tcp"),
            ("80", "80/tcp"),
            (":80", "80/tcp"),
            ("80-89/udp", "80-89/udp"),
            ("127.0.0.1::80", "127.0.0.1::80/tcp"),
            ("[::1]::80", "[::1]::80/tcp"),
            ("65535:1", "65535:1/tcp"),
            ("[::ffff:192.0.2.1]:1:1", "192.0.2.1:1:1/tcp"),
        ] {
            let publication = parsed(given);
            assert_eq!(publication.to_string(), written, "{given}");
            assert_eq!(parsed(written), publication, "{given}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_given_is_read_or_refused(text in "[0-9:.\\[\\]a-f/tcpudp-]{0,24}") {
            if let Ok(publication) = text.parse::<Publication>() {
                assert_eq!(parsed(&publication.to_string()), publication);
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (given, fault) in [
            ("", "'' is not a port from 1 to 65535"),
            ("0:80", "'0' is not a port from 1 to 65535"),
            ("+80:80", "'+80' is not a port from 1 to 65535"),
            ("8080:65536", "'65536' is not a port from 1 to 65535"),
            ("http:80", "'http' is not a port from 1 to 65535"),
            ("90-80:80", "the range 90-80 runs backwards"),
            ("80-89:80-90", "80-89 has 10 ports, but 80-90 has 11"),
            ("80:80-90", "80 has 1 ports, but 80-90 has 11"),
            ("80:80/sctp", "'sctp' is not tcp or udp"),
            (
                "127.0.0.1:80",
                "an address alone leads to no port; a free port at it is written '127.0.0.1::PORT'",
            ),
            ("::1:8080:80", "an address of IPv6 stands in brackets, as in [::1]:8080:80"),
            ("[fe80::1]:8080:80", "a link-local address is not enough to know the link"),
            ("[::1]", "it is not of the form [IP:][HOST-PORT:]PORT[/udp]"),
            ("[::1]:80", "it is not of the form [IP:][HOST-PORT:]PORT[/udp]"),
            ("localhost:80:80", "'localhost' is not an address"),
            ("224.0.0.1:80:80", "224.0.0.1 is no address of one host"),
        ] {
            let error = given.parse::<Publication>().unwrap_err();
            assert_eq!(error.to_string(), format!("publishing '{given}': {fault}"));
        }
    }

    #[test]
    fn two_takers_of_one_port_are_refused() {
        let together = |texts: [&str; 2]| Publications::new(texts.map(parsed).to_vec());
        for both in [
            ["80:80", "80:80"],
            ["80:80", "127.0.0.1:80:81"],
            ["0.0.0.0:80:80", "127.0.0.1:80:81"],
            ["80-90:80-90", "85:1"],
            ["[::]:80:80", "[::1]:80:80"],
        ] {
            let error = together(both).unwrap_err().to_string();
            assert!(error.ends_with("takes the same port of the host"), "{error}");
        }
        for both in [
            ["80:80", "80:80/udp"],
            ["80:80", "81:80"],
            ["127.0.0.1:80:80", "127.0.0.2:80:80"],
            ["0.0.0.0:80:80", "[::1]:80:80"],
            ["80", "80"],
            ["80-90:1", "80-90:2"],
        ] {
            assert!(together(both).is_ok(), "{both:?}");
        }
        assert_eq!(together(["80-89", "90:90"]).unwrap().count(), 11);
    }
}
