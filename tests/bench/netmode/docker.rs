//! A whole `docker run` of a command that ends at once, for comparison: only the difference between two networks means
//! anything.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{self, Command},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::lab::checked;

/// An engine with an image of ours that holds busybox alone; the image is removed on drop.
pub(crate) struct Docker {
    image: String,
}

impl Docker {
    /// None where no engine answers, or busybox is not there.
    pub(crate) fn find() -> Option<Self> {
        let answers =
            Command::new("docker").arg("version").output().is_ok_and(|output| output.status.success());
        let docker = answers.then(|| Self { image: format!("pcapsule-bench-netmode:{}", process::id()) })?;
        docker.import().ok().map(|()| docker)
    }

    fn import(&self) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let program = folder.path().join("busybox");
        fs::copy("/bin/busybox", &program).context("copying busybox")?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        let mut tar = Command::new("sh");
        tar.arg("-ec").arg(format!(
            "tar -C {} -c busybox | docker import - {}",
            folder.path().display(),
            self.image
        ));
        let output = tar.output()?;
        checked(&tar, &output).map(drop)
    }

    /// How long it takes from the command line to its end.
    pub(crate) fn run(&self, network: &str, port: Option<u16>) -> Result<Duration> {
        let mut command = Command::new("docker");
        command.args(["run", "--rm", "--net", network]);
        if let Some(port) = port {
            command.args(["-p", &format!("{port}:80")]);
        }
        command.args([&self.image, "/busybox", "true"]);
        let begin = Instant::now();
        let output = command.output()?;
        let took = begin.elapsed();
        checked(&command, &output)?;
        Ok(took)
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rmi", "--force", &self.image]).output();
    }
}
