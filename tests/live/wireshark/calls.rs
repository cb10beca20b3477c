//! Calls one by one: options, link types, filters while they are typed, whatever order and company the words come in.

use std::{fs::File, io::Read as _, time::Duration};

use super::stage::{Home, Resident, Stream, answer, call, interface};
use crate::lab::{Cable, Conversation, Host, rows};

#[test]
fn help_and_version_are_answered() {
    for words in [["--help"], ["--version"]] {
        assert!(!answer(&call(&words)).is_empty());
    }
}

#[test]
fn every_interface_has_options_and_a_link_type() {
    let _host = Host::shared();
    for interface in ["pcapsule", "pcapsule-pick", "pcapsule:whoever"] {
        let options = answer(&call(&["--extcap-config", "--extcap-interface", interface]));
        let picks = options.contains("{call=--containers}");
        assert_eq!(picks, interface == "pcapsule-pick", "{options}");
        for option in ["at", "snaplen", "promiscuous", "follow", "events", "count", "duration"] {
            assert!(options.contains(&format!("{{call=--{option}}}")), "{option}: {options}");
        }
        let link_types = answer(&call(&["--extcap-interface", interface, "--extcap-dlts"]));
        assert_eq!(link_types, "dlt {number=1}{name=EN10MB}{display=Ethernet}\n");
    }
    let other = ["--extcap-config", "--extcap-interface=pcapsule", "--extcap-reload-option=at"];
    assert_eq!(answer(&call(&other)), "");
}

#[test]
fn a_filter_is_checked_while_it_is_typed() {
    let check =
        |filter: &str| answer(&call(&["--extcap-capture-filter", filter, "--extcap-interface", "pcapsule"]));
    for right in ["", "icmp", "tcp port 80 and not host 10.0.0.1"] {
        assert_eq!(check(right), "", "{right}");
    }
    for wrong in ["tcp port", "frobnicate 7", "port nosuchport"] {
        let complaint = check(wrong);
        assert_eq!(complaint.lines().count(), 1, "{wrong}: {complaint}");
    }
}

#[test]
fn words_come_in_any_order_with_strangers_among_them() {
    let Some(cable) = Cable::lay() else { return };
    let words = ["--later-option", "--later=2", "stray", "--extcap-version=99.9", "--count=2", "--at", ""];
    let stream = Stream::start(&interface(&cable), &words);
    stream.until_declared("/eth0");
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).ask(7000, b"hello");
    let ended = stream.wait().well();
    let frames = rows(&ended.file(), "", &["frame.interface_name"]);
    assert_eq!(frames, vec![vec![format!("{}/eth0", cable.left_name())]; 2]);
}

#[test]
fn a_flag_may_stand_alone_or_with_a_word() {
    let Some(cable) = Cable::lay() else { return };
    for (words, is_cut) in [
        (&["--headers"][..], true),
        (&["--headers", "true"], true),
        (&["--headers=true"], true),
        (&["--headers", "false"], false),
        (&["--headers=false"], false),
        (&[], false),
    ] {
        let filter = ["--extcap-capture-filter", "udp port 7000"];
        let stream = Stream::start(&interface(&cable), &[words, &filter].concat());
        stream.until_declared("/eth0");
        Conversation::new(cable.left(), cable.right(), Cable::RIGHT).ask(7000, &[b'x'; 100]);
        let ended = stream.stop().well();
        let lengths = rows(&ended.file(), "", &["frame.cap_len", "frame.len"]);
        assert_eq!(lengths.len(), 2, "{words:?}");
        assert!(
            lengths.iter().all(|row| (row[0] == "42") == is_cut && row[1] == "142"),
            "{words:?}: {lengths:?}"
        );
    }
}

#[test]
fn a_bad_filter_is_one_line_and_a_failure() {
    let Some(cable) = Cable::lay() else { return };
    let ended = Stream::start(&interface(&cable), &["--extcap-capture-filter", "tcp port"]).wait();
    assert_eq!(ended.status.code(), Some(2), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("tcp port"), "{}", ended.stderr);
    assert_eq!(std::fs::metadata(ended.file()).unwrap().len(), 0);
}

#[test]
fn a_missing_container_is_one_line_and_a_failure_with_the_pipe_opened() {
    let _host = Host::shared();
    for (interface, words, code) in [
        ("pcapsule:pcs-nobody", &[][..], 4),
        ("pcapsule-pick", &["--containers", "pcs-nobody"], 4),
        ("pcapsule-pick", &["--select", "label=pcs-nobody"], 4),
        ("pcapsule-pick", &[], 1),
        ("eth0", &[], 1),
    ] {
        // The reader would wait for ever if the pipe were not opened.
        let stream = Stream::read_by(interface, words, |pipe, _| {
            let mut bytes = Vec::new();
            File::open(pipe).and_then(|mut pipe| pipe.read_to_end(&mut bytes)).expect("a pipe");
            assert_eq!(bytes, b"");
        });
        let ended = stream.wait();
        assert_eq!(ended.status.code(), Some(code), "{interface}: {}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{interface}: {}", ended.stderr);
        assert!(ended.took < Duration::from_secs(2), "{interface}: {:?}", ended.took);
    }
}

#[test]
fn tshark_does_not_hang_when_the_container_is_missing() {
    let Some(cable) = Cable::lay() else { return };
    let _resident = Resident::of(cable.left_name());
    let home = Home::new();
    let begin = std::time::Instant::now();
    // Not /dev/null: tshark removes what it writes to when no packet came, and root may remove that.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("none.pcapng");
    let pick = ["-i", "pcapsule-pick", "-o", "extcap.pcapsule_pick.select:pcs-nobody", "-w"];
    let pick = [&pick[..], &[file.to_str().unwrap()]].concat();
    let output = home.tshark(&pick).output().expect("tshark starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("finding a container named 'pcs-nobody'"), "{errors}");
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}
