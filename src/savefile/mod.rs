//! Capture files, written and read: pcapng and classic pcap.
//!
//! Bytes in, bytes out: nothing here opens a file, reads a clock or knows what a packet means. [`Encoder`] appends
//! to memory that its caller writes where it likes; [`Reader`] reads any stream, whole, cut short or hostile.
//!
//! The formats: <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html> and
//! <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html>.

mod clock;
mod encoder;
mod error;
mod fields;
mod gathered;
mod journal;
mod magic;
mod pcap_encoder;
mod pcap_reader;
mod pcapng_encoder;
mod pcapng_reader;
mod reader;
mod record;
mod source;
#[cfg(test)]
mod tests;

pub use encoder::{Encoder, Format, MAX_SNAPLEN};
pub use error::{Error, Fault, Part};
pub use gathered::{Gathered, HUGE_PAGE, PAGE, place_in_page};
pub use magic::is_capture;
pub use reader::Reader;
pub use record::{
    Event, Interface, InterfaceId, LinkType, Packet, PacketOptions, Process, Record, Section, Statistics,
    TLS_KEY_LOG,
};
