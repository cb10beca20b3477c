//! A tap: one interface that is listened on, under the name it has in the file.

use crate::model::{Link, LinkIndex, NamespaceId};
use crate::sys::netns::{self, Namespace};
use crate::sys::{
    Filter, FrameSource, LibpcapSource, LinkFilter, LinkLayer, Payload, Ring, SourceError, SourceOptions,
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
    /// An interface of the host that was asked for by itself.
    Interface,
}

/// The interface a tap listens on; two taps never share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TapKey {
    /// Its namespace.
    pub namespace: NamespaceId,
    /// Its index there.
    pub index: LinkIndex,
}

/// A tap as it is to be: where it listens and what it is called.
#[derive(Debug, Clone)]
pub struct TapSpec {
    /// On the way of the container.
    pub place: Place,
    /// `web/eth0`, `web@veth1a2b`, `docker0`, `web/lo`.
    pub name: String,
    /// Image, engine, id, network, bridge, namespace.
    pub description: String,
    /// The interface.
    pub link: Link,
    /// The namespace, held open.
    pub namespace: Namespace,
}

impl TapSpec {
    /// What tells it from other taps.
    pub fn key(&self) -> TapKey {
        TapKey { namespace: self.namespace.id(), index: self.link.index }
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
}

impl OpenError {
    /// Whether the interface went away before it could be listened on (`ENODEV`, `ENXIO`).
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Source { source: SourceError::Kernel { source, .. }, .. } => {
                matches!(source.raw_os_error(), Some(6 | 19))
            }
            Self::Source { .. } | Self::Namespace { .. } => false,
        }
    }
}

/// An armed tap.
pub struct OpenTap {
    /// What it is.
    pub spec: TapSpec,
    pub(super) source: Box<dyn FrameSource>,
}

impl OpenTap {
    /// Opens and arms: once this returns, no later frame is missed. To be called in the host's namespace.
    pub fn open(spec: TapSpec, options: &TapOptions) -> Result<Self, OpenError> {
        // Out here: compiling a filter may ask the network for names, and must not ask the container's.
        let filter = options.filter.as_ref().map(|filter| filter.on(spec.link.media)).transpose();
        let opened = match filter {
            Ok(filter) => spec.namespace.within(|| open_source(&spec, options, filter.as_ref())),
            // Whoever may not even enter the namespace is better told that.
            Err(refused) => spec.namespace.within(|| Err(SourceError::from(refused))),
        };
        match opened {
            Ok(Ok(source)) => Ok(Self { spec, source }),
            Ok(Err(source)) => Err(OpenError::Source { name: spec.name, source }),
            Err(source) => Err(OpenError::Namespace { name: spec.name, source }),
        }
    }

    /// Whether the kernel's direction is the opposite of the container's: so at the host's end of its veth.
    pub(super) fn reverses(&self) -> bool {
        self.spec.place == Place::Veth
    }
}

fn open_source(
    spec: &TapSpec,
    options: &TapOptions,
    filter: Option<&LinkFilter>,
) -> Result<Box<dyn FrameSource>, SourceError> {
    let source = SourceOptions {
        link: &spec.link,
        buffer_bytes: options.buffer_bytes,
        snaplen: options.snaplen,
        payload: options.payload,
        filter,
        // A bridge shows frames between its ports only when promiscuous; a container's own end needs no such change.
        promiscuous: options.promiscuous && matches!(spec.place, Place::Bridge | Place::Interface),
        link_layer: options.link_layer,
    };
    Ok(match options.engine {
        EngineChoice::Ring => Box::new(Ring::open(&source)?),
        EngineChoice::Libpcap => Box::new(LibpcapSource::open(&source)?),
    })
}
