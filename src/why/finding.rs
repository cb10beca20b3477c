//! What is told in the end: findings with their evidence, the way with how far it was walked, and what was not checked.

use std::fmt;

use serde::{Serialize, Serializer};

/// What is wrong, by a word that programs can rely on. `docs/json.md` explains each.
macro_rules! codes {
    ($($variant:ident $word:literal),* $(,)?) => {
        /// What is wrong, by a word that programs can rely on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the words are explained in docs/why.md")]
        pub enum Code { $($variant),* }

        impl Code {
            /// Every code there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }
    };
}

codes! {
    ListensOnLoopback "listens-on-loopback",
    ListensOnOtherPort "listens-on-other-port",
    ListensOnOtherAddress "listens-on-other-address",
    ListensForOtherProtocol "listens-for-other-protocol",
    ListensOnIpv6Only "listens-on-ipv6-only",
    ListensOnIpv4Only "listens-on-ipv4-only",
    NothingListens "nothing-listens",
    NotRunning "not-running",
    Restarting "restarting",
    PortNotPublished "port-not-published",
    PublishedOnLoopback "published-on-loopback",
    PublishedAddressMissing "published-address-missing",
    PublishedOnOtherPort "published-on-other-port",
    PublishedForOtherProtocol "published-for-other-protocol",
    HostPortTaken "host-port-taken",
    DnatMissing "dnat-missing",
    ProxyMissing "proxy-missing",
    MasqueradeMissing "masquerade-missing",
    DnatWrongTarget "dnat-wrong-target",
    ForwardPolicyDrop "forward-policy-drop",
    ForwardRuleDrops "forward-rule-drops",
    BridgeRuleDrops "bridge-rule-drops",
    IngressRuleDrops "ingress-rule-drops",
    ContainerRuleDrops "container-rule-drops",
    OutputDrop "output-drop",
    InputDrop "input-drop",
    IpForwardOff "ip-forward-off",
    RpFilterDrops "rp-filter-drops",
    RouteLocalnetOff "route-localnet-off",
    NoDefaultRoute "no-default-route",
    NoRoute "no-route",
    RouteBlackhole "route-blackhole",
    WrongGateway "wrong-gateway",
    WrongNetmask "wrong-netmask",
    DuplicateAddress "duplicate-address",
    DuplicateMac "duplicate-mac",
    NeighbourWrong "neighbour-wrong",
    VethDown "veth-down",
    VethNotOnBridge "veth-not-on-bridge",
    BridgePortBlocked "bridge-port-blocked",
    BridgeDown "bridge-down",
    BridgeWithoutAddress "bridge-without-address",
    NoAddress "no-address",
    AddressDiffers "address-differs",
    LoopbackDown "loopback-down",
    UplinkDown "uplink-down",
    NoUplink "no-uplink",
    PortsIsolated "ports-isolated",
    TcDrops "tc-drops",
    XdpDrops "xdp-drops",
    NotAccepting "not-accepting",
    LocalhostInside "localhost-inside",
    DnsRefused "dns-refused",
    InterfaceDown "interface-down",
    SubnetOverlap "subnet-overlap",
    DifferentNetworks "different-networks",
    NetworkInternal "network-internal",
    IccOff "icc-off",
    NameNotResolved "name-not-resolved",
    ResolvConfBroken "resolv-conf-broken",
    DnsSilent "dns-silent",
    MtuBlackHole "mtu-black-hole",
    ConntrackFull "conntrack-full",
    BacklogFull "backlog-full",
    ProcessStopped "process-stopped",
    HairpinMissing "hairpin-missing",
    Ipv6HalfPublished "ipv6-half-published",
    NetworkNone "network-none",
    HostModePortTaken "host-mode-port-taken",
    MacvlanFromHost "macvlan-from-host",
    LostOnTheWay "lost-on-the-way",
    Refused "refused",
    NoAnswer "no-answer",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// What is known explains the failure alone.
    Certain,
    /// What is known makes it the best explanation.
    Likely,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What, in a word.
    pub code: Code,
    /// How sure that is.
    pub certainty: Certainty,
    /// What, in a sentence.
    pub sentence: String,
    /// The facts it is concluded from.
    pub evidence: Vec<String>,
    /// The command that repairs it, for the user to run.
    pub repair: Option<String>,
}

impl Finding {
    /// Something that is certain, so far without evidence.
    pub fn new(code: Code, sentence: impl Into<String>) -> Self {
        Self {
            code,
            certainty: Certainty::Certain,
            sentence: sentence.into(),
            evidence: Vec::new(),
            repair: None,
        }
    }

    /// Adds a fact.
    #[must_use]
    pub fn seen(mut self, fact: impl Into<String>) -> Self {
        self.evidence.push(fact.into());
        self
    }

    /// Adds facts.
    #[must_use]
    pub fn seen_all(mut self, facts: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(facts);
        self
    }

    /// Says how to repair it.
    #[must_use]
    pub fn repair(mut self, command: impl Into<String>) -> Self {
        self.repair = Some(command.into());
        self
    }

    /// Makes it no more than likely unless it is certain.
    #[must_use]
    pub fn if_certain(mut self, certain: bool) -> Self {
        if !certain {
            self.certainty = Certainty::Likely;
        }
        self
    }
}

/// One place on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hop {
    /// What kind of place: `process`, `link`, `bridge`, `rules`, `route`, `nat`, `socket`, `outside`.
    pub hop: &'static str,
    /// Which one.
    pub name: String,
    /// Whether the packet gets past it.
    pub reached: bool,
}

/// The whole answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// What is wrong, the root first.
    pub findings: Vec<Finding>,
    /// The way of the connection that fails first, or of the main one.
    pub way: Vec<Hop>,
    /// What could not be checked, and why.
    pub not_checked: Vec<String>,
    /// Whether anything was looked at: without, that nothing was found means nothing.
    pub checked: bool,
    /// What else is worth knowing, though nothing is wrong with it.
    pub remarks: Vec<String>,
}

impl Diagnosis {
    /// Whether nothing wrong was found.
    pub fn is_healthy(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether something was looked at, and nothing wrong was found.
    pub fn is_well(&self) -> bool {
        self.checked && self.findings.is_empty()
    }

    /// Adds a finding unless it is known already.
    pub fn add(&mut self, finding: Finding) {
        if !self.findings.iter().any(|known| known.code == finding.code) {
            self.findings.push(finding);
        }
    }

    /// Adds a sentence on what was not checked, once.
    pub fn unchecked(&mut self, sentence: impl Into<String>) {
        let sentence = sentence.into();
        if !self.not_checked.contains(&sentence) {
            self.not_checked.push(sentence);
        }
    }
}
