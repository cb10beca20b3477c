//! What a plan is made from: the host as it is now, read at once. Nothing here decides.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::model::Link;
use crate::sys::iptables::Family;
use crate::sys::netlink::Route;
use crate::sys::plumbing::{self, Plumbing};
use crate::sys::{cgroup, may_write, random_bytes, sysctl};

use super::{
    coexist::{self, Obstacle},
    record::{Error as RecordError, Record, RunId, State},
    resolver,
    spec::{Ipv6, Mode, Name, Spec},
    subnet::Subnet,
};

/// What can go wrong with reading.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the causes say it all")]
pub enum Error {
    #[error("looking at the host's network")]
    Netlink(#[from] plumbing::Error),
    #[error("looking at what is written down")]
    Record(#[from] RecordError),
}

/// The host, its sandboxes, and what is drawn by lot.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The host's links with their addresses.
    pub links: Vec<Link>,
    /// Its routes.
    pub routes: Vec<Route>,
    /// Its nameservers.
    pub nameservers: Vec<IpAddr>,
    /// Networks that container engines are configured to use.
    pub pools: Vec<Subnet>,
    /// The live sandboxes.
    pub sandboxes: Vec<Record>,
    /// What it forwards.
    pub forwarding: Forwarding,
    /// What drops packets that it forwards.
    pub obstacles: Vec<Obstacle>,
    /// What could not be learnt, in sentences for the user.
    pub notes: Vec<String>,
    /// Whether it can have cgroups of ours.
    pub cgroups: Cgroups,
    /// Random, for hardware addresses and networks.
    pub seed: [u8; 18],
}

/// What a host forwards, and by which settings it can be made to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forwarding {
    /// Everything of IPv4.
    pub ipv4: bool,
    /// Everything of IPv6; none without IPv6.
    pub ipv6: Option<bool>,
    /// IPv6 can be forwarded between some interfaces alone (`force_forwarding`, Linux 6.17).
    pub ipv6_by_interface: bool,
}

/// Whether a sandbox can have a cgroup of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cgroups {
    /// It can.
    Writable,
    /// There is no hierarchy of version 2, or it may not be written.
    Missing,
}

/// Who the run is.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Identity {
    pub id: RunId,
    pub name: Name,
}

impl Facts {
    /// Reads everything, in the calling thread's namespace.
    pub fn gather(plumbing: &mut Plumbing, state: &State, spec: &Spec) -> Result<Self, Error> {
        let (obstacles, notes) = in_the_way(spec);
        Ok(Self {
            obstacles,
            notes,
            links: plumbing.links()?,
            routes: plumbing.routes()?,
            nameservers: resolver::host_nameservers(),
            pools: engine_pools(Path::new("/")),
            sandboxes: state.live(),
            forwarding: forwarding(),
            cgroups: cgroups(),
            seed: random_bytes().map_err(RecordError::Random)?,
        })
    }
}

/// What the packets of a sandbox on a bridge have to get past.
fn in_the_way(spec: &Spec) -> (Vec<Obstacle>, Vec<String>) {
    let Mode::Bridge(bridge) = &spec.mode else { return (Vec::new(), Vec::new()) };
    let families: &[Family] = match bridge.ipv6 {
        Ipv6::Off => &[Family::V4],
        Ipv6::On => &[Family::V4, Family::V6],
    };
    match coexist::obstacles(families) {
        Ok(obstacles) => (obstacles, Vec::new()),
        Err(error) => {
            let cause =
                std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            (
                Vec::new(),
                vec![format!("whether a firewall is in the way is not known: failed {error}{cause}")],
            )
        }
    }
}

fn cgroups() -> Cgroups {
    let Ok(hierarchy) = cgroup::Hierarchy::find() else { return Cgroups::Missing };
    if may_write(hierarchy.mount()) { Cgroups::Writable } else { Cgroups::Missing }
}

fn forwarding() -> Forwarding {
    let is_on = |name: &str| sysctl::own(name).map(|value| value != "0");
    Forwarding {
        ipv4: is_on("net.ipv4.ip_forward").unwrap_or(false),
        ipv6: is_on("net.ipv6.conf.all.forwarding"),
        ipv6_by_interface: sysctl::own("net.ipv6.conf.all.force_forwarding").is_some(),
    }
}

/// Networks named by the settings of engines: Docker's pools and `bip`, networks of Podman and CNI.
fn engine_pools(root: &Path) -> Vec<Subnet> {
    const FOLDERS: [&str; 3] = ["etc/containers/networks", "var/lib/containers/networks", "etc/cni/net.d"];
    let is_setting = |path: &PathBuf| {
        path.extension().is_some_and(|end| ["json", "conf", "conflist"].iter().any(|known| end == *known))
    };
    let entries = FOLDERS.iter().flat_map(|folder| fs::read_dir(root.join(folder)).into_iter().flatten());
    let files = entries.flatten().map(|entry| entry.path()).filter(is_setting);
    let mut pools = Vec::new();
    for path in files.chain([root.join("etc/docker/daemon.json")]) {
        let Ok(text) = fs::read(&path) else { continue };
        if let Ok(setting) = serde_json::from_slice(&text) {
            collect(&setting, &mut pools);
        }
    }
    pools
}

/// Every network that stands under a word for one, at any depth.
fn collect(value: &Value, pools: &mut Vec<Subnet>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let is_network = ["subnet", "base", "bip", "fixed-cidr"].contains(&name.as_str());
                match value.as_str().filter(|_| is_network).and_then(|text| text.parse().ok()) {
                    Some(subnet) => pools.push(subnet),
                    None => collect(value, pools),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, pools)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_settings_name_their_networks() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write(
            "etc/docker/daemon.json",
            r#"{"bip": "10.5.0.1/24", "default-address-pools": [{"base": "10.6.0.0/16", "size": 24}]}"#,
        );
        write("etc/containers/networks/a.json", r#"{"subnets": [{"subnet": "10.7.0.0/24"}, {"subnet": 1}]}"#);
        write("etc/cni/net.d/b.conflist", "not json");
        write("etc/cni/net.d/readme.txt", r#"{"subnet": "10.8.0.0/24"}"#);
        let pools: Vec<String> = engine_pools(root.path()).iter().map(ToString::to_string).collect();
        assert_eq!(pools, ["10.7.0.0/24", "10.5.0.0/24", "10.6.0.0/16"]);
    }
}
