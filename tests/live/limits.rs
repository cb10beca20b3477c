//! What ends a capture by itself: a number of packets, a time; and how much of each packet is kept.

use std::time::{Duration, Instant};

use crate::lab::{Cable, Capture, Conversation, Requirement, pcapsule, rows};

#[test]
fn a_count_ends_the_capture_after_exactly_that_many_packets() {
    let Some(cable) = Cable::lay() else { return };
    let capture = Capture::of(&[&cable.left_selector()], &["-c", "5"]);
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).flood(7000, 20, 100);
    let ended = capture.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(rows(&ended.file(), "", &["frame.number"]).len(), 5);
}

#[test]
fn a_duration_ends_an_idle_capture() {
    let Some(cable) = Cable::lay() else { return };
    let started = Instant::now();
    let ended = Capture::of(&[&cable.left_selector()], &["--duration", "1s"]).wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn a_snaplen_cuts_the_bytes_and_keeps_the_length() {
    let Some(cable) = Cable::lay() else { return };
    let capture = Capture::of(&[&cable.left_selector()], &["-s", "60", "-f", "udp"]);
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).ask(7000, &[b'.'; 500]);
    let ended = capture.stop();
    // Ethernet 14, IPv4 20, UDP 8 bytes.
    assert_eq!(rows(&ended.file(), "", &["frame.cap_len", "frame.len"]), [["60", "542"], ["60", "542"]]);
}

#[test]
fn headers_are_cut_to_a_snaplen_too() {
    let Some(cable) = Cable::lay() else { return };
    for (snaplen, kept) in [("40", "40"), ("60", "42")] {
        let options = ["--headers", "-s", snaplen, "-f", "udp"];
        let capture = Capture::of(&[&cable.left_selector()], &options);
        Conversation::new(cable.left(), cable.right(), Cable::RIGHT).ask(7000, &[b'.'; 500]);
        let ended = capture.stop();
        let fields = ["frame.cap_len", "frame.len"];
        assert_eq!(rows(&ended.file(), "", &fields), [[kept, "542"], [kept, "542"]]);
    }
}

#[test]
fn mixes_that_tcpdump_silently_ignores_are_refused() {
    if !Requirement::all(Requirement::NAMESPACES) {
        return;
    }
    for (mix, word) in [
        (&["-w", "x.pcapng", "-C", "1", "-G", "60", "-W", "3"][..], "--keep"),
        (&["-w", "-", "-C", "1"], "-w"),
        (&["-C", "1"], "-w"),
    ] {
        let output = pcapsule(&[&["capture", "all"], mix].concat());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{mix:?}: {errors}");
        assert!(errors.contains(word), "{mix:?}: {errors}");
    }
}
