//! DNS messages, unicast and multicast, read as far as they were captured.

use std::fmt;

use super::dns_record::{DnsRecord, DnsType, Question};
use super::text::Text;
use super::wire::Wire;

/// The header's length (RFC 1035, 4.1.1).
const HEADER_LEN: usize = 12;
const INTERNET: u16 = 1;

/// A DNS message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dns<'a> {
    /// The same in question and answer.
    pub id: u16,
    /// The second word of the header, as sent.
    pub flags: u16,
    /// How many questions the header announces.
    pub question_count: u16,
    /// How many answers the header announces.
    pub answer_count: u16,
    /// How many records of name servers the header announces.
    pub authority_count: u16,
    /// How many further records the header announces.
    pub additional_count: u16,
    /// How it came.
    pub transport: DnsTransport,
    message: Wire<'a>,
}

/// How a DNS message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsTransport {
    /// Alone in a datagram.
    Datagram,
    /// In a datagram to all (RFC 6762).
    Multicast,
    /// In a TCP stream, its length before it.
    Stream,
}

impl<'a> Dns<'a> {
    /// Reads a message whose header was captured. In a stream only one that begins with the segment can be found.
    pub(crate) fn read(mut wire: Wire<'a>, transport: DnsTransport) -> Option<Self> {
        if transport == DnsTransport::Stream {
            let length = wire.u16()?;
            wire = wire.limited(length.into());
        }
        let message = wire;
        let (id, flags) = (wire.u16()?, wire.u16()?);
        let (question_count, answer_count) = (wire.u16()?, wire.u16()?);
        let (authority_count, additional_count) = (wire.u16()?, wire.u16()?);
        Some(Self {
            id,
            flags,
            question_count,
            answer_count,
            authority_count,
            additional_count,
            transport,
            message,
        })
    }

    /// A response, and not a query.
    pub const fn is_response(&self) -> bool {
        self.has(0x8000)
    }

    /// Query (0), notify (4), update (5), …
    pub const fn opcode(&self) -> u16 {
        self.flags >> 11 & 0xf
    }

    /// The response's code (DNS RCODEs at IANA), 0 for success.
    pub const fn response_code(&self) -> u16 {
        self.flags & 0xf
    }

    /// The response's code by name; `None` where it has none.
    pub const fn response_name(&self) -> Option<&'static str> {
        Some(match self.response_code() {
            0 => "NoError",
            1 => "FormErr",
            2 => "ServFail",
            3 => "NXDomain",
            4 => "NotImp",
            5 => "Refused",
            6 => "YXDomain",
            7 => "YXRRSet",
            8 => "NXRRSet",
            9 => "NotAuth",
            10 => "NotZone",
            _ => return None,
        })
    }

    /// The questions that were captured.
    pub fn questions(&self) -> impl Iterator<Item = Question<'a>> + use<'a> {
        let message = self.message.bytes();
        let mut offset = HEADER_LEN;
        (0..self.question_count).map_while(move |_| {
            let (question, end) = Question::read(message, offset)?;
            offset = end;
            Some(question)
        })
    }

    /// The answers that were captured.
    pub fn answers(&self) -> impl Iterator<Item = DnsRecord<'a>> + use<'a> {
        let message = self.message.bytes();
        let mut offset = self.questions_end();
        (0..self.answer_count).map_while(move |_| {
            let (record, end) = DnsRecord::read(message, offset?)?;
            offset = Some(end);
            Some(record)
        })
    }

    fn questions_end(&self) -> Option<usize> {
        (0..self.question_count).try_fold(HEADER_LEN, |offset, _| {
            Question::read(self.message.bytes(), offset).map(|(_, end)| end)
        })
    }

    const fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    fn describe_query(&self, f: &mut impl Text) -> fmt::Result {
        write!(f, "{}{}", mark(self.has(0x0100), "+"), mark(self.has(0x0010), "%"))?;
        for (count, usual, unit) in [
            (self.answer_count, 0, "a"),
            (self.question_count, 1, "q"),
            (self.authority_count, 0, "n"),
            (self.additional_count, 0, "au"),
        ] {
            if count != usual {
                write!(f, " [{count}{unit}]")?;
            }
        }
        let mut left = self.question_count;
        for question in self.questions() {
            left -= 1;
            write!(f, " {}", question.record_type)?;
            self.describe_class(f, question.class)?;
            if self.transport == DnsTransport::Multicast {
                f.write_str(if question.wants_unicast() { " (QU)" } else { " (QM)" })?;
            }
            write!(f, "? {}", question.name)?;
        }
        f.write_str(mark(left > 0, " [|domain]"))
    }

    fn describe_response(&self, f: &mut impl Text) -> fmt::Result {
        match (self.response_code(), self.response_name()) {
            (0, _) => {}
            (_, Some(name)) => write!(f, " {name}")?,
            (code, None) => write!(f, " Resp{code}")?,
        }
        let marks = [
            (self.has(0x0400), "*"),
            (!self.has(0x0080), "-"),
            (self.has(0x0200), "|"),
            (self.has(0x0020), "$"),
        ];
        marks.into_iter().try_for_each(|(set, letter)| f.write_str(mark(set, letter)))?;
        if self.question_count != 1 {
            write!(f, " [{}q]", self.question_count)?;
        }
        write!(f, " {}/{}/{}", self.answer_count, self.authority_count, self.additional_count)?;
        let mut left = self.answer_count;
        for record in self.answers() {
            f.write_str(mark(left < self.answer_count, ","))?;
            left -= 1;
            self.describe_record(f, &record)?;
        }
        f.write_str(mark(left > 0, " [|domain]"))
    }

    fn describe_record(&self, f: &mut impl Text, record: &DnsRecord<'_>) -> fmt::Result {
        if record.record_type != DnsType::OPT {
            self.describe_class(f, record.class)?;
        }
        if self.transport == DnsTransport::Multicast && record.flushes_cache() {
            f.write_str(" (Cache flush)")?;
        }
        write!(f, " {}", record.record_type)?;
        record.data().map_or(Ok(()), |data| write!(f, " {data}"))
    }

    /// Writes the class unless it is the Internet's.
    fn describe_class(&self, f: &mut impl Text, class: u16) -> fmt::Result {
        let class = if self.transport == DnsTransport::Multicast { class & 0x7fff } else { class };
        match class {
            INTERNET => Ok(()),
            3 => f.write_str(" CHAOS"),
            4 => f.write_str(" HS"),
            255 => f.write_str(" ANY"),
            number => write!(f, " (Class {number})"),
        }
    }
}

/// tcpdump's form: `12345+ A? web.app. (25)` for a query, `12345 1/0/0 A 10.0.0.1 (41)` for a response.
impl fmt::Display for Dns<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        match self.opcode() {
            0 => {}
            2 => f.write_str(" stat")?,
            4 => f.write_str(" notify")?,
            5 => f.write_str(" update")?,
            number => write!(f, " op{number}")?,
        }
        if self.is_response() {
            self.describe_response(f)?;
        } else {
            self.describe_query(f)?;
        }
        write!(f, " ({})", self.message.length())
    }
}

const fn mark(set: bool, text: &'static str) -> &'static str {
    if set { text } else { "" }
}
