//! 802.3 frames: the spanning tree that bridges send, and the service access points of all others.

use std::fmt;

use crate::model::Mac;

use super::ethernet::EtherType;
use super::wire::Wire;

/// The service access point of bridges (IEEE 802.1D, 7.12.3).
const SPANNING_TREE: u8 = 0x42;

/// What an 802.3 frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Llc {
    /// A bridge tells its place in the tree.
    SpanningTree {
        /// 0 for 802.1D, 2 for rapid, 3 for multiple spanning trees.
        version: u8,
        /// The sender.
        bridge: BridgeId,
        /// The bridge that the sender takes for the root.
        root: BridgeId,
        /// The sender's port.
        port: u16,
        /// Flags as sent (IEEE 802.1D, 9.3.3).
        flags: u8,
        /// Bytes as the 802.3 length says, without the LLC header.
        length: usize,
    },
    /// A bridge tells the root that the topology changed.
    TopologyChange,
    /// Anything else.
    Other {
        /// Destination service access point.
        destination: u8,
        /// Source service access point.
        source: u8,
        /// Bytes as the 802.3 length says.
        length: usize,
    },
}

/// A bridge: priority and hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BridgeId {
    /// Less wins.
    pub priority: u16,
    /// Settles a tie.
    pub mac: Mac,
}

impl Llc {
    /// Reads a frame whose length stands where others have their type.
    pub(crate) fn read(length: EtherType, wire: Wire<'_>) -> Option<Self> {
        let mut wire = wire.limited(usize::from(length.0));
        let length = wire.length();
        let [destination, source, _control] = wire.array()?;
        if (destination, source) != (SPANNING_TREE, SPANNING_TREE) {
            return Some(Self::Other { destination, source, length });
        }
        Self::read_spanning_tree(wire)
    }

    fn read_spanning_tree(mut wire: Wire<'_>) -> Option<Self> {
        let length = wire.length();
        let [_, _, version, kind] = wire.array()?;
        if kind == 0x80 {
            return Some(Self::TopologyChange);
        }
        let flags = wire.u8()?;
        let root = BridgeId::read(&mut wire)?;
        wire.skip(4); // cost of the way to the root
        let bridge = BridgeId::read(&mut wire)?;
        Some(Self::SpanningTree { version, bridge, root, port: wire.u16()?, flags, length })
    }
}

impl BridgeId {
    fn read(wire: &mut Wire<'_>) -> Option<Self> {
        Some(Self { priority: wire.u16()?, mac: Mac::new(wire.array()?) })
    }
}

/// `8000.02:42:ac:11:00:01`.
impl fmt::Display for BridgeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}.{}", self.priority, self.mac)
    }
}

impl fmt::Display for Llc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::SpanningTree { version, bridge, root, port, flags, length } => {
                let standard = match version {
                    0 => "802.1d, Config",
                    2 => "802.1w, Rapid STP",
                    _ => "802.1s, Multiple STP",
                };
                write!(f, "STP {standard}, Flags ")?;
                if flags == 0 { f.write_str("[none]") } else { write!(f, "[{flags:#04x}]") }?;
                write!(f, ", bridge-id {bridge}.{port:04x}")?;
                if root != bridge {
                    write!(f, ", root {root}")?;
                }
                write!(f, ", length {length}")
            }
            Self::TopologyChange => f.write_str("STP 802.1d, Topology Change"),
            Self::Other { destination, source, length } => {
                write!(f, "LLC, dsap {destination:#04x}, ssap {source:#04x}, length {length}")
            }
        }
    }
}
