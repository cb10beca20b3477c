//! The sink on real files: which frames are in which, and what becomes of old ones.

use std::{fs, path::Path};

use super::*;
use crate::capture::{Place, RotationOptions, Spot};
use crate::model::fixture::link;
use crate::model::{Direction, LinkKind};
use crate::savefile::{Reader, Record};
use crate::sys::netns::Namespace;

/// How that file would be written without any option.
fn options(pattern: &Path, rotation: RotationOptions) -> SavefileOptions {
    SavefileOptions {
        destination: Destination::new(pattern),
        format: Format::Pcapng,
        snaplen: 0,
        payload: Payload::Kept,
        section: Section::default(),
        filter: String::new(),
        link_layer: LinkLayer::Ethernet,
        rotation: Rotation::new(pattern, rotation).unwrap(),
        overwrite: Overwrite::CapturesOnly,
        reserve: 0,
        buffering: Buffering::Blocks,
        readers: Readers::Usual,
    }
}

fn sink(options: SavefileOptions) -> SavefileSink {
    let mut sink = SavefileSink::create(options).unwrap();
    let link = link(2, "eth0", LinkKind::Veth);
    let namespace = Namespace::current().unwrap();
    let (name, description) = ("web/eth0".to_owned(), String::new());
    sink.tap(&TapSpec { place: Place::Container, name, description, spot: Spot::Interface(link), namespace })
        .unwrap();
    sink.settle(Instant::now()).unwrap();
    sink
}

/// Gives frames of a kilobyte to the sink as the capture loop does: it rotates whenever the sink is full. The number
/// that was taken comes with why it ended.
fn deliver(sink: &mut SavefileSink, frames: u64) -> (u64, Result<(), SinkError>) {
    for taken in 0..frames {
        if sink.is_full() {
            sink.rotate(&[(0, TapTotals::default())]).unwrap();
            assert!(!sink.is_full(), "a new file takes at least one frame");
        }
        if let Err(error) = sink.packet(0, &Frame::whole(&[0; 1000], 1000, taken, Direction::Out), 0) {
            return (taken, Err(error));
        }
    }
    (frames, Ok(()))
}

fn packets(file: &Path) -> usize {
    let mut reader = Reader::new(fs::File::open(file).unwrap()).unwrap();
    let mut packets = 0;
    while let Some(record) = reader.next_record().unwrap() {
        packets += usize::from(matches!(record, Record::Packet(_)));
    }
    packets
}

fn statistics(file: &Path) -> Vec<Statistics> {
    let mut reader = Reader::new(fs::File::open(file).unwrap()).unwrap();
    let mut found = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        if let Record::Statistics { statistics, .. } = record {
            found.push(statistics);
        }
    }
    found
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn a_size_below_that_of_the_headers_gives_a_file_a_packet() {
    let folder = tempfile::tempdir().unwrap();
    let size = RotationOptions { file_bytes: Some(1), ..RotationOptions::default() };
    let mut sink = sink(options(&folder.path().join("f"), size));
    assert!(!sink.is_full(), "there is no packet yet");
    deliver(&mut sink, 3).1.unwrap();
    sink.finish().unwrap();
    let files = files(folder.path());
    assert_eq!(files.iter().map(|file| packets(file)).collect::<Vec<_>>(), [1, 1, 1], "{files:?}");
}

#[test]
fn an_old_file_that_is_gone_already_does_not_end_the_capture() {
    let folder = tempfile::tempdir().unwrap();
    let ring = RotationOptions { file_bytes: Some(1), keep: Some(2), ..RotationOptions::default() };
    let mut sink = sink(options(&folder.path().join("f"), ring));
    deliver(&mut sink, 2).1.unwrap();
    fs::remove_file(folder.path().join("f")).unwrap();
    deliver(&mut sink, 2).1.unwrap();
    sink.finish().unwrap();
    assert_eq!(files(folder.path()), [folder.path().join("f2"), folder.path().join("f3")]);
}

#[test]
fn a_name_that_comes_again_does_not_cost_the_packets_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let period = Some(Duration::from_nanos(1));
    for (keep, kept) in [(None, 3), (Some(2), 2)] {
        let by_time = RotationOptions { period, keep, ..RotationOptions::default() };
        let mut sink = sink(options(&folder.path().join("%Y.pcapng"), by_time));
        for _ in 0..2 {
            deliver(&mut sink, 1).1.unwrap();
            sink.rotate(&[(0, TapTotals::default())]).unwrap();
        }
        deliver(&mut sink, 1).1.unwrap();
        sink.finish().unwrap();
        let files = files(folder.path());
        assert_eq!(files.iter().map(|file| packets(file)).collect::<Vec<_>>(), vec![1; kept], "{files:?}");
        for file in &files {
            fs::remove_file(file).unwrap();
        }
    }
}

#[test]
fn the_first_file_of_a_rotation_overwrites_captures_only() {
    let folder = tempfile::tempdir().unwrap();
    let ring = RotationOptions { file_bytes: Some(1), count: Some(3), ..RotationOptions::default() };
    let by_time = RotationOptions { period: Some(Duration::from_hours(1)), ..RotationOptions::default() };
    for (rotation, pattern, name) in [(ring, "f", "f0"), (by_time, "%%f", "%f")] {
        let pattern = folder.path().join(pattern);
        let diary = folder.path().join(name);
        fs::write(&diary, "dear diary").unwrap();
        let options = options(&pattern, rotation);
        let first = options.destination.first(&options.rotation, &Zoned::now());
        assert!(
            matches!(first.check(Overwrite::CapturesOnly), Err(DestinationError::NotCapture(path)) if path == diary)
        );
        assert!(matches!(SavefileSink::create(options.clone()), Err(SinkError::Refused(_))));
        assert_eq!(fs::read(&diary).unwrap(), b"dear diary");

        fs::rename(&diary, &pattern).unwrap();
        let first = options.destination.first(&options.rotation, &Zoned::now());
        assert!(
            first.check(Overwrite::CapturesOnly).is_ok(),
            "nothing is written to the name as it was given"
        );
        SavefileSink::create(options).unwrap();
        assert_eq!(fs::read(&pattern).unwrap(), b"dear diary");
    }
}

#[test]
fn packets_that_a_full_disk_did_not_take_are_counted() {
    for format in [Format::Pcapng, Format::Pcap] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        let mut sink = sink(SavefileOptions { format, ..options(&file, RotationOptions::default()) });
        deliver(&mut sink, 10).1.unwrap();
        sink.write().unwrap();
        // As if the next file of a rotation were on a full disk.
        sink.output =
            WriteBehind::new(Output::create(Path::new("/dev/full"), 0, Readers::Usual).unwrap(), format);
        sink.begin_file();
        let (taken, ended) = deliver(&mut sink, 3000);
        assert!(matches!(ended, Err(SinkError::DiskFull { .. })), "{ended:?}");
        let frames = |bytes| (PIECE_BYTES / bytes) as u64;
        assert!(
            (frames(1060)..=frames(1000)).contains(&taken),
            "{taken} make a piece large enough to be written"
        );
        sink.tap_ended(0, &TapTotals::default()).unwrap();
        let _ = sink.finish();
        assert_eq!((packets(&file), sink.unwritten()), (10, taken), "{format:?}");
    }
}

#[test]
fn a_failure_behind_the_last_packet_is_told_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = sink(options(&folder.path().join("f"), RotationOptions::default()));
    deliver(&mut sink, 10).1.unwrap();
    sink.failure = Some(SinkError::Complete);
    assert!(matches!(sink.finish(), Err(SinkError::Complete)));
    assert_eq!((packets(&folder.path().join("f")), sink.unwritten()), (10, 0));
}

#[test]
fn old_files_go_while_the_present_one_grows_beyond_the_total() {
    let folder = tempfile::tempdir().unwrap();
    let (period, max_total) = (Some(Duration::from_nanos(1)), Some(25_000));
    let by_time = RotationOptions { period, max_total, ..RotationOptions::default() };
    let mut sink = sink(options(&folder.path().join("%Y"), by_time));
    let mut totals = Vec::new();
    for frames in [10, 10, 5, 10, 30] {
        deliver(&mut sink, frames).1.unwrap();
        sink.write().unwrap();
        totals.push(files(folder.path()).iter().map(|file| packets(file)).sum::<usize>());
        sink.rotate(&[(0, TapTotals::default())]).unwrap();
    }
    // The last one alone is larger than the total: it is not cut short, but the others go.
    assert_eq!(totals, [10, 20, 15, 15, 30]);
}

#[test]
fn what_passed_the_filter_is_not_called_what_the_interface_received() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut sink = sink(options(file.path(), RotationOptions::default()));
    let totals = TapTotals { passed: 7, lost: 2, delivered: 5, start_ns: 1, end_ns: 2 };
    sink.tap_ended(0, &totals).unwrap();
    sink.finish().unwrap();
    let [told] = statistics(file.path())[..] else { panic!() };
    assert_eq!((told.received, told.accepted), (None, Some(7)));
    assert_eq!((told.os_dropped, told.delivered), (Some(2), Some(5)));
}

#[test]
fn a_loss_is_told_by_the_file_of_the_packet_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let size = RotationOptions { file_bytes: Some(1), ..RotationOptions::default() };
    let mut sink = sink(options(&folder.path().join("f"), size));
    let mut totals = TapTotals::default();
    for (lost_before, lost_by_now) in [(0, 3), (3, 5), (0, 5)] {
        let frame = Frame::whole(&[0; 1000], 1000, totals.delivered, Direction::Out);
        sink.packet(0, &frame, lost_before).unwrap();
        totals.delivered += 1;
        totals.lost = lost_by_now;
        totals.passed = totals.delivered + totals.lost;
        sink.rotate(&[(0, totals)]).unwrap();
    }
    sink.tap_ended(0, &totals).unwrap();
    sink.finish().unwrap();
    let told: Vec<_> = files(folder.path()).iter().flat_map(|file| statistics(file)).collect();
    let told: Vec<_> = told.iter().map(|told| (told.accepted, told.os_dropped, told.delivered)).collect();
    let file = |delivered, lost| (Some(delivered + lost), Some(lost), Some(delivered));
    assert_eq!(told, [file(1, 0), file(1, 3), file(1, 0), file(0, 2)]);
}
