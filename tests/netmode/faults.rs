//! A failure at every step of the plan, and death at every step: the host is as it was.
//!
//! `PCAPSULE_FAIL_AT=N` makes a debug build fail at step N of the plan; `PCAPSULE_KILL_AT=N` has the keeper killed there, and
//! `PCAPSULE_KILL_BOTH_AT=N` whoever started it as well.

use std::os::unix::process::ExitStatusExt;

use serde_json::Value;

use crate::lab::{Host, Like, Sandbox, checked, eventually, said};

/// Everything that a plan can hold: both families, both transports, a range, a chosen address.
const FULL: [&str; 8] = ["--ipv6", "-p", "8080:80", "-p", "127.0.0.1:8081:81", "-p", "5353:53/udp", "-p"];
const RANGE: &str = "9000-9009:90-99";

/// Case 35: on a host of its own.
#[test]
fn a_failure_at_any_step_leaves_nothing() {
    fails_at_each_step(Like::default());
}

/// Case 35: where Docker is.
#[test]
fn a_failure_at_any_step_leaves_nothing_of_ours_at_dockers() {
    fails_at_each_step(Like::DOCKER);
}

/// Case 35: with a neighbour at the bridge, which goes on.
#[test]
fn a_failure_at_any_step_leaves_the_neighbour_alone() {
    let Some(host) = Host::make() else { return };
    let _neighbour = Sandbox::up(&host, &["--ipv6", "-p", "7070:70"]);
    eventually("addresses are settled", || (!host.sh("ip addr").contains("tentative")).then_some(()));
    let before = host.snapshot_of_living();
    for step in steps(&host) {
        let failed = up(&host, "PCAPSULE_FAIL_AT", step);
        assert!(!failed.status.success(), "step {step}");
        host.assert_as(&before);
    }
}

/// The rules are made while other things are done: what nft says of them is told of them nevertheless.
#[test]
fn rules_that_cannot_be_made_are_told() {
    let Some(host) = Host::make() else { return };
    host.sh("mkdir /run/programs && printf '#!/bin/sh\\necho of no use >&2; read -r word; exit 1\\n' >/run/programs/nft
             chmod +x /run/programs/nft");
    let before = host.snapshot();
    for options in [&["-p", "8080:80"][..], &[]] {
        let line = [&["net", "up"], options].concat();
        let failed = host.pcapsule_with(&[("PATH", "/run/programs:/usr/sbin:/usr/bin:/sbin:/bin")], &line);
        assert_eq!(failed.status.code(), Some(1), "{}", said(&failed));
        assert!(said(&failed).contains(": make the table inet pcapsule_"), "{}", said(&failed));
        assert!(said(&failed).contains("nft has ended: of no use"), "{}", said(&failed));
        host.assert_as(&before);
    }
}

/// Case 36: whoever started the keeper undoes what it did, at any step.
#[test]
fn death_of_the_keeper_at_any_step_leaves_nothing() {
    for like in [Like::default(), Like::DOCKER] {
        let Some(host) = Host::like(like) else { return };
        let before = host.snapshot();
        for step in steps(&host) {
            let died = up(&host, "PCAPSULE_KILL_AT", step);
            assert!(!died.status.success(), "step {step} is deadly");
            host.assert_becomes(&before);
        }
    }
}

/// Case 36: nobody is left who could undo it; `net prune` does.
#[test]
fn death_of_both_at_any_step_is_pruned() {
    both_die_at_each_step(Like::default(), &["net", "prune"]);
}

/// Case 36: the same where Docker is.
#[test]
fn death_of_both_at_any_step_is_pruned_at_dockers() {
    both_die_at_each_step(Like::DOCKER, &["net", "prune"]);
}

/// Case 36: the next run on this host does as well.
#[test]
fn death_of_both_at_any_step_is_cleaned_by_the_next_run() {
    both_die_at_each_step(Like::default(), &["run", "-q", "--", "true"]);
}

fn fails_at_each_step(like: Like) {
    let Some(host) = Host::like(like) else { return };
    let before = host.snapshot();
    for step in steps(&host) {
        let failed = up(&host, "PCAPSULE_FAIL_AT", step);
        assert!(!failed.status.success(), "step {step} fails");
        assert!(!said(&failed).is_empty(), "step {step}: it says so");
        host.assert_as(&before);
    }
    let past = up(&host, "PCAPSULE_FAIL_AT", steps(&host).last().expect("there are steps") + 100);
    assert!(past.status.success(), "nothing else fails: {}", said(&past));
}

fn both_die_at_each_step(like: Like, cleaner: &[&str]) {
    let Some(host) = Host::like(like) else { return };
    let before = host.snapshot();
    let mut left = 0;
    for step in steps(&host) {
        let died = up(&host, "PCAPSULE_KILL_BOTH_AT", step);
        assert_eq!(died.status.signal(), Some(libc::SIGKILL), "step {step} is deadly: {}", said(&died));
        left += usize::from(!host.snapshot().since(&before).is_empty());
        checked(&cleaner.join(" "), &host.pcapsule(cleaner));
        host.assert_becomes(&before);
    }
    assert!(left > 0, "something is left behind by somebody, or nobody has died");
}

fn up(host: &Host, variable: &str, step: usize) -> std::process::Output {
    let line = [&["net", "up"][..], &FULL, &[RANGE]].concat();
    host.pcapsule_with(&[(variable, &step.to_string())], &line)
}

/// The numbers of the plan's steps.
#[track_caller]
fn steps(host: &Host) -> std::ops::RangeInclusive<usize> {
    let before = host.snapshot();
    let line = [&["net", "plan"][..], &FULL, &[RANGE, "--json"]].concat();
    let text = checked("pcapsule net plan", &host.pcapsule(&line));
    host.assert_as(&before);
    let document: Value = serde_json::from_str(&text).expect("one document");
    let count = document["steps"].as_array().map_or(0, Vec::len);
    assert!(count > 5, "a plan has steps: {text}");
    1..=count
}
