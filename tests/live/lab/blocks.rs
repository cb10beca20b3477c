//! A pcapng file block by block: the statistics blocks, which no tool at hand prints, and each tap's packets counted far
//! sooner than a dissector does. Everything else is skipped.
//!
//! Little-endian files only: pcapng, sections 3.1, 4.2, 4.3 and 4.6.

use std::{fs, path::Path};

/// The last counters of one interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Statistics {
    /// Received by the filter and let pass (`isb_filteraccept`).
    pub(crate) received: u64,
    /// Dropped for lack of room (`isb_ifdrop`).
    pub(crate) dropped: u64,
    /// Delivered to the user (`isb_usrdeliv`).
    pub(crate) delivered: u64,
}

/// What a file says of one of its interfaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// The interface (`if_name`).
    pub(crate) tap: String,
    /// The last bytes of each of its packets, in the order of the file.
    pub(crate) packets: Vec<[u8; 8]>,
    /// How many were lost before its packets, by these (`epb_dropcount`).
    pub(crate) marked: u64,
    /// Its statistics blocks.
    pub(crate) statistics: Vec<Statistics>,
}

const INTERFACE_BLOCK: u32 = 1;
const STATISTICS_BLOCK: u32 = 5;
const PACKET_BLOCK: u32 = 6;
const SECRETS_BLOCK: u32 = 10;
const IF_NAME: u16 = 2;
const DROP_COUNT: u16 = 4;
const IF_DROP: u16 = 5;
const FILTER_ACCEPT: u16 = 6;
const OS_DROP: u16 = 7;
const USR_DELIV: u16 = 8;

/// The counters of each interface that has a statistics block, by its number in the file.
pub(crate) fn statistics(file: &Path) -> Vec<(u32, Statistics)> {
    let bytes = fs::read(file).expect("the file is there");
    let found = blocks(&bytes).filter(|(kind, _)| *kind == STATISTICS_BLOCK);
    found.map(|(_, body)| (u32_at(body, 0), counters(&body[12..]))).collect()
}

/// The lines of the key logs in a file, each with how many packets stand before it.
pub(crate) fn keys_in(file: &Path) -> Vec<(usize, String)> {
    let bytes = fs::read(file).expect("the file is there");
    let (mut packets, mut keys) = (0, Vec::new());
    for (kind, body) in blocks(&bytes) {
        match kind {
            PACKET_BLOCK => packets += 1,
            SECRETS_BLOCK => {
                let length = u32_at(body, 4) as usize;
                let text = String::from_utf8_lossy(&body[8..8 + length]).into_owned();
                keys.extend(text.lines().map(|line| (packets, line.to_owned())));
            }
            _ => {}
        }
    }
    keys
}

/// Each interface's account, by its number in the file.
pub(crate) fn accounts(file: &Path) -> Vec<Account> {
    accounts_in(&fs::read(file).expect("the file is there"))
}

/// The same of a file's bytes.
pub(crate) fn accounts_in(bytes: &[u8]) -> Vec<Account> {
    let mut accounts = Vec::<Account>::new();
    for (kind, body) in blocks(bytes) {
        match kind {
            INTERFACE_BLOCK => {
                let name = options(&body[8..]).find(|(code, _)| *code == IF_NAME);
                let tap = name.map(|(_, text)| String::from_utf8_lossy(text).into_owned());
                accounts.push(Account { tap: tap.unwrap_or_default(), ..Account::default() });
            }
            PACKET_BLOCK => {
                let account = &mut accounts[u32_at(body, 0) as usize];
                let end = 20 + u32_at(body, 12) as usize;
                account.packets.push(*body[..end].last_chunk().expect("more than eight bytes"));
                let drops = options(&body[end.next_multiple_of(4)..]).filter(|(code, _)| *code == DROP_COUNT);
                account.marked += drops.map(|(_, value)| number(value)).sum::<u64>();
            }
            STATISTICS_BLOCK => {
                accounts[u32_at(body, 0) as usize].statistics.push(counters(&body[12..]));
            }
            _ => {}
        }
    }
    accounts
}

/// Type and body of each block that is there as a whole, without the lengths before and after it.
fn blocks(mut rest: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    std::iter::from_fn(move || {
        if rest.len() < 12 {
            return None;
        }
        let block;
        (block, rest) = rest.split_at_checked(u32_at(rest, 4) as usize)?;
        Some((u32_at(block, 0), &block[8..block.len() - 4]))
    })
}

fn counters(body: &[u8]) -> Statistics {
    let mut statistics = Statistics::default();
    for (code, value) in options(body) {
        match code {
            FILTER_ACCEPT => statistics.received = number(value),
            IF_DROP | OS_DROP => statistics.dropped += number(value),
            USR_DELIV => statistics.delivered = number(value),
            _ => {}
        }
    }
    statistics
}

/// Code and value of each option.
fn options(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        if rest.len() < 4 {
            return None;
        }
        let (code, length) = (u16_at(rest, 0), usize::from(u16_at(rest, 2)));
        let value = &rest[4..4 + length];
        rest = &rest[(4 + length.next_multiple_of(4)).min(rest.len())..];
        Some((code, value))
    })
}

fn number(value: &[u8]) -> u64 {
    u64::from_le_bytes(value.try_into().expect("eight bytes"))
}

fn u32_at(bytes: &[u8], place: usize) -> u32 {
    u32::from_le_bytes(bytes[place..place + 4].try_into().expect("four bytes"))
}

fn u16_at(bytes: &[u8], place: usize) -> u16 {
    u16::from_le_bytes(bytes[place..place + 2].try_into().expect("two bytes"))
}
