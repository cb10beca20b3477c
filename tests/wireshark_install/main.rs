//! `pcapsule wireshark` and `capture --wireshark` from outside, in homes of their own, with the tshark of this machine.
//!
//! A test that lacks something says why it is skipped, and fails instead when `PCAPSULE_REQUIRE` names that.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says why it is skipped")]

mod dissector;
mod home;
mod install;
mod protected;
mod rootless;
mod status;
mod viewer;

use std::{env, process::Command};

/// Whether the words that `PCAPSULE_REQUIRE` uses name things that are there.
///
/// # Panics
/// When one is not there and is demanded.
fn has(needs: &[&str]) -> bool {
    needs.iter().all(|need| {
        let is_there = match *need {
            "tshark" => succeeds("tshark", &["--version"]),
            "netns" => succeeds("unshare", &["--net", "--mount", "true"]),
            other => panic!("nobody knows what {other} is"),
        };
        let demanded = env::var("PCAPSULE_REQUIRE").unwrap_or_default();
        let is_demanded = demanded.split(',').any(|word| word.trim() == *need);
        assert!(is_there || !is_demanded, "PCAPSULE_REQUIRE names {need}, which is not there");
        if !is_there {
            eprintln!("skipped: this machine has no {need}");
        }
        is_there
    })
}

fn succeeds(program: &str, words: &[&str]) -> bool {
    Command::new(program).args(words).output().is_ok_and(|output| output.status.success())
}
