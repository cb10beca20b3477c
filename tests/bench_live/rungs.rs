//! The ladder: every rung is measured, and what is known to cost much is found to.

use serde_json::Value;

use super::{document, left_of, marked, turn};

#[test]
fn every_rung_is_measured_and_what_costs_much_is_found() {
    let Some(_turn) = turn() else { return };
    let words = "bench --explain --quiet --json - --rounds 9 --slice 30ms";
    let output = marked("explain", words).output().unwrap();
    let found = document(&output);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let waterfalls = found["waterfalls"].as_array().unwrap();
    assert_eq!(waterfalls.len(), 2, "{}", found["waterfalls"]);
    let steps = |test: &str| -> &[Value] {
        let of_test = waterfalls.iter().find(|waterfall| waterfall["test"] == test).unwrap();
        of_test["steps"].as_array().unwrap()
    };
    let step = |test: &str, path: &str| steps(test).iter().find(|step| step["path"] == path).unwrap();
    for test in ["latency", "tcp"] {
        assert_eq!(steps(test).len(), 12, "{:?}", steps(test));
    }
    assert_eq!(step("latency", "proxy")["finding"]["kind"], "costs", "{}", step("latency", "proxy"));
    assert_eq!(step("tcp", "no-offload")["finding"]["kind"], "costs", "{}", step("tcp", "no-offload"));
    // What a step adds is the difference of its path and the one before, round by round.
    let samples = |path: &str| -> Vec<f64> {
        let paths = found["cells"][0]["paths"].as_array().unwrap();
        let samples = &paths.iter().find(|found| found["path"] == path).unwrap()["samples"];
        samples.as_array().unwrap().iter().map(|sample| sample["value"].as_f64().unwrap()).collect()
    };
    let both = samples("nat").into_iter().zip(samples("conntrack"));
    // A turn in which a busy machine let nothing through is no time of a round trip.
    let both = both.filter(|(with, without)| *with > 0.0 && *without > 0.0);
    let differences = both.map(|(with, without)| with - without).collect();
    let shown = step("latency", "nat")["adds"]["median"].as_f64().unwrap();
    assert!((super::median(differences) - shown).abs() < 1e-6);
    let links = found["environment"]["links"].as_array().unwrap();
    let mtu = |path: &str| links.iter().find(|link| link["path"] == path).unwrap()["mtu"].as_u64();
    assert_eq!(
        [mtu("host"), mtu("lo-1500"), mtu("mtu-9000")],
        [Some(65_536), Some(1500), Some(9000)],
        "{links:?}"
    );
    assert!(links.iter().any(|link| link["path"] == "no-offload" && link["offloads"]["tso"] == false));
    assert_eq!(left_of("explain"), [""; 0]);
}

/// As on a host that has not loaded br_netfilter: its settings are hidden in the namespace that the program is in.
#[test]
fn where_bridges_are_unseen_the_rungs_are_routed() {
    let Some(_turn) = turn() else { return };
    let script = format!(
        "mount -t tmpfs none /proc/sys/net/bridge && exec {} bench --explain --quiet --json - --rounds 5 --slice 20ms --tests latency",
        super::PCAPSULE
    );
    let output =
        std::process::Command::new("unshare").args(["--mount", "sh", "-c", &script]).output().unwrap();
    let found = document(&output);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let steps = found["waterfalls"][0]["steps"].as_array().unwrap();
    let chain: Vec<&Value> =
        steps.iter().filter(|step| step["kind"] == "step").map(|step| &step["path"]).collect();
    assert_eq!(chain, ["lo-1500", "veth", "bare-bridge", "routed", "rules", "conntrack", "nat"]);
    assert_eq!(steps.len(), 11, "{steps:?}");
}
