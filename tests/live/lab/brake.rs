//! What slows a capture down: a share of a processor, a disk that writes so many bytes a second.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use super::{Requirement, cgroup::hierarchy, run, unique, within};

/// Whoever is inside has so much and no more; removed on drop.
pub(crate) struct Brake {
    group: PathBuf,
}

impl Brake {
    /// Of one processor so many hundredths; none where a requirement is not met.
    pub(crate) fn processor(percent: u32) -> Option<Self> {
        if !Requirement::all(&[Requirement::ProcessorLimit]) {
            return None;
        }
        let (controller, version) = controller("cpu", "cpu")?;
        let brake = Self::make(&controller);
        match version {
            Version::One => brake.set("cpu.cfs_quota_us", &format!("{}", percent * 1000)),
            Version::Two => brake.set("cpu.max", &format!("{} 100000", percent * 1000)),
        }
        Some(brake)
    }

    /// So many bytes a second to that disk.
    fn writes(device: &str, bytes: u64) -> Option<Self> {
        let (controller, version) = controller("blkio", "io")?;
        let brake = Self::make(&controller);
        match version {
            Version::One => brake.set("blkio.throttle.write_bps_device", &format!("{device} {bytes}")),
            Version::Two => brake.set("io.max", &format!("{device} wbps={bytes}")),
        }
        Some(brake)
    }

    /// From now on for all threads of that process.
    pub(crate) fn hold(&self, pid: u32) {
        self.set("cgroup.procs", &pid.to_string());
    }

    fn make(controller: &Path) -> Self {
        let group = controller.join(unique());
        fs::create_dir(&group).expect("a new cgroup");
        Self { group }
    }

    fn set(&self, file: &str, value: &str) {
        fs::write(self.group.join(file), value).unwrap_or_else(|error| panic!("{file} = {value}: {error}"));
    }
}

impl Drop for Brake {
    fn drop(&mut self) {
        let removed = within(Duration::from_secs(10), || fs::remove_dir(&self.group).is_ok().then_some(()));
        assert!(
            removed.is_some() || thread::panicking(),
            "somebody is still held in {}",
            self.group.display()
        );
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// Where groups with that controller can be made, called by its names in the versions 1 and 2.
fn controller(first: &str, second: &str) -> Option<(PathBuf, Version)> {
    let table = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mut mounted = table.lines().filter_map(|line| {
        let (mount, system) = line.split_once(" - cgroup ")?;
        let options = system.split(' ').next_back()?;
        options
            .split(',')
            .any(|option| option == first)
            .then(|| mount.split(' ').nth(4).map(PathBuf::from))?
    });
    if let Some(path) = mounted.next() {
        return Some((path, Version::One));
    }
    let path = hierarchy()?;
    let enabled = fs::read_to_string(path.join("cgroup.subtree_control")).ok()?;
    enabled.split_whitespace().any(|name| name == second).then_some((path, Version::Two))
}

/// Whether the time of a process on the processor can be bounded here.
pub(super) fn can_limit_processor() -> bool {
    controller("cpu", "cpu").is_some_and(|(path, _)| super::requirement::is_writable(&path))
}

/// Whether a slow disk can be made here.
pub(super) fn can_slow_disk() -> bool {
    controller("blkio", "io").is_some_and(|(path, _)| super::requirement::is_writable(&path))
        && Path::new("/dev/loop-control").exists()
        && Command::new("mkfs.ext4").arg("-V").output().is_ok_and(|output| output.status.success())
}

/// A disk of its own in a file, whose writes are waited for; unmounted on drop.
pub(crate) struct SlowDisk {
    folder: Option<tempfile::TempDir>,
    brake: Brake,
    device: String,
}

impl SlowDisk {
    /// Makes one of so many MiB that writes so many of them a second; none where a requirement is not met.
    pub(crate) fn mount(size: u64, a_second: u64) -> Option<Self> {
        if !Requirement::all(&[Requirement::SlowDisk]) {
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary directory");
        let [image, mount] = ["image", "mount"].map(|name| folder.path().join(name));
        let [image_text, mount_text] = [&image, &mount].map(|path| path.to_str().expect("a path in text"));
        fs::create_dir(&mount).expect("a new directory");
        fs::File::create(&image).and_then(|file| file.set_len(size << 20)).expect("a new file");
        run("mkfs.ext4", &["-q", "-F", image_text]);
        let device = run("losetup", &["--find", "--show", image_text]);
        run("mount", &["-o", "sync", &device, mount_text]);
        let number = fs::metadata(&mount).expect("it is mounted").dev();
        let number = format!("{}:{}", nix::sys::stat::major(number), nix::sys::stat::minor(number));
        let brake = Brake::writes(&number, a_second << 20).expect("required");
        Some(Self { folder: Some(folder), brake, device })
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.as_ref().expect("mounted until dropped").path().join("mount")
    }

    /// From now on it is slow for that process.
    pub(crate) fn hold(&self, pid: u32) {
        self.brake.hold(pid);
    }
}

impl Drop for SlowDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).output();
        let _ = Command::new("losetup").args(["--detach", &self.device]).output();
        self.folder.take();
    }
}
