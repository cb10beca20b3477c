//! Which cgroup a container's sockets are told by: its own one in the version 2 hierarchy, and not one that it shares.

use std::collections::HashMap;

use crate::capture::{NoCgroup, Places};
use crate::cli::select::{self, Selection};
use crate::discovery::Origin;
use crate::model::{Container, NetworkMode};
use crate::sys::cgroup::{Cgroup, Error, Hierarchy};

/// The groups that a selection needs.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// By the container's id.
    pub(super) of_containers: HashMap<String, Result<Cgroup, NoCgroup>>,
    /// Those asked for by their paths.
    pub(super) asked: Vec<Cgroup>,
    unknown: Vec<(String, Error)>,
}

impl Groups {
    /// Opens the groups of the selected containers that are heard at their sockets, and those that were asked for.
    pub(super) fn of(selection: &Selection<'_>, places: Places) -> Self {
        let mut groups = Self::default();
        let needs_one = |container: &&&Container| {
            places.cgroup || (container.mode == NetworkMode::Host && places.container)
        };
        for container in selection.containers.iter().filter(needs_one) {
            if let Some(pid) = container.pid {
                groups.of_containers.insert(container.id.clone(), own_group(container, pid));
            }
        }
        for path in &selection.cgroups {
            match Self::open(path) {
                Ok(group) => groups.asked.push(group),
                Err(error) => groups.unknown.push((path.clone(), error)),
            }
        }
        groups
    }

    /// The group of that path.
    pub(super) fn open(path: &str) -> Result<Cgroup, Error> {
        Hierarchy::find()?.open(path)
    }

    /// Why one that was asked for is not there.
    pub(super) fn unknown(&self) -> Option<anyhow::Error> {
        let (path, error) = self.unknown.first()?;
        if error.is_gone() {
            return Some(select::Error::UnknownCgroup(path.clone()).into());
        }
        Hierarchy::find().and_then(|hierarchy| hierarchy.open(path)).err().map(Into::into)
    }
}

/// The group of a container by that of its first process.
pub(in crate::cli) fn own_group(container: &Container, pid: u32) -> Result<Cgroup, NoCgroup> {
    let unseen = |error: Error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        NoCgroup::Unseen(format!("{error}{cause}"))
    };
    let hierarchy = Hierarchy::find().map_err(unseen)?;
    let path = hierarchy.path_of_process(pid).map_err(unseen)?;
    let own = outermost(&path, &container.id).ok_or_else(|| NoCgroup::Shared(path.clone()))?;
    hierarchy.open(own).map_err(unseen)
}

/// The part of a process's path that is the container's own group. Inside it there may be others, of a container that
/// runs systemd.
fn outermost<'p>(path: &'p str, id: &str) -> Option<&'p str> {
    let ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
    let prefixes = ends.map(|end| &path[..end]);
    let names_it = |prefix: &&str| Origin::of_cgroup(prefix).is_some_and(|origin| origin.id == id);
    prefixes.filter(|prefix| !prefix.contains("/..")).find(names_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_told_by_its_own_group_with_all_inside_it() {
        let id = "4f2a".repeat(16);
        let own = |path: &str| outermost(&path.replace('X', &id), &id).map(|found| found.replace(&id, "X"));
        for (path, group) in [
            ("/docker/X", Some("/docker/X")),
            ("/docker/X/init.scope", Some("/docker/X")),
            ("/machine.slice/libpod-X.scope/container", Some("/machine.slice/libpod-X.scope")),
            ("/system.slice/docker.service", None),
            ("/", None),
            ("/../X", None),
        ] {
            assert_eq!(own(path).as_deref(), group, "{path}");
        }
    }
}
