//! What a capture file says, apart from how it is laid out: the values an encoder takes and a reader gives.

use std::{borrow::Cow, net::IpAddr};

use crate::model::{Direction, InterfaceAddress, Mac};

/// Who made the file, where. An empty text is not written and means "the file does not say".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section {
    /// The machine (`shb_hardware`).
    pub hardware: String,
    /// The operating system and its version (`shb_os`).
    pub os: String,
    /// The program and its version (`shb_userappl`).
    pub application: String,
    /// Anything else, such as the command line (`opt_comment`; several are joined by line ends).
    pub comment: String,
}

/// The number of an interface: they count from 0 in the order of their blocks, in each section anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceId(u32);

impl InterfaceId {
    /// The one declared after `number` others.
    pub(super) const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number that packets refer to.
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// Where packets were seen. An empty text is not written and means "the file does not say".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// Name (`if_name`): `web/eth0`.
    pub name: String,
    /// What it is, for people (`if_description`).
    pub description: String,
    /// Its hardware address (`if_MACaddr`).
    pub mac: Option<Mac>,
    /// Its addresses (`if_IPv4addr`, `if_IPv6addr`).
    pub addresses: Vec<InterfaceAddress>,
    /// The capture filter, as text in libpcap's language (`if_filter`).
    pub filter: String,
    /// Bits per second (`if_speed`).
    pub speed: Option<u64>,
    /// What its packets begin with.
    pub link_type: LinkType,
}

/// What a packet's first bytes are: a `LINKTYPE_` number of <https://www.tcpdump.org/linktypes.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkType(u16);

/// Ethernet.
impl Default for LinkType {
    fn default() -> Self {
        Self::ETHERNET
    }
}

impl LinkType {
    /// An Ethernet header.
    pub const ETHERNET: Self = Self(1);

    /// An IP header, of either version.
    pub const RAW_IP: Self = Self(101);

    /// Every number is a link type, known or not.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number in the registry.
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// What can be said of a packet besides what [`Frame`](crate::model::Frame) says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PacketOptions<'a> {
    /// Packets lost on this interface since the one before (`epb_dropcount`); 0 is not written.
    pub drops: u64,
    /// The same for one packet seen at several interfaces (`epb_packetid`).
    pub packet_id: Option<u64>,
    /// Whose packet it is (`epb_processid_threadid`).
    pub process: Option<Process>,
    /// A comment; an empty one is not written.
    pub comment: &'a str,
}

impl PacketOptions<'_> {
    /// Whether there is nothing to be said, as of most packets.
    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.drops == 0 && self.packet_id.is_none() && self.process.is_none() && self.comment.is_empty()
    }
}

/// A thread of a process, in the numbering of the capturing program's pid namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Thread id.
    pub tid: u32,
}

/// What an interface saw from the start to the end (isb options of an interface statistics block).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// When counting began, in nanoseconds since the epoch.
    pub start_ns: Option<u64>,
    /// When the counters were read, in nanoseconds since the epoch.
    pub end_ns: u64,
    /// Packets that passed the interface (`isb_ifrecv`).
    pub received: Option<u64>,
    /// Packets the interface had no room for (`isb_ifdrop`).
    pub dropped: Option<u64>,
    /// Packets the filter let pass (`isb_filteraccept`).
    pub accepted: Option<u64>,
    /// Packets the operating system had no room for (`isb_osdrop`).
    pub os_dropped: Option<u64>,
    /// Packets that reached the program (`isb_usrdeliv`).
    pub delivered: Option<u64>,
}

/// Something that happened beside the traffic: an entry of the systemd journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Nanoseconds since the epoch, in whole microseconds; 0 where the entry has no time.
    pub time_ns: u64,
    /// Field names and values in their order, without the time.
    pub fields: Vec<(String, String)>,
}

impl Event {
    /// The value of the first field of that name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// A packet in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Where it was seen.
    pub interface_id: InterfaceId,
    /// Where it was seen, in words; nothing but defaults in classic pcap.
    pub interface: &'a Interface,
    /// Nanoseconds since the epoch; 0 in a simple packet block, which has no time.
    pub time_ns: u64,
    /// Length on the wire.
    pub original_len: u32,
    /// The bytes that were kept.
    pub data: &'a [u8],
    /// From the container's point of view, or else the interface's.
    pub direction: Direction,
    /// Packets lost on this interface since the one before.
    pub drops: u64,
    /// The same for one packet seen at several interfaces.
    pub packet_id: Option<u64>,
    /// Whose packet it is.
    pub process: Option<Process>,
    /// The first comment, or an empty text.
    pub comment: Cow<'a, str>,
}

impl<'a> Packet<'a> {
    /// One of which nothing but this is known.
    pub(super) const fn bare(interface_id: InterfaceId, interface: &'a Interface, data: &'a [u8]) -> Self {
        Self {
            interface_id,
            interface,
            time_ns: 0,
            original_len: 0,
            data,
            direction: Direction::Unknown,
            drops: 0,
            packet_id: None,
            process: None,
            comment: Cow::Borrowed(""),
        }
    }
}

/// Secrets of that kind are a TLS key log, as `SSLKEYLOGFILE` has it (the pcapng document's number).
pub const TLS_KEY_LOG: u32 = 0x544c_534b;

/// One thing a file says, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record<'a> {
    /// A section begins: earlier interfaces are forgotten. Classic pcap has none.
    Section(Section),
    /// An interface that packets may refer to. Classic pcap has one, nameless.
    Interface {
        /// Its number.
        id: InterfaceId,
        /// Its description.
        interface: &'a Interface,
    },
    /// A packet.
    Packet(Packet<'a>),
    /// Names of addresses.
    Names(Vec<(IpAddr, String)>),
    /// An entry of the systemd journal.
    Event(Event),
    /// Counters of an interface.
    Statistics {
        /// Whose counters.
        id: InterfaceId,
        /// The counters.
        statistics: Statistics,
    },
    /// Keys for decryption.
    Secrets {
        /// What they are, by the number in the pcapng document: [`TLS_KEY_LOG`] is one.
        kind: u32,
        /// The keys.
        data: &'a [u8],
    },
    /// A block this reader has no words for, skipped.
    Unknown {
        /// The number in the pcapng document.
        block_type: u32,
    },
}
