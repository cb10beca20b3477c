//! The sockets of a namespace that wait, and who holds them.

use std::{collections::HashMap, fs, net::SocketAddr};

use crate::model::Protocol;
use crate::sys::netns::Namespace;
use crate::sys::sock_diag::{self, Detail, InetSocket, Query, SockDiag, States, Transport};
use crate::why::facts::{Holder, Listener};

/// A socket of an engine's within a container, and the like, is held by a process elsewhere.
const ENGINES: [&str; 3] = ["dockerd", "docker-proxy", "pcapsule"];

/// The sockets that wait, with those of these processes that hold them.
pub(super) fn listeners(
    namespace: &Namespace,
    processes: &[(u32, Option<String>)],
) -> Result<Vec<Listener>, sock_diag::Error> {
    let mut diag = SockDiag::open_in(namespace)?;
    let mut found: Vec<InetSocket> = Vec::new();
    for transport in [Transport::Tcp, Transport::Udp] {
        let query = Query { transport, states: States::Waiting, detail: Detail::Plain };
        diag.sockets(query, |socket| {
            if !found.iter().any(|known| known.cookie == socket.cookie) {
                found.push(socket);
            }
        })?;
    }
    let containers: HashMap<u32, &Option<String>> =
        processes.iter().map(|(pid, container)| (*pid, container)).collect();
    let mut held = sock_diag::holders(processes.iter().map(|(pid, _)| *pid));
    if found.iter().any(|socket| socket.inode.is_some_and(|inode| !held.contains_key(&inode))) {
        let known = |pid: &u32| !containers.contains_key(pid);
        for (inode, holders) in sock_diag::holders(engines().into_iter().filter(known)) {
            held.entry(inode).or_insert(holders);
        }
    }
    let listener = |socket: &InetSocket| {
        let holders = socket.inode.and_then(|inode| held.get(&inode)).map_or(&[][..], Vec::as_slice);
        let holders = holders.iter().map(|holder| {
            let container = containers.get(&holder.pid).and_then(|container| (*container).clone());
            described(holder, container)
        });
        Listener {
            protocol: match socket.transport {
                Transport::Tcp => Protocol::Tcp,
                Transport::Udp => Protocol::Udp,
            },
            local: socket.local,
            v6_only: socket.v6_only,
            device: socket.device,
            waiting: socket.receive_queue,
            backlog: socket.send_queue,
            unattended: false,
            holders: holders.collect(),
        }
    };
    Ok(found.iter().map(listener).collect())
}

/// The processes of engines, wherever they are.
fn engines() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_engine = |pid: &u32| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|command| ENGINES.contains(&command.trim()))
    };
    pids.filter(is_engine).collect()
}

fn described(holder: &sock_diag::Holder, container: Option<String>) -> Holder {
    let command = holder.command.to_string();
    let proxy_to = (command == "docker-proxy").then(|| proxy_target(holder.pid)).flatten();
    Holder { pid: holder.pid, stopped: is_stopped(holder.pid), command, container, proxy_to }
}

/// `proc_pid_stat(5)`, field 3, behind the command in parentheses.
fn is_stopped(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next());
    matches!(state, Some("T" | "t"))
}

/// Where Docker's proxy passes connections on, by its command line.
fn proxy_target(pid: u32) -> Option<SocketAddr> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let line = String::from_utf8_lossy(&line).into_owned();
    target_of(&line.split('\0').collect::<Vec<_>>())
}

fn target_of(words: &[&str]) -> Option<SocketAddr> {
    let after = |option: &str| {
        let at = words.iter().position(|word| *word == option)?;
        words.get(at + 1).copied()
    };
    let address = after("-container-ip")?.parse().ok()?;
    Some(SocketAddr::new(address, after("-container-port")?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_says_where_it_leads() {
        let line = "/usr/sbin/docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 8080 -container-ip 172.17.0.2 \
                    -container-port 80";
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(target_of(&words), Some("172.17.0.2:80".parse().unwrap()));
        assert_eq!(target_of(&words[..4]), None);
    }

    #[test]
    fn this_process_is_not_stopped() {
        assert!(!is_stopped(std::process::id()));
    }
}
