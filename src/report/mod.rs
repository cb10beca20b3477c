//! Results as text, into any writer; nothing here knows stdout.

mod hex_dump;
mod packet_line;

pub use hex_dump::{DumpFrom, HexDump};
pub use packet_line::{LineStyle, PacketLines, SequenceNumbers, TimeStyle};
