//! Containers taken together. Pure.

use std::collections::HashSet;

use super::{Counting, Metered, PerSecond};

/// What some containers do together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Total {
    /// How many they are.
    pub containers: usize,
    /// Bytes a second to them.
    pub received: PerSecond,
    /// Bytes a second from them.
    pub sent: PerSecond,
}

/// Adds up. The counters of a namespace that several containers are measured by count once.
pub fn total<'a>(containers: impl IntoIterator<Item = &'a Metered<'a>>) -> Total {
    let mut counted = HashSet::new();
    let mut total = Total::default();
    for Metered { counting, interval, .. } in containers {
        total.containers += 1;
        if let Counting::Interfaces { namespace, .. } = counting
            && !counted.insert(*namespace)
        {
            continue;
        }
        let traffic = interval.traffic.unwrap_or_default();
        total.received = total.received.plus(interval.rate(traffic.received.bytes));
        total.sent = total.sent.plus(interval.rate(traffic.sent.bytes));
    }
    total
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::meter::{Interval, Traffic};
    use crate::model::{NamespaceId, NetworkMode, fixture};
    use crate::sys::{CgroupId, Volume};

    #[test]
    fn what_two_containers_are_measured_by_counts_once() {
        let container = fixture::container("web", NetworkMode::Shared, None);
        let received = Volume { packets: 1, bytes: 100 };
        let interval = Interval {
            elapsed: Duration::from_millis(500),
            traffic: Some(Traffic { received, ..Traffic::default() }),
            ..Interval::default()
        };
        let namespace = NamespaceId::new(4, 7);
        let shared = Counting::Interfaces { namespace, links: Vec::new(), far_ends: Vec::new() };
        let group = Counting::Cgroup { namespace, group: CgroupId(5) };
        let metered = [&shared, &shared, &group, &Counting::Nothing].map(|counting| {
            let interval = if *counting == Counting::Nothing { Interval::default() } else { interval };
            Metered { container: &container, counting, interval }
        });
        let sum = total(&metered);
        assert_eq!((sum.containers, sum.received.whole(), sum.sent), (4, 400, PerSecond(0)));
    }
}
