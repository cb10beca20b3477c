//! The ssh connection that our output goes through: each packet of it that were captured would make a further one. So
//! the kernel leaves it out, on every tap: it may pass any interface, and also that of a container it begins in.
//!
//! sshd says in `SSH_CONNECTION` what its end of the connection looks like (ssh(1)). Where a container's published port
//! leads to sshd, the host's interfaces see it under other addresses; those the kernel's connection tracking knows.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{self, IsTerminal as _},
    net::{IpAddr, SocketAddr},
    os::{
        fd::AsFd as _,
        unix::{ffi::OsStrExt as _, fs::FileTypeExt as _},
    },
};

use crate::sys::conntrack::{Conntrack, Flow, Which};

const VARIABLE: &str = "SSH_CONNECTION";
/// As `sudo` and shells follow each other, so many levels up one may still be that of a login.
const MOST_ANCESTORS: usize = 32;
const TCP: u8 = 6;

/// A connection by its ends, the client's first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ends {
    client: SocketAddr,
    server: SocketAddr,
}

/// The connection, under all addresses by which it may be seen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OwnConnection {
    /// As sshd sees it.
    ends: Ends,
    /// As it was before its addresses were translated.
    before: Option<Ends>,
}

impl OwnConnection {
    /// The one that stdout goes through, if it does: a file is not sent anywhere.
    pub(super) fn carrying_stdout() -> Option<Self> {
        if !stdout_may_be_sent() {
            return None;
        }
        let ends = Ends::parse(&variable()?)?;
        Some(Self { ends, before: untranslated(ends) })
    }

    /// The filter that takes what `filter` takes, without the connection. In that order: `vlan` in a filter moves all
    /// that comes behind it to the inner packet.
    pub(super) fn left_out_of(&self, filter: Option<&str>) -> String {
        let both = [Some(self.ends), self.before];
        let packets: Vec<String> = both.into_iter().flatten().map(Ends::packets).collect();
        let without = format!("not ({})", packets.join(" or "));
        match filter.filter(|filter| !filter.trim().is_empty()) {
            Some(filter) => format!("{without} and ({filter})"),
            None => without,
        }
    }

    /// What is done, in words.
    pub(super) fn told(&self) -> String {
        let Ends { client, server } = self.ends;
        format!(
            "leaving out the ssh connection that this output goes through, {client} to {server}; --own-connection keeps it"
        )
    }
}

impl Ends {
    /// `SSH_CONNECTION`: the client's address and port, the server's address and port.
    fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let [client, client_port, server, server_port] = words[..] else { return None };
        let end = |address: &str, port: &str| {
            // A link-local address has its interface behind it.
            let address: IpAddr = address.split('%').next()?.parse().ok()?;
            // sshd may listen for IPv4 by a socket of IPv6; packets do not show that.
            Some(SocketAddr::new(address.to_canonical(), port.parse().ok()?))
        };
        Some(Self { client: end(client, client_port)?, server: end(server, server_port)? })
    }

    /// An expression for the packets of both directions. `and` and `or` bind alike in it (pcap-filter(7)).
    fn packets(self) -> String {
        let way = |from: SocketAddr, to: SocketAddr| {
            let (source, source_port, target, target_port) = (from.ip(), from.port(), to.ip(), to.port());
            format!(
                "(src host {source} and src port {source_port} and dst host {target} and dst port {target_port})"
            )
        };
        format!("(tcp and ({} or {}))", way(self.client, self.server), way(self.server, self.client))
    }
}

fn stdout_may_be_sent() -> bool {
    let stdout = io::stdout();
    let Ok(copy) = stdout.as_fd().try_clone_to_owned() else { return false };
    let is_stream = fs::File::from(copy).metadata().is_ok_and(|metadata| {
        let kind = metadata.file_type();
        kind.is_fifo() || kind.is_socket()
    });
    is_stream || stdout.is_terminal()
}

/// Ours, or that of the process that we descend from: `sudo` does not pass it on.
fn variable() -> Option<String> {
    if let Ok(text) = env::var(VARIABLE) {
        return Some(text);
    }
    let mut pid = std::os::unix::process::parent_id();
    for _ in 0..MOST_ANCESTORS {
        if pid <= 1 {
            break;
        }
        if let Some(text) = fs::read(format!("/proc/{pid}/environ")).ok().and_then(|block| found_in(&block)) {
            return Some(text);
        }
        pid = parent_of(pid)?;
    }
    None
}

/// The variable in a block of them that zeros end.
fn found_in(block: &[u8]) -> Option<String> {
    let mut variables = block.split(|byte| *byte == 0);
    let value =
        variables.find_map(|variable| variable.strip_prefix(VARIABLE.as_bytes())?.strip_prefix(b"="))?;
    OsStr::from_bytes(value).to_str().map(str::to_owned)
}

fn parent_of(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

/// What the client thinks it talks to, where that is not who answers.
fn untranslated(ends: Ends) -> Option<Ends> {
    // Without this there is no tracking, and asking for it would load it.
    Conntrack::count()?;
    let flows = Conntrack::open().ok()?.flows(Which::AnsweredBy(ends.server.ip())).ok()?;
    before(ends, &flows)
}

fn before(ends: Ends, flows: &[Flow]) -> Option<Ends> {
    let is_it = |flow: &&Flow| {
        (flow.protocol, flow.reply_source, flow.reply_destination) == (TCP, ends.server, ends.client)
    };
    let flow = flows.iter().find(is_it)?;
    let before = Ends { client: flow.source, server: flow.destination };
    (before != ends).then_some(before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MediaType;
    use crate::sys::Filter;

    fn ends(text: &str) -> Ends {
        Ends::parse(text).unwrap()
    }

    #[test]
    fn what_sshd_says_is_read() {
        let Ends { client, server } = ends("10.0.0.5 51234 10.0.0.9 22");
        assert_eq!((client, server), ("10.0.0.5:51234".parse().unwrap(), "10.0.0.9:22".parse().unwrap()));
        let mapped = ends("::ffff:10.0.0.5 51234 ::ffff:10.0.0.9 22");
        assert_eq!(mapped, ends("10.0.0.5 51234 10.0.0.9 22"), "packets are those of IPv4");
        let local = ends("fe80::1%eth0 51234 fe80::2%eth0 22");
        assert_eq!(local.client, "[fe80::1]:51234".parse().unwrap());
        for text in ["", "10.0.0.5 51234 10.0.0.9", "UNKNOWN 65535 UNKNOWN 65535", "1 2 3 4 5"] {
            assert_eq!(Ends::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_variable_is_found_among_others() {
        let block = b"HOME=/root\0XSSH_CONNECTION=no\0SSH_CONNECTION=1.2.3.4 5 6.7.8.9 22\0TERM=x\0";
        assert_eq!(found_in(block).as_deref(), Some("1.2.3.4 5 6.7.8.9 22"));
        assert_eq!(found_in(b"HOME=/root"), None);
        assert_eq!(parent_of(std::process::id()), Some(std::os::unix::process::parent_id()));
    }

    #[test]
    fn a_translated_connection_is_found_under_its_other_addresses() {
        let seen = ends("10.0.0.5 51234 172.17.0.2 22");
        let flow = |source: &str, destination: &str| Flow {
            protocol: TCP,
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            reply_source: seen.server,
            reply_destination: source.parse().unwrap(),
        };
        let published = [flow("10.0.0.6:1", "10.0.0.9:2222"), flow("10.0.0.5:51234", "10.0.0.9:2222")];
        assert_eq!(before(seen, &published), Some(ends("10.0.0.5 51234 10.0.0.9 2222")));
        assert_eq!(before(seen, &[flow("10.0.0.5:51234", "172.17.0.2:22")]), None);
    }

    /// A segment without payload.
    fn segment(from: &str, to: &str) -> Vec<u8> {
        let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
        let mut frame = vec![0; 12];
        match (from.ip(), to.ip()) {
            (IpAddr::V4(source), IpAddr::V4(target)) => {
                frame.extend([8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, TCP, 0, 0]);
                frame.extend([source.octets(), target.octets()].concat());
            }
            (IpAddr::V6(source), IpAddr::V6(target)) => {
                frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, TCP, 64]);
                frame.extend([source.octets(), target.octets()].concat());
            }
            _ => panic!("two families"),
        }
        frame.extend([from.port().to_be_bytes(), to.port().to_be_bytes()].concat());
        frame.extend([0; 8]);
        frame.extend([0x50, 0x10, 0, 0, 0, 0, 0, 0]);
        frame
    }

    #[test]
    fn both_directions_are_left_out_and_nothing_else() {
        let v4 = OwnConnection {
            ends: ends("10.0.0.5 51234 172.17.0.2 22"),
            before: Some(ends("10.0.0.5 51234 10.0.0.9 2222")),
        };
        let v6 = OwnConnection { ends: ends("fd00::5 51234 fd00::9 22"), before: None };
        for (own, from, to, passes) in [
            (&v4, "10.0.0.5:51234", "172.17.0.2:22", false),
            (&v4, "172.17.0.2:22", "10.0.0.5:51234", false),
            (&v4, "10.0.0.5:51234", "10.0.0.9:2222", false),
            (&v4, "10.0.0.9:2222", "10.0.0.5:51234", false),
            (&v4, "10.0.0.5:51235", "172.17.0.2:22", true),
            (&v4, "10.0.0.5:51234", "172.17.0.2:23", true),
            (&v4, "10.0.0.5:22", "172.17.0.2:51234", true),
            (&v4, "172.17.0.2:51234", "10.0.0.5:22", true),
            (&v6, "[fd00::5]:51234", "[fd00::9]:22", false),
            (&v6, "[fd00::9]:22", "[fd00::5]:51234", false),
            (&v6, "[fd00::9]:22", "[fd00::5]:51233", true),
            (&v6, "[fd00::8]:22", "[fd00::5]:51234", true),
        ] {
            let frame = segment(from, to);
            let length = u32::try_from(frame.len()).unwrap();
            let all = Filter::parse(&own.left_out_of(None)).unwrap();
            assert_eq!(all.passes(&frame, length), passes, "{from} to {to}");
            let user = Filter::parse(&own.left_out_of(Some("udp or tcp"))).unwrap();
            assert_eq!(user.passes(&frame, length), passes, "{from} to {to}");
            let other = Filter::parse(&own.left_out_of(Some("udp or icmp"))).unwrap();
            assert!(!other.passes(&frame, length));
            assert!(all.on(MediaType::RawIp).is_ok());
        }
    }

    #[test]
    fn a_filter_for_tags_does_not_move_the_connection() {
        let own = OwnConnection { ends: ends("10.0.0.5 51234 10.0.0.9 22"), before: None };
        let filter = Filter::parse(&own.left_out_of(Some("vlan or tcp"))).unwrap();
        let frame = segment("10.0.0.5:51234", "10.0.0.9:22");
        assert!(!filter.passes(&frame, 54));
        assert!(Filter::parse(&own.left_out_of(Some(" "))).is_ok(), "an empty filter takes all");
    }
}
