//! The chains of nf_tables, read over netlink (linux/netfilter/nf_tables.h): who drops what is forwarded. Reads only.
//!
//! Rules made by the iptables of today (`iptables-nft`) are among them; those of the older one have tables of their own.

use std::{fs, io};

use super::raw_netlink::{RawNetlink, Subject, attribute_type, attributes};

const SUBSYSTEM: u16 = 10 << 8;
const NEW_CHAIN: u16 = SUBSYSTEM | 3;
const GET_CHAIN: u16 = SUBSYSTEM | 4;

// Attributes of a chain, and of its hook.
const TABLE: u16 = 1;
const NAME: u16 = 3;
const HOOK: u16 = 4;
const POLICY: u16 = 5;
const HOOK_NUMBER: u16 = 1;

const FORWARD: u32 = 2;
const DROP: u32 = 0;

/// What a table of nf_tables is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of nft")]
pub enum TableFamily {
    Ip,
    Ip6,
    Inet,
    /// One that forwards no packets of IP, by its number.
    Other(u8),
}

/// What becomes of packets at a chain's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of nft")]
pub enum Policy {
    Accept,
    Drop,
}

/// A chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Its table's family.
    pub family: TableFamily,
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Its policy, if it is a base chain for what is forwarded.
    pub forward: Option<Policy>,
}

/// All chains of the calling thread's namespace. Without nf_tables in the kernel there are none.
pub fn chains() -> io::Result<Vec<Chain>> {
    let any_family = [0; 4];
    match RawNetlink::to_ask(Subject::Netfilter)?.table((GET_CHAIN, &any_family), NEW_CHAIN, chain) {
        // No such subsystem, and no module for it.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(Vec::new()),
        found => found,
    }
}

/// Whether the older iptables has a filter table here, for IPv4 or IPv6: only then it is worth asking.
pub fn has_legacy_filter(family: TableFamily) -> bool {
    let file = match family {
        TableFamily::Ip => "ip_tables_names",
        TableFamily::Ip6 => "ip6_tables_names",
        TableFamily::Inet | TableFamily::Other(_) => return false,
    };
    let tables = fs::read_to_string(format!("/proc/thread-self/net/{file}"));
    tables.is_ok_and(|tables| tables.lines().any(|table| table == "filter"))
}

/// Whether the older iptables has any table here, for IPv4 or IPv6.
pub fn has_legacy_tables(family: TableFamily) -> bool {
    let file = match family {
        TableFamily::Ip => "ip_tables_names",
        TableFamily::Ip6 => "ip6_tables_names",
        TableFamily::Inet | TableFamily::Other(_) => return false,
    };
    fs::read_to_string(format!("/proc/thread-self/net/{file}")).is_ok_and(|tables| !tables.trim().is_empty())
}

fn chain(payload: &[u8]) -> Option<Chain> {
    let family = match i32::from(*payload.first()?) {
        libc::NFPROTO_IPV4 => TableFamily::Ip,
        libc::NFPROTO_IPV6 => TableFamily::Ip6,
        libc::NFPROTO_INET => TableFamily::Inet,
        _ => TableFamily::Other(payload[0]),
    };
    let (mut table, mut name, mut hook, mut policy) = (None, None, None, Policy::Accept);
    for (kind, value) in attributes(payload.get(4..)?) {
        match attribute_type(kind) {
            TABLE => table = Some(string(value)),
            NAME => name = Some(string(value)),
            HOOK => hook = hook_number(value),
            POLICY if big_endian(value) == Some(DROP) => policy = Policy::Drop,
            _ => {}
        }
    }
    Some(Chain { family, table: table?, name: name?, forward: (hook == Some(FORWARD)).then_some(policy) })
}

fn hook_number(value: &[u8]) -> Option<u32> {
    attributes(value)
        .find(|(kind, _)| attribute_type(*kind) == HOOK_NUMBER)
        .and_then(|(_, value)| big_endian(value))
}

fn big_endian(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_be_bytes)
}

fn string(value: &[u8]) -> String {
    String::from_utf8_lossy(value).trim_end_matches('\0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::raw_netlink::{attribute, nested};

    #[test]
    fn a_chain_is_read() {
        let hook = nested(HOOK, &[attribute(HOOK_NUMBER, &FORWARD.to_be_bytes())]);
        let parts = [attribute(TABLE, b"filter\0"), attribute(NAME, b"FORWARD\0"), hook];
        let accepting = [&[2, 0, 0, 0][..], &parts.concat()].concat();
        let expected = Chain {
            family: TableFamily::Ip,
            table: "filter".to_owned(),
            name: "FORWARD".to_owned(),
            forward: Some(Policy::Accept),
        };
        assert_eq!(chain(&accepting), Some(expected.clone()));
        let dropping = [&accepting[..], &attribute(POLICY, &DROP.to_be_bytes())].concat();
        assert_eq!(chain(&dropping), Some(Chain { forward: Some(Policy::Drop), ..expected }));
        for length in 0..4 + parts[0].len() {
            assert_eq!(chain(&accepting[..length]), None, "{length}");
        }
    }
}
