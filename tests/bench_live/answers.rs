//! What a run answers with: exit codes, the page, and two runs held against each other.

use std::fs;

use serde_json::Value;

use super::{document, left_of, marked, turn};

#[test]
fn a_condition_decides_the_exit_code() {
    let Some(_turn) = turn() else { return };
    for (condition, code, words) in [
        ("tcp:veth/host<50", 1, "it is so, tcp (two) has"),
        ("tcp:veth/host>50", 0, ""),
        ("udp:veth/host<1", 2, "that test is not made"),
        ("tcp.cpu:veth/host<50", 1, "it is so, tcp (two) has"),
        ("tcp.p99:veth/host<1", 2, "tcp has no p99"),
        ("tcp:bridge/host<1", 2, "the path bridge is not measured"),
        ("tcp:veth/host", 2, "compares nothing"),
    ] {
        // More rounds than a verdict takes: on a busy machine host stands still in some, which have no ratio.
        let words_typed =
            format!("bench --quiet --rounds 11 --slice 20ms --paths veth --tests tcp --fail-if {condition}");
        let output = marked("condition", &words_typed).output().unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{condition}: {complaints}");
        assert!(complaints.contains(words), "{condition}: {complaints}");
    }
}

#[test]
fn figures_that_cannot_be_written_are_printed_all_the_same() {
    let Some(_turn) = turn() else { return };
    let words = "bench --quiet --rounds 1 --slice 20ms --paths veth --tests tcp --json /dev/full";
    let output = marked("unwritten", words).output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{complaints}");
    assert!(complaints.contains("writing /dev/full"), "{complaints}");
    let page = String::from_utf8_lossy(&output.stdout);
    let veth = page.lines().find(|line| line.starts_with("veth ")).unwrap_or_else(|| panic!("{page}"));
    assert!(veth.contains("too few rounds"), "one round says nothing of spread: {veth}");
}

/// Without nft no sandbox can be made, while a cable needs none.
#[test]
fn a_path_that_cannot_be_built_is_told_and_the_others_are_measured() {
    let Some(_turn) = turn() else { return };
    let script = format!(
        "mount --bind /dev/null $(command -v nft) && exec {} bench --quiet --json - --rounds 5 --slice 20ms --tests tcp --paths veth,bridge",
        super::PCAPSULE
    );
    let output =
        std::process::Command::new("unshare").args(["--mount", "sh", "-c", &script]).output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{complaints}");
    assert!(complaints.contains("bridge was not measured: "), "{complaints}");
    let found = document(&output);
    assert_eq!(found["skipped"][0]["path"], "bridge");
    assert_eq!(found["cells"][0]["paths"].as_array().unwrap().len(), 3, "{found}");
}

#[test]
fn a_run_is_drawn_and_held_against_itself() {
    let Some(_turn) = turn() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (json, html) = (folder.path().join("run.json"), folder.path().join("run.html"));
    let words = "bench --quiet --rounds 9 --slice 20ms --paths veth --tests tcp,latency --placement two";
    let mut command = marked("drawn", words);
    let output = command.arg("--json").arg(&json).arg("--html").arg(&html).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let page = fs::read_to_string(&html).unwrap();
    assert_eq!(page.matches("a bar for each path").count(), 2);
    assert_eq!(page.matches("<polyline").count(), 2, "the distributions of host and veth");
    assert!(!page.contains("NaN") && page.ends_with("</html>\n"));

    let compare = |words: &[&str]| {
        let mut command = marked("drawn", "bench compare");
        command.arg(&json).arg(&json).args(words).output().unwrap()
    };
    let found = document(&compare(&["--json", "--fail-if-worse"]));
    let changes = found["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 6, "{found}");
    for change in changes {
        assert_eq!(change["verdict"]["kind"], "no_difference_seen", "{change}");
        assert_eq!(change["figures"]["median"].as_f64(), Some(1.0));
    }
    assert_eq!(found["warnings"], Value::Array(Vec::new()));
    fs::write(&json, "{\"schema\": \"pcapsule.ls\"}").unwrap();
    let refused = compare(&[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("its schema is 'pcapsule.ls'"));
    assert_eq!(left_of("drawn"), [""; 0]);
}
