//! Packets at the sockets of a cgroup: what is heard with others listening, through a filter, under overload; when the
//! group goes away and comes back; and that a capture that is killed leaves nothing in the kernel.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket},
    os::fd::{AsRawFd as _, OwnedFd},
    process::Command,
    thread,
    time::Duration,
};

use nix::sys::{
    signal::Signal,
    socket::{
        AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, setsockopt, socket, sockopt::ReuseAddr,
    },
};

use crate::lab::{
    Capture, Cgroup, Engine, Outpost, Requirement, at, checked, eventually, has_written, held_in_kernel,
    is_there, rows, rows_of_torn, statistics,
};

#[test]
fn written_and_lost_at_a_cgroup_add_up_to_what_was_sent() {
    const SENT: usize = 5000;
    let Some(group) = Cgroup::make() else { return };
    let (_server, port) = receiver();
    let filter = format!("udp port {port}");
    let capture = Capture::of(&[&group.selector()], &["-U", "-B", "64", "-f", &filter]);
    capture.signal(Signal::SIGSTOP);
    group.send(port, SENT);
    capture.signal(Signal::SIGCONT);
    // The first packet after the gap reports it.
    eventually("a packet after the gap is written", || {
        group.bash(&format!("echo after the gap > /dev/udp/127.0.0.1/{port}"));
        has_written(&capture.file(), b"after the gap").then_some(())
    });
    let ended = capture.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let written = rows(&ended.file(), "udp.length == 1008", &["frame.number"]).len();
    let late = rows(&ended.file(), "udp.length != 1008", &["frame.number"]).len() as u64;
    let counters = statistics(&ended.file());
    let (_, tap) = counters.last().expect("a statistics block");
    assert!(tap.dropped > 0, "{tap:?}");
    assert_eq!(written as u64 + tap.dropped, SENT as u64, "{tap:?}");
    assert_eq!((tap.delivered, tap.received), (written as u64 + late, SENT as u64 + late), "{tap:?}");
    let gaps = rows(&ended.file(), "frame.drop_count > 0", &["frame.drop_count"]).concat();
    assert_eq!(gaps.iter().map(|gap| gap.parse::<u64>().unwrap()).sum::<u64>(), tap.dropped);
}

#[test]
fn a_filter_tells_which_way_a_packet_goes() {
    let Some(group) = Cgroup::make() else { return };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let ways = [("inbound", "src"), ("outbound", "dst")];
    let captures = ways
        .map(|(way, _)| Capture::of(&[&group.selector()], &["-f", &format!("{way} and tcp port {port}")]));
    group.bash(&format!("echo hello > /dev/tcp/127.0.0.1/{port}"));
    for (capture, (way, end)) in captures.into_iter().zip(ways) {
        let ended = capture.stop();
        let file = ended.file();
        let rightly = count(&file, &format!("tcp.{end}port == {port}"));
        assert!(rightly > 1, "{way}: {rightly}");
        assert_eq!(count(&file, ""), rightly, "{way}");
    }
}

#[test]
fn several_captures_of_a_cgroup_do_not_get_into_each_others_way() {
    let Some(group) = Cgroup::make() else { return };
    let (_server, port) = receiver();
    let filter = format!("udp port {port}");
    let captures = [(); 3].map(|()| Capture::of(&[&group.selector()], &["-f", &filter]));
    group.send(port, 10);
    let [first, others @ ..] = captures;
    assert_eq!(count(&first.stop().file(), ""), 10);
    group.send(port, 10);
    for capture in others {
        assert_eq!(count(&capture.stop().file(), ""), 20);
    }
}

#[test]
fn a_filter_lets_the_same_packets_pass_as_tcpdumps() {
    let Some(group) = Cgroup::make() else { return };
    let (_server, port) = receiver();
    let (odd, [p, q]) = (port | 1, [port.to_string(), (port ^ 1).to_string()]);
    let expressions = [
        format!("udp port {p}"),
        format!("portrange {p}-{q} and not icmp"),
        "ip[2:2] - ((ip[0] & 0xf) << 2) > 100".to_owned(),
        format!("udp[2:2] & 0xfffe | 1 = {odd} and greater 200"),
        "ip[8] / 2 = 32 and udp[4:2] % 7 != 3".to_owned(),
        format!("host 127.0.0.1 and udp dst port {p} and less 100"),
        "ip6 or tcp[tcpflags] & tcp-syn != 0".to_owned(),
        "udp[8] = 0x30 or udp[200:4] = 0x30303030".to_owned(),
        "src net 127.0.0.0/8 and ip proto 17".to_owned(),
    ];
    let all = Capture::of(&[&group.selector()], &[]);
    let filtered =
        expressions.clone().map(|expression| Capture::of(&[&group.selector()], &["-f", &expression]));
    group.send(port, 7);
    group.bash(&format!(
        "for i in 1 22 333 4444; do echo $i > /dev/udp/127.0.0.1/{p}; done; : > /dev/tcp/127.0.0.1/{p} || true"
    ));
    group.bash(&format!("busybox ping -c 2 127.0.0.1 >/dev/null; echo > /dev/udp/::1/{p} || true"));
    let all = all.stop();
    assert!(count(&all.file(), "ip || ipv6") > 15);
    for (expression, capture) in expressions.iter().zip(filtered) {
        let ended = capture.stop();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let mut tcpdump = Command::new("tcpdump");
        tcpdump.args(["--count", "-nr"]).arg(all.file()).arg(expression);
        // `12 packets`
        let counted = checked("tcpdump", &tcpdump.output().expect("tcpdump starts"));
        let expected = counted.split(' ').next().and_then(|number| number.parse().ok());
        assert_eq!(Some(count(&ended.file(), "ip || ipv6")), expected, "{expression}");
    }
}

#[test]
fn the_end_of_a_cgroup_ends_a_capture_that_follows_nobody() {
    let Some(group) = Cgroup::make() else { return };
    let capture = Capture::of(&[&group.selector()], &["--no-follow"]);
    group.bash("true");
    group.remove();
    assert_eq!(capture.wait().code, Some(0));
}

#[test]
fn a_cgroup_that_comes_back_goes_on_in_the_same_file() {
    let Some(group) = Cgroup::make() else { return };
    let (_server, port) = receiver();
    let capture = Capture::of(&[&group.selector()], &["-U", "-f", &format!("udp port {port}")]);
    let say = |word: &str| {
        eventually("it is heard", || {
            group.bash(&format!("echo {word} > /dev/udp/127.0.0.1/{port}"));
            has_written(&capture.file(), word.as_bytes()).then_some(())
        });
    };
    say("first life");
    group.remove();
    group.make_again();
    say("second life");
    let ended = capture.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(statistics(&ended.file()).len(), 2);
    assert!(count(&ended.file(), &at(&group.tap())) >= 2);
}

#[test]
fn a_container_in_host_mode_that_restarts_goes_on_in_the_same_file() {
    let Some(engine) = Engine::shared() else { return };
    let (_server, port) = receiver();
    let agent = engine.container("agent").network("host").start();
    let capture = Capture::of(&[agent.name()], &["-U", "-f", &format!("udp port {port}")]);
    let ask = |name: &str| {
        eventually("it is heard", || {
            let server = format!("127.0.0.1:{port}");
            agent.exec(&["timeout", "1", "nslookup", "-type=a", name, &server]);
            has_written(&capture.file(), name.split('.').next().unwrap().as_bytes()).then_some(())
        });
    };
    ask("before.test");
    agent.docker(&["restart", "--time", "0"], &[]);
    ask("after.test");
    let ended = capture.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let comments = rows(&ended.file(), "udp", &["frame.comment"]).concat();
    assert!(comments.iter().all(|comment| comment.contains("command=nslookup")), "{comments:?}");
}

#[test]
fn processes_of_a_bridged_container_are_named_on_request() {
    let Some(engine) = Engine::shared() else { return };
    let (_network, [asker, web]) = engine.couple(["asker", "web"]);
    let place = format!("{}:80", web.address());
    web.docker(&["exec", "--detach"], &["httpd", "-f", "-p", "80", "-h", "/www"]);
    let capture = Capture::of(&[asker.name(), web.name()], &["--process", "-f", "tcp port 80"]);
    eventually("the server answers", || {
        let page = asker.exec(&["wget", "-q", "-O", "-", &format!("http://{place}/index.html")]);
        page.status.success().then_some(())
    });
    let ended = capture.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for (container, command) in [(&asker, "wget"), (&web, "httpd")] {
        let comments =
            rows(&ended.file(), &at(&format!("{}/cgroup", container.name())), &["frame.comment"]).concat();
        let expected = format!("container={} pid=", container.name());
        assert!(comments.len() > 5, "{comments:?}");
        let is_right = |comment: &String| {
            comment.starts_with(&expected) && comment.contains(&format!(" command={command} "))
        };
        assert!(comments.iter().all(is_right), "{comments:?}");
    }
}

#[test]
fn a_capture_that_is_killed_leaves_nothing_in_the_kernel() {
    if !Requirement::all(&[Requirement::Bpftool]) {
        return;
    }
    let Some(group) = Cgroup::make() else { return };
    let capture = Capture::of(&[&group.selector()], &[]);
    let held = held_in_kernel(capture.pid());
    for kind in ["prog", "link", "map"] {
        assert!(held.iter().any(|(found, _)| *found == kind), "no {kind} in {held:?}");
    }
    assert!(held.iter().all(is_there), "{held:?}");
    capture.signal(Signal::SIGKILL);
    capture.wait();
    eventually("the kernel has forgotten them", || (!held.iter().any(is_there)).then_some(()));
    let listed =
        Command::new("bpftool").args(["cgroup", "show"]).arg(group.path()).output().expect("bpftool");
    assert!(!String::from_utf8_lossy(&listed.stdout).contains("pcs_"));
}

#[test]
fn a_host_without_version_2_is_told_what_it_lacks() {
    let Some(group) = Cgroup::make() else { return };
    let mount =
        group.path().parent().expect("it lies below the mount point").to_str().expect("a path in text");
    let script = "mount --make-rprivate / && umount --lazy \"$1\" && exec \"$2\" capture cgroup=/x";
    let line = ["--mount", "sh", "-c", script, "sh", mount, env!("CARGO_BIN_EXE_pcapsule")];
    let output = Command::new("unshare").args(line).output().expect("util-linux");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{errors}");
    assert!(errors.contains("control groups of version 2"), "{errors}");
}

/// The socket is gone when the last packets come: they are seen at the interface, and it must be known.
#[test]
fn connections_over_an_interface_made_later_are_heard_to_their_end() {
    const PORT: u16 = 7000;
    let Some(group) = Cgroup::make() else { return };
    let capture = Capture::of(&[&group.selector()], &["-U", "-f", &format!("tcp port {PORT}")]);
    let Some(outpost) = Outpost::make() else { return };
    let listener =
        outpost.namespace().inside(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).expect("a port"));
    thread::spawn(move || {
        for mut peer in listener.incoming().flatten() {
            let _ = peer.write_all(b"hello\n");
            let _ = peer.read_to_end(&mut Vec::new());
            // The other end has closed by now, and once that is acknowledged it waits for us without a socket.
            thread::sleep(Duration::from_millis(250));
        }
    });
    let place = format!("{}/{PORT}", Outpost::ADDRESS);
    let farewell = format!("tcp.flags.fin == 1 && tcp.srcport == {PORT}");
    eventually("the server's end is heard", || {
        group.bash(&format!("exec 3<>/dev/tcp/{place} && read -u 3 word && exec 3>&-; sleep 0.5"));
        (!rows_of_torn(&capture.file(), &farewell, &["frame.number"]).is_empty()).then_some(())
    });
    assert_eq!(capture.stop().code, Some(0));
}

/// The other end does not hear of the reset, and talks on to a socket that is gone, and has given its port back.
#[test]
fn what_comes_after_a_reset_is_heard_and_so_is_the_answer() {
    const PORT: u16 = 7001;
    let Some(group) = Cgroup::make() else { return };
    let Some(outpost) = Outpost::make() else { return };
    let deaf = "add table ip deaf; add chain ip deaf in { type filter hook input priority 0; }; \
                add rule ip deaf in tcp flags & rst == rst drop";
    let path = outpost.namespace().path().display().to_string();
    let ruled = Command::new("nsenter").args([&format!("--net={path}"), "nft", deaf]).output().expect("nft");
    checked("nft", &ruled);
    let listener =
        outpost.namespace().inside(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).expect("a port"));
    let capture = Capture::of(&[&group.selector()], &["-U", "-f", &format!("tcp port {PORT}")]);
    let script = format!("exec 3<>/dev/tcp/{}/{PORT}; read -N 1 -u 3 letter", Outpost::ADDRESS);
    let mut peer = thread::scope(|scope| {
        scope.spawn(|| group.bash(&script));
        let (mut peer, _) = listener.accept().expect("the cgroup's client");
        peer.write_all(b"ab").expect("it is there");
        peer
    });
    peer.write_all(b"anybody there?").expect("it has not heard of the end");
    let (late, answer) = ("tcp.len == 14", "tcp.flags.reset == 1 && tcp.flags.ack == 0");
    eventually("the late words and the answer are heard", || {
        let heard =
            |filter| rows_of_torn(&capture.file(), filter, &["frame.comment"]).concat().into_iter().next();
        Some([heard(late)?, heard(answer)?])
    });
    assert_eq!(capture.stop().code, Some(0));
}

/// What is remembered of the cgroup's connection must not be said of the next one between the same ports.
#[test]
fn a_neighbour_that_takes_over_a_port_is_not_taken_for_the_cgroup() {
    let Some(group) = Cgroup::make() else { return };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let capture = Capture::of(&[&group.selector()], &["-f", &format!("tcp port {port}")]);
    // One byte waits unread, and so the connection ends with a reset.
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port}; read -N 1 -u 3 letter");
    let client = thread::scope(|scope| {
        scope.spawn(|| group.bash(&script));
        let (mut peer, client) = listener.accept().expect("the cgroup's client");
        peer.write_all(b"ab").expect("it is there");
        assert!(peer.read(&mut [0]).is_err(), "it is reset");
        client.port()
    });
    let neighbour = connect_from(client, port);
    let (mut peer, _) = listener.accept().expect("the neighbour");
    drop(neighbour);
    assert_eq!(peer.read(&mut [0]).ok(), Some(0), "it is closed");
    // That is acknowledged by then (within 200 ms), and the neighbour has no socket any more.
    thread::sleep(Duration::from_millis(250));
    drop(peer);
    eventually("the neighbour's end waits for its time to pass", || {
        let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's table");
        table.contains(&format!(":{client:04X} 0100007F:{port:04X} 06 ")).then_some(())
    });
    let ended = capture.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(count(&ended.file(), "tcp.flags.syn == 1 && tcp.flags.ack == 0"), 1);
    assert_eq!(count(&ended.file(), "tcp.flags.reset == 1"), 1);
    assert_eq!(count(&ended.file(), "tcp.flags.fin == 1"), 0, "that is somebody else's");
}

/// A connection of this machine's to itself, from that port to the other one.
fn connect_from(own: u16, port: u16) -> OwnedFd {
    let stream =
        socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).expect("a socket");
    setsockopt(&stream, ReuseAddr, &true).expect("an option that each socket has");
    let at = |port| SockaddrIn::from(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
    bind(stream.as_raw_fd(), &at(own)).expect("nobody has that port");
    connect(stream.as_raw_fd(), &at(port)).expect("somebody listens");
    stream
}

/// A socket of the host's that somebody in the cgroup can send to, and its port.
fn receiver() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = socket.local_addr().expect("it is bound").port();
    (socket, port)
}

fn count(file: &std::path::Path, filter: &str) -> usize {
    rows(file, filter, &["frame.number"]).len()
}
