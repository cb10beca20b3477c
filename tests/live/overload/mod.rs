//! Far more traffic than a capture can take: what is written and what is reported lost still add up to what passed the
//! tap, exactly, for each tap, in the file itself.
//!
//! What passed is known because the taps are at the sender's end, where each datagram that could be sent passes. The
//! files are read block by block, by the lab's own reader; capinfos vouches that they are whole.

mod lives;
mod rotated;
mod slow;

use std::path::Path;

use crate::lab::{Account, Conversation, Ended, accounts, capinfos};

const PORT: u16 = 7000;
const FILTER: &[&str] = &["-f", "udp port 7000"];
/// The smallest ring there is, and so one that each of the loads here overruns.
const TINY: &[&str] = &["-B", "64"];

/// A datagram of a thousand bytes that ends with its number in eight digits.
fn numbered(number: usize) -> Vec<u8> {
    format!("{:.>992}{number:08}", "#").into_bytes()
}

/// Sends datagrams with these numbers, as fast as they go.
fn flood(talk: &Conversation, numbers: std::ops::Range<usize>) {
    talk.send(PORT, numbers.map(numbered));
}

/// The accounts in the file of a capture that ended well.
#[track_caller]
fn accounts_of(ended: &Ended) -> Vec<Account> {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    whole(&ended.file())
}

/// The accounts in a file that has its end.
#[track_caller]
fn whole(file: &Path) -> Vec<Account> {
    assert!(capinfos(file).contains("pcapng"), "{}", file.display());
    accounts(file)
}

/// How many packets were lost, of so many that passed: all others are in the file, and it says so.
#[track_caller]
fn lost(account: &Account, passed: usize) -> usize {
    let Account { tap, packets, marked, statistics } = account;
    let [statistics] = statistics.as_slice() else { panic!("{tap} has {} statistics", statistics.len()) };
    let (written, passed) = (packets.len() as u64, passed as u64);
    assert_eq!(written + statistics.dropped, passed, "{tap}: {written} written, {statistics:?}");
    assert_eq!((statistics.delivered, statistics.received), (written, passed), "{tap}: {statistics:?}");
    // A gap at the very end has no packet behind it that could tell of it.
    assert!(*marked <= statistics.dropped, "{tap}: {marked} marked, {statistics:?}");
    statistics.dropped.try_into().expect("it fits")
}

/// The numbers of an account's datagrams, which go up.
#[track_caller]
fn numbers(account: &Account) -> Vec<usize> {
    let number = |digits: &[u8; 8]| str::from_utf8(digits).ok()?.parse().ok();
    let numbers: Vec<usize> = account.packets.iter().map(|end| number(end).expect("a number")).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{} has packets twice or in disorder", account.tap);
    numbers
}
