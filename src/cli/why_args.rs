//! What can be typed behind `pcapsule why`.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use clap::Args;

use crate::model::{Protocol, Selector};

use super::{offer::offer, select};

#[derive(Debug, Args)]
#[command(after_help = "\
Targets (with /udp behind the port, or --udp, for UDP):
  :8080             that port of the host, as others ask for it
  web               a container, by any selector that names one: the ports it publishes, or else
                    those it listens on
  web:80            that port of the container
  db:5432           a name, as the container of --from resolves it
  203.0.113.9:443   an address

What is found is certain, where a fact alone explains the failure, or likely. Nothing is changed:
the commands that repair are printed, not run. Where a doubt is left, a few packets are sent, which
is told on stderr; --no-probe sends none.

Exit codes: 0 nothing is wrong, 1 a fault was found.

Examples:
  pcapsule why :8080
  pcapsule why :8080 --from outside
  pcapsule why api:8000 --from web
  pcapsule why db:5432 --from service=web --json")]
pub(super) struct WhyArgs {
    /// Where the connection goes
    #[arg(value_name = "TARGET", value_parser = target)]
    pub(super) target: TargetWord,
    /// Where it begins: host, outside, an address outside, or a container; without, the host and, where published, outside
    #[arg(long, value_name = "WHERE", hide_possible_values = true)]
    #[arg(value_parser = offer(origin, ["host", "outside"]))]
    pub(super) from: Option<OriginWord>,
    /// Ask for UDP, not TCP
    #[arg(long)]
    pub(super) udp: bool,
    /// Send no packets
    #[arg(long)]
    pub(super) no_probe: bool,
    /// Print one JSON document (docs/json.md)
    #[arg(long)]
    pub(super) json: bool,
}

impl WhyArgs {
    /// What the connection speaks.
    pub(super) fn protocol(&self) -> Protocol {
        match self.target.protocol {
            Some(protocol) => protocol,
            None if self.udp => Protocol::Udp,
            None => Protocol::Tcp,
        }
    }
}

/// A target as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TargetWord {
    /// As it was typed.
    pub(super) text: String,
    /// What it says.
    pub(super) kind: TargetKind,
    /// What is behind the slash.
    protocol: Option<Protocol>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TargetKind {
    /// `:8080`
    HostPort(u16),
    /// `203.0.113.9:443`
    Address(SocketAddr),
    /// `web`, `web:80`
    Named { selector: Selector, word: String, port: Option<u16> },
}

/// Where a connection begins, as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OriginWord {
    Host,
    Outside,
    Address(IpAddr),
    Container(Selector),
}

fn target(text: &str) -> Result<TargetWord, String> {
    let (place, protocol) = match text.rsplit_once('/') {
        Some((place, "tcp")) => (place, Some(Protocol::Tcp)),
        Some((place, "udp")) => (place, Some(Protocol::Udp)),
        _ => (text, None),
    };
    let kind = kind(place)?;
    Ok(TargetWord { text: text.to_owned(), kind, protocol })
}

fn kind(text: &str) -> Result<TargetKind, String> {
    if text.contains("://") {
        return Err("a URL is not asked for; its place is, as in :8080 or web:80".to_owned());
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(format!("a port is missing, as in [{text}]:80"));
    }
    if let Some(port) = text.strip_prefix(':') {
        return Ok(TargetKind::HostPort(port_of(port)?));
    }
    if let Ok(address) = SocketAddr::from_str(text) {
        return Ok(TargetKind::Address(address));
    }
    if IpAddr::from_str(text).is_ok() {
        return Err(format!("a port is missing, as in {text}:80"));
    }
    let (word, port) = match text.rsplit_once(':') {
        Some((word, port)) if !word.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            (word, Some(port_of(port)?))
        }
        _ => (text, None),
    };
    if word == "localhost" {
        let port = port.ok_or("a port is missing, as in localhost:80")?;
        return Ok(TargetKind::Address(SocketAddr::new(IpAddr::from([127, 0, 0, 1]), port)));
    }
    let selector = select::selector(word)?;
    if selector.is_interface() || matches!(selector, Selector::All | Selector::Cgroup(_)) {
        return Err(format!("'{word}' names no single container"));
    }
    Ok(TargetKind::Named { selector, word: word.to_owned(), port })
}

fn port_of(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("'{text}' is not a port: 1 to 65535")),
        Ok(port) => Ok(port),
    }
}

fn origin(text: &str) -> Result<OriginWord, String> {
    if let Ok(address) = text.parse() {
        return Ok(OriginWord::Address(address));
    }
    Ok(match text {
        "host" => OriginWord::Host,
        "outside" => OriginWord::Outside,
        word => OriginWord::Container(select::selector(word)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_told_apart() {
        let parsed = |text: &str| target(text).map(|target| (target.kind, target.protocol));
        assert_eq!(parsed(":8080"), Ok((TargetKind::HostPort(8080), None)));
        assert_eq!(parsed(":53/udp"), Ok((TargetKind::HostPort(53), Some(Protocol::Udp))));
        let address = TargetKind::Address("[fd00::1]:80".parse().unwrap());
        assert_eq!(parsed("[fd00::1]:80"), Ok((address, None)));
        let named = |word: &str, port| TargetKind::Named {
            selector: word.parse().unwrap(),
            word: word.to_owned(),
            port,
        };
        assert_eq!(parsed("web"), Ok((named("web", None), None)));
        assert_eq!(parsed("service=db:5432/tcp"), Ok((named("service=db", Some(5432)), Some(Protocol::Tcp))));
        assert_eq!(parsed("image=a/b:1.2"), Ok((named("image=a/b:1.2", None), None)));
        for wrong in [":0", ":x", ":", "", "10.0.0.1", "web:70000", "if=eth0", "all", "localhost"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parsed("::1").unwrap_err(), "a port is missing, as in [::1]:80");
        assert!(parsed("http://localhost:8080/").unwrap_err().contains(":8080"));
    }

    #[test]
    fn origins_are_told_apart() {
        assert_eq!(origin("host"), Ok(OriginWord::Host));
        assert_eq!(origin("192.0.2.7"), Ok(OriginWord::Address("192.0.2.7".parse().unwrap())));
        assert_eq!(origin("web"), Ok(OriginWord::Container("web".parse().unwrap())));
    }
}
