//! Kernel settings as one network namespace has them, read and changed.

use std::{fs, io, path::PathBuf};

use super::netns::{self, Namespace};

/// What can go wrong with a setting.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Error {
    #[error("reading the setting '{0}': not the name of a network setting")]
    Name(String),
    #[error("reading the setting '{name}'")]
    Read { name: String, source: io::Error },
    #[error("reading the setting '{name}'")]
    Enter { name: String, source: netns::Error },
    #[error("setting '{name}' to {value}")]
    Write { name: String, value: String, source: io::Error },
}

/// Reads a setting below `net`, such as `net.ipv4.ip_forward`, inside a namespace; without the line's end.
///
/// Names are those of `sysctl(8)`: an interface name with a dot is written `net.ipv4.conf.eth0/100.rp_filter`, or all
/// separators are slashes. The kernel answers by the namespace of the thread that opens the file.
pub fn read(namespace: &Namespace, name: &str) -> Result<String, Error> {
    let path = path_of(name).ok_or_else(|| Error::Name(name.to_owned()))?;
    let text = namespace
        .within(|| fs::read_to_string(path))
        .map_err(|source| Error::Enter { name: name.to_owned(), source })?
        .map_err(|source| Error::Read { name: name.to_owned(), source })?;
    Ok(text.trim_end().to_owned())
}

/// What a setting was before it was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// This kernel has no such setting.
    Missing,
    /// It had that value already: nothing was written, which works where the settings are read-only too.
    Same,
    /// Another value.
    Other(String),
}

/// Sets a setting in the calling thread's namespace, if it is not so already. `before_writing` hears the value that it
/// is about to replace.
pub fn set<E: From<Error>>(
    name: &str,
    value: &str,
    before_writing: impl FnOnce(&str) -> Result<(), E>,
) -> Result<Before, E> {
    let path = path_of(name).ok_or_else(|| Error::Name(name.to_owned()))?;
    let before = match fs::read_to_string(&path) {
        Ok(text) => text.trim_end().to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Before::Missing),
        Err(source) => return Err(Error::Read { name: name.to_owned(), source }.into()),
    };
    if before == value {
        return Ok(Before::Same);
    }
    before_writing(&before)?;
    let failed = |source| Error::Write { name: name.to_owned(), value: value.to_owned(), source };
    fs::write(&path, value).map_err(failed)?;
    Ok(Before::Other(before))
}

/// Reads a setting of the calling thread's namespace; none where this kernel has no such setting or it cannot be read.
pub fn own(name: &str) -> Option<String> {
    fs::read_to_string(path_of(name)?).ok().map(|text| text.trim_end().to_owned())
}

fn path_of(name: &str) -> Option<PathBuf> {
    let slashed = match name.find(['.', '/'])? {
        first if name[first..].starts_with('/') => name.to_owned(),
        _ => name.chars().map(swap_separators).collect(),
    };
    let inside =
        slashed.starts_with("net/") && slashed.split('/').all(|part| !["", ".", ".."].contains(&part));
    inside.then(|| PathBuf::from("/proc/sys").join(slashed))
}

fn swap_separators(c: char) -> char {
    match c {
        '.' => '/',
        '/' => '.',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_paths_as_in_sysctl() {
        let path = |name| path_of(name).map(|path| path.to_string_lossy().into_owned());
        assert_eq!(path("net.ipv4.ip_forward").as_deref(), Some("/proc/sys/net/ipv4/ip_forward"));
        assert_eq!(
            path("net/ipv4/conf/a.1/rp_filter").as_deref(),
            Some("/proc/sys/net/ipv4/conf/a.1/rp_filter")
        );
        assert_eq!(
            path("net.ipv4.conf.a/1.rp_filter").as_deref(),
            Some("/proc/sys/net/ipv4/conf/a.1/rp_filter")
        );
        for bad in ["", "net", "kernel.hostname", "net/../kernel/hostname", "net..ipv4", "/net/ipv4"] {
            assert_eq!(path(bad), None, "{bad}");
        }
    }
}
