//! What is in Wireshark's list of interfaces, whatever the host is like, and what listing costs.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use super::{
    engines::FakeEngine,
    stage::{Home, Resident, answer, call, call_asking, interface},
};
use crate::lab::{Cable, Engine, Host, Requirement, unique};

const LIST: &[&str] = &["--extcap-interfaces", "--extcap-version=4.0"];
const FIXED: [&str; 2] = [
    "interface {value=pcapsule}{display=All containers}",
    "interface {value=pcapsule-pick}{display=Pick containers}",
];

fn interfaces(listing: &str) -> Vec<&str> {
    listing.lines().filter(|line| line.starts_with("interface ")).collect()
}

#[test]
fn every_host_has_a_list_and_the_fixed_entries_come_first() {
    let _host = Host::shared();
    let nothing = call_asking(Path::new("/nonexistent/engine.sock"), LIST);
    assert_eq!(interfaces(&answer(&nothing))[..2], FIXED);
    for engine in [FakeEngine::dead(), FakeEngine::silent(), FakeEngine::with(&[])] {
        let listing = answer(&call_asking(&engine.socket(), LIST));
        assert!(listing.starts_with("extcap {version="), "{listing}");
        assert_eq!(interfaces(&listing)[..2], FIXED);
    }
}

#[test]
fn two_hundred_containers_do_not_make_the_list_long_and_all_can_be_picked() {
    let _host = Host::shared();
    let name = unique();
    let names: Vec<String> = (0..200).map(|number| format!("{name}-{number}")).collect();
    let many = FakeEngine::with(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let listing = answer(&call_asking(&many.socket(), LIST));
    assert_eq!(interfaces(&listing).len(), 22, "{listing}");
    // What is not listed can be picked.
    let reload =
        ["--extcap-config", "--extcap-interface", "pcapsule-pick", "--extcap-reload-option", "containers"];
    let choices = answer(&call_asking(&many.socket(), &reload));
    let value = |name: &str| {
        format!(
            "value {{arg=0}}{{value={name}}}{{display=Container {name} (nginx)}}{{enabled=true}}{{default=false}}"
        )
    };
    for name in [&names[0], &names[199]] {
        assert!(choices.lines().any(|line| line == value(name)), "{name}: {choices}");
    }
    assert!(choices.lines().all(|line| line.starts_with("value {arg=0}")), "{choices}");
}

#[test]
fn a_lone_container_is_listed_by_name() {
    let Some(engine) = Engine::shared() else { return };
    let web = engine.container("web").start();
    let listed = Home::new().listed();
    let entry =
        (format!("pcapsule:{}", web.name()), format!("Container {} ({})", web.name(), engine.image()));
    assert!(listed.contains(&entry), "{listed:?}");
}

#[test]
fn names_cannot_break_the_list() {
    let _host = Host::shared();
    let hostile = ["a{b}", "}{value=evil}", "two\nlines", "wörld-名前", "tab\there", "x,y z"];
    let engine = FakeEngine::with(&hostile);
    let reload = ["--extcap-config", "--extcap-interface=pcapsule-pick", "--extcap-reload-option=containers"];
    let choices = answer(&call_asking(&engine.socket(), &reload));
    for value in ["a(b)", ")(value=evil)", "two_lines", "wörld-名前", "tab_here", "x_y_z"] {
        assert!(choices.contains(&format!("{{value={value}}}")), "{value}: {choices}");
    }
    let groups = |line: &str| line.matches('{').count();
    assert!(choices.lines().all(|line| groups(line) == line.matches('}').count()), "{choices}");
}

#[test]
fn a_name_that_is_no_text_does_not_spoil_the_list() {
    if !Requirement::all(Requirement::NAMESPACES) {
        return;
    }
    let _host = Host::shared();
    let name = unique();
    let odd = [name.as_bytes(), b"\xff{\n"].concat();
    let path = Path::new("/run/netns").join(OsStr::from_bytes(&odd));
    let made = Command::new("ip").args(["netns", "add"]).arg(OsStr::from_bytes(&odd)).status();
    assert!(made.expect("ip starts").success());
    let listings = [
        call(LIST),
        call(&["--extcap-config", "--extcap-interface=pcapsule-pick", "--extcap-reload-option=containers"]),
    ];
    let _ = Command::new("ip").args(["netns", "delete"]).arg(OsStr::from_bytes(&odd)).status();
    assert!(!path.exists());
    for listing in listings {
        answer(&listing);
    }
}

#[test]
fn tshark_lists_for_root_and_for_a_plain_user() {
    let Some(cable) = Cable::lay() else { return };
    let _resident = Resident::of(cable.left_name());
    let listed = Home::new().listed();
    let names: Vec<&str> = listed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..2], ["pcapsule", "pcapsule-pick"]);
    assert!(names.contains(&interface(&cable).as_str()), "{names:?}");
    let listed = Home::of_nobody().listed();
    let names: Vec<&str> = listed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..2], ["pcapsule", "pcapsule-pick"]);
}

#[test]
fn tshark_is_told_the_link_type() {
    let Some(_cable) = Cable::lay() else { return };
    let output = Home::new().tshark(&["-i", "pcapsule", "-L"]).output().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("EN10MB (Ethernet)"), "{text}");
}

/// How much longer `tshark -D` takes with pcapsule than without: by turns, each at best. Whoever else keeps the machine busy
/// only makes it longer.
fn seen_from_outside(home: &Home, socket: &Path) -> Duration {
    let plain = Home::empty();
    let took = |home: &Home| {
        let mut tshark = home.tshark(&["-D"]);
        time_of(tshark.env("DOCKER_HOST", format!("unix://{}", socket.display())))
    };
    let rounds: Vec<_> = (0..ROUNDS).map(|_| (took(home), took(&plain))).collect();
    let best = |times: &mut dyn Iterator<Item = Duration>| times.min().expect("rounds");
    best(&mut rounds.iter().map(|round| round.0))
        .saturating_sub(best(&mut rounds.iter().map(|round| round.1)))
}

/// All that is called at a start, each call at its best, one after the other: tshark makes all but the first at once.
fn seen_from_inside(program: &Path, socket: &Path) -> Duration {
    let call = |words: &[&str]| {
        let mut command = Command::new(program);
        command.args(words).env("DOCKER_HOST", format!("unix://{}", socket.display()));
        command
    };
    let best = |words: &[&str]| (0..ROUNDS).map(|_| time_of(&mut call(words))).min().expect("rounds");
    let list = call(LIST).output().expect("pcapsule starts");
    let text = String::from_utf8_lossy(&list.stdout);
    let entries = text.lines().filter(|line| line.starts_with("interface "));
    let interfaces: Vec<&str> = entries
        .filter_map(|line| line.split_once("{value=")?.1.split_once('}').map(|(name, _)| name))
        .collect();
    assert!(interfaces.len() >= 2, "{text}");
    let options = |name: &&str| best(&["--extcap-config", "--extcap-interface", name]);
    best(LIST) + interfaces.iter().map(options).sum::<Duration>()
}

const ROUNDS: usize = 9;

fn time_of(command: &mut Command) -> Duration {
    let begin = Instant::now();
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    begin.elapsed()
}

#[test]
fn starting_takes_no_longer_for_twenty_containers_or_a_dead_engine() {
    if !Requirement::all(&[Requirement::Release, Requirement::Tshark]) {
        return;
    }
    let _host = Host::alone();
    let program = std::env::var_os("PCAPSULE_RELEASE").expect("required");
    let home = Home::with(Path::new(&program));
    let name = unique();
    let names: Vec<String> = (0..20).map(|number| format!("{name}-{number}")).collect();
    let twenty = FakeEngine::with(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let inside = seen_from_inside(Path::new(&program), &twenty.socket());
    eprintln!(
        "20 containers: the calls take {inside:?}; tshark -D {:?} longer",
        seen_from_outside(&home, &twenty.socket())
    );
    assert!(inside < Duration::from_millis(150), "20 containers: {inside:?}");
    for (what, engine) in [("dead", FakeEngine::dead()), ("silent", FakeEngine::silent())] {
        let inside = seen_from_inside(Path::new(&program), &engine.socket());
        let outside = seen_from_outside(&home, &engine.socket());
        eprintln!("{what}: the calls take {inside:?}; tshark -D {outside:?} longer");
        let begin = Instant::now();
        let listing = Command::new(&program)
            .args(LIST)
            .env("DOCKER_HOST", format!("unix://{}", engine.socket().display()))
            .output()
            .expect("pcapsule starts");
        assert!(listing.status.success());
        let took = begin.elapsed();
        assert!(took < Duration::from_millis(200), "{what}: {took:?}");
    }
}
