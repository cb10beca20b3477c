//! What can be typed: the commands, their options and their help. Values are parsed here, once; nothing runs here.

use std::{mem, num::NonZeroU64, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing_subscriber::filter::Targets;

use crate::meter::SortKey;
use crate::model::Selector;
use crate::report::{DumpFrom, HexDump, SequenceNumbers, TimeStyle};

use super::bench_args::BenchArgs;
use super::capture_args::CaptureArgs;
use super::remote::{RemoteArgs, RemoteHost};
use super::sandbox_args::{NetArgs, RunArgs};
use super::why_args::WhyArgs;
use super::wireshark_args::WiresharkArgs;
use super::{select, units};

const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   found a fault, the answer is no, or a failure without a code of its own
  2   wrong usage
  3   not permitted; the message names the capability
  4   no such container or interface
  5   the kernel or the engine lacks something, or the disk is full
  6   packets were lost and --fail-on-loss was given
  70  a bug in pcapsule
  130 ended by a signal (capture: by a second one) before the output was whole";

/// See the containers of this host, and capture their traffic into pcapng for Wireshark.
#[derive(Debug, Parser)]
#[command(name = "pcapsule", version, after_help = EXIT_CODES, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) global: GlobalArgs,
    /// Run ls, inspect, capture or top with pcapsule on another host, through ssh: ssh://[user@]host[:port]
    #[arg(short = 'H', long = "host", id = "called", value_name = "URL")]
    pub(super) host: Option<RemoteHost>,
    /// Given by the other end of a `-H`: its version
    #[arg(long, value_name = "VERSION", hide = true)]
    pub(super) remote_end: Option<String>,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Args)]
pub(super) struct GlobalArgs {
    /// Colour the output: auto, always or never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    #[arg(display_order = 100)]
    pub(super) color: When,
    /// Log to stderr, e.g. debug or pcapsule::discovery=trace
    #[arg(long, global = true, value_name = "FILTER", env = "PCAPSULE_LOG", hide_env_values = true)]
    #[arg(display_order = 101)]
    pub(super) log: Option<Targets>,
}

/// When to colour. `auto`: on a terminal, unless NO_COLOR is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List containers: image, mode, addresses, host veth, bridge, published ports
    Ls(ListArgs),
    /// Show a container's whole way to the network: veth, bridge, NAT, routes, DNS, counters
    Inspect(InspectArgs),
    /// Capture the traffic of containers into a file, a pipe or the terminal
    Capture(Box<CaptureArgs>),
    /// Print the packets of a capture file
    Read(ReadArgs),
    /// Show what each container sends and receives, second by second
    Top(TopArgs),
    /// Run a command as a container would be connected: on a bridge, alone, in another's namespace
    Run(Box<RunArgs>),
    /// Sandboxes that outlive a command: plan, up, down, ls, prune
    Net(Box<NetArgs>),
    /// Explain why a connection to a container does not work, or that all is well
    Why(Box<WhyArgs>),
    /// Measure what bridge, NAT, proxy and macvlan cost against host mode, here
    Bench(Box<BenchArgs>),
    /// Put containers into Wireshark's list of interfaces: install, uninstall, status
    Wireshark(WiresharkArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man(ManArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Selectors (several add up):
  web                  a name, or the start of an id
  name=web-*  id=4f2   image=nginx      label=key[=value]
  network=app          project=shop     service=db        (the last two: Compose)
  pod=web              pid=123          netns=/run/netns/x
  mode=host            bridge, host, none, shared, macvlan, ipvlan, tap, routed
  bridge=docker0       that bridge, with the container behind each port
  if=veth1a2b          that interface of the host, with the container behind it
  cgroup=/a/b.service  the sockets of that cgroup, for `capture` alone
  all                  every container

Examples:
  pcapsule ls                        the running containers
  pcapsule ls if=veth1a2b3c4         which container is behind that veth?
  pcapsule ls bridge=docker0         the ports of a bridge
  pcapsule ls project=shop --watch   redraw at every change
  pcapsule ls --json | jq -r '.containers[].name'")]
#[expect(clippy::struct_excessive_bools, reason = "a flag of the command line each")]
pub(super) struct ListArgs {
    /// What to list; without any, every container
    #[arg(value_name = "SELECTOR", value_parser = select::selector)]
    pub(super) selectors: Vec<Selector>,
    /// List ended containers too
    #[arg(short, long)]
    pub(super) all: bool,
    /// Print names only
    #[arg(short, long, conflicts_with_all = ["json", "watch"])]
    pub(super) quiet: bool,
    /// Neither shorten cells nor drop columns
    #[arg(long)]
    pub(super) no_trunc: bool,
    /// Print one JSON document (docs/json.md); with --watch, one a line
    #[arg(long)]
    pub(super) json: bool,
    /// Stay, and show every change; piped, print + and - lines with the time
    #[arg(long)]
    pub(super) watch: bool,
    #[command(flatten)]
    pub(super) remote: RemoteArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pcapsule inspect web
  pcapsule inspect pid=4711
  pcapsule inspect project=shop --json")]
pub(super) struct InspectArgs {
    /// Which containers; see `pcapsule ls --help`
    #[arg(value_name = "SELECTOR", required = true, value_parser = select::selector)]
    pub(super) selectors: Vec<Selector>,
    /// Print one JSON document (docs/json.md)
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) remote: RemoteArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pcapsule read web.pcapng
  pcapsule read -n -c 10 web.pcapng 'tcp port 80'
  ssh host pcapsule capture web -w - | pcapsule read -")]
pub(super) struct ReadArgs {
    /// A pcapng or pcap file; - is stdin
    pub(super) file: PathBuf,
    /// A pcap-filter(7) expression, instead of -f
    #[arg(value_name = "BPF", conflicts_with = "filter")]
    words: Vec<String>,
    /// Print only packets that match this pcap-filter(7) expression
    #[arg(short = 'f', long, value_name = "BPF")]
    pub(super) filter: Option<String>,
    /// Stop after N packets
    #[arg(short, long, value_name = "N", value_parser = units::at_least_one::<NonZeroU64>)]
    pub(super) count: Option<NonZeroU64>,
    #[command(flatten)]
    pub(super) print: PrintArgs,
}

impl ReadArgs {
    /// Makes the words after the file the filter that `-f` would have given.
    pub(super) fn take_words(&mut self) {
        if !self.words.is_empty() {
            self.filter = Some(mem::take(&mut self.words).join(" "));
        }
    }
}

/// How a packet is printed; the letters are tcpdump's.
#[derive(Debug, Args)]
#[command(next_help_heading = "Printing")]
#[expect(clippy::struct_excessive_bools, reason = "a flag of the command line each")]
pub(super) struct PrintArgs {
    /// Print addresses, not names
    #[arg(short = 'n', long, overrides_with = "numeric")]
    pub(super) numeric: bool,
    /// Print the link-level header too
    #[arg(short = 'e', long, overrides_with = "link_header")]
    pub(super) link_header: bool,
    /// Print TCP sequence numbers as sent, not from the start of each conversation
    #[arg(short = 'S', long, overrides_with = "absolute_sequence")]
    absolute_sequence: bool,
    /// Time: -t none, -tt since the epoch, -ttt since the packet before, -tttt with the date, -ttttt since the first
    #[arg(short = 't', action = clap::ArgAction::Count)]
    time: u8,
    /// Dump each packet in hex; -xx with its link-level header
    #[arg(short = 'x', action = clap::ArgAction::Count)]
    hex: u8,
    /// Dump each packet in hex and ASCII; -XX with its link-level header
    #[arg(short = 'X', action = clap::ArgAction::Count, conflicts_with = "hex")]
    ascii: u8,
    /// Nothing more than without: each line is written at once; taken as tcpdump takes it
    #[arg(short = 'l', overrides_with = "line_buffered")]
    line_buffered: bool,
    /// Print one JSON object a packet
    #[arg(long, conflicts_with_all = ["hex", "ascii", "time", "link_header"])]
    pub(super) json: bool,
}

impl PrintArgs {
    /// By how often `-t` was typed.
    pub(super) fn time(&self) -> TimeStyle {
        match self.time {
            0 => TimeStyle::TimeOfDay,
            1 => TimeStyle::None,
            2 => TimeStyle::Epoch,
            3 => TimeStyle::Delta,
            4 => TimeStyle::Date,
            _ => TimeStyle::SinceFirst,
        }
    }

    /// As sent, or counted from the start of each conversation.
    pub(super) fn sequence_numbers(&self) -> SequenceNumbers {
        if self.absolute_sequence { SequenceNumbers::Absolute } else { SequenceNumbers::Relative }
    }

    /// By how often `-x` or `-X` was typed.
    pub(super) fn dump(&self) -> HexDump {
        match (self.hex, self.ascii) {
            (0, 0) => HexDump::None,
            (1, _) => HexDump::Hex(DumpFrom::Network),
            (0, 1) => HexDump::HexAndText(DumpFrom::Network),
            (0, _) => HexDump::HexAndText(DumpFrom::Link),
            (_, _) => HexDump::Hex(DumpFrom::Link),
        }
    }

    /// The first option given that only a printed line can show.
    pub(super) fn about_lines(&self) -> Option<&'static str> {
        let options = [
            (self.link_header, "-e"),
            (self.time > 0, "-t"),
            (self.hex > 0, "-x"),
            (self.ascii > 0, "-X"),
            (self.json, "--json"),
        ];
        options.into_iter().find_map(|(given, option)| given.then_some(option))
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Keys: b, p, c, d, r, n sort by bytes, packets, connections, drops, retransmissions, name; arrows,
PgUp and PgDn, Home and End scroll; q quits.

What is counted: a container with a namespace of its own by its interfaces (frames with their
Ethernet header); one in host mode, or that shares a namespace, by a program in the kernel on its
cgroup (IP packets, loopback too). No packet is copied.

Examples:
  pcapsule top
  pcapsule top project=shop -d 5
  pcapsule top --once mode=host
  pcapsule top --json -n 60 | jq -c '.containers[] | [.name, .rx_bits_per_second]'")]
pub(super) struct TopArgs {
    /// Which containers; without any, all; see `pcapsule ls --help`
    #[arg(value_name = "SELECTOR", value_parser = select::selector)]
    pub(super) selectors: Vec<Selector>,
    /// Seconds between two refreshes
    #[arg(short, long, value_name = "SECONDS", default_value = "1", value_parser = units::duration)]
    pub(super) delay: Duration,
    /// Stop after N refreshes
    #[arg(short = 'n', long, value_name = "N", value_parser = units::at_least_one::<NonZeroU64>)]
    pub(super) iterations: Option<NonZeroU64>,
    /// Print one table after one delay, and stop
    #[arg(long, conflicts_with = "iterations")]
    pub(super) once: bool,
    /// Print one table after the other, as is done anyway where stdout is no terminal
    #[arg(short, long)]
    pub(super) batch: bool,
    /// Print one JSON document a refresh, one a line (docs/json.md)
    #[arg(long, conflicts_with = "batch")]
    pub(super) json: bool,
    /// Sort by bytes, packets, connections, drops, retransmissions (the most first) or name
    #[arg(short = 'o', long, value_name = "KEY", default_value = "bytes", hide_possible_values = true)]
    pub(super) sort: Sort,
    #[command(flatten)]
    pub(super) remote: RemoteArgs,
}

/// What `top` sorts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Sort {
    Bytes,
    Packets,
    Connections,
    Drops,
    Retransmissions,
    Name,
}

impl From<Sort> for SortKey {
    fn from(sort: Sort) -> Self {
        match sort {
            Sort::Bytes => Self::Bytes,
            Sort::Packets => Self::Packets,
            Sort::Connections => Self::Connections,
            Sort::Drops => Self::Drops,
            Sort::Retransmissions => Self::Retransmissions,
            Sort::Name => Self::Name,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pcapsule completions bash > /etc/bash_completion.d/pcapsule
  pcapsule completions zsh > ~/.zfunc/_pcapsule")]
pub(super) struct CompletionsArgs {
    /// The shell
    pub(super) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pcapsule man | man -l -
  pcapsule man --dir /usr/local/share/man/man1")]
pub(super) struct ManArgs {
    /// Write one page per command into DIR instead
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_tree_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_words_after_a_file_are_its_filter() {
        let filter = |words: &str| match Arguments::parse_from(words.split(' ')).command {
            Command::Read(mut args) => {
                args.take_words();
                args.filter
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(filter("pcapsule read f"), None);
        assert_eq!(filter("pcapsule read f -f udp").as_deref(), Some("udp"));
        assert_eq!(filter("pcapsule read f -n tcp port 80 -e").as_deref(), Some("tcp port 80"));
        assert_eq!(filter("pcapsule read -n f -- tcp port 80").as_deref(), Some("tcp port 80"));
    }

    #[test]
    fn letters_may_be_repeated_as_fingers_used_to_tcpdump_do() {
        for words in ["read f -nn", "read f -n -n -l -l -ee -SS", "capture web -nnvvvl -qq -UU -pp -w f"] {
            let line = ["pcapsule"].into_iter().chain(words.split(' '));
            assert!(Arguments::try_parse_from(line).is_ok(), "{words}");
        }
    }

    #[test]
    fn repeated_letters_mean_what_they_mean_in_tcpdump() {
        let print = |words: &str| match Arguments::parse_from(words.split(' ')).command {
            Command::Read(args) => (args.print.time(), args.print.dump()),
            other => panic!("{other:?}"),
        };
        assert_eq!(print("pcapsule read f"), (TimeStyle::TimeOfDay, HexDump::None));
        assert_eq!(print("pcapsule read f -tttt -x"), (TimeStyle::Date, HexDump::Hex(DumpFrom::Network)));
        assert_eq!(print("pcapsule read f -tt -XX"), (TimeStyle::Epoch, HexDump::HexAndText(DumpFrom::Link)));
        assert_eq!(print("pcapsule read f -t -xx"), (TimeStyle::None, HexDump::Hex(DumpFrom::Link)));
    }
}
