//! `-w -`: a stream other tools read, a reader that goes away, and a terminal, which gets nothing binary.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    process::{ChildStdout, Command, Stdio},
};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::lab::{Cable, Capture, Conversation, Host, Requirement, checked, eventually, pcapsule, rows};

#[test]
fn tshark_and_tcpdump_read_the_stream() {
    let Some(cable) = Cable::lay() else { return };
    for reader in [&["tshark", "-n", "-r", "-"][..], &["tcpdump", "-n", "-r", "-"]] {
        let (capture, stdout) =
            Capture::piped(&[&cable.left_selector()], &["-c", "6", "-f", "udp port 7000"]);
        let child = read_by(reader, stdout);
        Conversation::new(cable.left(), cable.right(), Cable::RIGHT).flood(7000, 6, 10);
        assert_eq!(capture.wait().code, Some(0));
        let text = checked(reader[0], &child.wait_with_output().unwrap());
        assert_eq!(text.lines().count(), 6, "{text}");
    }
}

#[test]
fn a_classic_pcap_stream_is_read_too() {
    let Some(cable) = Cable::lay() else { return };
    let options = ["--pcap", "-c", "2", "-f", "udp port 7000"];
    let (capture, mut stdout) = Capture::piped(&[&cable.left_selector()], &options);
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).ask(7000, b"hello");
    let mut bytes = Vec::new();
    stdout.read_to_end(&mut bytes).unwrap();
    assert_eq!(capture.wait().code, Some(0));
    // Nanosecond magic, in this machine's byte order.
    assert_eq!(bytes[..4], 0xa1b2_3c4d_u32.to_ne_bytes());
    let mut tcpdump = Command::new("tcpdump")
        .args(["-n", "-r", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    tcpdump.stdin.take().unwrap().write_all(&bytes).unwrap();
    let text = checked("tcpdump", &tcpdump.wait_with_output().unwrap());
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn a_packet_leaves_at_once_when_asked_to() {
    let Some(cable) = Cable::lay() else { return };
    let (capture, mut stdout) = Capture::piped(&[&cable.left_selector()], &["-U", "-f", "udp port 7000"]);
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).ask(7000, b"at once");
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while !seen.windows(7).any(|window| window == b"at once") {
        let length = stdout.read(&mut buffer).unwrap();
        assert!(length > 0, "the stream ended early");
        seen.extend_from_slice(&buffer[..length]);
    }
    assert_eq!(capture.stop().code, Some(0));
}

#[test]
fn a_pipe_that_does_not_block_gets_the_whole_stream() {
    const DATAGRAMS: usize = 500;
    let Some(cable) = Cable::lay() else { return };
    let (mut stream, stdout) = io::pipe().unwrap();
    fcntl(&stdout, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    let mut capture = Command::new("timeout")
        .args(["20", env!("CARGO_BIN_EXE_pcapsule"), "capture", &cable.left_selector(), "--no-follow"])
        .args(["-w", "-", "-c", &DATAGRAMS.to_string(), "-f", "udp port 7000"])
        .stdout(stdout)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Every tap listens once the header is there. Then nobody reads until the pipe must be full several times over.
    let mut bytes = vec![0; 4];
    stream.read_exact(&mut bytes).unwrap();
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).flood(7000, DATAGRAMS, 1000);
    stream.read_to_end(&mut bytes).unwrap();
    assert_eq!(capture.wait().unwrap().code(), Some(0));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    assert_eq!(rows(file.path(), "udp", &["frame.number"]).len(), DATAGRAMS);
}

#[test]
fn a_reader_that_goes_away_is_a_success() {
    let Some(cable) = Cable::lay() else { return };
    let (capture, stdout) = Capture::piped(&[&cable.left_selector()], &["-U"]);
    drop(stdout);
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).flood(7000, 10, 10);
    let ended = capture.wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn a_reader_of_lines_that_goes_away_ends_a_silent_capture() {
    let Some(cable) = Cable::lay() else { return };
    let mut capture = Command::new(env!("CARGO_BIN_EXE_pcapsule"))
        .args(["capture", &cable.left_selector(), "-f", "udp port 7000"])
        .args(["--duration", "60s", "--ready-fd", "2"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(capture.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line == "ready")));
    drop(capture.stdout.take());
    let status = eventually("the capture ends", || capture.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_terminal_gets_no_binary() {
    if !Requirement::all(Requirement::NAMESPACES) {
        return;
    }
    let _host = Host::shared();
    // script(1) gives its command a terminal for standard output.
    let line = format!("{} capture if=lo -w - -c 1", env!("CARGO_BIN_EXE_pcapsule"));
    let output = Command::new("timeout").args(["20", "script", "-qec", &line, "/dev/null"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("terminal"), "{text}");
}

#[test]
fn what_is_not_a_capture_file_is_not_overwritten_unless_forced() {
    let Some(cable) = Cable::lay() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    std::fs::write(&file, "my only copy").unwrap();
    let line = ["capture", &cable.left_selector(), "--duration", "100ms", "-w", file.to_str().unwrap()];
    let refused = pcapsule(&line);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--force"));
    assert_eq!(std::fs::read(&file).unwrap(), b"my only copy");
    for again in [&["--force"][..], &[]] {
        let output = pcapsule(&[&line, again].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn read_by(reader: &[&str], stdout: ChildStdout) -> std::process::Child {
    Command::new(reader[0])
        .args(&reader[1..])
        .stdin(stdout)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the reader starts")
}
