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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::meter::{Counting, Interval};
    use crate::model::{Container, NetworkMode, fixture};
    use crate::sys::Volume;

    fn names(key: SortKey, measured: &[(&str, Interval)]) -> Vec<String> {
        let containers: Vec<Container> =
            measured.iter().map(|(name, _)| fixture::container(name, NetworkMode::Bridge, None)).collect();
        let counting = Counting::Nothing;
        let together = containers.iter().zip(measured);
        let mut metered: Vec<Metered<'_>> = together
            .map(|(container, (_, interval))| Metered { container, counting: &counting, interval: *interval })
            .collect();
        sort(&mut metered, key);
        metered.iter().map(|metered| metered.container.name.clone()).collect()
    }

    fn moved(milliseconds: u64, bytes: u64, packets: u64) -> Interval {
        let received = Volume { packets, bytes };
        Interval {
            elapsed: Duration::from_millis(milliseconds),
            traffic: Some(Traffic { received, ..Traffic::default() }),
            connections: Some(packets),
            ..Interval::default()
        }
    }

    #[test]
    fn the_busiest_come_first_by_what_they_do_in_a_second() {
        let measured = [
            ("b", moved(1000, 500, 9)),
            ("a", moved(1000, 500, 1)),
            ("new", moved(100, 400, 1)),
            ("unknown", Interval::default()),
        ];
        assert_eq!(names(SortKey::Bytes, &measured), ["new", "a", "b", "unknown"]);
        assert_eq!(names(SortKey::Packets, &measured), ["new", "b", "a", "unknown"]);
        assert_eq!(names(SortKey::Connections, &measured), ["b", "a", "new", "unknown"]);
        assert_eq!(names(SortKey::Name, &measured), ["a", "b", "new", "unknown"]);
    }
}
