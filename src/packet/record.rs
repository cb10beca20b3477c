//! A packet as one JSON object. Names are stable: fields may be added, never renamed or removed.
//!
//! Every layer that was read is a field, every layer that was not is left out. `length` is that on the wire. Text out of
//! the packet is escaped as in the line (`\x1b`), so that it is always printable ASCII.

use serde::Serialize;

use crate::model::Direction;

use super::application::Application;
use super::decode::{Network, Packet};
use super::ip::Ip;
use super::names::Names;
use super::record_layers::{
    ArpRecord, DhcpRecord, DnsMessageRecord, EthRecord, HttpRecord, IcmpRecord, IpRecord, PortsRecord,
    TcpRecord, TlsRecord, VxlanRecord,
};
use super::summary::Summary;
use super::transport::Transport;

/// When and where a packet was seen.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Stamp<'s> {
    /// Nanoseconds since the Unix epoch.
    pub time_ns: u64,
    /// The tap: `web/eth0`, `docker0`, …
    pub interface: &'s str,
    /// From the container's point of view.
    pub direction: Direction,
    /// The process whose socket it is, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Its command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<&'s str>,
}

/// A packet as one JSON object: `time_ns`, `interface`, `direction`, `pid` and `command`, `length`, `captured`, `cut`, the layers, `summary`.
#[derive(Debug, Serialize)]
pub struct PacketRecord<'s> {
    #[serde(flatten)]
    stamp: Stamp<'s>,
    length: usize,
    captured: usize,
    cut: bool,
    #[serde(flatten)]
    layers: Layers<'s>,
    summary: String,
}

/// The layers of one packet: `eth`, `arp`, `ip`, `tcp`, `udp`, `sctp`, `icmp`, `icmpv6`, `dns`, `tls`, `http`, `dhcp`,
/// `vxlan`, and for tunnels the same again as `inner`.
#[derive(Debug, Default, Serialize)]
struct Layers<'s> {
    #[serde(skip_serializing_if = "Option::is_none")]
    eth: Option<EthRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arp: Option<ArpRecord<'s>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<IpRecord<'s>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<TcpRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    udp: Option<PortsRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sctp: Option<PortsRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp: Option<IcmpRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmpv6: Option<IcmpRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dns: Option<DnsMessageRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<TlsRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<HttpRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dhcp: Option<DhcpRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vxlan: Option<VxlanRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inner: Option<Box<Self>>,
}

impl<'s> PacketRecord<'s> {
    /// The object for `packet`, with names from `names`; sequence numbers are as sent.
    pub fn new(packet: &Packet<'_>, stamp: Stamp<'s>, names: Names<'s>) -> Self {
        Self {
            stamp,
            length: packet.original_len,
            captured: packet.captured,
            cut: packet.is_cut(),
            layers: Layers::of_packet(packet, names),
            summary: Summary::new(packet).names(names).to_string(),
        }
    }
}

impl<'s> Layers<'s> {
    fn of_packet(packet: &Packet<'_>, names: Names<'s>) -> Self {
        let mut layers = match &packet.network {
            Network::Ip(ip) => Self::of_ip(ip, names),
            Network::Arp(arp) => Self { arp: Some(ArpRecord::new(arp, names)), ..Self::default() },
            Network::Llc(_) | Network::Other { .. } | Network::Unread(_) => Self::default(),
        };
        layers.eth = packet.ethernet.as_ref().map(EthRecord::from);
        layers
    }

    fn of_ip(ip: &Ip<'_>, names: Names<'s>) -> Self {
        let mut layers = Self { ip: Some(IpRecord::new(&ip.header, names)), ..Self::default() };
        match &ip.transport {
            Transport::Tcp(tcp) => {
                layers.tcp = Some(tcp.into());
                layers.add_application(tcp.application.as_ref(), names);
            }
            Transport::Udp(udp) => {
                layers.udp = Some(udp.into());
                layers.add_application(udp.application.as_ref(), names);
            }
            Transport::Sctp(sctp) => layers.sctp = Some(sctp.into()),
            Transport::Icmp(icmp) => layers.icmp = Some(icmp.into()),
            Transport::Icmpv6(icmp) => layers.icmpv6 = Some(icmp.into()),
            Transport::Gre(gre) => {
                layers.inner = gre.frame().map(|frame| Box::new(Self::of_packet(frame, names)));
            }
            Transport::Tunnel(inner) => layers.inner = Some(Box::new(Self::of_ip(inner, names))),
            Transport::Igmp(_)
            | Transport::Esp(_)
            | Transport::LaterFragment
            | Transport::Other { .. }
            | Transport::Unread { .. } => {}
        }
        layers
    }

    fn add_application(&mut self, application: Option<&Application<'_>>, names: Names<'s>) {
        match application {
            Some(Application::Dns(dns)) => self.dns = Some(dns.into()),
            Some(Application::Tls(tls)) => self.tls = Some(tls.into()),
            Some(Application::Http(http)) => self.http = Some(http.into()),
            Some(Application::Dhcp(dhcp)) => self.dhcp = Some(dhcp.into()),
            Some(Application::Vxlan(vxlan)) => {
                self.vxlan = Some(VxlanRecord { vni: vxlan.vni });
                self.inner = Some(Box::new(Self::of_packet(&vxlan.frame, names)));
            }
            None => {}
        }
    }
}
