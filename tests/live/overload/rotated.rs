//! Overload while files are begun and removed: each file accounts for its own stretch, and all stretches make the whole.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use nix::sys::signal::Signal;

use super::{FILTER, TINY, flood, lost, numbers, whole};
use crate::lab::{Account, Cable, Capture, Conversation, accounts, accounts_in, eventually};

/// More than the ring has room for.
const BURST: usize = 6000;
const BURSTS: usize = 4;

#[test]
fn across_files_that_are_removed() {
    across(&["-C", "500k", "--keep", "8"], 8);
}

#[test]
fn across_a_ring_of_files() {
    across(&["-C", "500k", "-W", "8"], 8);
}

#[test]
fn across_files_that_stay() {
    across(&["-C", "300k"], usize::MAX);
}

/// A burst makes fewer files than are kept, so that each can be copied before it goes.
fn across(options: &[&str], kept: usize) {
    let Some(cable) = Cable::lay() else { return };
    let talk = Conversation::new(cable.left(), cable.right(), Cable::RIGHT);
    let capture = Capture::of(&[&cable.left_selector()], &[FILTER, TINY, &["-U"], options].concat());
    let folder = capture.file().parent().expect("it lies in a folder").to_owned();
    let mut stretches = Stretches::default();
    let mut passed = 0;
    for _ in 0..BURSTS {
        capture.signal(Signal::SIGSTOP);
        flood(&talk, passed..passed + BURST);
        passed += BURST;
        capture.signal(Signal::SIGCONT);
        eventually("a packet after the gap is written", || {
            flood(&talk, passed..passed + 1);
            passed += 1;
            let last = format!("{:08}", passed - 1);
            let has_it = |account: &Account| account.packets.last() == last.as_bytes().first_chunk();
            // A file may be removed while we look.
            let mut contents = files(&folder).into_iter().filter_map(|file| fs::read(file).ok());
            contents.any(|bytes| accounts_in(&bytes).iter().any(has_it)).then_some(())
        });
        stretches.learn(&folder, accounts);
    }
    let ended = capture.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    stretches.learn(ended.folder(), whole);
    let files = files(ended.folder()).len();
    assert!(files <= kept && stretches.0.len() > 8, "{files} of {}", stretches.0.len());
    let mut sums = (0, 0);
    let newest = stretches.0.keys().next_back();
    for (begin, account) in &stretches.0 {
        let [statistics] = account.statistics.as_slice() else { panic!("{begin} has no end") };
        let received = statistics.received.try_into().expect("it fits");
        sums = (sums.0 + received, sums.1 + lost(account, received));
        // Each loss is told by the file that has the packet behind it; the last one may have none.
        assert!(
            account.marked == statistics.dropped || Some(begin) == newest,
            "{begin}: {} marked",
            account.marked
        );
    }
    assert_eq!(sums.0, passed, "of {} files", stretches.0.len());
    assert!(sums.1 > 0);
    let told = format!("{} packets received by filter\n{} packets dropped by kernel", sums.0, sums.1);
    assert!(ended.stderr.contains(&told), "{told}: {}", ended.stderr);
}

/// The account of each file there was, by its first packet's number: it is what no two files share.
#[derive(Default)]
struct Stretches(BTreeMap<usize, Account>);

impl Stretches {
    fn learn(&mut self, folder: &Path, read: fn(&Path) -> Vec<Account>) {
        for file in files(folder) {
            let [account] = &read(&file)[..] else { panic!("{} has one tap", file.display()) };
            if let Some(first) = numbers(account).first() {
                self.0.insert(*first, account.clone());
            }
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("an entry").path()).collect()
}
