//! Live streams through tshark and dumpcap: what they keep of interfaces, names and packets.

use std::{
    path::Path,
    process::{Child, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::stage::{Home, Resident, Stream, interface};
use crate::lab::{Cable, Conversation, capinfos, eventually, has_written, rows, unique};

/// A running tshark, killed on drop.
pub(super) struct Tshark {
    child: Child,
    file: std::path::PathBuf,
}

impl Tshark {
    /// Captures into a file in its home; back once the name of the tap is in it.
    #[track_caller]
    pub(super) fn start(home: &Home, words: &[&str], tap: &str) -> Self {
        let file = home.file("out.pcapng");
        let child = home
            .tshark(words)
            .arg("-w")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tshark starts");
        let mut started = Self { child, file };
        eventually(&format!("tshark's file has {tap}"), || {
            if let Ok(Some(status)) = started.child.try_wait() {
                panic!("tshark ended with {status}: {}", started.errors());
            }
            has_written(&started.file, tap.as_bytes()).then_some(())
        });
        started
    }

    /// What it writes.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Ends it as ^C does; what it said may name no error of ours.
    #[track_caller]
    pub(super) fn stop(mut self) -> std::path::PathBuf {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid fits"));
        let _ = kill(pid, Signal::SIGINT);
        let status = eventually("tshark ends", || self.child.try_wait().expect("it is our child"));
        let errors = self.errors();
        assert!(status.success() && !errors.contains("extcap pipe"), "{status}: {errors}");
        self.file.clone()
    }

    fn errors(&mut self) -> String {
        let mut text = String::new();
        let pipe = self.child.stderr.as_mut().expect("stderr is piped");
        let _ = std::io::Read::read_to_string(pipe, &mut text);
        text
    }
}

impl Drop for Tshark {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

#[test]
fn tshark_captures_a_namespace() {
    let Some(cable) = Cable::lay() else { return };
    let _resident = Resident::of(cable.left_name());
    let (home, tap) = (Home::new(), format!("{}/eth0", cable.left_name()));
    let capture = Tshark::start(&home, &["-i", &interface(&cable), "-f", "udp port 7000"], &tap);
    let talk = Conversation::new(cable.left(), cable.right(), Cable::RIGHT);
    talk.ask(7001, b"something else");
    talk.ask(7000, b"hello");
    eventually("the answer is in the file", || {
        (String::from_utf8_lossy(&std::fs::read(capture.file()).unwrap()).matches("hello").count() == 2)
            .then_some(())
    });
    let file = capture.stop();
    let frames = rows(&file, "", &["frame.interface_name", "udp.port"]);
    assert_eq!(frames.len(), 2);
    assert!(frames.iter().all(|frame| frame[0] == tap), "{frames:?}");
    let summary = capinfos(&file);
    assert!(summary.contains("Filter string = udp port 7000"), "{summary}");
}

#[test]
fn a_stream_through_dumpcap_alone_is_as_it_was() {
    let Some(cable) = Cable::lay() else { return };
    let stream = Stream::read_by(&interface(&cable), &["--count", "2"], |pipe, file| {
        let [pipe, file] = [pipe, file].map(|path| path.to_str().expect("a path in text"));
        crate::lab::run("dumpcap", &["-q", "-i", pipe, "-w", file]);
    });
    stream.until_declared("/eth0");
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).ask(7000, b"hello");
    let ended = stream.wait();
    assert_eq!((ended.status.code(), ended.stderr.as_str()), (Some(0), ""));
    let summary = capinfos(&ended.file());
    assert!(summary.contains("Number of stat entries = 1"), "{summary}");
    assert!(summary.contains(&format!("Name = {}/eth0", cable.left_name())), "{summary}");
    assert!(summary.contains("pcapsule"), "{summary}");
}

#[test]
fn beside_a_second_source_the_container_keeps_its_name() {
    let Some(cable) = Cable::lay() else { return };
    let _resident = Resident::of(cable.left_name());
    let (home, tap) = (Home::new(), format!("{}/eth0", cable.left_name()));
    let capture = Tshark::start(&home, &["-i", &interface(&cable), "-i", "lo"], &tap);
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).ask(7000, b"both");
    eventually("the answer is in the file", || {
        (String::from_utf8_lossy(&std::fs::read(capture.file()).unwrap()).matches("both").count() == 2)
            .then_some(())
    });
    let file = capture.stop();
    let fields = ["frame.interface_name", "frame.interface_description"];
    let frames = rows(&file, "udp.port == 7000 && udp.payload == 62:6f:74:68", &fields);
    assert_eq!(frames.len(), 2);
    assert!(frames.iter().all(|frame| frame[0] == tap && frame[1].contains("netns")), "{frames:?}");
    assert!(capinfos(&file).contains("Name = lo"));
}

#[test]
fn names_with_signs_and_the_longest_interface_name_are_captured() {
    let name = |end: &str| format!("{}:{end}.x", unique());
    let Some(cable) = Cable::between([name("a"), name("b")]) else { return };
    let _resident = Resident::of(cable.left_name());
    let nic = "a-long.nic_name";
    let left = cable.left();
    left.ip(&["link", "set", "eth0", "down"]);
    left.ip(&["link", "set", "eth0", "name", nic]);
    left.ip(&["link", "set", nic, "up"]);
    let (home, tap) = (Home::new(), format!("{}/{nic}", cable.left_name()));
    let capture = Tshark::start(&home, &["-i", &interface(&cable)], &tap);
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).ask(7000, b"signs");
    eventually("the packet is in the file", || has_written(capture.file(), b"signs").then_some(()));
    let frames = rows(&capture.stop(), "udp.port == 7000", &["frame.interface_name"]);
    assert!(!frames.is_empty() && frames.iter().all(|frame| frame[0] == tap), "{frames:?}");
}

#[test]
fn a_setting_of_wiresharks_reaches_the_capture() {
    // Wiresharks differ in whether they take a zero for a letter.
    let name = || unique().replace('0', "o");
    let Some(cable) = Cable::between([name(), name()]) else { return };
    let _resident = Resident::of(cable.left_name());
    let (home, tap) = (Home::new(), format!("{}/lo", cable.left_name()));
    let preference = interface(&cable).replace([':', '-'], "_");
    let setting = |option: &str| format!("extcap.{preference}.{option}");
    let words = ["-i", &interface(&cable), "-o", &setting("at:lo"), "-o", &setting("snaplen:60")];
    let capture = Tshark::start(&home, &words, &tap);
    Conversation::new(cable.left(), cable.left(), std::net::Ipv4Addr::LOCALHOST).ask(7000, &[b'z'; 200]);
    eventually("the packet is in the file", || has_written(capture.file(), b"zzzzzz").then_some(()));
    let frames = rows(&capture.stop(), "udp.port == 7000", &["frame.interface_name", "frame.cap_len"]);
    assert!(!frames.is_empty() && frames.iter().all(|frame| *frame == [tap.as_str(), "60"]), "{frames:?}");
}

#[test]
fn both_ends_can_be_picked_together() {
    let Some(cable) = Cable::lay() else { return };
    let both = format!("{},{}", cable.left_name(), cable.right_name());
    let stream = Stream::start("pcapsule-pick", &["--containers", &both]);
    for side in [cable.left_name(), cable.right_name()] {
        stream.until_declared(&format!("{side}/eth0"));
    }
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).ask(7000, b"hello");
    eventually("both sides are in the file", || {
        (String::from_utf8_lossy(&std::fs::read(stream.file()).unwrap()).matches("hello").count() == 4)
            .then_some(())
    });
    assert_eq!(rows(&stream.stop().well().file(), "udp.port == 7000", &["frame.number"]).len(), 4);
}
