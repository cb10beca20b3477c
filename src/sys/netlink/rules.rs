//! The rules by which a routing table is chosen (`ip-rule(8)`), of the socket's own namespace.

use rtnetlink::packet_route::{
    AddressFamily, RouteNetlinkMessage,
    rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage},
};

use crate::model::InterfaceAddress;

use super::{Error, Netlink, Query};

/// One rule. What it does not name, it does not ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutingRule {
    /// Lower ones are asked first.
    pub priority: u32,
    /// Whether it is about IPv4; else about IPv6.
    pub is_v4: bool,
    /// Whether it holds for what does not match.
    pub inverted: bool,
    /// The network that the source must be in.
    pub source: Option<InterfaceAddress>,
    /// The network that the destination must be in.
    pub destination: Option<InterfaceAddress>,
    /// The interface that the packet must have come by; `lo`: by none.
    pub input: Option<String>,
    /// The mark that the packet must have, and the bits of it that count.
    pub mark: Option<(u32, u32)>,
    /// Whether it asks for something else besides, which is not read.
    pub asks_more: bool,
    /// What happens to packets that match.
    pub outcome: RuleOutcome,
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleOutcome {
    /// Asks the table of that number; routes with a prefix of at most so many bits do not count.
    Table {
        /// Its number.
        table: u32,
        /// `suppress_prefixlength`
        suppressed: Option<u32>,
    },
    /// Drops in silence.
    Blackhole,
    /// Drops with "unreachable" or "prohibited".
    Refuse,
    /// Does nothing that is known here.
    Other,
}

impl Netlink {
    /// The rules of both families, in the order in which they are asked.
    pub async fn rules(&mut self) -> Result<Vec<RoutingRule>, Error> {
        let mut rules = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut question = RuleMessage::default();
            question.header.family = family;
            let answer = self.dump(Query::Rules, RouteNetlinkMessage::GetRule(question)).await?;
            rules.extend(answer.iter().filter_map(|message| match message {
                RouteNetlinkMessage::NewRule(rule) => decode_rule(rule),
                _ => None,
            }));
        }
        rules.sort_by_key(|rule| rule.priority);
        Ok(rules)
    }
}

fn decode_rule(message: &RuleMessage) -> Option<RoutingRule> {
    let header = &message.header;
    let is_v4 = match header.family {
        AddressFamily::Inet => true,
        AddressFamily::Inet6 => false,
        _ => return None,
    };
    let mut rule = RoutingRule {
        priority: 0,
        is_v4,
        inverted: header.flags.contains(RuleFlags::Invert),
        source: None,
        destination: None,
        input: None,
        mark: None,
        asks_more: header.tos != 0,
        outcome: RuleOutcome::Other,
    };
    let (mut table, mut suppressed) = (u32::from(header.table), None);
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::Priority(priority) => rule.priority = *priority,
            RuleAttribute::Source(address) => {
                rule.source = Some(InterfaceAddress { address: *address, prefix: header.src_len });
            }
            RuleAttribute::Destination(address) => {
                rule.destination = Some(InterfaceAddress { address: *address, prefix: header.dst_len });
            }
            RuleAttribute::Iifname(name) => rule.input = Some(name.clone()),
            RuleAttribute::FwMark(mark) => {
                let mask = rule.mark.map_or(u32::MAX, |(_, mask)| mask);
                rule.mark = Some((*mark, mask));
            }
            RuleAttribute::FwMask(mask) => {
                let mark = rule.mark.map_or(0, |(mark, _)| mark);
                rule.mark = Some((mark, *mask));
            }
            RuleAttribute::Table(number) => table = *number,
            RuleAttribute::SuppressPrefixLen(length) => {
                suppressed = Some(*length).filter(|length| *length != u32::MAX);
            }
            RuleAttribute::Protocol(_) | RuleAttribute::SuppressIfGroup(u32::MAX) => {}
            _ => rule.asks_more = true,
        }
    }
    // A mask alone asks for nothing.
    rule.mark = rule.mark.filter(|(mark, mask)| *mask != 0 && (*mark, *mask) != (0, u32::MAX));
    rule.outcome = match header.action {
        RuleAction::ToTable => RuleOutcome::Table { table, suppressed },
        RuleAction::Blackhole => RuleOutcome::Blackhole,
        RuleAction::Unreachable | RuleAction::Prohibit => RuleOutcome::Refuse,
        _ => RuleOutcome::Other,
    };
    Some(rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read() {
        let mut message = RuleMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.src_len = 24;
        message.header.action = RuleAction::ToTable;
        message.header.table = 254;
        message.attributes = vec![
            RuleAttribute::Priority(100),
            RuleAttribute::Source("10.0.0.0".parse().unwrap()),
            RuleAttribute::Table(4711),
            RuleAttribute::SuppressPrefixLen(u32::MAX),
        ];
        let rule = decode_rule(&message).unwrap();
        assert_eq!(rule.source, Some("10.0.0.0/24".parse().unwrap()));
        assert_eq!(rule.outcome, RuleOutcome::Table { table: 4711, suppressed: None });
        assert!(!rule.asks_more && rule.mark.is_none());
    }
}
