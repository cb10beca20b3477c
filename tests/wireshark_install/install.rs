//! What `install` puts where, and that `uninstall` takes just that away.

use std::fs;

use crate::has;
use crate::home::{As, Home};

#[test]
fn what_was_installed_is_removed_and_nothing_is_left() {
    if !has(&["tshark"]) {
        return;
    }
    for user in As::all() {
        let home = Home::of(user);
        let plug = home.extcap().join("pcapsule");
        for again in [false, true] {
            let ended = home.wireshark(&["install", "--user", "--profile"]);
            assert_eq!(ended.code, Some(0), "{user:?}: {}", ended.stderr);
            assert_eq!(ended.stdout, "");
            assert_eq!(ended.stderr.contains("is there already"), again, "{}", ended.stderr);
            assert_eq!(fs::read_link(&plug).unwrap(), home.program());
            assert_eq!(home.files().len(), 8, "{:?}", home.files());
        }
        let ended = home.wireshark(&["uninstall", "--user"]);
        assert_eq!((ended.code, home.files().len()), (Some(0), 0), "{user:?}: {}", ended.stderr);
        assert!(home.program().exists());
        let ended = home.wireshark(&["uninstall", "--user"]);
        assert_eq!(ended.code, Some(0));
        assert!(ended.stderr.contains("nothing of pcapsule"), "{}", ended.stderr);
    }
}

#[test]
fn what_is_not_ours_is_left_alone() {
    if !has(&["tshark"]) {
        return;
    }
    let home = Home::of(As::Me);
    let plug = home.extcap().join("pcapsule");
    Home::plant(&plug, "#!/bin/sh\necho somebody else\n");
    let ended = home.wireshark(&["install", "--user", "--profile"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("is there already, and is not pcapsule"), "{}", ended.stderr);
    assert_eq!(home.files(), [&*plug], "nothing else was begun");
    let ended = home.wireshark(&["uninstall", "--user"]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("is not pcapsule, and is left alone"), "{}", ended.stderr);
    assert!(fs::read_to_string(&plug).unwrap().ends_with("somebody else\n"));
}

#[test]
fn what_is_in_a_wrong_folder_is_told_and_removed() {
    if !has(&["tshark"]) {
        return;
    }
    let home = Home::of(As::Me);
    home.misplace_program();
    let ended = home.wireshark(&["install", "--user"]);
    assert!(ended.stderr.contains("where this version of Wireshark does not look"), "{}", ended.stderr);
    assert_eq!(home.wireshark(&["uninstall", "--user"]).code, Some(0));
    assert!(home.files().is_empty(), "{:?}", home.files());
}

#[test]
fn a_copy_is_a_program_of_its_own() {
    if !has(&["tshark"]) {
        return;
    }
    let home = Home::of(As::Me);
    assert_eq!(home.wireshark(&["install", "--user", "--copy"]).code, Some(0));
    let plug = home.extcap().join("pcapsule");
    assert!(fs::symlink_metadata(&plug).unwrap().is_file());
    assert_eq!(home.files(), [&*plug]);
    // An update: the next version takes its place.
    fs::copy(&plug, home.path("older")).unwrap();
    let ended = home.wireshark(&["install", "--user", "--copy"]);
    assert!(ended.stderr.contains("is there already"), "{}", ended.stderr);
    assert_eq!(home.wireshark(&["install", "--user"]).code, Some(0));
    assert!(fs::symlink_metadata(&plug).unwrap().is_symlink());
    assert_eq!(home.wireshark(&["uninstall", "--user"]).code, Some(0));
    assert!(home.files().is_empty());
}

#[test]
fn who_may_not_write_there_is_told_how() {
    if !has(&["tshark"]) || !crate::home::nix_is_root() {
        return;
    }
    let home = Home::of(As::Nobody);
    let ended = home.wireshark(&["install", "--system"]);
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("sudo pcapsule wireshark") && ended.stderr.contains("--user"),
        "{}",
        ended.stderr
    );
}
