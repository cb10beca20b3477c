//! Containers that are there already: measured where they are, and left as they were.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{self, Command, Stdio},
};

use serde_json::Value;

use super::{PCAPSULE, document, lacking, left_of, marked, turn};

/// What a program prints, without the last line end; panics where it fails.
#[track_caller]
fn said(words: &[&str]) -> String {
    let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Two containers of an image that has nothing but a busybox in it, on the engine's own bridge. Both publish a port, at which
/// one has a service.
struct Stage {
    name: String,
}

impl Stage {
    fn build() -> Option<Self> {
        let answers =
            Command::new("docker").arg("version").output().is_ok_and(|output| output.status.success());
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
        let (true, Some(busybox)) = (answers, busybox) else {
            return lacking("docker", "no Docker engine answers, or there is no busybox");
        };
        let stage = Self { name: format!("pcs-bench-{}", process::id()) };
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        fs::copy(busybox, folder.path().join("bin/busybox")).unwrap();
        let root = folder.path().to_str().unwrap();
        let image = format!("tar -C {root} -c bin | docker import - {}", stage.name);
        said(&["sh", "-c", &image]);
        for (role, command) in [("web", &["sleep", "600"][..]), ("db", &["httpd", "-f", "-p", "80"])] {
            let name = stage.of(role);
            let run = ["docker", "run", "--detach", "--publish", "80", "--name", &name, &stage.name];
            said(&[&run[..], &["/bin/busybox"], command].concat());
        }
        Some(stage)
    }

    fn of(&self, role: &str) -> String {
        format!("{}-{role}", self.name)
    }

    fn asked(&self, role: &str, format: &str) -> String {
        said(&["docker", "inspect", "--format", format, &self.of(role)])
    }

    /// What a visit could leave behind, or change.
    fn state(&self) -> Vec<String> {
        let links = |words: &[&str]| {
            let found: Vec<Value> = serde_json::from_str(&said(words)).unwrap();
            let mut names: Vec<String> = found.iter().map(|link| link["ifname"].to_string()).collect();
            names.sort();
            names.join(" ")
        };
        let mut all = Vec::new();
        for role in ["web", "db"] {
            let pid = self.asked(role, "{{.State.Pid}}");
            let inside = ["nsenter", "--net", "--target", &pid];
            all.push(self.asked(role, "{{.State.StartedAt}} {{.RestartCount}} {{.State.Pid}}"));
            all.push(links(&[&inside[..], &["ip", "-j", "link"]].concat()));
            // What waits for its last packets belongs to the kernel.
            all.push(said(&[&inside[..], &["ss", "-Htuna", "exclude", "time-wait"]].concat()));
            all.push(said(&["docker", "top", &self.of(role), "-o", "pid,comm"]));
        }
        all.push(said(&["sh", "-c", "ip -o link | grep -c pcb || true"]));
        all
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for words in
            [vec!["rm", "--force", &self.of("web"), &self.of("db")], vec!["rmi", "--force", &self.name]]
        {
            let _ = Command::new("docker").args(words).output();
        }
    }
}

fn way<'a>(found: &'a Value, path: &str) -> &'a Value {
    found["ways"].as_array().unwrap().iter().find(|way| way["path"] == path).unwrap()
}

#[test]
fn an_engines_containers_are_measured_where_they_are() {
    let Some(_turn) = turn() else { return };
    let Some(stage) = Stage::build() else { return };
    let before = stage.state();
    let words = format!(
        "bench --quiet --json - --rounds 5 --slice 20ms --tests tcp,latency,udp,connect --placement two \
         --container {} --to {},host,outside",
        stage.of("web"),
        stage.of("db")
    );
    let output = marked("visit", &words).output().unwrap();
    let found = document(&output);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    let gateway = "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}";
    assert_eq!(way(&found, "to-container")["address"], stage.asked("db", address));
    assert_eq!(way(&found, "to-host")["address"], stage.asked("web", gateway));
    for cell in found["cells"].as_array().unwrap() {
        let paths = cell["paths"].as_array().unwrap();
        let names: Vec<&Value> = paths.iter().map(|path| &path["path"]).collect();
        assert_eq!(names, ["host", "control", "this-host", "to-container", "to-host", "to-outside"]);
        for path in paths {
            assert_eq!(path["failure"], Value::Null, "{} {path}", cell["test"]);
            let samples = path["samples"].as_array().unwrap();
            assert!(samples.iter().any(|sample| sample["value"].as_f64() > Some(0.0)), "{path}");
        }
    }
    assert_eq!(stage.state(), before);
    assert_eq!(left_of("visit"), [""; 0]);
}

/// By the engine's own rules, which translate to where the service would listen.
#[test]
fn a_published_port_is_measured_from_outside_unless_its_service_holds_it() {
    let Some(_turn) = turn() else { return };
    let Some(stage) = Stage::build() else { return };
    let before = stage.state();
    let run = |role: &str, tests: &str| {
        let words = format!(
            "bench --quiet --json - --rounds 5 --slice 20ms --tests {tests} --placement two --container {} --to published,outside",
            stage.of(role)
        );
        marked("published", &words).output().unwrap()
    };
    let output = run("web", "tcp,latency,connect");
    let found = document(&output);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let way = way(&found, "to-published");
    assert_eq!((&way["from"], &way["to"]), (&"outside".into(), &stage.of("web").into()));
    for cell in found["cells"].as_array().unwrap() {
        let path =
            cell["paths"].as_array().unwrap().iter().find(|path| path["path"] == "to-published").unwrap();
        assert_eq!(path["failure"], Value::Null, "{} {path}", cell["test"]);
        let samples = path["samples"].as_array().unwrap();
        assert!(samples.iter().any(|sample| sample["value"].as_f64() > Some(0.0)), "{path}");
    }
    let held = run("db", "latency");
    let complaints = String::from_utf8_lossy(&held.stderr);
    assert_eq!(held.status.code(), Some(1), "{complaints}");
    assert!(complaints.contains("its service holds the port"), "{complaints}");
    assert_eq!(stage.state(), before);
}

#[test]
fn a_visit_that_is_killed_leaves_nothing() {
    let Some(_turn) = turn() else { return };
    let Some(stage) = Stage::build() else { return };
    let before = stage.state();
    let words = format!("bench --rounds 2000 --tests latency --container {} --to outside", stage.of("web"));
    let mut child =
        marked("visit-killed", &words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let link = format!("pcb{}", child.id());
    let is_there = || said(&["ip", "-o", "link"]).contains(&link);
    super::eventually("it measures", || is_there() && super::cpu_ticks(child.id()) > 50);
    super::signal("KILL", &child);
    child.wait().unwrap();
    super::eventually("the cable is gone", || !is_there());
    super::eventually("all is as it was", || stage.state() == before);
}

/// A host of its own with a sandbox on it, whose way out is as slow as we say.
#[test]
fn what_slows_a_container_is_found_as_large_as_it_is() {
    let Some(_turn) = turn() else { return };
    let script = format!(
        "mount -t tmpfs none /run && ip link set lo up && exec {PCAPSULE} run --quiet --name slow -- cat"
    );
    let mut host = Command::new("unshare");
    host.args(["--net", "--mount", "sh", "-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut host = host.env(super::MARK, super::mark("slowed")).spawn().unwrap();
    let mut stdin = host.stdin.take().unwrap();
    stdin.write_all(b"\n").unwrap();
    BufReader::new(host.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();

    let pid = host.id().to_string();
    let inside = ["nsenter", "--net", "--mount", "--target", &pid];
    let listed = said(&[&inside[..], &[PCAPSULE, "net", "ls", "--json"]].concat());
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let process = listed["sandboxes"][0]["process"].to_string();
    let slow = "tc qdisc add dev eth0 root tbf rate 400mbit burst 128kb latency 20ms";
    said(&["nsenter", "--net", "--target", &process].into_iter().chain(slow.split(' ')).collect::<Vec<_>>());
    let words = "bench --quiet --json - --rounds 9 --tests tcp --container slow";
    let output =
        Command::new(inside[0]).args(&inside[1..]).arg(PCAPSULE).args(words.split(' ')).output().unwrap();
    drop(stdin);
    host.wait().unwrap();

    let found = document(&output);
    let comparisons = found["comparisons"].as_array().unwrap();
    let of_way = comparisons.iter().find(|found| found["path"] == "to-host").unwrap();
    // A frame of 1514 bytes carries 1448 of the stream.
    let expected = 400e6 * 1448.0 / 1514.0;
    let value = of_way["value"]["median"].as_f64().unwrap();
    assert!((value / expected - 1.0).abs() < 0.05, "{value} instead of {expected}: {of_way}");
    assert_eq!(of_way["verdict"]["kind"], "lower");
    super::eventually("the sandbox is gone", || left_of("slowed").is_empty());
}

#[test]
fn a_container_that_is_not_there_is_said_to_be_missing() {
    let Some(_turn) = turn() else { return };
    let output = marked("missing", "bench --container no-such-container").output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    let refused = marked("missing", "bench --to host").output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
}
