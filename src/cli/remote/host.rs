//! A host that is reached by ssh, as it is typed: `ssh://[user@]host[:port]`. Pure.

use std::{fmt, str::FromStr};

/// Whom `ssh` is to call. Neither part can be taken for an option of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct RemoteHost {
    user: Option<String>,
    name: String,
    port: Option<u16>,
}

/// What was typed is no such host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::cli) enum InvalidHost {
    #[error("a host is written ssh://[user@]host[:port]")]
    NotSsh,
    #[error("a password does not belong here: ssh asks for it, or an agent has a key")]
    Password,
    #[error("there is nothing to find behind the host: what is behind the '/' belongs to no capture")]
    Path,
    #[error("'{0}' is neither a name nor an address; one of IPv6 stands in brackets: ssh://[fd00::1]")]
    Name(String),
    #[error("'{0}' is no port")]
    Port(String),
}

impl RemoteHost {
    /// `user@host`, as ssh(1) takes it.
    pub(super) fn destination(&self) -> String {
        match &self.user {
            Some(user) => format!("{user}@{}", self.name),
            None => self.name.clone(),
        }
    }

    /// The port, if one was typed; ssh's own configuration may have another one than 22.
    pub(super) const fn port(&self) -> Option<u16> {
        self.port
    }
}

impl FromStr for RemoteHost {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let rest = text.strip_prefix("ssh://").ok_or(InvalidHost::NotSsh)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('/') {
            return Err(InvalidHost::Path);
        }
        let (user, rest) = rest.rsplit_once('@').map_or((None, rest), |(user, rest)| (Some(user), rest));
        if user.is_some_and(|user| user.contains(':')) {
            return Err(InvalidHost::Password);
        }
        let (name, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, "")) => (address, None),
            Some((address, behind)) => {
                (address, Some(behind.strip_prefix(':').ok_or_else(|| InvalidHost::Name(rest.to_owned()))?))
            }
            None => rest.split_once(':').map_or((rest, None), |(name, port)| (name, Some(port))),
        };
        let is_bracketed = rest.starts_with('[');
        let port = match port {
            Some(port) if port.contains(':') => return Err(InvalidHost::Name(rest.to_owned())),
            Some(port) => Some(
                port.parse()
                    .ok()
                    .filter(|port| *port != 0)
                    .ok_or_else(|| InvalidHost::Port(port.to_owned()))?,
            ),
            None => None,
        };
        if !is_word(name) || (name.contains(':') && !is_bracketed) {
            return Err(InvalidHost::Name(name.to_owned()));
        }
        if let Some(user) = user.filter(|user| !is_word(user)) {
            return Err(InvalidHost::Name(user.to_owned()));
        }
        Ok(Self { user: user.map(str::to_owned), name: name.to_owned(), port })
    }
}

/// What `ssh` takes as one word that is no option, and no shell as anything else.
fn is_word(text: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || "-_.:%+\\".contains(c);
    !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain)
}

impl fmt::Display for RemoteHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ssh://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.name.contains(':') {
            write!(f, "[{}]", self.name)?;
        } else {
            f.write_str(&self.name)?;
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_a_name_and_may_have_a_user_and_a_port() {
        for (text, destination, port) in [
            ("ssh://web1", "web1", None),
            ("ssh://root@web1.example:2222", "root@web1.example", Some(2222)),
            ("ssh://10.0.0.9/", "10.0.0.9", None),
            ("ssh://me@[fd00::1]:22", "me@fd00::1", Some(22)),
            ("ssh://[fe80::1%eth0]", "fe80::1%eth0", None),
            ("ssh://me@corp@web1", "", None),
        ] {
            let host = text.parse::<RemoteHost>();
            if destination.is_empty() {
                assert!(host.is_err(), "{text}");
                continue;
            }
            let host = host.unwrap();
            assert_eq!((host.destination().as_str(), host.port()), (destination, port), "{text}");
            assert_eq!(host.to_string(), text.trim_end_matches('/'), "and back");
        }
    }

    #[test]
    fn what_ssh_would_misunderstand_is_refused() {
        for (text, error) in [
            ("web1", InvalidHost::NotSsh),
            ("tcp://web1:2375", InvalidHost::NotSsh),
            ("ssh://me:secret@web1", InvalidHost::Password),
            ("ssh://web1/var/run/docker.sock", InvalidHost::Path),
            ("ssh://", InvalidHost::Name(String::new())),
            ("ssh://-oProxyCommand=x", InvalidHost::Name("-oProxyCommand=x".to_owned())),
            ("ssh://-lx@web1", InvalidHost::Name("-lx".to_owned())),
            ("ssh://a b", InvalidHost::Name("a b".to_owned())),
            ("ssh://fd00::1", InvalidHost::Name("fd00::1".to_owned())),
            ("ssh://web1:ssh", InvalidHost::Port("ssh".to_owned())),
            ("ssh://web1:0", InvalidHost::Port("0".to_owned())),
            ("ssh://[fd00::1]x", InvalidHost::Name("[fd00::1]x".to_owned())),
        ] {
            assert_eq!(text.parse::<RemoteHost>(), Err(error), "{text}");
        }
    }
}
