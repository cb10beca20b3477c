//! Capture filters: libpcap's language, compiled by libpcap, run by the kernel.
//!
//! libpcap looks names up whenever it compiles, with the network of the calling thread. So a filter is compiled in the
//! host's namespace, once for each form of frame, and taps get the instructions.

use std::sync::{Arc, OnceLock};

use pcap::{Activated, Active, Capture, Device, Linktype};

use crate::model::{LinkKind, MediaType};

use super::{
    bpf::{Program, RET_CONSTANT},
    headers::keep_headers,
    source::{Payload, SourceOptions},
};

/// The most that any frame is cut to (tcpdump's default snapshot length).
pub const MAX_SNAPLEN: u32 = 262_144;

/// What libpcap calls packets without a link layer where it compiles (`DLT_RAW`); in files the number is another.
const RAW_IP: Linktype = Linktype(12);

/// A filter expression that libpcap accepted, compiled. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Filter(Arc<Forms>);

#[derive(Debug)]
struct Forms {
    expression: String,
    /// For Ethernet frames with their VLAN tags in them.
    ethernet: Program,
    /// For IP packets; not every expression makes sense there.
    raw_ip: Result<Program, String>,
    /// For Ethernet frames whose outer tag the kernel has taken out, where that makes a difference. Compiling it takes
    /// privileges, so it waits for the first tap.
    stripped: OnceLock<Result<Program, String>>,
}

/// The form of a filter that fits one interface.
#[derive(Debug, Clone)]
pub struct LinkFilter(Program);

impl LinkFilter {
    /// A program for a socket that leaves it to `next` how much is kept of what passes.
    pub(super) fn followed_by(&self, next: &[libc::sock_filter]) -> Vec<libc::sock_filter> {
        self.0.followed_by(next)
    }
}

/// Why there is no filter.
#[derive(Debug, thiserror::Error)]
#[error("filter '{expression}': {reason}")]
pub struct FilterError {
    /// What was typed.
    pub expression: String,
    /// libpcap's message.
    pub reason: String,
}

impl Filter {
    /// Compiles an expression, without any privilege and without opening anything.
    pub fn parse(expression: &str) -> Result<Self, FilterError> {
        let ethernet = compile(Capture::dead(Linktype::ETHERNET), expression)
            .map_err(|reason| FilterError { expression: expression.to_owned(), reason })?;
        let raw_ip = compile(Capture::dead(RAW_IP), expression);
        let expression = expression.to_owned();
        Ok(Self(Arc::new(Forms { expression, ethernet, raw_ip, stripped: OnceLock::new() })))
    }

    /// What was typed.
    pub fn expression(&self) -> &str {
        &self.0.expression
    }

    /// The form for sockets on interfaces of that media type. To be called outside a container's namespace: the first call may compile.
    pub fn on(&self, media: MediaType) -> Result<LinkFilter, FilterError> {
        let forms = &*self.0;
        let program = if media == MediaType::RawIp {
            forms.raw_ip.as_ref()
        } else if mentions_vlan(&forms.expression) {
            forms.stripped.get_or_init(|| compile(live(), &forms.expression)).as_ref()
        } else {
            Ok(&forms.ethernet)
        };
        program
            .cloned()
            .map(LinkFilter)
            .map_err(|reason| FilterError { expression: forms.expression.clone(), reason: reason.clone() })
    }

    /// Whether an Ethernet frame passes of which these bytes were captured and which had `original_len` on the wire.
    pub fn passes(&self, frame: &[u8], original_len: u32) -> bool {
        self.0.ethernet.passes(frame, original_len)
    }
}

/// A program that lets nothing pass.
pub(super) const NOTHING: libc::sock_filter = libc::sock_filter { code: RET_CONSTANT, jt: 0, jf: 0, k: 0 };

/// On loopback every frame is seen twice, leaving and arriving; like libpcap, take the arrival. Falls through to what
/// follows: load `skb->pkt_type` (linux/filter.h, `SKF_AD_PKTTYPE`), drop if it is `PACKET_OUTGOING`.
const ARRIVALS_ONLY: [libc::sock_filter; 3] = [
    libc::sock_filter { code: 0x30, jt: 0, jf: 0, k: 0xffff_f004 },
    libc::sock_filter { code: 0x15, jt: 0, jf: 1, k: libc::PACKET_OUTGOING as u32 },
    NOTHING,
];

/// A program for `SO_ATTACH_FILTER` that lets the filter's frames of the interface pass, cut as the options say.
pub(super) fn socket_program(options: &SourceOptions<'_>) -> Vec<libc::sock_filter> {
    let link = options.link;
    let mut program = cutting_program(options.filter, link.media, options.payload, options.snaplen);
    if link.kind == LinkKind::Loopback {
        program.splice(..0, ARRIVALS_ONLY);
    }
    program
}

/// A program that returns how many bytes are kept of what passes.
pub(super) fn cutting_program(
    filter: Option<&LinkFilter>,
    media: MediaType,
    payload: Payload,
    snaplen: u32,
) -> Vec<libc::sock_filter> {
    let cut = match payload {
        Payload::Kept => vec![libc::sock_filter { code: RET_CONSTANT, jt: 0, jf: 0, k: snaplen }],
        Payload::Dropped => keep_headers(media, snaplen),
    };
    match filter {
        Some(filter) => filter.followed_by(&cut),
        None => cut,
    }
}

fn compile<T: Activated>(
    handle: Result<Capture<T>, pcap::Error>,
    expression: &str,
) -> Result<Program, String> {
    let compiled =
        handle.and_then(|handle| handle.compile(expression, true)).map_err(|error| match error {
            pcap::Error::PcapError(reason) => reason,
            other => other.to_string(),
        })?;
    Program::of(&compiled).ok_or_else(|| "its compiled form cannot be read".to_owned())
}

/// A live handle, the only kind that makes libpcap look for tags that the kernel has taken out of the frame. Which
/// interface it is on does not matter, but it must be up.
fn live() -> Result<Capture<Active>, pcap::Error> {
    let open = |device: Device| Capture::from_device(device)?.immediate_mode(false).open();
    open("lo".into()).or_else(|error| {
        let up = Device::list()?.into_iter().filter(|device| device.flags.is_up());
        up.filter_map(|device| open(device).ok())
            .find(|handle| handle.get_datalink() == Linktype::ETHERNET)
            .ok_or(error)
    })
}

fn mentions_vlan(expression: &str) -> bool {
    expression.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word.eq_ignore_ascii_case("vlan"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fixture::link;
    use crate::sys::LinkLayer;

    #[test]
    fn a_bad_expression_is_refused_with_libpcaps_words() {
        let error = Filter::parse("tcp port http or").unwrap_err();
        assert!(error.to_string().contains("syntax error"), "{error}");
        let error = Filter::parse("port nosuchport").unwrap_err();
        assert!(error.to_string().contains("nosuchport"), "{error}");
    }

    #[test]
    fn a_passing_frame_returns_the_snapshot_length() {
        let filter = Filter::parse("icmp").unwrap().on(MediaType::Ethernet).unwrap();
        let options = SourceOptions {
            link: &link(2, "eth0", LinkKind::Veth),
            buffer_bytes: 0,
            snaplen: 60,
            payload: Payload::Kept,
            filter: Some(&filter),
            promiscuous: false,
            link_layer: LinkLayer::Ethernet,
            pace: crate::sys::Pace::Live,
        };
        let program = socket_program(&options);
        let returns: Vec<u32> = program.iter().filter(|i| i.code == RET_CONSTANT).map(|i| i.k).collect();
        assert_eq!(returns, [0, 60]);
    }

    #[test]
    fn a_file_filter_takes_frames() {
        let filter = Filter::parse("arp").unwrap();
        let mut frame = [0_u8; 42];
        assert!(!filter.passes(&frame, 42));
        frame[12..14].copy_from_slice(&[8, 6]);
        assert!(filter.passes(&frame, 42));
    }

    #[test]
    fn a_filter_for_ethernet_alone_is_refused_where_there_is_none() {
        let filter = Filter::parse("ether host 02:00:00:00:00:01").unwrap();
        assert!(filter.on(MediaType::Ethernet).is_ok());
        for fits in ["udp", "ip6 host fd00::1 and tcp port 80"] {
            assert!(Filter::parse(fits).unwrap().on(MediaType::RawIp).is_ok(), "{fits}");
        }
        let error = filter.on(MediaType::RawIp).unwrap_err();
        let words = "filter 'ether host 02:00:00:00:00:01': ethernet addresses supported only on";
        assert!(error.to_string().starts_with(words), "{error}");
        assert!(Filter::parse("tcp port 80 or icmp6").unwrap().on(MediaType::RawIp).is_ok());
    }
}
