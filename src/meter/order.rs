//! Which container comes first. Pure.

use std::cmp::Reverse;

use super::{Metered, Traffic};

/// What containers are sorted by, the most first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SortKey {
    /// Bytes a second, both ways.
    #[default]
    Bytes,
    /// Packets a second, both ways.
    Packets,
    /// Connections.
    Connections,
    /// Drops a second.
    Drops,
    /// Retransmissions a second.
    Retransmissions,
    /// Their names, from A.
    Name,
}

/// Sorts by rates, not amounts: a container that was only just seen has a shorter interval. Equals go by name, and
/// what could not be counted comes last.
pub fn sort(containers: &mut [Metered<'_>], key: SortKey) {
    let bytes = |traffic: Traffic| traffic.received.bytes.saturating_add(traffic.sent.bytes);
    let packets = |traffic: Traffic| traffic.received.packets.saturating_add(traffic.sent.packets);
    containers.sort_by_cached_key(|metered| {
        let interval = &metered.interval;
        let rate = |amount: Option<u64>| amount.map(|amount| interval.rate(amount).0);
        let value = match key {
            SortKey::Bytes => rate(interval.traffic.map(bytes)),
            SortKey::Packets => rate(interval.traffic.map(packets)),
            SortKey::Connections => interval.connections,
            SortKey::Drops => rate(interval.drops),
            SortKey::Retransmissions => rate(interval.retransmissions),
            SortKey::Name => None,
        };
        (Reverse(value), metered.container.name.clone())
    });
}
