//! A command in the foreground is as it would be without us: its exit status, its signals, its terminal, its names.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::ExitStatusExt,
    process::{Child, ChildStdout, Output, Stdio},
};

use nix::sys::signal::Signal;

use crate::lab::{Host, Running, Sandbox, checked, eventually, said};

#[test]
fn the_exit_status_is_the_commands() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    for (command, code) in [
        (&["true"][..], 0),
        (&["false"], 1),
        (&["sh", "-c", "exit 77"], 77),
        (&["sh", "-c", "kill -TERM $$"], 143),
        (&["sh", "-c", "kill -KILL $$"], 137),
        (&["no-such-command-at-all"], 127),
        (&["/no/such/command"], 127),
        (&["/etc/passwd"], 126),
        (&["/etc"], 126),
    ] {
        let output = run(&host, &[], command);
        assert_eq!(output.status.code(), Some(code), "{command:?}: {}", said(&output));
        host.assert_as(&before);
    }
}

/// Some shells and supervisors let the ends of their children pass unheard, and what they start inherits that.
#[test]
fn the_exit_status_is_heard_where_our_parent_ignores_its_children() {
    let Some(host) = Host::make() else { return };
    let ignoring = ["--kill-after=5", "20", "env", "--ignore-signal=CHLD", env!("CARGO_BIN_EXE_pcapsule")];
    let run = ["run", "-q", "--net", "none", "--", "sh", "-c", "exit 7"];
    let mut command = host.place().command("timeout", &[&ignoring[..], &run].concat());
    let output = host.place().output(&mut command);
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
}

#[test]
fn what_it_reads_and_says_passes_through() {
    let Some(host) = Host::make() else { return };
    let line = ["run", "-q", "--", "sh", "-c", "cat; echo oops >&2; pwd; echo $WORD"];
    let mut command = host.command(&line);
    command
        .current_dir("/usr")
        .env("WORD", "hello")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = host.place().spawn(&mut command);
    child.stdin.take().expect("stdin is piped").write_all(b"some words\n").expect("it reads");
    let output = child.wait_with_output().expect("it is our child");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "some words\n/usr\nhello\n");
    assert_eq!(said(&output), "oops\n");
}

/// What ends the front ends the command, which may say its last words first.
#[test]
fn signals_reach_the_command() {
    let Some(host) = Host::make() else { return };
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGQUIT] {
        let before = host.snapshot();
        let name = signal.as_str().trim_start_matches("SIG");
        let script =
            format!("trap 'echo caught {name}; exit 9' {name}; echo ready $$; while :; do sleep 0.05; done");
        let mut running = Running::with(&host, &[], &["--", "sh", "-c", &script]);
        running.signal(signal);
        let (status, text) = running.wait();
        assert!(text.contains(&format!("caught {name}")), "{name}: {text}");
        assert_eq!(status.code(), Some(9), "{name}");
        host.assert_as(&before);
    }
}

/// A command that minds no signal ends with a second, or with KILL: not before.
#[test]
fn a_command_that_ignores_a_signal_goes_on() {
    let Some(host) = Host::make() else { return };
    let running = Running::with(&host, &[], &["--", "sh", "-c", "trap '' TERM; echo ready $$; exec cat"]);
    running.signal(Signal::SIGTERM);
    running.sh("true");
    let (status, _) = running.finish();
    assert_eq!((status.code(), status.signal()), (Some(0), None));
}

/// What the command left behind in the background ends with it.
#[test]
fn nobody_outlives_the_command() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let output = run(
        &host,
        &[],
        &["sh", "-c", "setsid sleep 3600 & setsid sh -c 'trap \"\" TERM; sleep 3601' & sleep 0.1"],
    );
    assert!(output.status.success(), "{}", said(&output));
    host.assert_as(&before);
}

/// As an engine or a service manager that is run in it does.
#[test]
fn groups_that_the_command_makes_go_with_it() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let script =
        "group=$(awk '$3 == \"cgroup2\" { print $2 }' /proc/self/mounts)$(sed -n s/^0:://p /proc/self/cgroup)
                  mkdir -p $group/a/b $group/c && sleep 3600 & sleep 3601 &
                  mkdir -p $group/a/b && echo $! > $group/a/b/cgroup.procs";
    let output = run(&host, &[], &["sh", "-ec", script]);
    assert!(output.status.success(), "{}", said(&output));
    host.assert_as(&before);
}

#[test]
fn a_terminal_stays_a_terminal() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let program = env!("CARGO_BIN_EXE_pcapsule");
    let inner = "test -t 0 && test -t 1 && stty size && ps -o stat= -p $$";
    let line = format!("stty rows 33 cols 77; {program} run -q -- sh -c '{inner}'");
    let output = host.place().output(&mut host.place().command("script", &["-qec", &line, "/dev/null"]));
    let text = checked(&line, &output);
    assert!(text.contains("33 77"), "{text}");
    assert!(text.contains('+'), "it is in the terminal's foreground: {text}");
    host.assert_as(&before);
}

/// A command line in a terminal of its own (script(1)), which has said that it is ready; and what else it says.
fn at_terminal(host: &Host, line: &str) -> (Child, BufReader<ChildStdout>) {
    let mut command = host.place().command("script", &["-qec", line, "/dev/null"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = host.place().spawn(&mut command);
    let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let mut word = String::new();
    stdout.read_line(&mut word).expect("it speaks text");
    assert!(word.contains("ready"), "{word}");
    (child, stdout)
}

/// Ctrl-C is typed: the terminal sends it to all in the foreground, and the command may take it as it likes.
#[test]
fn a_typed_interrupt_is_the_commands() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let program = env!("CARGO_BIN_EXE_pcapsule");
    // Nobody else is there whom the interrupt would end: neither a child of the command nor a shell before pcapsule.
    let inner = "trap \"echo caught; exit 5\" INT; echo ready; read word";
    let line = format!("exec {program} run -q -- sh -c '{inner}'");
    let (mut child, mut stdout) = at_terminal(&host, &line);
    child.stdin.take().expect("stdin is piped").write_all(&[3]).expect("it reads");
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("it speaks text");
    let status = child.wait().expect("it is our child");
    assert!(rest.contains("caught"), "{rest}");
    assert_eq!(status.code(), Some(5), "{rest}");
    host.assert_as(&before);
}

/// Ctrl-C ends a script whose command it ends: bash goes on after one that exits, with whatever code.
#[test]
fn a_typed_interrupt_ends_the_script_as_well() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let program = env!("CARGO_BIN_EXE_pcapsule");
    let inner = "sh -c \"echo ready; exec sleep 60\"";
    let line = format!("exec bash -c '{program} run -q -- {inner}; echo went on'");
    let (mut child, mut stdout) = at_terminal(&host, &line);
    child.stdin.take().expect("stdin is piped").write_all(&[3]).expect("it reads");
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("it speaks text");
    let status = child.wait().expect("it is our child");
    assert!(!rest.contains("went on"), "{rest}");
    assert_eq!(status.code(), Some(130), "{rest}");
    host.assert_as(&before);
}

/// Asked by the process and by its group, as timeout(1) does, it may still end in its own way.
#[test]
fn two_requests_in_a_moment_are_one() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let script = "trap 'echo caught; sleep 0.3; exit 9' TERM; echo ready $$; while :; do sleep 0.05; done";
    let mut running = Running::with(&host, &["--net", "none"], &["--", "sh", "-c", script]);
    running.signal(Signal::SIGTERM);
    running.until_said("caught", 1);
    running.signal(Signal::SIGTERM);
    let (status, text) = running.wait();
    assert_eq!(status.code(), Some(9), "{text}");
    host.assert_as(&before);
}

/// The terminal goes, as with a connection: the kernel tells its session's leader alone, and the command has to hear of it.
#[test]
fn a_command_ends_with_its_terminal() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let program = env!("CARGO_BIN_EXE_pcapsule");
    let line = format!("exec {program} run -q -- sh -c 'echo ready; exec sleep 3600'");
    let (mut child, _stdout) = at_terminal(&host, &line);
    child.kill().expect("it is our child");
    child.wait().expect("it is our child");
    eventually("the sandbox goes", || (!host.state().exists()).then_some(()));
    host.assert_as(&before);
}

/// Names of sandboxes at the same network, and its own.
#[test]
fn names_are_known_in_the_sandbox() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let other = Sandbox::named(&host, "database", &["--ipv6"]);
    let output = run(&host, &["--name", "web", "--ipv6"], &["getent", "ahostsv4", "database"]);
    let text = checked("getent ahostsv4 database", &output);
    assert!(text.contains(&other.address().to_string()), "{text}");
    let own = checked("getent", &run(&host, &["--name", "web"], &["getent", "hosts", "web", "localhost"]));
    assert!(own.contains("web") && own.contains("localhost"), "{own}");
    other.down();
    let gone = run(&host, &["--name", "web"], &["getent", "ahostsv4", "database"]);
    assert_eq!(gone.status.code(), Some(2), "getent says that there is no such name");
    host.assert_as(&before);
}

/// A umask that hides what root makes, or one that hides nothing: names are for whoever the command becomes, and records are
/// root's alone to write.
#[test]
fn a_umask_is_the_commands_alone() {
    let Some(host) = Host::make() else { return };
    let before = host.snapshot();
    let program = env!("CARGO_BIN_EXE_pcapsule");
    let nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups";
    for umask in ["0077", "0000"] {
        let inner = format!("umask; find /run/pcapsule -perm /022; {nobody} cat /etc/resolv.conf /etc/hosts");
        let line = format!("umask {umask}; exec {program} run -q --name web -- sh -c '{inner}'");
        let output = host.place().output(&mut host.place().command("sh", &["-c", &line]));
        let text = checked(&line, &output);
        assert!(
            text.starts_with(&format!("{umask}\nnameserver ")) && text.ends_with(" web"),
            "{umask}: {text}"
        );
        host.assert_as(&before);
    }
}

/// A nameserver on the host's loopback cannot be reached from inside: none such is named there.
#[test]
fn nameservers_are_reachable_ones() {
    let Some(host) = Host::make() else { return };
    host.sh(
        "printf 'nameserver 127.0.0.53\\nnameserver 192.0.2.53\\nsearch example.test\\n' >/run/resolv.conf
        mount --bind /run/resolv.conf /etc/resolv.conf",
    );
    let text = checked("cat", &run(&host, &[], &["cat", "/etc/resolv.conf"]));
    assert!(!text.contains("127.0.0.53") && text.contains("nameserver 192.0.2.53"), "{text}");
    assert!(text.contains("example.test"), "{text}");
}

#[track_caller]
fn run(host: &Host, options: &[&str], command: &[&str]) -> Output {
    host.pcapsule(&[&["run", "-q"], options, &["--"], command].concat())
}
