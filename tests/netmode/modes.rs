//! The other modes: the host's network, none, another container's, and a macvlan on a parent.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
};

use crate::lab::{Host, Like, Running, Sandbox, Server, Tcp, Udp, ask, checked, inside, is_silent, said};

#[test]
fn host_mode_is_the_hosts_network_in_a_cgroup_of_its_own() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let running = Running::start(&host, &["--net", "host"]);
    let net = |path: std::path::PathBuf| fs::read_link(path).expect("a process has it");
    assert_eq!(net(running.net()), net(host.place().net()));
    let cgroup = host.sh(&format!("cat /proc/{}/cgroup", running.pid()));
    assert!(cgroup.lines().any(|line| line.starts_with("0::/pcapsule/")), "{cgroup}");
    assert_eq!(running.finish().0.code(), Some(0));
    host.assert_as(&before);
}

/// Nothing can be published where all ports are the host's.
#[test]
fn ports_in_modes_without_a_bridge_are_refused() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let box_ = Sandbox::up(&host, &["--net", "none"]);
    let joined = format!("container:{}", box_.name());
    for mode in ["host", "none", &joined] {
        let refused = host.pcapsule(&["run", "--net", mode, "-p", "8080:80", "--", "true"]);
        assert_eq!(refused.status.code(), Some(2), "{mode}: {}", said(&refused));
    }
    box_.down();
    host.assert_as(&before);
}

#[test]
fn none_is_a_loopback_and_nothing_else() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let running = Running::start(&host, &["--net", "none"]);
    let links = running.ip("addr");
    assert_eq!(links.as_array().map(Vec::len), Some(1), "{links}");
    running.sh("busybox ping -c1 -W1 127.0.0.1");
    assert_eq!(running.finish().0.code(), Some(0));
    host.assert_as(&before);
}

#[test]
fn a_second_command_joins_a_sandbox() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let first = Sandbox::up(&host, &["-p", "8080:80"]);
    let mode = format!("container:{}", first.name());
    let second = Running::start(&host, &["--net", &mode]);
    let net = |path: std::path::PathBuf| fs::read_link(path).expect("a process has it");
    assert_eq!(net(second.net()), net(first.net()));
    second.assert_published();
    second.finish();
    first.sh("true");
    first.down();
    host.assert_as(&before);
}

#[test]
fn nobody_to_join_is_told() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    for line in [
        &["run", "--net", "container:nobody", "--", "true"][..],
        &["net", "plan", "--net", "container:nobody"],
    ] {
        let refused = host.pcapsule(line);
        assert_eq!(refused.status.code(), Some(4), "{line:?}: {}", said(&refused));
        assert!(said(&refused).contains("nobody"), "{line:?}: {}", said(&refused));
        host.assert_as(&before);
    }
}

#[test]
fn one_of_several_is_not_joined_by_chance() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let boxes =
        ["one", "other"].map(|name| Sandbox::named(&host, &format!("twin-{name}"), &["--net", "none"]));
    let refused = host.pcapsule(&["run", "-q", "--net", "container:name=twin-*", "--", "true"]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("twin-one, twin-other; one can be joined"), "{}", said(&refused));
    let joined = host.pcapsule(&["run", "-q", "--net", "container:name=*-other", "--", "true"]);
    assert!(joined.status.success(), "{}", said(&joined));
    boxes.into_iter().for_each(Sandbox::down);
    host.assert_as(&before);
}

/// On the LAN with an address and a MAC of its own, beside the host.
#[test]
fn a_macvlan_is_on_the_parents_lan() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let lan =
        ["--net", "macvlan", "--parent", "lan0", "--subnet", "198.51.100.0/24", "--ip", "198.51.100.77"];
    let line = [&lan[..], &["--gateway", "198.51.100.2"]].concat();
    let running = Running::start(&host, &line);
    assert_eq!(running.address(), Ipv4Addr::new(198, 51, 100, 77));
    assert_eq!(running.gateway(), Some(IpAddr::from(Host::NEIGHBOUR)));
    for transport in [Tcp, Udp] {
        let _server = running.serve(transport, 80);
        assert!(ask(&host.neighbour().net(), transport, (running.address(), 80)).is_some(), "{transport:?}");
    }
    let _server = Server::start(&host.neighbour().net(), Tcp, (Host::NEIGHBOUR, 80).into(), "neighbour");
    let answer = ask(&running.net(), Tcp, (Host::NEIGHBOUR, 80)).expect("the neighbour answers");
    assert_eq!(answer.seen, IpAddr::from(running.address()), "nothing is hidden");
    assert!(
        is_silent(&host.place().net(), Tcp, (running.address(), 80)),
        "a parent does not reach its children"
    );
    assert_eq!(running.finish().0.code(), Some(0));
    host.assert_as(&before);
}

#[test]
fn a_macvlan_without_a_parent_is_refused() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let address = ["--subnet", "198.51.100.0/24", "--ip", "198.51.100.77"];
    for (parent, code) in
        [(&[][..], Some(2)), (&["--parent", "nosuch0"], Some(4)), (&["--parent", "lo"], None)]
    {
        let line = [&["run", "--net", "macvlan"], &address[..], parent, &["--", "true"]].concat();
        let refused = host.pcapsule(&line);
        assert!(!refused.status.success(), "{parent:?}");
        assert!(
            code.is_none_or(|code| refused.status.code() == Some(code)),
            "{parent:?}: {}",
            said(&refused)
        );
        assert!(parent.last().is_none_or(|name| said(&refused).contains(name)), "{}", said(&refused));
        host.assert_as(&before);
    }
}

#[test]
fn options_that_a_mode_has_no_use_for_are_refused() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    for line in [
        &["--net", "host", "--subnet", "10.1.0.0/24"][..],
        &["--net", "host", "--mac", "02:00:00:00:00:01"],
        &["--net", "none", "--ip", "10.1.0.7"],
        &["--net", "none", "--bridge", "br9"],
        &["--net", "bridge", "--parent", "lan0"],
        &["--net", "container:"],
        &["--net", "nonsense"],
        &["--bridge", "a-name-that-is-too-long"],
        &["--bridge", "with/slash"],
        &["--bridge", ""],
        &["--name", ""],
        &["--name", "with space"],
    ] {
        let refused = host.pcapsule(&[&["run"], line, &["--", "true"]].concat());
        assert_eq!(refused.status.code(), Some(2), "{line:?}: {}", said(&refused));
        host.assert_as(&before);
    }
}

/// A plan changes nothing, and names an undo with each step that has one.
#[test]
fn a_plan_is_printed_and_nothing_done() {
    let Some(host) = Host::like(Like::DOCKER) else { return };
    let before = host.snapshot();
    for mode in [&["--net", "bridge", "--ipv6", "-p", "8080:80"][..], &["--net", "host"], &["--net", "none"]]
    {
        let text = checked("net plan", &host.pcapsule(&[&["net", "plan"], mode].concat()));
        assert!(!text.is_empty(), "{mode:?}");
        let json = checked("net plan", &host.pcapsule(&[&["net", "plan", "--json"], mode].concat()));
        let document: serde_json::Value = serde_json::from_str(&json).expect("one document");
        assert!(document["schema"].is_string() && document["steps"].is_array(), "{json}");
        host.assert_as(&before);
    }
}

/// In a user namespace of the caller's own: what can be had is had, the rest is told, with the capability.
#[test]
fn without_privileges_it_says_what_is_missing() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let program = env!("CARGO_BIN_EXE_pcapsule");
    for mode in ["bridge", "none", "macvlan"] {
        let options =
            ["--reuid=65534", "--regid=65534", "--clear-groups", "--", program, "run", "--net", mode];
        let parent: &[&str] = if mode == "macvlan" {
            &["--parent", "lan0", "--subnet", "198.51.100.0/24", "--ip", "198.51.100.77"]
        } else {
            &[]
        };
        let line = [&options[..], parent, &["--", "true"]].concat();
        let refused = host.place().output(&mut host.place().command("setpriv", &line));
        assert_eq!(refused.status.code(), Some(3), "{mode}: {}", said(&refused));
        assert!(said(&refused).contains("CAP_"), "{mode}: {}", said(&refused));
        host.assert_as(&before);
    }
}

/// The same as root of a user namespace: a bridge of one's own, in a network of one's own.
#[test]
fn in_a_user_namespace_what_can_work_works() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let program = env!("CARGO_BIN_EXE_pcapsule");
    let script =
        format!("mount -t tmpfs tmpfs /run && ip link set lo up && {program} run -q --net none -- true");
    let line = ["--user", "--map-root-user", "--net", "--mount", "sh", "-ec", &script];
    let output = host.place().output(&mut host.place().command("unshare", &line));
    let works = output.status.success();
    let told = output.status.code() == Some(3) && said(&output).contains("CAP_");
    assert!(works || told, "{:?}: {}", output.status, said(&output));
    host.assert_as(&before);
}

/// Where records are in everybody's folder, because a user has no other, somebody else was there first.
#[test]
fn a_folder_of_somebody_elses_is_told_with_a_way_out() {
    let Some(host) = Host::make() else { return };
    host.sh("chmod 755 /run && mkdir -m 1777 /run/tmp && mkdir /run/tmp/pcapsule-0 && install -d -o 65534 /run/own");
    let run = |variable: &str| {
        let program = env!("CARGO_BIN_EXE_pcapsule");
        let user = ["--reuid=65534", "--regid=65534", "--clear-groups", "env", "-u", "XDG_RUNTIME_DIR"];
        let variables = ["TMPDIR=/run/tmp", variable, "unshare", "--user", "--map-root-user", "--net"];
        let line = [&user[..], &variables, &[program, "run", "-q", "--net", "none", "--", "true"]].concat();
        host.place().output(&mut host.place().command("setpriv", &line))
    };
    let refused = run("X=1");
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("hint: set XDG_RUNTIME_DIR to"), "{}", said(&refused));
    let done = run("XDG_RUNTIME_DIR=/run/own");
    assert!(done.status.success(), "{}", said(&done));
}

/// A container that nobody made through us, by its process: Docker's are found the same way.
#[test]
fn somebody_elses_namespace_can_be_joined() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let mut command = host.place().command("unshare", &["--net", "sh", "-c", "echo $$; exec cat"]);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut stranger = host.place().spawn(&mut command);
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(stranger.stdout.take().expect("stdout is piped"));
    std::io::BufRead::read_line(&mut stdout, &mut line).expect("it speaks text");
    let pid = line.trim();
    let joined = host.pcapsule(&[
        "run",
        "-q",
        "--net",
        &format!("container:pid={pid}"),
        "--",
        "readlink",
        "/proc/self/ns/net",
    ]);
    let text = checked("run", &joined);
    let expected = inside(&host.place().net(), || host.sh(&format!("readlink /proc/{pid}/ns/net")));
    assert_eq!(text, expected);
    drop(stranger.stdin.take());
    let _ = stranger.wait();
    host.assert_as(&before);
}
