//! Ends: a signal, a reader that leaves, a second signal, the signal that cannot be heard.

use std::{
    fs::{self, File},
    io::Read as _,
    path::Path,
    time::Duration,
};

use nix::sys::signal::Signal;

use super::stage::{Home, Stream, interface};
use crate::lab::{Cable, Conversation, Engine, capinfos, eventually, rows, run};

#[test]
fn the_end_signal_leaves_a_whole_stream_with_statistics() {
    let Some(cable) = Cable::lay() else { return };
    let stream = Stream::start(&interface(&cable), &["--at", "container,lo"]);
    stream.until_declared("/lo");
    // In the middle of a flood: the last block must be whole all the same.
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).flood(7000, 20_000, 400);
    let ended = stream.stop().well();
    assert!(!rows(&ended.file(), "", &["frame.number"]).is_empty());
    let summary = capinfos(&ended.file());
    assert_eq!(summary.matches("Number of stat entries = 1").count(), 2, "{summary}");
}

#[test]
fn a_reader_that_leaves_ends_it_at_once_and_well() {
    let Some(cable) = Cable::lay() else { return };
    let stream = Stream::read_by(&interface(&cable), &[], |pipe, _| {
        let mut beginning = [0; 28];
        File::open(pipe).expect("a pipe").read_exact(&mut beginning).expect("a beginning");
    });
    stream.wait().well();
}

#[test]
fn a_reader_that_leaves_before_the_first_byte_is_not_waited_for() {
    let Some(cable) = Cable::lay() else { return };
    let leave = |pipe: &Path, _: &Path| drop(File::open(pipe).expect("a pipe"));
    Stream::read_by(&interface(&cable), &[], leave).wait().well();

    // Another host, which is slow and answers all the same.
    let home = Home::new();
    let answer = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/03-http.pcapng");
    let ssh = format!("touch called; cat; exec cat {answer}");
    let stream = Stream::elsewhere((&home, &ssh), &[], leave);
    eventually("it is called", || home.file("called").exists().then_some(()));
    stream.stop().well();
}

#[test]
fn two_signals_are_as_good_as_one() {
    let Some(cable) = Cable::lay() else { return };
    let stream = Stream::start(&interface(&cable), &[]);
    stream.until_declared("/eth0");
    stream.signal(Signal::SIGTERM);
    let ended = stream.stop().well();
    assert!(capinfos(&ended.file()).contains("Number of stat entries = 1"));
}

#[test]
fn a_signal_before_the_first_packet_is_no_failure() {
    let Some(cable) = Cable::lay() else { return };
    let stream = Stream::start(&interface(&cable), &[]);
    // It is there, and hears signals: it has its signal handlers.
    eventually("it hears the signal", || {
        let status = fs::read_to_string(format!("/proc/{}/status", stream.pid())).ok()?;
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
        let bits = u64::from_str_radix(caught.trim(), 16).ok()?;
        (bits >> (Signal::SIGTERM as i32 - 1) & 1 == 1).then_some(())
    });
    stream.stop().well();
}

#[test]
fn nobody_who_reads_delays_the_end_for_ever() {
    let Some(cable) = Cable::lay() else { return };
    let (tell_end, end) = std::sync::mpsc::channel::<()>();
    let stream = Stream::read_by(&interface(&cable), &[], move |pipe, _| {
        let mut pipe = File::open(pipe).expect("a pipe");
        let mut beginning = [0; 28];
        pipe.read_exact(&mut beginning).expect("a beginning");
        // Held open, and not read.
        let _ = end.recv();
    });
    eventually("it listens", || {
        let tasks = fs::read_dir(format!("/proc/{}/task", stream.pid())).ok()?;
        let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.into_iter().any(|name| name.trim() == "capture").then_some(())
    });
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).flood(7000, 5_000, 400);
    stream.signal(Signal::SIGTERM);
    let begin = std::time::Instant::now();
    eventually("it has ended", || stream.has_ended().then_some(()));
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
    drop(tell_end);
    assert_eq!(stream.wait().status.code(), Some(0));
}

#[test]
fn a_kill_leaves_nothing_behind() {
    let Some(engine) = Engine::alone() else { return };
    let network = engine.network();
    let web = engine.container("web").network(network.name()).start();
    let words = ["--at", "container,veth,bridge,cgroup"];
    let stream = Stream::start(&format!("pcapsule:{}", web.name()), &words);
    stream.until_declared(network.name());
    let promiscuity = || {
        let text = run("ip", &["-details", "-json", "link", "show", network.name()]);
        let links: serde_json::Value = serde_json::from_str(&text).expect("`ip -json` prints JSON");
        links[0]["promiscuity"].as_u64().expect("a number")
    };
    assert_eq!(promiscuity(), 1);
    let children =
        fs::read_to_string(format!("/proc/{0}/task/{0}/children", stream.pid())).unwrap_or_default();
    assert_eq!(children, "");
    stream.signal(Signal::SIGKILL);
    let ended = stream.wait();
    assert_eq!(ended.stderr, "");
    // The engine compares the rest when it goes.
    eventually("the bridge is as it was", || (promiscuity() == 0).then_some(()));
}
