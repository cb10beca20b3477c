//! Many at once: fifty parallel runs, and two at one bridge that come and go in either order.

use std::{collections::BTreeSet, process::Stdio};

use crate::lab::{Host, Like, Running, Sandbox, checked};

const CROWD: usize = 50;

/// Cases 17 and 40: no address twice, and nothing left.
#[test]
fn fifty_at_once_have_fifty_addresses() {
    let Some(host) = Host::like(Like::DOCKER) else { return };
    let before = host.snapshot();
    let names: Vec<_> = (0..CROWD).map(|number| format!("crowd{number}")).collect();
    all_at_once(&host, names.iter().map(|name| vec!["net", "up", "--name", name, "-p", "80"]));
    let mut addresses = BTreeSet::new();
    for row in host.listing() {
        let pid = row["process"].as_u64().expect("a process");
        let text = host.sh(&format!("nsenter --net=/proc/{pid}/ns/net ip -o -4 addr show dev eth0"));
        addresses.insert(text.split_whitespace().nth(3).expect("an address").to_owned());
    }
    assert_eq!(addresses.len(), CROWD, "{addresses:?}");
    all_at_once(&host, names.iter().map(|name| vec!["net", "down", name]));
    host.assert_as(&before);
}

/// Case 40: up and down mixed, each with a command.
#[test]
fn fifty_runs_come_and_go() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let show = "ip -o -4 addr show dev eth0 | grep -q inet";
    all_at_once(&host, (0..CROWD).map(|_| vec!["run", "-q", "--ipv6", "-p", "80", "--", "sh", "-c", show]));
    host.assert_as(&before);
}

/// Two of different kinds at one bridge, ended in both orders.
#[test]
fn two_runs_share_a_bridge_and_end_in_either_order() {
    for first_ends_first in [true, false] {
        let Some(host) = Host::make() else { return };
        let before = host.snapshot();
        let run = Running::start(&host, &["-p", "8080:80", "--ipv6"]);
        let sandbox = Sandbox::up(&host, &["-p", "8081:80"]);
        run.sh(&format!("busybox ping -c1 -W2 {}", sandbox.address()));
        if first_ends_first {
            run.finish();
            sandbox.sh(&format!("busybox ping -c1 -W2 {}", sandbox.gateway().expect("a gateway")));
            sandbox.down();
        } else {
            sandbox.down();
            run.sh(&format!("busybox ping -c1 -W2 {}", run.gateway().expect("a gateway")));
            run.finish();
        }
        host.assert_as(&before);
    }
}

/// Two networks at once, made and ended in parallel.
#[test]
fn several_networks_at_once() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let bridges: Vec<_> = (0..6).map(|number| format!("pcsnet{number}")).collect();
    all_at_once(&host, bridges.iter().map(|bridge| vec!["net", "up", "--name", bridge, "--bridge", bridge]));
    let text = host.sh("ip -o -4 addr");
    let networks: BTreeSet<_> = text
        .lines()
        .filter(|line| line.contains("pcsnet"))
        .map(|line| line.split_whitespace().nth(3).expect("an address").to_owned())
        .collect();
    assert_eq!(networks.len(), bridges.len(), "{text}");
    checked("pcapsule net down --all", &host.pcapsule(&["net", "down", "--all"]));
    host.assert_as(&before);
}

/// Starts all of these together; each must succeed.
#[track_caller]
fn all_at_once<'a>(host: &Host, lines: impl Iterator<Item = Vec<&'a str>>) {
    let start = |line: Vec<&'a str>| {
        let mut command = host.command(&line);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        (line, host.place().spawn(&mut command))
    };
    let children: Vec<_> = lines.map(start).collect();
    for (line, child) in children {
        let output = child.wait_with_output().expect("it is our child");
        checked(&line.join(" "), &output);
    }
}
