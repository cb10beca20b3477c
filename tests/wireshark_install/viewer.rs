//! `capture --wireshark`, with a stand-in for Wireshark that writes down what it is and what it is given.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::has;
use crate::home::{As, Ended, Home, nix_is_root};

/// Reads all there is, and says so.
const READER: &str = "#!/bin/sh\nid -u > \"$0.user\"; echo \"$HOME\" > \"$0.home\"; id -G > \"$0.groups\"\n\
    ps -o pgid= -p $$ | tr -d ' ' > \"$0.group\"; cat > \"$0.got\"; touch \"$0.over\"\n";

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A capture of the loopback of a namespace of its own, with something in it to hear.
fn capture(home: &Home, viewer: &Path, words: &[&str], sudo: Option<&str>) -> Child {
    let mut command = command(home, "true", words);
    command.env("PCAPSULE_WIRESHARK", viewer);
    if let Some(uid) = sudo {
        command.env("SUDO_UID", uid);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The same, not started yet, in a namespace of mounts in which that was done before.
fn command(home: &Home, before: &str, words: &[&str]) -> Command {
    let script = format!("{before}; {CAPTURE}");
    let program = home.program();
    let line = ["--net", "--mount", "--", "bash", "-c", &script, "bash", program.to_str().unwrap()];
    home.command("unshare", &[&line[..], &["capture", "if=lo", "--wireshark"], words].concat())
}

const CAPTURE: &str = "ip link set lo up; (while :; do echo noise >/dev/udp/127.0.0.1/9; sleep 0.05; done) & \
        noise=$!; trap 'kill $noise' EXIT; code=0; \"$@\" & capture=$!; trap 'kill -INT $capture' INT TERM; \
        wait $capture; code=$?; [ $code -le 128 ] || { wait $capture; code=$?; }; exit $code";

fn ended(child: Child) -> Ended {
    Ended::of(&child.wait_with_output().unwrap())
}

fn beside(viewer: &Path, what: &str) -> std::path::PathBuf {
    viewer.with_file_name(format!("viewer.{what}"))
}

fn told(viewer: &Path, what: &str) -> String {
    fs::read_to_string(beside(viewer, what)).unwrap_or_default().trim().to_owned()
}

fn can() -> bool {
    has(&["tshark", "netns"]) && nix_is_root()
}

fn stage(script: &str) -> (Home, std::path::PathBuf) {
    let home = Home::of(As::Me);
    let viewer = home.path("home/viewer");
    Home::plant(&viewer, script);
    (home, viewer)
}

#[test]
fn a_capture_that_ends_by_itself_hands_everything_over() {
    if !can() {
        return;
    }
    let (home, viewer) = stage(READER);
    let ended = ended(capture(&home, &viewer, &["-c", "4"], None));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{}", ended.stderr);
    eventually("the reader has read to the end", || beside(&viewer, "over").exists());
    let file = beside(&viewer, "got");
    let read =
        home.run("tshark", &["-r", file.to_str().unwrap(), "-T", "fields", "-e", "frame.interface_name"]);
    assert_eq!(read.stdout, "lo\n".repeat(4), "{}", read.stderr);
}

#[test]
fn the_capture_ends_with_its_window() {
    if !can() {
        return;
    }
    // It takes the beginning, and is closed.
    let (home, viewer) = stage("#!/bin/sh\nhead -c 500 > /dev/null\n");
    let begin = Instant::now();
    let ended = ended(capture(&home, &viewer, &[], None));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("packets captured"), "{}", ended.stderr);
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_window_that_does_not_open_is_a_failure() {
    if !can() {
        return;
    }
    let (home, viewer) = stage("#!/bin/sh\necho no screen >&2\nexit 3\n");
    let ended = ended(capture(&home, &viewer, &[], None));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("no screen") && ended.stderr.contains("viewer ended with exit status 3"),
        "{}",
        ended.stderr
    );
}

#[test]
fn the_window_stays_when_the_capture_is_interrupted() {
    if !can() {
        return;
    }
    // Still there once all is read.
    let (home, viewer) = stage(&format!("{READER}sleep 1; touch \"$0.later\"\n"));
    let child = capture(&home, &viewer, &[], None);
    eventually("packets are handed over", || told_bytes(&viewer) > 1000);
    let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
    // As by Ctrl-C: to everybody in the foreground, which the shell passes on here.
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let ended = ended(child);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    eventually("the window is closed later", || beside(&viewer, "later").exists());
    assert_ne!(told(&viewer, "group"), nix::unistd::getpgrp().to_string(), "it has a group of its own");
}

fn told_bytes(viewer: &Path) -> u64 {
    fs::metadata(beside(viewer, "got")).map_or(0, |metadata| metadata.size())
}

#[test]
fn under_sudo_the_window_is_the_users_own() {
    if !can() {
        return;
    }
    let (home, viewer) = stage(READER);
    // User 1 is `daemon` on every Debian. He may write here, and has his own home elsewhere.
    std::os::unix::fs::chown(home.path("home"), Some(1), Some(1)).unwrap();
    let ended = ended(capture(&home, &viewer, &["-c", "2"], Some("1")));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    eventually("the reader has read to the end", || beside(&viewer, "over").exists());
    let expected = home.run("sh", &["-c", "getent passwd 1 | cut -d: -f6; id -G 1 | sed 's/^/ /'"]).stdout;
    let [own_home, groups] = [told(&viewer, "home"), told(&viewer, "groups")];
    assert_eq!(told(&viewer, "user"), "1");
    let id_groups = home.run("id", &["-G", "daemon"]).stdout.trim().to_owned();
    assert_eq!((expected.lines().next(), groups), (Some(own_home.as_str()), id_groups));
}

/// What a stand-in for Wireshark under its own name was started with: its words, and its variables.
fn started(home: &Home, before: &str, variables: &[(&str, &Path)]) -> (String, String) {
    let wireshark = home.path("bin/wireshark");
    let script = "#!/bin/sh\ncd \"${0%/*}\"; env > env; echo \"$*\" > words; cat > /dev/null; touch over\n";
    Home::plant(&wireshark, script);
    let folder = home.path("bin");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let mut command = command(home, before, &["-c", "2"]);
    for screen in ["DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "PCAPSULE_WIRESHARK"] {
        command.env_remove(screen);
    }
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", folder.display()));
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let ended = Ended::of(&output);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    eventually("it has ended", || folder.join("over").exists());
    let [words, variables] = ["words", "env"].map(|name| fs::read_to_string(folder.join(name)).unwrap());
    fs::remove_dir_all(folder).unwrap();
    (words.trim().to_owned(), variables)
}

#[test]
fn the_profile_is_asked_for_where_this_wireshark_has_it() {
    if !can() {
        return;
    }
    let home = Home::of(As::Me);
    let (folder, other) = (home.path("home/.config"), home.path("other"));
    fs::create_dir_all(folder.join("wireshark/profiles/pcapsule")).unwrap();
    fs::create_dir_all(other.join("profiles/pcapsule")).unwrap();
    let screen = ("DISPLAY", Path::new(":77"));
    let words = |variable: Option<(&str, &Path)>| {
        let variables: Vec<_> = [screen].into_iter().chain(variable).collect();
        started(&home, "true", &variables).0
    };
    let with = "-k -i - -C pcapsule";
    assert_eq!(words(None), with);
    assert_eq!(words(Some(("XDG_CONFIG_HOME", &folder))), with);
    assert_eq!(words(Some(("WIRESHARK_CONFIG_DIR", &other))), with);
    // With a profile that is not there, Wireshark does not start.
    assert_eq!(words(Some(("XDG_CONFIG_HOME", &other))), "-k -i -");
    assert_eq!(words(Some(("WIRESHARK_CONFIG_DIR", &folder))), "-k -i -");
}

#[test]
fn under_sudo_a_screen_of_wayland_is_found() {
    if !can() {
        return;
    }
    let home = Home::of(As::Me);
    // User 1 is `daemon` on every Debian.
    let before = "mount -t tmpfs none /run && mkdir -p /run/user/1 && touch /run/user/1/wayland-0";
    let (_, variables) = started(&home, before, &[("SUDO_UID", Path::new("1"))]);
    for variable in ["WAYLAND_DISPLAY=wayland-0", "XDG_RUNTIME_DIR=/run/user/1"] {
        assert!(variables.lines().any(|line| line == variable), "{variable}: {variables}");
    }
}

#[test]
fn nothing_is_opened_where_there_is_nothing_to_capture() {
    if !can() {
        return;
    }
    let (home, viewer) = stage(READER);
    let mut command =
        home.command(home.program().to_str().unwrap(), &["capture", "if=pcs-none", "--wireshark"]);
    let ended = Ended::of(&command.env("PCAPSULE_WIRESHARK", &viewer).output().unwrap());
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    thread::sleep(Duration::from_millis(100));
    assert!(!beside(&viewer, "user").exists());
}

#[test]
fn an_absent_program_and_an_absent_screen_are_5() {
    let home = Home::of(As::Me);
    let ask = |name: &str, value: &str| {
        let mut command =
            home.command(home.program().to_str().unwrap(), &["capture", "if=lo", "--wireshark"]);
        for screen in ["DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"] {
            command.env_remove(screen);
        }
        Ended::of(&command.env(name, value).output().unwrap())
    };
    let absent = ask("PCAPSULE_WIRESHARK", "pcs-no-such-program -x");
    assert_eq!(absent.code, Some(5), "{}", absent.stderr);
    assert!(
        absent.stderr.contains("there is no pcs-no-such-program, which PCAPSULE_WIRESHARK names"),
        "{}",
        absent.stderr
    );
    let plain = ask("LANG", "C");
    assert_eq!(plain.code, Some(5), "{}", plain.stderr);
    assert!(
        plain.stderr.contains("there is no wireshark") || plain.stderr.contains("no screen"),
        "{}",
        plain.stderr
    );
}
