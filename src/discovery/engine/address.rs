//! Where one engine listens, in the notation of `DOCKER_HOST` and `CONTAINER_HOST`. Nothing is opened here.

use std::{fmt, path::PathBuf, str::FromStr};

/// Docker's port for plain HTTP, where a `tcp://` address names none.
const PLAIN_PORT: u16 = 2375;

/// The place an engine listens at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// A Unix socket.
    Unix(PathBuf),
    /// Plain HTTP over TCP: an engine that may well run on another machine. Made by parsing only.
    #[non_exhaustive]
    Tcp {
        /// Name or address, IPv6 without brackets.
        host: String,
        /// TCP port.
        port: u16,
    },
}

/// Why an address cannot be asked, in the user's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnusableAddress {
    /// `ssh://`, `npipe://`, `fd://`, …
    #[error("'{scheme}://' is not supported here; unix:// and tcp:// are")]
    Scheme {
        /// The word before `://`.
        scheme: String,
    },
    /// Neither a URL nor a path.
    #[error("'{0}' is not an address like unix:///run/docker.sock or tcp://host:2375")]
    Malformed(String),
}

impl Address {
    /// Whether what it says of processes and paths can be true of this machine.
    pub(super) fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_))
    }

    /// The value of the `Host` header; for a Unix socket it only has to be well formed.
    pub(super) fn authority(&self) -> String {
        match self {
            Self::Unix(_) => "localhost".to_owned(),
            Self::Tcp { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Tcp { host, port } => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(f),
            Self::Tcp { .. } => write!(f, "tcp://{}", self.authority()),
        }
    }
}

impl FromStr for Address {
    type Err = UnusableAddress;

    fn from_str(text: &str) -> Result<Self, UnusableAddress> {
        let malformed = || UnusableAddress::Malformed(text.to_owned());
        match text.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(("tcp" | "http", rest)) => tcp(rest).ok_or_else(malformed),
            Some(("unix", _)) => Err(malformed()),
            Some((scheme, _)) => Err(UnusableAddress::Scheme { scheme: scheme.to_owned() }),
            None if text.starts_with('/') => Ok(Self::Unix(text.into())),
            None => Err(malformed()),
        }
    }
}

/// `host`, `host:port` or `[v6]:port`, with or without a path behind.
fn tcp(rest: &str) -> Option<Address> {
    let authority = rest.split('/').next()?;
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => {
            let (host, tail) = v6.split_once(']')?;
            (host, tail.strip_prefix(':'))
        }
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Ok(PLAIN_PORT), str::parse).ok()?;
    let well_formed = !host.is_empty() && host.chars().all(|c| c.is_ascii_graphic());
    well_formed.then(|| Address::Tcp { host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_docker_host_may_hold() {
        let tcp = |host: &str, port| Ok(Address::Tcp { host: host.to_owned(), port });
        let scheme = |word: &str| Err(UnusableAddress::Scheme { scheme: word.to_owned() });
        let malformed = |text: &str| Err(UnusableAddress::Malformed(text.to_owned()));
        let cases = [
            ("unix:///var/run/docker.sock", Ok(Address::Unix("/var/run/docker.sock".into()))),
            ("/run/podman/podman.sock", Ok(Address::Unix("/run/podman/podman.sock".into()))),
            ("tcp://127.0.0.1:2375", tcp("127.0.0.1", 2375)),
            ("tcp://builder", tcp("builder", 2375)),
            ("tcp://[::1]:4000/path", tcp("::1", 4000)),
            ("ssh://core@host", scheme("ssh")),
            ("npipe:////./pipe/docker_engine", scheme("npipe")),
            ("unix://relative", malformed("unix://relative")),
            ("tcp://:2375", malformed("tcp://:2375")),
            ("tcp://host:port", malformed("tcp://host:port")),
            ("tcp://bücher", malformed("tcp://bücher")),
            ("docker", malformed("docker")),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<Address>(), expected, "{text}");
        }
    }

    #[test]
    fn shows_what_it_can_read_again() {
        for text in ["/run/docker.sock", "tcp://builder:2375", "tcp://[::1]:4000"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }
}
