//! The ground of a measurement: namespaces like those of containers, joined by veth pairs and a bridge that stands in a
//! namespace of its own, so that the host's network is not touched. Everything goes when the lab is dropped.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{self, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, Result, ensure};
use pcapsule::sys::netns::Namespace;

const FOLDER: &str = "/run/netns";
const PREFIX: &str = "pcbench";
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Namespaces that send, the bridge, and one namespace where all of it ends.
pub(crate) struct Lab {
    owned: Vec<String>,
    bridge: Place,
    senders: Vec<Place>,
    sink: Place,
}

/// One of the namespaces; its interface is `eth0`.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Its name below /run/netns.
    pub(crate) name: String,
    pub(crate) namespace: Namespace,
    /// The address of its interface.
    pub(crate) address: String,
    /// The other end of its interface, at the bridge.
    pub(crate) port: String,
}

impl Lab {
    /// Builds it with that many senders.
    pub(crate) fn build(senders: usize) -> Result<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("{PREFIX}{}-{number}", process::id());
        let mut owned = Owned(Vec::new());
        let bridge = owned.add(format!("{prefix}-bridge"))?;
        bridge.namespace.within(|| {
            // Firewall rules see bridged frames where br_netfilter is loaded; they would be the generator's burden.
            let _ = fs::write("/proc/sys/net/bridge/bridge-nf-call-iptables", "0");
        })?;
        ip(&bridge.name, "link add br0 type bridge forward_delay 0 mcast_snooping 0\nlink set br0 up\n")?;
        let sink = Place { port: "sink".to_owned(), ..owned.add(format!("{prefix}-sink"))? };
        plug(&bridge, &sink)?;
        let mut places = Vec::new();
        for index in 0..senders {
            let mut place = owned.add(format!("{prefix}-c{index}"))?;
            place.address = format!("10.99.{}.{}", index / 200, index % 200 + 1);
            place.port = format!("c{index}");
            plug(&bridge, &place)?;
            places.push(place);
        }
        Ok(Self { owned: std::mem::take(&mut owned.0), bridge, senders: places, sink })
    }

    /// Lets what the senders send end where it enters the bridge: the generator is a quarter faster then, for tests of
    /// what others cannot keep up with.
    pub(crate) fn end_at_ports(&self) -> Result<()> {
        let disable = |place: &Place| {
            let disabled = ["link", "set", "dev", &place.port, "state", "0"];
            run(Command::new("bridge").args(["-n", &self.bridge.name]).args(disabled))
        };
        self.senders.iter().try_for_each(disable)
    }

    /// Those that send, and are captured.
    pub(crate) fn senders(&self) -> &[Place] {
        &self.senders
    }

    /// The namespace of the bridge, with the other ends of all interfaces.
    pub(crate) fn bridge(&self) -> &Place {
        &self.bridge
    }

    /// Where streams end. Generated frames go to an address that is nobody's, and end at the bridge.
    pub(crate) fn sink(&self) -> &Place {
        &self.sink
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        Owned(std::mem::take(&mut self.owned));
    }
}

/// Removes what a run left that was killed before it could tidy up.
pub(crate) fn sweep() {
    let entries = fs::read_dir(FOLDER).into_iter().flatten().flatten();
    for name in entries.filter_map(|entry| entry.file_name().into_string().ok()) {
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists()) {
            drop(Owned(vec![name]));
        }
    }
}

/// The names of namespaces to be deleted.
struct Owned(Vec<String>);

impl Owned {
    /// A new one without IPv6, whose own packets would not be counted.
    fn add(&mut self, name: String) -> Result<Place> {
        run(Command::new("ip").args(["netns", "add", &name]))?;
        self.0.push(name.clone());
        let namespace = Namespace::open(&Path::new(FOLDER).join(&name))?;
        namespace.within(|| {
            // A kernel without IPv6 has no such file, and needs none.
            let _ = fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
            let _ = fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
        })?;
        Ok(Place { name, namespace, address: "10.99.255.254".to_owned(), port: String::new() })
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        for name in &self.0 {
            let _ = Command::new("ip").args(["netns", "delete", name]).stderr(Stdio::null()).status();
        }
    }
}

/// Joins a namespace to the bridge.
fn plug(bridge: &Place, place: &Place) -> Result<()> {
    let (name, port) = (&place.name, &place.port);
    ip(
        &bridge.name,
        &format!("link add {port} type veth peer name eth0 netns {name}\nlink set {port} master br0 up\n"),
    )?;
    // What is for nobody ends at the bridge: the generator's core has enough to do without copies for all.
    run(Command::new("bridge").args(["-n", &bridge.name, "link", "set", "dev", port, "flood", "off"]))?;
    let address = &place.address;
    ip(name, &format!("link set lo up\naddr add {address}/16 dev eth0\nlink set eth0 up\n"))?;
    // Datagrams that are sent several at a time are to be cut before anybody sees them.
    place
        .namespace
        .within(|| run(Command::new("ethtool").args(["-K", "eth0", "tx-udp-segmentation", "off"])))?
}

/// Runs lines of `ip` inside a namespace.
fn ip(namespace: &str, lines: &str) -> Result<()> {
    let mut command = Command::new("ip");
    command.args(["-n", namespace, "-batch", "-"]);
    let mut child =
        command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().context("starting ip (iproute2)")?;
    child.stdin.take().context("standard input is piped")?.write_all(lines.as_bytes())?;
    let output = child.wait_with_output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip in {namespace}: {}", errors.trim());
    Ok(())
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("starting {command:?}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}", errors.trim());
    Ok(())
}
