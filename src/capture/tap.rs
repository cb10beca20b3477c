//! A tap: one interface or cgroup that is listened on, under the name it has in the file.

use std::sync::Arc;

use crate::model::{InterfaceAddress, Link, LinkIndex, Mac, MediaType, NamespaceId};
use crate::sys::cgroup::Cgroup;
use crate::sys::netns::{self, Namespace};
use crate::sys::{
    CgroupId, CgroupTap, CgroupTapError, CgroupTapOptions, Filter, FrameSource, LibpcapSource, LinkFilter,
    LinkLayer, Pace, Payload, Posts, Ring, SourceError, SourceOptions,
};

/// A spot on a container's way to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// The interface inside the container.
    Container,
    /// The host's end of its veth.
    Veth,
    /// The bridge that end is a port of.
    Bridge,
    /// The container's loopback.
    Loopback,
    /// The sockets of its cgroup.
    Cgroup,
    /// An interface of the host that was asked for by itself.
    Interface,
}

/// What a tap listens on; two taps never share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TapKey {
    /// An interface.
    Interface {
        /// Its namespace.
        namespace: NamespaceId,
        /// Its index there.
        index: LinkIndex,
    },
    /// The sockets of a cgroup.
    Cgroup(CgroupId),
}

/// Where packets are heard.
#[derive(Debug, Clone)]
pub enum Spot {
    /// At an interface.
    Interface(Link),
    /// At the sockets of a cgroup.
    Cgroup {
        /// The container whose group it is.
        container: Option<String>,
        /// The group.
        cgroup: Cgroup,
        /// The interfaces by which their packets come and go.
        links: Vec<Link>,
    },
}

/// A tap as it is to be: where it listens and what it is called.
#[derive(Debug, Clone)]
pub struct TapSpec {
    /// On the way of the container.
    pub place: Place,
    /// `web/eth0`, `web@veth1a2b`, `docker0`, `web/lo`, `web/cgroup`.
    pub name: String,
    /// Image, engine, id, network, bridge, namespace.
    pub description: String,
    /// The interface or the cgroup.
    pub spot: Spot,
    /// The namespace, held open.
    pub namespace: Namespace,
}

impl TapSpec {
    /// What tells it from other taps.
    pub fn key(&self) -> TapKey {
        match &self.spot {
            Spot::Interface(link) => TapKey::Interface { namespace: self.namespace.id(), index: link.index },
            Spot::Cgroup { cgroup, .. } => TapKey::Cgroup(cgroup.id()),
        }
    }

    /// What frames begin with there. A socket's packets have no link layer.
    pub fn media(&self) -> MediaType {
        self.link().map_or(MediaType::RawIp, |link| link.media)
    }

    /// The interface's hardware address.
    pub fn mac(&self) -> Option<Mac> {
        self.link()?.mac
    }

    /// The interface's addresses.
    pub fn addresses(&self) -> &[InterfaceAddress] {
        self.link().map_or(&[], |link| &link.addresses)
    }

    /// The interface, unless it is the sockets of a cgroup.
    pub fn link(&self) -> Option<&Link> {
        match &self.spot {
            Spot::Interface(link) => Some(link),
            Spot::Cgroup { .. } => None,
        }
    }

    /// The cgroup, unless it is an interface.
    pub fn cgroup(&self) -> Option<&Cgroup> {
        match &self.spot {
            Spot::Cgroup { cgroup, .. } => Some(cgroup),
            Spot::Interface(_) => None,
        }
    }
}

/// How taps are opened.
#[derive(Debug, Clone)]
pub struct TapOptions {
    /// Ring or libpcap.
    pub engine: EngineChoice,
    /// Frames are cut to that many bytes.
    pub snaplen: u32,
    /// Whether what follows the headers is kept.
    pub payload: Payload,
    /// Room for waiting frames in each tap, in bytes.
    pub buffer_bytes: usize,
    /// Which frames pass; every tap has the same filter.
    pub filter: Option<Filter>,
    /// What frames begin with.
    pub link_layer: LinkLayer,
    /// Whether bridges and interfaces of the host are asked for frames for others, too.
    pub promiscuous: bool,
    /// How soon frames are wanted.
    pub pace: Pace,
}

/// Who takes the frames out of the kernel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// Our own ring.
    #[default]
    Ring,
    /// libpcap.
    Libpcap,
}

/// Why a tap is not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its namespace could not be entered.
    #[error("opening the tap {name}")]
    Namespace {
        /// The tap.
        name: String,
        /// What went wrong.
        source: netns::Error,
    },
    /// The interface could not be listened on.
    #[error("opening the tap {name}")]
    Source {
        /// The tap.
        name: String,
        /// What went wrong.
        source: SourceError,
    },
    /// The sockets of the cgroup could not be listened on.
    #[error("opening the tap {name}")]
    Cgroup {
        /// The tap.
        name: String,
        /// What went wrong.
        source: CgroupTapError,
    },
}

impl OpenError {
    /// Whether the interface went away before it could be listened on (`ENODEV`, `ENXIO`).
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Source { source: SourceError::Kernel { source, .. }, .. } => {
                matches!(source.raw_os_error(), Some(6 | 19))
            }
            Self::Cgroup { source, .. } => source.is_gone(),
            Self::Source { .. } | Self::Namespace { .. } => false,
        }
    }
}

/// An armed tap.
pub struct OpenTap {
    /// What it is.
    pub spec: TapSpec,
    /// What it will not hear, in a sentence for the user.
    pub gap: Option<String>,
    /// What is to be told of new interfaces by which the packets of its sockets come and go.
    pub posts: Option<Arc<Posts>>,
    pub(super) source: Box<dyn FrameSource>,
}

impl OpenTap {
    /// Opens and arms: once this returns, no later frame is missed. To be called in the host's namespace.
    pub fn open(spec: TapSpec, options: &TapOptions) -> Result<Self, OpenError> {
        // Out here: compiling a filter may ask the network for names, and must not ask the container's.
        let filter = options.filter.as_ref().map(|filter| filter.on(spec.media())).transpose();
        let opened = match (&spec.spot, filter) {
            (Spot::Interface(link), Ok(filter)) => spec
                .namespace
                .within(|| open_source(&spec, link, options, filter.as_ref()))
                .map(|opened| opened.map_err(Refused::Interface)),
            (Spot::Cgroup { container, cgroup, links }, Ok(filter)) => spec
                .namespace
                .within(|| open_cgroup(container.as_deref(), cgroup, links, options, filter.as_ref()))
                .map(|opened| opened.map_err(Refused::Cgroup)),
            // Whoever may not even enter the namespace is better told that.
            (_, Err(refused)) => {
                spec.namespace.within(|| Err(Refused::Interface(SourceError::from(refused))))
            }
        };
        match opened {
            Ok(Ok(Opened { source, gap, posts })) => Ok(Self { spec, gap, posts, source }),
            Ok(Err(Refused::Interface(source))) => Err(OpenError::Source { name: spec.name, source }),
            Ok(Err(Refused::Cgroup(source))) => Err(OpenError::Cgroup { name: spec.name, source }),
            Err(source) => Err(OpenError::Namespace { name: spec.name, source }),
        }
    }

    /// Whether the kernel's direction is the opposite of the container's: so at the host's end of its veth.
    pub(super) fn reverses(&self) -> bool {
        self.spec.place == Place::Veth
    }
}

/// Who refused.
enum Refused {
    Interface(SourceError),
    Cgroup(CgroupTapError),
}

/// A source, what it will not hear, and what it must be told.
struct Opened {
    source: Box<dyn FrameSource>,
    gap: Option<String>,
    posts: Option<Arc<Posts>>,
}

fn open_source(
    spec: &TapSpec,
    link: &Link,
    options: &TapOptions,
    filter: Option<&LinkFilter>,
) -> Result<Opened, SourceError> {
    let source = SourceOptions {
        link,
        buffer_bytes: options.buffer_bytes,
        snaplen: options.snaplen,
        payload: options.payload,
        filter,
        // A bridge shows frames between its ports only when promiscuous; a container's own end needs no such change.
        promiscuous: options.promiscuous && matches!(spec.place, Place::Bridge | Place::Interface),
        link_layer: options.link_layer,
        pace: options.pace,
    };
    let source: Box<dyn FrameSource> = match options.engine {
        EngineChoice::Ring => Box::new(Ring::open(&source)?),
        EngineChoice::Libpcap => Box::new(LibpcapSource::open(&source)?),
    };
    Ok(Opened { source, gap: None, posts: None })
}

fn open_cgroup(
    container: Option<&str>,
    cgroup: &Cgroup,
    links: &[Link],
    options: &TapOptions,
    filter: Option<&LinkFilter>,
) -> Result<Opened, CgroupTapError> {
    let tap = CgroupTap::open(&CgroupTapOptions {
        cgroup,
        links,
        buffer_bytes: options.buffer_bytes,
        snaplen: options.snaplen,
        payload: options.payload,
        filter,
        link_layer: options.link_layer,
        label: container.map_or(("cgroup", cgroup.path()), |name| ("container", name)),
    })?;
    let gap = tap.posts().err().map(|error| {
        format!(
            "of connections that it closes, the last packets will be missing: {error} ({}); Linux 6.6 has what it takes",
            error.cause()
        )
    });
    let posts = tap.posts().ok().cloned();
    Ok(Opened { source: Box::new(tap), gap, posts })
}
