//! What a user asks for, checked once: a spec that exists can be planned. Pure.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::model::{LinkName, Mac};

use super::{
    publication::{Overlap, Publication, Publications},
    ruleset::Reach,
    subnet::Subnet,
};

/// The bridge that sandboxes are on unless told otherwise.
pub const DEFAULT_BRIDGE: &str = "pcapsule0";

/// The smallest frame that IPv4 may be given (RFC 791), and IPv6 (RFC 8200).
const LEAST_MTU: u32 = 68;
const LEAST_MTU_V6: u32 = 1280;
const MOST_MTU: u32 = 65535;

/// A name under which a sandbox is known, also to the others of its network: a label of DNS (RFC 1123), underscores too.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a name: letters, digits, '-', '_' and '.', at most 63, the first one a letter or digit"
)]
pub struct InvalidName(String);

impl Name {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// One made of a command's name and the beginning of an id.
    pub fn made_up(command: &str, id: &str) -> Self {
        let is_plain = |c: &char| c.is_ascii_alphanumeric() || "-_".contains(*c);
        let mut name: String = command.chars().filter(is_plain).take(40).collect();
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            name.insert_str(0, "run");
        }
        Self(format!("{name}-{}", id.get(..4).unwrap_or(id)))
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let allowed = (1..=63).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(is_plain);
        if allowed { Ok(Self(text.to_owned())) } else { Err(InvalidName(text.to_owned())) }
    }
}

impl TryFrom<String> for Name {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The word of `--net`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetWord {
    /// On a bridge.
    Bridge,
    /// In the host's namespace.
    Host,
    /// In a namespace with loopback alone.
    None,
    /// In the namespace of that container.
    Container(String),
    /// On a macvlan of a parent.
    Macvlan,
}

/// Not a word of `--net`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not bridge, host, none, container:NAME or macvlan")]
pub struct InvalidNetWord(String);

impl FromStr for NetWord {
    type Err = InvalidNetWord;

    fn from_str(word: &str) -> Result<Self, InvalidNetWord> {
        match word {
            "bridge" => Ok(Self::Bridge),
            "host" => Ok(Self::Host),
            "none" => Ok(Self::None),
            "macvlan" => Ok(Self::Macvlan),
            other => match other.strip_prefix("container:") {
                Some(name) if !name.is_empty() => Ok(Self::Container(name.to_owned())),
                _ => Err(InvalidNetWord(word.to_owned())),
            },
        }
    }
}

impl fmt::Display for NetWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bridge => f.write_str("bridge"),
            Self::Host => f.write_str("host"),
            Self::None => f.write_str("none"),
            Self::Container(name) => write!(f, "container:{name}"),
            Self::Macvlan => f.write_str("macvlan"),
        }
    }
}

/// Everything as it was typed.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names are the options'")]
pub struct Options {
    pub net: NetWord,
    pub name: Option<Name>,
    pub bridge: Option<LinkName>,
    pub subnets: Vec<Subnet>,
    pub addresses: Vec<IpAddr>,
    pub ipv6: Ipv6,
    pub mtu: Option<u32>,
    pub mac: Option<Mac>,
    pub reach: Reach,
    pub publications: Vec<Publication>,
    pub parent: Option<LinkName>,
    pub gateway: Option<IpAddr>,
}

/// Whether a sandbox has IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Ipv6 {
    Off,
    On,
}

/// A sandbox to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// None: one is made up.
    pub name: Option<Name>,
    /// How it is connected.
    pub mode: Mode,
}

/// How a sandbox is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in `NetWord`")]
pub enum Mode {
    Bridge(BridgeSpec),
    Host,
    None,
    Container(String),
    Macvlan(MacvlanSpec),
}

/// A sandbox on a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the options'")]
pub struct BridgeSpec {
    pub bridge: LinkName,
    pub subnet: Option<Subnet>,
    pub subnet_v6: Option<Subnet>,
    pub address: Option<IpAddr>,
    pub address_v6: Option<IpAddr>,
    pub ipv6: Ipv6,
    pub mtu: Option<u32>,
    pub mac: Option<Mac>,
    pub reach: Reach,
    pub publications: Publications,
}

/// A sandbox on a macvlan.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the options'")]
pub struct MacvlanSpec {
    pub parent: LinkName,
    pub address: IpAddr,
    /// None: the parent's own that holds the address.
    pub subnet: Option<Subnet>,
    pub gateway: Option<IpAddr>,
    pub mtu: Option<u32>,
    pub mac: Option<Mac>,
}

/// Options that do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum InvalidSpec {
    #[error("{option} says nothing with --net {net}")]
    Meaningless { option: &'static str, net: NetWord },
    #[error("{option} is given twice for {family}")]
    Twice { option: &'static str, family: &'static str },
    #[error("{option} of IPv6 needs --ipv6")]
    NeedsIpv6 { option: &'static str },
    #[error("--mtu {mtu}: {LEAST_MTU} to {MOST_MTU} is possible, with --ipv6 at least {LEAST_MTU_V6}")]
    Mtu { mtu: u32 },
    #[error("--bridge {0}: rules name a bridge by letters, digits, '-', '_' and '.' only")]
    Bridge(LinkName),
    #[error("--mac {0}: not the address of one interface")]
    Mac(Mac),
    #[error(transparent)]
    Overlap(#[from] Overlap),
    #[error("--net macvlan needs {0}")]
    Lacks(&'static str),
    #[error("--ip {address}: not one of --subnet {subnet}")]
    Outside { address: IpAddr, subnet: Subnet },
    #[error("--subnet {0}: not a network that interfaces can be in")]
    NoNetwork(Subnet),
    #[error("--gateway {gateway}: not another address of the sandbox's network")]
    Gateway { gateway: IpAddr },
}

impl Spec {
    /// Checks that the options mean something together.
    pub fn new(options: Options) -> Result<Self, InvalidSpec> {
        options.check_meaning()?;
        options.check_values()?;
        let name = options.name.clone();
        let mode = match options.net {
            NetWord::Host => Mode::Host,
            NetWord::None => Mode::None,
            NetWord::Container(target) => Mode::Container(target),
            NetWord::Bridge => Mode::Bridge(bridge(options)?),
            NetWord::Macvlan => Mode::Macvlan(macvlan(options)?),
        };
        Ok(Self { name, mode })
    }
}

impl Options {
    /// Each option that was given, with the modes in which it says something.
    fn check_meaning(&self) -> Result<(), InvalidSpec> {
        let (bridge, macvlan) = (self.net == NetWord::Bridge, self.net == NetWord::Macvlan);
        let given = [
            ("-p", !self.publications.is_empty(), bridge),
            ("--bridge", self.bridge.is_some(), bridge),
            ("--subnet", !self.subnets.is_empty(), bridge || macvlan),
            ("--ip", !self.addresses.is_empty(), bridge || macvlan),
            ("--ipv6", self.ipv6 == Ipv6::On, bridge),
            ("--mtu", self.mtu.is_some(), bridge || macvlan),
            ("--mac", self.mac.is_some(), bridge || macvlan),
            ("--internal", self.reach == Reach::Bridge, bridge),
            ("--parent", self.parent.is_some(), macvlan),
            ("--gateway", self.gateway.is_some(), macvlan),
        ];
        match given.into_iter().find(|(_, given, means)| *given && !means) {
            Some((option, ..)) => Err(InvalidSpec::Meaningless { option, net: self.net.clone() }),
            None => Ok(()),
        }
    }

    fn check_values(&self) -> Result<(), InvalidSpec> {
        let least = if self.ipv6 == Ipv6::On { LEAST_MTU_V6 } else { LEAST_MTU };
        if let Some(mtu) = self.mtu.filter(|mtu| !(least..=MOST_MTU).contains(mtu)) {
            return Err(InvalidSpec::Mtu { mtu });
        }
        if let Some(subnet) = self.subnets.iter().find(|subnet| !subnet.is_for_interfaces()) {
            return Err(InvalidSpec::NoNetwork(*subnet));
        }
        // Rules take some characters for more than themselves: `*` and `+` for any further ones.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if let Some(bridge) = self.bridge.as_ref().filter(|bridge| !bridge.as_str().chars().all(is_plain)) {
            return Err(InvalidSpec::Bridge(bridge.clone()));
        }
        let is_one = |mac: &Mac| mac.bytes()[0] & 1 == 0 && mac.bytes() != [0; 6];
        match self.mac.filter(|mac| !is_one(mac)) {
            Some(mac) => Err(InvalidSpec::Mac(mac)),
            None => Ok(()),
        }
    }

    /// The one of each family.
    fn by_family<T: Copy>(
        option: &'static str,
        all: &[T],
        is_v4: impl Fn(T) -> bool,
    ) -> Result<(Option<T>, Option<T>), InvalidSpec> {
        let of = |v4: bool, family: &'static str| {
            let mut found = all.iter().copied().filter(|one| is_v4(*one) == v4);
            let first = found.next();
            if found.next().is_some() { Err(InvalidSpec::Twice { option, family }) } else { Ok(first) }
        };
        Ok((of(true, "IPv4")?, of(false, "IPv6")?))
    }
}

fn bridge(options: Options) -> Result<BridgeSpec, InvalidSpec> {
    let (subnet, subnet_v6) = Options::by_family("--subnet", &options.subnets, Subnet::is_v4)?;
    let (address, address_v6) = Options::by_family("--ip", &options.addresses, |address| address.is_ipv4())?;
    for (option, given) in [("--subnet", subnet_v6.is_some()), ("--ip", address_v6.is_some())] {
        if given && options.ipv6 == Ipv6::Off {
            return Err(InvalidSpec::NeedsIpv6 { option });
        }
    }
    for (subnet, address) in [(subnet, address), (subnet_v6, address_v6)] {
        if let (Some(subnet), Some(address)) = (subnet, address)
            && !subnet.is_host(address)
        {
            return Err(InvalidSpec::Outside { address, subnet });
        }
    }
    let default = || DEFAULT_BRIDGE.parse().expect("it is an interface name");
    Ok(BridgeSpec {
        bridge: options.bridge.unwrap_or_else(default),
        subnet,
        subnet_v6,
        address,
        address_v6,
        ipv6: options.ipv6,
        mtu: options.mtu,
        mac: options.mac,
        reach: options.reach,
        publications: Publications::new(options.publications)?,
    })
}

fn macvlan(options: Options) -> Result<MacvlanSpec, InvalidSpec> {
    let (subnet, subnet_v6) = Options::by_family("--subnet", &options.subnets, Subnet::is_v4)?;
    let (address, address_v6) = Options::by_family("--ip", &options.addresses, |address| address.is_ipv4())?;
    if subnet_v6.is_some() || address_v6.is_some() {
        return Err(InvalidSpec::Meaningless { option: "an address of IPv6", net: NetWord::Macvlan });
    }
    let parent = options.parent.ok_or(InvalidSpec::Lacks("--parent LINK"))?;
    let address =
        address.ok_or(InvalidSpec::Lacks("--ip ADDRESS: who else has which is not ours to know"))?;
    if let Some(subnet) = subnet.filter(|subnet| !subnet.is_host(address)) {
        return Err(InvalidSpec::Outside { address, subnet });
    }
    let is_wrong =
        |gateway: &IpAddr| *gateway == address || subnet.is_some_and(|subnet| !subnet.contains(*gateway));
    if let Some(gateway) = options.gateway.filter(is_wrong) {
        return Err(InvalidSpec::Gateway { gateway });
    }
    Ok(MacvlanSpec { parent, address, subnet, gateway: options.gateway, mtu: options.mtu, mac: options.mac })
}

#[cfg(test)]
impl Options {
    /// A mode and nothing else.
    pub(super) fn plain(net: &str) -> Self {
        Self {
            net: net.parse().unwrap(),
            name: None,
            bridge: None,
            subnets: Vec::new(),
            addresses: Vec::new(),
            ipv6: Ipv6::Off,
            mtu: None,
            mac: None,
            reach: Reach::Everywhere,
            publications: Vec::new(),
            parent: None,
            gateway: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(options: Options) -> String {
        Spec::new(options).unwrap_err().to_string()
    }

    #[test]
    fn what_says_nothing_is_refused() {
        let with_bridge = Options { bridge: "br0".parse().ok(), ..Options::plain("host") };
        assert_eq!(refusal(with_bridge), "--bridge says nothing with --net host");
        let with_parent = Options { parent: "eth0".parse().ok(), ..Options::plain("bridge") };
        assert_eq!(refusal(with_parent), "--parent says nothing with --net bridge");
        let joined =
            Options { addresses: vec!["10.0.0.2".parse().unwrap()], ..Options::plain("container:web") };
        assert_eq!(refusal(joined), "--ip says nothing with --net container:web");
    }

    #[test]
    fn values_that_cannot_be_are_refused() {
        assert!(refusal(Options { mtu: Some(67), ..Options::plain("bridge") }).contains("68 to 65535"));
        let v6 = Options { mtu: Some(1279), ipv6: Ipv6::On, ..Options::plain("bridge") };
        assert!(refusal(v6).contains("at least 1280"));
        for wrong in ["127.5.0.0/16", "224.0.0.0/24", "0.0.0.0/0", "250.1.0.0/16", "fe80::/64", "ff05::/64"] {
            let subnets = vec![wrong.parse().unwrap()];
            let refused = refusal(Options { subnets, ipv6: Ipv6::On, ..Options::plain("bridge") });
            assert!(refused.starts_with("--subnet") && refused.contains("interfaces can be in"), "{refused}");
        }
        for wrong in ["br*", "br+", "b\"r", "br\\", "br;", "$br"] {
            let refused = refusal(Options { bridge: wrong.parse().ok(), ..Options::plain("bridge") });
            assert!(refused.starts_with(&format!("--bridge {wrong}: rules name a bridge by")), "{refused}");
        }
        let mac = Options { mac: "01:00:5e:00:00:01".parse().ok(), ..Options::plain("bridge") };
        assert_eq!(refusal(mac), "--mac 01:00:5e:00:00:01: not the address of one interface");
        let twice = ["10.0.0.0/24", "10.0.1.0/24"].map(|text| text.parse().unwrap()).to_vec();
        assert_eq!(
            refusal(Options { subnets: twice, ..Options::plain("bridge") }),
            "--subnet is given twice for IPv4"
        );
        let v6 = Options { subnets: vec!["fd00::/64".parse().unwrap()], ..Options::plain("bridge") };
        assert_eq!(refusal(v6), "--subnet of IPv6 needs --ipv6");
        let outside = Options {
            subnets: vec!["10.0.0.0/24".parse().unwrap()],
            addresses: vec!["10.0.0.255".parse().unwrap()],
            ..Options::plain("bridge")
        };
        assert_eq!(refusal(outside), "--ip 10.0.0.255: not one of --subnet 10.0.0.0/24");
    }

    #[test]
    fn a_macvlan_needs_a_parent_and_an_address() {
        assert_eq!(refusal(Options::plain("macvlan")), "--net macvlan needs --parent LINK");
        let parent = Options { parent: "eth0".parse().ok(), ..Options::plain("macvlan") };
        assert!(refusal(parent.clone()).starts_with("--net macvlan needs --ip ADDRESS"));
        let own = Options {
            addresses: vec!["10.0.0.5".parse().unwrap()],
            gateway: "10.0.0.5".parse().ok(),
            ..parent
        };
        assert!(refusal(own).starts_with("--gateway 10.0.0.5: not another address"));
    }

    #[test]
    fn names_are_labels() {
        for good in ["web", "web-1", "a_b.c", "1"] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in ["", "-web", ".", "a b", "a/b", "ä", &"x".repeat(64)] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
        assert_eq!(Name::made_up("nginx", "4f2a9b01c3d4").as_str(), "nginx-4f2a");
        assert_eq!(Name::made_up("[", "4f2a9b01c3d4").as_str(), "run-4f2a");
        assert!("container:".parse::<NetWord>().is_err() && "shared".parse::<NetWord>().is_err());
    }
}
