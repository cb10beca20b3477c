//! An image made of nothing but a static busybox, so that no registry is needed.

use std::path::{Path, PathBuf};

use crate::run;

/// The name it is imported under.
pub(crate) const IMAGE: &str = "pcs-engines-busybox";

/// Writes the image's file system as a tar archive into the directory.
pub(crate) fn archive(directory: &Path) -> Result<PathBuf, String> {
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
    let busybox = busybox.ok_or("no busybox on this machine")?;
    let bin = directory.join("root/bin");
    std::fs::create_dir_all(&bin).map_err(|cause| cause.to_string())?;
    std::fs::copy(busybox, bin.join("busybox")).map_err(|cause| cause.to_string())?;
    for applet in ["sh", "sleep", "true", "false"] {
        let link = std::os::unix::fs::symlink("busybox", bin.join(applet));
        link.map_err(|cause| cause.to_string())?;
    }
    let (root, tar) = (directory.join("root"), directory.join("busybox.tar"));
    run("tar", ["-C".as_ref(), root.as_os_str(), "-cf".as_ref(), tar.as_os_str(), ".".as_ref()])?;
    Ok(tar)
}
