//! What two readings of the kernel's counters mean for a container. Pure.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    time::Duration,
};

use crate::model::{Counters, LinkIndex, NamespaceId};
use crate::sys::{CgroupId, Volume, statistics::TcpFigures};

use super::ledger::SocketFigures;
use super::plan::Counting;

/// Everything read at one time, by its source.
#[derive(Debug, Clone, Default)]
pub(super) struct Readings {
    pub(super) links: HashMap<(NamespaceId, LinkIndex), Counters>,
    pub(super) tcp: HashMap<NamespaceId, TcpFigures>,
    pub(super) cgroups: HashMap<CgroupId, Traffic>,
    pub(super) sockets: HashMap<CgroupId, SocketFigures>,
}

impl Readings {
    /// Takes over what is not there yet.
    pub(super) fn add_missing(&mut self, other: Self) {
        fn add<K: Eq + Hash, V>(to: &mut HashMap<K, V>, from: HashMap<K, V>) {
            for (key, value) in from {
                to.entry(key).or_insert(value);
            }
        }
        add(&mut self.links, other.links);
        add(&mut self.tcp, other.tcp);
        add(&mut self.cgroups, other.cgroups);
        add(&mut self.sockets, other.sockets);
    }

    /// The namespaces that have not told what is wanted for this.
    pub(super) fn missing(&self, counting: &Counting) -> Vec<NamespaceId> {
        let of_tcp = counting.namespaces().into_iter().filter(|id| !self.tcp.contains_key(id));
        let links = counting.links().into_iter().filter(|link| !self.links.contains_key(link));
        let groups = match counting {
            Counting::Cgroup { namespace, group } if !self.sockets.contains_key(group) => Some(*namespace),
            _ => None,
        };
        of_tcp.chain(links.map(|(namespace, _)| namespace)).chain(groups).collect()
    }

    /// Whether any of what passed there has been read.
    pub(super) fn tells_of(&self, counting: &Counting) -> bool {
        counting.links().iter().any(|link| self.links.contains_key(link))
            || counting.group().is_some_and(|group| self.cgroups.contains_key(&group))
    }

    /// Forgets all other sources: the kernel may give their numbers to new ones.
    pub(super) fn keep(&mut self, namespaces: &HashSet<NamespaceId>, groups: &HashSet<CgroupId>) {
        self.links.retain(|(namespace, _), _| namespaces.contains(namespace));
        self.tcp.retain(|namespace, _| namespaces.contains(namespace));
        self.cgroups.retain(|group, _| groups.contains(group));
        self.sockets.retain(|group, _| groups.contains(group));
    }
}

/// Both ways, from the container's point of view.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// To the container.
    pub received: Volume,
    /// From the container.
    pub sent: Volume,
}

/// What a container did between two readings. What could not be counted is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Interval {
    /// From one reading to the next, or since the container was first seen.
    pub elapsed: Duration,
    /// What went through.
    pub traffic: Option<Traffic>,
    /// Packets dropped: by its interfaces and their far ends, or by its sockets.
    pub drops: Option<u64>,
    /// TCP segments sent again.
    pub retransmissions: Option<u64>,
    /// TCP connections at the end: established, or closed by the other end alone.
    pub connections: Option<u64>,
}

/// A rate, in thousandths a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PerSecond(pub u64);

impl PerSecond {
    /// Two rates together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// To the nearest whole number.
    pub fn whole(self) -> u64 {
        self.0.saturating_add(500) / 1000
    }
}

impl Interval {
    /// What an amount of this interval is in a second.
    pub fn rate(&self, amount: u64) -> PerSecond {
        let nanoseconds = self.elapsed.as_nanos().max(1);
        let thousandths = u128::from(amount) * 1_000_000_000_000 / nanoseconds;
        PerSecond(u64::try_from(thousandths).unwrap_or(u64::MAX))
    }
}

impl Traffic {
    /// Two amounts together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let plus = |a: Volume, b: Volume| Volume {
            packets: a.packets.saturating_add(b.packets),
            bytes: a.bytes.saturating_add(b.bytes),
        };
        Self { received: plus(self.received, other.received), sent: plus(self.sent, other.sent) }
    }

    fn since(self, before: Self) -> Self {
        let since = |now: Volume, before: Volume| Volume {
            packets: grown(before.packets, now.packets),
            bytes: grown(before.bytes, now.bytes),
        };
        Self { received: since(self.received, before.received), sent: since(self.sent, before.sent) }
    }
}

/// What a counter grew by. One that went backwards was begun anew, as those of a restarted container are.
fn grown(before: u64, now: u64) -> u64 {
    now.checked_sub(before).unwrap_or(now)
}

/// What a container that is counted so did from one reading to the next. A source that only one of them has tells
/// nothing: how much of it belongs here cannot be said.
pub(super) fn interval(
    counting: &Counting,
    before: &Readings,
    now: &Readings,
    elapsed: Duration,
) -> Interval {
    match counting {
        Counting::Interfaces { namespace, links, far_ends } => {
            let own: Vec<_> = links.iter().map(|index| (*namespace, *index)).collect();
            let grown_links = |keys: &[(NamespaceId, LinkIndex)]| -> Vec<(Counters, Counters)> {
                keys.iter().filter_map(|key| both(&before.links, &now.links, key)).collect()
            };
            let grown_own = grown_links(&own);
            let tcp = both(&before.tcp, &now.tcp, namespace);
            // Without interfaces nothing goes through, but only if it may be seen that there are none.
            let seen = tcp.is_some() && (own.is_empty() || !grown_own.is_empty());
            let dropped = dropped(&grown_own) + dropped(&grown_links(far_ends));
            Interval {
                elapsed,
                traffic: seen.then(|| traffic(&grown_own)),
                drops: seen.then_some(dropped),
                retransmissions: tcp.map(|(then, now)| grown(then.retransmissions, now.retransmissions)),
                connections: now.tcp.get(namespace).map(|tcp| tcp.connections),
            }
        }
        Counting::Cgroup { group, .. } => {
            let sockets = both(&before.sockets, &now.sockets, group);
            Interval {
                elapsed,
                traffic: both(&before.cgroups, &now.cgroups, group).map(|(then, now)| now.since(then)),
                drops: sockets.map(|(then, now)| grown(then.drops, now.drops)),
                retransmissions: sockets.map(|(then, now)| grown(then.retransmissions, now.retransmissions)),
                connections: now.sockets.get(group).map(|sockets| sockets.connections),
            }
        }
        Counting::Nothing => Interval { elapsed, ..Interval::default() },
    }
}

fn both<K: Eq + Hash, V: Copy>(before: &HashMap<K, V>, now: &HashMap<K, V>, key: &K) -> Option<(V, V)> {
    Some((*before.get(key)?, *now.get(key)?))
}

fn traffic(links: &[(Counters, Counters)]) -> Traffic {
    let of = |counters: &Counters| Traffic {
        received: Volume { packets: counters.rx_packets, bytes: counters.rx_bytes },
        sent: Volume { packets: counters.tx_packets, bytes: counters.tx_bytes },
    };
    links.iter().map(|(then, now)| of(now).since(of(then))).fold(Traffic::default(), Traffic::plus)
}

fn dropped(links: &[(Counters, Counters)]) -> u64 {
    let of = |(then, now): &(Counters, Counters)| {
        grown(then.rx_dropped, now.rx_dropped) + grown(then.tx_dropped, now.tx_dropped)
    };
    links.iter().map(of).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSIDE: NamespaceId = NamespaceId::new(4, 7);
    const HOST: NamespaceId = NamespaceId::new(4, 1);
    const SECOND: Duration = Duration::from_secs(1);

    fn index(number: u32) -> LinkIndex {
        number.try_into().unwrap()
    }

    fn counters(bytes: u64, dropped: u64) -> Counters {
        Counters { rx_bytes: bytes, rx_packets: bytes / 100, tx_dropped: dropped, ..Counters::default() }
    }

    fn links(entries: &[(NamespaceId, u32, Counters)]) -> Readings {
        let links = entries.iter().map(|(namespace, number, found)| ((*namespace, index(*number)), *found));
        let tcp = [(INSIDE, TcpFigures::default())].into();
        Readings { links: links.collect(), tcp, ..Readings::default() }
    }

    fn by_interfaces(numbers: &[u32]) -> Counting {
        Counting::Interfaces {
            namespace: INSIDE,
            links: numbers.iter().map(|number| index(*number)).collect(),
            far_ends: vec![(HOST, index(9))],
        }
    }

    #[test]
    fn interfaces_add_up_and_far_ends_tell_their_drops_alone() {
        let before = links(&[
            (INSIDE, 2, counters(1000, 1)),
            (INSIDE, 3, counters(500, 0)),
            (HOST, 9, counters(77, 5)),
        ]);
        let now = links(&[
            (INSIDE, 2, counters(4000, 2)),
            (INSIDE, 3, counters(900, 0)),
            (HOST, 9, counters(9999, 7)),
        ]);
        let found = interval(&by_interfaces(&[2, 3]), &before, &now, SECOND);
        let received = Volume { packets: 34, bytes: 3400 };
        assert_eq!(found.traffic, Some(Traffic { received, ..Traffic::default() }));
        assert_eq!(found.drops, Some(3));
    }

    #[test]
    fn a_counter_that_was_begun_anew_makes_no_negative_rate() {
        let before = links(&[(INSIDE, 2, counters(10_000, 0))]);
        let now = links(&[(INSIDE, 2, counters(300, 0))]);
        let found = interval(&by_interfaces(&[2]), &before, &now, SECOND);
        assert_eq!(found.traffic.unwrap().received, Volume { packets: 3, bytes: 300 });
    }

    #[test]
    fn an_interface_that_came_or_went_tells_nothing() {
        let one = links(&[(INSIDE, 2, counters(1000, 0))]);
        let other = links(&[(INSIDE, 2, counters(1500, 0)), (INSIDE, 3, counters(1 << 40, 0))]);
        for (before, now) in [(&one, &other), (&other, &one)] {
            let found = interval(&by_interfaces(&[2, 3]), before, now, SECOND).traffic.unwrap().received;
            assert!(found.bytes == 500 || found.bytes == 1000, "{found:?}");
        }
        assert_eq!(interval(&by_interfaces(&[3]), &one, &other, SECOND).traffic, None);
        assert_eq!(interval(&by_interfaces(&[]), &one, &other, SECOND).traffic, Some(Traffic::default()));
        let unread = Readings::default();
        assert_eq!(interval(&by_interfaces(&[]), &unread, &unread, SECOND).traffic, None, "it may have some");
    }

    #[test]
    fn what_was_never_read_is_missing() {
        let read = links(&[(INSIDE, 2, counters(1000, 0)), (HOST, 9, counters(0, 0))]);
        assert_eq!(read.missing(&by_interfaces(&[2])), [HOST], "TCP's figures");
        let read = Readings { tcp: [INSIDE, HOST].map(|id| (id, TcpFigures::default())).into(), ..read };
        assert_eq!(read.missing(&by_interfaces(&[2])), []);
        assert_eq!(read.missing(&by_interfaces(&[2, 3])), [INSIDE], "another interface");
        assert!(
            read.tells_of(&by_interfaces(&[2, 3])) && !Readings::default().tells_of(&by_interfaces(&[2]))
        );
        let group = Counting::Cgroup { namespace: HOST, group: CgroupId(5) };
        assert_eq!(read.missing(&group), [HOST], "the sockets of a cgroup");
    }

    #[test]
    fn a_cgroup_is_measured_by_its_program_and_its_sockets() {
        let readings = |bytes, retransmissions, connections| {
            let sent = Volume { packets: bytes / 10, bytes };
            let traffic = Traffic { sent, ..Traffic::default() };
            let sockets = SocketFigures { connections, retransmissions, drops: 0 };
            Readings {
                cgroups: [(CgroupId(5), traffic)].into(),
                sockets: [(CgroupId(5), sockets)].into(),
                ..Readings::default()
            }
        };
        let counting = Counting::Cgroup { namespace: HOST, group: CgroupId(5) };
        let found = interval(&counting, &readings(100, 2, 9), &readings(250, 5, 4), SECOND);
        assert_eq!(found.traffic.unwrap().sent, Volume { packets: 15, bytes: 150 });
        assert_eq!((found.retransmissions, found.connections, found.drops), (Some(3), Some(4), Some(0)));
        let lost = interval(&counting, &readings(100, 2, 9), &Readings::default(), SECOND);
        assert_eq!((lost.traffic, lost.retransmissions, lost.connections), (None, None, None));
    }

    #[test]
    fn rates_are_those_of_the_true_time() {
        let rate = |milliseconds, amount| {
            let elapsed = Duration::from_millis(milliseconds);
            Interval { elapsed, ..Interval::default() }.rate(amount)
        };
        assert_eq!(rate(1000, 1), PerSecond(1000));
        assert_eq!(rate(2000, 1), PerSecond(500));
        assert_eq!(rate(250, 3), PerSecond(12_000));
        assert_eq!(rate(0, u64::MAX), PerSecond(u64::MAX));
        assert_eq!((PerSecond(1499).whole(), PerSecond(1500).whole()), (1, 2));
    }
}
