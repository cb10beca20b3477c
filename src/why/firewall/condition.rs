//! What a rule asks of a packet, and whether that holds: yes, no, or nobody can tell.

use std::net::IpAddr;

use crate::model::{InterfaceAddress, Protocol};
use crate::why::packet::{Packet, Part, contains};

/// Whether something holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// It depends on what is not known.
    Unknown,
}

impl Truth {
    fn of(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }

    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Unknown,
        }
    }

    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::No, Self::No) => Self::No,
            _ => Self::Unknown,
        }
    }

    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
        }
    }
}

/// One thing that a rule asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// A property of the packet is one of these; or, negated, none of them.
    Is {
        /// Which property.
        field: Field,
        /// Whether it must be none of them.
        negated: bool,
        /// What it is compared with.
        values: Vec<Value>,
    },
    /// One of these groups holds as a whole.
    Any(Vec<Vec<Condition>>),
    /// Something that is not understood, as it is printed.
    Unknown(String),
}

/// A property of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Field {
    Input,
    Output,
    Source,
    Destination,
    /// What kind of address the source is (`local`, `unicast`, …).
    SourceKind,
    /// What kind of address the destination is.
    DestinationKind,
    Protocol,
    SourcePort,
    DestinationPort,
    /// The connection's state, in conntrack's words.
    State,
    /// What has been done to the connection, in conntrack's words.
    Status,
    Mark,
    /// `ipv4` or `ipv6`.
    NetworkFamily,
    /// `SYN` alone of the flags that open and close: the first packet of a connection.
    Opens,
    /// The kind of ICMP message.
    IcmpKind,
}

/// What a property is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Value {
    /// A name, which may end in `*`.
    Name(String),
    Network(InterfaceAddress),
    Addresses(IpAddr, IpAddr),
    Numbers(u64, u64),
    /// An ipset, by its name.
    Set(String),
    /// A number of which only these bits count.
    Masked(u64, u64),
}

/// What is known around a packet: which addresses are the namespace's own.
pub(super) trait Surroundings {
    /// The kind of an address, in the words of `addrtype`.
    fn kind(&self, address: IpAddr) -> &'static str;

    /// Whether an address is in an ipset; none where that is not known.
    fn in_set(&self, set: &str, address: IpAddr) -> Option<bool>;
}

impl Condition {
    /// A property must be this.
    pub(super) fn is(field: Field, value: Value) -> Self {
        Self::Is { field, negated: false, values: vec![value] }
    }

    /// Whether it holds.
    pub(super) fn holds(&self, packet: &Packet, around: &dyn Surroundings) -> Truth {
        match self {
            Self::Unknown(_) => Truth::Unknown,
            Self::Any(groups) => {
                groups.iter().fold(Truth::No, |any, group| any.or(all(group, packet, around)))
            }
            Self::Is { field, negated, values } => {
                let one = values
                    .iter()
                    .fold(Truth::No, |any, value| any.or(compare(*field, value, packet, around)));
                if *negated { one.not() } else { one }
            }
        }
    }
}

/// Whether all of them hold.
pub(super) fn all(conditions: &[Condition], packet: &Packet, around: &dyn Surroundings) -> Truth {
    let mut truth = Truth::Yes;
    for condition in conditions {
        truth = truth.and(condition.holds(packet, around));
        if truth == Truth::No {
            break;
        }
    }
    truth
}

fn compare(field: Field, value: &Value, packet: &Packet, around: &dyn Surroundings) -> Truth {
    match field {
        Field::Input => named(value, packet.input.as_deref().unwrap_or_default()),
        Field::Output => named(value, packet.output.as_deref().unwrap_or_default()),
        Field::Source => match packet.source {
            Some(source) => address(value, source, around),
            None => somebody(value),
        },
        Field::Destination => address(value, packet.destination.ip(), around),
        Field::SourceKind => match packet.source {
            Some(source) => named(value, around.kind(source)),
            None => named(value, "unicast"),
        },
        Field::DestinationKind => named(value, around.kind(packet.destination.ip())),
        Field::Protocol => protocol(value, packet),
        Field::SourcePort => source_port(value, packet),
        Field::DestinationPort => match packet.part {
            Part::Complaint => Truth::No,
            _ => number(value, packet.destination.port().into()),
        },
        Field::State => state(value, packet),
        Field::Status => status(value, packet),
        Field::Mark => number(value, packet.mark.into()),
        Field::NetworkFamily => named(value, if packet.is_v4() { "ipv4" } else { "ipv6" }),
        Field::Opens => Truth::of(packet.part == Part::Opening && packet.protocol == Protocol::Tcp),
        Field::IcmpKind => match packet.part {
            Part::Complaint => icmp(value, packet),
            _ => Truth::No,
        },
    }
}

fn named(value: &Value, name: &str) -> Truth {
    match value {
        Value::Name(pattern) => Truth::of(match pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => pattern == name,
        }),
        _ => Truth::Unknown,
    }
}

fn address(value: &Value, address: IpAddr, around: &dyn Surroundings) -> Truth {
    match value {
        Value::Network(network) => Truth::of(contains(*network, address)),
        Value::Addresses(first, last) => {
            Truth::of(first.is_ipv4() == address.is_ipv4() && (*first..=*last).contains(&address))
        }
        Value::Set(set) => around.in_set(set, address).map_or(Truth::Unknown, Truth::of),
        Value::Name(_) | Value::Numbers(..) | Value::Masked(..) => Truth::Unknown,
    }
}

/// Somebody outside may have any address but those that nobody outside has.
fn somebody(value: &Value) -> Truth {
    match value {
        Value::Network(network) if network.prefix == 0 => Truth::Yes,
        Value::Network(network) if network.address.is_loopback() || network.address.is_multicast() => {
            Truth::No
        }
        _ => Truth::Unknown,
    }
}

fn number(value: &Value, number: u64) -> Truth {
    match value {
        Value::Numbers(first, last) => Truth::of((*first..=*last).contains(&number)),
        Value::Masked(wanted, mask) => Truth::of(number & mask == *wanted),
        _ => Truth::Unknown,
    }
}

fn protocol(value: &Value, packet: &Packet) -> Truth {
    let (word, code) = match (packet.part, packet.is_v4(), packet.protocol) {
        (Part::Complaint, true, _) => ("icmp", 1),
        (Part::Complaint, false, _) => ("icmpv6", 58),
        (_, _, Protocol::Tcp) => ("tcp", 6),
        (_, _, Protocol::Udp) => ("udp", 17),
        (_, _, Protocol::Sctp) => ("sctp", 132),
    };
    match value {
        Value::Name(name) if name == "all" || name == "ip" => Truth::Yes,
        Value::Name(name) if name == "ipv6-icmp" => Truth::of(word == "icmpv6"),
        Value::Name(name) => Truth::of(name == word),
        other => number(other, code),
    }
}

/// The kernel's own choice of a port, unless told otherwise (`net.ipv4.ip_local_port_range`).
const EPHEMERAL: (u64, u64) = (32_768, 60_999);

fn source_port(value: &Value, packet: &Packet) -> Truth {
    if packet.part == Part::Complaint {
        return Truth::No;
    }
    if let Some(port) = packet.source_port {
        return number(value, port.into());
    }
    match value {
        Value::Numbers(first, last) if *first <= EPHEMERAL.0 && *last >= EPHEMERAL.1 => Truth::Yes,
        Value::Numbers(first, last) if *last < 1024 || *first > *last => Truth::No,
        _ => Truth::Unknown,
    }
}

fn state(value: &Value, packet: &Packet) -> Truth {
    let Value::Name(word) = value else { return Truth::Unknown };
    let own = match packet.part {
        _ if packet.untracked => "untracked",
        Part::Opening => "new",
        Part::Answer => "established",
        Part::Complaint => "related",
    };
    match word.to_ascii_lowercase().as_str() {
        word @ ("dnat" | "snat") => status(&Value::Name(word.to_owned()), packet),
        word => Truth::of(word == own),
    }
}

fn status(value: &Value, packet: &Packet) -> Truth {
    let Value::Name(word) = value else { return Truth::Unknown };
    match word.to_ascii_lowercase().as_str() {
        "dnat" => Truth::of(packet.translated),
        "snat" => Truth::of(packet.disguised),
        "seen-reply" | "seen_reply" | "assured" | "confirmed" => Truth::of(packet.part != Part::Opening),
        "expected" => Truth::No,
        _ => Truth::Unknown,
    }
}

/// "Too big" is what is asked about: type 3 of ICMP, type 2 of ICMPv6.
fn icmp(value: &Value, packet: &Packet) -> Truth {
    let words: &[&str] = if packet.is_v4() {
        &["3", "3/4", "destination-unreachable", "fragmentation-needed", "any"]
    } else {
        &["2", "packet-too-big", "any"]
    };
    match value {
        Value::Name(name) => Truth::of(words.contains(&name.as_str())),
        other => number(other, if packet.is_v4() { 3 } else { 2 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nowhere;

    impl Surroundings for Nowhere {
        fn kind(&self, address: IpAddr) -> &'static str {
            if address.is_loopback() { "local" } else { "unicast" }
        }

        fn in_set(&self, _: &str, _: IpAddr) -> Option<bool> {
            None
        }
    }

    fn holds(field: Field, value: Value, packet: &Packet) -> Truth {
        Condition::is(field, value).holds(packet, &Nowhere)
    }

    #[test]
    fn somebody_outside_may_be_in_a_network_or_not() {
        let packet = Packet::opening(None, "192.0.2.1:80".parse().unwrap(), Protocol::Tcp);
        let network = |text: &str| Value::Network(text.parse().unwrap());
        assert_eq!(holds(Field::Source, network("0.0.0.0/0"), &packet), Truth::Yes);
        assert_eq!(holds(Field::Source, network("10.0.0.0/8"), &packet), Truth::Unknown);
        assert_eq!(holds(Field::Source, network("127.0.0.0/8"), &packet), Truth::No);
        let not = Condition::Is { field: Field::Source, negated: true, values: vec![network("127.0.0.0/8")] };
        assert_eq!(not.holds(&packet, &Nowhere), Truth::Yes);
    }

    #[test]
    fn states_are_those_of_the_first_packet_and_of_the_answer() {
        let mut packet = Packet::opening(None, "192.0.2.1:80".parse().unwrap(), Protocol::Tcp);
        let word = |word: &str| Value::Name(word.to_owned());
        assert_eq!(holds(Field::State, word("NEW"), &packet), Truth::Yes);
        assert_eq!(holds(Field::State, word("established"), &packet), Truth::No);
        assert_eq!(holds(Field::State, word("DNAT"), &packet), Truth::No);
        packet.part = Part::Answer;
        packet.translated = true;
        assert_eq!(holds(Field::State, word("ESTABLISHED"), &packet), Truth::Yes);
        assert_eq!(holds(Field::Status, word("dnat"), &packet), Truth::Yes);
        assert_eq!(holds(Field::Opens, word(""), &packet), Truth::No);
    }

    #[test]
    fn names_may_end_in_a_star() {
        let mut packet = Packet::opening(None, "192.0.2.1:80".parse().unwrap(), Protocol::Udp);
        packet.input = Some("br-12ab".to_owned());
        assert_eq!(holds(Field::Input, Value::Name("br-*".to_owned()), &packet), Truth::Yes);
        assert_eq!(holds(Field::Input, Value::Name("br-".to_owned()), &packet), Truth::No);
        assert_eq!(holds(Field::Protocol, Value::Numbers(17, 17), &packet), Truth::Yes);
        assert_eq!(holds(Field::SourcePort, Value::Numbers(53, 53), &packet), Truth::No);
        assert_eq!(holds(Field::SourcePort, Value::Numbers(1024, 65_535), &packet), Truth::Yes);
        assert_eq!(holds(Field::SourcePort, Value::Numbers(40_000, 40_000), &packet), Truth::Unknown);
    }
}
