//! Two machines per test, joined by a cable: the host on which pcapsule runs, and its neighbour on the LAN, which is also
//! the way to everywhere else.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::PathBuf,
    process::{Command, Output},
};

use super::{Place, Requirement, Snapshot, docker, inside, run};

const PCAPSULE: &str = env!("CARGO_BIN_EXE_pcapsule");

/// The fake host and its neighbour; both gone on drop.
pub(crate) struct Host {
    place: Place,
    neighbour: Place,
}

/// What differs from a host on which nothing but the kernel runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Like {
    /// Docker's rules and bridge are there, and its policy: nothing is forwarded.
    pub(crate) docker: bool,
    /// Frames that a bridge forwards pass through iptables as well.
    pub(crate) bridge_nf: bool,
    /// It forwards already, IPv4 and IPv6.
    pub(crate) router: bool,
}

impl Like {
    /// With Docker there: it forwards, and `br_netfilter` is on.
    pub(crate) const DOCKER: Self = Self { docker: true, bridge_nf: true, router: true };
}

impl Host {
    /// The host's addresses on the LAN; the neighbour's.
    pub(crate) const LAN: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
    pub(crate) const LAN6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 5, 0, 0, 0, 0, 1);
    pub(crate) const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
    pub(crate) const NEIGHBOUR6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 5, 0, 0, 0, 0, 2);

    /// A host with the kernel's own settings; none where a requirement is not met.
    #[track_caller]
    pub(crate) fn make() -> Option<Self> {
        Self::like(Like::default())
    }

    /// A host of that kind; none where a requirement is not met.
    #[track_caller]
    pub(crate) fn like(like: Like) -> Option<Self> {
        if !Requirement::all() {
            return None;
        }
        let host = Self { place: Place::make(), neighbour: Place::make() };
        // What a namespace inherits differs from machine to machine (net.core.devconf_inherit_init_net).
        let (router, bridge_nf) = (u8::from(like.router), u8::from(like.bridge_nf));
        host.place.sh(&format!(
            "sysctl -qw net.ipv4.ip_forward={router} net.ipv6.conf.all.forwarding={router}
             for file in /proc/sys/net/bridge/bridge-nf-call-ip*tables; do
                 [ ! -e $file ] || echo {bridge_nf} >$file
             done
             printf 'nameserver 192.0.2.53\\n' >/run/resolv.conf"
        ));
        host.lay_cable();
        if like.docker {
            docker::install(&host.place);
        }
        Some(host)
    }

    fn lay_cable(&self) {
        let neighbour = self.neighbour.first().to_string();
        let [host_mac, neighbour_mac] = ["02:00:00:00:00:01", "02:00:00:00:00:02"];
        self.net(|| {
            let cable = ["link", "add", "lan0", "address", host_mac, "type", "veth"];
            let other_end = ["peer", "name", "lan0", "address", neighbour_mac, "netns", &neighbour];
            run("ip", &[&cable[..], &other_end].concat());
        });
        for (place, address, address6, other, mac) in [
            (&self.place, Self::LAN, Self::LAN6, Self::NEIGHBOUR6, neighbour_mac),
            (&self.neighbour, Self::NEIGHBOUR, Self::NEIGHBOUR6, Self::LAN6, host_mac),
        ] {
            // No address of the kernel's own making, and nobody to be looked for: nothing changes by itself later, and
            // the first packet gets through (a new link's first multicast is lost).
            place.sh(&format!(
                "ip link set lan0 addrgenmode none
                 ip addr add {address}/24 dev lan0
                 ip addr add {address6}/64 dev lan0 nodad
                 ip link set lan0 up
                 ip neigh replace {other} lladdr {mac} nud permanent dev lan0"
            ));
        }
        self.place.sh(&format!(
            "ip route add default via {} && ip -6 route add default via {}",
            Self::NEIGHBOUR,
            Self::NEIGHBOUR6
        ));
    }

    /// The machine on which pcapsule runs.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Its neighbour on the LAN.
    pub(crate) fn neighbour(&self) -> &Place {
        &self.neighbour
    }

    /// Makes the neighbour an attacker, who sends through the host what is for this network.
    pub(crate) fn route_from_neighbour(&self, network: &str) {
        let gateway: IpAddr = if network.contains(':') { Self::LAN6.into() } else { Self::LAN.into() };
        self.neighbour.run("ip", &["route", "replace", network, "via", &gateway.to_string()]);
    }

    /// Does some work on a thread in the host's network.
    fn net<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        inside(&self.place.net(), work)
    }

    /// Runs a shell script on the host and returns what it printed.
    #[track_caller]
    pub(crate) fn sh(&self, script: &str) -> String {
        self.place.sh(script)
    }

    /// `pcapsule ARGUMENTS`, to be started on the host.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.command(PCAPSULE, arguments);
        command.env("TZ", "UTC");
        command
    }

    /// Runs pcapsule on the host to its end, which must come within twenty seconds.
    #[track_caller]
    pub(crate) fn pcapsule(&self, arguments: &[&str]) -> Output {
        self.pcapsule_with(&[], arguments)
    }

    /// The same with variables in its environment.
    #[track_caller]
    pub(crate) fn pcapsule_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
        let line = [&["--kill-after=5", "20", PCAPSULE], arguments].concat();
        let mut command = self.place.command("timeout", &line);
        self.place.output(command.env("TZ", "UTC").envs(variables.iter().copied()))
    }

    /// Everything that pcapsule may not leave changed.
    #[track_caller]
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.place)
    }

    /// Where pcapsule keeps what it knows of this host's sandboxes, as seen from out here.
    pub(crate) fn state(&self) -> PathBuf {
        self.place.path("/run/pcapsule")
    }

    /// A kernel variable of the host.
    pub(crate) fn sysctl(&self, name: &str) -> String {
        self.net(|| fs::read_to_string(format!("/proc/sys/net/{name}")))
            .expect("the kernel has it")
            .trim()
            .to_owned()
    }
}
