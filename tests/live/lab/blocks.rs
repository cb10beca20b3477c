//! The interface statistics blocks of a pcapng file, which no tool at hand prints. Everything else is skipped.
//!
//! Little-endian files only: pcapng, sections 3.1, 4.2 and 4.6.

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

const STATISTICS_BLOCK: u32 = 5;
const IF_DROP: u16 = 5;
const FILTER_ACCEPT: u16 = 6;
const OS_DROP: u16 = 7;
const USR_DELIV: u16 = 8;

/// The counters of each interface that has a statistics block, by its number in the file.
pub(crate) fn statistics(file: &Path) -> Vec<(u32, Statistics)> {
    let bytes = fs::read(file).expect("the file is there");
    let mut rest = bytes.as_slice();
    let mut found = Vec::new();
    while rest.len() >= 12 {
        let length = u32_at(rest, 4) as usize;
        if u32_at(rest, 0) == STATISTICS_BLOCK {
            // Type, length, interface, time (8); options; length again.
            found.push((u32_at(rest, 8), options(&rest[20..length - 4])));
        }
        rest = &rest[length..];
    }
    found
}

fn options(mut rest: &[u8]) -> Statistics {
    let mut statistics = Statistics::default();
    while rest.len() >= 4 {
        let (code, length) = (u16_at(rest, 0), usize::from(u16_at(rest, 2)));
        let value = || u64::from_le_bytes(rest[4..12].try_into().expect("eight bytes"));
        match code {
            FILTER_ACCEPT => statistics.received = value(),
            IF_DROP | OS_DROP => statistics.dropped += value(),
            USR_DELIV => statistics.delivered = value(),
            _ => {}
        }
        rest = &rest[(4 + length.next_multiple_of(4)).min(rest.len())..];
    }
    statistics
}

fn u32_at(bytes: &[u8], place: usize) -> u32 {
    u32::from_le_bytes(bytes[place..place + 4].try_into().expect("four bytes"))
}

fn u16_at(bytes: &[u8], place: usize) -> u16 {
    u16::from_le_bytes(bytes[place..place + 2].try_into().expect("two bytes"))
}
