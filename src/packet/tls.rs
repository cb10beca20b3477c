//! The readable beginning of TLS: the two hellos and alerts (RFC 8446, 5246), as far as one segment holds them.
//!
//! It decrypts nothing and joins no segments: a ClientHello that goes on in the next one tells what this one has.

use std::fmt;

use super::names::Escaped;
use super::wire::Wire;

const SERVER_NAME: u16 = 0;
const PROTOCOLS: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;
/// A record holds no more than this (RFC 5246, 6.2.3).
const LARGEST_RECORD: u16 = (1 << 14) + 2048;

/// The first message of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls<'a> {
    /// The client's first message.
    ClientHello(ClientHello<'a>),
    /// The server's answer.
    ServerHello {
        /// The version it chose; `None` where that is not in this segment.
        version: Option<TlsVersion>,
    },
    /// Another handshake message, by its number.
    Handshake(u8),
    /// The end, or a warning.
    Alert {
        /// 1 for a warning, 2 for the end.
        level: u8,
        /// Its number.
        description: u8,
    },
}

/// The client's first message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientHello<'a> {
    /// The newest version it offers; `None` where that is not in this segment.
    pub version: Option<TlsVersion>,
    /// The server's name as sent, where it is in this segment.
    pub server_name: Option<&'a [u8]>,
    /// Whether all its extensions are in this segment.
    pub complete: bool,
    protocols: &'a [u8],
}

/// A version, by the number on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TlsVersion(pub u16);

impl<'a> Tls<'a> {
    /// Reads the message that a segment begins with, if it is one in the clear.
    pub(crate) fn read(mut wire: Wire<'a>) -> Option<Self> {
        let content_type = wire.u8()?;
        let [major, minor] = wire.array()?;
        let record_len = wire.u16()?;
        if major != 3 || minor > 4 || !(1..=LARGEST_RECORD).contains(&record_len) {
            return None;
        }
        let record = wire.limited(record_len.into());
        match content_type {
            22 => Self::read_handshake(record),
            // Encrypted alerts are longer.
            21 if record_len == 2 => {
                let [level, description] = wire.array()?;
                Some(Self::Alert { level, description })
            }
            _ => None,
        }
    }

    /// The message by its name in the RFC.
    pub const fn message_name(&self) -> &'static str {
        match self {
            Self::ClientHello(_) => "ClientHello",
            Self::ServerHello { .. } => "ServerHello",
            Self::Handshake(kind) => handshake_name(*kind),
            Self::Alert { .. } => "Alert",
        }
    }

    fn read_handshake(mut record: Wire<'a>) -> Option<Self> {
        let [kind, high, middle, low] = record.array()?;
        let length = u32::from_be_bytes([0, high, middle, low]);
        // An encrypted handshake record of older versions looks like any number.
        if length > 1 << 17 {
            return None;
        }
        let body = record.limited(usize::try_from(length).ok()?);
        match kind {
            1 => ClientHello::read(body).map(Self::ClientHello),
            2 => Self::read_server_hello(body),
            4 | 11..=16 | 20 | 22 => Some(Self::Handshake(kind)),
            _ => None,
        }
    }

    fn read_server_hello(mut body: Wire<'a>) -> Option<Self> {
        let legacy = TlsVersion(body.u16()?);
        let mut extensions = Extensions::read(body, |body| {
            body.slice(3)?; // cipher suite and compression
            Some(())
        });
        let chosen = extensions.find(|(kind, _)| *kind == SUPPORTED_VERSIONS);
        let version = chosen.and_then(|(_, mut data)| data.u16()).map(TlsVersion);
        Some(Self::ServerHello { version: version.or(extensions.complete.then_some(legacy)) })
    }
}

impl<'a> ClientHello<'a> {
    fn read(mut body: Wire<'a>) -> Option<Self> {
        let legacy = TlsVersion(body.u16()?);
        let mut extensions = Extensions::read(body, |body| {
            let suites = body.u16()?;
            body.slice(suites.into())?;
            let compressions = body.u8()?;
            body.slice(compressions.into())?;
            Some(())
        });
        let mut hello =
            Self { version: None, server_name: None, complete: extensions.complete, protocols: &[] };
        for (kind, data) in &mut extensions {
            match kind {
                SERVER_NAME => hello.server_name = server_name(data),
                PROTOCOLS => hello.protocols = data.bytes().get(2..).unwrap_or_default(),
                SUPPORTED_VERSIONS => hello.version = newest_version(data),
                _ => {}
            }
        }
        if hello.complete {
            hello.version = hello.version.or(Some(legacy));
        }
        Some(hello)
    }

    /// The application protocols it offers (ALPN), as sent.
    pub fn protocols(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut list = Wire::new(self.protocols, self.protocols.len());
        std::iter::from_fn(move || {
            let length = list.u8()?;
            list.slice(length.into())
        })
    }
}

/// Extensions with their numbers, as far as they are here.
struct Extensions<'a> {
    list: Wire<'a>,
    complete: bool,
}

impl<'a> Extensions<'a> {
    /// Those of a hello; `between` passes over what stands between session id and extensions.
    fn read(mut body: Wire<'a>, between: impl Fn(&mut Wire<'a>) -> Option<()>) -> Self {
        let mut find = || {
            body.slice(32)?; // random
            let session = body.u8()?;
            body.slice(session.into())?;
            between(&mut body)?;
            // Old hellos end here (RFC 5246, 7.4.1.2).
            let length = if body.length() == 0 { 0 } else { usize::from(body.u16()?) };
            let list = body.limited(length);
            Some(Self { list, complete: list.bytes().len() == length })
        };
        find().unwrap_or(Self { list: Wire::new(&[], 0), complete: false })
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = (u16, Wire<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let kind = self.list.u16()?;
        let length = self.list.u16()?;
        let data = self.list.slice(length.into())?;
        Some((kind, Wire::new(data, data.len())))
    }
}

/// The first host name of the list (RFC 6066, 3).
fn server_name(mut data: Wire<'_>) -> Option<&[u8]> {
    let _list_len = data.u16()?;
    let name_type = data.u8()?;
    let length = data.u16()?;
    let name = data.slice(length.into())?;
    (name_type == 0).then_some(name)
}

/// The newest of the offered versions; made-up ones, which test servers (RFC 8701), are not 0x03xx.
fn newest_version(mut data: Wire<'_>) -> Option<TlsVersion> {
    let _list_len = data.u8()?;
    std::iter::from_fn(|| data.u16()).filter(|version| version >> 8 == 3).max().map(TlsVersion)
}

/// `1.3`, or the number in hex.
impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0x0300 => f.write_str("SSL 3.0"),
            number @ 0x0301..=0x0304 => write!(f, "1.{}", (number & 0xff) - 1),
            number => write!(f, "{number:#06x}"),
        }
    }
}

/// `TLS ClientHello 1.3, SNI web.app, ALPN h2,http/1.1`; `[|tls]` where it goes on in the next segment.
impl fmt::Display for Tls<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClientHello(hello) => hello.fmt(f),
            Self::ServerHello { version: Some(version) } => write!(f, "TLS ServerHello {version}"),
            Self::ServerHello { version: None } => f.write_str("TLS ServerHello [|tls]"),
            Self::Handshake(_) => write!(f, "TLS {}", self.message_name()),
            Self::Alert { level, description } => {
                let level = if *level == 2 { "fatal" } else { "warning" };
                match alert_name(*description) {
                    Some(name) => write!(f, "TLS Alert {level} {name}"),
                    None => write!(f, "TLS Alert {level} {description}"),
                }
            }
        }
    }
}

impl fmt::Display for ClientHello<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TLS ClientHello")?;
        if let Some(version) = self.version {
            write!(f, " {version}")?;
        }
        if let Some(name) = self.server_name {
            write!(f, ", SNI {}", Escaped(name))?;
        }
        let mut separator = ", ALPN ";
        for protocol in self.protocols() {
            write!(f, "{separator}{}", Escaped(protocol))?;
            separator = ",";
        }
        f.write_str(if self.complete { "" } else { " [|tls]" })
    }
}

const fn handshake_name(kind: u8) -> &'static str {
    match kind {
        4 => "NewSessionTicket",
        11 => "Certificate",
        12 => "ServerKeyExchange",
        13 => "CertificateRequest",
        14 => "ServerHelloDone",
        15 => "CertificateVerify",
        16 => "ClientKeyExchange",
        20 => "Finished",
        _ => "CertificateStatus",
    }
}

/// The alerts that one meets (TLS alerts at IANA).
const fn alert_name(description: u8) -> Option<&'static str> {
    Some(match description {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        40 => "handshake_failure",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        109 => "missing_extension",
        110 => "unsupported_extension",
        112 => "unrecognized_name",
        116 => "certificate_required",
        120 => "no_application_protocol",
        _ => return None,
    })
}
