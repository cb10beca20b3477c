//! Bytes to layers, flow key and a one-line summary, in the style of `tcpdump -nn`.
//!
//! Pure: nothing here opens, prints, waits or reads a clock. Bytes are taken as hostile and often cut short: what can
//! be read is shown, what is missing is marked `[|tcp]`, and nothing ever panics.

mod application;
mod arp;
mod decode;
mod dhcp;
mod digits;
mod dns;
mod dns_name;
mod dns_record;
mod ethernet;
mod flow;
mod http;
mod icmp;
mod icmpv6;
mod igmp;
mod ip;
mod ip_protocol;
mod keyed_hash;
mod llc;
mod names;
mod quote;
mod record;
mod record_layers;
mod sequence;
mod summary;
mod tcp;
mod tcp_options;
mod text;
mod tls;
mod transport;
mod tunnel;
mod udp;
mod wire;

pub use application::Application;
pub use arp::{Arp, ArpOperation};
pub use decode::{Network, Packet, Unread, decode};
pub use dhcp::{Dhcp, DhcpDirection, DhcpMessage};
pub use digits::{decimal, hex_byte, six_digits};
pub use dns::{Dns, DnsTransport};
pub use dns_name::DnsName;
pub use dns_record::{DnsData, DnsRecord, DnsType, Question};
pub use ethernet::{EtherType, Ethernet, Vlan};
pub use flow::{FlowEnd, FlowKey, Way};
pub use http::{Http, HttpKind};
pub use icmp::{Icmp, IcmpKind};
pub use icmpv6::{Icmpv6, Icmpv6Kind};
pub use igmp::Igmp;
pub use ip::{Extension, Fragment, Ip, IpHeader};
pub use ip_protocol::IpProtocol;
pub use llc::{BridgeId, Llc};
pub use names::{Escaped, Lookup, Names};
pub use quote::Quote;
pub use record::{PacketRecord, Stamp};
pub use sequence::{SequenceBase, SequenceTracker};
pub use summary::{LinkHeader, Summary};
pub use tcp::{Tcp, TcpFlags};
pub use tcp_options::{TcpOption, TcpOptions};
pub use text::Text;
pub use tls::{ClientHello, Tls, TlsVersion};
pub use transport::Transport;
pub use tunnel::{Esp, Gre, Sctp, Vxlan};
pub use udp::Udp;
