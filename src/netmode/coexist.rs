//! Living with those who drop what the host forwards. Docker leaves a chain for others, in which a sandbox's packets are
//! accepted; what anybody else does is not touched, but told, with what would help.
//!
//! An accept in a table of our own would not do: a packet passes only if every table lets it pass.

use std::{fmt, io, net::IpAddr};

use crate::model::LinkName;
use crate::sys::firewall::{Chain, Policy, TableFamily, chains, has_legacy_filter};
use crate::sys::iptables::{self, Family, Flavour, Iptables};

use super::ruleset::Reach;

const DOCKERS_CHAIN: &str = "DOCKER-USER";

/// What can go wrong here.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Error {
    #[error("asking the kernel for its firewall's chains")]
    Chains(#[source] io::Error),
    #[error("reading the rules of {0}")]
    Read(Iptables, #[source] iptables::Error),
    #[error("letting the sandbox's packets pass Docker's rules")]
    Accept(#[source] iptables::Error),
    #[error("taking the sandbox's rules out of Docker's chain")]
    Remove(#[source] iptables::Error),
}

/// Something that drops forwarded packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// Docker, with its chain for others.
    Docker(Iptables),
    /// Another chain, which is not ours to edit.
    Other(Dropping),
}

/// Who drops, and so what would help.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Dropping {
    Iptables(Iptables),
    Ufw(Iptables),
    Firewalld,
    Table { family: TableFamily, table: String, chain: String },
}

/// What stands in the way of packets that the host forwards for these families, in the calling thread's namespace.
///
/// Reads only, and starts a program only where the older iptables is in use.
pub fn obstacles(families: &[Family]) -> Result<Vec<Obstacle>, Error> {
    let chains = chains().map_err(Error::Chains)?;
    let mut found = in_nf_tables(&chains, families);
    for family in families {
        let iptables = Iptables { flavour: Flavour::Legacy, family: *family };
        if has_legacy_filter(table_family(*family)) {
            let rules = iptables.filter_rules().map_err(|error| Error::Read(iptables, error))?;
            found.extend(in_listing(&rules, iptables));
        }
    }
    Ok(found)
}

fn table_family(family: Family) -> TableFamily {
    match family {
        Family::V4 => TableFamily::Ip,
        Family::V6 => TableFamily::Ip6,
    }
}

fn in_nf_tables(chains: &[Chain], families: &[Family]) -> Vec<Obstacle> {
    let concerns = |family: TableFamily| {
        family == TableFamily::Inet || families.iter().any(|wanted| table_family(*wanted) == family)
    };
    let forwarding = chains.iter().filter(|chain| concerns(chain.family));
    forwarding.filter_map(|chain| obstacle(chain, chains)).collect()
}

fn obstacle(chain: &Chain, chains: &[Chain]) -> Option<Obstacle> {
    // Firewalld's policy is to accept, but its last rule rejects.
    let is_firewalld = chain.table == "firewalld" && chain.name == "filter_FORWARD";
    match chain.forward? {
        _ if is_firewalld => return Some(Obstacle::Other(Dropping::Firewalld)),
        Policy::Accept => return None,
        Policy::Drop => {}
    }
    let family = match chain.family {
        TableFamily::Ip => Some(Family::V4),
        TableFamily::Ip6 => Some(Family::V6),
        TableFamily::Inet | TableFamily::Other(_) => None,
    };
    if let Some(family) = family.filter(|_| chain.table == "filter" && chain.name == "FORWARD") {
        let beside = |name: &str| {
            chains.iter().any(|other| {
                other.family == chain.family && other.table == chain.table && other.name.starts_with(name)
            })
        };
        return Some(of_iptables(Iptables { flavour: Flavour::Nft, family }, beside));
    }
    let (table, name) = (chain.table.clone(), chain.name.clone());
    Some(Obstacle::Other(Dropping::Table { family: chain.family, table, chain: name }))
}

/// By what `iptables-save` prints: `:FORWARD DROP [0:0]`, `:DOCKER-USER - [0:0]`.
fn in_listing(rules: &[String], iptables: Iptables) -> Option<Obstacle> {
    let beside = |name: &str| {
        rules.iter().any(|line| line.strip_prefix(':').is_some_and(|chain| chain.starts_with(name)))
    };
    beside("FORWARD DROP").then(|| of_iptables(iptables, beside))
}

fn of_iptables(iptables: Iptables, has_chain: impl Fn(&str) -> bool) -> Obstacle {
    if has_chain(DOCKERS_CHAIN) {
        Obstacle::Docker(iptables)
    } else if has_chain("ufw") {
        Obstacle::Other(Dropping::Ufw(iptables))
    } else {
        Obstacle::Other(Dropping::Iptables(iptables))
    }
}

/// A sandbox's rules in Docker's chain, of one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepts {
    /// Whose chain it is.
    pub iptables: Iptables,
    /// The sandbox's id.
    pub id: String,
    /// Its bridge.
    pub bridge: LinkName,
    /// Its address, of that family.
    pub address: IpAddr,
    /// How far it may go.
    pub reach: Reach,
}

impl Accepts {
    /// Puts them at the chain's head, by one program.
    pub fn insert(&self) -> Result<(), Error> {
        self.iptables.apply(&self.commands("-I")).map_err(Error::Accept)
    }

    /// Takes them out again; that somebody else did so already is no error.
    pub fn remove(&self) -> Result<(), Error> {
        self.iptables
            .apply(&self.commands("-D"))
            .or_else(|_| remove_by_comment(self.iptables, &self.id).map(drop))
    }

    fn commands(&self, verb: &str) -> Vec<String> {
        let Self { bridge, address, .. } = self;
        let onward = match self.reach {
            Reach::Everywhere => String::new(),
            Reach::Bridge => format!("-o {bridge} "),
        };
        let comment = format!("-m comment --comment {} -j ACCEPT", comment(&self.id));
        vec![
            format!("{verb} {DOCKERS_CHAIN} -i {bridge} {onward}-s {address} {comment}"),
            format!(
                "{verb} {DOCKERS_CHAIN} -o {bridge} -d {address} -m conntrack \
                 --ctstate RELATED,ESTABLISHED,DNAT {comment}"
            ),
        ]
    }
}

/// Takes out whatever bears a sandbox's id; says how many rules those were. For what a dead run left.
pub fn remove_by_comment(iptables: Iptables, id: &str) -> Result<usize, Error> {
    let rules = iptables.filter_rules().map_err(Error::Remove)?;
    let commands = removals(&rules, &comment(id));
    if !commands.is_empty() {
        iptables.apply(&commands).map_err(Error::Remove)?;
    }
    Ok(commands.len())
}

fn comment(id: &str) -> String {
    format!("pcapsule:{id}")
}

fn removals(rules: &[String], comment: &str) -> Vec<String> {
    let ours = rules.iter().filter(|rule| rule.split(' ').any(|word| word.trim_matches('"') == comment));
    ours.filter_map(|rule| rule.strip_prefix("-A ")).map(|rule| format!("-D {rule}")).collect()
}

impl Dropping {
    /// What the user can do so that the packets of this bridge pass: two commands.
    pub fn remedy(&self, bridge: &LinkName) -> [String; 2] {
        match self {
            Self::Iptables(iptables) => {
                [("-i"), ("-o")].map(|way| format!("{iptables} -I FORWARD {way} {bridge} -j ACCEPT"))
            }
            Self::Ufw(_) => ["in", "out"].map(|way| format!("ufw route allow {way} on {bridge}")),
            Self::Firewalld => [
                format!("firewall-cmd --zone=trusted --add-interface={bridge}"),
                format!("firewall-cmd --permanent --zone=trusted --add-interface={bridge}"),
            ],
            Self::Table { family, table, chain } => ["iifname", "oifname"].map(|way| {
                format!("nft insert rule {} {table} {chain} {way} \"{bridge}\" accept", word(*family))
            }),
        }
    }
}

fn word(family: TableFamily) -> &'static str {
    match family {
        TableFamily::Ip => "ip",
        TableFamily::Ip6 => "ip6",
        TableFamily::Inet | TableFamily::Other(_) => "inet",
    }
}

/// Who it is, as the beginning of a sentence.
impl fmt::Display for Dropping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Iptables(iptables) => write!(f, "{iptables}' chain FORWARD"),
            Self::Ufw(iptables) => write!(f, "ufw (by {iptables})"),
            Self::Firewalld => write!(f, "firewalld"),
            Self::Table { family, table, chain } => {
                write!(f, "nftables' chain {chain} in table {} {table}", word(*family))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(family: TableFamily, table: &str, name: &str, forward: Option<Policy>) -> Chain {
        Chain { family, table: table.to_owned(), name: name.to_owned(), forward }
    }

    const V4: Iptables = Iptables { flavour: Flavour::Nft, family: Family::V4 };

    #[test]
    fn dockers_drop_is_told_from_others() {
        let forward = chain(TableFamily::Ip, "filter", "FORWARD", Some(Policy::Drop));
        let both = [Family::V4, Family::V6];
        let docker = [forward.clone(), chain(TableFamily::Ip, "filter", DOCKERS_CHAIN, None)];
        assert_eq!(in_nf_tables(&docker, &both), [Obstacle::Docker(V4)]);
        assert_eq!(in_nf_tables(&docker, &[Family::V6]), []);
        let ufw = [forward.clone(), chain(TableFamily::Ip, "filter", "ufw-user-forward", None)];
        assert_eq!(in_nf_tables(&ufw, &both), [Obstacle::Other(Dropping::Ufw(V4))]);
        assert_eq!(in_nf_tables(&[forward], &both), [Obstacle::Other(Dropping::Iptables(V4))]);
    }

    #[test]
    fn chains_that_accept_are_no_obstacles() {
        let chains = [
            chain(TableFamily::Ip, "filter", "FORWARD", Some(Policy::Accept)),
            chain(TableFamily::Ip, "filter", DOCKERS_CHAIN, None),
            chain(TableFamily::Inet, "mine", "input", None),
            chain(TableFamily::Other(7), "bridge", "forward", Some(Policy::Drop)),
        ];
        assert_eq!(in_nf_tables(&chains, &[Family::V4, Family::V6]), []);
    }

    #[test]
    fn the_remedy_names_the_place() {
        let bridge = "pcapsule0".parse().unwrap();
        let own = chain(TableFamily::Inet, "filter", "forward", Some(Policy::Drop));
        let [Obstacle::Other(dropping)] = &in_nf_tables(&[own], &[Family::V4])[..] else { panic!("one") };
        assert_eq!(dropping.to_string(), "nftables' chain forward in table inet filter");
        assert_eq!(
            dropping.remedy(&bridge),
            [
                "nft insert rule inet filter forward iifname \"pcapsule0\" accept",
                "nft insert rule inet filter forward oifname \"pcapsule0\" accept",
            ]
        );
    }

    #[test]
    fn legacy_listings_are_read() {
        let listing = ["*filter", ":INPUT ACCEPT [0:0]", ":FORWARD DROP [3:180]", ":DOCKER-USER - [0:0]"];
        let listing = listing.map(str::to_owned);
        let legacy = Iptables { flavour: Flavour::Legacy, family: Family::V4 };
        assert_eq!(in_listing(&listing, legacy), Some(Obstacle::Docker(legacy)));
        assert_eq!(in_listing(&listing[..2], legacy), None);
    }

    #[test]
    fn only_rules_of_that_id_are_taken_out() {
        let rules = [
            "-A DOCKER-USER -s 10.88.0.2/32 -i pcapsule0 -m comment --comment \"pcapsule:0a1b\" -j ACCEPT",
            "-A DOCKER-USER -m comment --comment \"pcapsule:0a1bc\" -j ACCEPT",
            "-A DOCKER-USER -j RETURN",
        ]
        .map(str::to_owned);
        assert_eq!(
            removals(&rules, &comment("0a1b")),
            ["-D DOCKER-USER -s 10.88.0.2/32 -i pcapsule0 -m comment --comment \"pcapsule:0a1b\" -j ACCEPT"]
        );
    }
}
