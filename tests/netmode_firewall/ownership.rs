//! The table belongs to one process, and goes with it.

use std::{
    env,
    fs::File,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use nix::sched::{CloneFlags, setns};
use pcapsule::{
    netmode::{Reach, removal},
    sys::nft::{Error, Nft},
};

use crate::lab::{HOST, Lab, Stack, on_host, publish, ruleset, until};

const NAMESPACE: &str = "PCAPSULE_TEST_NAMESPACE";

fn has_table(lab: &Lab) -> bool {
    lab.run("host", "nft list tables").contains("pcapsule_0a1b2c3d")
}

#[test]
fn dropping_nft_removes_its_table_at_once() {
    on_host(|lab| {
        let published = publish(Stack::Dual, &["8080:80"]);
        assert!(has_table(lab));
        drop(published);
        assert_eq!(lab.run("host", "nft list ruleset"), "");
    });
}

/// Not a test: the process that the next one kills.
#[test]
#[ignore = "started by another test"]
fn a_keeper() {
    let Some(path) = env::var_os(NAMESPACE) else { return };
    setns(File::open(path).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
    let mut nft = Nft::start().unwrap();
    nft.commit(&ruleset(Stack::V4, Reach::Everywhere, &[])).unwrap();
    std::io::stderr().write_all(format!("held by {}\n", nft.pid()).as_bytes()).unwrap();
    thread::sleep(Duration::from_mins(10));
}

fn keeper(lab: &Lab) -> (Child, u32) {
    let mut keeper = Command::new(env::current_exe().unwrap())
        .args(["--exact", "ownership::a_keeper", "--ignored", "--nocapture"])
        .env(NAMESPACE, lab.host_path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(keeper.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let nft = line.trim().strip_prefix("held by ").unwrap_or_else(|| panic!("{line}")).parse().unwrap();
    (keeper, nft)
}

#[test]
fn the_table_goes_when_its_keeper_is_killed() {
    on_host(|lab| {
        let (mut keeper, nft) = keeper(lab);
        assert!(has_table(lab));
        keeper.kill().unwrap();
        keeper.wait().unwrap();
        until("nft ends with its keeper", || !std::path::Path::new(&format!("/proc/{nft}/ns")).exists());
        until("the table goes", || !has_table(lab));
        assert_eq!(lab.run("host", "nft list ruleset"), "");
    });
}

#[test]
fn others_can_neither_flush_nor_delete_it() {
    on_host(|lab| {
        lab.run("host", "nft add table inet theirs");
        lab.tcp_server("sandbox", "[::]:80");
        let _published = publish(Stack::V4, &["8080:80"]);
        lab.run("host", "nft flush ruleset");
        let tables = lab.run("host", "nft list tables");
        assert_eq!(tables, "table inet pcapsule_0a1b2c3d # progname nft".split(" #").next().unwrap());
        assert!(!lab.attempt("host", "nft delete table inet pcapsule_0a1b2c3d").status.success());
        assert!(lab.ask("neighbour", &format!("{HOST}:8080")).is_ok());
    });
}

#[test]
fn a_batch_that_is_refused_changes_nothing_and_says_why() {
    on_host(|lab| {
        let mut nft = Nft::start().unwrap();
        let error = nft.commit("add table inet mine\nadd rule inet mine absent accept\n").unwrap_err();
        let Error::Refused { words } = &error else { panic!("{error}") };
        assert!(words.contains("No such file or directory") && words.contains("absent"), "{words}");
        assert!(!error.is_not_permitted());
        assert_eq!(lab.run("host", "nft list ruleset"), "");
        let error = nft.commit("add chain inet x y { type nat hook forward priority 0; }\n\n").unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        // It goes on: what follows is not taken for the answer to what was before.
        nft.commit("add table inet mine { flags owner; }\nadd chain inet mine fine\n").unwrap();
        nft.commit("delete table inet mine\n").unwrap();
        assert_eq!(lab.run("host", "nft list ruleset"), "");
    });
}

#[test]
fn an_nft_that_has_ended_is_noticed() {
    on_host(|_| {
        let mut nft = Nft::start().unwrap();
        nft.commit("add table inet mine { flags owner; }\n").unwrap();
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(nft.pid().cast_signed()),
            nix::sys::signal::Signal::SIGKILL,
        )
        .unwrap();
        let error = nft.commit("add chain inet mine fine\n").unwrap_err();
        assert_eq!(error.to_string(), "applying the rules: nft has ended");
    });
}

#[test]
fn a_table_of_nobody_is_removed_by_name_and_its_absence_is_no_error() {
    on_host(|lab| {
        lab.run("host", "nft add table inet pcapsule_0a1b2c3d");
        lab.run("host", "nft add table inet theirs");
        for _ in 0..2 {
            Nft::start().unwrap().commit(&removal("0a1b2c3d")).unwrap();
            assert_eq!(lab.run("host", "nft list tables"), "table inet theirs");
        }
    });
}
