//! What a process has put into the kernel: programs, links and maps of `bpf(2)`, and whether they are still there.

use std::{collections::BTreeSet, fs, process::Command};

/// Programs, links and maps that a process holds, by number (`proc_pid_fdinfo(5)`).
pub(crate) fn held_in_kernel(pid: u32) -> BTreeSet<(&'static str, String)> {
    let entries = fs::read_dir(format!("/proc/{pid}/fdinfo")).expect("it runs");
    let texts =
        entries.map(|entry| fs::read_to_string(entry.expect("it is listed").path()).unwrap_or_default());
    let words = [("link_id:", "link"), ("prog_id:", "prog"), ("map_id:", "map")];
    let mut held = BTreeSet::new();
    for text in texts {
        for line in text.lines() {
            for (word, kind) in words {
                held.extend(line.strip_prefix(word).map(|number| (kind, number.trim().to_owned())));
            }
        }
    }
    held
}

/// Whether the kernel still has it.
pub(crate) fn is_there((kind, number): &(&'static str, String)) -> bool {
    let shown = Command::new("bpftool").args([kind, "show", "id", number]).output().expect("bpftool starts");
    shown.status.success()
}
