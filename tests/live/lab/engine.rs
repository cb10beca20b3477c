//! The Docker engine, an image made on the spot, and networks of our own.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::Command,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use serde_json::Value;

use super::{Container, Host, Recipe, Requirement, command::checked, run, unique};

static IMAGE: Mutex<Weak<Image>> = Mutex::new(Weak::new());

/// A Docker engine that answers, and leave to use it.
pub(crate) struct Engine {
    // Dropped first: the host is compared when the image is gone.
    image: Arc<Image>,
    _host: Host,
}

impl Engine {
    /// The engine, to be used beside other tests; none where a requirement is not met.
    pub(crate) fn shared() -> Option<Self> {
        Self::with(Host::shared)
    }

    /// The engine for this test alone.
    pub(crate) fn alone() -> Option<Self> {
        Self::with(Host::alone)
    }

    fn with(host: fn() -> Host) -> Option<Self> {
        Requirement::all(Requirement::CONTAINERS).then(|| {
            let host = host();
            Self { image: Image::lease(), _host: host }
        })
    }

    /// A container to be started; `role` becomes part of its name.
    pub(crate) fn container(&self, role: &str) -> Recipe {
        Recipe::new(&self.image.tag, role)
    }

    /// A network with a bridge of its own, of the same name.
    pub(crate) fn network(&self) -> Network {
        self.network_named(&unique(), &[])
    }

    /// The same under that name, with further options of `docker network create`.
    #[expect(clippy::unused_self, reason = "networks need an engine that answers")]
    pub(crate) fn network_named(&self, name: &str, options: &[&str]) -> Network {
        let name = name.to_owned();
        let bridge = format!("com.docker.network.bridge.name={name}");
        run("docker", &[&["network", "create", "--opt", &bridge], options, &[&name]].concat());
        Network { name }
    }

    /// Two containers on a network with nobody else: a bridge that does not know an address yet asks every port.
    pub(crate) fn couple(&self, roles: [&str; 2]) -> (Network, [Container; 2]) {
        let network = self.network();
        let containers = roles.map(|role| self.container(role).network(network.name()).start());
        (network, containers)
    }

    /// The image's tag.
    pub(crate) fn image(&self) -> &str {
        &self.image.tag
    }
}

/// A user network, removed on drop.
pub(crate) struct Network {
    name: String,
}

impl Network {
    /// Its name, which is its bridge's too.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["network", "rm", &self.name]).output();
    }
}

/// What `docker inspect` says of one object.
#[track_caller]
pub(crate) fn inspect(name: &str) -> Value {
    let text = run("docker", &["inspect", name]);
    let mut found: Vec<Value> = serde_json::from_str(&text).expect("`docker inspect` prints JSON");
    found.remove(0)
}

/// busybox and its applets as an image; shared by the tests that overlap, removed with the last.
struct Image {
    tag: String,
}

impl Image {
    fn lease() -> Arc<Self> {
        let mut current = IMAGE.lock().unwrap_or_else(PoisonError::into_inner);
        current.upgrade().unwrap_or_else(|| {
            let image = Arc::new(Self::import());
            *current = Arc::downgrade(&image);
            image
        })
    }

    fn import() -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        lay_out(root.path());
        let tag = format!("{}:busybox", unique());
        let pipe = "tar --create --directory \"$1\" . | docker import - \"$2\"";
        let output = Command::new("sh").args(["-c", pipe, "sh"]).arg(root.path()).arg(&tag).output();
        checked("docker import", &output.expect("sh starts"));
        Self { tag }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rmi", &self.tag]).output();
    }
}

/// busybox as `/bin/busybox` with a link for each applet, and a page for its web server.
fn lay_out(root: &Path) {
    for directory in ["bin", "etc", "proc", "sys", "dev", "tmp", "www"] {
        fs::create_dir(root.join(directory)).expect("a new directory");
    }
    let busybox = run("which", &["busybox"]);
    fs::copy(busybox, root.join("bin/busybox")).expect("busybox can be copied");
    for applet in run("busybox", &["--list"]).lines().filter(|applet| *applet != "busybox") {
        symlink("busybox", root.join("bin").join(applet)).expect("a new link");
    }
    fs::write(root.join("www/index.html"), "it works\n").expect("a new file");
}
