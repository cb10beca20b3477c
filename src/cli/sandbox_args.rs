//! What can be typed of sandboxes: `run` and `net`, their options and their help.

use std::{ffi::OsString, net::IpAddr, str::FromStr as _};

use clap::{Args, Subcommand};

use crate::model::{LinkName, Mac};
use crate::netmode::{InvalidSpec, Ipv6, Name, NetWord, Options, Publication, Reach, Spec, Subnet};

use super::offer::offer;

#[derive(Debug, Args)]
#[command(after_help = "\
Everything is undone when the command ends, however it ends: interfaces, addresses, rules,
settings. Nothing has to be set up before; no engine and no image is needed.

Exit codes: the command's own; 128 and the number of the signal that ended it; 126 if it cannot be
executed, 127 if it is not there; before it is started, those of pcapsule.

Examples:
  pcapsule run -- ip address
  pcapsule run --name web -p 8080:80 -- busybox httpd -f -p 80
  pcapsule run --net container:web -- ss -tlnp
  pcapsule run --net none -- sh
  pcapsule run --net macvlan --parent eth0 --ip 192.0.2.20 -- sh")]
pub(super) struct RunArgs {
    /// Say nothing but what goes wrong
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// The command and its arguments
    #[arg(value_name = "CMD", required = true, trailing_var_arg = true)]
    pub(super) command: Vec<OsString>,
    #[command(flatten)]
    pub(super) sandbox: SandboxArgs,
}

/// How a sandbox is connected.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub(super) struct SandboxArgs {
    /// How it is connected: bridge, host, none, container:NAME or macvlan
    #[arg(
        long,
        alias = "network",
        value_name = "MODE",
        default_value = "bridge",
        hide_possible_values = true
    )]
    #[arg(value_parser = offer(NetWord::from_str, ["bridge", "host", "none", "container:", "macvlan"]))]
    net: NetWord,
    /// Its name, which others on its bridge resolve; without, one is made up
    #[arg(long, value_name = "NAME")]
    name: Option<Name>,
    /// Publish ports: [IP:][HOST[-HOST]:]PORT[-PORT][/udp]; without HOST, a free one; several add up
    #[arg(short = 'p', long, value_name = "PORTS")]
    publish: Vec<Publication>,
    /// The bridge, made if it is not there; one that is there is left as it is
    #[arg(long, value_name = "NAME")]
    bridge: Option<LinkName>,
    /// The network of the bridge, once for each family; without, one that collides with nothing
    #[arg(long, value_name = "CIDR")]
    subnet: Vec<Subnet>,
    /// Its address, once for each family; without, a free one
    #[arg(long, value_name = "ADDRESS")]
    ip: Vec<IpAddr>,
    /// IPv6 too
    #[arg(long)]
    ipv6: bool,
    /// The MTU; without, that of the way out of the host
    #[arg(long, value_name = "BYTES")]
    mtu: Option<u32>,
    /// Its hardware address
    #[arg(long, value_name = "MAC")]
    mac: Option<Mac>,
    /// No way out of its bridge
    #[arg(long)]
    internal: bool,
    /// With macvlan: the interface of the host it is on
    #[arg(long, value_name = "LINK")]
    parent: Option<LinkName>,
    /// With macvlan: its gateway; without, the host's on that interface
    #[arg(long, value_name = "ADDRESS")]
    gateway: Option<IpAddr>,
}

impl SandboxArgs {
    /// Why the options do not go together.
    pub(super) fn refusal(&self) -> Option<String> {
        self.spec().err().map(|invalid| invalid.to_string())
    }

    /// What was asked for, if it means something together.
    pub(super) fn spec(&self) -> Result<Spec, InvalidSpec> {
        Spec::new(Options {
            net: self.net.clone(),
            name: self.name.clone(),
            bridge: self.bridge.clone(),
            subnets: self.subnet.clone(),
            addresses: self.ip.clone(),
            ipv6: if self.ipv6 { Ipv6::On } else { Ipv6::Off },
            mtu: self.mtu,
            mac: self.mac,
            reach: if self.internal { Reach::Bridge } else { Reach::Everywhere },
            publications: self.publish.clone(),
            parent: self.parent.clone(),
            gateway: self.gateway,
        })
    }
}

#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(super) struct NetArgs {
    #[command(subcommand)]
    pub(super) command: NetCommand,
}

impl NetArgs {
    /// Why the options do not go together, and of which command they are.
    pub(super) fn refusal(&self) -> Option<(Vec<&'static str>, String)> {
        match &self.command {
            NetCommand::Plan(args) => args.sandbox.refusal().map(|reason| (vec!["net", "plan"], reason)),
            NetCommand::Up(args) => args.sandbox.refusal().map(|reason| (vec!["net", "up"], reason)),
            _ => None,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum NetCommand {
    /// Print what `up` would do, step by step, each with its undo; nothing is changed
    Plan(PlanArgs),
    /// Make a sandbox that outlives this command, and print its name
    Up(UpArgs),
    /// Undo sandboxes made by `up`
    Down(DownArgs),
    /// List the sandboxes of this host
    Ls(SandboxListArgs),
    /// Undo what runs have left that were killed, and print their names
    Prune(PruneArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pcapsule net plan
  pcapsule net plan --net bridge --ipv6 --json | jq -r '.steps[].do'")]
pub(super) struct PlanArgs {
    /// Print one JSON document (docs/json.md)
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) sandbox: SandboxArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pcapsule net up --name web -p 8080:80
  pcapsule run --net container:web -- busybox httpd -f -p 80
  pcapsule net down web")]
pub(super) struct UpArgs {
    /// Do not print the name
    #[arg(short, long)]
    pub(super) quiet: bool,
    #[command(flatten)]
    pub(super) sandbox: SandboxArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pcapsule net down web
  pcapsule net down --all")]
pub(super) struct DownArgs {
    /// Which sandboxes, by name or id
    #[arg(value_name = "NAME", required_unless_present = "all", conflicts_with = "all")]
    pub(super) names: Vec<String>,
    /// All of them, also those of `run`, whose commands are killed
    #[arg(long)]
    pub(super) all: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pcapsule net ls
  pcapsule net ls --json | jq -r '.sandboxes[].addresses[]'")]
pub(super) struct SandboxListArgs {
    /// Print names only
    #[arg(short, long, conflicts_with = "json")]
    pub(super) quiet: bool,
    /// Print one JSON document (docs/json.md)
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct PruneArgs {}
