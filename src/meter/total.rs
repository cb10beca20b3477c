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
