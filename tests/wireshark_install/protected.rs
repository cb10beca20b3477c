//! What takes root and a machine that looks different: a namespace of mounts hides what there is, for one test.

use std::{fs, path::Path, process::Command};

use crate::has;
use crate::home::{As, Ended, Home, nix_is_root};

/// Runs a script of the shell in a namespace of mounts of its own. `$P` is pcapsule, `$G` the global extcap folder, which
/// is an empty one, and `$H` a home that everybody may write.
fn in_private(home: &Home, script: &str) -> Ended {
    let open = "chmod 777 \"$H\"; mount -t tmpfs -o mode=755 none \"$G\"";
    let global = home.run("tshark", &["-G", "folders"]).stdout;
    let global = global.lines().find_map(|line| {
        line.strip_prefix("Global Extcap path:").or_else(|| line.strip_prefix("Extcap path:"))
    });
    let output = Command::new("unshare")
        .args(["--mount", "--", "bash", "-ec", &format!("{open}\n{script}")])
        .env("P", home.program())
        .env("G", global.unwrap().trim())
        .env("H", home.path("home"))
        .env("HOME", home.path("home"))
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("SUDO_UID")
        .output()
        .unwrap();
    Ended::of(&output)
}

fn can_be_private() -> bool {
    has(&["tshark", "netns"]) && nix_is_root()
}

#[test]
fn without_tshark_the_answer_is_5() {
    if !can_be_private() {
        return;
    }
    for verb in ["status", "install --user", "uninstall --user"] {
        let script = format!(
            "mount --bind /dev/null \"$(command -v tshark)\"; code=0; \"$P\" wireshark {verb} || code=$?; exit $code"
        );
        let ended = in_private(&Home::of(As::Me), &script);
        assert_eq!(ended.code, Some(5), "{verb}: {}{}", ended.stdout, ended.stderr);
        assert!(format!("{}{}", ended.stdout, ended.stderr).contains("apt install tshark"), "{verb}");
    }
}

#[test]
fn a_group_can_capture_and_nobody_else_can_run_it() {
    if !can_be_private() {
        return;
    }
    let home = Home::of(As::Me);
    // `daemon` is a group of every Debian; user 65534 is not in it.
    let script = r#"
        "$P" wireshark install --system --group daemon >&2
        stat -c '%U:%G %a' "$G/pcapsule"
        getcap "$G/pcapsule" | sed 's/^[^ ]* //'
        # A group of its own beside: a member, and somebody who is none.
        setpriv --reuid 65534 --regid 65534 --groups 1 "$G/pcapsule" wireshark rights | wc -l
        setpriv --reuid 65534 --regid 65534 --clear-groups "$P" wireshark status --json || true
        # A new version has the rights of the old one.
        printf x >> "$P"
        "$P" wireshark install --system >&2
        stat -c '%U:%G %a' "$G/pcapsule"
        getcap "$G/pcapsule" | sed 's/^[^ ]* //'
        "$P" wireshark uninstall --system >&2
        ls -A "$G" | wc -l
    "#;
    let ended = in_private(&home, script);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    let capabilities = "cap_net_admin,cap_net_raw,cap_sys_ptrace,cap_sys_admin=ep";
    assert_eq!(lines.len(), 7, "{}{}", ended.stdout, ended.stderr);
    assert_eq!(lines[..3], ["root:daemon 750", capabilities, "0"], "{}", ended.stderr);
    assert_eq!(lines[4..], ["root:daemon 750", capabilities, "0"], "{}", ended.stderr);
    let seen = Ended { stdout: lines[3].to_owned(), ..ended };
    let closed = seen.checks("installed");
    assert!(closed[0].0 == "fault" && closed[0].1.ends_with("may not be run by you"), "{closed:?}");
    assert!(closed[0].2.contains("adduser $USER daemon"), "{closed:?}");
}

#[test]
fn everybodys_wireshark_gets_a_copy_of_what_others_could_change() {
    if !can_be_private() {
        return;
    }
    let script = r#"
        chmod 777 "$(dirname "$P")"; "$P" wireshark install --system >&2; stat -c %F "$G/pcapsule"
        chmod 755 "$(dirname "$P")"; "$P" wireshark install --system >&2; stat -c %F "$G/pcapsule"
    "#;
    let ended = in_private(&Home::of(As::Me), script);
    assert_eq!(ended.stdout, "regular file\nsymbolic link\n", "{}", ended.stderr);
}

#[test]
fn everybodys_profile_is_taken_over_by_tshark() {
    if !can_be_private() {
        return;
    }
    let script = r#"
        data=$(tshark -G folders 2>/dev/null | sed -n 's/^Global configuration:[[:space:]]*//p')
        lua=$(tshark -G folders 2>/dev/null | sed -n 's/^Global Lua Plugins:[[:space:]]*//p')
        mkdir "$H/u" "$H/w"
        for folder in "$data" "$lua"; do
            n=$((${n:-0} + 1)); mkdir "$H/u/$n" "$H/w/$n"; chmod 755 "$H/u/$n"
            mount -t tmpfs none "$H/w/$n"; mkdir "$H/w/$n/up" "$H/w/$n/work"; chmod 755 "$H/w/$n/up"
            mount -t overlay overlay -o "lowerdir=$folder,upperdir=$H/w/$n/up,workdir=$H/w/$n/work" "$folder"
        done
        "$P" wireshark install --system --profile >&2
        tshark -C pcapsule -c 1 -r "$F" 2>/dev/null
        "$P" wireshark uninstall --system >&2
        find "$data/profiles/pcapsule" "$lua/pcapsule.lua" 2>/dev/null | wc -l
    "#;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/03-http.pcapng");
    let home = Home::of(As::Me);
    fs::copy(file, home.path("http.pcapng")).unwrap();
    let script = script.replace("\"$F\"", &format!("'{}'", home.path("http.pcapng").display()));
    let ended = in_private(&home, &script);
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}{}", ended.stdout, ended.stderr);
    assert!(lines[0].contains(" client/eth0 out "), "{}", lines[0]);
    assert_eq!(lines[1], "0");
}
