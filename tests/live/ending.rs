//! Signals: the two that end a capture leave a whole file; the one that kills leaves all that was flushed.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::lab::{Cable, Capture, Conversation, capinfos, rows, rows_of_torn, until_written};

#[test]
fn interrupt_and_terminate_leave_a_whole_file() {
    let Some(cable) = Cable::lay() else { return };
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let capture = Capture::of(&[&cable.left_selector()], &["-f", "udp port 7000"]);
        Conversation::new(cable.left(), cable.right(), Cable::RIGHT).ask(7000, b"hello");
        capture.signal(signal);
        let ended = capture.wait();
        assert_eq!(ended.code, Some(0), "{signal}: {}", ended.stderr);
        assert_eq!(rows(&ended.file(), "", &["frame.number"]).len(), 2);
        assert!(capinfos(&ended.file()).contains("Number of stat entries = 1"), "{signal}");
    }
}

#[test]
fn what_the_kernel_still_gathers_when_it_is_stopped_is_not_waited_for() {
    let Some(cable) = Cable::lay() else { return };
    // The frames of a tap that no other can join are gathered for 250 to 500 ms, and waited for until 514 are over. The
    // shortest of five, as machines stand still at times.
    let times = (0..5).map(|_| {
        let capture = Capture::of(&[&cable.left_selector()], &["--no-follow", "-f", "udp port 7000"]);
        Conversation::new(cable.left(), cable.right(), Cable::RIGHT).ask(7000, b"hello");
        let begin = Instant::now();
        let ended = capture.stop();
        let time = begin.elapsed();
        assert_eq!(rows(&ended.file(), "", &["frame.number"]).len(), 2, "{}", ended.stderr);
        time
    });
    let shortest = times.min().unwrap();
    assert!(shortest < Duration::from_millis(250), "{shortest:?}");
}

#[test]
fn a_killed_capture_leaves_what_was_flushed() {
    let Some(cable) = Cable::lay() else { return };
    let capture = Capture::of(&[&cable.left_selector()], &["-U", "-f", "udp port 7000"]);
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).ask(7000, b"one");
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).ask(7000, b"the last");
    until_written(&capture.file(), b"the last");
    capture.signal(Signal::SIGKILL);
    let ended = capture.wait();
    assert_eq!(ended.code, None);
    let frames = rows_of_torn(&ended.file(), "", &["frame.interface_name"]);
    assert!((3..=4).contains(&frames.len()), "{frames:?}");
    assert!(frames.iter().all(|row| row[0] == format!("{}/eth0", cable.left_name())));
}
