//! BPF filters: at every tap, in either spelling, and refused before anything opens.

use std::{
    io::Write,
    net::{Ipv4Addr, UdpSocket},
    process::{Child, Command, Output, Stdio},
    thread,
};

use tempfile::NamedTempFile;

use crate::{
    lab::{Cable, Capture, Conversation, Namespace, at, eventually, pcapsule, rows, run},
    tags::{DOT1Q, Tag, send},
};

#[test]
fn a_filter_applies_to_each_tap() {
    let Some((one, two)) = Cable::lay().zip(Cable::lay()) else { return };
    for spelling in [&["-f", "udp port 7000"][..], &["--", "udp", "port", "7000"][..]] {
        let capture = Capture::of(&[&one.left_selector(), &two.left_selector()], spelling);
        for cable in [&one, &two] {
            let talk = Conversation::new(cable.left(), cable.right(), Cable::RIGHT);
            talk.ask(7000, b"wanted");
            talk.ask(7001, b"unwanted");
        }
        let ended = capture.stop();
        for cable in [&one, &two] {
            let tap = at(&format!("{}/eth0", cable.left_name()));
            assert_eq!(rows(&ended.file(), &tap, &["udp.port"]).len(), 2, "{spelling:?}");
        }
        assert!(rows(&ended.file(), "not udp.port == 7000", &["frame.number"]).is_empty());
    }
}

#[test]
fn a_bad_filter_is_refused_in_libpcaps_words_before_anything_opens() {
    let Some(cable) = Cable::lay() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("never.pcapng");
    let output =
        pcapsule(&["capture", &cable.left_selector(), "-w", file.to_str().unwrap(), "-f", "tcp prot 80"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    let libpcap = pcap::Capture::dead(pcap::Linktype::ETHERNET).unwrap().compile("tcp prot 80", true);
    let Err(pcap::Error::PcapError(words)) = libpcap else { panic!("libpcap takes the filter") };
    assert!(errors.contains(&words), "{errors} lacks: {words}");
    assert!(!file.exists());
}

#[test]
fn a_filter_for_a_vlan_sees_the_tag_that_the_kernel_took_out() {
    let Some(cable) = Cable::lay() else { return };
    let capture = Capture::of(&[&cable.left_selector()], &["-f", "vlan 42 and arp"]);
    for id in [42, 43] {
        send(&cable, &[Tag { ether_type: DOT1Q, id }]);
    }
    let ended = capture.stop();
    assert_eq!(rows(&ended.file(), "", &["vlan.id"]), [["42"]]);
}

#[test]
fn a_file_of_cut_frames_is_filtered_by_their_length_on_the_wire() {
    let Some(cable) = Cable::lay() else { return };
    let capture = Capture::of(&[&cable.left_selector()], &["-s", "60", "-f", "udp port 7000"]);
    let talk = Conversation::new(cable.left(), cable.right(), Cable::RIGHT);
    talk.ask(7000, &[b'x'; 1000]);
    talk.ask(7000, b"short");
    let ended = capture.stop();
    let file = ended.file();
    let file = file.to_str().unwrap();
    for (expression, count) in [("greater 500", 2), ("less 500", 2), ("udp[4:2] > 500 and len = 1042", 2)] {
        let ours = pcapsule(&["read", "-n", file, "-f", expression]);
        let theirs = run("tcpdump", &["-n", "-r", file, expression]);
        assert_eq!(String::from_utf8_lossy(&ours.stdout).lines().count(), count, "{expression}");
        assert_eq!(theirs.lines().count(), count, "{expression}: {theirs}");
    }
}

#[test]
fn names_are_looked_up_on_the_host_alone() {
    let Some((host, container)) = Cable::lay().zip(Cable::lay()) else { return };
    let configuration = resolver(&host.left(), Cable::RIGHT);
    let configuration = configuration.path().to_str().unwrap();
    for engine in ["ring", "libpcap"] {
        let mount = ["unshare", "--mount", "sh", "-c", "mount --bind $0 /etc/resolv.conf && exec \"$@\""];
        let filter = ["--engine", engine, "-f", "udp port 7000 and host server.pcs.test"];
        let run = one_packet(&host, &[&mount[..], &[configuration]].concat(), &container, &filter);
        let talk = Conversation::new(container.left(), container.right(), Cable::RIGHT);
        let output = until_it_ends(run, || talk.ask(7000, b"hello"));
        assert!(output.status.success(), "{engine}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_filter_for_a_vlan_needs_no_loopback() {
    let Some((host, container)) = Cable::lay().zip(Cable::lay()) else { return };
    for down in [container.left(), host.left()] {
        down.ip(&["link", "set", "lo", "down"]);
        let run = one_packet(&host, &[], &container, &["-f", "vlan 42"]);
        let output = until_it_ends(run, || send(&container, &[Tag { ether_type: DOT1Q, id: 42 }]));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Captures one packet at the left end of a cable, from the left end of another: for pcapsule, that is the host.
fn one_packet(host: &Cable, wrapper: &[&str], container: &Cable, options: &[&str]) -> Child {
    let net = format!("--net=/run/netns/{}", host.left_name());
    let program = [env!("CARGO_BIN_EXE_pcapsule"), "capture", "--no-follow", "-c", "1"];
    Command::new("timeout")
        .args(["30", "nsenter", &net])
        .args([wrapper, &program, &[&container.left_selector()], options].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("timeout starts")
}

/// Keeps traffic coming until the program ends.
fn until_it_ends(mut run: Child, traffic: impl Fn()) -> Output {
    eventually("the capture ends", || {
        traffic();
        run.try_wait().expect("it is our child")
    });
    run.wait_with_output().expect("its output")
}

/// Serves DNS at 127.0.0.1 in a namespace, for as long as the tests run: every name has that address. Answers with
/// what makes it the resolver.
fn resolver(host: &Namespace, address: Ipv4Addr) -> NamedTempFile {
    let socket = host.inside(|| UdpSocket::bind("127.0.0.1:53").expect("port 53 is free in there"));
    thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, asker)) = socket.recv_from(&mut query) {
            let _ = socket.send_to(&answer(&query[..length], address), asker);
        }
    });
    let mut configuration = NamedTempFile::new().expect("a temporary file");
    configuration.write_all(b"nameserver 127.0.0.1\noptions timeout:1 attempts:1\n").expect("it is written");
    configuration
}

/// The question as it came (RFC 1035, 4.1), and for one about an IPv4 address an answer.
fn answer(query: &[u8], address: Ipv4Addr) -> Vec<u8> {
    let end = 12 + query[12..].iter().position(|length| *length == 0).expect("the end of the name") + 5;
    let asks_for_address = query[end - 4..end] == [0, 1, 0, 1];
    let counts = [0x81, 0x80, 0, 1, 0, u8::from(asks_for_address), 0, 0, 0, 0];
    let mut answer = [&query[..2], &counts, &query[12..end]].concat();
    if asks_for_address {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(address.octets());
    }
    answer
}
