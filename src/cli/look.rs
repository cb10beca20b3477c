//! One look at the host: the seam between the commands and what discovery sees.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt as _,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::{Stream, stream};

use crate::discovery::{Facts, Topology};
use crate::model::{Container, NamespaceId};
use crate::report::{Inspection, NameResolution};

/// The host as it was at one moment.
#[derive(Debug)]
pub(super) struct Look {
    /// Who is connected to what.
    pub(super) topology: Topology,
    /// The host's name.
    pub(super) host: String,
    /// When, in nanoseconds since the Unix epoch.
    pub(super) time_ns: u64,
}

/// Looks at the kernel and the engines.
#[expect(clippy::unused_async, reason = "waits once it is connected")]
pub(super) async fn look() -> anyhow::Result<Look> {
    Ok(Look { topology: Topology::join(&Facts::default()), host: hostname(), time_ns: now_ns() })
}

/// Looks inside a container's namespace.
#[expect(clippy::unused_async, reason = "waits once it is connected")]
pub(super) async fn inspect<'a>(look: &'a Look, container: &'a Container) -> anyhow::Result<Inspection<'a>> {
    Ok(Inspection {
        topology: &look.topology,
        container,
        routes: Vec::new(),
        names: NameResolution::default(),
        sysctls: BTreeMap::new(),
        uplink: None,
    })
}

/// Something of the host changed: an item each time, never an end.
pub(super) fn changes() -> impl Stream<Item = ()> {
    stream::unfold(tokio::time::interval(Duration::from_secs(1)), |mut interval| async {
        interval.tick().await;
        Some(((), interval))
    })
}

/// The network namespace of a process; none where there is no such process or it may not be seen.
pub(super) fn namespace_of(pid: u32) -> Option<NamespaceId> {
    let nsfs = fs::metadata(format!("/proc/{pid}/ns/net")).ok()?;
    Some(NamespaceId::new(nsfs.dev(), nsfs.ino()))
}

fn hostname() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim_end().to_owned()
}

fn now_ns() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}
