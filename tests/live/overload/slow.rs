//! A capture that hardly gets to run, and outputs that are slower than the traffic.

use std::{io::Read, net::UdpSocket, thread, time::Duration};

use nix::{sys::stat::Mode, unistd::mkfifo};

use super::{FILTER, TINY, accounts_of, flood, lost, numbers, whole};
use crate::lab::{Brake, Cable, Capture, Cgroup, Conversation, SlowDisk};

const DATAGRAMS: usize = 60_000;

#[test]
fn with_a_twentieth_of_a_processor() {
    // A tenth is enough to keep up where the sender has to share its own with other tests.
    starved(5, TINY, DATAGRAMS);
    starved(5, &["-B", "64", "-U"], DATAGRAMS);
}

#[test]
fn with_a_fiftieth_of_a_processor_and_the_ring_by_default() {
    starved(2, &[], 150_000);
}

#[test]
fn with_a_fiftieth_of_a_processor_of_headers_only() {
    starved(2, &["-B", "64", "--headers"], 200_000);
}

#[test]
fn with_a_tenth_of_a_processor_by_libpcap() {
    starved(10, &["-B", "64", "--engine", "libpcap"], DATAGRAMS);
}

fn starved(percent: u32, options: &[&str], datagrams: usize) {
    let Some(cable) = Cable::lay() else { return };
    let Some(brake) = Brake::processor(percent) else { return };
    let capture = Capture::of(&[&cable.left_selector()], &[FILTER, options].concat());
    brake.hold(capture.pid());
    flood(&talk(&cable), 0..datagrams);
    // The ring is as full as it can be, and is emptied now.
    let accounts = accounts_of(&capture.stop());
    assert!(lost(&accounts[0], datagrams) > 0, "{options:?}");
}

#[test]
fn at_several_taps_with_loads_of_their_own() {
    let loads = [100, 20_000, DATAGRAMS];
    let Some(cables) = loads.iter().map(|_| Cable::lay()).collect::<Option<Vec<_>>>() else { return };
    let Some(brake) = Brake::processor(10) else { return };
    let selectors: Vec<String> = cables.iter().map(Cable::left_selector).collect();
    let selection: Vec<&str> = selectors.iter().map(String::as_str).collect();
    let capture = Capture::of(&selection, &[FILTER, TINY].concat());
    brake.hold(capture.pid());
    thread::scope(|scope| {
        for (cable, load) in cables.iter().zip(loads) {
            scope.spawn(move || flood(&talk(cable), 0..load));
        }
    });
    let accounts = accounts_of(&capture.stop());
    let mut all_lost = 0;
    for (cable, load) in cables.iter().zip(loads) {
        let tap = format!("{}/eth0", cable.left_name());
        let account = accounts.iter().find(|account| account.tap == tap).expect("each has a tap");
        all_lost += lost(account, load);
        numbers(account);
    }
    assert!(all_lost > 0);
}

#[test]
fn at_cgroups_with_loads_of_their_own() {
    let Some(brake) = Brake::processor(10) else { return };
    let loads = [2000, 20_000];
    let Some(groups) = loads.iter().map(|_| Cgroup::make()).collect::<Option<Vec<_>>>() else { return };
    let server = UdpSocket::bind(("127.0.0.1", 0)).expect("a free port");
    let port = server.local_addr().expect("it is bound").port();
    let filter = format!("udp port {port}");
    let selectors: Vec<String> = groups.iter().map(Cgroup::selector).collect();
    let selection: Vec<&str> = selectors.iter().map(String::as_str).collect();
    let capture = Capture::of(&selection, &[&["-f", &filter], TINY].concat());
    brake.hold(capture.pid());
    thread::scope(|scope| {
        for (group, load) in groups.iter().zip(loads) {
            scope.spawn(move || group.send(port, load));
        }
    });
    let accounts = accounts_of(&capture.stop());
    let mut all_lost = 0;
    for (group, load) in groups.iter().zip(loads) {
        let account = accounts.iter().find(|account| account.tap == group.tap()).expect("each has a tap");
        all_lost += lost(account, load);
    }
    assert!(all_lost > 0);
}

#[test]
fn into_a_pipe_whose_reader_is_slow() {
    let Some(cable) = Cable::lay() else { return };
    let (capture, stdout) = Capture::piped(&[&cable.left_selector()], &[FILTER, TINY].concat());
    let reader = thread::spawn(|| slowly(stdout));
    flood(&talk(&cable), 0..DATAGRAMS);
    let ended = capture.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let file = ended.file();
    std::fs::write(&file, reader.join().expect("it reads")).expect("a new file");
    let accounts = whole(&file);
    assert!(lost(&accounts[0], DATAGRAMS) > 0);
    numbers(&accounts[0]);
}

#[test]
fn into_a_fifo_whose_reader_is_slow() {
    let Some(cable) = Cable::lay() else { return };
    let folder = tempfile::tempdir().expect("a temporary directory");
    let fifo = folder.path().join("fifo");
    mkfifo(&fifo, Mode::S_IRWXU).expect("a new FIFO");
    let end = fifo.clone();
    let reader = thread::spawn(|| slowly(std::fs::File::open(end).expect("it is there")));
    let capture = Capture::to(&fifo, &[&cable.left_selector()], &[FILTER, TINY].concat());
    flood(&talk(&cable), 0..DATAGRAMS);
    let ended = capture.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let file = ended.file();
    std::fs::write(&file, reader.join().expect("it reads")).expect("a new file");
    assert!(lost(&whole(&file)[0], DATAGRAMS) > 0);
}

#[test]
fn onto_a_disk_that_is_slow() {
    const DATAGRAMS: usize = 150_000;
    let Some(cable) = Cable::lay() else { return };
    let Some(disk) = SlowDisk::mount(256, 16) else { return };
    let file = disk.path().join("slow.pcapng");
    let capture = Capture::to(&file, &[&cable.left_selector()], &[FILTER, TINY].concat());
    disk.hold(capture.pid());
    flood(&talk(&cable), 0..DATAGRAMS);
    let ended = capture.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let accounts = whole(&file);
    assert!(lost(&accounts[0], DATAGRAMS) > 0);
    numbers(&accounts[0]);
}

fn talk(cable: &Cable) -> Conversation {
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT)
}

/// Everything, at some megabytes a second.
fn slowly(mut stream: impl Read) -> Vec<u8> {
    let (mut bytes, mut piece) = (Vec::new(), vec![0; 64 << 10]);
    loop {
        match stream.read(&mut piece).expect("the stream can be read") {
            0 => return bytes,
            length => bytes.extend_from_slice(&piece[..length]),
        }
        thread::sleep(Duration::from_millis(5));
    }
}
