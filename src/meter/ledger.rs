//! What single sockets add up to for the cgroups that they belong to. Pure.
//!
//! A socket tells what it retransmitted and dropped since it was made, and takes its figures along when it ends: what
//! it did after the last look at it is not counted.

use std::collections::{HashMap, hash_map::Entry};

use crate::sys::{
    CgroupId,
    sock_diag::{Cookie, InetSocket, SocketState, Transport},
};

/// What the sockets of a cgroup did since its ledger was begun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SocketFigures {
    /// Now.
    pub(super) connections: u64,
    pub(super) retransmissions: u64,
    pub(super) drops: u64,
}

/// A socket's figures as they were last seen.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    retransmissions: u32,
    drops: u32,
}

/// The sockets of one namespace.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// None before the first look: what sockets did until then is nobody's.
    seen: Option<HashMap<Cookie, Seen>>,
    sums: HashMap<CgroupId, SocketFigures>,
}

impl Ledger {
    /// Enters all sockets as they are now. `owner` knows the cgroup that a socket's own cgroup (by number) counts for.
    pub(super) fn enter(
        &mut self,
        sockets: &[InetSocket],
        owner: &HashMap<u64, CgroupId>,
    ) -> &HashMap<CgroupId, SocketFigures> {
        self.sums.retain(|group, _| owner.values().any(|known| known == group));
        for group in owner.values() {
            self.sums.entry(*group).or_default().connections = 0;
        }
        let mut now = HashMap::with_capacity(sockets.len());
        for socket in sockets {
            // One that moved in the kernel's table while it was read is told twice.
            let Entry::Vacant(place) = now.entry(socket.cookie) else { continue };
            let figures = Seen {
                retransmissions: socket.retransmissions.unwrap_or_default(),
                drops: socket.drops.unwrap_or_default(),
            };
            place.insert(figures);
            let Some(group) = socket.cgroup.and_then(|cgroup| owner.get(&cgroup)) else { continue };
            let sum = self.sums.entry(*group).or_default();
            sum.connections += u64::from(is_connection(socket));
            let before = match &self.seen {
                Some(seen) => seen.get(&socket.cookie).copied().unwrap_or_default(),
                None => figures,
            };
            sum.retransmissions += grown(before.retransmissions, figures.retransmissions);
            sum.drops += grown(before.drops, figures.drops);
        }
        self.seen = Some(now);
        &self.sums
    }
}

/// What `CurrEstab` counts (RFC 4022).
fn is_connection(socket: &InetSocket) -> bool {
    socket.transport == Transport::Tcp
        && matches!(socket.state, SocketState::Established | SocketState::CloseWait)
}

/// The kernel's counters are of 32 bits, and go on at 0.
fn grown(before: u32, now: u32) -> u64 {
    u64::from(now.wrapping_sub(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: CgroupId = CgroupId(10);

    fn socket(cookie: u64, cgroup: u64, retransmissions: u32) -> InetSocket {
        InetSocket {
            cookie: Cookie(cookie),
            transport: Transport::Tcp,
            state: SocketState::Established,
            local: "192.0.2.1:80".parse().unwrap(),
            remote: "192.0.2.2:4711".parse().unwrap(),
            inode: Some(1),
            uid: 0,
            cgroup: Some(cgroup),
            retransmissions: Some(retransmissions),
            drops: Some(0),
        }
    }

    /// A group and one inside it.
    fn owner() -> HashMap<u64, CgroupId> {
        [(10, WEB), (11, WEB)].into()
    }

    fn after(ledger: &mut Ledger, sockets: &[InetSocket]) -> (u64, u64) {
        let found = ledger.enter(sockets, &owner())[&WEB];
        (found.connections, found.retransmissions)
    }

    #[test]
    fn what_sockets_did_before_the_first_look_is_not_counted() {
        let mut ledger = Ledger::default();
        assert_eq!(after(&mut ledger, &[socket(1, 10, 100)]), (1, 0));
        assert_eq!(after(&mut ledger, &[socket(1, 10, 103)]), (1, 3));
    }

    #[test]
    fn a_new_socket_counts_whole_and_one_that_ends_takes_nothing_away() {
        let mut ledger = Ledger::default();
        after(&mut ledger, &[]);
        assert_eq!(after(&mut ledger, &[socket(1, 10, 4), socket(2, 11, 1)]), (2, 5));
        assert_eq!(after(&mut ledger, &[socket(2, 11, 1)]), (1, 5));
    }

    #[test]
    fn the_sockets_of_others_and_those_told_twice_are_left_out() {
        let mut ledger = Ledger::default();
        after(&mut ledger, &[]);
        assert_eq!(after(&mut ledger, &[socket(1, 10, 2), socket(1, 10, 2), socket(3, 99, 7)]), (1, 2));
    }

    #[test]
    fn counters_go_on_where_they_wrap() {
        let mut ledger = Ledger::default();
        after(&mut ledger, &[socket(1, 10, u32::MAX)]);
        assert_eq!(after(&mut ledger, &[socket(1, 10, 2)]), (1, 3));
    }

    #[test]
    fn listeners_and_datagram_sockets_are_no_connections() {
        let listener = InetSocket { state: SocketState::Listen, ..socket(1, 10, 0) };
        let datagrams = InetSocket { transport: Transport::Udp, ..socket(2, 10, 0) };
        assert_eq!(after(&mut Ledger::default(), &[listener, datagrams]), (0, 0));
    }
}
