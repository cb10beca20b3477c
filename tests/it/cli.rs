//! The program from outside: help, manual, completions, exit codes.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::Stdio,
    sync::mpsc,
    thread,
    time::Duration,
};

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;

fn pcapsule(words: &str) -> Command {
    let mut command = Command::cargo_bin("pcapsule").expect("cargo builds the program for its tests");
    command.env_remove("PCAPSULE_LOG").env_remove("NO_COLOR").args(words.split_whitespace());
    command
}

fn stdout_of(words: &str) -> String {
    let output = pcapsule(words).assert().success().get_output().stdout.clone();
    String::from_utf8(output).expect("the program prints UTF-8")
}

#[test]
fn help_is_as_it_was_agreed() {
    for command in [
        "",
        "ls",
        "inspect",
        "capture",
        "read",
        "top",
        "run",
        "why",
        "bench",
        "wireshark",
        "wireshark install",
        "completions",
        "man",
    ] {
        let name = format!("help {command}").trim_end().replace(' ', "-");
        insta::assert_snapshot!(name, stdout_of(&format!("{command} --help")));
    }
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    assert!(stdout_of("man").starts_with(".ie"), "roff begins with a macro");
    let dir = tempfile::tempdir().unwrap();
    pcapsule("man --dir").arg(dir.path()).assert().success().stdout("");
    for page in [
        "pcapsule",
        "pcapsule-ls",
        "pcapsule-inspect",
        "pcapsule-capture",
        "pcapsule-read",
        "pcapsule-top",
        "pcapsule-bench",
    ] {
        let text = fs::read_to_string(dir.path().join(format!("{page}.1"))).unwrap();
        assert!(text.contains("EXAMPLES") || page == "pcapsule", "{page} has examples");
    }
}

#[test]
fn completions_offer_the_words_of_a_value() {
    let script = stdout_of("completions bash");
    for words in [
        "veth bridge container published published-host proxy host-nat macvlan",
        "tcp tcp-down tcp-both",
        "bridge host none container: macvlan",
        "host outside",
    ] {
        assert!(script.contains(&format!("compgen -W \"{words}")), "{words}");
    }
    pcapsule("bench --paths x").assert().code(2).stderr(contains("none of veth, bridge,"));
}

#[test]
fn packets_out_of_a_pipe_are_printed_before_the_next_ones_come() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_pcapsule"))
        .args(["read", "-n", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (tell, told) = mpsc::channel();
    let reader = thread::spawn(move || stdout.lines().for_each(|line| drop(tell.send(line.unwrap()))));
    let capture = fs::read("captures/02-dns.pcapng").unwrap();
    // The last few bytes are missing: it waits in the midst of a block.
    stdin.write_all(&capture[..capture.len() - 4]).unwrap();
    let line = told.recv_timeout(Duration::from_secs(20));
    drop(stdin);
    assert!(line.is_ok(), "nothing was printed while the pipe was open");
    child.wait().unwrap();
    reader.join().unwrap();
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout_of(&format!("completions {shell}"));
        for command in ["ls", "inspect", "capture", "read"] {
            assert!(script.contains(command), "{shell} completes {command}");
        }
    }
}

#[test]
fn wrong_usage_is_2() {
    for words in [
        "",
        "no-such-command",
        "ls --no-such-option",
        "ls color=red",
        "ls --log a=b=c",
        "ls --quiet --watch",
        "inspect",
        "capture",
        "capture web -C 0",
        "capture web --duration soon",
        "capture web -s 262145",
        "read",
        "read file -x -X",
    ] {
        pcapsule(words).assert().code(2).stdout("");
    }
}

#[test]
fn a_mix_that_would_be_ignored_is_refused_with_the_reason() {
    pcapsule("capture web -w f -C 1 -G 60 -W 3").assert().code(2).stderr(contains("use --keep N"));
    pcapsule("capture web -C 1")
        .assert()
        .code(2)
        .stderr(contains("-C needs -w FILE").and(contains("Usage: pcapsule capture [OPTIONS] <SELECTOR>")));
}

#[test]
fn what_tcpdump_would_take_leads_to_our_words() {
    for (words, tip) in [
        ("capture -i eth0", "capture if=eth0"),
        ("-i eth0", "capture if=eth0"),
        ("capture -ieth0 -w f", "capture if=eth0"),
        ("-r f.pcap", "pcapsule read f.pcap"),
        ("capture -r f.pcap", "pcapsule read f.pcap"),
        ("-D", "`pcapsule ls` lists"),
        ("-A", "-X prints each packet in hex and ASCII"),
        ("-Qin", "-f inbound"),
    ] {
        pcapsule(words).assert().code(2).stderr(contains(tip).and(contains("as a value").not()));
    }
}

#[test]
fn a_file_that_cannot_be_written_is_told_before_anything_is_measured() {
    let dir = tempfile::tempdir().unwrap();
    for option in ["--json", "--html"] {
        pcapsule("bench").arg(option).arg(dir.path().join("none/run")).assert().code(1).stderr(
            contains("failed writing ").and(contains("none/run: No such file")).and(contains("rounds").not()),
        );
    }
    pcapsule("bench --json").arg(dir.path()).assert().code(1).stderr(contains("Is a directory"));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn what_docker_run_would_take_leads_to_our_words() {
    for (words, tip) in [
        ("run -it -- sh", "has your terminal"),
        ("run --rm -- sh", "undone at the end"),
        ("run -d -- sh", "`pcapsule net up`"),
    ] {
        pcapsule(words).assert().code(2).stderr(contains(tip).and(contains("as a value").not()));
    }
}

#[test]
fn options_of_a_sandbox_that_mean_nothing_together_are_2() {
    for (words, reason) in [
        ("run --net host -p 80:80 -- true", "-p says nothing with --net host"),
        ("net up --net none --ipv6", "--ipv6 says nothing with --net none"),
        ("net plan --net macvlan", "--net macvlan needs --parent LINK"),
        ("run -p 80:80 -p 127.0.0.1:80:81 -- true", "takes the same port of the host"),
        ("run --net container: -- true", "is not bridge, host, none, container:NAME or macvlan"),
    ] {
        pcapsule(words).assert().code(2).stderr(contains(reason));
    }
    pcapsule("net down pcs-no-such-sandbox").assert().code(4).stderr(contains("pcs-no-such-sandbox"));
}

#[test]
fn a_wrong_selector_lists_the_words_there_are() {
    pcapsule("ls color=red").assert().code(2).stderr(contains("use name, id, image, label"));
}

#[test]
fn an_unknown_container_is_4_with_a_hint() {
    pcapsule("ls pcs-no-such-container")
        .assert()
        .code(if sees_everything() { 4 } else { 3 })
        .stdout("")
        .stderr(contains("failed finding a container named 'pcs-no-such-container'").and(contains("hint: ")));
}

/// Whether we may look at every process and into every namespace (capabilities(7): CAP_NET_ADMIN, SYS_PTRACE, SYS_ADMIN).
fn sees_everything() -> bool {
    let status = fs::read_to_string("/proc/self/status").expect("Linux tells");
    let word = status.lines().find_map(|line| line.strip_prefix("CapEff:")).expect("CapEff");
    let held = u64::from_str_radix(word.trim(), 16).expect("hexadecimal");
    [12, 19, 21].into_iter().all(|bit| held >> bit & 1 == 1)
}

#[test]
fn inspect_refuses_an_interface_and_names_what_shows_it() {
    for word in ["if=lo", "bridge=pcs-none", "if=lo --json"] {
        let shows = format!("`pcapsule ls {}` shows it", word.trim_end_matches(" --json"));
        pcapsule(&format!("inspect {word}")).assert().code(4).stdout("").stderr(contains(shows));
    }
}

#[test]
fn colour_is_for_terminals_unless_asked_for() {
    let escape = "\u{1b}[";
    pcapsule("ls pcs-no-such-container").assert().stderr(contains(escape).not());
    pcapsule("ls pcs-no-such-container --color always").assert().stderr(contains(escape));
    pcapsule("ls pcs-no-such-container --color never").assert().stderr(contains(escape).not());
}

#[test]
fn a_closed_pipe_is_success() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    for words in ["ls --json", "completions bash", "man"] {
        let program = assert_cmd::cargo::cargo_bin("pcapsule");
        let status = std::process::Command::new(program)
            .args(words.split(' '))
            .stdout(writer.try_clone().unwrap())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(0), "{words}");
    }
}

#[test]
fn json_documents_say_what_they_are() {
    let document: serde_json::Value = serde_json::from_str(&stdout_of("ls --json")).unwrap();
    assert_eq!(document["schema"], "pcapsule.ls");
    assert_eq!(document["version"], 1);
    assert!(document["time_ns"].as_u64() > Some(1_600_000_000_000_000_000));
    for list in ["containers", "bridges", "interfaces", "warnings"] {
        assert!(document[list].is_array(), "{list}");
    }
}

#[test]
fn a_file_that_is_there_already_is_told_of_before_keys_of_another_host_come_into_it() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let (ssh, file) = (folder.path().join("ssh"), folder.path().join("f.pcapng"));
    fs::write(&ssh, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(&file, "").unwrap();
    for (mode, told) in [(0o644, true), (0o600, false)] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let mut command = pcapsule("capture web -H ssh://other --keylog keys -w");
        let ran = command
            .arg(&file)
            .env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()))
            .assert()
            .success();
        let said = String::from_utf8_lossy(&ran.get_output().stderr).into_owned();
        assert_eq!(said.contains("not for its owner alone: it will hold keys"), told, "{said}");
    }
}
