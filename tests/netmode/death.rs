//! However a sandbox ends, nothing of it stays: its processes killed one by one or together, the namespace gone first, the
//! end asked for twice, or while it is already ending.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::lab::{Host, Like, Running, Sandbox, Snapshot, Tcp, ask, checked, eventually, said};

const PORTS: [&str; 5] = ["--ipv6", "-p", "8080:80", "-p", "5353:53/udp"];

/// Case 36: the process that the user started.
#[test]
fn a_killed_front_takes_everything_along() {
    for like in [Like::default(), Like::DOCKER] {
        let Some(host) = Host::like(like) else { return };
        let before = host.snapshot();
        let mut running = Running::start(&host, &PORTS);
        running.signal(Signal::SIGKILL);
        running.wait();
        host.assert_becomes(&before);
    }
}

/// Case 36: the process that keeps the sandbox.
#[test]
fn a_killed_keeper_ends_the_run() {
    for like in [Like::default(), Like::DOCKER] {
        let Some(host) = Host::like(like) else { return };
        let before = host.snapshot();
        let mut running = Running::start(&host, &PORTS);
        kill(&host, &[keeper(&host, running.name())]);
        let (status, _) = running.wait();
        assert!(!status.success(), "a sandbox whose keeper died is no success");
        host.assert_becomes(&before);
    }
}

/// Case 36: both at once; rules and links go with the last process, the rest is found by `net prune`.
#[test]
fn both_killed_leave_little_and_that_is_pruned() {
    for like in [Like::default(), Like::DOCKER] {
        let Some(host) = Host::like(like) else { return };
        let before = host.snapshot();
        let mut running = Running::start(&host, &PORTS);
        both_die(&host, &mut running);
        eventually("the table is gone", || (!host.sh("nft list tables").contains("pcapsule")).then_some(()));
        checked("pcapsule net prune", &host.pcapsule(&["net", "prune"]));
        host.assert_becomes(&before);
    }
}

/// Case 36: both at once, and nobody asks for cleaning: the next run does it, though its own options are others.
#[test]
fn both_killed_are_cleaned_by_the_next_run() {
    let Some(host) = Host::like(Like::DOCKER) else { return };
    let before = host.snapshot();
    let mut running = Running::start(&host, &PORTS);
    both_die(&host, &mut running);
    let next = host.pcapsule(&["run", "-q", "--net", "none", "--", "true"]);
    assert!(next.status.success(), "{}", said(&next));
    host.assert_becomes(&before);
}

/// Case 36: what was in use can be had again at once.
#[test]
fn after_death_the_ports_are_free() {
    let Some(host) = Host::make() else { return };
    let mut running = Running::start(&host, &PORTS);
    both_die(&host, &mut running);
    let again = Sandbox::up(&host, &PORTS);
    let _server = again.serve(Tcp, 80);
    assert!(ask(&host.neighbour().net(), Tcp, (Host::LAN, 8080)).is_some());
}

/// The process that owns the rules is killed, as where memory is short: the sandbox is not left without.
#[test]
fn rules_whose_owner_is_killed_are_made_again() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let sandbox = Sandbox::up(&host, &PORTS);
    let rules = || host.sh("nft -s list ruleset");
    let whole = rules();
    assert!(whole.contains("masquerade"), "{whole}");
    let owner: u64 = host.sh("pgrep -x nft").trim().parse().expect("there is one");
    kill(&host, &[owner]);
    eventually("the rules are as before", || (rules() == whole).then_some(()));
    let again: u64 = host.sh("pgrep -x nft").trim().parse().expect("there is one");
    assert_ne!(again, owner);
    sandbox.down();
    host.assert_as(&before);
}

/// Case 36: a sandbox that stays, whose keeper is killed.
#[test]
fn a_killed_keeper_of_a_sandbox_that_stays_is_pruned() {
    for like in [Like::default(), Like::DOCKER] {
        let Some(host) = Host::like(like) else { return };
        let before = host.snapshot();
        let sandbox = Sandbox::up(&host, &PORTS);
        kill(&host, &[keeper(&host, sandbox.name())]);
        let name = sandbox.forget();
        let pruned = host.pcapsule(&["net", "prune"]);
        let text = checked("pcapsule net prune", &pruned) + &said(&pruned);
        assert!(text.contains(&name), "it says what it removed: {text}");
        host.assert_becomes(&before);
        let second = checked("pcapsule net prune", &host.pcapsule(&["net", "prune"]));
        assert!(!second.contains(&name), "there is nothing left to say: {second}");
    }
}

/// What a dead run of another version has written down is neither understood nor thrown away: that version can undo it.
#[test]
fn what_another_version_left_is_kept_and_told() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    both_die(&host, &mut Running::start(&host, &PORTS));
    let record = host.sh("ls /run/pcapsule/*/*/record.json");
    host.sh(&format!("sed -i.kept 's/\"kind\":\"veth\"/\"kind\":\"novelty\"/' {}", record.trim()));
    let pruned = host.pcapsule(&["net", "prune"]);
    assert_eq!(pruned.status.code(), Some(1), "{}", said(&pruned));
    assert!(said(&pruned).contains("another version of pcapsule wrote it"), "{}", said(&pruned));
    let next = host.pcapsule(&["run", "-q", "--", "true"]);
    assert!(next.status.success(), "{}", said(&next));
    host.sh(&format!("mv {0}.kept {0}", record.trim()));
    checked("pcapsule net prune", &host.pcapsule(&["net", "prune"]));
    host.assert_becomes(&before);
}

/// Prune leaves alone what lives.
#[test]
fn the_living_are_not_pruned() {
    let Some(host) = Host::like(Like::DOCKER) else { return };
    let sandbox = Sandbox::up(&host, &PORTS);
    let running = Running::start(&host, &["-p", "9090:80"]);
    let before = host.snapshot_of_living();
    checked("pcapsule net prune", &host.pcapsule(&["net", "prune"]));
    host.assert_as(&before);
    drop(running);
    sandbox.down();
}

/// Case 34: the namespace's processes are gone before anybody asked.
#[test]
fn a_namespace_gone_first_is_no_hindrance() {
    for like in [Like::default(), Like::DOCKER] {
        let Some(host) = Host::like(like) else { return };
        let before = host.snapshot();
        let sandbox = Sandbox::up(&host, &PORTS);
        kill(&host, &[sandbox.pid().into()]);
        let name = sandbox.forget();
        host.pcapsule(&["net", "down", &name]);
        host.assert_becomes(&before);
    }
}

/// Case 34: the bridge and the veth deleted by somebody else.
#[test]
fn links_gone_first_are_no_hindrance() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let sandbox = Sandbox::up(&host, &PORTS);
    host.sh("ip link del pcapsule0");
    sandbox.down();
    host.assert_as(&before);
}

/// Case 37: asked to end, again and again while it ends.
#[test]
fn signals_while_it_ends_do_not_disturb() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let Some(host) = Host::make() else { return };
        let before = host.snapshot();
        let mut running = Running::start(&host, &PORTS);
        let keeper = keeper(&host, running.name());
        for _ in 0..20 {
            running.signal(signal);
            host.sh(&format!(
                "kill -{} {keeper} 2>/dev/null || true",
                signal.as_str().trim_start_matches("SIG")
            ));
        }
        running.wait();
        host.assert_becomes(&before);
    }
}

/// Case 37: at any moment of its coming up.
#[test]
fn a_signal_at_any_moment_of_the_beginning_leaves_nothing() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    for delay in (1..121).step_by(6) {
        let line = format!("0.{delay:03}");
        let arguments = ["--signal=TERM", &line, env!("CARGO_BIN_EXE_pcapsule"), "run"];
        let rest = ["--", "sleep", "60"];
        let arguments = [&arguments[..], &PORTS, &rest].concat();
        host.place().output(&mut host.place().command("timeout", &arguments));
        host.assert_becomes(&before);
    }
}

/// Case 41.
#[test]
fn an_end_asked_for_twice_and_one_of_nobody() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let sandbox = Sandbox::up(&host, &PORTS);
    let name = sandbox.forget();
    checked("pcapsule net down", &host.pcapsule(&["net", "down", &name]));
    host.assert_as(&before);
    for unknown in [name.as_str(), "never-was"] {
        let again = host.pcapsule(&["net", "down", unknown]);
        assert_eq!(again.status.code(), Some(4), "{}", said(&again));
        assert!(said(&again).contains(unknown), "{}", said(&again));
    }
    checked("pcapsule net down --all", &host.pcapsule(&["net", "down", "--all"]));
    host.assert_as(&before);
}

/// Case 41: the same one by several at once.
#[test]
fn an_end_asked_for_by_several_at_once() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let name = Sandbox::up(&host, &PORTS).forget();
    let down = ["net", "down", name.as_str()];
    let children: Vec<_> = (0..4).map(|_| host.place().spawn(&mut host.command(&down))).collect();
    let codes: Vec<_> =
        children.into_iter().map(|mut child| child.wait().expect("it is our child").code()).collect();
    assert!(codes.contains(&Some(0)), "{codes:?}");
    assert!(codes.iter().all(|code| [Some(0), Some(4)].contains(code)), "{codes:?}");
    host.assert_as(&before);
}

/// Case 42: the values that a host had are given back, whatever they were, unless somebody changed them meanwhile.
#[test]
fn kernel_variables_are_given_back() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let sandbox = Sandbox::up(&host, &PORTS);
    let changed = |snapshot: &Snapshot| -> Vec<String> {
        let all = snapshot.since(&before);
        all.into_iter().filter(|line| line.starts_with("sysctls: -")).collect()
    };
    assert!(!changed(&host.snapshot()).is_empty(), "forwarding is on for some interface");
    host.sh("sysctl -qw net.ipv4.ip_forward=1");
    sandbox.down();
    assert_eq!(host.sysctl("ipv4/ip_forward"), "1", "what the administrator set meanwhile stays");
}

/// Somebody makes the host a router meanwhile, as Docker does when it starts: it is one afterwards, at each of its links.
#[test]
fn a_host_that_became_a_router_stays_one() {
    let Some(host) = Host::make() else { return };
    let sandbox = Sandbox::up(&host, &PORTS);
    host.sh("sysctl -qw net.ipv4.ip_forward=1
         ! test -e /proc/sys/net/ipv6/conf/all/force_forwarding || sysctl -qw net.ipv6.conf.all.force_forwarding=1");
    let settings = || {
        host.sh("for link in all default lan0 lo; do
             grep -sH '' /proc/sys/net/ipv4/conf/$link/forwarding /proc/sys/net/ipv6/conf/$link/force_forwarding || true
         done")
    };
    let before = settings();
    assert!(before.contains("ipv4/conf/lan0/forwarding:1"), "{before}");
    sandbox.down();
    assert_eq!(settings(), before);
}

/// The front and the keeper of a run, neither of which can do anything about it.
#[track_caller]
fn both_die(host: &Host, running: &mut Running) {
    let keeper = keeper(host, running.name());
    host.sh(&format!("kill -STOP {keeper}"));
    running.signal(Signal::SIGKILL);
    kill(host, &[keeper]);
    running.wait();
}

/// The keeper's process by its number on the host, as the run's record names it.
#[track_caller]
fn keeper(host: &Host, name: &str) -> u64 {
    let record = record(host, name);
    let keeper = &record["keeper"];
    keeper.as_u64().or_else(|| keeper["pid"].as_u64()).unwrap_or_else(|| panic!("no keeper in {record}"))
}

fn record(host: &Host, name: &str) -> Value {
    let folders = std::fs::read_dir(host.state()).into_iter().flatten().flatten();
    let runs = folders.flat_map(|folder| std::fs::read_dir(folder.path()).into_iter().flatten().flatten());
    let records = runs.filter_map(|run| {
        let text = std::fs::read_to_string(run.path().join("record.json")).ok()?;
        serde_json::from_str::<Value>(&text).ok()
    });
    records.into_iter().find(|record| record["name"] == name).expect("the run has a record")
}

/// Kills them all, then waits until each has let go of its files: the first thread may be gone before the others.
fn kill(host: &Host, pids: &[u64]) {
    for pid in pids {
        host.sh(&format!("kill -KILL {pid}"));
    }
    for pid in pids {
        let is_gone = format!(
            "cd /proc/{pid} 2>/dev/null || {{ echo yes; exit 0; }}
             grep -q '^State:.Z' status 2>/dev/null && test $(ls task 2>/dev/null | wc -l) -le 1 && echo yes || true"
        );
        eventually("it has ended", || (host.sh(&is_gone).trim() == "yes").then_some(()));
    }
}

/// Its keeper's number means another process there, or none.
#[test]
fn a_sandbox_is_not_taken_down_from_another_pid_namespace() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    assert!(host.pcapsule(&["net", "up", "-q", "--name", "web"]).status.success());
    let down = ["-p", "-f", "--mount-proc", env!("CARGO_BIN_EXE_pcapsule"), "net", "down", "web"];
    let refused = host.place().output(&mut host.place().command("unshare", &down));
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("not in this pid namespace"), "{}", said(&refused));
    assert!(host.pcapsule(&["net", "down", "web"]).status.success());
    host.assert_as(&before);
}
