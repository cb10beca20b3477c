//! `pcapsule why` against faults made for real, and against set-ups in which all is well.
//!
//! The cases are scripts (`faults/*.sh`, `healthy/*.sh`), which `scripts/why-table` runs on hosts of their own made of namespaces; this
//! reads its rows. A case that cannot be set up here says why, and fails if `PCAPSULE_REQUIRE` names what it needs.

#![expect(clippy::print_stderr, reason = "a skipped case says why")]

use std::{
    env, fs,
    path::Path,
    process::Command,
    sync::{Mutex, PoisonError},
};

use serde_json::Value;

const PCAPSULE: &str = env!("CARGO_BIN_EXE_pcapsule");

/// One table at a time: each uses all processors.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn faults_without_an_engine_are_found() {
    hold("faults", "none");
}

#[test]
fn faults_of_docker_are_found() {
    hold("faults", "docker");
}

#[test]
fn nothing_is_found_in_healthy_set_ups_without_an_engine() {
    hold("healthy", "none");
}

#[test]
fn nothing_is_found_in_healthy_set_ups_of_docker() {
    hold("healthy", "docker");
}

#[test]
fn faults_of_podman_are_found() {
    hold("faults", "podman");
}

#[test]
fn nothing_is_found_in_healthy_set_ups_of_podman() {
    hold("healthy", "podman");
}

/// Runs the cases of that kind and engine.
///
/// # Panics
/// When one of them is answered wrongly, or cannot be set up although what it needs must be there.
fn hold(kind: &str, engine: &str) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let requirement = if engine == "none" { "netns" } else { engine };
    let demanded = env::var("PCAPSULE_REQUIRE").unwrap_or_default();
    let is_demanded = demanded.split(',').any(|word| word.trim() == requirement);
    if let Some(reason) = obstacle() {
        assert!(!is_demanded, "PCAPSULE_REQUIRE names {requirement}: {reason}");
        eprintln!("skipped: {reason}");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("rows");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/why-table");
    let output = Command::new(script)
        .args(["--kind", kind, "--engine", engine, "--json"])
        .arg(&file)
        .env("PCAPSULE", PCAPSULE)
        .output()
        .expect("the script starts");
    let table = String::from_utf8_lossy(&output.stdout);
    let rows = fs::read_to_string(&file).unwrap_or_default();
    let rows: Vec<Value> =
        rows.lines().map(|row| serde_json::from_str(row).expect("a row is JSON")).collect();
    assert!(!rows.is_empty(), "no case has run: {}", String::from_utf8_lossy(&output.stderr));
    for row in rows.iter().filter(|row| row["skipped"].is_string()) {
        let reason = row["skipped"].as_str().unwrap_or_default();
        let lacks_the_engine = ["engine", "dockerd", "podman"].iter().any(|word| reason.contains(word));
        assert!(!(is_demanded && lacks_the_engine), "PCAPSULE_REQUIRE names {requirement}: {reason}");
        eprintln!("skipped {}: {reason}", row["case"]);
    }
    assert!(output.status.success(), "some answers are wrong:\n{table}");
}

/// Why no case can run here.
fn obstacle() -> Option<String> {
    let has = |program: &str, words: &[&str]| {
        Command::new(program).args(words).output().is_ok_and(|output| output.status.success())
    };
    let is_root = has("sh", &["-c", "[ \"$(id -u)\" = 0 ]"]);
    let tools = ["jq", "curl", "nft", "iptables", "conntrack", "ethtool", "perl"];
    let missing: Vec<_> = tools.into_iter().filter(|tool| !has(tool, &["--version"])).collect();
    if !is_root || !has("unshare", &["--net", "--mount", "--pid", "--fork", "true"]) {
        Some("namespaces cannot be made here".to_owned())
    } else if missing.is_empty() {
        None
    } else {
        Some(format!("tools are missing: {}", missing.join(", ")))
    }
}
