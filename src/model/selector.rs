//! The words that name containers and interfaces on every command line.

use std::{fmt, path::PathBuf, str::FromStr};

use super::{Container, InvalidLinkName, LinkName, NetworkMode};

/// One word of a selection; several add up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// `web`: the exact name, or else a prefix of the id.
    Word(String),
    /// The exact name and nothing else; made, not typed.
    ExactName(String),
    /// `name=web-*`.
    Name(Pattern),
    /// `id=4f2`: a prefix of the id.
    Id(String),
    /// `image=nginx`: the image with or without registry and tag.
    Image(Pattern),
    /// `label=key` or `label=key=value`.
    Label {
        /// The label's key.
        key: String,
        /// Its value; `None`: any.
        value: Option<String>,
    },
    /// `network=app`.
    Network(Pattern),
    /// `project=shop`: a Compose project.
    Project(Pattern),
    /// `service=db`: a Compose service.
    Service(Pattern),
    /// That service of that Compose project; made, not typed.
    ServiceOf {
        /// The project's name.
        project: String,
        /// The service's.
        service: String,
    },
    /// `pod=web`.
    Pod(Pattern),
    /// `pid=123`: whatever namespace that process is in.
    Pid(u32),
    /// `netns=/run/netns/x`, or a bare name below /run/netns.
    Netns(PathBuf),
    /// `mode=host`.
    Mode(NetworkMode),
    /// `bridge=docker0`: that bridge itself, not the containers on it.
    Bridge(LinkName),
    /// `if=eth0`: that interface of the host.
    Interface(LinkName),
    /// `cgroup=/system.slice/nginx.service`: that group, by its path in the version 2 hierarchy or in the file system.
    Cgroup(String),
    /// `all`: every container.
    All,
}

/// Not a selector; the message says which words there are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSelector {
    /// `key=` without a value.
    #[error("'{0}' lacks a value after '='")]
    Empty(String),
    /// A key nobody knows.
    #[error(
        "'{0}=' is not a selector: use name, id, image, label, network, project, service, pod, pid, netns, mode, \
         bridge, if or cgroup"
    )]
    UnknownKey(String),
    /// `pid=` with something that is not a process id.
    #[error("'{0}' is not a process id")]
    Pid(String),
    /// `bridge=` or `if=` with a name no interface can have.
    #[error(transparent)]
    Link(#[from] InvalidLinkName),
}

impl Selector {
    /// Whether this word picks that container. `Bridge`, `Interface` and `Cgroup` pick none; `Pid` picks by the first process
    /// only (the caller compares namespaces for the rest); `Word` compares the name exactly and the id by prefix.
    pub fn matches(&self, container: &Container) -> bool {
        match self {
            Self::Word(word) => container.name == *word || container.id.starts_with(word.as_str()),
            Self::ExactName(name) => container.name == *name,
            Self::Name(pattern) => pattern.matches(&container.name),
            Self::Id(prefix) => container.id.starts_with(prefix.as_str()),
            Self::Image(pattern) => container
                .image
                .as_deref()
                .is_some_and(|image| image_names(image).any(|name| pattern.matches(name))),
            Self::Label { key, value } => container
                .labels
                .get(key)
                .is_some_and(|found| value.as_ref().is_none_or(|wanted| wanted == found)),
            Self::Network(pattern) => {
                container.networks.iter().any(|membership| pattern.matches(&membership.network))
            }
            Self::Project(pattern) => container.project().is_some_and(|name| pattern.matches(name)),
            Self::Service(pattern) => container.service().is_some_and(|name| pattern.matches(name)),
            Self::ServiceOf { project, service } => {
                container.project() == Some(project) && container.service() == Some(service)
            }
            Self::Pod(pattern) => container.pod.as_deref().is_some_and(|name| pattern.matches(name)),
            Self::Pid(pid) => container.pid == Some(*pid),
            Self::Netns(path) => {
                container.namespace_paths.iter().any(|found| found.as_str() == path.as_os_str())
            }
            Self::Mode(mode) => container.mode == *mode,
            Self::All => true,
            Self::Bridge(_) | Self::Interface(_) | Self::Cgroup(_) => false,
        }
    }

    /// Whether it names an interface of the host and no container.
    pub fn is_interface(&self) -> bool {
        matches!(self, Self::Bridge(_) | Self::Interface(_))
    }
}

impl FromStr for Selector {
    type Err = InvalidSelector;

    fn from_str(text: &str) -> Result<Self, InvalidSelector> {
        let Some((key, value)) = text.split_once('=') else {
            return match text {
                "" => Err(InvalidSelector::Empty(text.to_owned())),
                "all" => Ok(Self::All),
                word => Ok(Self::Word(word.to_owned())),
            };
        };
        if value.is_empty() {
            return Err(InvalidSelector::Empty(text.to_owned()));
        }
        let pattern = || Pattern::new(value);
        Ok(match key {
            "name" => Self::Name(pattern()),
            "id" => Self::Id(value.to_owned()),
            "image" => Self::Image(pattern()),
            "label" => match value.split_once('=') {
                Some((key, value)) => Self::Label { key: key.to_owned(), value: Some(value.to_owned()) },
                None => Self::Label { key: value.to_owned(), value: None },
            },
            "network" => Self::Network(pattern()),
            "project" => Self::Project(pattern()),
            "service" => Self::Service(pattern()),
            "pod" => Self::Pod(pattern()),
            "pid" => Self::Pid(value.parse().map_err(|_| InvalidSelector::Pid(value.to_owned()))?),
            "netns" if value.contains('/') => Self::Netns(PathBuf::from(value)),
            "netns" => Self::Netns(PathBuf::from("/run/netns").join(value)),
            "mode" => match value.parse() {
                Ok(mode) => Self::Mode(mode),
                Err(never) => match never {},
            },
            "bridge" => Self::Bridge(value.parse()?),
            "if" => Self::Interface(value.parse()?),
            "cgroup" => Self::Cgroup(value.to_owned()),
            other => return Err(InvalidSelector::UnknownKey(other.to_owned())),
        })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) | Self::ExactName(word) => f.write_str(word),
            Self::Name(pattern) => write!(f, "name={pattern}"),
            Self::Id(prefix) => write!(f, "id={prefix}"),
            Self::Image(pattern) => write!(f, "image={pattern}"),
            Self::Label { key, value: Some(value) } => write!(f, "label={key}={value}"),
            Self::Label { key, value: None } => write!(f, "label={key}"),
            Self::Network(pattern) => write!(f, "network={pattern}"),
            Self::Project(pattern) => write!(f, "project={pattern}"),
            Self::Service(pattern) => write!(f, "service={pattern}"),
            Self::ServiceOf { project, service } => write!(f, "service={service} of project={project}"),
            Self::Pod(pattern) => write!(f, "pod={pattern}"),
            Self::Pid(pid) => write!(f, "pid={pid}"),
            Self::Netns(path) => write!(f, "netns={}", path.display()),
            Self::Mode(mode) => write!(f, "mode={mode}"),
            Self::Bridge(name) => write!(f, "bridge={name}"),
            Self::Interface(name) => write!(f, "if={name}"),
            Self::Cgroup(path) => write!(f, "cgroup={path}"),
            Self::All => f.write_str("all"),
        }
    }
}

/// A shell-like pattern: `*` any run of characters, `?` any one, anything else itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Every text is a pattern.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether the whole of `text` fits.
    pub fn matches(&self, text: &str) -> bool {
        wildmatch::WildMatch::new(&self.0).matches(text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `quay.io/org/nginx:1.27@sha256:…` is also known as `org/nginx:1.27`, `nginx:1.27` and without the tag.
fn image_names(image: &str) -> impl Iterator<Item = &str> {
    let tagged = image.split_once('@').map_or(image, |(name, _)| name);
    let suffixes = std::iter::successors(Some(tagged), |name| name.split_once('/').map(|(_, rest)| rest));
    let untagged = |name: &'_ str| -> usize {
        name.rfind(':').filter(|colon| !name[*colon..].contains('/')).unwrap_or(name.len())
    };
    std::iter::once(image).chain(suffixes.flat_map(move |name| [name, &name[..untagged(name)]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_parses_and_prints_back() {
        for text in [
            "web",
            "name=web-*",
            "id=4f2",
            "image=nginx",
            "label=k",
            "label=k=v",
            "label=k=v=w",
            "network=app",
            "project=shop",
            "service=db",
            "pod=p",
            "pid=123",
            "netns=/run/netns/x",
            "mode=host",
            "bridge=docker0",
            "if=eth0",
            "cgroup=/system.slice/nginx.service",
            "all",
        ] {
            let selector: Selector = text.parse().unwrap();
            assert_eq!(selector.to_string(), text);
        }
        assert_eq!("netns=x".parse::<Selector>().unwrap().to_string(), "netns=/run/netns/x");
    }

    #[test]
    fn wrong_words_are_refused_with_the_reason() {
        assert_eq!("name=".parse::<Selector>(), Err(InvalidSelector::Empty("name=".into())));
        assert_eq!("color=red".parse::<Selector>(), Err(InvalidSelector::UnknownKey("color".into())));
        assert_eq!("pid=x".parse::<Selector>(), Err(InvalidSelector::Pid("x".into())));
        assert!(matches!("if=way-too-long-a-name".parse::<Selector>(), Err(InvalidSelector::Link(_))));
    }

    #[test]
    fn an_image_is_known_by_its_shorter_names() {
        let names = |image| image_names(image).collect::<Vec<_>>();
        assert!(names("quay.io:5000/org/nginx:1.27").contains(&"nginx"));
        assert!(names("quay.io:5000/org/nginx:1.27").contains(&"org/nginx"));
        assert!(names("quay.io:5000/org/nginx:1.27").contains(&"nginx:1.27"));
        assert!(names("nginx@sha256:0a").contains(&"nginx"));
        assert!(!names("quay.io:5000/nginx").contains(&"quay.io"));
    }
}
