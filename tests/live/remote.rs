//! `-H ssh://host` against a real sshd, and `ssh host pcapsule capture … -w -`, which must not capture itself.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::{IpAddr, Ipv6Addr},
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread::JoinHandle,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::lab::{
    Cable, Conversation, Requirement, Sshd, accounts, capinfos, eventually, pcapsule, rows, run, within,
};

const PCAPSULE: &str = env!("CARGO_BIN_EXE_pcapsule");

/// A cable with a server at its right end.
fn called() -> Option<(Cable, Sshd)> {
    let cable = Cable::lay()?;
    let sshd = Sshd::start(&cable, Cable::RIGHT)?;
    Some((cable, sshd))
}

/// What is captured there: the server's own interface, which the ssh connection goes through. To a program that runs at
/// the right end, that end is the host.
const RIGHT: &str = "if=eth0";

/// Runs `pcapsule WORDS -H …` to its end at the left end.
fn elsewhere(cable: &Cable, sshd: &Sshd, words: &[&str]) -> Output {
    let url = sshd.url();
    let options = ["-H", &url, "--remote-path", PCAPSULE];
    let line = ["timeout", "--kill-after=5", "60", PCAPSULE];
    sshd.client(cable, &[&line[..], words, &options].concat())
        .stdin(Stdio::null())
        .output()
        .expect("it starts")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A capture that is called from the left end and runs at the right one; killed on drop.
struct Called {
    child: Child,
    stderr: Option<JoinHandle<Vec<String>>>,
}

impl Called {
    /// Back once it listens.
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stderr.take().expect("taken once")).lines();
        let mut said = Vec::new();
        let is_ready = lines.by_ref().map_while(Result::ok).any(|line| {
            let is_ready = line.contains("listening on");
            said.push(line);
            is_ready
        });
        let rest = std::thread::spawn(move || {
            said.extend(lines.map_while(Result::ok));
            said
        });
        let mut called = Self { child, stderr: Some(rest) };
        if !is_ready {
            let code = called.child.wait().expect("it is our child");
            panic!(
                "it ended with {code}: {:?}",
                called.stderr.take().expect("taken once").join().expect("text")
            );
        }
        called
    }

    /// `pcapsule capture` of the right end with these options.
    fn capture(cable: &Cable, sshd: &Sshd, options: &[&str]) -> Self {
        let url = sshd.url();
        let line = [PCAPSULE, "capture", RIGHT, "-H", &url, "--remote-path", PCAPSULE];
        Self::start(sshd.client(cable, &[&line[..], options].concat()))
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).expect("a pid fits")), signal).expect("a pid fits");
    }

    /// The exit code and what it said.
    fn wait(mut self) -> (Option<i32>, String) {
        let status = eventually("it ends", || self.child.try_wait().expect("it is our child"));
        (status.code(), self.stderr.take().expect("taken once").join().expect("text").join("\n"))
    }
}

impl Drop for Called {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The numbers of the datagrams in a file, and how many of its packets are of the ssh connection.
fn contents(file: &Path) -> (usize, usize) {
    let ssh = format!("tcp.port == {}", Sshd::PORT);
    (rows(file, "udp.port == 7000", &["frame.number"]).len(), rows(file, &ssh, &["frame.number"]).len())
}

#[test]
fn lists_come_from_there_with_their_exit_codes() {
    let Some((cable, sshd)) = called() else { return };
    let listed = elsewhere(&cable, &sshd, &["ls", "--json", &cable.left_selector()]);
    assert_eq!(listed.status.code(), Some(0), "{}", stderr(&listed));
    let document: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(document["containers"][0]["name"], cable.left_name());
    let unknown = elsewhere(&cable, &sshd, &["inspect", "no such 'container'"]);
    assert_eq!(unknown.status.code(), Some(4), "{}", stderr(&unknown));
    assert!(stderr(&unknown).contains("no such 'container'"), "words arrive as they were typed");
    let counted = elsewhere(&cable, &sshd, &["top", "--json", "-n", "1", "-d", "0.1"]);
    assert_eq!(counted.status.code(), Some(0), "{}", stderr(&counted));
    assert!(counted.stdout.starts_with(b"{"));
}

#[test]
fn the_environment_names_a_host_for_what_can_be_run_there() {
    let Some((cable, sshd)) = called() else { return };
    let (url, selector) = (sshd.url(), cable.left_selector());
    let line = [PCAPSULE, "ls", "-q", &selector, "--remote-path", PCAPSULE];
    let listed = sshd.client(&cable, &line).env("PCAPSULE_HOST", &url).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&listed.stdout).trim(), cable.left_name(), "{}", stderr(&listed));
    let before = [PCAPSULE, "-H", &url, "ls", "-q", &selector, "--remote-path", PCAPSULE];
    let listed = sshd.client(&cable, &before).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&listed.stdout).trim(), cable.left_name(), "{}", stderr(&listed));
}

#[test]
fn a_file_is_written_here_and_whole_after_an_interrupt() {
    let Some((cable, sshd)) = called() else { return };
    let folder = tempfile::tempdir().unwrap();
    for (name, options) in [("f.pcapng", &[][..]), ("f.pcap", &[]), ("g.pcapng", &["--own-connection"])] {
        let file = folder.path().join(name);
        let capture = Called::capture(&cable, &sshd, &[&["-w", file.to_str().unwrap()], options].concat());
        Conversation::new(cable.left(), cable.right(), Cable::RIGHT).flood(7000, 50, 900);
        // The last packets are there when the end is asked for, and come with it.
        std::thread::sleep(Duration::from_millis(300));
        capture.signal(Signal::SIGINT);
        let (code, said) = capture.wait();
        assert_eq!(code, Some(0), "{said}");
        capinfos(&file);
        let (datagrams, ssh) = contents(&file);
        assert_eq!(datagrams, 50, "{said}");
        let told = said.matches("leaving out the ssh connection").count();
        assert_eq!(
            (ssh == 0, told),
            if options.is_empty() { (true, 1) } else { (false, 0) },
            "{name}: {said}"
        );
        assert!(said.contains("packets captured"), "{said}");
        if Path::new(name).extension().is_some_and(|end| end == "pcapng") {
            assert_eq!(accounts(&file)[0].statistics.len(), 1, "the end of the file is there");
        }
    }
}

#[test]
fn what_is_piped_ends_with_its_reader() {
    let Some((cable, sshd)) = called() else { return };
    let url = sshd.url();
    let line = [PCAPSULE, "capture", RIGHT, "-H", &url, "--remote-path", PCAPSULE, "-w", "-"];
    let mut command = sshd.client(&cable, &line);
    command.stdout(Stdio::piped());
    let mut capture = Called::start(command);
    let mut stdout = capture.child.stdout.take().unwrap();
    let mut magic = [0; 4];
    stdout.read_exact(&mut magic).unwrap();
    assert_eq!(magic, [0x0a, 0x0d, 0x0d, 0x0a]);
    drop(stdout);
    // Nothing is sent that could not be written: it is noticed all the same.
    let (code, said) = capture.wait();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn nothing_goes_on_there_when_nobody_is_here_any_more() {
    let Some((cable, sshd)) = called() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f.pcapng");
    let capture = Called::capture(&cable, &sshd, &["-w", file.to_str().unwrap()]);
    let there = || {
        let listed = run("ps", &["-e", "-o", "args"]);
        listed
            .lines()
            .filter(|line| line.contains("--remote-end") && line.contains(file.to_str().unwrap()))
            .count()
    };
    assert!(there() > 0);
    capture.signal(Signal::SIGKILL);
    eventually("it ends there", || (there() == 0).then_some(()));
    drop(capture);
}

#[test]
fn a_connection_that_breaks_leaves_a_whole_file() {
    let Some((cable, sshd)) = called() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f.pcapng");
    let capture = Called::capture(&cable, &sshd, &["-w", file.to_str().unwrap(), "-U"]);
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).flood(7000, 20, 900);
    eventually("packets arrive here", || {
        (fs::metadata(&file).is_ok_and(|found| found.len() > 20 * 900)).then_some(())
    });
    sshd.break_off();
    let (code, said) = capture.wait();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("ssh did not get there") || said.contains("broke off"), "{said}");
    capinfos(&file);
    assert_eq!(contents(&file), (20, 0));
}

#[test]
fn what_goes_wrong_on_the_way_is_told() {
    let Some((cable, sshd)) = called() else { return };
    let fails = |line: &[&str], code: i32, words: &str| {
        let output =
            sshd.client(&cable, &[&[PCAPSULE], line].concat()).stdin(Stdio::null()).output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{line:?}: {said}");
        assert!(said.contains(words), "{line:?}: {said}");
    };
    let url = sshd.url();
    let nobody = format!("ssh://root@{}:1", Cable::RIGHT);
    fails(&["ls", "-H", &nobody], 1, "ssh did not get there");
    let stranger = url.replace("root@", "nosuchuser@");
    fails(&["ls", "-H", &stranger], 1, "does `ssh ssh://nosuchuser@");
    fails(&["ls", "-H", &url, "--remote-path", "/nowhere/pcapsule"], 5, "there is no '/nowhere/pcapsule'");
    fails(&["read", "-", "-H", &url], 2, "unexpected argument '-H'");
    fails(&["-H", &url, "read", "-"], 2, "-H goes with ls, inspect, capture and top");
    fails(&["capture", "all", "-H", &url, "-w", "f", "-C", "1"], 2, "-C does not go with -H");
    fails(&["--remote-end", "99.1.0", "ls"], 5, "install the same version at both ends");
    let noisy = format!("echo Welcome; {PCAPSULE}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    let file = file.to_str().unwrap();
    let line = ["capture", RIGHT, "-H", &url, "--remote-path", &noisy, "-w", file];
    fails(&line, 1, "it is none, but begins with 'Welcome'");
    assert!(!Path::new(file).exists());
    let without_ssh =
        Command::new(PCAPSULE).args(["ls", "-H", &url]).env("PATH", "/nowhere").output().unwrap();
    assert_eq!(without_ssh.status.code(), Some(5));
    assert!(stderr(&without_ssh).contains("install an ssh client"), "{}", stderr(&without_ssh));
    let local = pcapsule(&["ls", "-q", "--remote-end", "0"]);
    assert_eq!(local.status.code(), Some(2), "the other end's option stands before the command");
}

#[test]
fn a_stream_by_hand_does_not_capture_itself() {
    let Some(cable) = Cable::lay() else { return };
    let (left, right_end) =
        (Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 1), Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, 2));
    for (end, address) in [(cable.left(), left), (cable.right(), right_end)] {
        end.sysctl("net.ipv6.conf.eth0.disable_ipv6=0");
        end.ip(&["addr", "add", &format!("{address}/64"), "dev", "eth0", "nodad"]);
    }
    for address in [IpAddr::from(Cable::RIGHT), IpAddr::from(right_end)] {
        let Some(sshd) = Sshd::start(&cable, address) else { return };
        for (filter, is_tcp) in
            [("", true), ("-f 'tcp or udp port 7000'", true), ("-f 'udp port 7000 or arp'", false)]
        {
            // Both ends of the cable, the way of the connection: all of it would be seen twice.
            let there =
                format!("{PCAPSULE} capture {RIGHT} {} -U -c 2000 -w - {filter}", cable.left_selector());
            let port = Sshd::PORT.to_string();
            let destination = format!("root@{address}");
            let mut command = sshd.client(&cable, &["ssh", "-p", &port, &destination, &there]);
            let file = tempfile::NamedTempFile::new().unwrap();
            command.stdout(file.reopen().unwrap());
            let capture = Called::start(command);
            let talk = Conversation::new(cable.left(), cable.right(), Cable::RIGHT);
            talk.flood(7000, 10, 100);
            talk.stream(7001, b"another connection");
            // A stream that captured itself would grow for ever.
            eventually("the datagrams come", || {
                (rows_so_far(file.path(), "udp.port == 7000") == 20).then_some(())
            });
            let size = file.path().metadata().unwrap().len();
            assert_eq!(
                within(Duration::from_secs(1), || {
                    (file.path().metadata().unwrap().len() > size + 10_000).then_some(())
                }),
                None,
                "it feeds itself"
            );
            assert_eq!(rows_so_far(file.path(), &format!("tcp.port == {}", Sshd::PORT)), 0);
            assert_eq!(rows_so_far(file.path(), "tcp.port == 7001") > 0, is_tcp);
            capture.signal(Signal::SIGTERM);
            let (_, said) = capture.wait();
            assert_eq!(said.matches("leaving out the ssh connection").count(), 1, "{said}");
        }
    }
}

/// Captures at the right end by `ssh … there -w -` through that port, until what was said is in the file. Answers with
/// how many packets of each port there are, and what the capture said.
fn by_hand(cable: &Cable, sshd: &Sshd, port: u16, there: &str, ports: &[u16]) -> (Vec<usize>, String) {
    let (port, destination) = (port.to_string(), format!("root@{}", Cable::RIGHT));
    let mut command = sshd.client(cable, &["ssh", "-p", &port, &destination, there]);
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    command.stdout(file.reopen().expect("our own file"));
    let capture = Called::start(command);
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).flood(7000, 10, 100);
    eventually("the datagrams come", || (rows_so_far(file.path(), "udp.port == 7000") == 10).then_some(()));
    let count = |port: &u16| rows_so_far(file.path(), &format!("tcp.port == {port}"));
    let counts = ports.iter().map(count).collect();
    capture.signal(Signal::SIGTERM);
    (counts, capture.wait().1)
}

#[test]
fn a_stream_is_known_although_the_environment_does_not_tell() {
    let Some((cable, sshd)) = called() else { return };
    // As with sudo, whose parent alone has the variable.
    let there = format!("env -u SSH_CONNECTION {PCAPSULE} capture {RIGHT} -U -c 2000 -w -; true");
    let (counts, said) = by_hand(&cable, &sshd, Sshd::PORT, &there, &[Sshd::PORT]);
    assert_eq!(counts, [0], "{said}");
    assert_eq!(said.matches("leaving out the ssh connection").count(), 1, "{said}");
}

#[test]
fn a_stream_through_a_translated_port_is_known_by_both() {
    const PUBLISHED: u16 = 2223;
    let Some((cable, sshd)) = called() else { return };
    if !Requirement::all(&[Requirement::Nft]) {
        return;
    }
    let net = format!("--net={}", cable.right().path().display());
    let redirect = format!(
        "add table ip pub; add chain ip pub pre {{ type nat hook prerouting priority -100; }}; \
         add rule ip pub pre tcp dport {PUBLISHED} redirect to :{}",
        Sshd::PORT
    );
    run("nsenter", &[&net, "nft", &redirect]);
    let ports = [Sshd::PORT, PUBLISHED];
    let there = format!("{PCAPSULE} capture {RIGHT} -U -c 2000 -w -");
    let (counts, said) = by_hand(&cable, &sshd, PUBLISHED, &there, &ports);
    assert_eq!(counts, [0, 0], "{said}");
    // The interface does see it under the other port; what feeds itself ends by its count.
    let (port, destination) = (PUBLISHED.to_string(), format!("root@{}", Cable::RIGHT));
    let there = format!("{there} --own-connection");
    let line = ["timeout", "60", "ssh", "-p", &port, &destination, &there];
    let output = sshd.client(&cable, &line).stdin(Stdio::null()).output().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), &output.stdout).unwrap();
    let counts = ports.map(|port| rows(file.path(), &format!("tcp.port == {port}"), &["frame.number"]).len());
    assert!(counts[0] == 0 && counts[1] > 0, "{counts:?}: {}", stderr(&output));
}

#[test]
fn a_terminal_here_is_one_there() {
    let Some((cable, sshd)) = called() else { return };
    let line = format!("{PCAPSULE} ls {} -H {} --remote-path {PCAPSULE}", cable.left_selector(), sshd.url());
    // script(1) gives its command a terminal.
    let output = sshd
        .client(&cable, &["timeout", "60", "script", "-qec", &line, "/dev/null"])
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains(cable.left_name()), "{text}");
    assert!(text.contains("\u{1b}[1m"), "headings are bold on a terminal: {text:?}");
    // What is binary never gets there.
    let packets = format!("{line} -w -").replace(" ls ", " capture ");
    let output =
        sshd.client(&cable, &["timeout", "60", "script", "-qec", &packets, "/dev/null"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("is a terminal"), "{text}");
}

/// Frames of a file that is being written.
fn rows_so_far(file: &Path, filter: &str) -> usize {
    crate::lab::rows_of_torn(file, filter, &["frame.number"]).iter().filter(|row| !row[0].is_empty()).count()
}
