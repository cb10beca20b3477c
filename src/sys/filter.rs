//! Capture filters: libpcap's language, compiled by libpcap, run by the kernel.

use pcap::{BpfProgram, Capture, Linktype};

use crate::model::{Link, LinkKind, MediaType};

use super::bpf::{Program, RET_CONSTANT};

/// The most that any frame is cut to (tcpdump's default snapshot length).
pub const MAX_SNAPLEN: u32 = 262_144;

/// A filter expression that libpcap accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(String);

/// Why there is no filter.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    /// The expression is wrong; libpcap's words say how.
    #[error("filter '{expression}': {reason}")]
    Expression {
        /// What was typed.
        expression: String,
        /// libpcap's message.
        reason: String,
    },
    /// libpcap's listing of the program could not be read back.
    #[error("reading the compiled form of filter '{0}'")]
    Listing(String),
}

impl Filter {
    /// Checks an expression, without any privilege and without opening anything.
    pub fn parse(expression: &str) -> Result<Self, FilterError> {
        compile(expression, Linktype::ETHERNET, VlanTags::InFrame)?;
        Ok(Self(expression.to_owned()))
    }

    /// What was typed.
    pub fn expression(&self) -> &str {
        &self.0
    }

    /// A form that can be run on frames in a file.
    pub fn offline(&self) -> Result<OfflineFilter, FilterError> {
        let program = compile(&self.0, Linktype::ETHERNET, VlanTags::InFrame)?;
        Program::of(&program).map(OfflineFilter).ok_or_else(|| FilterError::Listing(self.0.clone()))
    }
}

/// A filter for whole Ethernet frames in memory.
pub struct OfflineFilter(Program);

impl OfflineFilter {
    /// Whether a frame passes of which these bytes were captured and which had `original_len` on the wire.
    pub fn passes(&self, frame: &[u8], original_len: u32) -> bool {
        self.0.passes(frame, original_len)
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

/// A program for `SO_ATTACH_FILTER` that lets the filter's frames of `link` pass, cut to `snaplen` bytes.
pub(super) fn socket_program(
    filter: Option<&Filter>,
    link: &Link,
    snaplen: u32,
) -> Result<Vec<libc::sock_filter>, FilterError> {
    let mut program = expression_program(filter, link.media, snaplen)?;
    if link.kind == LinkKind::Loopback {
        program.splice(..0, ARRIVALS_ONLY);
    }
    Ok(program)
}

fn expression_program(
    filter: Option<&Filter>,
    media: MediaType,
    snaplen: u32,
) -> Result<Vec<libc::sock_filter>, FilterError> {
    let Some(Filter(expression)) = filter else {
        return Ok(vec![libc::sock_filter { code: RET_CONSTANT, jt: 0, jf: 0, k: snaplen }]);
    };
    let link_type = if media == MediaType::RawIp { Linktype::RAW } else { Linktype::ETHERNET };
    let program = compile(expression, link_type, VlanTags::StrippedByKernel)?;
    let program = Program::of(&program).ok_or_else(|| FilterError::Listing(expression.clone()))?;
    Ok(program.cutting_to(snaplen))
}

/// Where the frames to be filtered carry their outer VLAN tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum VlanTags {
    InFrame,
    StrippedByKernel,
}

fn compile(expression: &str, link_type: Linktype, tags: VlanTags) -> Result<BpfProgram, FilterError> {
    let refused = |error: pcap::Error| FilterError::Expression {
        expression: expression.to_owned(),
        reason: match error {
            pcap::Error::PcapError(reason) => reason,
            other => other.to_string(),
        },
    };
    // Only a live handle makes libpcap look for tags that the kernel has taken out of the frame. It costs a socket
    // and milliseconds, so it is opened where it makes a difference.
    if tags == VlanTags::StrippedByKernel && link_type == Linktype::ETHERNET && mentions_vlan(expression) {
        let mut live = Capture::from_device("lo")
            .and_then(|device| device.immediate_mode(false).open())
            .map_err(refused)?;
        live.filter(expression, true).map_err(refused)?;
        return live_program(&live, expression).map_err(refused);
    }
    Capture::dead(link_type).and_then(|dead| dead.compile(expression, true)).map_err(refused)
}

fn live_program(live: &Capture<pcap::Active>, expression: &str) -> Result<BpfProgram, pcap::Error> {
    live.compile(expression, true)
}

fn mentions_vlan(expression: &str) -> bool {
    expression.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word.eq_ignore_ascii_case("vlan"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_expression_is_refused_with_libpcaps_words() {
        let error = Filter::parse("tcp port http or").unwrap_err();
        assert!(error.to_string().contains("syntax error"), "{error}");
        let error = Filter::parse("port nosuchport").unwrap_err();
        assert!(error.to_string().contains("nosuchport"), "{error}");
    }

    #[test]
    fn the_snapshot_length_is_what_a_passing_frame_returns() {
        let filter = Filter::parse("icmp").unwrap();
        let program = expression_program(Some(&filter), MediaType::Ethernet, 60).unwrap();
        let returns: Vec<u32> = program.iter().filter(|i| i.code == RET_CONSTANT).map(|i| i.k).collect();
        assert_eq!(returns, [60, 0]);
        let all = expression_program(None, MediaType::Ethernet, 96).unwrap();
        assert_eq!((all.len(), all[0].k), (1, 96));
    }

    #[test]
    fn a_file_filter_takes_frames() {
        let filter = Filter::parse("arp").unwrap().offline().unwrap();
        let mut frame = [0_u8; 42];
        assert!(!filter.passes(&frame, 42));
        frame[12..14].copy_from_slice(&[8, 6]);
        assert!(filter.passes(&frame, 42));
    }
}
