//! BPF filters: at every tap, in either spelling, and refused before anything opens.

use crate::{
    lab::{Cable, Capture, Conversation, at, pcapsule, rows, run},
    tags::{DOT1Q, Tag, send},
};

#[test]
fn a_filter_applies_to_each_tap() {
    let Some((one, two)) = Cable::lay().zip(Cable::lay()) else { return };
    for spelling in [&["-f", "udp port 7000"][..], &["--", "udp", "port", "7000"][..]] {
        let capture = Capture::of(&[&one.left_selector(), &two.left_selector()], spelling);
        for cable in [&one, &two] {
            let talk = Conversation::new(cable.left(), cable.right(), Cable::RIGHT);
            talk.ask(7000, b"wanted");
            talk.ask(7001, b"unwanted");
        }
        let ended = capture.stop();
        for cable in [&one, &two] {
            let tap = at(&format!("{}/eth0", cable.left_name()));
            assert_eq!(rows(&ended.file(), &tap, &["udp.port"]).len(), 2, "{spelling:?}");
        }
        assert!(rows(&ended.file(), "not udp.port == 7000", &["frame.number"]).is_empty());
    }
}

#[test]
fn a_bad_filter_is_refused_in_libpcaps_words_before_anything_opens() {
    let Some(cable) = Cable::lay() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("never.pcapng");
    let output =
        pcapsule(&["capture", &cable.left_selector(), "-w", file.to_str().unwrap(), "-f", "tcp prot 80"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    let libpcap = pcap::Capture::dead(pcap::Linktype::ETHERNET).unwrap().compile("tcp prot 80", true);
    let Err(pcap::Error::PcapError(words)) = libpcap else { panic!("libpcap takes the filter") };
    assert!(errors.contains(&words), "{errors} lacks: {words}");
    assert!(!file.exists());
}

#[test]
fn a_filter_for_a_vlan_sees_the_tag_that_the_kernel_took_out() {
    let Some(cable) = Cable::lay() else { return };
    let capture = Capture::of(&[&cable.left_selector()], &["-f", "vlan 42 and arp"]);
    for id in [42, 43] {
        send(&cable, &[Tag { ether_type: DOT1Q, id }]);
    }
    let ended = capture.stop();
    assert_eq!(rows(&ended.file(), "", &["vlan.id"]), [["42"]]);
}

#[test]
fn a_file_of_cut_frames_is_filtered_by_their_length_on_the_wire() {
    let Some(cable) = Cable::lay() else { return };
    let capture = Capture::of(&[&cable.left_selector()], &["-s", "60", "-f", "udp port 7000"]);
    let talk = Conversation::new(cable.left(), cable.right(), Cable::RIGHT);
    talk.ask(7000, &[b'x'; 1000]);
    talk.ask(7000, b"short");
    let ended = capture.stop();
    let file = ended.file();
    let file = file.to_str().unwrap();
    for (expression, count) in [("greater 500", 2), ("less 500", 2), ("udp[4:2] > 500 and len = 1042", 2)] {
        let ours = pcapsule(&["read", "-n", file, "-f", expression]);
        let theirs = run("tcpdump", &["-n", "-r", file, expression]);
        assert_eq!(String::from_utf8_lossy(&ours.stdout).lines().count(), count, "{expression}");
        assert_eq!(theirs.lines().count(), count, "{expression}: {theirs}");
    }
}
