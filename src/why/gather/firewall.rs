//! The rules of a namespace, from nft and both flavours of iptables; programs are started only where there are rules.

use std::fs;

use crate::sys::firewall::{TableFamily, chains, has_legacy_tables};
use crate::sys::iptables::{self, Flavour, Iptables};
use crate::sys::netns::Namespace;
use crate::sys::nft;
use crate::why::firewall::{Chain, Family, Maker, Ruleset, has_iptables_tables, read_iptables, read_nft};

/// Reads all rules of a namespace.
pub(super) fn read(namespace: &Namespace) -> Ruleset {
    namespace
        .within(own)
        .unwrap_or_else(|error| Ruleset { unread: vec![error.to_string()], ..Ruleset::default() })
}

/// Those of the calling thread's namespace.
fn own() -> Ruleset {
    let mut ruleset = Ruleset { queues: queues(), ..Ruleset::default() };
    match chains() {
        Ok(chains) if chains.is_empty() => {}
        Ok(_) => in_nf_tables(&mut ruleset),
        Err(error) => ruleset.unread.push(format!("asking the kernel for chains: {error}")),
    }
    for (family, table_family, kind) in FAMILIES {
        if has_legacy_tables(table_family) {
            let iptables = Iptables { flavour: Flavour::Legacy, family };
            match iptables.all_rules() {
                Ok(listing) => ruleset.chains.extend(read_iptables(&listing, Maker::IptablesLegacy, kind)),
                Err(error) => ruleset.unread.push(sentence(&error)),
            }
        }
    }
    ruleset
}

/// The queues that somebody reads: the first number of each line (`net/netfilter/nfnetlink_queue.c`, `seq_show`).
fn queues() -> Option<Vec<u64>> {
    let listing = fs::read_to_string("/proc/thread-self/net/netfilter/nfnetlink_queue").ok()?;
    Some(listing.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect())
}

const FAMILIES: [(iptables::Family, TableFamily, Family); 2] = [
    (iptables::Family::V4, TableFamily::Ip, Family::Ip),
    (iptables::Family::V6, TableFamily::Ip6, Family::Ip6),
];

fn in_nf_tables(ruleset: &mut Ruleset) {
    let listing = match nft::listing() {
        Ok(listing) => listing,
        Err(error) => {
            ruleset.unread.push(sentence(&error));
            String::from("{}")
        }
    };
    let mut chains = read_nft(&listing).unwrap_or_else(|error| {
        ruleset.unread.push(format!("reading what nft says: {error}"));
        Vec::new()
    });
    for (family, _, kind) in FAMILIES {
        if !(has_iptables_tables(&chains, kind) || chains.is_empty()) {
            continue;
        }
        let iptables = Iptables { flavour: Flavour::Nft, family };
        // Where iptables cannot read the tables, because nft has changed them, what nft says must do.
        if let Ok(listing) = iptables.all_rules() {
            replace(&mut chains, read_iptables(&listing, Maker::IptablesNft, kind));
        }
    }
    ruleset.chains.extend(chains);
}

/// Puts the chains that iptables tells of in the place of the same as nft tells them, with the handles that nft knows.
fn replace(chains: &mut Vec<Chain>, told: Vec<Chain>) {
    for mut chain in told {
        let same = |other: &Chain| {
            other.family == chain.family && other.table == chain.table && other.name == chain.name
        };
        if let Some(at) = chains.iter().position(same) {
            if chains[at].rules.len() == chain.rules.len() {
                for (rule, known) in chain.rules.iter_mut().zip(&chains[at].rules) {
                    rule.handle = known.handle;
                }
            }
            chain.hook.clone_from(&chains[at].hook);
            chains[at] = chain;
        } else {
            chains.push(chain);
        }
    }
}

fn sentence(error: &dyn std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}
