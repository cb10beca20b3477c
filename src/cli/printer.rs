//! Packets on standard output, live or out of a file: a line or a JSON object each, with the names known so far.

use std::{
    collections::HashMap,
    io::{self, BufWriter, Stdout, Write},
    net::IpAddr,
};

use crate::model::Frame;
use crate::packet::{self, LinkHeader, Names, PacketRecord, Stamp};
use crate::report::{LineStyle, PacketLines};

use super::args::PrintArgs;

/// Prints packets.
pub(super) struct Printer {
    form: Form,
    /// None: addresses stay numbers (`-n`).
    names: Option<HashMap<IpAddr, String>>,
}

enum Form {
    Lines(Box<PacketLines<BufWriter<Stdout>>>),
    Json { out: BufWriter<Stdout>, scratch: Vec<u8> },
}

impl Printer {
    pub(super) fn new(args: &PrintArgs) -> Self {
        let out = BufWriter::with_capacity(64 << 10, io::stdout());
        let form = if args.json {
            Form::Json { out, scratch: Vec::new() }
        } else {
            let style = LineStyle {
                time: args.time(),
                link_header: if args.link_header { LinkHeader::Show } else { LinkHeader::Hide },
                sequence: args.sequence_numbers(),
                dump: args.dump(),
                ..LineStyle::default()
            };
            Form::Lines(Box::new(PacketLines::new(out, style)))
        };
        Self { form, names: (!args.numeric).then(HashMap::new) }
    }

    /// Addresses have names from here on.
    pub(super) fn learn(&mut self, names: impl IntoIterator<Item = (IpAddr, String)>) {
        if let Some(known) = &mut self.names {
            known.extend(names);
        }
    }

    pub(super) fn packet(&mut self, frame: &Frame<'_>, interface: &str) -> io::Result<()> {
        let known = self.names.as_ref();
        let lookup = |address: IpAddr| known.and_then(|names| names.get(&address)).map(String::as_str);
        let names = if known.is_some() { Names::new(&lookup) } else { Names::NUMERIC };
        match &mut self.form {
            Form::Lines(lines) => lines.write(frame, interface, names),
            Form::Json { out, scratch } => {
                let packet = packet::decode(frame.contiguous(scratch), frame.original_len);
                let process = frame.owner.and_then(|owner| owner.process);
                let stamp = Stamp {
                    time_ns: frame.time_ns,
                    interface,
                    direction: frame.direction,
                    pid: process.map(|process| process.pid),
                    command: process.map(|process| process.command),
                };
                serde_json::to_writer(&mut *out, &PacketRecord::new(&packet, stamp, names))?;
                out.write_all(b"\n")
            }
        }
    }

    /// Something that happened, in its place between the packets.
    pub(super) fn remark(&mut self, time_ns: u64, text: &str) -> io::Result<()> {
        match &mut self.form {
            Form::Lines(lines) => lines.remark(time_ns, text),
            Form::Json { out, .. } => {
                writeln!(out, "{}", serde_json::json!({ "time_ns": time_ns, "event": text }))
            }
        }
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        match &mut self.form {
            Form::Lines(lines) => lines.flush(),
            Form::Json { out, .. } => out.flush(),
        }
    }
}
