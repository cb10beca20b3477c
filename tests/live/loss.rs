//! Loss is never silent: what is written and what is reported lost add up to what passed the tap.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use nix::sys::signal::Signal;

use crate::lab::{Cable, Capture, Conversation, Ended, eventually, has_written, rows, statistics};

const DATAGRAMS: usize = 20_000;

#[test]
fn written_and_lost_add_up_to_what_passed() {
    let Some(cable) = Cable::lay() else { return };
    let (ended, passed) = overrun(&cable, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let written = rows(&ended.file(), "udp", &["frame.number"]).len() as u64;
    let counters = statistics(&ended.file());
    let (_, tap) = counters.last().expect("a statistics block");
    assert!(tap.dropped > 0, "{tap:?}");
    assert_eq!(written + tap.dropped, passed as u64, "{tap:?}");
    assert_eq!(tap.delivered, written, "{tap:?}");
    // Each gap is reported with the first packet after it.
    let gaps = rows(&ended.file(), "frame.drop_count > 0", &["frame.drop_count"]).concat();
    let reported: u64 = gaps.iter().map(|gap| gap.parse::<u64>().unwrap()).sum();
    assert!((1..=tap.dropped).contains(&reported), "{reported} of {tap:?}");
    assert!(ended.stderr.contains(&tap.dropped.to_string()), "{}", ended.stderr);
    let hint = format!("hint: the kernel had room for 2.00 MiB at {}/eth0: -B 8192 ", cable.left_name());
    assert_eq!(ended.stderr.matches(&hint).count(), 1, "{}", ended.stderr);
}

#[test]
fn loss_is_a_failure_on_request() {
    let Some(cable) = Cable::lay() else { return };
    assert_eq!(overrun(&cable, &["--fail-on-loss"]).0.code, Some(6));
    let capture = Capture::of(&[&cable.left_selector()], &["--fail-on-loss"]);
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).ask(7000, b"one at a time");
    let ended = capture.stop();
    assert_eq!(ended.code, Some(0));
    assert!(!ended.stderr.contains("hint"), "{}", ended.stderr);
}

#[test]
fn a_gap_is_marked_in_the_file_that_follows_it() {
    let Some(cable) = Cable::lay() else { return };
    let talk = Conversation::new(cable.left(), cable.right(), Cable::RIGHT);
    // Many a file is begun, and counted, between the frames before the gap and the first one after it.
    let capture =
        Capture::of(&[&cable.left_selector()], &["-U", "-B", "1024", "-C", "100k", "-f", "udp port 7000"]);
    let folder = capture.file().parent().unwrap().to_owned();
    capture.signal(Signal::SIGSTOP);
    talk.flood(7000, DATAGRAMS, 1000);
    capture.signal(Signal::SIGCONT);
    let files = || fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    eventually("a packet after the gap is written", || {
        talk.send(7000, [b"after the gap".to_vec()]);
        files().any(|file| has_written(&file, b"after the gap")).then_some(())
    });
    let ended = capture.stop();
    let gaps = fs::read_dir(ended.folder()).unwrap().flat_map(|entry| {
        rows(&entry.unwrap().path(), "frame.drop_count > 0", &["frame.drop_count"]).concat()
    });
    let reported: u64 = gaps.map(|gap| gap.parse::<u64>().unwrap()).sum();
    let told = format!("{reported} packets dropped by kernel");
    assert!(reported > 0 && ended.stderr.contains(&told), "{told}: {}", ended.stderr);
}

#[test]
fn a_stop_amid_traffic_leaves_nothing_uncounted() {
    let Some(cable) = Cable::lay() else { return };
    for engine in ["ring", "libpcap"] {
        stop_amid_traffic(&cable, engine);
    }
}

fn stop_amid_traffic(cable: &Cable, engine: &str) {
    let capture = Capture::of(&[&cable.left_selector()], &["--engine", engine, "-f", "udp port 7000"]);
    let done = AtomicBool::new(false);
    let ended = thread::scope(|scope| {
        scope.spawn(|| {
            let talk = Conversation::new(cable.left(), cable.right(), Cable::RIGHT);
            // Bounded, so that a failure ends it as well.
            let datagrams = std::iter::repeat_n(vec![b'x'; 100], 2_000_000);
            talk.send(7000, datagrams.take_while(|_| !done.load(Ordering::Relaxed)));
        });
        let (file, begun) = (capture.file(), "a packet is written");
        eventually(begun, || has_written(&file, &[b'x'; 100]).then_some(()));
        let ended = capture.stop();
        done.store(true, Ordering::Relaxed);
        ended
    });
    let written = rows(&ended.file(), "udp", &["frame.number"]).len() as u64;
    let lost: u64 = statistics(&ended.file()).iter().map(|(_, tap)| tap.dropped).sum();
    let passed = format!("{} packets received by filter", written + lost);
    assert!(ended.stderr.contains(&passed), "{passed}: {}", ended.stderr);
}

/// A capture with a small buffer that is asleep while the datagrams pass: some must be lost, whatever the machine.
/// Answers with the number that passed.
fn overrun(cable: &Cable, options: &[&str]) -> (Ended, usize) {
    let options = [&["-U", "-B", "1024", "-f", "udp port 7000"], options].concat();
    let talk = Conversation::new(cable.left(), cable.right(), Cable::RIGHT);
    let capture = Capture::of(&[&cable.left_selector()], &options);
    capture.signal(Signal::SIGSTOP);
    talk.flood(7000, DATAGRAMS, 1000);
    capture.signal(Signal::SIGCONT);
    let mut passed = DATAGRAMS;
    eventually("a packet after the gap is written", || {
        talk.send(7000, [b"after the gap".to_vec()]);
        passed += 1;
        has_written(&capture.file(), b"after the gap").then_some(())
    });
    (capture.stop(), passed)
}
