//! The frames that are sent: Ethernet, IPv4 and UDP of any size, or a TCP super-packet as a container's stack hands it to
//! its veth. Each carries its number.
//!
//! Datagrams leave user space several at a time, as one packet that the kernel cuts up before it shows them to taps: a
//! system call for each would be most of what a generator does.

/// Where frames go: an address that nobody at the bridge has.
const NOBODY_MAC: [u8; 6] = [0x02, 0x70, 0x63, 0x62, 0xff, 0xfe];

const SOURCE_MAC: [u8; 6] = [0x02, 0x70, 0x63, 0x62, 0, 1];
const ETHERNET: usize = 14;
const IPV4: usize = 20;
const UDP: usize = 8;
/// With the timestamps that Linux puts into each segment.
const TCP: usize = 32;
/// The segments a super-packet stands for: as many of them as fit into 64 KiB.
const SEGMENT: usize = 1448;
const SEGMENTS: usize = 45;
/// What the kernel cuts at once (UDP_MAX_SEGMENTS), and what fits into one IPv4 packet.
const MOST_DATAGRAMS: usize = 128;
const MOST_PAYLOAD: usize = 65_535 - IPV4 - UDP;

/// What a load consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A UDP datagram in a frame of that many bytes, without the checksum at its end.
    Datagram(usize),
    /// 45 TCP segments in one frame, uncut, as offloads leave them on a veth.
    SuperPacket,
}

/// Frames that are handed to the kernel together: a `struct virtio_net_hdr` (packet(7), PACKET_VNET_HDR), which says
/// how they are to be cut, and one packet with the payloads of all.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    /// Where the number of the first frame stands, and how far the next one's is.
    first: usize,
    step: usize,
    frames: usize,
}

impl Shape {
    /// The bytes of the frame between the interfaces.
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Datagram(len) => len,
            Self::SuperPacket => ETHERNET + IPV4 + TCP + SEGMENTS * SEGMENT,
        }
    }

    /// How many frames a batch can have.
    pub(crate) fn most_at_once(self) -> usize {
        match self {
            Self::Datagram(len) => MOST_DATAGRAMS.min(MOST_PAYLOAD / (len - ETHERNET - IPV4 - UDP)),
            Self::SuperPacket => 1,
        }
    }

    /// That many frames; at most [`Self::most_at_once`].
    pub(crate) fn batch(self, frames: usize) -> Batch {
        debug_assert!((1..=self.most_at_once()).contains(&frames));
        let (protocol, transport, payload, cutting) = match self {
            Self::Datagram(len) => {
                let payload = len - ETHERNET - IPV4 - UDP;
                let cutting = if frames > 1 { Cutting::Datagrams } else { Cutting::None };
                (17, udp(UDP + frames * payload), payload, cutting)
            }
            Self::SuperPacket => (6, tcp(), SEGMENTS * SEGMENT, Cutting::Segments),
        };
        let packet = IPV4 + transport.len() + frames * payload;
        let vnet = cutting.header(transport.len(), payload);
        let mut bytes = [vnet, network(protocol, packet), transport].concat();
        let first = bytes.len();
        bytes.resize(first + frames * payload, 0);
        Batch { bytes, first, step: payload, frames }
    }
}

impl Batch {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many frames it becomes.
    pub(crate) fn frames(&self) -> usize {
        self.frames
    }

    /// Gives the frames their numbers, one after the other.
    pub(crate) fn number_from(&mut self, number: u64) {
        for (payload, number) in self.bytes[self.first..].chunks_mut(self.step).zip(number..) {
            payload[..8].copy_from_slice(&number.to_be_bytes());
        }
    }
}

/// How a packet is to be cut into frames (linux/virtio_net.h).
#[derive(Debug, Clone, Copy)]
enum Cutting {
    None,
    Segments,
    Datagrams,
}

impl Cutting {
    fn header(self, transport: usize, payload: usize) -> Vec<u8> {
        let checksum_at = ETHERNET + IPV4;
        let (flags, kind, size, checksum_offset) = match self {
            Self::None => return vec![0; 10],
            Self::Segments => (1, 1, SEGMENT, 16),
            Self::Datagrams => (1, 5, payload, 6),
        };
        let numbers = [checksum_at + transport, size, checksum_at, checksum_offset]
            .map(|number| u16::try_from(number).expect("headers and segments are short").to_ne_bytes());
        [vec![flags, kind], numbers.concat()].concat()
    }
}

/// Ethernet and IPv4 headers of a packet of that length.
fn network(protocol: u8, len: usize) -> Vec<u8> {
    let mut header = vec![0x45, 0];
    header.extend(sixteen(len));
    header.extend([0, 0, 0x40, 0, 64, protocol, 0, 0, 10, 99, 0, 1, 10, 99, 255, 254]);
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    [&NOBODY_MAC[..], &SOURCE_MAC, &[0x08, 0x00], &header].concat()
}

/// From a port nobody uses to the discard port; the checksum is left to others, as on any veth.
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

fn sixteen(number: usize) -> [u8; 2] {
    u16::try_from(number).expect("a length of an IPv4 packet").to_be_bytes()
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).expect("folded twice")
}
