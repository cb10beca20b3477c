//! What single sockets add up to for the cgroups that they belong to. Pure.
//!
//! A socket tells what it retransmitted and dropped since it was made, and takes its figures along when it ends: what
//! it dropped after the last look at it is not counted. What is sent again is counted in the kernel, but for sockets that
//! were there before: these alone have their retransmissions entered here.

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
    /// It is older than the count of its cgroup.
    is_old: bool,
}

/// The sockets of one namespace.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    seen: HashMap<Cookie, Seen>,
    /// Of the cgroups that were there the last time.
    sums: HashMap<CgroupId, SocketFigures>,
}

impl Ledger {
    /// Enters all sockets as they are now. `owner` knows the cgroup that a socket's own cgroup (by number) counts for.
    pub(super) fn enter(
        &mut self,
        sockets: &[InetSocket],
        owner: &HashMap<u64, CgroupId>,
    ) -> &HashMap<CgroupId, SocketFigures> {
        let mut sums: HashMap<CgroupId, SocketFigures> = owner
            .values()
            .map(|group| {
                let before = self.sums.get(group).copied().unwrap_or_default();
                (*group, SocketFigures { connections: 0, ..before })
            })
            .collect();
        let mut now = HashMap::with_capacity(sockets.len());
        for socket in sockets {
            // One that moved in the kernel's table while it was read is told twice.
            let Entry::Vacant(place) = now.entry(socket.cookie) else { continue };
            let group = socket.cgroup.and_then(|cgroup| owner.get(&cgroup));
            let figures = self.figures(socket, group);
            place.insert(figures);
            let Some(sum) = group.and_then(|group| sums.get_mut(group)) else { continue };
            sum.connections += u64::from(is_connection(socket));
            let before = match self.seen.get(&socket.cookie) {
                None if figures.is_old => figures,
                seen => seen.copied().unwrap_or_default(),
            };
            sum.drops += grown(before.drops, figures.drops);
            if figures.is_old {
                sum.retransmissions += grown(before.retransmissions, figures.retransmissions);
            }
        }
        (self.seen, self.sums) = (now, sums);
        &self.sums
    }

    fn figures(&self, socket: &InetSocket, group: Option<&CgroupId>) -> Seen {
        let group_is_new = group.is_some_and(|group| !self.sums.contains_key(group));
        Seen {
            retransmissions: socket.retransmissions.unwrap_or_default(),
            drops: socket.drops.unwrap_or_default(),
            is_old: group_is_new || self.seen.get(&socket.cookie).is_some_and(|seen| seen.is_old),
        }
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
            receive_queue: 0,
            send_queue: 0,
            v6_only: false,
            device: None,
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
    fn what_a_new_socket_sends_again_is_the_kernels_to_count_and_what_it_drops_is_ours() {
        let mut ledger = Ledger::default();
        after(&mut ledger, &[]);
        let new = InetSocket { drops: Some(6), ..socket(1, 10, 4) };
        assert_eq!(after(&mut ledger, &[new, socket(2, 11, 1)]), (2, 0));
        assert_eq!(ledger.sums[&WEB].drops, 6);
        assert_eq!(after(&mut ledger, &[socket(2, 11, 1)]), (1, 0));
        assert_eq!(ledger.sums[&WEB].drops, 6, "one that ends takes nothing away");
    }

    #[test]
    fn the_old_sockets_of_a_container_that_is_new_are_told_from_its_new_ones() {
        let mut ledger = Ledger::default();
        ledger.enter(&[socket(1, 10, 5)], &HashMap::new());
        assert_eq!(after(&mut ledger, &[socket(1, 10, 6), socket(2, 10, 9)]), (2, 1));
        assert_eq!(after(&mut ledger, &[socket(1, 10, 6), socket(2, 10, 11), socket(3, 10, 7)]), (3, 3));
    }

    #[test]
    fn the_sockets_of_others_and_those_told_twice_are_left_out() {
        let mut ledger = Ledger::default();
        let all = |count| [socket(1, 10, count), socket(1, 10, count), socket(3, 99, 7 * count)];
        after(&mut ledger, &all(1));
        assert_eq!(after(&mut ledger, &all(3)), (1, 2));
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
