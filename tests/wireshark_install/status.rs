//! `status`: each fault that keeps Wireshark from showing containers is found, and its fix named.

use std::{fs, os::unix::fs::symlink, path::Path};

use crate::has;
use crate::home::{As, Ended, Home, nix_is_root};

/// What tells a program of ours; kept in src/cli/wireshark/plug.rs.
const MARK: &str = "\u{1}pcapsule's own extcap, 6f0d3c1e-8a57-4b1c-9d1f-2f7b53a4c9e6\u{1}";

const INTERFACES: &str = "echo 'extcap {version=1}'; echo 'interface {value=pcs-stand-in}{display=All}'";
const LINK_TYPES: &str = "echo 'dlt {number=1}{name=EN10MB}{display=Ethernet}'";

/// A program that is taken for pcapsule, and answers as it should but for one thing.
struct StandIn {
    version: &'static str,
    interfaces: &'static str,
    link_types: &'static str,
    rights: &'static str,
}

impl StandIn {
    const GOOD: Self = Self {
        version: concat!("pcapsule ", env!("CARGO_PKG_VERSION")),
        interfaces: INTERFACES,
        link_types: LINK_TYPES,
        rights: "",
    };

    fn put(&self, home: &Home) {
        let Self { version, interfaces, link_types, rights } = self;
        let text = format!(
            "#!/bin/sh\n# {MARK}\ncase \"$*\" in\n--version) echo '{version}' ;;\n*--extcap-interfaces*) {interfaces} ;;\n\
             *--extcap-dlts*) {link_types} ;;\n'wireshark rights') printf '{rights}' ;;\nesac\n"
        );
        Home::plant(&home.extcap().join("pcapsule"), &text);
    }

    fn judged(&self) -> Ended {
        let home = Home::of(As::Me);
        self.put(&home);
        home.wireshark(&["status", "--json"])
    }
}

/// The one fault among the checks of that name.
#[track_caller]
fn fault(ended: &Ended, check: &str) -> (String, String) {
    assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
    let faults = ended.checks(check).into_iter().filter(|(verdict, ..)| verdict == "fault");
    let faults: Vec<_> = faults.map(|(_, text, fix)| (text, fix)).collect();
    assert_eq!(faults.len(), 1, "{check}: {}", ended.stdout);
    faults.into_iter().next().unwrap()
}

#[test]
fn a_program_that_answers_is_well() {
    if !has(&["tshark"]) {
        return;
    }
    let ended = StandIn::GOOD.judged();
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    assert_eq!(ended.checks("tshark -D")[0].1, "lists 1 of them, first pcs-stand-in");
    let text = {
        let home = Home::of(As::Me);
        StandIn::GOOD.put(&home);
        home.wireshark(&["status"]).stdout
    };
    assert!(text.lines().any(|line| line.starts_with("ok     self-test  1 interfaces in ")), "{text}");
}

#[test]
fn nothing_installed_is_a_fault_that_install_mends() {
    if !has(&["tshark"]) {
        return;
    }
    let home = Home::of(As::Me);
    let (text, fix) = fault(&home.wireshark(&["status", "--json"]), "installed");
    assert!(text.contains(home.extcap().to_str().unwrap()), "{text}");
    assert_eq!(fix, "pcapsule wireshark install");
}

#[test]
fn an_answer_that_wireshark_would_not_take_is_found() {
    if !has(&["tshark"]) {
        return;
    }
    let good = StandIn::GOOD;
    for (stand_in, words) in [
        (StandIn { interfaces: "exit 1", ..good }, "leaves it out without a word"),
        (StandIn { interfaces: "true", ..StandIn::GOOD }, "named no interface"),
        (StandIn { interfaces: "echo nonsense", ..StandIn::GOOD }, "named no interface"),
        (
            StandIn {
                interfaces: "echo oops >&2; echo 'interface {value=pcs-stand-in}{display=x}'",
                ..StandIn::GOOD
            },
            "on stderr, where Wireshark expects nothing: oops",
        ),
        (StandIn { link_types: "true", ..StandIn::GOOD }, "named no link type"),
        (StandIn { link_types: "exit 4", ..StandIn::GOOD }, "failed (exit status: 4"),
    ] {
        let (text, fix) = fault(&stand_in.judged(), "self-test");
        assert!(text.contains(words) && !fix.is_empty(), "{text}: {fix}");
    }
}

#[test]
fn an_interface_that_tshark_does_not_list_is_found() {
    if !has(&["tshark"]) {
        return;
    }
    // Answers once, and then no more: tshark asks after us.
    let interfaces = "mkdir asked 2>/dev/null || exit 1; echo 'interface {value=pcs-stand-in}{display=All}'";
    let home = Home::of(As::Me);
    let asked = home.path("home/asked");
    let once = interfaces.replace("asked", asked.to_str().unwrap());
    StandIn { interfaces: Box::leak(once.into_boxed_str()), ..StandIn::GOOD }.put(&home);
    let (text, _) = fault(&home.wireshark(&["status", "--json"]), "tshark -D");
    assert!(text.starts_with("does not list pcs-stand-in"), "{text}");
}

#[test]
fn an_old_program_is_found() {
    if !has(&["tshark"]) {
        return;
    }
    let (text, fix) = fault(&StandIn { version: "pcapsule 0.0.1", ..StandIn::GOOD }.judged(), "installed");
    assert!(text.contains("is pcapsule 0.0.1, not pcapsule "), "{text}");
    assert!(fix.contains("wireshark install"), "{fix}");
}

#[test]
fn missing_capabilities_are_named_with_what_to_do() {
    if !has(&["tshark"]) {
        return;
    }
    let lacking = StandIn { rights: r"CAP_NET_RAW\nCAP_SYS_ADMIN\n", ..StandIn::GOOD }.judged();
    let (text, fix) = fault(&lacking, "rights");
    assert!(text.ends_with("it lacks CAP_NET_RAW, CAP_SYS_ADMIN"), "{text}");
    assert!(fix.contains("--group wireshark"), "{fix}");
}

#[test]
fn a_plain_user_lacks_what_capturing_takes() {
    if !has(&["tshark"]) || !nix_is_root() {
        return;
    }
    let home = Home::of(As::Nobody);
    let ended = home.wireshark(&["install", "--user"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("it lacks CAP_") && ended.stderr.contains("--group"), "{}", ended.stderr);
    let (text, _) = fault(&home.wireshark(&["status", "--json"]), "rights");
    assert!(text.contains("CAP_NET_RAW") && text.contains("CAP_SYS_PTRACE"), "{text}");
}

#[test]
fn links_that_lead_nowhere_or_astray_are_found() {
    if !has(&["tshark"]) {
        return;
    }
    let link = |target: &Path| {
        let home = Home::of(As::Me);
        fs::create_dir_all(home.extcap()).unwrap();
        symlink(target, home.extcap().join("pcapsule")).unwrap();
        home.wireshark(&["status", "--json"])
    };
    let (text, fix) = fault(&link(Path::new("/nonexistent/pcapsule")), "installed");
    assert!(text.ends_with("is a link to /nonexistent/pcapsule, which is no more"), "{text}");
    assert!(fix.contains("wireshark install"), "{fix}");
    let (text, fix) = fault(&link(Path::new("/bin/true")), "installed");
    assert!(text.ends_with("is not pcapsule") && fix.starts_with("move it away"), "{text}: {fix}");
}

#[test]
fn a_wrong_folder_for_this_version_is_found() {
    if !has(&["tshark"]) {
        return;
    }
    let home = Home::of(As::Me);
    home.misplace_program();
    let (text, fix) = fault(&home.wireshark(&["status", "--json"]), "folder");
    assert!(
        text.contains("is in the wrong folder") && text.contains(home.extcap().to_str().unwrap()),
        "{text}"
    );
    assert!(fix.contains("uninstall") && fix.contains("install"), "{fix}");
}

#[test]
fn a_profile_with_a_file_missing_is_found() {
    if !has(&["tshark"]) {
        return;
    }
    let home = Home::of(As::Me);
    StandIn::GOOD.put(&home);
    // Ours is in its place already, so that only the profile is new.
    let ended = home.wireshark(&["install", "--user", "--profile"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    StandIn::GOOD.put(&home);
    let lua = home.files().into_iter().find(|path| path.ends_with("pcapsule.lua")).unwrap();
    fs::remove_file(&lua).unwrap();
    let (text, fix) = fault(&home.wireshark(&["status", "--json"]), "profile");
    assert!(text.ends_with("pcapsule.lua is missing") && fix.contains("--profile"), "{text}: {fix}");
}

#[test]
fn what_was_installed_is_well_and_tshark_lists_it() {
    if !has(&["tshark"]) || !nix_is_root() {
        return;
    }
    let home = Home::of(As::Me);
    assert_eq!(home.wireshark(&["install", "--user", "--profile"]).code, Some(0));
    let ended = home.wireshark(&["status", "--json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    for check in ["tshark", "installed", "self-test", "tshark -D", "rights", "profile"] {
        let verdicts: Vec<String> = ended.checks(check).into_iter().map(|(verdict, ..)| verdict).collect();
        assert_eq!(verdicts, ["ok"], "{check}: {}", ended.stdout);
    }
    let listed = home.run("tshark", &["-D"]).stdout;
    assert!(listed.lines().any(|line| line.contains(". pcapsule")), "{listed}");
}

#[test]
fn a_plain_user_finds_the_interfaces_too() {
    if !has(&["tshark"]) || !nix_is_root() {
        return;
    }
    let home = Home::of(As::Nobody);
    assert_eq!(home.wireshark(&["install", "--user"]).code, Some(0));
    let ended = home.wireshark(&["status", "--json"]);
    assert_eq!(ended.checks("self-test")[0].0, "ok", "{}", ended.stdout);
    assert_eq!(ended.checks("tshark -D")[0].0, "ok", "{}", ended.stdout);
}
