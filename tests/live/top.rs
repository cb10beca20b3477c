//! `top`: containers show the bytes that they transferred and nothing of their neighbours', come and go, and two
//! hundred of them cost next to nothing.

use std::{
    env,
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write as _},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use crate::lab::{
    Cable, Container, Engine, Host, Requirement, eventually, held_in_kernel, hierarchy, is_there, run, unique,
};

const PATIENCE: Duration = Duration::from_secs(20);
/// What is downloaded.
const MEBIBYTES: u64 = 16;
const PAYLOAD: u64 = MEBIBYTES << 20;
/// More than the head of an HTTP answer or question has.
const HTTP_HEAD: u64 = 1000;
/// Less than what is taken off too much from frames smaller than TCP's, such as the few of ARP.
const SMALL_FRAMES: u64 = 1000;

/// What a packet holds besides payload, with TCP time stamps, and the most payload of a segment.
struct Path {
    headers: u64,
    segment: u64,
}

/// Counted by interfaces of 1,500 bytes.
const BRIDGE: Path = Path { headers: 14 + 20 + 32, segment: 1448 };
/// Counted at sockets, over the loopback interface of 65,536 bytes. A machine with much else to do loses segments even
/// there: the receiver's buffer fills.
const LOOPBACK: Path = Path { headers: 20 + 32, segment: 65_483 };

#[test]
fn containers_show_what_they_transfer_and_neighbours_nothing() {
    if !Requirement::all(&[Requirement::Cgroup2]) {
        return;
    }
    let Some(engine) = Engine::shared() else { return };
    let (_network, [server, client]) = engine.couple(["server", "client"]);
    let [in_host_mode, neighbour] =
        ["hosted", "neighbour"].map(|role| engine.container(role).network("host").start());
    let port = free_port();
    serve(&server, 80);
    serve(&in_host_mode, port);
    let all = [&server, &client, &in_host_mode, &neighbour];
    let mut top = Top::start(&all.map(Container::name));
    let before = Truth::of(&server);
    let url = format!("http://{}/big", server.address());
    assert!(client.exec(&["wget", "-q", "-O", "/dev/null", &url]).status.success());
    run("busybox", &["wget", "-q", "-O", "/dev/null", &format!("http://127.0.0.1:{port}/big")]);
    let _idle = TcpStream::connect(("127.0.0.1", port)).expect("it serves");
    let after = Truth::of(&server);
    top.settle();

    let [server, client, in_host_mode, neighbour] = all.map(|container| top.sum_of(container.name()));
    assert_eq!((server.counted_by, in_host_mode.counted_by), ("interfaces", "cgroup"));
    assert_eq!(server.sent, after.minus(before), "what its interface counted itself");
    payload_is(PAYLOAD, server.sent, &BRIDGE, server.retransmissions);
    payload_is(PAYLOAD, client.received, &BRIDGE, server.retransmissions);
    payload_is(PAYLOAD, in_host_mode.sent, &LOOPBACK, in_host_mode.retransmissions);
    payload_is(0, in_host_mode.received, &LOOPBACK, 0);
    assert_eq!((neighbour.sent, neighbour.received), (Volume::default(), Volume::default()));
    assert_eq!((in_host_mode.connections, neighbour.connections), (1, 0));
}

/// Without its headers, what went through is the payload, at most one head of HTTP, and what was sent again.
#[track_caller]
fn payload_is(expected: u64, volume: Volume, path: &Path, retransmissions: u64) {
    let found = volume.bytes.saturating_sub(volume.packets * path.headers);
    let least = expected.saturating_sub(SMALL_FRAMES);
    let most = expected + HTTP_HEAD + retransmissions * path.segment;
    eprintln!("{volume:?} hold {found} of {expected} to {most}, {retransmissions} segments sent again");
    assert!((least..most).contains(&found), "{volume:?} hold {found}, not {expected} to {most}");
}

#[test]
fn nothing_stays_in_the_kernel_after_a_sudden_end() {
    if !Requirement::all(&[Requirement::Bpftool, Requirement::Cgroup2]) {
        return;
    }
    let Some(engine) = Engine::shared() else { return };
    let container = engine.container("hosted").network("host").start();
    let mut top = Top::start(&[container.name()]);
    let held = held_in_kernel(top.child.id());
    for kind in ["prog", "link", "map"] {
        assert!(held.iter().any(|(found, _)| *found == kind), "no {kind} in {held:?}");
    }
    assert!(held.iter().all(is_there), "{held:?}");
    top.child.kill().expect("it is our child");
    top.child.wait().expect("it ends");
    eventually("the kernel has forgotten them", || (!held.iter().any(is_there)).then_some(()));
}

#[test]
fn containers_that_come_and_go_are_followed() {
    let Some(engine) = Engine::shared() else { return };
    let label = unique();
    let start = |role| engine.container(role).option("--label", &label).start();
    let first = start("first");
    let mut top = Top::start(&[&format!("label={label}")]);
    let shown = |top: &mut Top, count: usize| top.until(|document| containers(document).len() == count);
    shown(&mut top, 1);
    let second = start("second");
    shown(&mut top, 2);
    first.docker(&["stop", "--time", "0"], &[]);
    shown(&mut top, 1);
    drop(second);
    shown(&mut top, 0);
    first.docker(&["start"], &[]);
    let document = shown(&mut top, 1);
    let least = containers(&document)[0]["rx_bits_per_second"].as_u64().expect("it is counted");
    assert!(least < 1_000_000, "a container that has just begun is idle: {document}");
}

#[test]
fn a_namespace_that_is_deleted_is_let_go() {
    let Some(cable) = Cable::lay() else { return };
    let (name, veth) = (unique(), unique());
    run("ip", &["netns", "add", &name]);
    run("ip", &["link", "add", &veth, "type", "veth", "peer", "name", "eth0", "netns", &name]);
    let mut top = Top::start(&[&format!("name={name}"), &cable.left_selector()]);
    top.until(|document| containers(document).len() == 2);
    run("ip", &["netns", "delete", &name]);
    top.until(|document| containers(document).len() == 1);
    let there = || PathBuf::from("/sys/class/net").join(&veth).exists();
    eventually("its far end has gone with it", || (!there()).then_some(()));
}

#[test]
fn the_terminal_is_given_back() {
    const TAKEN: &str = "\u{1b}[?1049h";
    const GIVEN_BACK: &str = "\u{1b}[?1049l";
    let Some(cable) = Cable::lay() else { return };
    let program = env!("CARGO_BIN_EXE_pcapsule");
    let top = format!("{program} top -d 0.2 {}", cable.left_selector());
    let ends = [
        format!("{top} -n 2"),
        format!("timeout --foreground --signal TERM 2 {top}; true"),
        format!("timeout --foreground --signal HUP 2 {top}; true"),
    ];
    for command in ends {
        // The terminal that script makes has no size.
        let sized = format!("stty rows 24 cols 100; {command}");
        let shown = run("script", &["--quiet", "--return", "--command", &sized, "/dev/null"]);
        let (_, board) = shown.split_once(TAKEN).unwrap_or_else(|| panic!("no board: {shown:?}"));
        let (board, after) = board.rsplit_once(GIVEN_BACK).unwrap_or_else(|| panic!("it stays: {board:?}"));
        assert!(board.contains(cable.left_name()), "{command}: {board:?}");
        assert!(!after.contains(cable.left_name()), "{command}: {after:?}");
    }
}

#[test]
fn two_hundred_containers_cost_less_than_a_fiftieth_of_a_core() {
    const SECONDS: u64 = 20;
    if !Requirement::all(&[Requirement::Release, Requirement::Netns, Requirement::Cgroup2]) {
        return;
    }
    let _host = Host::alone();
    let town = Town::build();
    let program = env::var("PCAPSULE_RELEASE").expect("it is required");
    let mut top =
        Top::begin(Command::new(program).args(["top", "--json", &format!("name={}*", town.prefix)]));
    let shown = Town::NAMESPACES + Town::GROUPS;
    top.until(|document| containers(document).len() == shown);
    let (begin, used) = (Instant::now(), top.used());
    for _ in 0..SECONDS {
        let document = top.next();
        assert_eq!(containers(&document).len(), shown);
        assert!(containers(&document).iter().all(|found| found["rx_bytes"].is_u64()), "{document}");
    }
    let (took, used) = (begin.elapsed(), top.used().saturating_sub(used));
    let thousandths = used.as_micros() * 1000 / took.as_micros();
    eprintln!("top of {shown} containers: {used:?} in {took:?}, {thousandths} ‰ of a core");
    assert!(thousandths < 20, "{used:?} in {took:?}");
}

/// Namespaces with a veth into one bridge, and cgroups in host mode; gone when dropped.
struct Town {
    prefix: String,
    groups: Vec<(PathBuf, Child)>,
}

impl Town {
    const NAMESPACES: usize = 200;
    const GROUPS: usize = 4;

    fn build() -> Self {
        let mut town = Self { prefix: unique(), groups: Vec::new() };
        let bridge = &town.prefix;
        town.batch(&format!("link add {bridge} type bridge\nlink set {bridge} up\n"), |prefix, number| {
            let (name, veth) = (format!("{prefix}n{number}"), format!("{prefix}v{number}"));
            format!(
                "netns add {name}\nlink add {veth} type veth peer name eth0 netns {name}\n\
                 link set {veth} master {prefix} up\n"
            )
        });
        let hierarchy = hierarchy().expect("it is required");
        for number in 0..Self::GROUPS {
            let folder = hierarchy.join("pcapsule").join(format!("{}h{number}", town.prefix));
            fs::create_dir_all(&folder).expect("a cgroup can be made");
            let child = Command::new("sleep").arg("600").spawn().expect("sleep starts");
            fs::write(folder.join("cgroup.procs"), child.id().to_string()).expect("it can be moved");
            town.groups.push((folder, child));
        }
        town
    }

    fn batch(&self, first: &str, lines: impl Fn(&str, usize) -> String) {
        let rest: String = (0..Self::NAMESPACES).map(|number| lines(&self.prefix, number)).collect();
        let mut ip = Command::new("ip")
            .args(["-force", "-batch", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("ip starts");
        let mut script = ip.stdin.take().expect("it is piped");
        script.write_all((first.to_owned() + &rest).as_bytes()).expect("ip reads");
        drop(script);
        ip.wait().expect("ip ends");
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        for (folder, child) in &mut self.groups {
            let _ = child.kill();
            let _ = child.wait();
            let _ = fs::remove_dir(&*folder);
            // Stays while others are in it.
            let _ = folder.parent().map(fs::remove_dir);
        }
        self.batch(&format!("link delete {}\n", self.prefix), |prefix, number| {
            format!("link delete {prefix}v{number}\nnetns delete {prefix}n{number}\n")
        });
    }
}

/// Packets and bytes one way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Volume {
    packets: u64,
    bytes: u64,
}

/// What the interface of a container says itself.
struct Truth;

impl Truth {
    fn of(container: &Container) -> Volume {
        let read = |name: &str| {
            let path = format!("/sys/class/net/eth0/statistics/{name}");
            let output = container.exec(&["cat", &path]);
            String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
        };
        Volume { packets: read("tx_packets"), bytes: read("tx_bytes") }
    }
}

impl Volume {
    fn minus(self, before: Self) -> Self {
        Self { packets: self.packets - before.packets, bytes: self.bytes - before.bytes }
    }
}

/// All lines about a container added up; connections as they were at the end.
#[derive(Debug, Default)]
struct Sum {
    counted_by: &'static str,
    received: Volume,
    sent: Volume,
    connections: u64,
    retransmissions: u64,
}

/// A running `top --json`.
struct Top {
    child: Child,
    lines: Receiver<Value>,
    /// Everything it said.
    documents: Vec<Value>,
}

impl Top {
    /// Back once it counts.
    fn start(selectors: &[&str]) -> Self {
        let program = env!("CARGO_BIN_EXE_pcapsule");
        Self::begin(Command::new(program).args(["top", "--json", "-d", "0.2"]).args(selectors))
    }

    fn begin(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("pcapsule starts");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let (tell, lines) = mpsc::channel();
        thread::spawn(move || {
            let documents = stdout.lines().map_while(Result::ok);
            documents
                .map(|line| serde_json::from_str(&line).expect("a document a line"))
                .try_for_each(|document| tell.send(document))
        });
        let mut top = Self { child, lines, documents: Vec::new() };
        top.next();
        top
    }

    fn next(&mut self) -> Value {
        let document = self.lines.recv_timeout(PATIENCE).expect("a refresh comes");
        self.documents.push(document.clone());
        document
    }

    #[track_caller]
    fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually("it shows", || {
            let document = self.next();
            wanted(&document).then_some(document)
        })
    }

    /// Everything that has happened is counted in the second refresh from now at the latest.
    fn settle(&mut self) {
        while self.lines.try_recv().map(|document| self.documents.push(document)).is_ok() {}
        for _ in 0..2 {
            self.next();
        }
    }

    fn sum_of(&self, name: &str) -> Sum {
        let mut sum = Sum::default();
        let found = self.documents.iter().flat_map(containers).filter(|found| found["name"] == name);
        for found in found {
            let number = |key: &str| found[key].as_u64().unwrap_or_else(|| panic!("{key} of {found}"));
            sum.received.bytes += number("rx_bytes");
            sum.received.packets += number("rx_packets");
            sum.sent.bytes += number("tx_bytes");
            sum.sent.packets += number("tx_packets");
            sum.connections = number("connections");
            sum.retransmissions += number("retransmissions");
            sum.counted_by = if found["counted_by"] == "cgroup" { "cgroup" } else { "interfaces" };
        }
        sum
    }

    /// The time that its threads were running, in the kernel too (`proc_pid_schedstat(5)`).
    fn used(&self) -> Duration {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it runs");
        let nanoseconds = |thread: fs::DirEntry| -> u64 {
            let mut text = String::new();
            let file = File::open(thread.path().join("schedstat"));
            file.and_then(|mut file| file.read_to_string(&mut text)).expect("it runs");
            text.split(' ').next().and_then(|first| first.parse().ok()).expect("nanoseconds")
        };
        Duration::from_nanos(threads.flatten().map(nanoseconds).sum())
    }
}

impl Drop for Top {
    fn drop(&mut self) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid fits"));
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill(pid, Signal::SIGTERM);
        }
        let _ = self.child.wait();
    }
}

fn containers(document: &Value) -> &Vec<Value> {
    document["containers"].as_array().expect("a list")
}

/// Puts a file of the payload's size in place, and serves it.
fn serve(container: &Container, port: u16) {
    let count = format!("count={MEBIBYTES}");
    assert!(container.exec(&["dd", "if=/dev/zero", "of=/www/big", "bs=1048576", &count]).status.success());
    let port = port.to_string();
    assert!(container.exec(&["httpd", "-p", &port, "-h", "/www"]).status.success());
}

/// A port of the host that nobody listens on.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
