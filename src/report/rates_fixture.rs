//! Containers with something to show of each. For tests.

use std::time::Duration;

use crate::meter::{Counting, Interval, Metered, Traffic};
use crate::model::Container;
use crate::sys::{CgroupId, Volume};

use super::fixture;

/// By interfaces, once for two that share them; by cgroup; not at all.
pub(crate) fn measured() -> Vec<(Container, Counting, Interval)> {
    let topology = fixture::topology();
    let volume = |packets, bytes| Volume { packets, bytes };
    let interval = |received, sent| Interval {
        elapsed: Duration::from_secs(2),
        traffic: Some(Traffic { received, sent }),
        drops: Some(1),
        retransmissions: Some(24),
        connections: Some(12),
    };
    let found = |name: &str| fixture::container(&topology, name).clone();
    let own = |container: &Container| Counting::Interfaces {
        namespace: container.namespace.expect("it runs"),
        links: Vec::new(),
        far_ends: Vec::new(),
    };
    let (web, side, agent, dind) = (found("web"), found("side"), found("agent"), found("dind"));
    let busy = interval(volume(2000, 2_500_000), volume(1000, 64_246));
    let by_cgroup = Counting::Cgroup { namespace: fixture::namespace(0), group: CgroupId(7) };
    vec![
        (web.clone(), own(&web), busy),
        (side.clone(), own(&side), busy),
        (agent, by_cgroup, interval(volume(3, 999), volume(1, 999_999_999_999))),
        (dind, Counting::Nothing, Interval::default()),
    ]
}

pub(crate) fn metered(measured: &[(Container, Counting, Interval)]) -> Vec<Metered<'_>> {
    measured
        .iter()
        .map(|(container, counting, interval)| Metered { container, counting, interval: *interval })
        .collect()
}
