//! Who is compared: pcapsule, netavark called as podman calls it, and a whole `docker run`.

use std::{
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::{
    docker::Docker,
    lab::{ADDRESS, Host, in_network},
    measure::Sample,
};

/// The first published port of the host and the first of the sandbox: shifted, so that every port has a translation.
const HOST_PORT: u16 = 20_000;
const INNER_PORT: u16 = 1_000;
const NAME: &str = "bench";
const NETWORK_ID: &str = "2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9";
/// Where podman's packages put it.
const NETAVARK: &str = "/usr/lib/podman/netavark";
const PATIENCE: Duration = Duration::from_secs(3);

/// A program with its number of published ports.
#[derive(Debug, Clone)]
pub(crate) struct Contender {
    program: Program,
    ports: u16,
}

#[derive(Debug, Clone)]
enum Program {
    Pcapsule { name: String, path: PathBuf },
    Netavark,
    Docker { network: &'static str },
}

impl Contender {
    pub(crate) fn pcapsule(name: &str, path: PathBuf, ports: u16) -> Self {
        Self { program: Program::Pcapsule { name: name.to_owned(), path }, ports }
    }

    pub(crate) fn netavark(ports: u16) -> Self {
        Self { program: Program::Netavark, ports }
    }

    /// `docker run` without a network, and with its bridge.
    pub(crate) fn docker(network: &'static str, ports: u16) -> Self {
        Self { program: Program::Docker { network }, ports }
    }

    /// Whether Debian's netavark is there.
    pub(crate) fn has_netavark() -> bool {
        std::path::Path::new(NETAVARK).exists()
    }

    /// What it is called in tables.
    pub(crate) fn name(&self) -> String {
        let program = match &self.program {
            Program::Pcapsule { name, .. } => name.as_str(),
            Program::Netavark => "netavark",
            Program::Docker { network } => &format!("docker run --net {network}"),
        };
        match self.ports {
            1 => format!("{program}, 1 port"),
            ports => format!("{program}, {ports} ports"),
        }
    }

    /// One set-up, looked at through its first and its last port, and one teardown, on a host of its own.
    pub(crate) fn measure(&self, docker: Option<&Docker>) -> Result<Sample> {
        let sample = match &self.program {
            Program::Pcapsule { path, .. } => self.measure_pcapsule(path),
            Program::Netavark => self.measure_netavark(),
            Program::Docker { network } => {
                let docker = docker.context("there is an engine")?;
                let port = (self.ports > 0).then_some(HOST_PORT);
                Ok(Sample { set_up: docker.run(network, port)?, ..Sample::of(self.name()) })
            }
        };
        sample.with_context(|| format!("measuring {}", self.name()))
    }

    fn measure_pcapsule(&self, path: &std::path::Path) -> Result<Sample> {
        let host = Host::fresh()?;
        let mut up = Command::new(path);
        up.args(["net", "up", "--name", NAME]);
        if let Some(last) = self.ports.checked_sub(1) {
            let (outer, inner) = (HOST_PORT + last, INNER_PORT + last);
            up.args(["-p", &format!("{HOST_PORT}-{outer}:{INNER_PORT}-{inner}")]);
        }
        let set_up = host.timed(&mut up)?;
        let listing = host.run(Command::new(path).args(["net", "ls", "--json"]))?;
        let listing: Value = serde_json::from_str(&listing)?;
        let pid = &listing["sandboxes"][0]["process"];
        self.look(&host, &host.path(&format!("/proc/{pid}/ns/net")))?;
        let (memory_mib, processes) = host.memory()?;
        let teardown = host.timed(Command::new(path).args(["net", "down", NAME]))?;
        Ok(Sample { set_up, teardown, memory_mib, processes, ..Sample::of(self.name()) })
    }

    /// podman has made the namespace by then, and takes it away afterwards: neither is in the figures.
    fn measure_netavark(&self) -> Result<Sample> {
        let host = Host::fresh()?;
        host.run(Command::new("ip").args(["netns", "add", NAME]))?;
        let set_up = host.timed(&mut self.netavark_command(&host, "setup")?)?;
        self.look(&host, &host.path(&format!("/run/netns/{NAME}")))?;
        let teardown = host.timed(&mut self.netavark_command(&host, "teardown")?)?;
        Ok(Sample { set_up, teardown, ..Sample::of(self.name()) })
    }

    /// The configuration comes by standard input, from a file that is there already.
    fn netavark_command(&self, host: &Host, word: &str) -> Result<Command> {
        let path = host.path("/run/netavark.json");
        std::fs::File::create(&path)?.write_all(self.netavark_configuration().to_string().as_bytes())?;
        let mut command = Command::new(NETAVARK);
        command.arg(word).arg(format!("/run/netns/{NAME}")).stdin(std::fs::File::open(path)?);
        Ok(command)
    }

    /// What podman 4 sends for a container at its default network: a range of ports is one mapping.
    fn netavark_configuration(&self) -> Value {
        let mapping = json!({
            "container_port": INNER_PORT, "host_ip": "", "host_port": HOST_PORT, "protocol": "tcp", "range": self.ports,
        });
        let mappings: &[Value] = if self.ports > 0 { &[mapping] } else { &[] };
        json!({
            "container_id": "4031bf906bd8ad7af5ebaa0da1a6ad4031bf906bd8ad7af5ebaa0da1a6ad4031",
            "container_name": NAME,
            "port_mappings": mappings,
            "networks": { "podman": { "static_ips": ["10.88.0.2"], "interface_name": "eth0" } },
            "network_info": { "podman": {
                "name": "podman", "id": NETWORK_ID, "driver": "bridge", "network_interface": "podman0",
                "subnets": [{ "subnet": "10.88.0.0/16", "gateway": "10.88.0.1" }],
                "ipv6_enabled": false, "internal": false, "dns_enabled": false,
                "ipam_options": { "driver": "host-local" },
            } },
        })
    }

    /// A connection through the first port and one through the last: what does not work has no speed.
    fn look(&self, host: &Host, sandbox: &std::path::Path) -> Result<()> {
        let Some(last) = self.ports.checked_sub(1) else { return Ok(()) };
        for number in [0, last] {
            let listener = in_network(sandbox, || Ok(TcpListener::bind(("0.0.0.0", INNER_PORT + number))?))?;
            let to = SocketAddr::from((ADDRESS, HOST_PORT + number));
            in_network(&host.net(), || Ok(TcpStream::connect_timeout(&to, PATIENCE)?))
                .with_context(|| format!("{} is up, but {to} does not answer", self.name()))?;
            // Accepted inside, not by somebody on the host.
            listener.set_nonblocking(true)?;
            listener.accept().with_context(|| format!("{to} is answered by somebody else"))?;
        }
        Ok(())
    }
}
