//! VLAN tags, which the kernel takes out of a frame before a socket sees it, are back in the file.

use crate::lab::{Cable, Capture, Conversation, Truth, at, rows, until_written};

/// One VLAN tag: 0x8100 (802.1Q) or 0x88a8 (802.1ad), and its id.
pub(crate) struct Tag {
    pub(crate) ether_type: u16,
    pub(crate) id: u16,
}

/// An 802.1Q tag.
pub(crate) const DOT1Q: u16 = 0x8100;
/// An 802.1ad tag, the outer one of two.
pub(crate) const DOT1AD: u16 = 0x88a8;

#[test]
fn tags_are_restored_as_tcpdump_restores_them() {
    let Some(cable) = Cable::lay() else { return };
    let folder = tempfile::tempdir().unwrap();
    let truth = Truth::start(&cable.left(), "eth0", folder.path().join("truth"));
    let capture = Capture::of(&[&cable.left_selector()], &[]);
    send(&cable, &[Tag { ether_type: DOT1Q, id: 42 }]);
    send(&cable, &[Tag { ether_type: DOT1AD, id: 7 }, Tag { ether_type: DOT1Q, id: 42 }]);
    until_written(truth.file(), b"tagged");
    let ended = capture.stop();
    let fields = ["frame.md5_hash", "frame.len", "vlan.id", "ieee8021ad.id"];
    let theirs = rows(&truth.stop(), "vlan", &fields);
    assert_eq!(theirs.len(), 2);
    assert_eq!(rows(&ended.file(), "vlan", &fields), theirs);
}

#[test]
fn an_outgoing_tagged_frame_is_seen_as_it_was_sent() {
    let Some(cable) = Cable::lay() else { return };
    let capture = Capture::of(&[&format!("netns={}", cable.right_name())], &[]);
    send(&cable, &[Tag { ether_type: DOT1Q, id: 42 }]);
    let ended = capture.stop();
    let tap = at(&format!("{}/eth0", cable.right_name()));
    assert_eq!(rows(&ended.file(), &format!("vlan && {tap}"), &["vlan.id", "frame.len"]), [["42", "46"]]);
}

/// Puts one ARP question with these tags, outermost first, on the cable's right end, and waits until it has passed.
pub(crate) fn send(cable: &Cable, tags: &[Tag]) {
    let mut frame = [[0xff; 6], [2, 0, 0, 0, 0, 1]].concat();
    for tag in tags {
        frame.extend(tag.ether_type.to_be_bytes());
        frame.extend(tag.id.to_be_bytes());
    }
    // Who has 10.99.0.9? Tell 10.99.0.8 (RFC 826).
    frame.extend([
        8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 99, 0, 8, 0, 0, 0, 0, 0, 0, 10, 99, 0, 9,
    ]);
    cable.right().injector("eth0").sendpacket(frame).expect("the frame leaves");
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).ask(7999, b"tagged");
}
