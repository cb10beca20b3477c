//! Sequence numbers that begin at the start of a conversation, as tcpdump shows them.
//!
//! It remembers a bounded number of conversations; one that was forgotten starts anew, with an absolute number.

use std::collections::HashMap;

use super::decode::Packet;
use super::flow::{FlowKey, Way};
use super::keyed_hash::KeyedHash;
use super::tcp::TcpFlags;
use super::transport::Transport;

/// Remembered conversations, at the least; at most twice as many.
const CAPACITY: usize = 4096;

/// What to subtract from a segment's numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SequenceBase {
    /// From its sequence number.
    pub sequence: u32,
    /// From its acknowledgment number.
    pub acknowledgment: u32,
}

/// The first numbers of each conversation.
#[derive(Debug, Default)]
pub struct SequenceTracker {
    recent: HashMap<FlowKey, SequenceBase, KeyedHash>,
    // When `recent` is full it becomes `older`, and what was `older` is forgotten: no clock, no list to keep in order.
    older: HashMap<FlowKey, SequenceBase, KeyedHash>,
}

impl SequenceTracker {
    /// The numbers that the innermost TCP segment of `packet` shall be shown relative to.
    ///
    /// Zero, so that they are shown as sent, for the first segment with an acknowledgment and for whatever has none.
    pub fn observe(&mut self, packet: &Packet<'_>) -> SequenceBase {
        let Some(ip) = packet.innermost_ip() else { return SequenceBase::default() };
        let Transport::Tcp(tcp) = &ip.transport else { return SequenceBase::default() };
        let Some((key, way)) = ip.flow() else { return SequenceBase::default() };
        if !tcp.flags.intersects(TcpFlags::ACK) {
            return SequenceBase::default();
        }
        match self.recall(key) {
            Some(base) if !tcp.flags.intersects(TcpFlags::SYN) => base.along(way),
            _ => {
                let first = SequenceBase {
                    sequence: tcp.sequence,
                    acknowledgment: tcp.acknowledgment.wrapping_sub(1),
                };
                self.remember(key, first.along(way));
                SequenceBase::default()
            }
        }
    }

    fn recall(&mut self, key: FlowKey) -> Option<SequenceBase> {
        if let Some(base) = self.recent.get(&key) {
            return Some(*base);
        }
        let base = self.older.remove(&key)?;
        self.remember(key, base);
        Some(base)
    }

    fn remember(&mut self, key: FlowKey, base: SequenceBase) {
        if self.recent.len() >= CAPACITY {
            self.older = std::mem::take(&mut self.recent);
        }
        self.recent.insert(key, base);
    }
}

impl SequenceBase {
    /// The same numbers seen along `way`: backwards, one side's sequence is what the other acknowledges.
    const fn along(self, way: Way) -> Self {
        match way {
            Way::Forward => self,
            Way::Backward => Self { sequence: self.acknowledgment, acknowledgment: self.sequence },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{FlowEnd, IpProtocol};

    #[test]
    fn old_conversations_are_forgotten_and_used_ones_are_not() {
        let end = |number: u32| FlowEnd { address: number.to_be_bytes().into(), port: 1 };
        let key = |number| FlowKey::new(IpProtocol::TCP, end(0), end(number)).0;
        let base = SequenceBase { sequence: 7, acknowledgment: 9 };
        let mut tracker = SequenceTracker::default();
        for number in 0..u32::try_from(CAPACITY * 5).unwrap() {
            tracker.remember(key(number), base);
            assert_eq!(tracker.recall(key(1)).is_some(), number >= 1, "{number}");
        }
        assert_eq!(tracker.recall(key(2)), None);
        assert!(tracker.recent.len() + tracker.older.len() <= 2 * CAPACITY);
    }
}
