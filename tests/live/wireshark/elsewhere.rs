//! Containers of other hosts in Wireshark's list: no call for the list, a capture through ssh when one is chosen.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Stdio, thread, time::Duration};

use super::stage::Home;
use crate::lab::{Cable, Conversation, Sshd, checked, eventually, rows};

const PCAPSULE: &str = env!("CARGO_BIN_EXE_pcapsule");

/// A home that knows the server, by the words behind its URL.
fn home(sshd: &Sshd, program: &str) -> Home {
    let home = Home::new();
    fs::create_dir_all(home.file(".config/pcapsule")).expect("a new directory");
    fs::write(home.file(".config/pcapsule/hosts"), format!("# ours\n{} {program}\n", sshd.url()))
        .expect("a new file");
    home
}

/// The name in the list.
fn interface(sshd: &Sshd) -> String {
    sshd.url().replace("ssh://", "pcapsule@")
}

/// tshark at the cable's left end.
fn tshark(cable: &Cable, sshd: &Sshd, home: &Home, arguments: &[&str]) -> std::process::Command {
    let mut command = sshd.client(cable, &[&["timeout", "60", "tshark"], arguments].concat());
    command
        .current_dir(home.file(""))
        .env("HOME", home.file(""))
        .env("XDG_CONFIG_HOME", home.file(".config"))
        .env_remove("WIRESHARK_CONFIG_DIR")
        .stdin(Stdio::null());
    command
}

#[test]
fn a_list_calls_nobody() {
    let Some(cable) = Cable::lay() else { return };
    let Some(sshd) = Sshd::start(&cable, Cable::RIGHT) else { return };
    let home = home(&sshd, PCAPSULE);
    // Whoever called would leave a mark.
    let mark = home.file("called");
    fs::create_dir(home.file("bin")).unwrap();
    fs::write(home.file("bin/ssh"), format!("#!/bin/sh\ntouch {}\n", mark.display())).unwrap();
    fs::set_permissions(home.file("bin/ssh"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", home.file("bin").display(), std::env::var("PATH").unwrap());
    let listed = home.tshark(&["-D"]).env("PATH", path).output().unwrap();
    let listed = checked("tshark -D", &listed);
    let name = interface(&sshd);
    let display = name.replace("pcapsule@", "Containers of ");
    assert!(listed.lines().any(|line| line.ends_with(&format!("{name} ({display})"))), "{listed}");
    assert!(!mark.exists(), "nobody is called");
}

#[test]
fn tshark_captures_on_another_host_until_it_has_enough() {
    let Some(cable) = Cable::lay() else { return };
    let Some(sshd) = Sshd::start(&cable, Cable::RIGHT) else { return };
    let home = home(&sshd, PCAPSULE);
    let file = home.file("f.pcapng");
    let name = interface(&sshd);
    let line = [
        "-i",
        &name,
        "-f",
        "udp port 7391 or tcp port 2222",
        "-a",
        "packets:8",
        "-w",
        file.to_str().unwrap(),
    ];
    let mut capture =
        tshark(&cable, &sshd, &home, &line).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // tshark does not say when a plug-in listens.
    let talk = Conversation::new(cable.left(), cable.right(), Cable::RIGHT);
    let status = eventually("tshark has enough", || {
        talk.flood(7391, 1, 100);
        thread::sleep(Duration::from_millis(100));
        capture.try_wait().unwrap()
    });
    let mut said = String::new();
    std::io::Read::read_to_string(&mut capture.stderr.take().unwrap(), &mut said).unwrap();
    assert!(status.success(), "{said}");
    assert!(!said.contains("Error from extcap"), "{said}");
    let left = format!("{}/eth0", cable.left_name());
    let seen = rows(&file, "udp.port == 7391", &["frame.interface_name"]);
    assert!(seen.iter().any(|row| row[0] == left), "{seen:?}");
    let ssh = format!("tcp.port == {}", Sshd::PORT);
    assert_eq!(rows(&file, &ssh, &["frame.number"]), [[""; 0]; 0], "its own stream is not in it");
}

#[test]
fn what_goes_wrong_there_is_one_line_here() {
    let Some(cable) = Cable::lay() else { return };
    let Some(sshd) = Sshd::start(&cable, Cable::RIGHT) else { return };
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    let name = interface(&sshd);
    let fails = |home: &Home, extra: &[&str], words: &str| {
        // A file in the place of the pipe: nobody has to read it.
        let line = ["--capture", "--extcap-interface", &name, "--fifo", fifo.to_str().unwrap()];
        let output = sshd
            .client(&cable, &[&[PCAPSULE], &line[..], extra].concat())
            .env("XDG_CONFIG_HOME", home.file(".config"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_ne!(output.status.code(), Some(0), "{said}");
        assert!(said.contains(words), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    };
    let here = home(&sshd, PCAPSULE);
    fails(&here, &["--select", "nosuchcontainer"], "finding a container named 'nosuchcontainer'");
    fails(&home(&sshd, "/nowhere/pcapsule"), &[], "there is no '/nowhere/pcapsule'");
    fails(&Home::new(), &[], "there is no interface of ");
    fs::write(
        here.file(".config/pcapsule/hosts"),
        format!("{} x\n", sshd.url().replace("root@", "nobody1@")),
    )
    .unwrap();
    let stranger = name.replace("root@", "nobody1@");
    let line = ["--capture", "--extcap-interface", &stranger, "--fifo", fifo.to_str().unwrap()];
    let output = sshd
        .client(&cable, &[&[PCAPSULE], &line[..]].concat())
        .env("XDG_CONFIG_HOME", here.file(".config"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("Permission denied") && said.lines().count() == 1, "{said}");
    assert!(Path::new(&fifo).exists());
}
