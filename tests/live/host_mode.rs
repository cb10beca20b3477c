//! Two containers in host mode and the host itself talk at once over the same interfaces and addresses; each container's
//! capture holds all of its packets, none of the others', and names the process behind each.
//!
//! The truth is tcpdump's on the loopback interface, and what the programs themselves counted.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::Path,
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::lab::{Capture, Cgroup, Container, Engine, Namespace, Truth, at, eventually, has_written, rows};

/// Connections of each container's client to the host, of each to the other, and of the host to each.
const TO_HOST: usize = 150;
const TO_EACH_OTHER: usize = 100;
const SHORT: usize = 1000;
const PINGS: usize = 20;
const QUESTIONS: usize = 20;

/// What tells one packet from another. Where both ends are captured each of them has it once.
const IDENTITY: [&str; 15] = [
    "ip.src",
    "ipv6.src",
    "tcp.srcport",
    "ip.dst",
    "ipv6.dst",
    "tcp.dstport",
    "tcp.seq_raw",
    "tcp.ack_raw",
    "tcp.flags",
    "tcp.len",
    "udp.srcport",
    "udp.dstport",
    "udp.length",
    "ip.id",
    "tcp.options.timestamp.tsval",
];
/// The kernel has sent an acknowledgement by then (net/tcp.h, `TCP_DELACK_MAX` is 200 ms).
const DELAYED_ACK: Duration = Duration::from_millis(250);
const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOCALHOST_6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Below the ports that the kernel gives to clients; other runs on this machine have others.
fn port(role: u16) -> u16 {
    20_000 + u16::try_from(process::id() % 1000).expect("below 1000") * 10 + role
}

// Who answers on which port: the containers' servers, the host's.
const SAME_PORT: u16 = 0;
const WEB_FOR_OTHER: u16 = 1;
const API_FOR_OTHER: u16 = 2;
const HOST_FOR_WEB: u16 = 3;
const HOST_FOR_API: u16 = 4;
const DNS_FOR_WEB: u16 = 5;
const DNS_FOR_API: u16 = 6;
const NOBODY: u16 = 7;
const HOST_ALONE: u16 = 8;
const WEB_FOR_HOST: u16 = 9;

/// What one container's packets are: by port, and for the port that both use by address.
struct Share {
    ports: &'static [u16],
    address: IpAddr,
}

const WEB: Share = Share {
    ports: &[WEB_FOR_OTHER, API_FOR_OTHER, HOST_FOR_WEB, DNS_FOR_WEB, WEB_FOR_HOST],
    address: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)),
};
const API: Share = Share {
    ports: &[WEB_FOR_OTHER, API_FOR_OTHER, HOST_FOR_API, DNS_FOR_API],
    address: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3)),
};

type Packets = BTreeMap<Vec<String>, usize>;

#[test]
fn each_container_has_all_of_its_packets_and_none_of_its_neighbours() {
    let Some(engine) = Engine::alone() else { return };
    let start = |role| engine.container(role).network("host").start();
    let (web, api) = (start("web"), start("api"));
    let folder = tempfile::tempdir().expect("a temporary directory");
    let host = Namespace::of_process(process::id());
    serve(&web, &[(LOCALHOST, WEB_FOR_OTHER), (LOCALHOST, WEB_FOR_HOST), (WEB.address, SAME_PORT)]);
    serve(&api, &[(LOCALHOST, API_FOR_OTHER), (API.address, SAME_PORT)]);
    let truth = Truth::of_headers(&host, "lo", folder.path().join("truth.pcap"));
    let filter = format!("portrange {}-{} or icmp or icmp6", port(0), port(9));
    let capture = Capture::of(&[web.name(), api.name()], &["-f", &filter, "-U"]);

    let counted = talk(&web, &api);
    let ended = capture.stop();
    until_all_is_written(&truth);
    let truth = truth.stop_complete();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);

    eprintln!("{:>12} {:>9} {:>9} {:>9} {:>9}", "tap", "truth", "captured", "missing", "foreign");
    let mut faults = Vec::new();
    for (container, share) in [(&web, &WEB), (&api, &API)] {
        let expected = packets(&truth, "tcp or udp", |packet| share.has(packet));
        let found = packets(&ended.file(), &format!("({}) && (tcp || udp)", tap(container)), |_| true);
        let (missing, foreign) = (without(&expected, &found), without(&found, &expected));
        let sum = |packets: &Packets| packets.values().sum::<usize>();
        eprintln!(
            "{:>12} {:>9} {:>9} {:>9} {:>9}",
            container.name(),
            sum(&expected),
            sum(&found),
            sum(&missing),
            sum(&foreign)
        );
        assert!(sum(&expected) > 10 * TO_HOST, "the truth has packets");
        faults.extend(missing.keys().map(|packet| format!("{} misses {packet:?}", container.name())));
        faults.extend(foreign.keys().map(|packet| format!("{} has foreign {packet:?}", container.name())));
        pings_are_its_own(&ended.file(), container);
    }
    assert!(faults.is_empty(), "{} faults, the first: {:#?}", faults.len(), &faults[..faults.len().min(5)]);
    connections_are_as_counted(&ended.file(), &web, &api, &counted);
    processes_are_right(&ended.file(), &[&web, &api]);
}

/// After a socket has ended, the kernel answers for it, or refuses: that belongs to the connection as well.
#[test]
fn however_a_connection_ends_all_of_it_is_there() {
    const ROUNDS: usize = 10;
    let Some(group) = Cgroup::make() else { return };
    let folder = tempfile::tempdir().expect("a temporary directory");
    let listener = TcpListener::bind((LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port().to_string();
    let truth =
        Truth::of_headers(&Namespace::of_process(process::id()), "lo", folder.path().join("truth.pcap"));
    let capture = Capture::of(&[&group.selector()], &["-f", &format!("tcp port {port}")]);
    thread::spawn(move || {
        for (number, peer) in listener.incoming().flatten().enumerate() {
            thread::spawn(move || end(peer, number));
        }
    });
    for _ in 0..ROUNDS {
        let client =
            format!("exec 3<>/dev/tcp/127.0.0.1/{port}; echo hello >&3; read -u 3 word; exec 3>&-; ");
        group.bash(&client.repeat(3));
    }
    thread::sleep(Duration::from_millis(500));
    let ended = capture.stop();
    until_all_is_written(&truth);
    let truth = truth.stop_complete();
    let expected = packets(&truth, &format!("tcp.port == {port}"), |_| true);
    let found = packets(&ended.file(), "tcp", |_| true);
    let resets = expected.keys().filter(|packet| packet[8] == "0x0004").count();
    assert!(resets >= ROUNDS, "{resets} resets in {expected:#?}");
    let (missing, foreign) = (without(&expected, &found), without(&found, &expected));
    assert!(missing.is_empty() && foreign.is_empty(), "missing {missing:#?}, foreign {foreign:#?}");
}

/// Ends its half first; or last, when the other one has no socket any more; or talks on to nobody, and is reset.
fn end(mut peer: TcpStream, number: usize) {
    let _ = peer.read(&mut [0; 64]);
    let _ = peer.write_all(b"word\n");
    let way = number % 3;
    if way == 0 {
        return;
    }
    let _ = peer.read(&mut [0; 64]);
    // Its end is acknowledged by then, and only then its socket goes.
    thread::sleep(DELAYED_ACK);
    if way == 1 {
        let _ = peer.write_all(b"anybody there?");
        thread::sleep(Duration::from_millis(30));
    }
}

/// tcpdump gives up what it has not read yet when it is asked to end.
fn until_all_is_written(truth: &Truth) {
    const LAST: &[u8] = b"this is the last one";
    let socket = UdpSocket::bind((LOCALHOST, 0)).expect("a free port");
    eventually("the truth is written", || {
        let _ = socket.send_to(LAST, (LOCALHOST, port(NOBODY)));
        has_written(truth.file(), LAST).then_some(())
    });
}

/// What the programs counted themselves.
struct Counted {
    /// Connections that the host's servers accepted from each container.
    accepted: [usize; 2],
    /// Connections that the host's client had answered.
    answered: usize,
}

/// Everybody at once.
fn talk(web: &Container, api: &Container) -> Counted {
    let over = Arc::new(AtomicBool::new(false));
    let servers = [HOST_FOR_WEB, HOST_FOR_API, HOST_ALONE].map(|role| answer(port(role), &over));
    for role in [DNS_FOR_WEB, DNS_FOR_API] {
        answer_questions(port(role), &over);
    }
    let mut answered = 0;
    thread::scope(|scope| {
        scope.spawn(|| client(web, HOST_FOR_WEB, API_FOR_OTHER, DNS_FOR_WEB));
        scope.spawn(|| client(api, HOST_FOR_API, WEB_FOR_OTHER, DNS_FOR_API));
        scope.spawn(|| assert!((0..200).all(|_| ask(LOCALHOST, HOST_ALONE))));
        let both = scope.spawn(|| {
            (0..20).for_each(|_| {
                ask(WEB.address, SAME_PORT);
                ask(API.address, SAME_PORT);
            });
        });
        let begin = Instant::now();
        answered = (0..SHORT).filter(|_| ask(LOCALHOST, WEB_FOR_HOST)).count();
        eprintln!("{SHORT} connections of the host took {:?}", begin.elapsed());
        both.join().expect("the host asks both");
    });
    // The last packets of a connection come after the programs are through with it.
    thread::sleep(Duration::from_millis(500));
    over.store(true, Ordering::Relaxed);
    let count = |server: usize| servers[server].load(Ordering::Relaxed);
    assert_eq!(count(2), 200, "the host talks to itself");
    Counted { accepted: [count(0), count(1)], answered }
}

/// A page of a few bytes on each of these ports.
fn serve(container: &Container, places: &[(IpAddr, u16)]) {
    for (address, role) in places {
        let place = format!("{address}:{}", port(*role));
        container.docker(&["exec", "--detach"], &["httpd", "-f", "-p", &place, "-h", "/www"]);
        let place: SocketAddr = place.parse().expect("an address");
        eventually("the server listens", || TcpStream::connect(place).ok());
    }
}

/// The container's own clients: web pages over both versions of IP, names by UDP, pings.
fn client(container: &Container, host: u16, other: u16, dns: u16) {
    let (host, other, dns) = (port(host), port(other), port(dns));
    let times = |count: usize, command: &str| {
        format!("i=0; while [ $i -lt {count} ]; do {command}; i=$((i+1)); done; ")
    };
    let page = |place: &str| format!("wget -q -O /dev/null http://{place}/index.html");
    let script = [
        format!("ping -q -c {PINGS} -i 0.02 127.0.0.1 >/tmp/pings & "),
        format!("ping -q -c {PINGS} -i 0.02 ::1 >/tmp/pings6 & "),
        times(TO_HOST / 2, &page(&format!("127.0.0.1:{host}"))),
        times(TO_HOST / 2, &page(&format!("[::1]:{host}"))),
        times(TO_EACH_OTHER, &page(&format!("127.0.0.1:{other}"))),
        times(QUESTIONS / 2, &format!("nslookup -type=a a.test 127.0.0.1:{dns} >/dev/null")),
        "wait".to_owned(),
    ];
    let output = container.exec(&["sh", "-c", &script.concat()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A web server of the host's, on both versions of IP; counts what it accepts.
fn answer(port: u16, over: &Arc<AtomicBool>) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    for address in [LOCALHOST, LOCALHOST_6] {
        let listener = TcpListener::bind((address, port)).expect("a free port");
        listener.set_nonblocking(true).expect("an option");
        let (count, over) = (Arc::clone(&count), Arc::clone(over));
        thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let Ok((peer, _)) = listener.accept() else {
                    thread::sleep(Duration::from_millis(1));
                    continue;
                };
                count.fetch_add(1, Ordering::Relaxed);
                // Side by side, so that some connections are closed by the client first.
                thread::spawn(move || give_page(peer));
            }
        });
    }
    count
}

fn give_page(mut peer: TcpStream) {
    let _ = peer.set_nonblocking(false);
    let _ = peer.set_read_timeout(Some(Duration::from_secs(5)));
    let _ = peer.read(&mut [0; 1024]);
    let _ = peer.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nhi\n");
    let _ = peer.shutdown(Shutdown::Write);
    // Its half is closed and acknowledged before the client closes: the connection ends in TIME_WAIT here.
    let _ = peer.read(&mut [0; 16]);
}

/// Sends each question back as its own answer.
fn answer_questions(port: u16, over: &Arc<AtomicBool>) {
    let socket = UdpSocket::bind((LOCALHOST, port)).expect("a free port");
    socket.set_read_timeout(Some(Duration::from_millis(50))).expect("an option");
    let over = Arc::clone(over);
    thread::spawn(move || {
        let mut message = [0; 512];
        while !over.load(Ordering::Relaxed) {
            if let Ok((length, asker)) = socket.recv_from(&mut message) {
                message[2] |= 0x80;
                let _ = socket.send_to(&message[..length], asker);
            }
        }
    });
}

/// One page of a server on this machine, whose end is waited for.
fn ask(address: IpAddr, role: u16) -> bool {
    let Ok(mut server) = TcpStream::connect((address, port(role))) else { return false };
    let _ = server.write_all(b"GET /index.html HTTP/1.0\r\n\r\n");
    let mut page = Vec::new();
    server.read_to_end(&mut page).is_ok() && page.starts_with(b"HTTP/1")
}

impl Share {
    /// Whether that container is an end of the packet, by IDENTITY's fields.
    fn has(&self, packet: &[String]) -> bool {
        let ports = [2, 5, 10, 11].map(|field| packet[field].parse::<u16>().ok());
        let is_own = |role: &u16| ports.contains(&Some(port(*role)));
        let address = self.address.to_string();
        let is_same = is_own(&SAME_PORT) && (packet[0] == address || packet[3] == address);
        self.ports.iter().any(is_own) || is_same
    }
}

fn tap(container: &Container) -> String {
    at(&format!("{}/cgroup", container.name()))
}

fn packets(file: &Path, filter: &str, wanted: impl Fn(&[String]) -> bool) -> Packets {
    let mut packets = Packets::new();
    for packet in rows(file, filter, &IDENTITY).into_iter().filter(|packet| wanted(packet)) {
        *packets.entry(packet).or_default() += 1;
    }
    packets
}

/// What the first has more of than the second.
fn without(these: &Packets, those: &Packets) -> Packets {
    let more = these.iter().map(|(packet, count)| {
        (packet.clone(), count.saturating_sub(those.get(packet).copied().unwrap_or_default()))
    });
    more.filter(|(_, count)| *count > 0).collect()
}

/// Both ping at once, from the same process number of their own: each sees its own requests and the replies to them.
fn pings_are_its_own(file: &Path, container: &Container) {
    for (version, field, request, reply) in
        [("icmp", "icmp.type", "8", "0"), ("icmpv6", "icmpv6.type", "128", "129")]
    {
        let messages = rows(file, &format!("({}) && {version}", tap(container)), &[field]).concat();
        let count = |kind: &str| messages.iter().filter(|found| *found == kind).count();
        eprintln!(
            "{:>12} {version}: {} requests, {} replies",
            container.name(),
            count(request),
            count(reply)
        );
        assert_eq!((count(request), count(reply)), (PINGS, PINGS), "{version} of {}", container.name());
    }
}

fn connections_are_as_counted(file: &Path, web: &Container, api: &Container, counted: &Counted) {
    let opened = |container, role| {
        let opening = format!("({}) && tcp.flags == 0x002 && tcp.dstport == {}", tap(container), port(role));
        rows(file, &opening, &["frame.number"]).len()
    };
    assert_eq!(counted.accepted, [TO_HOST; 2], "the host's servers");
    assert_eq!([opened(web, HOST_FOR_WEB), opened(api, HOST_FOR_API)], [TO_HOST; 2]);
    assert_eq!([opened(web, API_FOR_OTHER), opened(api, WEB_FOR_OTHER)], [TO_EACH_OTHER; 2]);
    assert_eq!((counted.answered, opened(web, WEB_FOR_HOST)), (SHORT, SHORT));
}

/// Whoever is named for a packet is the program that such packets belong to, a process of that container.
fn processes_are_right(file: &Path, containers: &[&Container]) {
    let fields =
        ["frame.interface_name", "frame.comment", "tcp.srcport", "tcp.dstport", "udp.dstport", "ip.proto"];
    let mut seen = BTreeMap::<String, usize>::new();
    for row in rows(file, "", &fields) {
        let [tap, comment, source, destination, udp, _] = &row[..] else { panic!("{row:?}") };
        let container = containers.iter().find(|container| tap.starts_with(container.name())).expect("a tap");
        let words: BTreeMap<&str, &str> =
            comment.split(' ').filter_map(|word| word.split_once('=')).collect();
        assert_eq!(words.get("container"), Some(&container.name()), "{comment}");
        let own_server = if tap.starts_with(containers[0].name()) {
            [WEB_FOR_OTHER, WEB_FOR_HOST, SAME_PORT]
        } else {
            [API_FOR_OTHER, SAME_PORT, SAME_PORT]
        };
        let is_server =
            own_server.iter().any(|role| [source, destination].contains(&&port(*role).to_string()));
        let expected = match (source.is_empty(), is_server, udp.is_empty()) {
            (false, true, _) => "httpd",
            (false, false, _) => "wget",
            (true, _, false) => "nslookup",
            (true, _, true) => "ping",
        };
        let command = *words.get("command").unwrap_or(&"unknown");
        assert!(command == expected || command == "unknown", "{expected} is called {comment}");
        let how = words.get("how").unwrap_or(&"");
        *seen.entry(format!("{} {command} {how}", container.name())).or_default() += 1;
        // The listener goes on running; a child of it that had taken over the connection may not.
        if how == &"listener" {
            let groups = std::fs::read_to_string(format!("/proc/{}/cgroup", words["pid"])).expect("it runs");
            assert!(groups.contains(container.id()), "{comment}");
        }
    }
    eprintln!("{seen:#?}");
    let unknown: usize =
        seen.iter().filter(|(what, _)| what.contains("unknown")).map(|(_, count)| count).sum();
    assert_eq!(unknown, 0, "every socket of this test can be known");
}
