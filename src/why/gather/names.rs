//! A container's files on names.

use std::{net::IpAddr, path::Path};

use crate::model::Container;
use crate::sys::read_inside;
use crate::why::facts::Names;

/// Reads them as the container's first process sees them.
pub(super) fn read(container: &Container) -> Names {
    let Some(pid) = container.pid else { return Names::default() };
    let Ok(resolver) = read_inside(pid, Path::new("/etc/resolv.conf")) else {
        return Names::default();
    };
    let hosts = read_inside(pid, Path::new("/etc/hosts")).unwrap_or_default();
    parse(&resolver, &hosts)
}

fn parse(resolver: &str, hosts: &str) -> Names {
    let mut names = Names { read: true, ..Names::default() };
    for line in resolver.lines() {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("nameserver") => names.servers.extend(words.next().map(str::to_owned)),
            Some("search" | "domain") => names.search = words.map(str::to_owned).collect(),
            _ => {}
        }
    }
    for line in hosts.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let address: Option<IpAddr> = words.next().and_then(|word| word.parse().ok());
        if let Some(address) = address {
            names.hosts.push((address, words.map(str::to_owned).collect()));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_are_read_leniently() {
        let names = parse(
            "# x\nnameserver 127.0.0.11\nsearch a b\nnameserver\n",
            "127.0.0.1 localhost\n# y\nbad line\n::1 l6 # z\n",
        );
        assert_eq!(
            (names.servers, names.search),
            (vec!["127.0.0.11".to_owned()], vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!(names.hosts.len(), 2);
        assert_eq!(names.hosts[1], ("::1".parse().unwrap(), vec!["l6".to_owned()]));
    }
}
