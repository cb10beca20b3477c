//! `pcapsule read`: the packets of a capture file, as far as it can be read.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Read},
    path::Path,
    process::ExitCode,
};

use anyhow::Context as _;

use crate::model::Frame;
use crate::savefile::{LinkType, Packet, Reader, Record};
use crate::sys::{Filter, OfflineFilter};

use super::args::ReadArgs;
use super::printer::Printer;

pub(super) fn run(args: &ReadArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.as_deref().map(Filter::parse).transpose()?;
    let filter = filter.as_ref().map(Filter::offline).transpose()?;
    let name = args.file.display();
    let mut reader = Reader::new(open(&args.file)?).with_context(|| format!("reading {name}"))?;
    let mut output =
        Output { printer: Printer::new(&args.print), filter, left: args.count.map_or(u64::MAX, Into::into) };
    let result = copy(&mut reader, &mut output);
    // What could be read is shown before it is said why the rest could not.
    output.printer.flush().context("printing the packets")?;
    result.with_context(|| format!("reading {name}"))?;
    Ok(ExitCode::SUCCESS)
}

fn open(path: &Path) -> anyhow::Result<Box<dyn Read>> {
    if path == Path::new("-") {
        anyhow::ensure!(
            !io::stdin().is_terminal(),
            "reading standard input: it is a terminal, not a capture"
        );
        return Ok(Box::new(io::stdin()));
    }
    Ok(Box::new(File::open(path).with_context(|| format!("opening {}", path.display()))?))
}

struct Output {
    printer: Printer,
    filter: Option<OfflineFilter>,
    left: u64,
}

fn copy(reader: &mut Reader<impl Read>, output: &mut Output) -> anyhow::Result<()> {
    while let Some(record) = reader.next_record()? {
        match record {
            Record::Packet(packet) => {
                output.packet(&packet)?;
                if output.left == 0 {
                    return Ok(());
                }
            }
            Record::Names(names) => output.printer.learn(names),
            Record::Event(event) => {
                if let Some(message) = event.field("MESSAGE") {
                    output.printer.remark(message)?;
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

impl Output {
    fn packet(&mut self, packet: &Packet<'_>) -> anyhow::Result<()> {
        let name = match packet.interface.name.as_str() {
            "" => "-",
            name => name,
        };
        if packet.link_type != LinkType::ETHERNET {
            let number = packet.link_type.number();
            return Ok(self
                .printer
                .remark(&format!("{name}: a packet of link type {number}, which is not decoded"))?);
        }
        if self.filter.as_ref().is_some_and(|filter| !filter.passes(packet.data)) {
            return Ok(());
        }
        if packet.drops > 0 {
            self.printer.remark(&format!("{name}: {} packets lost here", packet.drops))?;
        }
        let frame = Frame::whole(packet.data, packet.original_len, packet.time_ns, packet.direction);
        self.printer.packet(&frame, name)?;
        self.left -= 1;
        Ok(())
    }
}
