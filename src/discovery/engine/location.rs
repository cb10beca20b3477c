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
    address: Result<Address, String>,
}

/// Looks around. `variable` is the environment, `root` the directory that stands for `/` in the usual places.
pub(super) fn locate(variable: &dyn Fn(&str) -> Option<String>, root: &Path) -> Located {
    let host = Host { variable, root };
    let mut located = Located::default();
    let mut known = HashSet::new();
    for Named { by, address } in host.named(&mut located.warnings) {
        match address.and_then(|address| Ok((identity(&address)?, address))) {
            Ok((identity, address)) if known.insert(identity.clone()) => located.addresses.push(address),
            Ok(_) => {}
            Err(problem) => {
                located.warnings.push(format!("{by} names an engine that cannot be asked: {problem}"));
            }
        }
    }
    for address in host.usual().map(Address::Unix) {
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

/// Where we look.
struct Host<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    root: &'a Path,
}

impl Host<'_> {
    fn value(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    /// `DOCKER_HOST`, or else Docker's context, as the docker command has it; and `CONTAINER_HOST`.
    fn named(&self, warnings: &mut Vec<String>) -> Vec<Named> {
        let variable = |name: &str| Some(Named { by: name.to_owned(), address: address(&self.value(name)?) });
        let docker = variable("DOCKER_HOST").map_or_else(|| self.contexts(warnings), |named| vec![named]);
        docker.into_iter().chain(variable("CONTAINER_HOST")).collect()
    }

    /// The contexts in use; the default one means the usual places.
    fn contexts(&self, warnings: &mut Vec<String>) -> Vec<Named> {
        let directories = self.docker_directories();
        let mut current = |directory: &PathBuf| {
            current_context(&directory.join("config.json")).unwrap_or_else(|problem| {
                warnings.push(problem);
                None
            })
        };
        let mut names = match self.value("DOCKER_CONTEXT") {
            Some(name) => vec![name],
            None => directories.iter().filter_map(&mut current).collect::<Vec<_>>(),
        };
        names.dedup();
        let named = |name: String| {
            let host = directories
                .iter()
                .find_map(|directory| context_host(&directory.join("contexts/meta"), &name));
            let address =
                host.map_or_else(|| Err("there is no such context".to_owned()), |host| address(&host));
            Named { by: format!("Docker's context '{name}'"), address }
        };
        names.into_iter().filter(|name| name != "default").map(named).collect()
    }

    /// Where Docker's client keeps its settings: the user's, and under sudo those of the user behind it.
    fn docker_directories(&self) -> Vec<PathBuf> {
        let below_home = |home: PathBuf| home.join(".docker");
        let own = self.value("DOCKER_CONFIG").map(PathBuf::from);
        let own = own.or_else(|| self.value("HOME").map(PathBuf::from).map(below_home));
        let behind_sudo = self.value("SUDO_UID").and_then(|uid| self.home_of(&uid)).map(below_home);
        own.into_iter().chain(behind_sudo).collect()
    }

    /// A user's home directory by passwd(5). Users that only a directory service knows are not found.
    fn home_of(&self, uid: &str) -> Option<PathBuf> {
        let passwd = fs::read_to_string(self.root.join("etc/passwd")).ok()?;
        let home = passwd.lines().find_map(|line| {
            let fields: Vec<_> = line.split(':').collect();
            (*fields.get(2)? == uid).then_some(*fields.get(5)?)
        })?;
        Some(self.root.join(home.trim_start_matches('/')))
    }

    /// The sockets of rootful engines, of our own rootless ones, and of everybody's whose directory we may enter.
    fn usual(&self) -> impl Iterator<Item = PathBuf> {
        let own = self.value("XDG_RUNTIME_DIR").filter(|directory| directory.starts_with('/'));
        let everyones = fs::read_dir(self.root.join("run/user")).into_iter().flatten().flatten();
        let mut everyones: Vec<_> = everyones.map(|entry| entry.path()).collect();
        everyones.sort_unstable();
        let runtime_directories = own.map(PathBuf::from).into_iter().chain(everyones);
        let rootless =
            runtime_directories.flat_map(|directory| ROOTLESS.map(|socket| directory.join(socket)));
        ROOTFUL.map(|socket| self.root.join(socket)).into_iter().chain(rootless)
    }
}

fn address(text: &str) -> Result<Address, String> {
    text.parse().map_err(|problem: UnusableAddress| problem.to_string())
}

fn current_context(config: &Path) -> Result<Option<String>, String> {
    let unreadable = |cause: &dyn std::error::Error| format!("{} cannot be read: {cause}", config.display());
    let text = match fs::read(config) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|cause| unreadable(&cause))?,
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;

    use super::*;

    /// A directory that stands for `/`, with plain files in place of sockets.
    struct FakeHost {
        root: tempfile::TempDir,
        variables: HashMap<&'static str, String>,
    }

    impl FakeHost {
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
        assert_eq!(FakeHost::new().locate(), (vec![], vec![]));
    }

    #[test]
    fn the_usual_places_rootful_and_rootless() {
        let host = FakeHost::new()
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
        let host = FakeHost::new().file("run/docker.sock", "");
        fs::create_dir(host.path("var")).unwrap();
        std::os::unix::fs::symlink("../run", host.path("var/run")).unwrap();
        let named = format!("unix://{}", host.path("run/docker.sock").display());
        let host = host.variable("DOCKER_HOST", &named);
        assert_eq!(host.locate(), (vec!["/run/docker.sock".into()], vec![]));
    }

    #[test]
    fn what_cannot_be_asked_is_a_warning() {
        let host = FakeHost::new()
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
        let host = FakeHost::new().context("home/ann/.docker", "tcp://10.0.0.1:2375");
        let home = host.path("home/ann").display().to_string();
        let host = host.variable("HOME", &home);
        assert_eq!(host.locate().0, ["tcp://10.0.0.1:2375"]);
        let host = host.variable("DOCKER_CONTEXT", "default");
        assert_eq!(host.locate(), (vec![], vec![]));
        let host = host.variable("DOCKER_CONTEXT", "gone");
        assert_eq!(
            host.locate().1,
            ["Docker's context 'gone' names an engine that cannot be asked: there is no such context"]
        );
        let host = host.variable("DOCKER_HOST", "tcp://10.0.0.2");
        assert_eq!(host.locate().0, ["tcp://10.0.0.2:2375"]);
    }

    #[test]
    fn under_sudo_the_context_of_the_user_behind_it_counts() {
        let host = FakeHost::new()
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
        let host = FakeHost::new().file("cfg/config.json", "{");
        let config = host.path("cfg").display().to_string();
        let (_, warnings) = host.variable("DOCKER_CONFIG", &config).locate();
        assert!(warnings[0].starts_with("/cfg/config.json cannot be read: EOF"), "{warnings:?}");
    }
}
