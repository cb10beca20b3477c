//! The JSON of `top`: a line for each reading. docs/json.md documents its names.

use std::io;

use serde::Serialize;

use crate::meter::{Counting, Interval, Metered};
use crate::model::{Engine, NamespaceId, NetworkMode};

use super::json::Document;
use super::rates::Rates;

/// Writes the document of one reading on one line.
pub fn rates_json(rates: &Rates<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let containers = rates.containers.iter().map(ContainerJson::of).collect();
    let contents = Measured { containers };
    let document = Document::new("pcapsule.top", rates.time_ns, rates.host, rates.warnings, contents);
    serde_json::to_writer(&mut *out, &document)?;
    writeln!(out)
}

#[derive(Debug, Serialize)]
struct Measured<'a> {
    containers: Vec<ContainerJson<'a>>,
}

#[derive(Debug, Serialize)]
struct ContainerJson<'a> {
    id: &'a str,
    name: &'a str,
    engine: &'a Engine,
    mode: &'a NetworkMode,
    namespace: Option<NamespaceId>,
    counted_by: Option<&'static str>,
    interval_ns: u64,
    rx_bytes: Option<u64>,
    tx_bytes: Option<u64>,
    rx_packets: Option<u64>,
    tx_packets: Option<u64>,
    rx_bits_per_second: Option<u64>,
    tx_bits_per_second: Option<u64>,
    rx_packets_per_second: Option<u64>,
    tx_packets_per_second: Option<u64>,
    connections: Option<u64>,
    drops: Option<u64>,
    retransmissions: Option<u64>,
}

impl<'a> ContainerJson<'a> {
    fn of(metered: &Metered<'a>) -> Self {
        let Metered { container, counting, interval } = *metered;
        let (received, sent) =
            (interval.traffic.map(|traffic| traffic.received), interval.traffic.map(|traffic| traffic.sent));
        let bits = |bytes: u64| per_second(&interval, bytes.saturating_mul(8));
        let packets = |packets: u64| per_second(&interval, packets);
        Self {
            id: &container.id,
            name: &container.name,
            engine: &container.engine,
            mode: &container.mode,
            namespace: container.namespace,
            counted_by: match counting {
                Counting::Interfaces { .. } => Some("interfaces"),
                Counting::Cgroup { .. } => Some("cgroup"),
                Counting::Nothing => None,
            },
            interval_ns: u64::try_from(interval.elapsed.as_nanos()).unwrap_or(u64::MAX),
            rx_bytes: received.map(|volume| volume.bytes),
            tx_bytes: sent.map(|volume| volume.bytes),
            rx_packets: received.map(|volume| volume.packets),
            tx_packets: sent.map(|volume| volume.packets),
            rx_bits_per_second: received.map(|volume| bits(volume.bytes)),
            tx_bits_per_second: sent.map(|volume| bits(volume.bytes)),
            rx_packets_per_second: received.map(|volume| packets(volume.packets)),
            tx_packets_per_second: sent.map(|volume| packets(volume.packets)),
            connections: interval.connections,
            drops: interval.drops,
            retransmissions: interval.retransmissions,
        }
    }
}

fn per_second(interval: &Interval, amount: u64) -> u64 {
    interval.rate(amount).whole()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::rates_fixture::{measured, metered};

    #[test]
    fn the_line_keeps_its_names() {
        let measured = measured();
        let containers = metered(&measured);
        let warnings = ["dind cannot be counted".to_owned()];
        let rates = Rates { containers: &containers, host: "testhost", time_ns: 7, warnings: &warnings };
        let mut out = Vec::new();
        rates_json(&rates, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 1);
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
    }
}
