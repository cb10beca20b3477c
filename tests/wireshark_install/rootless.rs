//! A plain user and his own containers: namespaces that belong to a user namespace of his.

use crate::has;
use crate::home::{As, Ended, Home, nix_is_root};

/// What runs in a container without root for a while: it talks to itself.
const RESIDENT: &str =
    "ip link set lo up; touch up; for _ in {1..200}; do echo noise >/dev/udp/127.0.0.1/9; sleep 0.05; done";

/// Runs a script while `$C` is a process in such a container.
fn beside_a_container(home: &Home, script: &str) -> Ended {
    let script = format!(
        "unshare --user --map-root-user --net bash -c '{RESIDENT}' 2>/dev/null & C=$!; trap 'kill $C' EXIT; \
         for _ in {{1..200}}; do [ ! -e up ] || break; sleep 0.05; done; [ -e up ] || {{ echo no container; exit 77; }}\n{script}"
    );
    let mut command = home.command("bash", &["-c", &script]);
    Ended::of(&command.env("P", home.program()).output().unwrap())
}

fn can() -> bool {
    let is_allowed = || {
        let home = Home::of(As::Nobody);
        home.run("unshare", &["--user", "--map-root-user", "--net", "true"]).code == Some(0)
    };
    has(&["tshark", "netns"]) && nix_is_root() && is_allowed()
}

#[test]
fn a_plain_user_captures_from_his_own_containers_without_any_right() {
    if !can() {
        return;
    }
    let home = Home::of(As::Nobody);
    let ended = beside_a_container(
        &home,
        "timeout 20 \"$P\" capture pid=$C --at lo -c 3 -w own.pcapng; code=$?; stat -c %u own.pcapng; exit $code",
    );
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "65534\n"), "{}", ended.stderr);
    let file = home.path("home/own.pcapng");
    let read =
        home.run("tshark", &["-r", file.to_str().unwrap(), "-T", "fields", "-e", "udp.dstport", "-Y", "udp"]);
    assert!(read.stdout.starts_with("9\n"), "{}{}", read.stdout, read.stderr);
}

#[test]
fn what_is_not_his_stays_closed_and_the_missing_right_is_named() {
    if !can() {
        return;
    }
    let home = Home::of(As::Nobody);
    let ended = beside_a_container(&home, "timeout 20 \"$P\" capture if=lo -c 1 -w host.pcapng");
    assert_eq!(ended.code, Some(3), "{}", ended.stderr);
    assert!(ended.stderr.contains("CAP_NET_RAW"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("no capability is missing"), "{}", ended.stderr);
}

#[test]
fn status_tells_what_he_can_and_what_he_cannot() {
    if !can() {
        return;
    }
    let home = Home::of(As::Nobody);
    assert_eq!(home.wireshark(&["install", "--user"]).code, Some(0));
    let ended = beside_a_container(&home, "\"$P\" wireshark status --json");
    let rights = ended.checks("rights");
    assert_eq!(rights[0].0, "note", "{}{}", ended.stdout, ended.stderr);
    assert!(rights[0].1.starts_with("captures from your own rootless containers"), "{rights:?}");
    assert!(rights[0].1.contains("CAP_SYS_ADMIN"), "{rights:?}");
}

#[test]
fn wiresharks_capture_reaches_them_too() {
    if !can() {
        return;
    }
    let home = Home::of(As::Nobody);
    assert_eq!(home.wireshark(&["install", "--user"]).code, Some(0));
    let script = "timeout 20 tshark -i pcapsule-pick -o extcap.pcapsule_pick.select:pid=$C -o extcap.pcapsule_pick.at:lo \
        -c 3 -T fields -e frame.interface_name";
    let ended = beside_a_container(&home, script);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    // A row that tells what happened to it has no interface.
    let lines: Vec<&str> = ended.stdout.lines().filter(|line| !line.is_empty()).collect();
    assert!(
        !lines.is_empty() && lines.iter().all(|line| line.ends_with("/lo")),
        "{}{}",
        ended.stdout,
        ended.stderr
    );
}
