//! `pcapsule bench` on the real kernel: every path goes where it says, a known slowness is found as large as it is, and
//! nothing stays, however it ends.
//!
//! All is in namespaces made for it. What runs for a test bears a mark in its environment, by which what is left is found.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says why it is skipped")]

mod answers;
mod neighbours;
mod rates;
mod rungs;
mod visits;

use std::{
    env, fs,
    path::{Path as FilePath, PathBuf},
    process::{self, Child, Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use pcapsule::bench::{self, Cell, Lab, Method, Outcome, Path, Placement, Scenario, Test};
use serde_json::Value;

const PCAPSULE: &str = env!("CARGO_BIN_EXE_pcapsule");
const MARK: &str = "PCAPSULE_TEST_MARK";

/// One at a time: they are timed.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> Option<MutexGuard<'static, ()>> {
    let succeeds = |program: &str, words: &[&str]| {
        Command::new(program).args(words).output().is_ok_and(|output| output.status.success())
    };
    if succeeds("unshare", &["--net", "true"]) && succeeds("nft", &["--version"]) && succeeds("tc", &["-V"]) {
        return Some(TURN.lock().unwrap_or_else(PoisonError::into_inner));
    }
    lacking("netns", "namespaces cannot be made here, or nft or tc is missing")
}

/// Says why a test is skipped, unless what it needs is demanded.
#[track_caller]
fn lacking<T>(what: &str, why: &str) -> Option<T> {
    let demanded = env::var("PCAPSULE_REQUIRE").unwrap_or_default();
    assert!(!demanded.split(',').any(|word| word.trim() == what), "PCAPSULE_REQUIRE names {what}: {why}");
    eprintln!("skipped: {why}");
    None
}

fn marked(name: &str, words: &str) -> Command {
    let mut command = Command::new(PCAPSULE);
    command.args(words.split_whitespace()).env(MARK, mark(name));
    command
}

fn mark(name: &str) -> String {
    format!("{name}-{}", process::id())
}

/// Processes that a test has started, by themselves or by others of them.
fn left_of(name: &str) -> Vec<String> {
    let wanted = format!("{MARK}={}", mark(name));
    let pids = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    let is_marked = |pid: &String| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|word| word == wanted.as_bytes())
    };
    pids.filter(|pid| pid.parse::<u32>().is_ok()).filter(is_marked).collect()
}

#[track_caller]
fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn document(output: &Output) -> Value {
    let complaints = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {complaints}"))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

#[test]
fn every_path_is_measured_and_nothing_stays() {
    let Some(_turn) = turn() else { return };
    let paths = "veth,bridge,container,published,published-host,proxy,host-nat,macvlan";
    let words = format!(
        "bench --quiet --json - --rounds 5 --slice 20ms --placement two --paths {paths} \
         --tests tcp,tcp-down,tcp-both,latency,paced,connect,udp,udp-gso"
    );
    let output = marked("whole", &words).output().unwrap();
    let found = document(&output);
    assert_eq!(found["skipped"], Value::Array(Vec::new()), "{found}");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let cells = found["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 8);
    for cell in cells {
        let measured = cell["paths"].as_array().unwrap();
        assert_eq!(measured.len(), 2 + paths.split(',').count());
        for path in measured {
            assert_eq!(path["failure"], Value::Null, "{} {path}", cell["test"]);
            let samples = path["samples"].as_array().unwrap();
            assert_eq!(samples.len(), 5);
            assert!(samples.iter().any(|sample| sample["value"].as_f64() > Some(0.0)), "{path}");
        }
    }
    assert_eq!(left_of("whole"), [""; 0]);
}

#[test]
fn ratios_can_be_recomputed_from_the_samples() {
    let Some(_turn) = turn() else { return };
    let words = "bench --quiet --json - --rounds 9 --slice 20ms --paths veth --tests tcp";
    let found = document(&marked("ratios", words).output().unwrap());
    let values = |path: usize| -> Vec<f64> {
        let samples = found["cells"][0]["paths"][path]["samples"].as_array().unwrap();
        samples.iter().map(|sample| sample["value"].as_f64().unwrap()).collect()
    };
    let names: Vec<&Value> = (0..3).map(|path| &found["cells"][0]["paths"][path]["path"]).collect();
    assert_eq!(names, ["host", "control", "veth"]);
    // A turn in which a busy machine let nothing through divides nothing.
    let rounds = values(2).into_iter().zip(values(0)).filter(|(_, host)| *host > 0.0);
    let ratios = rounds.map(|(veth, host)| veth / host).collect();
    let shown = found["comparisons"][2]["ratio"]["median"].as_f64().unwrap();
    assert!((median(ratios) - shown).abs() < 1e-9, "{}", found["comparisons"][2]);
}

#[test]
fn a_run_that_is_ended_tells_what_it_has() {
    let Some(_turn) = turn() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.json");
    let mut command = marked("ended", "bench --rounds 2000 --paths bridge,proxy --tests latency --json");
    let child = command.arg(&file).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The lab is whole, and a few rounds were taken, once it has spent time at measuring.
    eventually("it measures", || left_of("ended").len() >= 4 && cpu_ticks(child.id()) > 50);
    signal("INT", &child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("ended before everything was measured"));
    let found: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert_eq!(found["partial"], true);
    assert!(found["cells"][0]["paths"][0]["samples"].as_array().is_some_and(|samples| samples.len() < 2000));
    assert_eq!(left_of("ended"), [""; 0]);
}

#[test]
fn a_run_that_is_killed_leaves_nothing() {
    let Some(_turn) = turn() else { return };
    let mut command = marked("killed", "bench --rounds 2000 --paths bridge,container,proxy --tests latency");
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("it measures", || left_of("killed").len() >= 7 && cpu_ticks(child.id()) > 50);
    let own = left_of("killed");
    let is_own =
        |file: &PathBuf| record(file).is_some_and(|record| own.contains(&record["keeper"].to_string()));
    let records: Vec<PathBuf> = records_named("bench-web").into_iter().filter(is_own).collect();
    assert_eq!(records.len(), 1, "{records:?}");
    signal("KILL", &child);
    child.wait().unwrap();
    eventually("its sandboxes are gone", || left_of("killed").is_empty());
    assert!(!records[0].exists(), "the record of a sandbox is left");
}

fn signal(name: &str, child: &Child) {
    Command::new("kill").args(["-s", name, &child.id().to_string()]).status().expect("kill runs");
}

/// User and system time in hundredths (proc_pid_stat(5), fields 14 and 15).
fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    fields.split_ascii_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
}

fn records_named(name: &str) -> Vec<PathBuf> {
    let hosts = fs::read_dir("/run/pcapsule").into_iter().flatten().flatten();
    let runs = hosts.flat_map(|host| fs::read_dir(host.path()).into_iter().flatten().flatten());
    let files = runs.map(|run| run.path().join("record.json"));
    files.filter(|file| record(file).is_some_and(|record| record["name"] == name)).collect()
}

fn record(file: &FilePath) -> Option<Value> {
    serde_json::from_slice(&fs::read(file).ok()?).ok()
}

/// The record of the one whose front this process has started.
fn own_record(name: &str) -> Value {
    let is_own = |record: &Value| {
        let front = parent(record["keeper"].as_u64()?)?;
        (parent(front)? == u64::from(process::id())).then_some(())
    };
    let records = records_named(name).into_iter().filter_map(|file| record(&file));
    records.into_iter().find(|record| is_own(record).is_some()).expect("the lab has that sandbox")
}

fn parent(pid: u64) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

fn scenario(path: Path, test: Test, rounds: usize) -> Scenario {
    Scenario {
        paths: vec![path],
        cells: vec![Cell { test, placement: Placement::Two }],
        rounds,
        slice: Duration::from_millis(100),
        settle: Duration::from_millis(25),
        streams: 1,
        write_bytes: 1 << 17,
        message_bytes: 1,
        datagram_bytes: 64,
        rate: 5000,
        method: Method::Copy,
        congestion: None,
        seed: 1,
    }
}

fn measured(lab: &mut Lab, scenario: &Scenario) -> Outcome {
    bench::measure(lab, scenario, &|| false, &mut |_| {}).expect("the lab can be measured")
}

#[test]
fn a_known_slowness_is_found_as_large_as_it_is() {
    let Some(_turn) = turn() else { return };
    let scenario = scenario(Path::Bridge, Test::TcpDown, 15);
    let mut lab = Lab::build(&[Path::Bridge], FilePath::new(PCAPSULE)).unwrap();
    let process = own_record("bench-web")["process"].to_string();
    let words = "tc qdisc add dev eth0 root tbf rate 400mbit burst 128kb latency 20ms";
    let limited =
        Command::new("nsenter").args(["--net", "--target", &process]).args(words.split(' ')).status();
    assert!(limited.unwrap().success());
    let summary = bench::summarize(&measured(&mut lab, &scenario));
    let bridge = summary.comparisons.iter().find(|found| found.path == Path::Bridge).unwrap();
    // A frame of 1514 bytes carries 1448 of the stream.
    let expected = 400e6 * 1448.0 / 1514.0;
    let value = bridge.value.median;
    assert!((value / expected - 1.0).abs() < 0.05, "{value} instead of {expected}: {bridge:?}");
}

#[test]
fn a_path_that_goes_another_way_is_not_published() {
    let Some(_turn) = turn() else { return };
    let mut lab = Lab::build(&[Path::Published], FilePath::new(PCAPSULE)).unwrap();
    // What is not tracked is not translated: the keeper's own sockets answer at the published port, by the proxy.
    let keeper = own_record("bench-web")["keeper"].to_string();
    let rules = "add table ip astray; \
        add chain ip astray first { type filter hook prerouting priority -310; }; \
        add rule ip astray first notrack";
    let host = format!("--net=/proc/{keeper}/ns/net");
    assert!(Command::new("nsenter").args([&host, "nft", rules]).status().unwrap().success());
    let outcome = measured(&mut lab, &scenario(Path::Published, Test::Latency, 5));
    let published = outcome.cells[0].path(Path::Published).unwrap();
    let failure = published.failure.as_deref().unwrap_or_default();
    assert!(failure.contains("took another way"), "{failure:?}");
    assert_eq!(published.taken().count(), 0);
}
