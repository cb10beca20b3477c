//! The rules of one namespace in one form, wherever they come from: nft's own, or the iptables of either flavour.
//!
//! `iptables` and `nft` read what those programs print, `verdict` leads a packet through. What is not understood is kept
//! as such, and makes an answer doubtful rather than wrong. Pure.

mod condition;
mod iptables;
mod nft;
mod nft_expression;
mod verdict;

use std::{fmt, net::IpAddr};

pub use condition::{Condition, Field, Value};
pub use iptables::read_iptables;
pub use nft::{has_iptables_tables, read_nft};
pub use verdict::{Passage, Stop, Translation, pass};

/// All rules of one namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// Every chain.
    pub chains: Vec<Chain>,
    /// What could not be read, and why.
    pub unread: Vec<String>,
    /// The queues that programs read (NFQUEUE); none where that is not known.
    pub queues: Option<Vec<u64>>,
}

/// Which packets a table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of nft")]
pub enum Family {
    Ip,
    Ip6,
    Inet,
    Bridge,
    Netdev,
    Arp,
}

impl Family {
    /// nft's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Ip6 => "ip6",
            Self::Inet => "inet",
            Self::Bridge => "bridge",
            Self::Netdev => "netdev",
            Self::Arp => "arp",
        }
    }

    /// From nft's word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Ip, Self::Ip6, Self::Inet, Self::Bridge, Self::Netdev, Self::Arp]
            .into_iter()
            .find(|family| family.as_str() == word)
    }
}

/// Whose rules they are, and so by which command they are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// nft, or another program that talks to nf_tables.
    Nft,
    /// `iptables` or `ip6tables`, in nf_tables.
    IptablesNft,
    /// `iptables-legacy` or `ip6tables-legacy`.
    IptablesLegacy,
}

/// A chain of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Whose it is.
    pub maker: Maker,
    /// Its table's family.
    pub family: Family,
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Where the kernel enters it; none for one that is jumped to.
    pub hook: Option<Hook>,
    /// In order.
    pub rules: Vec<Rule>,
}

/// Where and when the kernel enters a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Where.
    pub point: Point,
    /// Whether it translates addresses: then only a connection's first packet enters it.
    pub translates: bool,
    /// Lower ones first.
    pub priority: i32,
    /// What becomes of packets that reach its end: false drops them.
    pub accepts: bool,
    /// The interface it is bound to (ingress).
    pub device: Option<String>,
}

/// The places at which the kernel asks rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of nft")]
pub enum Point {
    Ingress,
    Prerouting,
    Input,
    Forward,
    Output,
    Postrouting,
    Egress,
}

impl Point {
    /// nft's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Prerouting => "prerouting",
            Self::Input => "input",
            Self::Forward => "forward",
            Self::Output => "output",
            Self::Postrouting => "postrouting",
            Self::Egress => "egress",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [
            Self::Ingress,
            Self::Prerouting,
            Self::Input,
            Self::Forward,
            Self::Output,
            Self::Postrouting,
            Self::Egress,
        ]
        .into_iter()
        .find(|point| point.as_str() == word.to_ascii_lowercase())
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// nf_tables' number of it.
    pub handle: Option<u64>,
    /// As its program prints it.
    pub text: String,
    /// How many packets it has counted, where it counts.
    pub packets: Option<u64>,
    /// All must hold.
    pub conditions: Vec<Condition>,
    /// What happens then.
    pub action: Action,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Counts, logs: the next rule is asked.
    None,
    /// Ends this hook's chain well.
    Accept,
    /// Ends everything in silence.
    Drop,
    /// Ends everything with an answer.
    Reject,
    /// Goes back to the chain that jumped here.
    Return,
    /// Goes to another chain, and comes back.
    Jump(String),
    /// Goes to another chain for good.
    Goto(String),
    /// Changes the destination.
    ToDestination {
        /// To this address, or to one of ours where none is named (redirect).
        address: Option<IpAddr>,
        /// To this port, or none.
        port: Option<u16>,
        /// Whether it leads to this host itself.
        redirects: bool,
    },
    /// Changes the source to that address, or to the one of the interface it leaves by.
    FromSource(Option<IpAddr>),
    /// Sets the packet's mark: these bits are cleared, then these turned over.
    Mark {
        /// Bits that are cleared.
        clear: u32,
        /// Bits that are turned over.
        toggle: u32,
    },
    /// Excepts the packet from the table of connections: it is not translated.
    Untrack,
    /// Hands it to a program that reads one of these queues; without such a program drops it, or lets it pass.
    Queue {
        /// From this one.
        first: u64,
        /// To this one.
        last: u64,
        /// Whether it passes where no program reads.
        bypass: bool,
    },
    /// Something that may end the packet's way or not, by its word.
    Unknown(String),
}

/// A chain's place in words: `table ip filter, chain FORWARD`.
impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table {} {}, chain {}", self.family.as_str(), self.table, self.name)
    }
}

impl Chain {
    /// The program that changes it.
    pub fn program(&self) -> &'static str {
        match (self.maker, self.family) {
            (Maker::Nft, _) => "nft",
            (Maker::IptablesNft, Family::Ip6) => "ip6tables",
            (Maker::IptablesNft, _) => "iptables",
            (Maker::IptablesLegacy, Family::Ip6) => "ip6tables-legacy",
            (Maker::IptablesLegacy, _) => "iptables-legacy",
        }
    }
}

impl Ruleset {
    /// A chain by its place.
    pub fn chain(&self, like: &Chain, name: &str) -> Option<&Chain> {
        self.chains.iter().find(|chain| {
            chain.maker == like.maker
                && chain.family == like.family
                && chain.table == like.table
                && chain.name == name
        })
    }

    /// Whether there is a chain of that name in a table of that name.
    pub fn has_chain(&self, table: &str, name: &str) -> bool {
        self.chains.iter().any(|chain| chain.table == table && chain.name == name)
    }
}
