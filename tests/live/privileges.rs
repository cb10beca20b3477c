//! A running capture holds no capability that could hurt, in any of its threads.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output},
};

use crate::lab::{Cable, Capture, Conversation, rows};

/// Capabilities that let a process rewrite, load or become anything (capabilities(7), by bit).
const DANGEROUS: [(&str, u32); 7] = [
    ("CAP_SETUID", 7),
    ("CAP_SYS_MODULE", 16),
    ("CAP_SYS_RAWIO", 17),
    ("CAP_SYS_BOOT", 22),
    ("CAP_SYS_TIME", 25),
    ("CAP_MKNOD", 27),
    ("CAP_SETFCAP", 31),
];

#[test]
fn every_thread_drops_what_it_does_not_need_and_still_captures() {
    let Some(cable) = Cable::lay() else { return };
    let capture = Capture::of(&[&cable.left_selector()], &["-f", "udp port 7000"]);
    let tasks = fs::read_dir(format!("/proc/{}/task", capture.pid())).unwrap();
    for task in tasks {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        let word = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
        let effective = u64::from_str_radix(word.trim(), 16).unwrap();
        for (name, bit) in DANGEROUS {
            assert_eq!(effective >> bit & 1, 0, "{name} is held: {status}");
        }
    }
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).ask(7000, b"hello");
    assert_eq!(rows(&capture.stop().file(), "", &["frame.number"]).len(), 2);
}

#[test]
fn who_may_not_look_everywhere_is_not_told_that_there_is_no_such_container() {
    let Some(_cable) = Cable::lay() else { return };
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("pcapsule");
    fs::copy(env!("CARGO_BIN_EXE_pcapsule"), &program).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let as_nobody = |words: &[&str]| -> Output {
        let user = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
        Command::new("setpriv").args(user).arg(&program).args(words).output().expect("util-linux")
    };
    for words in [&["ls", "pcs-unseen"][..], &["inspect", "pcs-unseen"], &["ls", "pid=1"]] {
        let output = as_nobody(words);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{words:?}: {errors}");
        let (warning, failure) = (errors.find("warning: "), errors.find("pcapsule: failed"));
        assert!(warning.is_some() && warning < failure, "{words:?}: {errors}");
        assert!(errors.contains("CAP_SYS_PTRACE"), "{words:?}: {errors}");
    }
    let secret = folder.path().join("secret.pcapng");
    fs::write(&secret, b"").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let output = as_nobody(&["read", secret.to_str().unwrap()]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert!(!errors.contains("CAP_"), "{errors}");
}

#[test]
fn a_capture_of_what_runs_now_holds_no_capability_at_all() {
    let Some(cable) = Cable::lay() else { return };
    let capture = Capture::of(&[&cable.left_selector()], &["--no-follow"]);
    let status = fs::read_to_string(format!("/proc/{}/status", capture.pid())).unwrap();
    let word = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    assert_eq!(u64::from_str_radix(word.trim(), 16).unwrap(), 0, "{status}");
    assert_eq!(capture.stop().code, Some(0));
}
