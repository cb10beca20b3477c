//! A network interface as the kernel describes it, and the small checked values it is made of.

use std::{fmt, net::IpAddr, num::NonZeroU32, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// An interface index: positive, unique inside one namespace only (`netdevice(7)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct LinkIndex(NonZeroU32);

/// The kernel never gives an interface the index 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an interface index is at least 1")]
pub struct InvalidLinkIndex;

impl LinkIndex {
    /// The number.
    pub const fn number(self) -> u32 {
        self.0.get()
    }
}

impl TryFrom<u32> for LinkIndex {
    type Error = InvalidLinkIndex;

    fn try_from(number: u32) -> Result<Self, InvalidLinkIndex> {
        NonZeroU32::new(number).map(Self).ok_or(InvalidLinkIndex)
    }
}

impl fmt::Display for LinkIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An interface name as the kernel allows it: 1 to 15 bytes, no `/`, no `:`, no white space, not `.` or `..`
/// (`dev_valid_name` in net/core/dev.c).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LinkName(String);

/// Not a name that an interface can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an interface name: 1 to 15 bytes without '/', ':' and white space")]
pub struct InvalidLinkName(String);

impl LinkName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LinkName {
    type Err = InvalidLinkName;

    fn from_str(name: &str) -> Result<Self, InvalidLinkName> {
        let allowed = (1..=15).contains(&name.len())
            && name != "."
            && name != ".."
            && !name.contains(|c: char| c == '/' || c == ':' || c.is_whitespace());
        if allowed { Ok(Self(name.to_owned())) } else { Err(InvalidLinkName(name.to_owned())) }
    }
}

impl TryFrom<String> for LinkName {
    type Error = InvalidLinkName;

    fn try_from(name: String) -> Result<Self, InvalidLinkName> {
        name.parse()
    }
}

impl From<LinkName> for String {
    fn from(name: LinkName) -> Self {
        name.0
    }
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A 48-bit hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac([u8; 6]);

/// Not six bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a hardware address like 02:42:ac:11:00:02")]
pub struct InvalidMac(String);

impl Mac {
    /// From its six bytes in the order they are sent.
    pub const fn new(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }

    /// The six bytes in the order they are sent.
    pub const fn bytes(self) -> [u8; 6] {
        self.0
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, byte) in self.0.iter().enumerate() {
            let colon = if position == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for Mac {
    type Err = InvalidMac;

    fn from_str(text: &str) -> Result<Self, InvalidMac> {
        let invalid = || InvalidMac(text.to_owned());
        let mut bytes = [0; 6];
        let mut parts = text.split(':');
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2).ok_or_else(invalid)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| invalid())?;
        }
        if parts.next().is_some() { Err(invalid()) } else { Ok(Self(bytes)) }
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// What made the interface (`IFLA_INFO_KIND`); no kind means hardware or loopback.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkKind {
    /// The namespace's own `lo`.
    Loopback,
    /// Without a kind: a physical or paravirtual device.
    Hardware,
    /// A learning switch in the kernel.
    Bridge,
    /// One end of a virtual cable.
    Veth,
    /// One end of a netkit pair (kernel 6.7 and later).
    Netkit,
    /// A further MAC address on a parent.
    Macvlan,
    /// A further IP address on a parent.
    Ipvlan,
    /// An 802.1Q sub-interface of a parent.
    Vlan,
    /// A VXLAN tunnel end.
    Vxlan,
    /// A tun or tap device, served by a process.
    Tun,
    /// Any other kind, in the kernel's own word.
    Other(String),
}

impl LinkKind {
    /// The kernel's word, or `loopback` and `hardware` for the two that have none.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Loopback => "loopback",
            Self::Hardware => "hardware",
            Self::Bridge => "bridge",
            Self::Veth => "veth",
            Self::Netkit => "netkit",
            Self::Macvlan => "macvlan",
            Self::Ipvlan => "ipvlan",
            Self::Vlan => "vlan",
            Self::Vxlan => "vxlan",
            Self::Tun => "tun",
            Self::Other(kind) => kind,
        }
    }

    /// From the kernel's word (`IFLA_INFO_KIND`); never `Loopback` or `Hardware`.
    pub fn from_kernel(kind: &str) -> Self {
        match kind {
            "bridge" => Self::Bridge,
            "veth" => Self::Veth,
            "netkit" => Self::Netkit,
            "macvlan" | "macvtap" => Self::Macvlan,
            "ipvlan" | "ipvtap" => Self::Ipvlan,
            "vlan" => Self::Vlan,
            "vxlan" => Self::Vxlan,
            "tun" | "tap" => Self::Tun,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Whether the kernel makes it as one of two that are joined for life.
    pub fn is_pair(&self) -> bool {
        matches!(self, Self::Veth | Self::Netkit)
    }
}

impl fmt::Display for LinkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for LinkKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What stands at the start of each frame of an interface (`ARPHRD_*` in linux/if_arp.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaType {
    /// Frames begin with an Ethernet header (also `lo`).
    Ethernet,
    /// Frames begin with the IP header (tun, `WireGuard`, IP tunnels).
    RawIp,
    /// Anything else, by its number.
    Other(u16),
}

/// The other interface that an interface names (`IFLA_LINK`): a veth's peer, a macvlan's parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LowerLink {
    /// Its index, in its own namespace.
    pub index: LinkIndex,
    /// Its namespace (`IFLA_LINK_NETNSID`) in the numbering of whoever asked; `None`: the interface's own namespace.
    pub netnsid: Option<i32>,
}

/// An address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceAddress {
    /// The address.
    pub address: IpAddr,
    /// The length of its network prefix in bits.
    pub prefix: u8,
}

/// `172.17.0.2/16`.
impl fmt::Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Serialize for InterfaceAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Not an address with the length of its prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an address with a prefix like 10.0.0.1/24")]
pub struct InvalidInterfaceAddress(String);

impl FromStr for InterfaceAddress {
    type Err = InvalidInterfaceAddress;

    fn from_str(text: &str) -> Result<Self, InvalidInterfaceAddress> {
        let parse = || {
            let (address, prefix) = text.split_once('/')?;
            let address: IpAddr = address.parse().ok()?;
            let most = if address.is_ipv4() { 32 } else { 128 };
            let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
            let prefix = prefix.parse().ok().filter(|prefix| digits && *prefix <= most)?;
            Some(Self { address, prefix })
        };
        parse().ok_or_else(|| InvalidInterfaceAddress(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for InterfaceAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// What an interface has counted since it was made (`IFLA_STATS64`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the field names are the kernel's (struct rtnl_link_stats64)")]
pub struct Counters {
    pub rx_packets: u64,
    pub tx_packets: u64,
    pub rx_bytes: u64,
    pub tx_bytes: u64,
    pub rx_errors: u64,
    pub tx_errors: u64,
    pub rx_dropped: u64,
    pub tx_dropped: u64,
}

/// A network interface of one namespace, as a link and address dump describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Unique inside its namespace.
    pub index: LinkIndex,
    /// Unique inside its namespace, may change.
    pub name: LinkName,
    /// What made it.
    pub kind: LinkKind,
    /// What its frames begin with.
    pub media: MediaType,
    /// Hardware address, where it has one of six bytes.
    pub mac: Option<Mac>,
    /// Largest payload of a frame in bytes.
    pub mtu: u32,
    /// Administratively up (`IFF_UP`).
    pub up: bool,
    /// Has a carrier (`IFF_LOWER_UP`).
    pub carrier: bool,
    /// The bridge (or bond, VRF) it is a port of.
    pub master: Option<LinkIndex>,
    /// Peer or parent.
    pub lower: Option<LowerLink>,
    /// Text set by its maker (`IFLA_IFALIAS`).
    pub alias: Option<String>,
    /// Traffic so far.
    pub counters: Counters,
    /// In the order the kernel lists them.
    pub addresses: Vec<InterfaceAddress>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_names_follow_the_kernel() {
        for good in ["eth0", "veth1a2b3c4d5e", "br-0123456789ab", "a"] {
            assert_eq!(good.parse::<LinkName>().map(|n| n.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "sixteen-bytes-xx", "a/b", "a b", ".", "..", "a:0"] {
            assert_eq!(bad.parse::<LinkName>(), Err(InvalidLinkName(bad.to_owned())));
        }
    }

    #[test]
    fn mac_text_round_trips() {
        let mac: Mac = "02:42:ac:11:00:02".parse().unwrap();
        assert_eq!(mac.bytes(), [2, 0x42, 0xac, 0x11, 0, 2]);
        assert_eq!(mac.to_string(), "02:42:ac:11:00:02");
        for bad in ["", "02:42:ac:11:00", "02:42:ac:11:00:02:03", "2:42:ac:11:00:2", "zz:42:ac:11:00:02"] {
            assert!(bad.parse::<Mac>().is_err(), "{bad}");
        }
    }

    #[test]
    fn link_index_is_not_zero() {
        assert_eq!(LinkIndex::try_from(0), Err(InvalidLinkIndex));
        assert_eq!(LinkIndex::try_from(7).map(LinkIndex::number), Ok(7));
    }
}
