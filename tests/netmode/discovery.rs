//! Sandboxes are containers like others: `ls`, `inspect` and `capture` know them by name.

use serde_json::Value;

use crate::lab::{Host, Running, Sandbox, Server, Tcp, ask, checked, said};

#[test]
fn ls_shows_sandboxes_with_their_veths() {
    let Some(host) = Host::make() else { return };
    let sandbox = Sandbox::named(&host, "web", &["-p", "8080:80"]);
    let text = checked("pcapsule ls", &host.pcapsule(&["ls"]));
    let line = text.lines().find(|line| line.contains("web")).unwrap_or_else(|| panic!("no web in {text}"));
    for word in [sandbox.address().to_string().as_str(), "8080", "pcapsule0"] {
        assert!(line.contains(word) || text.contains(word), "{text} lacks {word}");
    }
    let json: Value =
        serde_json::from_str(&checked("ls", &host.pcapsule(&["ls", "--json"]))).expect("one document");
    let container = container(&json, "web");
    assert_eq!(container["engine"], "pcapsule", "{container}");
    let end = host.sh("ip -json link show type veth master pcapsule0");
    let end: Value = serde_json::from_str(&end).expect("ip prints JSON");
    let end = end[0]["ifname"].as_str().expect("a name");
    assert!(container.to_string().contains(end), "{container} lacks {end}");
}

#[test]
fn ls_tells_two_in_host_mode_apart() {
    let Some(host) = Host::make() else { return };
    let [one, two] = [(); 2].map(|()| Running::start(&host, &["--net", "host"]));
    let json: Value =
        serde_json::from_str(&checked("ls", &host.pcapsule(&["ls", "--json"]))).expect("one document");
    for running in [&one, &two] {
        let container = container(&json, running.name());
        assert!(container.to_string().contains("host"), "{container}");
        assert_eq!(container["pid"], running.pid(), "{container}");
    }
}

#[test]
fn inspect_shows_a_sandbox() {
    let Some(host) = Host::make() else { return };
    let sandbox = Sandbox::named(&host, "web", &["-p", "8080:80", "--ipv6"]);
    let text = checked("pcapsule inspect", &host.pcapsule(&["inspect", "web"]));
    for word in ["web", &sandbox.address().to_string(), &sandbox.address6().to_string(), "8080", "pcapsule0"]
    {
        assert!(text.contains(word), "{text} lacks {word}");
    }
}

/// A capture by name holds the sandbox's packets.
#[test]
fn capture_takes_a_sandbox_by_name() {
    let Some(host) = Host::make() else { return };
    let sandbox = Sandbox::named(&host, "web", &["-p", "8080:80"]);
    let _server = sandbox.serve(Tcp, 80);
    let text = captured(&host, "web", || {
        assert!(ask(&host.neighbour().net(), Tcp, (Host::LAN, 8080)).is_some());
    });
    let address = sandbox.address();
    assert!(
        text.contains(&format!("{address}.80"))
            || text.contains(&format!("{address}:80"))
            || text.contains("web"),
        "{text}"
    );
    assert!(text.contains("198.51.100.2"), "{text}");
}

/// Two in host mode at once on the same interfaces: each capture has its own packets and not the other's.
#[test]
fn captures_in_host_mode_are_told_apart() {
    let Some(host) = Host::make() else { return };
    let _servers = [7001, 7002]
        .map(|port| Server::start(&host.neighbour().net(), Tcp, (Host::NEIGHBOUR, port).into(), "neighbour"));
    let talk = |port: u16| {
        format!("echo ready $$; while read -r _; do busybox nc 198.51.100.2 {port} </dev/null; done")
    };
    let [one, two] =
        [7001, 7002].map(|port| Running::with(&host, &["--net", "host"], &["--", "sh", "-c", &talk(port)]));
    let (mut one, mut two) = (one, two);
    let name = one.name().to_owned();
    let text = captured(&host, &name, || {
        for _ in 0..3 {
            one.type_line();
            two.type_line();
        }
        // Each has asked three times once its words have come back.
        for running in [&mut one, &mut two] {
            running.until_said("neighbour", 3);
        }
    });
    assert!(text.contains("7001"), "its own packets: {text}");
    assert!(!text.contains("7002"), "no packet of the other's: {text}");
}

/// A name that is none is told with the nearest.
#[test]
fn a_wrong_name_is_answered_with_the_right_one() {
    let Some(host) = Host::make() else { return };
    let _sandbox = Sandbox::named(&host, "database", &[]);
    let refused = host.pcapsule(&["inspect", "databse"]);
    assert_eq!(refused.status.code(), Some(4));
    assert!(said(&refused).contains("database"), "{}", said(&refused));
}

/// The packets' lines that a capture of that container prints while something happens.
#[track_caller]
fn captured(host: &Host, name: &str, happens: impl FnOnce()) -> String {
    let file = tempfile::tempdir().expect("a temporary directory");
    let path = file.path().join("capture.pcapng");
    let path = path.to_str().expect("a path in text");
    let (ready, armed) = std::io::pipe().expect("a pipe");
    let mut command = host.command(&["capture", name, "--ready-fd", "0", "-q", "-w", path]);
    command.stdin(armed).stderr(std::process::Stdio::piped());
    let capture = host.place().spawn(&mut command);
    drop(command);
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(ready), &mut line).expect("it speaks text");
    assert!(line.contains("ready"), "the capture does not get ready");
    happens();
    let pid = i32::try_from(capture.id()).expect("a pid fits");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGINT)
        .expect("it runs");
    let output = capture.wait_with_output().expect("it is our child");
    assert!(output.status.success(), "{}", said(&output));
    checked("pcapsule read", &host.pcapsule(&["read", "-n", path]))
}

#[track_caller]
fn container<'a>(document: &'a Value, name: &str) -> &'a Value {
    let all =
        document["containers"].as_array().unwrap_or_else(|| panic!("no list of containers: {document}"));
    all.iter().find(|entry| entry["name"] == name).unwrap_or_else(|| panic!("no {name} in {document}"))
}
