//! Questions and resource records, with the data of the types that people look at.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use super::dns_name::DnsName;
use super::names::Escaped;
use super::wire::Wire;

/// In multicast DNS the class's highest bit means something else (RFC 6762, 10.2 and 18.12).
const MULTICAST_BIT: u16 = 0x8000;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question<'a> {
    /// Name.
    pub name: DnsName<'a>,
    /// Type.
    pub record_type: DnsType,
    /// Class with its highest bit, 1 for the Internet.
    pub class: u16,
}

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DnsRecord<'a> {
    /// Name.
    pub name: DnsName<'a>,
    /// Type.
    pub record_type: DnsType,
    /// Class with its highest bit, 1 for the Internet.
    pub class: u16,
    /// For how many seconds it may be kept.
    pub ttl: u32,
    message: &'a [u8],
    data_start: usize,
    data_len: usize,
}

/// A resource record's type, by its number (DNS parameters at IANA).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DnsType(pub u16);

impl<'a> Question<'a> {
    /// The question at `offset` and the offset after it.
    pub(crate) fn read(message: &'a [u8], offset: usize) -> Option<(Self, usize)> {
        let (name, end) = DnsName::read(message, offset)?;
        let mut wire = tail(message, end)?;
        let (record_type, class) = (DnsType(wire.u16()?), wire.u16()?);
        Some((Self { name, record_type, class }, end + 4))
    }

    /// Asked in multicast: whether the answer shall come to the asker alone (`QU`) or to all (`QM`).
    pub const fn wants_unicast(&self) -> bool {
        self.class & MULTICAST_BIT != 0
    }
}

impl<'a> DnsRecord<'a> {
    /// The record at `offset` and the offset after it.
    pub(crate) fn read(message: &'a [u8], offset: usize) -> Option<(Self, usize)> {
        let (name, end) = DnsName::read(message, offset)?;
        let mut wire = tail(message, end)?;
        let (record_type, class) = (DnsType(wire.u16()?), wire.u16()?);
        let (ttl, data_len) = (wire.u32()?, usize::from(wire.u16()?));
        let data_start = end + 10;
        wire.slice(data_len)?;
        Some((Self { name, record_type, class, ttl, message, data_start, data_len }, data_start + data_len))
    }

    /// Told in multicast: it replaces what was known of the name.
    pub const fn flushes_cache(&self) -> bool {
        self.class & MULTICAST_BIT != 0
    }

    /// What the record tells; `None` for types that are not read and for malformed data.
    pub fn data(&self) -> Option<DnsData<'a>> {
        let end = self.data_start + self.data_len;
        let mut data = tail(self.message.get(..end)?, self.data_start)?;
        // Names may point back into the whole message.
        let name_at = |skip| DnsName::read(self.message, self.data_start + skip).map(|(name, _)| name);
        Some(match self.record_type {
            DnsType::A => DnsData::Address(Ipv4Addr::from(data.array()?).into()),
            DnsType::AAAA => DnsData::Address(Ipv6Addr::from(data.array::<16>()?).into()),
            DnsType::NS | DnsType::CNAME | DnsType::PTR | DnsType::DNAME => DnsData::Name(name_at(0)?),
            DnsType::MX => DnsData::MailExchange { preference: data.u16()?, name: name_at(2)? },
            DnsType::SRV => DnsData::Service {
                priority: data.u16()?,
                weight: data.u16()?,
                port: data.u16()?,
                name: name_at(6)?,
            },
            DnsType::TXT => DnsData::Text(data.bytes()),
            _ => return None,
        })
    }
}

/// What a record tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DnsData<'a> {
    /// An address.
    Address(IpAddr),
    /// Another name.
    Name(DnsName<'a>),
    /// Who takes a domain's mail.
    MailExchange {
        /// Less is tried first.
        preference: u16,
        /// The host.
        name: DnsName<'a>,
    },
    /// Who offers a service.
    Service {
        /// Less is tried first.
        priority: u16,
        /// Share among those of one priority.
        weight: u16,
        /// The port.
        port: u16,
        /// The host.
        name: DnsName<'a>,
    },
    /// Character strings, each with its length before it (RFC 1035, 3.3).
    Text(&'a [u8]),
}

/// tcpdump's form.
impl fmt::Display for DnsData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
            Self::MailExchange { preference, name } => write!(f, "{name} {preference}"),
            Self::Service { priority, weight, port, name } => write!(f, "{name}:{port} {priority} {weight}"),
            Self::Text(strings) => describe_strings(f, Wire::new(strings, strings.len())),
        }
    }
}

fn describe_strings(f: &mut impl fmt::Write, mut strings: Wire<'_>) -> fmt::Result {
    let mut separator = "";
    while let Some(length) = strings.u8() {
        let text = strings.take(length.into());
        write!(f, "{separator}\"{}\"", Escaped(text.bytes()))?;
        separator = " ";
    }
    Ok(())
}

fn tail(message: &[u8], offset: usize) -> Option<Wire<'_>> {
    message.get(offset..).map(|rest| Wire::new(rest, rest.len()))
}

#[expect(missing_docs, reason = "the types are known by these names (DNS parameters at IANA)")]
impl DnsType {
    pub const A: Self = Self(1);
    pub const NS: Self = Self(2);
    pub const CNAME: Self = Self(5);
    pub const SOA: Self = Self(6);
    pub const PTR: Self = Self(12);
    pub const MX: Self = Self(15);
    pub const TXT: Self = Self(16);
    pub const AAAA: Self = Self(28);
    pub const SRV: Self = Self(33);
    pub const DNAME: Self = Self(39);
    pub const OPT: Self = Self(41);
}

/// `AAAA`, or `Type65280`.
impl fmt::Display for DnsType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            1 => "A",
            2 => "NS",
            5 => "CNAME",
            6 => "SOA",
            12 => "PTR",
            13 => "HINFO",
            15 => "MX",
            16 => "TXT",
            28 => "AAAA",
            33 => "SRV",
            35 => "NAPTR",
            39 => "DNAME",
            41 => "OPT",
            43 => "DS",
            46 => "RRSIG",
            47 => "NSEC",
            48 => "DNSKEY",
            52 => "TLSA",
            64 => "SVCB",
            65 => "HTTPS",
            251 => "IXFR",
            252 => "AXFR",
            255 => "ANY",
            257 => "CAA",
            number => return write!(f, "Type{number}"),
        };
        f.write_str(name)
    }
}
