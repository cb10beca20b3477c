//! Finds the sockets to ask: what the environment names, then the usual places.
//!
//! It looks whether a socket is there, and which two names are one; it never connects.

use std::{
    collections::HashSet,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{Address, UnusableAddress};

/// Sockets of rootful engines. `/var/run` is a link to `/run` on most hosts, not on all.
const ROOTFUL: [&str; 3] = ["var/run/docker.sock", "run/docker.sock", "run/podman/podman.sock"];
/// Sockets of rootless engines, below a runtime directory.
const ROOTLESS: [&str; 2] = ["docker.sock", "podman/podman.sock"];

/// The sockets found, each once, and what could not be used.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Located {
    pub(super) addresses: Vec<Address>,
    pub(super) warnings: Vec<String>,
}

/// An address that somebody named, and where.
struct Named {
    by: String,
    address: Result<Address, UnusableAddress>,
}

/// Looks around. `variable` is the environment, `root` the directory that stands for `/` in the usual places.
pub(super) fn locate(variable: &dyn Fn(&str) -> Option<String>, root: &Path) -> Located {
    let mut located = Located::default();
    let mut known = HashSet::new();
    for named in named(variable, root, &mut located.warnings) {
        match named.address.map_err(|problem| problem.to_string()).and_then(|a| Ok((identity(&a)?, a))) {
            Ok((identity, address)) if known.insert(identity.clone()) => located.addresses.push(address),
            Ok(_) => {}
            Err(problem) => {
                located
                    .warnings
                    .push(format!("{} names an engine that cannot be asked: {problem}", named.by));
            }
        }
    }
    for socket in usual(variable, root) {
        let address = Address::Unix(socket);
        // Not there, or behind another user's directory: not ours to ask.
        let Ok(identity) = identity(&address) else { continue };
        if known.insert(identity) {
            located.addresses.push(address);
        }
    }
    located
}

/// What makes two addresses the same: device and inode of a socket, the text of anything else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Identity {
    Socket { device: u64, inode: u64 },
    Elsewhere(Address),
}

fn identity(address: &Address) -> Result<Identity, String> {
    match address {
        Address::Unix(path) => {
            let found = fs::metadata(path).map_err(|cause| format!("{address}: {cause}"))?;
            Ok(Identity::Socket { device: found.dev(), inode: found.ino() })
        }
        Address::Tcp { .. } => Ok(Identity::Elsewhere(address.clone())),
    }
}

/// `DOCKER_HOST`, or else Docker's context, as the docker command has it; and `CONTAINER_HOST`.
fn named(variable: &dyn Fn(&str) -> Option<String>, root: &Path, warnings: &mut Vec<String>) -> Vec<Named> {
    let value = |name: &str| variable(name).filter(|value| !value.is_empty());
    let from = |name: &str| value(name).map(|text| Named { by: name.to_owned(), address: text.parse() });
    let mut named = Vec::new();
    if value("DOCKER_HOST").is_some() {
        named.extend(from("DOCKER_HOST"));
    } else {
        for directory in docker_directories(&value, root) {
            match context(&directory, value("DOCKER_CONTEXT")) {
                Ok(found) => named.extend(found),
                Err(problem) => warnings.push(problem),
            }
        }
    }
    named.extend(from("CONTAINER_HOST"));
    named
}

/// Where Docker's client keeps its settings: the user's, and under sudo those of the user behind it.
fn docker_directories(value: &dyn Fn(&str) -> Option<String>, root: &Path) -> Vec<PathBuf> {
    let own = value("DOCKER_CONFIG").map(PathBuf::from);
    let own = own.or_else(|| Some(Path::new(&value("HOME")?).join(".docker")));
    let behind_sudo = value("SUDO_UID").and_then(|uid| home(&uid, root)).map(|home| home.join(".docker"));
    let mut directories: Vec<_> = own.into_iter().chain(behind_sudo).collect();
    directories.dedup();
    directories
}

/// A user's home directory by passwd(5). Users that only a directory service knows are not found.
fn home(uid: &str, root: &Path) -> Option<PathBuf> {
    let passwd = fs::read_to_string(root.join("etc/passwd")).ok()?;
    let home = passwd.lines().find_map(|line| {
        let fields: Vec<_> = line.split(':').collect();
        (*fields.get(2)? == uid).then_some(*fields.get(5)?)
    })?;
    Some(root.join(home.trim_start_matches('/')))
}

/// The address of the context in use; none for the default one, which means the usual places.
fn context(directory: &Path, chosen: Option<String>) -> Result<Option<Named>, String> {
    let name = match chosen {
        Some(name) => name,
        None => match current_context(directory)? {
            Some(name) => name,
            None => return Ok(None),
        },
    };
    if name == "default" {
        return Ok(None);
    }
    let by = format!("Docker's context '{name}'");
    let host = context_host(&directory.join("contexts/meta"), &name)
        .ok_or_else(|| format!("{by} is not to be found in {}", directory.display()))?;
    Ok(Some(Named { by, address: host.parse() }))
}

fn current_context(directory: &Path) -> Result<Option<String>, String> {
    let path = directory.join("config.json");
    let unreadable = |cause: &dyn std::error::Error| format!("{} cannot be read: {cause}", path.display());
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(cause) if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(cause) => return Err(unreadable(&cause)),
    };
    let config: Value = serde_json::from_slice(&text).map_err(|cause| unreadable(&cause))?;
    Ok(config["currentContext"].as_str().filter(|name| !name.is_empty()).map(str::to_owned))
}

/// Contexts lie in directories named by a hash; the name is inside.
fn context_host(directory: &Path, name: &str) -> Option<String> {
    fs::read_dir(directory).ok()?.flatten().find_map(|entry| {
        let meta: Value = serde_json::from_slice(&fs::read(entry.path().join("meta.json")).ok()?).ok()?;
        let host = meta.pointer("/Endpoints/docker/Host")?.as_str()?;
        (meta["Name"] == name).then(|| host.to_owned())
    })
}

fn usual(variable: &dyn Fn(&str) -> Option<String>, root: &Path) -> Vec<PathBuf> {
    let own = variable("XDG_RUNTIME_DIR").filter(|directory| directory.starts_with('/')).map(PathBuf::from);
    let mut everyones: Vec<_> = fs::read_dir(root.join("run/user"))
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    everyones.sort_unstable();
    let rootful = ROOTFUL.iter().map(|socket| root.join(socket));
    let runtime_directories = own.into_iter().chain(everyones);
    rootful
        .chain(runtime_directories.flat_map(|directory| ROOTLESS.map(|socket| directory.join(socket))))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;

    use super::*;

    /// A directory that stands for `/`, with plain files in place of sockets.
    struct Host {
        root: tempfile::TempDir,
        variables: HashMap<&'static str, String>,
    }

    impl Host {
        fn new() -> Self {
            Self { root: tempfile::tempdir().unwrap(), variables: HashMap::new() }
        }

        fn file(self, path: &str, text: &str) -> Self {
            let path = self.path(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            self
        }

        fn variable(mut self, name: &'static str, value: &str) -> Self {
            self.variables.insert(name, value.to_owned());
            self
        }

        fn context(self, config: &str, host: &str) -> Self {
            let meta = json!({"Name": "rootless", "Endpoints": {"docker": {"Host": host}}}).to_string();
            self.file(&format!("{config}/config.json"), &json!({"currentContext": "rootless"}).to_string())
                .file(&format!("{config}/contexts/meta/0a1b/meta.json"), &meta)
        }

        fn path(&self, path: &str) -> PathBuf {
            self.root.path().join(path)
        }

        /// Addresses with the root cut off, and warnings.
        fn locate(&self) -> (Vec<String>, Vec<String>) {
            let located = locate(&|name| self.variables.get(name).cloned(), self.root.path());
            let root = self.root.path().display().to_string();
            let cut = |text: String| text.replace(&root, "");
            let addresses = located.addresses.iter().map(|address| cut(address.to_string())).collect();
            (addresses, located.warnings.into_iter().map(cut).collect())
        }
    }

    #[test]
    fn an_empty_host_is_silent() {
        assert_eq!(Host::new().locate(), (vec![], vec![]));
    }

    #[test]
    fn the_usual_places_rootful_and_rootless() {
        let host = Host::new()
            .file("run/podman/podman.sock", "")
            .file("run/docker.sock", "")
            .file("run/user/1001/podman/podman.sock", "")
            .file("run/user/1000/docker.sock", "");
        let own = host.path("run/user/1000").display().to_string();
        let host = host.variable("XDG_RUNTIME_DIR", &own);
        let expected = [
            "/run/docker.sock",
            "/run/podman/podman.sock",
            "/run/user/1000/docker.sock",
            "/run/user/1001/podman/podman.sock",
        ];
        assert_eq!(host.locate(), (expected.map(str::to_owned).to_vec(), vec![]));
    }

    #[test]
    fn links_to_one_socket_count_once() {
        let host = Host::new().file("run/docker.sock", "");
        fs::create_dir(host.path("var")).unwrap();
        std::os::unix::fs::symlink("../run", host.path("var/run")).unwrap();
        let named = format!("unix://{}", host.path("run/docker.sock").display());
        let host = host.variable("DOCKER_HOST", &named);
        assert_eq!(host.locate(), (vec!["/run/docker.sock".into()], vec![]));
    }

    #[test]
    fn what_cannot_be_asked_is_a_warning() {
        let host = Host::new()
            .variable("DOCKER_HOST", "ssh://core@builder")
            .variable("CONTAINER_HOST", "unix:///nowhere/podman.sock");
        let warnings = [
            "DOCKER_HOST names an engine that cannot be asked: 'ssh://' is not supported here; unix:// and tcp:// are",
            "CONTAINER_HOST names an engine that cannot be asked: /nowhere/podman.sock: No such file or directory (os error 2)",
        ];
        assert_eq!(host.locate(), (vec![], warnings.map(str::to_owned).to_vec()));
    }

    #[test]
    fn the_context_counts_unless_docker_host_is_given() {
        let host = Host::new().context("home/ann/.docker", "tcp://10.0.0.1:2375");
        let home = host.path("home/ann").display().to_string();
        let host = host.variable("HOME", &home);
        assert_eq!(host.locate().0, ["tcp://10.0.0.1:2375"]);
        let host = host.variable("DOCKER_CONTEXT", "default");
        assert_eq!(host.locate(), (vec![], vec![]));
        let host = host.variable("DOCKER_CONTEXT", "gone");
        assert_eq!(host.locate().1, ["Docker's context 'gone' is not to be found in /home/ann/.docker"]);
        let host = host.variable("DOCKER_HOST", "tcp://10.0.0.2");
        assert_eq!(host.locate().0, ["tcp://10.0.0.2:2375"]);
    }

    #[test]
    fn under_sudo_the_context_of_the_user_behind_it_counts() {
        let host = Host::new()
            .file("etc/passwd", "root:x:0:0::/root:/bin/sh\nann:x:1000:1000:Ann:/home/ann:/bin/sh\n")
            .context("home/ann/.docker", "npipe:////./pipe/docker")
            .variable("SUDO_UID", "1000")
            .variable("HOME", "/nonexistent");
        let (addresses, warnings) = host.locate();
        assert_eq!(addresses, Vec::<String>::new());
        assert!(warnings[0].starts_with("Docker's context 'rootless' names an engine that"), "{warnings:?}");
    }

    #[test]
    fn a_broken_config_is_a_warning() {
        let host = Host::new().file("cfg/config.json", "{");
        let config = host.path("cfg").display().to_string();
        let (_, warnings) = host.variable("DOCKER_CONFIG", &config).locate();
        assert!(warnings[0].starts_with("/cfg/config.json cannot be read: EOF"), "{warnings:?}");
    }
}
