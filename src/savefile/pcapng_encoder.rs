//! pcapng: packet blocks by hand, because they are the hot path; the rare blocks through the pcap-file crate.

use std::{borrow::Cow, mem, net::IpAddr, time::Duration};

use pcap_file::{
    DataLink, Endianness,
    pcapng::{
        PcapNgBlock, PcapNgWriter,
        blocks::{
            ENHANCED_PACKET_BLOCK,
            interface_description::{
                InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
            },
            interface_statistics::{InterfaceStatisticsBlock, InterfaceStatisticsOption},
            name_resolution::{Ipv4Record, Ipv6Record, NameResolutionBlock, Record},
            opt_common::CommonOption,
            section_header::{SectionHeaderBlock, SectionHeaderOption},
            systemd_journal_export::SystemdJournalExportBlock,
        },
    },
};

use super::{
    Interface, InterfaceId, PacketOptions, Section, Statistics, TLS_KEY_LOG,
    encoder::{lengths, put_frame, put_words},
    gathered::Gathered,
    journal,
};
use crate::model::{Direction, Frame, InterfaceAddress, Mac};

/// What an enhanced packet block has beside data and options (bytes).
const PACKET_FRAME: u32 = 32;
/// The block that the crate does not know, and what it has beside data (bytes).
const DECRYPTION_SECRETS_BLOCK: u32 = 0x0a;
const SECRETS_FRAME: u32 = 20;
/// The longest text in an option: its length has 16 bits, and a filter has one byte before its text.
const MAX_TEXT: usize = u16::MAX as usize - 1;
/// The longest name in a name record: such a record also holds an address, and its length has 16 bits.
const MAX_NAME: usize = 1024;

// Options of an enhanced packet block: the code of the one of any length, the heads of the others.
const COMMENT: u32 = 1;
const END: u32 = option_head(0, 0);
const FLAGS: u32 = option_head(2, 4);
const DROP_COUNT: u32 = option_head(4, 8);
const PACKET_ID: u32 = option_head(5, 8);
const PROCESS: u32 = option_head(8, 8);

/// Lays out pcapng, least significant byte first.
pub(super) struct PcapngEncoder {
    writer: PcapNgWriter<Gathered>,
    snaplen: u32,
}

impl PcapngEncoder {
    pub(super) fn new(snaplen: u32) -> Self {
        let mut writer = PcapNgWriter::with_endianness(Gathered::default(), Endianness::Little)
            .expect("writing into memory does not fail");
        // The writer cannot exist without a section header of its own; ours comes with `section`.
        writer.get_mut().clear(0);
        Self { writer, snaplen }
    }

    pub(super) fn replace(&mut self, memory: Gathered) -> Gathered {
        mem::replace(self.writer.get_mut(), memory)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.writer.get_ref().bytes()
    }

    #[inline]
    pub(super) fn room(&self) -> &[u8] {
        self.writer.get_ref().room()
    }

    pub(super) fn clear(&mut self, offset: u64) {
        self.writer.get_mut().clear(offset);
    }

    pub(super) fn section(&mut self, section: &Section) {
        let Section { hardware, os, application, comment } = section;
        let options = [
            text(hardware).map(SectionHeaderOption::Hardware),
            text(os).map(SectionHeaderOption::OS),
            text(application).map(SectionHeaderOption::UserApplication),
            text(comment).map(|comment| SectionHeaderOption::Common(CommonOption::Comment(comment))),
        ];
        self.append(SectionHeaderBlock {
            endianness: Endianness::Little,
            options: options.into_iter().flatten().collect(),
            ..SectionHeaderBlock::default()
        });
    }

    pub(super) fn interface(&mut self, interface: &Interface) -> InterfaceId {
        let id = InterfaceId::new(self.declared());
        self.append(InterfaceDescriptionBlock {
            linktype: DataLink::from(u32::from(interface.link_type.number())),
            snaplen: self.snaplen,
            options: interface_options(interface),
        });
        id
    }

    pub(super) fn names<'n>(&mut self, names: impl IntoIterator<Item = (IpAddr, &'n str)>) {
        let records: Vec<_> =
            names.into_iter().filter_map(|(address, name)| name_record(address, name)).collect();
        if !records.is_empty() {
            self.append(NameResolutionBlock { records, options: Vec::new() });
        }
    }

    #[inline]
    pub(super) fn packet(&mut self, interface: InterfaceId, frame: &Frame<'_>, options: &PacketOptions<'_>) {
        self.assert_declared(interface);
        match flags(frame.direction) {
            _ if !options.is_empty() => self.packet_with_options(interface, frame, options),
            Some(flags) => {
                put_words(self.packet_block(interface, frame, 12), [FLAGS, flags, END]);
            }
            None => {
                self.packet_block(interface, frame, 0);
            }
        }
    }

    /// Few packets are like that: this is to stay out of the way of the others.
    #[cold]
    fn packet_with_options(
        &mut self,
        interface: InterfaceId,
        frame: &Frame<'_>,
        options: &PacketOptions<'_>,
    ) {
        let flags = flags(frame.direction);
        let flags_len = if flags.is_some() { 8 } else { 0 };
        let mut out = self.packet_block(interface, frame, flags_len + options_len(options) + 4);
        if let Some(flags) = flags {
            out = put_words(out, [FLAGS, flags]);
        }
        put_words(put_packet_options(out, options), [END]);
    }

    /// A packet's block, up to its options: answers with the room for them, which is to be filled.
    #[inline]
    fn packet_block(&mut self, interface: InterfaceId, frame: &Frame<'_>, options_len: u32) -> &mut [u8] {
        let (captured, original) = lengths(frame, self.snaplen);
        let (time_high, time_low) = halves(frame.time_ns);
        let data_len = captured.next_multiple_of(4);
        let length = PACKET_FRAME + data_len + options_len;

        let out = self.writer.get_mut().append(length as usize);
        let head =
            [ENHANCED_PACKET_BLOCK, length, interface.number(), time_high, time_low, captured, original];
        let (data, options_and_end) = put_words(out, head).split_at_mut(data_len as usize);
        put_padded(data, captured as usize, |data| put_frame(data, frame));
        let (options, end) = options_and_end.split_at_mut(options_len as usize);
        put_words(end, [length]);
        options
    }

    pub(super) fn event(&mut self, time_ns: u64, fields: &[(&str, &str)]) {
        self.append(SystemdJournalExportBlock { journal_entry: Cow::Owned(journal::entry(time_ns, fields)) });
    }

    pub(super) fn key_log(&mut self, lines: &[u8]) {
        let data_len = word(lines.len()).next_multiple_of(4);
        let length = SECRETS_FRAME + data_len;
        let out = self.writer.get_mut().append(length as usize);
        let head = [DECRYPTION_SECRETS_BLOCK, length, TLS_KEY_LOG, word(lines.len())];
        let (data, end) = put_words(out, head).split_at_mut(data_len as usize);
        put_padded(data, lines.len(), |data| data.copy_from_slice(lines));
        put_words(end, [length]);
    }

    pub(super) fn statistics(&mut self, interface: InterfaceId, statistics: &Statistics) {
        self.assert_declared(interface);
        let end = Duration::from_nanos(statistics.end_ns);
        let start = statistics.start_ns.map(Duration::from_nanos);
        let options = [
            start.map(InterfaceStatisticsOption::IsbStartTime),
            Some(InterfaceStatisticsOption::IsbEndTime(end)),
            statistics.received.map(InterfaceStatisticsOption::IsbIfRecv),
            statistics.dropped.map(InterfaceStatisticsOption::IsbIfDrop),
            statistics.accepted.map(InterfaceStatisticsOption::IsbFilterAccept),
            statistics.os_dropped.map(InterfaceStatisticsOption::IsbOsDrop),
            statistics.delivered.map(InterfaceStatisticsOption::IsbUsrDeliv),
        ];
        self.append(InterfaceStatisticsBlock {
            interface_id: interface.number(),
            timestamp: end,
            options: options.into_iter().flatten().collect(),
        });
    }

    fn append<'b>(&mut self, block: impl PcapNgBlock<'b>) {
        self.writer
            .write_pcapng_block(block)
            .expect("every text fits its length field, memory takes every byte");
    }

    fn declared(&self) -> u32 {
        word(self.writer.interfaces().len())
    }

    fn assert_declared(&self, interface: InterfaceId) {
        assert!(
            interface.number() < self.declared(),
            "an interface is declared in the file that refers to it"
        );
    }
}

fn interface_options(interface: &Interface) -> Vec<InterfaceDescriptionOption<'_>> {
    let mac = |mac: Mac| InterfaceDescriptionOption::IfMacAddr(mac.bytes().to_vec().into());
    // A 0 byte says that the filter follows as text.
    let filter =
        |text: Cow<'_, str>| InterfaceDescriptionOption::IfFilter([b"\0", text.as_bytes()].concat().into());
    let options = [
        Some(InterfaceDescriptionOption::IfTsResol(InterfaceTsResolution::NANO)),
        text(&interface.name).map(InterfaceDescriptionOption::IfName),
        text(&interface.description).map(InterfaceDescriptionOption::IfDescription),
        interface.mac.map(mac),
        interface.speed.map(InterfaceDescriptionOption::IfSpeed),
        text(&interface.filter).map(filter),
    ];
    options.into_iter().flatten().chain(interface.addresses.iter().map(address_option)).collect()
}

/// IPv4 with its netmask, IPv6 with the length of its prefix.
fn address_option(address: &InterfaceAddress) -> InterfaceDescriptionOption<'_> {
    match address.address {
        IpAddr::V4(ip) => {
            let host_bits = 32_u32.saturating_sub(address.prefix.into());
            let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
            let bytes = [ip.octets(), mask.to_be_bytes()].as_flattened().to_vec();
            InterfaceDescriptionOption::IfIpv4Addr(bytes.into())
        }
        IpAddr::V6(ip) => {
            let mut bytes = ip.octets().to_vec();
            bytes.push(address.prefix);
            InterfaceDescriptionOption::IfIpv6Addr(bytes.into())
        }
    }
}

/// A name cannot hold the NUL that ends it; one that is empty has no record.
fn name_record(address: IpAddr, name: &str) -> Option<Record<'_>> {
    let name = name.split('\0').next().filter(|name| !name.is_empty())?;
    let names = vec![Cow::Borrowed(&name[..name.floor_char_boundary(MAX_NAME)])];
    Some(match address {
        IpAddr::V4(ip_addr) => Record::Ipv4(Ipv4Record { ip_addr, names }),
        IpAddr::V6(ip_addr) => Record::Ipv6(Ipv6Record { ip_addr, names }),
    })
}

/// Which way a packet went, as `epb_flags` has it (its lowest two bits).
#[inline]
const fn flags(direction: Direction) -> Option<u32> {
    match direction {
        Direction::Unknown => None,
        Direction::In => Some(1),
        Direction::Out => Some(2),
    }
}

/// How long these options are, the end of the list not included.
fn options_len(options: &PacketOptions<'_>) -> u32 {
    let number = |given: bool| if given { 12 } else { 0 };
    let numbers =
        number(options.drops > 0) + number(options.packet_id.is_some()) + number(options.process.is_some());
    let comment = text(options.comment).map_or(0, |comment| 4 + word(comment.len()).next_multiple_of(4));
    numbers + comment
}

fn put_packet_options<'o>(mut out: &'o mut [u8], options: &PacketOptions<'_>) -> &'o mut [u8] {
    if options.drops > 0 {
        out = put_number(out, DROP_COUNT, options.drops);
    }
    if let Some(id) = options.packet_id {
        out = put_number(out, PACKET_ID, id);
    }
    if let Some(process) = options.process {
        out = put_words(out, [PROCESS, process.pid, process.tid]);
    }
    if let Some(comment) = text(options.comment) {
        out = put_words(out, [option_head(COMMENT, word(comment.len()))]);
        let (here, rest) = out.split_at_mut(comment.len().next_multiple_of(4));
        put_padded(here, comment.len(), |here| here.copy_from_slice(comment.as_bytes()));
        out = rest;
    }
    out
}

fn put_number(out: &mut [u8], head: u32, number: u64) -> &mut [u8] {
    let (high, low) = halves(number);
    put_words(out, [head, low, high])
}

/// Puts what is `length` bytes long, and zeros up to the multiple of four that `out` is.
#[inline]
fn put_padded(out: &mut [u8], length: usize, put: impl FnOnce(&mut [u8])) {
    if let Some(last) = out.last_chunk_mut() {
        *last = [0; 4];
    }
    put(&mut out[..length]);
}

/// An option's code and the length of its value, as one word.
const fn option_head(code: u32, length: u32) -> u32 {
    length << 16 | code
}

/// The upper and the lower half.
const fn halves(number: u64) -> (u32, u32) {
    ((number >> 32) as u32, (number & 0xffff_ffff) as u32)
}

fn word(number: usize) -> u32 {
    u32::try_from(number).expect("lengths in a block, and interfaces in a file, are far below 2^32")
}

/// As much of a text as an option can hold; nothing if there is none.
fn text(text: &str) -> Option<Cow<'_, str>> {
    let end = text.floor_char_boundary(MAX_TEXT);
    (end > 0).then(|| Cow::Borrowed(&text[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::savefile::Process;

    fn encoder() -> (PcapngEncoder, InterfaceId) {
        let mut encoder = PcapngEncoder::new(5);
        encoder.section(&Section::default());
        let id = encoder.interface(&Interface::default());
        encoder.clear(0);
        (encoder, id)
    }

    #[test]
    fn a_packet_of_which_nothing_is_known_has_no_options() {
        let (mut encoder, id) = encoder();
        let frame = Frame::whole(b"abcdef", 6, 0x0102_0304_0506_0708, Direction::Unknown);
        encoder.packet(id, &frame, &PacketOptions::default());
        let expected = [
            &b"\x06\0\0\0\x28\0\0\0\0\0\0\0"[..],
            b"\x04\x03\x02\x01\x08\x07\x06\x05",
            b"\x05\0\0\0\x06\0\0\0abcde\0\0\0",
            b"\x28\0\0\0",
        ];
        assert_eq!(encoder.bytes(), expected.concat());
    }

    #[test]
    fn keys_are_padded_and_have_no_options() {
        let (mut encoder, _) = encoder();
        encoder.key_log(b"KEY 1\n");
        let expected = [&b"\x0a\0\0\0\x1c\0\0\0KSLT\x06\0\0\0"[..], b"KEY 1\n\0\0", b"\x1c\0\0\0"];
        assert_eq!(encoder.bytes(), expected.concat());
    }

    #[test]
    fn options_are_padded_and_end_with_a_zero() {
        let (mut encoder, id) = encoder();
        let frame = Frame::whole(b"abcd", 4, 0, Direction::Out);
        let process = Some(Process { pid: 7, tid: 8 });
        encoder.packet(
            id,
            &frame,
            &PacketOptions { drops: 9, packet_id: Some(1 << 32), process, comment: "note!" },
        );
        let expected = [
            &b"\x02\0\x04\0\x02\0\0\0"[..],
            b"\x04\0\x08\0\x09\0\0\0\0\0\0\0",
            b"\x05\0\x08\0\0\0\0\0\x01\0\0\0",
            b"\x08\0\x08\0\x07\0\0\0\x08\0\0\0",
            b"\x01\0\x05\0note!\0\0\0",
            b"\0\0\0\0",
            b"\x60\0\0\0",
        ];
        assert_eq!(&encoder.bytes()[32..], expected.concat());
    }
}
