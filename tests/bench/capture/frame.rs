//! The frames that are sent: Ethernet, IPv4 and UDP of any size, or a TCP super-packet as a container's stack hands it to
//! its veth. Each carries its number.

use std::ops::Range;

/// Where frames go: an address that nobody at the bridge has.
const SINK_MAC: [u8; 6] = [0x02, 0x70, 0x63, 0x62, 0xff, 0xfe];

const SOURCE_MAC: [u8; 6] = [0x02, 0x70, 0x63, 0x62, 0, 1];
const ETHERNET: usize = 14;
const IPV4: usize = 20;
/// With the timestamps that Linux puts into each segment.
const TCP: usize = 32;
/// The segments a super-packet stands for: as many of them as fit into 64 KiB.
const SEGMENT: usize = 1448;
const SEGMENTS: usize = 45;
/// `struct virtio_net_hdr`, which goes before a frame that a device is to cut (packet(7), PACKET_VNET_HDR).
const VNET_HEADER: usize = 10;
const VNET_NEEDS_CHECKSUM: u8 = 1;
const VNET_TCP_OVER_IPV4: u8 = 1;

/// What a load consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A UDP datagram in a frame of that many bytes, without the checksum at its end.
    Datagram(usize),
    /// 45 TCP segments in one frame, uncut, as offloads leave them on a veth.
    SuperPacket,
}

/// A frame to be sent, with room for its number.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    bytes: Vec<u8>,
    number: Range<usize>,
}

impl Shape {
    /// The bytes of the frame on the wire between the interfaces.
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Datagram(len) => len,
            Self::SuperPacket => ETHERNET + IPV4 + TCP + SEGMENTS * SEGMENT,
        }
    }

    /// Whether the packet socket must be told how the frame is to be cut.
    pub(crate) fn has_vnet_header(self) -> bool {
        self == Self::SuperPacket
    }

    pub(crate) fn template(self) -> Template {
        let (mut bytes, transport) = match self {
            Self::Datagram(len) => (network(17, len - ETHERNET), udp(len - ETHERNET - IPV4)),
            Self::SuperPacket => ([vnet(), network(6, self.len() - ETHERNET)].concat(), tcp()),
        };
        bytes.extend(transport);
        let number = bytes.len()..bytes.len() + 8;
        let len = self.len() + if self.has_vnet_header() { VNET_HEADER } else { 0 };
        debug_assert!(number.end <= len);
        bytes.resize(len, 0);
        Template { bytes, number }
    }
}

impl Template {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn set_number(&mut self, number: u64) {
        self.bytes[self.number.clone()].copy_from_slice(&number.to_be_bytes());
    }
}

/// Ethernet and IPv4 headers of a packet of that length.
fn network(protocol: u8, len: usize) -> Vec<u8> {
    let mut header = vec![0x45, 0];
    header.extend(sixteen(len));
    header.extend([0, 0, 0x40, 0, 64, protocol, 0, 0, 10, 99, 0, 1, 10, 99, 255, 254]);
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    [&SINK_MAC[..], &SOURCE_MAC, &[0x08, 0x00], &header].concat()
}

/// From a port nobody uses to the discard port; without a checksum, which IPv4 allows.
fn udp(len: usize) -> Vec<u8> {
    [[0xc0, 0x00], [0, 9], sixteen(len), [0, 0]].concat()
}

fn tcp() -> Vec<u8> {
    let data_offset = u8::try_from(TCP / 4).expect("a TCP header is short") << 4;
    let mut header =
        vec![0xc0, 0x00, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1, data_offset, 0x10, 0xff, 0xff, 0, 0, 0, 0];
    header.extend([1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1]);
    debug_assert_eq!(header.len(), TCP);
    header
}

fn vnet() -> Vec<u8> {
    let checksum_start = ETHERNET + IPV4;
    let numbers = [checksum_start + TCP, SEGMENT, checksum_start, 16]
        .map(|number| u16::try_from(number).expect("headers and segments are short").to_ne_bytes());
    [vec![VNET_NEEDS_CHECKSUM, VNET_TCP_OVER_IPV4], numbers.concat()].concat()
}

fn sixteen(number: usize) -> [u8; 2] {
    u16::try_from(number).expect("a length of an IPv4 packet").to_be_bytes()
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).expect("folded twice")
}
