//! Other programs of the system: where they are, also for a user whose PATH leaves the administrator's directories out.

use std::{env, os::unix::fs::PermissionsExt, path::Path, path::PathBuf};

/// Where distributions keep programs that change the network.
const ADMINISTRATORS: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin"];

/// The program of that name: the first in PATH, else in one of the administrator's directories.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let listed: Vec<PathBuf> = env::split_paths(&path).filter(|directory| directory.is_absolute()).collect();
    let everywhere = listed.into_iter().chain(ADMINISTRATORS.iter().map(PathBuf::from));
    everywhere.map(|directory| directory.join(name)).find(|candidate| is_executable(candidate))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_by_name() {
        assert!(find("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(find("no-such-program-anywhere"), None);
    }
}
