//! The JSON of `inspect`: the container as in `ls`, and what was gathered inside its namespace. See docs/json.md.

use std::{collections::BTreeMap, io};

use serde::Serialize;

use crate::discovery::Topology;
use crate::model::LinkName;

use super::inspect::{Forwarding, Inspection, NameResolution, Neighbour, Route};
use super::json::{ContainerJson, Document};
use super::way;

/// Writes the document of `inspect` on one line. All of `inspections` are of `topology`.
pub fn inspection_json(
    inspections: &[Inspection<'_>],
    topology: &Topology,
    host: &str,
    time_ns: u64,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let inspected = Inspected { containers: inspections.iter().map(ContainerInspected::of).collect() };
    serde_json::to_writer(
        &mut *out,
        &Document::new("pcapsule.inspect", time_ns, host, &topology.warnings, inspected),
    )?;
    writeln!(out)
}

#[derive(Debug, Serialize)]
struct Inspected<'a> {
    containers: Vec<ContainerInspected<'a>>,
}

#[derive(Debug, Serialize)]
struct ContainerInspected<'a> {
    #[serde(flatten)]
    container: ContainerJson<'a>,
    /// The hops of each interface, container end first.
    ways: Vec<Vec<String>>,
    routes: &'a [Route],
    neighbours: &'a [Neighbour],
    forwarding: &'a [Forwarding],
    dns: &'a NameResolution,
    sysctls: &'a BTreeMap<String, String>,
    uplink: Option<&'a LinkName>,
}

impl<'a> ContainerInspected<'a> {
    fn of(inspection: &'a Inspection<'_>) -> Self {
        let endpoints = &inspection.container.endpoints;
        Self {
            container: ContainerJson::of(inspection.topology, inspection.container),
            ways: endpoints.iter().map(|endpoint| way::hops(inspection, endpoint)).collect(),
            routes: &inspection.routes,
            neighbours: &inspection.neighbours,
            forwarding: &inspection.forwarding,
            dns: &inspection.names,
            sysctls: &inspection.sysctls,
            uplink: inspection.uplink.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{fixture, inspect};

    #[test]
    fn the_document_adds_to_the_container_of_ls() {
        let topology = fixture::topology();
        let mut out = Vec::new();
        let web = inspect::tests::inspected(&topology, "web");
        inspection_json(&[web], &topology, "testhost", 7, &mut out).unwrap();
        let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(document["schema"], "pcapsule.inspect");
        let web = &document["containers"][0];
        assert_eq!(web["name"], "web");
        assert_eq!(web["ways"][0][1], "veth1a2b");
        assert_eq!(web["routes"][0]["gateway"], "172.17.0.1");
        assert_eq!(web["dns"]["nameservers"][0], "127.0.0.11");
        assert_eq!(web["uplink"], "eth0");
    }
}
