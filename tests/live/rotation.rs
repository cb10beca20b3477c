//! One capture in many files: each stands alone, no packet is lost or doubled between two, and the disk use is bounded.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::lab::{Cable, Capture, Conversation, Ended, capinfos, pcapsule, rows};

const DATAGRAMS: usize = 200;

#[test]
fn files_by_size_stand_alone_and_hold_each_packet_once() {
    let Some(cable) = Cable::lay() else { return };
    let ended = flooded(&cable, &["-C", "50k"]);
    let files = files(ended.folder());
    assert!(files.len() >= 4, "{files:?}");
    let mut packets = 0;
    for file in &files {
        let frames = rows(file, "udp", &["frame.interface_name", "frame.time_epoch"]);
        assert!(frames.iter().all(|row| row[0] == format!("{}/eth0", cable.left_name())), "{frames:?}");
        assert!(frames.is_sorted_by_key(|row| row[1].clone()), "times go up");
        assert!(capinfos(file).contains("Number of stat entries = 1"), "{}", file.display());
        packets += frames.len();
    }
    assert_eq!(packets, DATAGRAMS);
}

#[test]
fn files_smaller_than_their_headers_hold_a_packet_each() {
    let Some(cable) = Cable::lay() else { return };
    // The filter is in the headers of each file, and alone larger than the size.
    let filter = (7000..7100).map(|port| format!("udp port {port}")).collect::<Vec<_>>().join(" or ");
    let capture = Capture::of(&[&cable.left_selector()], &["-C", "1k", "-f", &filter]);
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).flood(7000, 3, 10);
    let ended = capture.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let packets = files(ended.folder()).into_iter().map(|file| rows(&file, "udp", &["frame.number"]).len());
    assert_eq!(packets.collect::<Vec<_>>(), [1, 1, 1]);
}

#[test]
fn a_ring_goes_round_in_its_files() {
    let Some(cable) = Cable::lay() else { return };
    for ring in [&["-C", "50k", "-W", "2"][..], &["-C", "50k", "--keep", "2"]] {
        let ended = flooded(&cable, ring);
        let kept = files(ended.folder());
        assert_eq!(kept.len(), 2, "{ring:?}: {kept:?}");
        let last = kept.iter().map(|file| newest_number(file)).max().unwrap();
        assert_eq!(last, DATAGRAMS - 1, "{ring:?}: the newest packets are kept");
    }
}

#[test]
fn the_total_stays_below_its_bound() {
    let Some(cable) = Cable::lay() else { return };
    let ended = flooded(&cable, &["-C", "20k", "--max-total", "100k"]);
    let total: u64 = files(ended.folder()).iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!((20 * 1024..=100 * 1024).contains(&total), "{total}");
}

#[test]
fn files_by_time_end_on_time_on_an_idle_link_too() {
    let Some(cable) = Cable::lay() else { return };
    let folder = tempfile::tempdir().unwrap();
    let pattern = folder.path().join("%s.pcapng");
    let ended = Capture::to(&pattern, &[&cable.left_selector()], &["-G", "1", "-W", "2"]).wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let files = files(folder.path());
    assert_eq!(files.len(), 2, "{files:?}");
    for file in files {
        assert!(capinfos(&file).contains("pcapng"), "{}", file.display());
    }
}

#[test]
fn the_first_file_of_a_ring_overwrites_no_other_file_unasked() {
    let Some(cable) = Cable::lay() else { return };
    let folder = tempfile::tempdir().unwrap();
    let [pattern, first] = ["f", "f0"].map(|name| folder.path().join(name));
    let ring = ["-C", "1", "-W", "2", "--duration", "100ms", "-w", pattern.to_str().unwrap()];
    let selector = cable.left_selector();
    let line = [&["capture", &selector], &ring[..]].concat();
    fs::write(&first, "my only copy").unwrap();
    assert_eq!(pcapsule(&line).status.code(), Some(2));
    assert_eq!(fs::read(&first).unwrap(), b"my only copy");
    // Nothing is written to the name that was given.
    fs::rename(&first, &pattern).unwrap();
    let output = pcapsule(&line);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read(&pattern).unwrap(), b"my only copy");
    assert!(capinfos(&first).contains("pcapng"));
}

/// A capture of `DATAGRAMS` numbered datagrams of a kilobyte, about 220 kB in all.
fn flooded(cable: &Cable, options: &[&str]) -> Ended {
    let capture = Capture::of(&[&cable.left_selector()], &[&["-f", "udp port 7000"], options].concat());
    let payloads = (0..DATAGRAMS).map(|number| format!("{number:01000}").into_bytes());
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).send(7000, payloads);
    let ended = capture.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// The highest number that a datagram in the file carries.
fn newest_number(file: &Path) -> usize {
    let payloads = rows(file, "udp", &["udp.payload"]);
    let numbers = payloads.iter().map(|row| {
        let digits: String = row[0].as_bytes().chunks(2).map(|pair| char::from(pair[1])).collect();
        digits.parse::<usize>().expect("a number")
    });
    numbers.max().expect("a packet")
}
