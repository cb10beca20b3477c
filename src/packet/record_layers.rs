//! What each layer says of itself in a packet's JSON object.
//!
//! Numbers are those on the wire, in host order; addresses and hardware addresses are text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Serialize;

use crate::model::Mac;

use super::arp::Arp;
use super::dhcp::Dhcp;
use super::dns::Dns;
use super::ethernet::Ethernet;
use super::http::{Http, HttpKind};
use super::icmp::{Icmp, IcmpKind};
use super::icmpv6::{Icmpv6, Icmpv6Kind};
use super::ip::IpHeader;
use super::names::{Escaped, Names};
use super::quote::Quote;
use super::tcp::Tcp;
use super::tls::Tls;
use super::tunnel::Sctp;
use super::udp::Udp;

/// `eth`.
#[derive(Debug, Serialize)]
pub(crate) struct EthRecord {
    src: Mac,
    dst: Mac,
    /// After all tags; up to 1500 the length of an 802.3 frame.
    r#type: u16,
    /// Outermost first.
    vlans: Vec<VlanRecord>,
}

#[derive(Debug, Serialize)]
struct VlanRecord {
    id: u16,
    priority: u8,
    drop_eligible: bool,
    r#type: u16,
}

impl From<&Ethernet<'_>> for EthRecord {
    fn from(ethernet: &Ethernet<'_>) -> Self {
        let vlans = ethernet.vlans().map(|vlan| VlanRecord {
            id: vlan.id,
            priority: vlan.priority,
            drop_eligible: vlan.drop_eligible,
            r#type: vlan.ether_type.0,
        });
        Self {
            src: ethernet.source,
            dst: ethernet.destination,
            r#type: ethernet.ether_type.0,
            vlans: vlans.collect(),
        }
    }
}

/// `arp`.
#[derive(Debug, Serialize)]
pub(crate) struct ArpRecord<'s> {
    /// `request`, `reply` or `other`.
    operation: &'static str,
    sender: Ipv4Addr,
    sender_mac: Mac,
    sender_name: Option<&'s str>,
    target: Ipv4Addr,
    target_mac: Mac,
    target_name: Option<&'s str>,
    gratuitous: bool,
    probe: bool,
}

impl<'s> ArpRecord<'s> {
    pub(crate) fn new(arp: &Arp, names: Names<'s>) -> Self {
        Self {
            operation: arp.operation.name(),
            sender: arp.sender,
            sender_mac: arp.sender_mac,
            sender_name: names.find(arp.sender.into()),
            target: arp.target,
            target_mac: arp.target_mac,
            target_name: names.find(arp.target.into()),
            gratuitous: arp.is_gratuitous(),
            probe: arp.is_probe(),
        }
    }
}

/// `ip`.
#[derive(Debug, Serialize)]
pub(crate) struct IpRecord<'s> {
    version: u8,
    src: IpAddr,
    dst: IpAddr,
    src_name: Option<&'s str>,
    dst_name: Option<&'s str>,
    /// The hop limit in IPv6.
    ttl: u8,
    traffic_class: u8,
    dont_fragment: bool,
    /// After all extension headers.
    protocol: u8,
    /// After all headers.
    payload_length: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    fragment: Option<FragmentRecord>,
}

#[derive(Debug, Serialize)]
struct FragmentRecord {
    id: u32,
    /// In bytes.
    offset: usize,
    more: bool,
}

impl<'s> IpRecord<'s> {
    pub(crate) fn new(header: &IpHeader, names: Names<'s>) -> Self {
        Self {
            version: header.version(),
            src: header.source,
            dst: header.destination,
            src_name: names.find(header.source),
            dst_name: names.find(header.destination),
            ttl: header.ttl,
            traffic_class: header.traffic_class,
            dont_fragment: header.dont_fragment,
            protocol: header.protocol.0,
            payload_length: header.payload_len,
            fragment: header.fragment.map(|fragment| FragmentRecord {
                id: fragment.id,
                offset: fragment.offset,
                more: fragment.more,
            }),
        }
    }
}

/// `tcp`.
#[derive(Debug, Serialize)]
pub(crate) struct TcpRecord {
    src_port: u16,
    dst_port: u16,
    seq: u32,
    ack: u32,
    /// tcpdump's letters: `S.`, or `none`.
    flags: String,
    /// Before scaling.
    window: u16,
    /// `mss 1460`, `sackOK`, …
    options: Vec<String>,
    length: usize,
}

impl From<&Tcp<'_>> for TcpRecord {
    fn from(tcp: &Tcp<'_>) -> Self {
        Self {
            src_port: tcp.source,
            dst_port: tcp.destination,
            seq: tcp.sequence,
            ack: tcp.acknowledgment,
            flags: tcp.flags.to_string(),
            window: tcp.window,
            options: tcp.options.iter().map(|option| option.to_string()).collect(),
            length: tcp.length,
        }
    }
}

/// `udp`, `sctp`.
#[derive(Debug, Serialize)]
pub(crate) struct PortsRecord {
    src_port: u16,
    dst_port: u16,
    length: usize,
}

impl From<&Udp<'_>> for PortsRecord {
    fn from(udp: &Udp<'_>) -> Self {
        Self { src_port: udp.source, dst_port: udp.destination, length: udp.length }
    }
}

impl From<&Sctp> for PortsRecord {
    fn from(sctp: &Sctp) -> Self {
        Self { src_port: sctp.source, dst_port: sctp.destination, length: sctp.length }
    }
}

/// `icmp`, `icmpv6`.
#[derive(Debug, Serialize)]
pub(crate) struct IcmpRecord {
    r#type: u8,
    code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u16>,
    /// What the next link takes, where the packet was too big for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mtu: Option<u32>,
    /// Of neighbour discovery.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Ipv6Addr>,
    /// Of neighbour discovery.
    #[serde(skip_serializing_if = "Option::is_none")]
    lladdr: Option<Mac>,
    /// Whose packet an error is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    quote: Option<QuoteRecord>,
}

#[derive(Debug, Serialize)]
struct QuoteRecord {
    src: IpAddr,
    dst: IpAddr,
    protocol: u8,
    src_port: Option<u16>,
    dst_port: Option<u16>,
}

impl From<&Quote> for QuoteRecord {
    fn from(quote: &Quote) -> Self {
        let (src_port, dst_port) = quote.ports.unzip();
        Self { src: quote.source, dst: quote.destination, protocol: quote.protocol.0, src_port, dst_port }
    }
}

impl From<&Icmp> for IcmpRecord {
    fn from(icmp: &Icmp) -> Self {
        let (id, seq) = icmp.echo().unzip();
        let mtu = match icmp.kind {
            IcmpKind::Unreachable { mtu, .. } if icmp.code == 4 => Some(mtu.into()),
            _ => None,
        };
        let quote = icmp.quote().map(QuoteRecord::from);
        Self { r#type: icmp.type_number, code: icmp.code, id, seq, mtu, target: None, lladdr: None, quote }
    }
}

impl From<&Icmpv6> for IcmpRecord {
    fn from(icmp: &Icmpv6) -> Self {
        let (id, seq) = icmp.echo().unzip();
        let mtu = match icmp.kind {
            Icmpv6Kind::TooBig(mtu, _) => Some(mtu),
            _ => None,
        };
        let (target, lladdr) = (icmp.target(), icmp.link_address());
        let quote = icmp.quote().map(QuoteRecord::from);
        Self { r#type: icmp.type_number, code: icmp.code, id, seq, mtu, target, lladdr, quote }
    }
}

/// `dns`.
#[derive(Debug, Serialize)]
pub(crate) struct DnsMessageRecord {
    id: u16,
    response: bool,
    opcode: u16,
    rcode: u16,
    /// `NoError`, `NXDomain`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    rcode_name: Option<&'static str>,
    /// Those captured.
    questions: Vec<QuestionRecord>,
    /// Those captured.
    answers: Vec<AnswerRecord>,
}

#[derive(Debug, Serialize)]
struct QuestionRecord {
    name: String,
    r#type: String,
}

#[derive(Debug, Serialize)]
struct AnswerRecord {
    name: String,
    r#type: String,
    /// In seconds.
    ttl: u32,
    data: Option<String>,
}

impl From<&Dns<'_>> for DnsMessageRecord {
    fn from(dns: &Dns<'_>) -> Self {
        let questions = dns.questions().map(|question| QuestionRecord {
            name: question.name.to_string(),
            r#type: question.record_type.to_string(),
        });
        let answers = dns.answers().map(|record| AnswerRecord {
            name: record.name.to_string(),
            r#type: record.record_type.to_string(),
            ttl: record.ttl,
            data: record.data().map(|data| data.to_string()),
        });
        Self {
            id: dns.id,
            response: dns.is_response(),
            opcode: dns.opcode(),
            rcode: dns.response_code(),
            rcode_name: dns.is_response().then(|| dns.response_name()).flatten(),
            questions: questions.collect(),
            answers: answers.collect(),
        }
    }
}

/// `tls`.
#[derive(Debug, Serialize)]
pub(crate) struct TlsRecord {
    /// `ClientHello`, `ServerHello`, `Alert`, …
    message: &'static str,
    /// `1.3`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_name: Option<String>,
    /// Offered application protocols.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    protocols: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<u8>,
}

impl From<&Tls<'_>> for TlsRecord {
    fn from(tls: &Tls<'_>) -> Self {
        let empty = Self {
            message: tls.message_name(),
            version: None,
            server_name: None,
            protocols: Vec::new(),
            alert: None,
        };
        match tls {
            Tls::ClientHello(hello) => Self {
                version: hello.version.map(|version| version.to_string()),
                server_name: hello.server_name.map(text),
                protocols: hello.protocols().map(text).collect(),
                ..empty
            },
            Tls::ServerHello { version } => {
                Self { version: version.map(|version| version.to_string()), ..empty }
            }
            Tls::Alert { description, .. } => Self { alert: Some(*description), ..empty },
            Tls::Handshake(_) => empty,
        }
    }
}

/// `http`: of a request `method`, `target` and `host`, of a response `status`.
#[derive(Debug, Default, Serialize)]
pub(crate) struct HttpRecord {
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
}

impl From<&Http<'_>> for HttpRecord {
    fn from(http: &Http<'_>) -> Self {
        match http.kind {
            HttpKind::Request { method, target, host } => Self {
                method: Some(text(method)),
                target: Some(text(target)),
                host: host.map(text),
                status: None,
            },
            HttpKind::Response { status } => Self { status: Some(status), ..Self::default() },
        }
    }
}

/// `dhcp`.
#[derive(Debug, Serialize)]
pub(crate) struct DhcpRecord {
    /// `Discover`, `Offer`, …
    message: Option<String>,
    client: Mac,
    /// What the client gets.
    address: Ipv4Addr,
}

impl From<&Dhcp> for DhcpRecord {
    fn from(dhcp: &Dhcp) -> Self {
        let message = dhcp.message.map(|message| message.to_string());
        Self { message, client: dhcp.client, address: dhcp.address }
    }
}

/// `vxlan`.
#[derive(Debug, Serialize)]
pub(crate) struct VxlanRecord {
    pub(crate) vni: u32,
}

fn text(bytes: &[u8]) -> String {
    Escaped(bytes).to_string()
}
