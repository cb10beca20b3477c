//! Flows that the kernel remembers and should not: those that began before a port was published, and those of a sandbox
//! that is gone.

use std::net::IpAddr;

use crate::model::InterfaceAddress;
use crate::sys::conntrack::{Conntrack, Error, Family, Flow, Which};
use crate::sys::own_addresses;
use crate::sys::sock_diag::Transport;

use super::publication::HostAddress;
use super::reservation::Forward;
use super::subnet::Subnet;

const TCP: u8 = 6;
const UDP: u8 = 17;

/// To be called once the rules are in: flows of UDP to a published port that are answered by somebody else than the
/// sandbox. By the port of the host, not of the sandbox. Nothing is asked where no UDP is published.
pub fn forget_stale(forwards: &[Forward], sandbox: &[IpAddr]) -> Result<usize, Error> {
    let udp: Vec<Forward> =
        forwards.iter().filter(|forward| forward.transport == Transport::Udp).copied().collect();
    if udp.is_empty() {
        return Ok(0);
    }
    let own = own();
    let is_stale = |flow: &Flow| !sandbox.contains(&flow.reply_source.ip()) && leads_here(flow, &udp, &own);
    let kinds = [Family::V4, Family::V6].map(|family| Which::Protocol(family, UDP));
    forget(&kinds, is_stale)
}

/// To be called when the rules are gone: what the sandbox began or answered, and what the proxy took for it.
pub fn forget_sandbox(forwards: &[Forward], sandbox: &[IpAddr]) -> Result<usize, Error> {
    let own = own();
    let is_gone = |flow: &Flow| {
        let ends = [flow.source.ip(), flow.reply_source.ip()];
        ends.iter().any(|end| sandbox.contains(end)) || leads_here(flow, forwards, &own)
    };
    let mut kinds: Vec<Which> =
        sandbox.iter().flat_map(|address| [Which::From(*address), Which::AnsweredBy(*address)]).collect();
    if !forwards.is_empty() {
        let of_ports = |family| [TCP, UDP].map(|protocol| Which::Protocol(family, protocol));
        kinds.extend([Family::V4, Family::V6].into_iter().flat_map(of_ports));
    }
    forget(&kinds, is_gone)
}

/// To be called when a bridge is gone: that its address told routers of the groups it was in, and that it left them, which
/// the kernel remembers for ten minutes.
pub(super) fn forget_groups(networks: &[InterfaceAddress]) -> Result<usize, Error> {
    let is_from_bridge = |flow: &Flow| {
        let source = flow.source.ip();
        flow.destination.ip().is_multicast()
            && networks.iter().any(|network| Subnet::around(*network).contains(source))
    };
    forget(&[Which::Every], is_from_bridge)
}

/// The kernel walks through all it remembers for each question, however few the answers: where that is little, it is
/// asked once for all.
fn forget(kinds: &[Which], is_stale: impl Fn(&Flow) -> bool) -> Result<usize, Error> {
    const FEW: usize = 10_000;
    let kinds = match Conntrack::count() {
        Some(0) => return Ok(0),
        Some(count) if count < FEW => &[Which::Every],
        _ => kinds,
    };
    let mut conntrack = Conntrack::open()?;
    kinds.iter().try_fold(0, |count, kind| Ok(count + conntrack.forget(*kind, &is_stale)?))
}

/// Without the list of addresses only what comes over loopback is known to be for the host.
fn own() -> Vec<IpAddr> {
    own_addresses().unwrap_or_default()
}

/// Whether it was sent to one of these ports of the host: the same port of another host is none of ours.
fn leads_here(flow: &Flow, forwards: &[Forward], own: &[IpAddr]) -> bool {
    let asked = flow.destination;
    let is_own = asked.ip().is_loopback() || own.contains(&asked.ip());
    let transport = match flow.protocol {
        TCP => Transport::Tcp,
        UDP => Transport::Udp,
        _ => return false,
    };
    is_own
        && forwards.iter().any(|forward| {
            forward.transport == transport
                && forward.host_port == asked.port()
                && is_at(forward.host, asked.ip())
        })
}

fn is_at(host: HostAddress, asked: IpAddr) -> bool {
    match host {
        HostAddress::Every => true,
        HostAddress::Only(address) => {
            address == asked || (address.is_unspecified() && address.is_ipv4() == asked.is_ipv4())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_flows_to_our_ports_of_this_host_are_ours() {
        let forwards = [Forward {
            transport: Transport::Udp,
            host: HostAddress::Only("0.0.0.0".parse().unwrap()),
            host_port: 53,
            sandbox_port: 5353,
        }];
        let own = ["192.0.2.1".parse().unwrap()];
        for (protocol, destination, ours) in [
            (UDP, "192.0.2.1:53", true),
            (UDP, "127.0.0.1:53", true),
            (UDP, "192.0.2.1:5353", false),
            (UDP, "198.51.100.8:53", false),
            (TCP, "192.0.2.1:53", false),
            (UDP, "[::1]:53", false),
        ] {
            let destination = destination.parse().unwrap();
            let (source, reply_destination) =
                ("192.0.2.9:4".parse().unwrap(), "192.0.2.9:4".parse().unwrap());
            let flow = Flow { protocol, source, destination, reply_source: destination, reply_destination };
            assert_eq!(leads_here(&flow, &forwards, &own), ours, "{protocol} {destination}");
        }
    }
}
