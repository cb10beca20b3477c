//! A full disk ends a capture with an error and a file that can be read; a reserve ends it before that.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt as _, chown},
    path::PathBuf,
    process::Command,
};

use crate::lab::{Cable, Capture, Conversation, eventually, rows, rows_of_torn, run};

#[test]
fn a_full_disk_is_told_and_leaves_what_fitted() {
    let Some(cable) = Cable::lay() else { return };
    let disk = SmallDisk::mount(256);
    let file = disk.path().join("full.pcapng");
    let capture =
        Capture::to(&file, &[&cable.left_selector()], &["--reserve", "1k", "-U", "-f", "udp port 7000"]);
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).flood(7000, 1000, 1000);
    let ended = capture.wait();
    assert!(!matches!(ended.code, None | Some(0 | 70)), "{:?}: {}", ended.code, ended.stderr);
    assert!(ended.stderr.contains("is full"), "{}", ended.stderr);
    let fitted = rows_of_torn(&file, "udp", &["frame.number"]).len();
    assert!((100..260).contains(&fitted), "{fitted}");
}

#[test]
fn a_disk_that_fills_up_behind_us_is_told_and_every_packet_accounted_for() {
    let Some(cable) = Cable::lay() else { return };
    let disk = SmallDisk::mount(8 << 10);
    let file = disk.path().join("full.pcapng");
    let capture = Capture::to(&file, &[&cable.left_selector()], &["--reserve", "0", "-f", "udp port 7000"]);
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).flood(7000, 20_000, 1000);
    let ended = capture.wait();
    assert!(ended.stderr.contains("is full"), "{}", ended.stderr);
    let fitted = rows_of_torn(&file, "udp", &["frame.number"]).len();
    assert!((6000..8200).contains(&fitted), "{fitted}");
    assert!(ended.stderr.contains(&format!("{fitted} packets captured")), "{fitted}: {}", ended.stderr);
}

#[test]
fn a_reserve_of_zero_lets_the_disk_be_filled() {
    let Some(cable) = Cable::lay() else { return };
    let disk = SmallDisk::mount(1024);
    let file = disk.path().join("full.pcapng");
    let options = ["--reserve", "0", "-U", "-f", "udp port 7000"];
    let capture = Capture::to(&file, &[&cable.left_selector()], &options);
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).flood(7000, 2000, 1000);
    let ended = capture.wait();
    assert!(ended.stderr.contains("is full"), "{}", ended.stderr);
    let room = nix::sys::statvfs::statvfs(&disk.path()).unwrap();
    assert!(room.blocks_available() * room.fragment_size() < 16 << 10, "{}", ended.stderr);
}

#[test]
fn a_reserve_of_the_disk_is_left_free() {
    let Some(cable) = Cable::lay() else { return };
    reserve_is_left_free(&cable, &SmallDisk::mount(8192));
}

#[test]
fn a_reserve_is_left_free_in_a_folder_of_somebody_else_too() {
    let Some(cable) = Cable::lay() else { return };
    let disk = SmallDisk::mount(8192);
    // Whoever writes the packets has no capability left that would let it in.
    chown(disk.path(), Some(65534), Some(65534)).unwrap();
    fs::set_permissions(disk.path(), Permissions::from_mode(0o700)).unwrap();
    reserve_is_left_free(&cable, &disk);
}

fn reserve_is_left_free(cable: &Cable, disk: &SmallDisk) {
    let file = disk.path().join("reserve.pcapng");
    let mut capture =
        Capture::to(&file, &[&cable.left_selector()], &["--reserve", "4m", "-U", "-f", "udp port 7000"]);
    let talk = Conversation::new(cable.left(), cable.right(), Cable::RIGHT);
    eventually("the capture ends", || {
        talk.flood(7000, 10, 1000);
        (!capture.is_running()).then_some(())
    });
    let ended = capture.wait();
    assert!(!matches!(ended.code, None | Some(0 | 70)), "{:?}: {}", ended.code, ended.stderr);
    assert!(ended.stderr.contains("--reserve"), "{}", ended.stderr);
    let room = nix::sys::statvfs::statvfs(&disk.path()).expect("the disk is mounted");
    assert!(room.blocks_available() * room.fragment_size() > 1 << 20, "{}", ended.stderr);
    assert!(!rows(&file, "udp", &["frame.number"]).is_empty());
}

/// A file system in memory, of so many KiB, unmounted on drop.
struct SmallDisk {
    folder: Option<tempfile::TempDir>,
}

impl SmallDisk {
    fn mount(kib: u32) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let size = format!("size={kib}k");
        run("mount", &["-t", "tmpfs", "-o", &size, "tmpfs", folder.path().to_str().expect("text")]);
        Self { folder: Some(folder) }
    }

    fn path(&self) -> PathBuf {
        self.folder.as_ref().expect("mounted until dropped").path().to_owned()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).output();
        self.folder.take();
    }
}
