//! `pcapsule read`: the packets of a capture file, as far as it can be read.

use std::{
    cell::RefCell,
    fs::File,
    io::{self, IsTerminal as _, Read},
    ops::Range,
    os::fd::AsFd as _,
    path::Path,
    process::ExitCode,
};

use anyhow::Context as _;

use crate::model::{Direction, Frame, Owner, OwnerProcess, made_up_ethernet};
use crate::savefile::{LinkType, Packet, Reader, Record};
use crate::sys::Filter;

use super::args::ReadArgs;
use super::printer::Printer;

pub(super) fn run(args: &ReadArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.as_deref().map(Filter::parse).transpose()?;
    let name = args.file.display();
    let printer = RefCell::new(Printer::new(&args.print));
    let input = Input { file: open(&args.file)?, printer: &printer };
    let mut reader = Reader::new(input).with_context(|| format!("reading {name}"))?;
    let mut output = Output {
        printer: &printer,
        filter,
        left: args.count.map_or(u64::MAX, Into::into),
        scratch: Vec::new(),
    };
    let result = copy(&mut reader, &mut output);
    // What could be read is shown before it is said why the rest could not.
    printer.borrow_mut().flush().context("printing the packets")?;
    result.with_context(|| format!("reading {name}"))?;
    Ok(ExitCode::SUCCESS)
}

fn open(path: &Path) -> anyhow::Result<File> {
    if path == Path::new("-") {
        anyhow::ensure!(
            !io::stdin().is_terminal(),
            "reading standard input: it is a terminal, not a capture"
        );
        return Ok(io::stdin().as_fd().try_clone_to_owned().context("reading standard input")?.into());
    }
    File::open(path).with_context(|| format!("opening {}", path.display()))
}

/// What is read. It may be a pipe that is silent for long: what can be printed is printed before each wait. The reader
/// asks for as much as its buffer holds, so files lose nothing by it.
struct Input<'a> {
    file: File,
    printer: &'a RefCell<Printer>,
}

impl Read for Input<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let printed = self.printer.borrow_mut().flush();
        printed.map_err(|error| io::Error::new(error.kind(), format!("printing the packets: {error}")))?;
        self.file.read(buffer)
    }
}

struct Output<'a> {
    printer: &'a RefCell<Printer>,
    filter: Option<Filter>,
    left: u64,
    scratch: Vec<u8>,
}

fn copy(reader: &mut Reader<impl Read>, output: &mut Output<'_>) -> anyhow::Result<()> {
    while let Some(record) = reader.next_record()? {
        match record {
            // By reference: to move it costs as much as to read it.
            Record::Packet(ref packet) => {
                output.packet(packet)?;
                if output.left == 0 {
                    return Ok(());
                }
            }
            Record::Names(names) => output.printer.borrow_mut().learn(names),
            Record::Event(event) => {
                if let Some(message) = event.field("MESSAGE") {
                    output.printer.borrow_mut().remark(event.time_ns, message)?;
                }
            }
            Record::Section(_)
            | Record::Interface { .. }
            | Record::Statistics { .. }
            | Record::Secrets { .. }
            | Record::Unknown { .. } => {}
        }
    }
    Ok(())
}

impl Output<'_> {
    fn packet(&mut self, packet: &Packet<'_>) -> anyhow::Result<()> {
        let mut printer = self.printer.borrow_mut();
        let name = match packet.interface.name.as_str() {
            "" => "-",
            name => name,
        };
        let Some(link) = LinkHeader::of(packet.interface.link_type, packet.data) else {
            let number = packet.interface.link_type.number();
            return Ok(printer.remark(
                packet.time_ns,
                &format!("{name}: a packet of link type {number}, which is not decoded"),
            )?);
        };
        let owner = owner(packet);
        let frame = Frame { owner: owner.as_ref(), ..link.frame(packet) };
        if let Some(filter) = &self.filter
            && !filter.passes(frame.contiguous(&mut self.scratch), frame.original_len)
        {
            return Ok(());
        }
        if packet.drops > 0 {
            printer.remark(packet.time_ns, &format!("{name}: {} packets lost here", packet.drops))?;
        }
        printer.packet(&frame, name)?;
        self.left -= 1;
        Ok(())
    }
}

/// Whose packet it is, where a capture of ours said so: the process in its option, the command in the comment.
fn owner<'p>(packet: &'p Packet<'_>) -> Option<Owner<'p>> {
    let process = packet.process?;
    let text = packet.comment.lines().next().unwrap_or_default();
    let command = text.split(' ').find_map(|word| word.strip_prefix("command="))?;
    let process = OwnerProcess { pid: process.pid, thread: process.tid, command };
    Some(Owner { process: Some(process), text })
}

/// What stands before the network layer, and what takes its place so that everything is Ethernet.
enum LinkHeader {
    Ethernet,
    Other { len: usize, made_up: [u8; 14], direction: Direction },
}

impl LinkHeader {
    /// IP without a link layer, and Linux' "cooked" headers of both versions, as `tcpdump -i any` writes them.
    fn of(link_type: LinkType, data: &[u8]) -> Option<Self> {
        match link_type.number() {
            1 => Some(Self::Ethernet),
            12 | 101 | 228 | 229 => {
                Some(Self::Other { len: 0, made_up: made_up_ethernet(data), direction: Direction::Unknown })
            }
            113 => Self::cooked(data, 16, 14..16, 6..12, 1),
            276 => Self::cooked(data, 20, 0..2, 12..18, 10),
            _ => None,
        }
    }

    /// `LINKTYPE_LINUX_SLL` and `LINKTYPE_LINUX_SLL2`: they keep the ether type, the sender's address, and whether the
    /// packet was sent (4, `PACKET_OUTGOING`).
    fn cooked(
        data: &[u8],
        len: usize,
        ether_type: Range<usize>,
        sender: Range<usize>,
        packet_type: usize,
    ) -> Option<Self> {
        let header = data.get(..len)?;
        let mut made_up = [0; 14];
        made_up[6..12].copy_from_slice(header.get(sender)?);
        made_up[12..].copy_from_slice(header.get(ether_type)?);
        let direction = if header.get(packet_type) == Some(&4) { Direction::Out } else { Direction::In };
        Some(Self::Other { len, made_up, direction })
    }

    fn frame<'a>(&'a self, packet: &Packet<'a>) -> Frame<'a> {
        let whole = Frame::whole(packet.data, packet.original_len, packet.time_ns, packet.direction);
        match self {
            Self::Ethernet => whole,
            Self::Other { len, made_up, direction } => {
                let tail = packet.data.get(*len..).unwrap_or_default();
                let skipped = u32::try_from(*len).unwrap_or(u32::MAX);
                let original_len = packet.original_len.saturating_sub(skipped).saturating_add(14);
                Frame { head: &[], insert: made_up, tail, original_len, direction: *direction, ..whole }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cooked_headers_give_ether_type_sender_and_direction() {
        let mut sll = vec![0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0];
        let mut sll2 = vec![8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 4, 6, 2, 0, 0, 0, 0, 1, 0, 0];
        for (number, bytes) in [(113, &mut sll), (276, &mut sll2)] {
            let Some(LinkHeader::Other { len, made_up, direction }) =
                LinkHeader::of(LinkType::new(number), bytes)
            else {
                panic!("{number} is read")
            };
            assert_eq!((len, direction), (bytes.len(), Direction::Out));
            assert_eq!(made_up, [0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1, 8, 0]);
            bytes.pop();
            assert!(LinkHeader::of(LinkType::new(number), bytes).is_none());
        }
        assert!(LinkHeader::of(LinkType::new(147), &[]).is_none());
    }
}
