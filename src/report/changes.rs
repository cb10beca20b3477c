//! What a watch prints into a pipe: a `+` line for each container that came, a `-` line for each that went, with the
//! time of day. One that changed does both.

use std::{collections::BTreeSet, io};

use jiff::{Timestamp, tz::TimeZone};

use crate::discovery::Topology;
use crate::model::Container;

use super::table::{self, Listing};
use super::{ends, ports};

/// The containers that were listed last.
#[derive(Debug)]
pub struct Changes {
    listed: BTreeSet<String>,
    zone: TimeZone,
}

impl Default for Changes {
    /// Nothing yet, in the time zone of the system.
    fn default() -> Self {
        Self { listed: BTreeSet::new(), zone: TimeZone::system() }
    }
}

impl Changes {
    /// Writes what differs from the listing before; at first that is everything.
    pub fn write(&mut self, listing: &Listing<'_>, out: &mut impl io::Write) -> io::Result<()> {
        let now: BTreeSet<String> =
            listing.containers.iter().map(|container| line(listing.topology, container)).collect();
        let time = self.time(listing.time_ns);
        for gone in self.listed.difference(&now) {
            writeln!(out, "- {time} {gone}")?;
        }
        for new in now.difference(&self.listed) {
            writeln!(out, "+ {time} {new}")?;
        }
        self.listed = now;
        Ok(())
    }

    fn time(&self, time_ns: u64) -> String {
        let time = Timestamp::from_nanosecond(time_ns.into()).unwrap_or_default();
        time.to_zoned(self.zone.clone()).strftime("%H:%M:%S%.3f").to_string()
    }
}

/// `web running bridge eth0=172.17.0.2/16 veth1a2b *:8080→80/tcp`.
fn line(topology: &Topology, container: &Container) -> String {
    let mut words = vec![container.name.clone(), container.state.to_string(), container.mode.to_string()];
    for endpoint in &container.endpoints {
        words.push(format!("{}={}", endpoint.link.name, table::addresses(&endpoint.link)));
        words.push(ends::far_end(topology, endpoint));
    }
    words.push(ports::published(&container.published));
    words.retain(|word| !word.is_empty());
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn only_differences_are_written() {
        let topology = fixture::topology();
        let mut changes = Changes { zone: TimeZone::UTC, ..Changes::default() };
        let mut after = |names: &[&str]| {
            let listing = Listing {
                topology: &topology,
                containers: names.iter().map(|name| fixture::container(&topology, name)).collect(),
                interfaces: Vec::new(),
                scope: table::Scope::Host,
                host: "testhost",
                time_ns: 0,
            };
            let mut out = Vec::new();
            changes.write(&listing, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(after(&["agent"]), "+ 00:00:00.000 agent running host\n");
        assert_eq!(after(&["agent"]), "");
        assert_eq!(
            after(&["dind"]),
            "- 00:00:00.000 agent running host\n+ 00:00:00.000 dind running bridge eth0=172.17.0.3/16 veth5e6f\n"
        );
    }
}
