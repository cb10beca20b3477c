//! What can be typed after `capture`. The letters are tcpdump's and dumpcap's and keep their meaning; a mix of them
//! that tcpdump accepts and then ignores is refused here, with the reason.

use std::{
    num::{NonZeroU32, NonZeroU64},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum};

use crate::model::Selector;
use crate::savefile::Format;

use super::args::PrintArgs;
use super::capture::{KeyLogPlace, key_log_place};
use super::remote::{self, RemoteArgs};
use super::select;
use super::units::{self, Bytes};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pcapsule capture web                              a line a packet
  pcapsule capture web -w web.pcapng                into a file for Wireshark
  pcapsule capture web --wireshark                  into the window of Wireshark
  pcapsule capture web db -w - -- tcp port 5432 | wireshark -k -i -
  pcapsule capture project=shop -w shop.pcapng --at container,veth,bridge
  pcapsule capture cgroup=/system.slice/nginx.service
  pcapsule capture all -w ring.pcapng -C 100 --keep 10
  pcapsule capture web -w web.pcapng --keylog web:/tmp/keys
  pcapsule capture web -w web.pcapng --headers --duration 5m --fail-on-loss")]
#[expect(clippy::struct_excessive_bools, reason = "a flag of the command line each")]
pub(super) struct CaptureArgs {
    /// What to capture; see `pcapsule ls --help`
    #[arg(value_name = "SELECTOR", required = true, value_parser = select::selector)]
    pub(super) selectors: Vec<Selector>,
    /// A pcap-filter(7) expression, instead of -f
    #[arg(last = true, value_name = "BPF", conflicts_with = "filter")]
    words: Vec<String>,
    /// Capture only packets that match this pcap-filter(7) expression, at every tap
    #[arg(short = 'f', long, value_name = "BPF")]
    filter: Option<String>,
    /// Where to listen: container, veth, bridge, lo, cgroup (at its sockets; so always in host mode)
    #[arg(long, value_name = "PLACE,…", value_delimiter = ',', default_value = "container")]
    #[arg(hide_possible_values = true)]
    pub(super) at: Vec<Place>,
    /// Listen at the container's sockets instead of its interface, with the process behind each packet. Not seen there:
    /// ARP, packets that nobody receives, headers of the link layer
    #[arg(long, conflicts_with = "at")]
    pub(super) process: bool,
    /// Stop after N packets
    #[arg(short, long, value_name = "N", value_parser = units::at_least_one::<NonZeroU64>)]
    pub(super) count: Option<NonZeroU64>,
    /// Stop after this time: seconds, or like 90s, 5m, 1h30m
    #[arg(long, value_name = "DURATION", value_parser = units::duration)]
    pub(super) duration: Option<Duration>,
    /// Keep at most this many bytes of each packet; 0 means 262144
    #[arg(short = 's', long = "snaplen", value_name = "SNAPLEN", value_parser = units::snaplen)]
    pub(super) snaplen: Option<u32>,
    /// Keep each packet's headers and drop its payload, in the kernel
    #[arg(long)]
    pub(super) headers: bool,
    /// The kernel buffer of each tap, in KiB
    #[arg(short = 'B', long, value_name = "KIB", value_parser = units::at_least_one::<NonZeroU32>)]
    pub(super) buffer: Option<NonZeroU32>,
    /// Leave the interface as it is: take only what it would receive anyhow
    #[arg(short = 'p', long = "no-promiscuous-mode", overrides_with = "no_promiscuous")]
    pub(super) no_promiscuous: bool,
    /// Capture the ssh connection that the output goes through as well; it is left out otherwise
    #[arg(long)]
    pub(super) own_connection: bool,
    /// Only the containers that run now: none that start later
    #[arg(long)]
    pub(super) no_follow: bool,
    /// Leave out the rows that tell what happened to the containers
    #[arg(long)]
    pub(super) no_events: bool,
    /// How packets are taken from the kernel: ring or libpcap
    #[arg(long, value_name = "ENGINE", default_value = "ring", hide_possible_values = true)]
    pub(super) engine: CaptureEngine,
    /// Exit with 6 if a packet was lost
    #[arg(long)]
    pub(super) fail_on_loss: bool,
    /// Write a line to this file descriptor once every tap listens
    #[arg(long, value_name = "FD", value_parser = clap::value_parser!(i32).range(0..))]
    pub(super) ready_fd: Option<i32>,
    /// Show the packets in Wireshark while they come; it ends when Wireshark is closed. PCAPSULE_WIRESHARK names
    /// another command that reads pcapng, as in 'tshark -i -'
    #[arg(long)]
    pub(super) wireshark: bool,
    /// Say less on stderr: no line when listening, no live counters
    #[arg(short, long, overrides_with = "quiet")]
    pub(super) quiet: bool,
    /// More on stderr: counters of each tap
    #[arg(short, long, overrides_with = "verbose")]
    pub(super) verbose: bool,
    #[command(flatten)]
    pub(super) save: SaveArgs,
    #[command(flatten)]
    pub(super) print: PrintArgs,
    #[command(flatten)]
    pub(super) remote: RemoteArgs,
}

/// Where the file goes, and when it ends. SIZE is in millions of bytes, or with k, m, g in KiB, MiB, GiB.
#[derive(Debug, Args)]
#[command(next_help_heading = "File")]
#[expect(clippy::struct_excessive_bools, reason = "a flag of the command line each")]
pub(super) struct SaveArgs {
    /// Write to FILE; - is stdout
    #[arg(short = 'w', long = "write", value_name = "FILE", conflicts_with = "wireshark")]
    pub(super) output: Option<PathBuf>,
    /// Write classic pcap, as a name ending in .pcap does
    #[arg(long, conflicts_with = "pcapng")]
    pcap: bool,
    /// Write pcapng whatever the name
    #[arg(long)]
    pcapng: bool,
    /// Write out each packet at once
    #[arg(short = 'U', long, overrides_with = "packet_buffered")]
    pub(super) packet_buffered: bool,
    /// Begin a new file at this size: millions of bytes, or with k, m, g: KiB, MiB, GiB
    #[arg(short = 'C', long, value_name = "SIZE")]
    pub(super) rotate_size: Option<Bytes>,
    /// Begin a new file after this time; strftime(3) fields in the name are filled in
    #[arg(short = 'G', long, value_name = "SECONDS", value_parser = units::duration)]
    pub(super) rotate_after: Option<Duration>,
    /// With -C: go round in this many files; with -G: stop after as many
    #[arg(short = 'W', long, value_name = "COUNT", value_parser = units::at_least_one::<NonZeroU32>)]
    pub(super) file_count: Option<NonZeroU32>,
    /// Keep the newest N files, delete older ones of this run
    #[arg(long, value_name = "N", conflicts_with = "file_count")]
    #[arg(value_parser = units::at_least_one::<NonZeroU32>)]
    pub(super) keep: Option<NonZeroU32>,
    /// Keep the files of this run below this size together
    #[arg(long, value_name = "SIZE")]
    pub(super) max_total: Option<Bytes>,
    /// Stop rather than leave less than this free on the disk; 0 to fill it
    #[arg(long, value_name = "SIZE", value_parser = units::size_or_zero)]
    pub(super) reserve: Option<Bytes>,
    /// Put the keys of this TLS key log (SSLKEYLOGFILE) into the file as they come up, so that Wireshark shows
    /// plaintext; web:/tmp/keys is a file in the container web. May be repeated
    #[arg(long, value_name = "FILE", value_parser = key_log_place)]
    pub(super) keylog: Vec<KeyLogPlace>,
    /// Overwrite FILE even if it is not a capture file
    #[arg(long)]
    pub(super) force: bool,
    /// Keep each tap's own link type instead of one Ethernet for all
    #[arg(long)]
    pub(super) native_linktypes: bool,
}

/// A place on a packet's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Place {
    /// The interface inside the container.
    Container,
    /// Its far end on the host.
    Veth,
    /// The bridge behind that.
    Bridge,
    /// The container's loopback.
    Lo,
    /// The container's sockets.
    Cgroup,
}

/// How packets are taken from the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CaptureEngine {
    /// Our mapped ring.
    Ring,
    /// libpcap's.
    Libpcap,
}

impl SaveArgs {
    /// As asked for, else by the name.
    pub(super) fn format(&self) -> Format {
        let end = self.output.as_deref().and_then(Path::extension);
        let named_pcap = end.is_some_and(|end| end.eq_ignore_ascii_case("pcap"));
        if self.pcap || (named_pcap && !self.pcapng) { Format::Pcap } else { Format::Pcapng }
    }

    /// What was to be written to a file goes to stdout, in the format that the file's name asked for.
    pub(super) fn send_to_stdout(&mut self) {
        if self.output.is_some() {
            self.pcap = self.format() == Format::Pcap;
            self.pcapng = !self.pcap;
            self.output = Some("-".into());
        }
    }

    /// The first option given that makes more than one file.
    pub(super) fn rotating(&self) -> Option<&'static str> {
        let options = [
            (self.rotate_size.is_some(), "-C"),
            (self.rotate_after.is_some(), "-G"),
            (self.file_count.is_some(), "-W"),
            (self.keep.is_some(), "--keep"),
            (self.max_total.is_some(), "--max-total"),
        ];
        options.into_iter().find_map(|(given, option)| given.then_some(option))
    }

    /// The first option given that is about a file.
    fn about_a_file(&self) -> Option<&'static str> {
        let options = [
            (self.rotate_size.is_some(), "-C"),
            (self.rotate_after.is_some(), "-G"),
            (self.file_count.is_some(), "-W"),
            (self.pcap, "--pcap"),
            (self.pcapng, "--pcapng"),
            (self.packet_buffered, "-U"),
            (self.keep.is_some(), "--keep"),
            (self.max_total.is_some(), "--max-total"),
            (self.reserve.is_some(), "--reserve"),
            (self.force, "--force"),
            (self.native_linktypes, "--native-linktypes"),
            (!self.keylog.is_empty(), "--keylog"),
        ];
        options.into_iter().find_map(|(given, option)| given.then_some(option))
    }
}

impl CaptureArgs {
    /// The filter of `-f` or of the words after `--`.
    pub(super) fn filter(&self) -> Option<String> {
        self.filter.clone().or_else(|| (!self.words.is_empty()).then(|| self.words.join(" ")))
    }

    /// Why this mix of options is not taken, although tcpdump takes most of it and ignores a part.
    pub(super) fn refusal(&self) -> Option<String> {
        let save = &self.save;
        if self.wireshark {
            return self.refusal_of_window().or_else(|| remote::refusal(self));
        }
        if save.output.is_none()
            && let Some(option) = save.about_a_file()
        {
            return Some(format!("{option} needs -w FILE: without it packets are printed"));
        }
        if save.output.is_some()
            && let Some(option) = self.print.about_lines()
        {
            return Some(format!("{option} shapes printed lines, and -w prints none"));
        }
        let needs_pcapng = [
            (save.native_linktypes, "--native-linktypes needs pcapng: a pcap file has one link type"),
            (!save.keylog.is_empty(), "--keylog needs pcapng: a pcap file has no place for keys"),
        ];
        let refused = needs_pcapng.iter().find(|(given, _)| *given && save.format() == Format::Pcap);
        refused.map(|(_, reason)| (*reason).to_owned()).or_else(|| remote::refusal(self))
    }

    /// Why an option is not taken with `--wireshark`.
    fn refusal_of_window(&self) -> Option<String> {
        let shaping = self.print.about_lines().map(|option| (option, "shapes printed lines"));
        // Keys are as good for the window; this is the last option that is looked for.
        let filing = self.save.about_a_file().filter(|option| *option != "--keylog");
        let filing = filing.map(|option| (option, "is about a file"));
        let (option, what) = shaping.or(filing)?;
        Some(format!("{option} {what}, and --wireshark takes the packets itself"))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::{Arguments, Command};

    fn parse(words: &str) -> CaptureArgs {
        match Arguments::parse_from(words.split(' ')).command {
            Command::Capture(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn selectors_options_and_filter_words_stay_apart() {
        let args = parse("pcapsule capture web -w - project=shop -c 5 -s 0 -- tcp port 80");
        assert_eq!(args.selectors.len(), 2);
        assert_eq!(args.filter().as_deref(), Some("tcp port 80"));
        assert_eq!(args.save.output, Some("-".into()));
        assert_eq!(args.snaplen, Some(262_144));
        assert_eq!(args.at, [Place::Container]);
        assert_eq!(parse("pcapsule capture web --at veth,lo").at, [Place::Veth, Place::Lo]);
    }

    #[test]
    fn the_format_is_asked_for_or_follows_the_name() {
        for (words, format) in [
            ("-w a.pcapng", Format::Pcapng),
            ("-w a.pcap", Format::Pcap),
            ("-w a.PCAP", Format::Pcap),
            ("-w a.pcap --pcapng", Format::Pcapng),
            ("-w - --pcap", Format::Pcap),
            ("-w -", Format::Pcapng),
        ] {
            assert_eq!(parse(&format!("pcapsule capture web {words}")).save.format(), format, "{words}");
        }
    }

    #[test]
    fn what_goes_to_stdout_keeps_the_format_of_its_name() {
        for (words, format) in [
            ("-w a.pcapng", Format::Pcapng),
            ("-w a.pcap", Format::Pcap),
            ("-w a.pcap --pcapng", Format::Pcapng),
        ] {
            let mut args = parse(&format!("pcapsule capture web {words}"));
            args.save.send_to_stdout();
            assert_eq!(
                (args.save.output.as_deref(), args.save.format()),
                (Some(Path::new("-")), format),
                "{words}"
            );
        }
        let mut printing = parse("pcapsule capture web");
        printing.save.send_to_stdout();
        assert_eq!(printing.save.output, None);
    }

    #[test]
    fn mixes_that_would_be_ignored_are_refused() {
        for (words, option) in [
            ("-C 1", "-C "),
            ("-U --pcap", "--pcap "),
            ("-w f -x", "-x "),
            ("-w f -tt", "-t "),
            ("-w f --json", "--json "),
            ("--wireshark -x", "-x "),
            ("--wireshark -C 1", "-C "),
            ("--wireshark -C 1 --keylog k", "-C "),
            ("--wireshark -H ssh://web1", "--wireshark "),
            ("-w f.pcap --native-linktypes", "--native-linktypes "),
            ("--keylog k", "--keylog "),
            ("-w f.pcap --keylog k", "--keylog needs pcapng"),
            ("-w f -C 1 -H ssh://web1", "-C does not go with -H"),
            ("-w f --ready-fd 3 -H ssh://web1", "--ready-fd "),
        ] {
            let refusal = parse(&format!("pcapsule capture web {words}")).refusal().unwrap();
            assert!(refusal.starts_with(option), "{words}: {refusal}");
        }
        for words in [
            "-n -e -x",
            "--wireshark --keylog k",
            "-w f -n",
            "-w f -C 1 -W 3",
            "-w f -G 60 -C 5 --keep 3 --max-total 1g",
            "-w f -q",
        ] {
            assert_eq!(parse(&format!("pcapsule capture web {words}")).refusal(), None, "{words}");
        }
    }
}
