//! What can be typed after `wireshark`.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(super) struct WiresharkArgs {
    #[command(subcommand)]
    pub(super) command: WiresharkCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum WiresharkCommand {
    /// Put pcapsule among Wireshark's interfaces; a profile with columns and colours, too, if wanted
    Install(InstallArgs),
    /// Take back what install put there, and nothing else
    Uninstall(UninstallArgs),
    /// Test what is installed as Wireshark uses it, and name what to do about each fault
    Status(StatusArgs),
    /// Print the capabilities that this process lacks, a name a line
    #[command(hide = true)]
    Rights,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Where: the folders that `tshark -G folders` names, which differ between versions. What is there
under that name and is not pcapsule's is left alone. A link follows the program when that is
updated; a copy is made for everybody's Wireshark if others could change or not reach the program.

Rights: Wireshark starts pcapsule as whoever uses Wireshark, not as dumpcap. Containers that you run
without root need nothing more. For all others, --group lets a group capture as dumpcap's group does
on Debian: a copy of the program belongs to root and that group, others cannot run it, and it has
file capabilities:
  cap_net_raw      hear every interface
  cap_net_admin    see links of other namespaces, large buffers; would allow to change the network
  cap_sys_admin    enter containers' namespaces, load filters; much of what root may
  cap_sys_ptrace   find the namespaces of other users' processes; would allow to read their memory
pcapsule gives up what it does not need before it looks at a packet. Still: who is in that group
can read the traffic of every container, and by `pcapsule run --net container:…` speak in its place.

Examples:
  pcapsule wireshark install --profile
  sudo pcapsule wireshark install --system --group wireshark && sudo adduser $USER wireshark
  wireshark -C pcapsule")]
pub(super) struct InstallArgs {
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
    /// Also a profile named pcapsule: columns for container, direction and process, colour rules, filters, and a
    /// dissector (Lua) that makes fields pcapsule.* of the names in the file
    #[arg(long)]
    pub(super) profile: bool,
    /// Copy the program rather than link to it
    #[arg(long)]
    pub(super) copy: bool,
    /// Let members of this group capture: file capabilities, and nobody else may run it; needs root
    #[arg(long, value_name = "GROUP")]
    pub(super) group: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Files of the profile that were changed since are left where they are, and named.

Examples:
  pcapsule wireshark uninstall
  sudo pcapsule wireshark uninstall --system")]
pub(super) struct UninstallArgs {
    #[command(flatten)]
    pub(super) scope: ScopeArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 all is well, 1 something is not, 5 there is no tshark to ask.

Examples:
  pcapsule wireshark status
  pcapsule wireshark status --json | jq -r '.checks[] | select(.verdict == \"fault\") | .fix'")]
pub(super) struct StatusArgs {
    /// Print one JSON document (docs/json.md)
    #[arg(long)]
    pub(super) json: bool,
}

/// Whose Wireshark.
#[derive(Debug, Args)]
pub(super) struct ScopeArgs {
    /// In your own folders; so without being asked, unless you are root
    #[arg(long, conflicts_with = "system")]
    pub(super) user: bool,
    /// In everybody's folders; so without being asked if you are root
    #[arg(long)]
    pub(super) system: bool,
}
