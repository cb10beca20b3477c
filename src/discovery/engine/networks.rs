//! An engine's networks: which bridge of the host stands for which of them.

use serde_json::Value;

use crate::discovery::EngineNetwork;
use crate::model::LinkName;

use super::fields::Fields;

/// Networks by id.
#[derive(Debug, Default)]
pub(super) struct Networks(Vec<(String, EngineNetwork)>);

impl Networks {
    /// From Docker's `/networks`. A network without a name is left out.
    pub(super) fn from_docker(entries: &[Value], warnings: &mut Vec<String>) -> Self {
        Self::read(entries, warnings, |fields| {
            let id = fields.text("/Id").unwrap_or_default();
            let name = fields.text("/Name")?.to_owned();
            let driver = fields.text("/Driver").unwrap_or_default().to_owned();
            let bridge = (driver == "bridge").then(|| docker_bridge(fields, id, &name)).flatten();
            let gateways = gateways(fields, "/IPAM/Config", "/Gateway");
            let internal = fields.take("/Internal", Value::as_bool).unwrap_or(false);
            let between_members = !icc_is_off(fields);
            let network = EngineNetwork { name, driver, bridge, gateways, internal, between_members };
            Some((id.to_owned(), network))
        })
    }

    /// From Podman's own `/libpod/networks/json`; the Docker-like list renames `podman` to `bridge` and tells no bridge.
    pub(super) fn from_podman(entries: &[Value], warnings: &mut Vec<String>) -> Self {
        Self::read(entries, warnings, |fields| {
            let id = fields.text("/id").unwrap_or_default().to_owned();
            let name = fields.text("/name")?.to_owned();
            let driver = fields.text("/driver").unwrap_or_default().to_owned();
            let bridge = (driver == "bridge").then(|| fields.parsed("/network_interface")).flatten();
            let gateways = gateways(fields, "/subnets", "/gateway");
            let internal = fields.take("/internal", Value::as_bool).unwrap_or(false);
            let network = EngineNetwork { name, driver, bridge, gateways, internal, between_members: true };
            Some((id, network))
        })
    }

    /// The bridge behind a membership. The id decides, because names need not be unique; Podman gives names for ids.
    pub(super) fn bridge(&self, id: Option<&str>, name: &str) -> Option<LinkName> {
        let by_id = self.0.iter().find(|(known, _)| Some(known.as_str()) == id);
        let (_, network) = by_id.or_else(|| self.0.iter().find(|(_, network)| network.name == name))?;
        network.bridge.clone()
    }

    pub(super) fn into_list(self) -> Vec<EngineNetwork> {
        self.0.into_iter().map(|(_, network)| network).collect()
    }

    fn read(
        entries: &[Value],
        warnings: &mut Vec<String>,
        network: impl Fn(&mut Fields) -> Option<(String, EngineNetwork)>,
    ) -> Self {
        let read = |entry| {
            let mut fields = Fields::of(entry);
            let network = network(&mut fields);
            let name = network.as_ref().map_or("without a name", |(_, network)| network.name.as_str());
            if let Some(odd) = fields.oddities() {
                warnings.push(format!("the engine describes the network {name} oddly, left out: {odd}"));
            }
            network
        };
        Self(entries.iter().filter_map(read).collect())
    }
}

/// The name asked for, or the one Docker's bridge driver makes up: `docker0`, `br-` and 12 digits of the id.
fn docker_bridge(fields: &mut Fields, id: &str, name: &str) -> Option<LinkName> {
    let asked = fields.take("/Options", |options| {
        options
            .as_object()
            .map(|options| options.get("com.docker.network.bridge.name").and_then(Value::as_str))
    });
    let made_up = || match name {
        "bridge" => Some("docker0".to_owned()),
        _ => Some(format!("br-{}", id.get(..12)?)),
    };
    let bridge = asked.flatten().filter(|name| !name.is_empty()).map(str::to_owned).or_else(made_up)?;
    bridge.parse().ok()
}

/// Whether Docker's option against inter-container communication is given.
fn icc_is_off(fields: &mut Fields) -> bool {
    let option = fields.take("/Options", |options| {
        let options = options.as_object()?;
        Some(options.get("com.docker.network.bridge.enable_icc").and_then(Value::as_str))
    });
    option.flatten() == Some("false")
}

fn gateways(fields: &mut Fields, list: &'static str, gateway: &'static str) -> Vec<std::net::IpAddr> {
    let mut gateways = Vec::new();
    for subnet in fields.items(list) {
        let mut subnet = Fields::of(subnet);
        gateways.extend(subnet.parsed::<std::net::IpAddr>(gateway));
        fields.absorb(subnet);
    }
    gateways
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn list(document: &str) -> Vec<Value> {
        serde_json::from_str(document).unwrap()
    }

    fn bridge(networks: &Networks, id: Option<&str>, name: &str) -> Option<String> {
        networks.bridge(id, name).map(|bridge| bridge.to_string())
    }

    #[test]
    fn docker_bridges_have_the_name_asked_for_or_one_from_the_id() {
        let mut warnings = Vec::new();
        let entries = list(include_str!("recorded/docker-20.10-networks.json"));
        let networks = Networks::from_docker(&entries, &mut warnings);
        assert_eq!(bridge(&networks, None, "bridge").as_deref(), Some("docker0"));
        assert_eq!(bridge(&networks, None, "named").as_deref(), Some("pcs-eng-br"));
        assert_eq!(bridge(&networks, None, "app").as_deref(), Some("br-95d95b5e47ec"));
        assert_eq!(bridge(&networks, None, "host"), None);
        assert_eq!(bridge(&networks, Some("nobody's"), "absent"), None);
        assert_eq!(warnings, Vec::<String>::new());
    }

    #[test]
    fn the_id_decides_between_networks_of_one_name() {
        let entry = |id| json!({"Name": "twin", "Id": id, "Driver": "bridge"});
        let networks =
            Networks::from_docker(&[entry("aaaaaaaaaaaaaaaa"), entry("bbbbbbbbbbbbbbbb")], &mut vec![]);
        assert_eq!(bridge(&networks, Some("bbbbbbbbbbbbbbbb"), "twin").as_deref(), Some("br-bbbbbbbbbbbb"));
    }

    #[test]
    fn podman_says_its_bridges() {
        let entries = list(include_str!("recorded/podman-4.3-libpod-networks.json"));
        let networks = Networks::from_podman(&entries, &mut vec![]);
        assert_eq!(bridge(&networks, Some("podman"), "podman").as_deref(), Some("podman0"));
        assert_eq!(networks.into_list()[0].gateways, ["10.89.0.1".parse::<std::net::IpAddr>().unwrap()]);
    }

    #[test]
    fn networks_that_keep_to_themselves_are_told() {
        let icc = json!({"com.docker.network.bridge.enable_icc": "false"});
        let entry = json!({"Name": "quiet", "Id": "q", "Driver": "bridge", "Internal": true, "Options": icc});
        let networks = Networks::from_docker(&[entry], &mut vec![]).into_list();
        assert!(networks[0].internal && !networks[0].between_members);
    }

    #[test]
    fn an_odd_network_loses_only_its_odd_field() {
        let mut warnings = Vec::new();
        let odd =
            json!({"Name": "odd", "Id": "0123456789abcdef", "Driver": "bridge", "Options": 7, "IPAM": null});
        let networks = Networks::from_docker(&[odd, json!(null)], &mut warnings);
        assert_eq!(bridge(&networks, None, "odd").as_deref(), Some("br-0123456789ab"));
        let [(_, odd)] = &networks.0[..] else { panic!("one network") };
        assert!(!odd.internal && odd.between_members);
        assert_eq!(warnings, ["the engine describes the network odd oddly, left out: Options"]);
    }
}
