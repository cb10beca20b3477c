//! Where and why reading a capture file stopped.

use std::{fmt, io};

use pcap_file::pcapng::blocks::block_name;

/// Reading stopped: everything before this byte is sound, nothing after it was looked at.
#[derive(Debug, thiserror::Error)]
#[error("reading {part} at byte {offset}")]
pub struct Error {
    /// Where the part begins, counted from the start of the stream.
    pub offset: u64,
    /// What was being read.
    pub part: Part,
    /// Why it could not be read.
    #[source]
    pub fault: Fault,
}

/// A part of a capture file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The first four bytes, which tell what file it is.
    Magic,
    /// The header of a classic pcap file.
    FileHeader,
    /// A packet of a classic pcap file.
    PacketRecord,
    /// The start of a pcapng block, before its type is known.
    BlockHeader,
    /// A pcapng block, by its type.
    Block(u32),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("the first four bytes"),
            Self::FileHeader => f.write_str("the file header"),
            Self::PacketRecord => f.write_str("a packet"),
            Self::BlockHeader => f.write_str("a block's type and length"),
            Self::Block(block_type) => {
                write!(f, "a block of type {block_type:#x} ({})", block_name(*block_type))
            }
        }
    }
}

/// Why a part could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The stream itself failed.
    #[error(transparent)]
    Stream(io::Error),
    /// Not one byte.
    #[error("the file is empty")]
    Empty,
    /// Another kind of file.
    #[error("{0:02x?} does not begin a capture file")]
    NotACapture([u8; 4]),
    /// A capture file of a kind that is not read.
    #[error("{0} is not supported; Wireshark's editcap converts it")]
    Unsupported(&'static str),
    /// The stream ends inside the part.
    #[error("the file is cut short: {present} of {needed} bytes are there")]
    Cut {
        /// Bytes that are there.
        present: usize,
        /// Bytes the part needs, as far as known.
        needed: usize,
    },
    /// A length beyond all reason.
    #[error("it claims {length} bytes, more than the {limit} that one can have")]
    TooLong {
        /// The claim.
        length: u32,
        /// The most that is read.
        limit: u32,
    },
    /// A block length that no block can have.
    #[error("it claims {0} bytes, but a block has at least 12, in multiples of 4")]
    BlockLength(u32),
    /// The two lengths of a block differ.
    #[error("it claims {head} bytes at its start and {tail} at its end")]
    LengthMismatch {
        /// At its start.
        head: u32,
        /// At its end.
        tail: u32,
    },
    /// Fields that the block must have do not fit into it.
    #[error("its fields do not fit into it")]
    Overrun,
    /// Neither byte order.
    #[error("{0:02x?} tells no byte order")]
    ByteOrder([u8; 4]),
    /// A major version that is not 1.
    #[error("version {0} of the format is not known")]
    Version(u16),
    /// An interface that no block declared.
    #[error("it refers to interface {id}, but {declared} are declared")]
    Undeclared {
        /// The number.
        id: u32,
        /// How many interfaces the section has so far.
        declared: usize,
    },
}
