//! An OpenSSH server of our own at the right end of a cable, with keys made for it, and the way to it for clients at the
//! left end. Nothing of the machine's own ssh is touched.

use std::{
    fs,
    io::Write as _,
    net::{IpAddr, SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt as _,
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tempfile::TempDir;

use super::{Cable, Requirement, eventually, run};

/// All servers need one folder.
static ALONE: Mutex<()> = Mutex::new(());
/// What sshd gives up its rights in; without it, it does not start (sshd(8)).
const EMPTY_FOLDER: &str = "/run/sshd";

/// A running server, killed on drop with all its connections.
pub(crate) struct Sshd {
    child: Child,
    folder: TempDir,
    address: IpAddr,
    made_folder: bool,
    _alone: MutexGuard<'static, ()>,
}

impl Sshd {
    pub(crate) const PORT: u16 = 2222;

    /// Starts it at that address of the cable's right end; none where a requirement is not met.
    pub(crate) fn start(cable: &Cable, address: impl Into<IpAddr>) -> Option<Self> {
        if !Requirement::all(&[Requirement::Sshd]) {
            return None;
        }
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let made_folder = fs::create_dir(EMPTY_FOLDER).is_ok();
        let folder = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| folder.path().join(name).to_str().expect("a path in text").to_owned();
        for key in ["host", "user"] {
            run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", &at(key)]);
        }
        let address = address.into();
        let port = Self::PORT;
        let server = format!(
            "Port {port}\nListenAddress {address}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nUsePAM no\n\
             StrictModes no\nPasswordAuthentication no\nPermitRootLogin yes\n",
            at("host"),
            at("user.pub"),
        );
        let client = format!(
            "IdentityFile {}\nIdentitiesOnly yes\nIdentityAgent none\nUserKnownHostsFile {}\n\
             HostKeyAlias server\nGlobalKnownHostsFile none\nLogLevel ERROR\n",
            at("user"),
            at("known"),
        );
        let host_key = fs::read_to_string(at("host.pub")).expect("the file is there");
        fs::write(at("known"), format!("server {host_key}")).expect("the file can be written");
        fs::write(at("server"), server).expect("the file can be written");
        fs::write(at("client"), client).expect("the file can be written");
        // The client reads no configuration but ours.
        fs::write(at("ssh"), format!("#!/bin/sh\nexec /usr/bin/ssh -F {} \"$@\"\n", at("client")))
            .expect("the file can be written");
        fs::set_permissions(at("ssh"), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let log = fs::File::create(at("log")).expect("the file can be made");
        let child = cable.right().inside(|| {
            Command::new("/usr/sbin/sshd")
                .args(["-D", "-e", "-f", &at("server")])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .expect("it starts")
        });
        let sshd = Self { child, folder, address, made_folder, _alone: alone };
        let to = SocketAddr::new(address, port);
        eventually("sshd listens", || {
            cable.left().inside(|| TcpStream::connect_timeout(&to, Duration::from_millis(200)).ok())
        });
        Some(sshd)
    }

    /// The server as pcapsule is told of it.
    pub(crate) fn url(&self) -> String {
        match self.address {
            IpAddr::V4(address) => format!("ssh://root@{address}:{}", Self::PORT),
            IpAddr::V6(address) => format!("ssh://root@[{address}]:{}", Self::PORT),
        }
    }

    /// A command at the cable's left end that finds the client which knows this server.
    pub(crate) fn client(&self, cable: &Cable, line: &[&str]) -> Command {
        let path = format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", cable.left().path().display()))
            .args(line)
            .env("PATH", path)
            .env_remove("SSH_CONNECTION")
            .env_remove("PCAPSULE_HOST");
        command
    }

    /// Breaks all connections off, as a failing host does.
    pub(crate) fn break_off(&self) {
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        for pid in fs::read_to_string(children).expect("the file is there").split_ascii_whitespace() {
            run("kill", &["-KILL", pid]);
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = fs::read(self.folder.path().join("log")).unwrap_or_default();
            let _ = std::io::stderr().write_all(&log);
        }
        if self.made_folder {
            let _ = fs::remove_dir(EMPTY_FOLDER);
        }
    }
}
